"""`forensic doctor`: what is installed here, which parts run, and the command that cures what is missing."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from forensic import __version__
from forensic.cli import console
from forensic.engines.choice import processor_name
from forensic.errors import ExitCode, FileOutcome, ForensicError

State = Literal["ok", "absent", "broken"]
_STYLE: dict[State, str] = {"ok": "green", "absent": "yellow", "broken": "bold red"}

# format -> what Pillow calls it when a control picture is made
_FORMATS = {
    **{name: name for name in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "ICO", "AVIF")},
    "WebP": "WEBP",
}
_EXTRAS = {
    "pillow_heif": ("HEIC and HEIF images", "pip install pillow-heif"),
    "matplotlib": ("pictures of spectra and histograms", "pip install matplotlib"),
    "c2pa": ("checking signatures of C2PA manifests", "pip install c2pa-python"),
    "pyarrow": ("cases as Parquet", "pip install pyarrow"),
}


@dataclass(frozen=True)
class Check:
    """One line of the doctor: `absent` is an option not taken, `broken` is something the program needs."""

    part: str
    subject: str
    state: State
    found: str
    cure: str = ""


def doctor(
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["table", "jsonl"], typer.Option(help="A table, or one JSON object a line.")
    ] = "table",
) -> None:
    """Tell what was built, what is missing, and the command that cures it.

    \b
    forensic doctor
    forensic doctor --format jsonl > doctor.jsonl

    Leaves with 0 unless something that the program needs is broken (5).
    """
    checks = list(_all_checks())
    if format == "jsonl":
        for check in checks:
            console.data(json.dumps(asdict(check)))
    else:
        rows = [(c.part, c.subject, (c.state, _STYLE[c.state]), c.found) for c in checks]
        console.stdout_table(["part", "subject", "state", "found"], rows)
        cures = [check for check in checks if check.cure and check.state != "ok"]
        if cures:
            console.stdout_text("\nWhat can be done:")
            for check in cures:
                console.stdout_text(f"  {check.subject}: {check.cure}")
    broken = any(check.state == "broken" for check in checks)
    raise typer.Exit(ExitCode.MISSING if broken else ExitCode.DONE)


def _all_checks() -> Iterator[Check]:
    parts: tuple[Callable[[], Iterator[Check]], ...] = (
        _program,
        _torch,
        _kernels,
        _engines,
        _decoders,
        _weights,
        _extras,
    )
    for part in parts:
        try:
            yield from part()
        except ForensicError as known:
            yield Check(part.__name__.strip("_"), known.subject, "broken", known.reason, known.remedy)
        except (ImportError, OSError) as cause:  # a package that is not there, or a library it can not load
            yield Check(part.__name__.strip("_"), part.__name__.strip("_"), "broken", str(cause), "pip install .")


def _program() -> Iterator[Check]:
    yield Check("program", "forensic", "ok", f"{__version__} in {Path(__file__).parents[1]}")
    yield Check("program", "python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield Check("program", "processor", "ok", processor_name())


def _torch() -> Iterator[Check]:
    import torch

    yield Check("torch", "torch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield Check("torch", f"cuda:{index}", "ok", torch.cuda.get_device_name(index))
    else:
        yield Check("torch", "cuda", "absent", "no CUDA device that this torch can use; everything runs on the CPU")


def _kernels() -> Iterator[Check]:
    from forensic import kernels

    for subject, found in kernels.describe().items():
        yield Check("kernels", subject, "ok", str(found))


def _engines() -> Iterator[Check]:
    from forensic.engines.choice import DISTRIBUTIONS, choose, install, installed

    best = choose("auto")
    yield Check("engines", "auto", "ok", f"{best}: {best.reason}")
    for name, distribution in DISTRIBUTIONS.items():
        if installed(name) is None:
            yield Check("engines", name, "absent", f"{distribution}, for a faster scan on a CPU", install(name))
        else:
            yield Check("engines", name, "ok", str(choose(name)))


def _decoders() -> Iterator[Check]:
    import cv2
    import PIL

    yield Check("decoders", "opencv", "ok", cv2.__version__)
    yield Check("decoders", "pillow", "ok", PIL.__version__)
    both = [name for name in ("opencv-python", "opencv-python-headless") if _is_installed(name)]
    if len(both) == 2:
        cure = "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python-headless"
        yield Check("decoders", "opencv", "absent", "two packages share one folder: " + " and ".join(both), cure)
    for name, pillow_name in _FORMATS.items():
        yield _format(name, pillow_name)
    if find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
        yield _format("HEIC", "HEIF")


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _format(name: str, pillow_name: str) -> Check:
    """Whether a control picture of this format comes through our decoder."""
    from io import BytesIO

    from PIL import Image

    from forensic.data.decode import decode

    file = BytesIO()
    try:
        Image.linear_gradient("L").convert("RGB").save(file, pillow_name)
    except (KeyError, OSError):  # a Pillow that was built without it
        return Check("decoders", name, "absent", "this Pillow has no such codec", "pip install --upgrade pillow")
    try:
        decoded = decode(file.getvalue(), name=f"control image ({name})")
    except FileOutcome as outcome:
        return Check("decoders", name, "broken", outcome.reason, "pip install --upgrade opencv-python-headless pillow")
    height, width = decoded.pixels.shape[:2]
    return Check("decoders", name, "ok", f"{width}x{height} control image read by {decoded.decoder}")


def _weights() -> Iterator[Check]:
    from forensic.models.weights import list_weights, verify_weights

    found = list_weights()
    if not found:
        yield Check("weights", "weights", "broken", "no weights are here", "forensic train, or reinstall the package")
    for entry in found:
        digest = verify_weights(entry.path)
        yield Check("weights", entry.name, "ok", f"{digest}{', the default' if entry.default else ''}")


def _extras() -> Iterator[Check]:
    for module, (use, cure) in _EXTRAS.items():
        if find_spec(module) is None:
            yield Check("extras", module, "absent", f"for {use}", cure)
        else:
            yield Check("extras", module, "ok", f"for {use}")
    completion = "shell completion: forensic --install-completion"
    yield Check("extras", "completion", "ok", completion)
