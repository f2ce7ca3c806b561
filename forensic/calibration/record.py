"""A calibration: for each class threshold, p and ratio, what they hold for, and every file that fitted them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forensic.calibration.conformal import conformal_p, least_p
from forensic.errors import MissingError

if TYPE_CHECKING:
    from forensic.calibration.pictures import Coverage
    from forensic.calibration.ratio import Ratio
    from forensic.calibration.scale import Scale
    from forensic.calibration.taken import Taken

SHORT_HASH = 12


@dataclass(frozen=True)
class ClassCalibration:
    """Of one class."""

    threshold: float
    """Known as this class if and only if its score reaches it."""
    kept: float
    """Share of the calibration's photographs that reach it with all their images."""
    images: int
    lowest: tuple[float, ...]
    """The lowest score of each photograph, rising."""
    ratio: Ratio | None
    withheld: str = ""
    """Why there is no ratio; empty where there is one."""

    @property
    def photographs(self) -> int:
        """How many there are."""
        return len(self.lowest)

    @property
    def least_p(self) -> float:
        """The smallest p that these photographs can give."""
        return least_p(self.photographs)

    def p(self, score: float) -> float:
        """Conformal p of a score of this class."""
        return conformal_p(score, self.lowest)


@dataclass(frozen=True)
class Calibration:
    """Made by `fit_calibration`, kept by `forensic.calibration.file`."""

    weights: str
    """Hash of the weights it belongs to, 64 hex digits."""
    weights_name: str
    preprocessing: str
    real: str
    """Which class is real; empty where none is."""
    classes: dict[str, ClassCalibration]
    """In label order; a class that is not here keeps the threshold of the weights."""
    coverage: Coverage
    keep: float
    """Share of known photographs that the thresholds were asked to keep."""
    least_generators: int
    generators: dict[str, int]
    """Unknown generator -> its images."""
    photographs: str
    """How photographs were told apart, a sentence."""
    scale: Scale
    files: tuple[str, ...] = field(repr=False)
    """SHA-256 of every picture that took part, sorted."""
    units: tuple[str, ...] = field(repr=False)
    """Photographs that a table named, sorted; files that were units of their own are not listed again."""
    taken: dict[str, Taken] = field(default_factory=dict)
    """Unknown generator -> what the thresholds do with its images; empty where it was not counted."""
    missing: tuple[str, ...] = ()
    """Figures that these data could not give."""
    remarks: tuple[str, ...] = ()
    """What a reader must know of the data."""
    command: str = ""
    tool: str = ""
    hash: str = field(default="", compare=False)
    """SHA-256 over the file without its hash line, 64 hex digits."""

    @property
    def short_hash(self) -> str:
        """The first 12 digits."""
        return self.hash[:SHORT_HASH]

    def took_part(self, sha256: str) -> bool:
        """Whether a file of this hash fitted the calibration; what fitted it can not be weighed with it."""
        place = bisect_left(self.files, sha256)
        return self.files[place : place + 1] == (sha256,)

    def check_fits(self, subject: str, weights: str, preprocessing: str) -> None:
        """That it was made with these weights.

        Args:
            subject: name of the file, for the message.
            weights: their hash, 64 hex digits.
            preprocessing: their id.

        Raises:
            MissingError: it belongs to others.
        """
        short = SHORT_HASH if self.weights[:SHORT_HASH] != weights[:SHORT_HASH] else None
        for name, same, own, other in (
            ("preprocessing", self.preprocessing == preprocessing, self.preprocessing, preprocessing),
            ("weights", self.weights == weights, self.weights[:short], weights[:short]),
        ):
            if not same:
                raise MissingError(
                    subject,
                    f"was fitted with {name} {own}, and {'these are' if name == 'weights' else 'here it is'} {other}",
                    "Fit one for these weights with `forensic calibrate`",
                )
