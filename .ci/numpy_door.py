"""NumPy arrays through the compiled kernels, on a Python that has NumPy, Pillow and nothing else of what we need."""

import sys

import numpy as np
from PIL import Image

from forensic import kernels

for height, width in [(16, 16), (17, 300), (431, 129), (128, 128), (1, 1)]:
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    side = min(height, width)
    left, top = round((width - side) / 2), round((height - side) / 2)
    for view in (image, image[::-1], image[:, :, ::-1]):
        got = kernels.resize_square(view, 128)
        square = Image.fromarray(np.ascontiguousarray(view[top : top + side, left : left + side]))
        expected = np.asarray(square.resize((128, 128), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
        assert np.array_equal(got, expected), (height, width)
assert "torch" not in sys.modules
print(f"Python {sys.version.split()[0]}: {kernels.describe()['resize_square']}")
