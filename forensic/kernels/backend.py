"""Loads the compiled kernels, chooses between them and their twins, and says why.

The choice is one decision by device: tensors on the CPU go to `forensic._C`, tensors on a CUDA device to
`forensic._C_cuda`. A missing `_C` is an error that names the command which builds it, never a silent fallback.

Environment, read here and nowhere else in the package:
    FORENSIC_KERNELS=auto|reference|cpp|cuda   forces one implementation; one that is absent is an error
    FORENSIC_ISA=auto|baseline|avx2|avx512     forces an instruction set; one that the processor lacks is an error
"""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from forensic.errors import MissingError, UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor

IMPLEMENTATIONS: Final = ("reference", "cpp", "cuda")
KERNELS: Final = {
    "dct2": "_dct",
    "idct2": "_dct",
    "dct2_log": "_dct",
    "augment": "_augment",
    "batch_hard_triplet": "_triplet",
    "batch_norm_leaky": "_norm",
    "resize_square": "_resize",
    "radial_spectrum": "_radial",
}
"""Kernel -> the file of this package with its contract."""

CudaFunction = Literal[
    "augment",
    "augment_input_gradient",
    "augment_weight_gradients",
    "batch_hard_triplet",
    "batch_norm_leaky",
    "batch_norm_leaky_gradient",
    "dct2",
    "dct2_log",
    "radial_spectrum",
    "radial_spectrum_gradient",
    "resize_square",
]
"""The functions of `forensic._C_cuda`."""

_ALWAYS_ON_CPU: Final = ("resize_square",)
"""Kernels that serve what is on the CPU also under FORENSIC_KERNELS=cuda: workers that decode have no torch."""


def asked() -> str:
    """What FORENSIC_KERNELS asks for: `auto` or the name of an implementation, which may not be here.

    Raises:
        UsageError: another value.
    """
    name = os.environ.get("FORENSIC_KERNELS") or "auto"
    if name not in ("auto", *IMPLEMENTATIONS):
        raise UsageError("FORENSIC_KERNELS", f"is {name!r}", f"Use auto, {', '.join(IMPLEMENTATIONS)}, or unset it")
    return name


_forced = ""


def forced() -> str:
    """What FORENSIC_KERNELS asks for, found to be here; read once, since a compiled graph takes it for a constant.

    Raises:
        UsageError: another value.
        MissingError: the implementation asked for is not built, or has no device.
    """
    global _forced  # noqa: PLW0603 - a cache that torch.compile can see through
    if not _forced:
        name = asked()
        if name == "cpp":
            native()
        if name == "cuda":
            _native_cuda()
        _forced = name
    return _forced


@cache
def native() -> ModuleType:
    """`forensic._C`, with the instruction set that FORENSIC_ISA names.

    Raises:
        MissingError: it is not built for this interpreter.
        UsageError: FORENSIC_ISA names what this processor lacks.
    """
    try:
        module = import_module("forensic._C")
    except ImportError as error:
        raise MissingError(
            "forensic._C", f"the compiled kernels do not load ({error})", f"Build them with `make inplace {_python()}`"
        ) from error
    try:
        module.set_isa(os.environ.get("FORENSIC_ISA") or "auto")
    except ValueError as error:
        subject, _, reason = str(error).partition(": ")
        raise UsageError(subject, reason, "Unset it to use the best") from error
    return module


@cache
def _native_cuda() -> ModuleType:
    """`forensic._C_cuda`, for `launch` alone: a function called past it takes the current device for its arrays' own.

    Raises:
        MissingError: it is not built, does not load, or torch sees no device.
    """
    reason = _why_no_cuda()
    if reason:
        build = f"Build it with `make inplace {_python()} FORENSIC_CUDA=ON` on a machine with a device"
        raise MissingError("forensic._C_cuda", reason, build)
    return import_module("forensic._C_cuda")


@cache
def _why_no_cuda() -> str:
    """Why CUDA kernels can not run here, or an empty text."""
    if find_spec("forensic._C_cuda") is None:
        return "CUDA kernels are not built"
    import torch  # noqa: PLC0415 - this file serves workers without torch

    if not torch.cuda.is_available():
        return "no CUDA device"
    try:
        import_module("forensic._C_cuda")
    except ImportError as error:
        return f"CUDA kernels do not load ({error})"
    return ""


def _python() -> str:
    return f"PYTHON={sys.executable}"


def choose(tensor: Tensor, implementation: str | None = None) -> str:
    """Which implementation serves `tensor`: `reference`, `cpp` or `cuda`.

    Args:
        tensor: the first argument of a kernel, any shape.
        implementation: one that the caller insists on, or None to decide by FORENSIC_KERNELS and the device.

    Raises:
        ValueError: that implementation does not serve the tensor's device, or no implementation has this name.
        MissingError: it is not built.
    """
    name = implementation or forced()
    if name == "reference":
        return name
    device = tensor.device.type
    if name == "auto":
        if device != "cuda":
            return "cpp"
        return "reference" if _why_no_cuda() else "cuda"
    if name not in IMPLEMENTATIONS:
        raise ValueError(f"implementation: expected one of {', '.join(IMPLEMENTATIONS)}, got {name!r}")
    if (device == "cuda") != (name == "cuda"):
        raise ValueError(f"implementation: expected one for tensors on {device}, got {name!r}")
    return name


