"""Which generative model made this image, or none of those it knows.

The public names are loaded on first use, so that `import forensic` costs nothing: no torch, NumPy or OpenCV.

    forensic.scan_images(paths, weights=...)    findings of images and folders, in path order
    forensic.load_weights(name_or_path)         a weights file with its card, checked
    forensic.read_spectrum(path)                the spectra of one image
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as `typing` has it, which takes longer to read than all else before a signal has its meaning
if TYPE_CHECKING:
    from forensic.models.weights import load_weights as load_weights
    from forensic.scan.run import scan_images as scan_images
    from forensic.spectra.reading import read_spectrum as read_spectrum

__version__ = "0.1.0"

_HOMES = {
    "load_weights": "forensic.models.weights",
    "read_spectrum": "forensic.spectra.reading",
    "scan_images": "forensic.scan.run",
}

__all__ = ["__version__", "load_weights", "read_spectrum", "scan_images"]


def __getattr__(name: str) -> object:
    """A public name, imported from its room on first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'forensic' has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
