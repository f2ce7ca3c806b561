"""The file of a calibration, NAME.calibration.toml: read, written, and held against its own hash."""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import tomli_w

from forensic.calibration.bounds import Bounds
from forensic.calibration.logistic import Logistic
from forensic.calibration.pictures import Coverage
from forensic.calibration.ratio import LeftOut, Ratio
from forensic.calibration.record import Calibration, ClassCalibration
from forensic.calibration.scale import scale_from_dict
from forensic.calibration.taken import Taken
from forensic.errors import ForensicError, MissingError
from forensic.metrics.measure import Measure

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
"""Version of the file; a reader refuses any other."""
SUFFIX = ".calibration.toml"

_HASH_LINE = re.compile(r'^hash = "[^"\n]*"\n', re.MULTILINE)
_HEAD = "# A calibration of weights, made by `forensic calibrate`. Edited, it no longer fits its hash.\n"
_REMEDY = "Fit it anew with `forensic calibrate`"


def calibration_to_toml(calibration: Calibration) -> str:
    """The file's text, with its hash; the same bytes for the same calibration."""
    body = _HEAD + tomli_w.dumps(_to_dict(calibration))
    head, _, rest = body.partition("\n")
    return f'{head}\nhash = "{hashlib.sha256(body.encode()).hexdigest()}"\n{rest}'


def sealed(calibration: Calibration) -> Calibration:
    """The calibration with the hash that its file has."""
    return calibration_from_toml(calibration_to_toml(calibration), "")


def read_calibration(path: Path) -> Calibration:
    """Reads a file.

    Raises:
        MissingError: it is not there, is no calibration of this version, or does not fit its hash.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise MissingError(str(path), f"can not be read: {reason}".lower(), _REMEDY) from error
    return calibration_from_toml(text, str(path))


def calibration_from_toml(text: str, subject: str) -> Calibration:
    """The inverse of `calibration_to_toml`.

    Args:
        text: the TOML.
        subject: name of the file, for messages.

    Raises:
        MissingError: no TOML, another format, another hash, a field that is missing or of another type.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MissingError(subject, f"is no calibration: {error}", _REMEDY) from error
    if (found := values.get("format")) != FORMAT:
        said = "no format line" if found is None else f"format {found!r}"
        raise MissingError(subject, f"has {said}; this version reads format {FORMAT}", _REMEDY)
    own = hashlib.sha256(_HASH_LINE.sub("", text, count=1).encode()).hexdigest()
    if values.get("hash") != own:
        raise MissingError(subject, "does not fit its hash: it was changed", _REMEDY)
    try:
        return replace(_from_dict(values, subject), hash=own)
    except KeyError as error:
        raise MissingError(subject, f"lacks the field {error.args[0]}", _REMEDY) from error
    except (TypeError, ValueError, AttributeError, ForensicError) as error:
        raise MissingError(subject, f"has a field of another kind: {error}", _REMEDY) from error


def _to_dict(calibration: Calibration) -> dict[str, Any]:
    coverage = asdict(calibration.coverage)
    if calibration.coverage.jpeg_quality is None:
        del coverage["jpeg_quality"]
    return {
        "format": FORMAT,
        "weights": calibration.weights,
        "weights_name": calibration.weights_name,
        "preprocessing": calibration.preprocessing,
        "real": calibration.real,
        "keep": calibration.keep,
        "least_generators": calibration.least_generators,
        "photographs": calibration.photographs,
        "missing": calibration.missing,
        "remarks": calibration.remarks,
        "command": calibration.command,
        "tool": calibration.tool,
        "coverage": coverage,
        "generators": calibration.generators,
        **({"taken": {name: asdict(one) for name, one in calibration.taken.items()}} if calibration.taken else {}),
        "classes": {name: class_to_dict(one) for name, one in calibration.classes.items()},
        "scale": calibration.scale.to_dict(),
        "data": {"photographs": calibration.units, "files": calibration.files},
    }


