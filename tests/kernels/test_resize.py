"""resize_square: Pillow's own resize of the same square decides every bit."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from forensic import kernels as public
from forensic.kernels import backend

REPOSITORY = Path(__file__).resolve().parents[2]
SIZES = [
    (1, 1),
    (1, 5),
    (5, 1),
    (2, 2),
    (127, 127),
    (128, 128),
    (128, 131),
    (129, 132),
    (132, 129),
    (57, 99),
    (640, 448),
]


@pytest.fixture
def resize(kernels):
    """`resize_square` of each implementation, for what is on the CPU wherever it computes."""
    return through_device(kernels.resize_square) if kernels.name == "cuda" else kernels.resize_square


def through_device(function):
    """`function` of arrays on a device, with their strides where torch has such; back comes what it writes."""

    def moved(array):
        if isinstance(array, torch.Tensor):
            return array.cuda() if array.device.type == "cpu" else array
        if not isinstance(array, np.ndarray):
            return array
        strides = [stride // array.itemsize for stride in array.strides]
        values = torch.from_numpy(np.array(array, order="C"))
        if min(strides, default=0) <= 0:
            return values.cuda()
        return torch.empty_strided(array.shape, strides, dtype=values.dtype, device="cuda").copy_(values)

    def resize(image, *sizes, out=None, **options):
        target = moved(out)
        found = function(moved(image), *sizes, out=target, **options)
        assert found.is_cuda
        if out is None:
            return found.cpu() if isinstance(image, torch.Tensor) else found.cpu().numpy()
        assert found is target
        out[...] = found.cpu() if isinstance(out, torch.Tensor) else found.cpu().numpy()
        return out

    return resize


def pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def pillow(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape[:2]
    side = min(height, width)
    left, top = round((width - side) / 2), round((height - side) / 2)
    square = Image.fromarray(np.ascontiguousarray(image)).crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC)).transpose(2, 0, 1)


@pytest.mark.parametrize("size", [1, 7, 128])
@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_equals_pillow(resize, shape, size) -> None:
    image = pixels(*shape)
    assert np.array_equal(resize(image, size), pillow(image, size))


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 160), st.booleans(), st.integers(0, 2**32 - 1))
@example(16, 17, 16, True, 0)
def test_any_size_equals_pillow(height, width, size, extreme, seed) -> None:
    image = pixels(height, width, seed)
    if extreme:  # black and white only: overshoot of the cubic is clipped
        image = (image > 127).astype(np.uint8) * 255
    assert np.array_equal(public.implementation("cpp").resize_square(image, size), pillow(image, size))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_the_twin_equals_pillow(height, width, size, seed) -> None:
    image = pixels(height, width, seed)
    assert np.array_equal(public.implementation("reference").resize_square(image, size), pillow(image, size))


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.usefixtures("isa")
def test_every_level_and_number_of_threads(with_threads, shape) -> None:
    image = pixels(*shape)
    for count in range(1, 9):
        with_threads(count)
        assert np.array_equal(public.implementation("cpp").resize_square(image, 96), pillow(image, 96))


STRIDED = {
    "mirrored": lambda a: a[:, ::-1],
    "upside down": lambda a: a[::-1],
    "BGR": lambda a: a[:, :, ::-1],
    "every second": lambda a: a[::2, ::2],
    "inside a larger one": lambda a: a[3:-2, 5:-1],
    "planar": lambda a: np.ascontiguousarray(a.transpose(2, 0, 1)).transpose(1, 2, 0),
    "four channels": lambda a: np.dstack([a, a[:, :, :1]])[:, :, :3],
    "Fortran": np.asfortranarray,
    "one row repeated": lambda a: np.broadcast_to(a[:1], a.shape),
}


@pytest.mark.parametrize("strided", STRIDED)
def test_any_strides(resize, strided) -> None:
    image = STRIDED[strided](pixels(60, 75))
    before = image.copy()
    assert np.array_equal(resize(image, 33), pillow(image, 33))
    assert np.array_equal(image, before)


@settings(max_examples=80, deadline=None)
@given(
    st.permutations(range(3)),
    st.tuples(st.integers(-3, 3).filter(bool), st.integers(-3, 3).filter(bool), st.sampled_from([-1, 1])),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 30),
    st.integers(0, 2**32 - 1),
)
def test_any_view(order, steps, extents, size, seed) -> None:
    """Any order of axes in memory, steps of either sign."""
    shape = (extents[0] * abs(steps[0]), extents[1] * abs(steps[1]), 3)
    stored = np.random.default_rng(seed).integers(0, 256, [shape[axis] for axis in order], dtype=np.uint8)
    image = stored.transpose(np.argsort(order))[:: steps[0], :: steps[1], :: steps[2]]
    assert np.array_equal(public.implementation("cpp").resize_square(image, size), pillow(image, size))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 90),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.sampled_from([*STRIDED]),
    st.sampled_from(["uint8", "float32"]),
    st.sampled_from(backend.native().supported_isas()),
    st.integers(0, 2**32 - 1),
)
def test_a_square_of_the_right_side_is_a_copy(size, more, strided, dtype, level, seed) -> None:
    """Tiles at native resolution: a cut of a larger picture, planar, no value changed, at every level."""
    larger = STRIDED[strided](pixels(2 * size + 20, 2 * size + 20, seed))
    image = larger[more[0] :, more[1] :][:size, :size]
    batch = np.full((3, 3, size, size), 77, dtype)
    native = backend.native()
    before = native.isa()
    native.set_isa(level)
    try:
        public.implementation("cpp").resize_square(image, out=batch[1])
    finally:
        native.set_isa(before)
    expected = image.transpose(2, 0, 1)
    if dtype == "float32":
        expected = (expected.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    assert np.array_equal(batch[1], expected)
    assert (batch[[0, 2]] == 77).all()


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("strided", STRIDED)
def test_a_tile_is_made_planar(resize, strided, dtype) -> None:
    image = STRIDED[strided](pixels(100, 100))[2:44, 3:45]
    expected = image.transpose(2, 0, 1)
    if dtype == "float32":
        expected = (expected.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    assert np.array_equal(resize(image, min(image.shape[:2]), dtype=dtype), expected)


def test_read_only_input(resize) -> None:
    image = pixels(40, 40)
    image.flags.writeable = False
    assert np.array_equal(resize(image, 8), pillow(image, 8))


def test_tensors_as_arrays(resize) -> None:
    image = pixels(50, 61)
    found = resize(torch.from_numpy(image), 32)
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), pillow(image, 32))


def test_float_is_the_scaled_level(resize) -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    found = resize(levels, 16, dtype="float32")
    expected = (torch.from_numpy(levels).permute(2, 0, 1).float() / 255 - 0.5) / 0.5
    assert found.dtype == np.float32
    assert found.tobytes() == expected.numpy().tobytes()
    assert found.min() == -1
    assert found.max() == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_writes_into_the_slot_of_a_batch(resize, dtype) -> None:
    image = pixels(90, 70)
    batch = np.full((3, 3, 20, 20), 77, dtype)
    returned = resize(image, out=batch[1])
    assert returned.base is batch
    assert (batch[[0, 2]] == 77).all()
    expected = pillow(image, 20)
    if dtype == np.float32:
        expected = (expected.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    assert np.array_equal(batch[1], expected)


def test_writes_into_any_strides_and_into_tensors(resize) -> None:
    image = pixels(90, 70)
    last = np.zeros((20, 20, 3), np.uint8)
    resize(image, out=last.transpose(2, 0, 1))
    assert np.array_equal(last.transpose(2, 0, 1), pillow(image, 20))
    slot = torch.zeros(2, 3, 20, 20)
    resize(image, out=slot[1])
    assert torch.equal(slot[1], (torch.from_numpy(pillow(image, 20).copy()).float() / 255 - 0.5) / 0.5)
    assert not slot[0].any()


@pytest.mark.parametrize("shape", ["178x218", "129x132", "64x64", "256x256", "128x128", "300x131", "1024x1024"])
def test_golden_checksums(image_u8, golden: Path, shape) -> None:
    recorded = json.loads((golden / "pieces.json").read_text())["float64"]["preprocess"][shape]
    width, height = map(int, shape.split("x"))
    found = public.resize_square(image_u8(1, 3, height, width))
    assert found.sum(axis=(1, 2), dtype=np.int64).tolist() == recorded["resized_u8_channel_sums"]
    assert zlib.crc32(found.transpose(1, 2, 0).tobytes()) == recorded["crc32_of_hwc_bytes"]


def test_needs_no_torch() -> None:
    code = (
        "import sys, numpy as np\nfrom forensic import kernels\n"
        "assert kernels.resize_square(np.full((9, 7, 3), 5, np.uint8), 4).tolist() == [[[5] * 4] * 4] * 3\n"
        "kernels.describe()\nsys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or "torch was imported"


@pytest.mark.parametrize(
    ("argument", "options", "error", "message"),
    [
        ([[1]], {}, TypeError, "image: expected a NumPy array or a torch.Tensor, got list"),
        (np.zeros((4, 4, 3)), {}, TypeError, "image: expected uint8, got float64"),
        (np.zeros((4, 4), np.uint8), {}, ValueError, r"image: expected shape \(H, W, 3\), got \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), {}, ValueError, r"image: expected shape \(H, W, 3\), got \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), {}, ValueError, "image: expected at least one pixel"),
        (
            torch.zeros(4, 4, 3, dtype=torch.uint8, device="meta"),
            {},
            ValueError,
            "image: expected an array on cpu or cuda",
        ),
        (np.zeros((4, 4, 3), np.uint8), {"size": 0}, ValueError, "size: expected at least 1, got 0"),
        (np.zeros((4, 4, 3), np.uint8), {"size": 2.0}, TypeError, "size: expected an integer, got float"),
        (np.zeros((4, 4, 3), np.uint8), {"size": True}, TypeError, "size: expected an integer, got bool"),
        (np.zeros((4, 4, 3), np.uint8), {"dtype": "float64"}, ValueError, "dtype: expected 'uint8' or 'float32'"),
        (np.zeros((4, 4, 3), np.uint8), {"out": [0]}, TypeError, "out: expected a NumPy array"),
        (np.zeros((4, 4, 3), np.uint8), {"out": np.zeros((3, 2, 2))}, TypeError, "out: expected uint8 or float32"),
        (
            np.zeros((4, 4, 3), np.uint8),
            {"out": np.zeros((3, 2, 4), np.uint8)},
            ValueError,
            r"out: expected shape \(3, size",
        ),
    ],
)
def test_wrong_arguments_are_named(resize, argument, options, error, message) -> None:
    with pytest.raises(error, match=message):
        resize(argument, **options)


def test_a_misaligned_slot_is_refused() -> None:
    slot = np.zeros(4 * 48 + 1, np.uint8)[1:].view("<f4").reshape(3, 4, 4)
    with pytest.raises(ValueError, match="out: expected data aligned to 4 bytes"):
        public.resize_square(pixels(9, 9), out=slot)


def test_a_slot_of_another_type_is_refused_at_the_door() -> None:
    with pytest.raises(TypeError, match="out: expected uint8 or float32, got float64"):
        backend.native().resize_square(pixels(9, 9), np.zeros((3, 4, 4)), 1)
    with pytest.raises(ValueError, match=r"out: expected shape \(3, size, size\), got \(3, 4, 5\)"):
        backend.native().resize_square(pixels(9, 9), np.zeros((3, 4, 5), np.uint8), 1)


def test_a_read_only_slot_is_refused() -> None:
    slot = np.zeros((3, 4, 4), np.uint8)
    slot.flags.writeable = False
    with pytest.raises(ValueError, match="out: expected an array that can be written"):
        public.resize_square(pixels(9, 9), out=slot)


def test_what_is_on_the_cpu_is_no_work_for_a_device() -> None:
    with pytest.raises(ValueError, match="expected 'reference' or 'cpp' for an array on cpu, got 'cuda'"):
        public.resize_square(pixels(9, 9), 4, implementation="cuda")


def test_arrays_stay_on_the_cpu_when_cuda_is_asked_for(monkeypatch) -> None:
    monkeypatch.setenv("FORENSIC_KERNELS", "cuda")
    image = pixels(19, 30)
    assert np.array_equal(public.resize_square(image, 7), pillow(image, 7))


def test_a_slot_elsewhere_is_refused() -> None:
    slot = torch.empty(3, 4, 4, dtype=torch.uint8, device="meta")
    with pytest.raises(ValueError, match="out: expected an array on cpu as image, got one on meta"):
        public.resize_square(pixels(9, 9), out=slot)