def threads() -> int:
    """Threads of a CPU kernel: as many as torch uses, one where torch is not imported."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch is not None else 1


def launch(name: CudaFunction, first: Tensor, *others: Tensor | float | None) -> None:
    """Queues a function of `forensic._C_cuda` on the device of its first argument, on that device's current stream.

    Where the device has no room for scratch, torch gives back what its allocator keeps, and the function is called
    again: it reads no output, so what it has queued by then does no harm. A graph under capture is left as it is.

    Args:
        name: of the function.
        first: its first argument, any shape, on a CUDA device that need not be the current one.
        others: its other arguments but `stream`; tensors, any shapes, on that device and without gradient or lazy sign.

    Raises:
        MissingError: the module is not built, does not load, or torch sees no device.
        MemoryError: no room for scratch, even so.
        TypeError, ValueError: the function refuses an argument, or a launch failed.
    """
    import torch  # noqa: PLC0415 - this file serves workers without torch
    from torch.utils.dlpack import to_dlpack  # type: ignore[attr-defined]  # noqa: PLC0415 - public, but re-exported from C

    function = getattr(_native_cuda(), name)
    with torch.cuda.device(first.device):
        stream = int(torch.cuda.current_stream(first.device).cuda_stream)

        def call() -> None:
            arrays = (to_dlpack(one) if isinstance(one, torch.Tensor) else one for one in (first, *others))
            function(*arrays, stream)

        try:
            call()
        except MemoryError:
            if torch.cuda.is_current_stream_capturing():
                raise
            torch.cuda.empty_cache()
            call()


class Implementation:
    """The kernels of one implementation, as attributes with the names of `forensic.kernels`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, kernel: str) -> Any:  # noqa: ANN401 - each kernel has its own signature
        home = KERNELS.get(kernel)
        if home is None:
            raise AttributeError(f"no kernel is called {kernel!r}")
        function = getattr(import_module(f"forensic.kernels.{home}"), kernel)
        name = self.name

        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passes on what the kernel takes
            return function(*args, **kwargs, implementation=name)

        call.__name__ = kernel
        call.__doc__ = function.__doc__
        return call

    def __repr__(self) -> str:
        return f"implementation({self.name!r})"


def implementation(name: str) -> Implementation:
    """The kernels of one implementation, whatever the environment says.

    Args:
        name: `reference` (the twins), `cpp` or `cuda`.

    Returns:
        An object with the functions of `forensic.kernels`. Those of `cuda` take tensors on a device
        alone, anything else raises ValueError.

    Raises:
        ValueError: no implementation has this name.
        MissingError: it is not built, or has no device.
    """
    if name not in IMPLEMENTATIONS:
        raise ValueError(f"name: expected one of {', '.join(IMPLEMENTATIONS)}, got {name!r}")
    if name == "cpp":
        native()
    if name == "cuda":
        _native_cuda()
    return Implementation(name)


def describe() -> dict[str, str]:
    """Which implementation of each kernel runs here, and why.

    Returns:
        One entry a kernel, such as `{"dct2": "cpp/avx2, 2 threads", ...}`, and `reason`. Where kernels run on more than
        one device, both are named.

    Raises:
        MissingError, UsageError: as `forced` and `native`.
    """
    name = forced()
    if name == "reference":
        return dict.fromkeys(KERNELS, "reference") | {"reason": "FORENSIC_KERNELS=reference"}
    module = native()
    isa = cast("str", module.isa())
    count = threads()
    cpu = f"cpp/{isa}, {count} thread{'s' if count != 1 else ''}"
    no_cuda = _why_no_cuda() if "torch" in sys.modules else "not asked: torch is not imported"
    both = dict.fromkeys(KERNELS, f"{cpu}; cuda for CUDA tensors")
    if name == "cuda":
        both |= dict.fromkeys(KERNELS.keys() - _ALWAYS_ON_CPU, "cuda")
    elif no_cuda:
        both = dict.fromkeys(KERNELS, cpu)
    named = os.environ.get("FORENSIC_ISA") or "auto"
    why = (
        f"best instruction set of {', '.join(module.supported_isas())}" if named == "auto" else f"FORENSIC_ISA={named}"
    )
    parts = [] if name == "auto" else [f"FORENSIC_KERNELS={name}"]
    parts += [
        why,
        f"no CUDA kernels: {no_cuda}; CUDA tensors go to the twins"
        if no_cuda
        else "CUDA kernels load and a device is there",
    ]
    return both | {"reason": "; ".join(parts)}
