"""NumPy arrays through the compiled kernels, on a Python that has NumPy and nothing else of what we need."""

import sys

import numpy as np

from forensic import kernels
from forensic.kernels import reference

for height, width in [(16, 16), (17, 300), (431, 129), (128, 128), (1, 1)]:
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for view in (image, image[::-1], image[:, :, ::-1]):
        got = kernels.resize_square(view, 128)
        assert got.shape == (3, 128, 128)
        assert np.array_equal(got, reference.resize_square(view, 128)), (height, width)
assert "torch" not in sys.modules
print(f"Python {sys.version.split()[0]}: {kernels.describe()['resize_square']}")
