"""The kernels of the program, and which implementation of them runs.

    dct2(images), idct2(coefficients)        orthonormal DCT-II over the last two axes, and its inverse
    dct2_log(images, mean, std, epsilon)     its standardised logarithm, which the network sees
    augment(images, w1, b1, w2, b2)          two convolutions with nothing between them
    batch_hard_triplet(embeddings, labels)   triplet hinge on the hardest pairs of each anchor
    batch_norm_leaky(values, weight, bias)   batch norm by the batch's statistics, then leaky ReLU
    resize_square(image, size)               centre square, then Pillow's bicubic, bit for bit
    radial_spectrum(images)                  mean power on rings of equal frequency
    implementation(name), describe()         one implementation by name; what runs here and why

Everything but this page is imported on first use: `import forensic.kernels` does not import torch, and `resize_square`
on NumPy arrays never does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forensic.kernels._augment import augment as augment
    from forensic.kernels._dct import dct2 as dct2
    from forensic.kernels._dct import dct2_log as dct2_log
    from forensic.kernels._dct import idct2 as idct2
    from forensic.kernels._norm import batch_norm_leaky as batch_norm_leaky
    from forensic.kernels._radial import radial_spectrum as radial_spectrum
    from forensic.kernels._resize import resize_square as resize_square
    from forensic.kernels._triplet import batch_hard_triplet as batch_hard_triplet
    from forensic.kernels.backend import describe as describe
    from forensic.kernels.backend import implementation as implementation

_HOMES = {
    "augment": "_augment",
    "batch_hard_triplet": "_triplet",
    "batch_norm_leaky": "_norm",
    "dct2": "_dct",
    "dct2_log": "_dct",
    "describe": "backend",
    "idct2": "_dct",
    "implementation": "backend",
    "radial_spectrum": "_radial",
    "resize_square": "_resize",
}

__all__ = [
    "augment",
    "batch_hard_triplet",
    "batch_norm_leaky",
    "dct2",
    "dct2_log",
    "describe",
    "idct2",
    "implementation",
    "radial_spectrum",
    "resize_square",
]


def __getattr__(name: str) -> object:
    """A public name, imported from its file on first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'forensic.kernels' has no attribute {name!r}")
    value: object = getattr(import_module(f"forensic.kernels.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
