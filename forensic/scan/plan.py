"""What a scan is asked to do, and what of it can change a finding."""

from __future__ import annotations

import hashlib
import math
import platform
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

import forensic
from forensic import kernels
from forensic.calibration.words import in_words
from forensic.case.ledger import now
from forensic.case.rows import CaseHeader
from forensic.data.inspection import DecodeLimits
from forensic.engines.choice import choose, named_in, precision_in, processor_features, processor_name
from forensic.errors import UsageError
from forensic.provenance.carried import CARRIED
from forensic.scan.interruption import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forensic.calibration.record import Calibration
    from forensic.engines.choice import Choice, EngineName
    from forensic.models.card import Card
    from forensic.scan.shard import Shard

MAX_TILES = 25
"""Tiles an image; the thresholds of the cards are fitted on as many."""
_DECODERS = ("opencv-python-headless", "opencv-python", "pillow", "pillow-heif", "numpy")
_VECTORS = ("sse4", "avx", "fma", "f16c", "amx", "asimd", "sve")
"""Beginnings of the names of instructions that the last bits of a score may depend on."""
_KERNELS = ("dct2", "resize_square", "radial_spectrum")


@dataclass(frozen=True, kw_only=True)
class Details:
    """The examiner's words about a case; None where nothing was said."""

    question: str | None = None
    examiner: str | None = None
    case_number: str | None = None
    exhibit: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScanPlan:
    """One scan."""

    paths: tuple[bytes, ...]
    """Files and folders as given, exact bytes."""
    weights: str | Path | None = None
    """Name or file; None is the default among the bundled ones."""
    case: Path | None = None
    """Where findings are kept; None keeps none beyond the scan."""
    threshold: float | None = None
    """Takes the place of the card's."""
    calibration: Calibration | None = None
    """Gives thresholds, ratios and p; scores then come from torch in float32, as those that fitted it did."""
    workers: int = 2
    device: str = "cpu"
    engine: EngineName | None = None
    """What runs the network. None: with a case torch in float32, or what the case was begun with; else the fastest."""
    profile: str = "standard"
    threads: int | None = None
    """Of the network; None takes what torch takes."""
    follow_links: bool = False
    exclude: tuple[str, ...] = ()
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    scores: bool = False
    """Whether findings carry the score of each class."""
    thumbnails: bool = True
    stability: int = 0
    """How many changed forms of each picture are scored beside it (forensic.data.variants)."""
    salvage: bool = False
    """Whether the real rows of truncated pictures are scored beside their findings."""
    skip_hashes: frozenset[str] = frozenset()
    """SHA-256 of files that are left out, hex."""
    shard: Shard | None = None
    """The part of the files that is scanned; all of them where None."""
    details: Details = field(default_factory=Details)
    argv: tuple[str, ...] = ()
    """For the case's history."""
    clock: Callable[[], str] = now
    """Gives the times of the case's history."""
    interruption: Interruption = field(default_factory=Interruption)

    def __post_init__(self) -> None:
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise UsageError("--threshold", f"must be a finite number, got {self.threshold}")
        if self.calibration is not None and self.threshold is not None:
            raise UsageError("--threshold", "does not go with --calibration, which has thresholds", "Give one of them")
        if self.calibration is not None and self.engine not in (None, "torch"):
            raise UsageError(
                f"--engine {self.engine}", "does not go with --calibration: it was fitted to scores of torch"
            )
        if self.workers < 1:
            raise UsageError("--workers", f"must be at least 1, got {self.workers}")
        limits = self.limits
        for name, value in (("pixels", limits.max_pixels), ("bytes", limits.max_bytes), ("seconds", limits.seconds)):
            if not value > 0:
                raise UsageError(f"limit of {name}", f"must be above 0, got {value}")


def choice_of(plan: ScanPlan, recorded: str | None = None) -> Choice:
    """The engine of a plan.

    Findings that are kept are evidence, which another machine should be able to give again: without a word they come
    from torch in float32.

    Args:
        plan: what was asked.
        recorded: the engine that a stored case was begun with, as `Choice.recorded` tells it.

    Raises:
        UsageError, MissingError: as `choose`.
    """
    if plan.engine is not None or plan.calibration is not None:
        return choose(plan.engine or "torch", plan.device)
    if recorded is not None:
        return choose(named_in(recorded), plan.device, precision=precision_in(recorded))
    return choose("auto" if plan.case is None else "torch", plan.device)


def configuration_of(plan: ScanPlan, choice: Choice | None = None) -> dict[str, Any]:
    """Everything that can change a finding besides the files and the weights; JSON values.

    A case that was begun with other values can not be gone on with.

    Args:
        plan: what was asked.
        choice: the engine; that of the plan where None.
    """
    limits = plan.limits
    skipped = "".join(f"{digest}\n" for digest in sorted(plan.skip_hashes))
    built = kernels.describe()
    parted = {} if plan.shard is None else {"shard": str(plan.shard)}
    return parted | {
        "threshold": plan.threshold,
        "tiles": MAX_TILES,
        "max_pixels": limits.max_pixels,
        "max_bytes": limits.max_bytes,
        "timeout": limits.seconds,
        "memory": limits.address_space,
        "follow_links": plan.follow_links,
        "exclude": list(plan.exclude),
        "scores": plan.scores,
        "thumbnails": "full" if plan.thumbnails else "none",
        "skip_hashes": hashlib.sha256(skipped.encode()).hexdigest() if plan.skip_hashes else None,
        "engine": (choice or choice_of(plan)).recorded,
        "device": plan.device,
        "kernels": {name: built[name].partition(",")[0] for name in _KERNELS if name in built},
        "decoders": {name: version for name in _DECODERS if (version := _version(name)) is not None},
        "machine": platform.machine(),
        "claims": CARRIED,
        **({"salvage": True} if plan.salvage else {}),
        **({"stability": plan.stability} if plan.stability else {}),
        **({} if plan.profile == "standard" else {"profile": plan.profile, "threads": plan.threads}),
        **({} if plan.calibration is None else {"calibration": plan.calibration.hash}),
    }


def header_of(
    plan: ScanPlan,
    card: Card,
    weights_name: str,
    spectra: dict[str, tuple[tuple[float, ...], tuple[float, ...]]],
    choice: Choice | None = None,
) -> CaseHeader:
    """What a case of this plan begins with."""
    details = plan.details
    return CaseHeader(
        question=details.question or "",
        examiner=details.examiner or "",
        case_number=details.case_number or "",
        exhibit=details.exhibit or "",
        note=details.note or "",
        weights=card.short_hash,
        weights_name=weights_name,
        preprocessing=card.preprocessing,
        configuration=configuration_of(plan, choice),
        card=card.to_dict() | ({} if plan.calibration is None else {"calibration": in_words(plan.calibration)}),
        classes=card.classes,
        class_spectra=spectra,
        tool_version=forensic.__version__,
    )


def versions() -> dict[str, str]:
    """Tool, Python and libraries, the system and the processor with its vector instructions, for the case's history."""
    names = ("torch", "openvino", "onnxruntime", "safetensors", *_DECODERS)
    found = {name: version for name in names if (version := _version(name)) is not None}
    machine = {"system": platform.platform(), "processor": processor_name()}
    if vectors := sorted(name for name in processor_features() if name.startswith(_VECTORS)):
        machine["instructions"] = " ".join(vectors)
    return {"forensic": forensic.__version__, "python": platform.python_version(), **found, **machine}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