def class_to_dict(one: ClassCalibration) -> dict[str, Any]:
    """One class's part of the file."""
    values: dict[str, Any] = {
        "threshold": one.threshold,
        "kept": one.kept,
        "images": one.images,
        "least_p": one.least_p,
        "lowest": one.lowest,
    }
    if one.ratio is None:
        return values | {"withheld": one.withheld}
    ratio = one.ratio
    return values | {
        "ratio": {
            "slope": ratio.logistic.slope,
            "intercept": ratio.logistic.intercept,
            "lower": ratio.bounds.lower,
            "upper": ratio.bounds.upper,
            "bounds": ratio.bounds.sentence,
            "c_llr": _measure_to_dict(ratio.c_llr),
            "c_llr_min": _measure_to_dict(ratio.c_llr_min),
            "dev_pav": _measure_to_dict(ratio.dev_pav),
            "left_out": [asdict(entry) for entry in ratio.generators],
        }
    }


def _measure_to_dict(measure: Measure) -> dict[str, Any]:
    return {"reason": measure.reason} if measure.value is None else {"value": measure.value}


def _from_dict(values: dict[str, Any], subject: str) -> Calibration:
    coverage = values["coverage"]
    quality = coverage.get("jpeg_quality")
    return Calibration(
        weights=_text(values["weights"]),
        weights_name=_text(values["weights_name"]),
        preprocessing=_text(values["preprocessing"]),
        real=_text(values["real"]),
        classes={name: _class(one) for name, one in values["classes"].items()},
        coverage=Coverage(
            tuple(map(_text, coverage["formats"])),
            _pair(coverage["sides"]),
            _pair(coverage["tiles"]),
            None if quality is None else _pair(quality),
        ),
        keep=_finite(values["keep"]),
        least_generators=int(values["least_generators"]),
        generators={name: int(count) for name, count in values["generators"].items()},
        photographs=_text(values["photographs"]),
        scale=scale_from_dict(values["scale"], subject),
        files=tuple(map(_text, values["data"]["files"])),
        units=tuple(map(_text, values["data"]["photographs"])),
        taken={name: _taken(one) for name, one in values.get("taken", {}).items()},
        missing=tuple(map(_text, values["missing"])),
        remarks=tuple(map(_text, values["remarks"])),
        command=_text(values["command"]),
        tool=_text(values["tool"]),
    )


def _class(values: dict[str, Any]) -> ClassCalibration:
    ratio = values.get("ratio")
    return ClassCalibration(
        threshold=_finite(values["threshold"]),
        kept=_finite(values["kept"]),
        images=int(values["images"]),
        lowest=tuple(map(_finite, values["lowest"])),
        ratio=None if ratio is None else _ratio(ratio),
        withheld="" if ratio is not None else _text(values["withheld"]),
    )


def _ratio(values: dict[str, Any]) -> Ratio:
    bounds = Bounds(_finite(values["lower"]), _finite(values["upper"]))
    if not bounds.lower <= 0 <= bounds.upper:
        raise ValueError("bounds of a ratio must hold 1 between them")
    return Ratio(
        Logistic(_finite(values["slope"]), _finite(values["intercept"])),
        bounds,
        tuple(LeftOut(**entry) for entry in values["left_out"]),
        *(Measure(values[name].get("value"), values[name].get("reason")) for name in ("c_llr", "c_llr_min", "dev_pav")),
    )


def _taken(values: dict[str, Any]) -> Taken:
    known, real = _finite(values["known"]), _finite(values["real"])
    if not 0 <= real <= known <= 1:
        raise ValueError(f"shares of images must lie between 0 and 1, got {known} and {real} of them")
    return Taken(int(values["images"]), known, real)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


def _finite(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"expected a finite number, got {value!r}")
    return float(value)


def _pair(values: list[int]) -> tuple[int, int]:
    low, high = values
    return int(low), int(high)
