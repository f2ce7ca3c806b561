"""The worker process by itself: what it imports, what it inherits, how it ends."""

from __future__ import annotations

import os
import resource
import signal
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from forensic.case.flags import of_decoder
from forensic.data.decode import decode
from forensic.scan.frames import Read, Settings, pack_job, pack_settings, unpack, unpack_read
from forensic.scan.pool import WORKER_COMMAND
from forensic.scan.worker import CONTROL_PICTURE, make_thumbnail, read_image

ROOT = WORKER_COMMAND[-1]
CONTROL = Path(__file__).parents[1] / "hostile" / "jpeg-ok-control.jpg"
SETTINGS = Settings("tiles-128-v1", 25, 250_000_000, 1 << 30, 30.0, 2 << 30, follow_links=True, thumbnails=True)


@pytest.mark.parametrize("module", ["torch", "importlib.metadata"])
def test_it_imports_nothing_slow(module: str) -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import forensic.scan.worker; print(sys.argv[2] in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code, ROOT, module], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_it_imports_nothing_from_the_working_directory(tmp_path: Path) -> None:
    for name in ("cv2", "numpy", "json", "forensic"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the evidence')")
    worker = start(cwd=tmp_path)
    answer, _ = worker.communicate(pack_settings(SETTINGS), timeout=60)
    assert b'"ready"' in answer
    assert worker.returncode == 0


def test_a_lower_limit_of_the_shell_stays() -> None:
    """`ulimit -v` below what a decode may add: no reason not to start."""
    lower = 1536 << 20
    worker = start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (lower, lower)))
    answer, _ = worker.communicate(pack_settings(SETTINGS), timeout=60)
    assert b'"ready"' in answer
    assert worker.returncode == 0


def start(**options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(WORKER_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)  # type: ignore[call-overload] - keyword options of one kind


def test_it_answers_jobs_and_ends_with_its_input() -> None:
    with start() as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(pack_settings(SETTINGS) + pack_job(7, os.fsencode(CONTROL)))
        worker.stdin.close()
        assert unpack(worker.stdout.read)[0] == {"kind": "ready"}
        header, _ = unpack(worker.stdout.read)
        assert (header["kind"], header["bytes"], header["format"]) == ("evidence", 7215, "JPEG")
        read = unpack_read(*unpack(worker.stdout.read))
    assert (read.index, read.outcome, worker.returncode) == (7, None, 0)


def test_the_terminals_interrupt_does_not_end_it() -> None:
    with start() as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(pack_settings(SETTINGS))
        worker.stdin.flush()
        unpack(worker.stdout.read)
        worker.send_signal(signal.SIGINT)
        worker.stdin.write(pack_job(0, os.fsencode(CONTROL)))
        worker.stdin.close()
        unpack(worker.stdout.read)
        assert unpack_read(*unpack(worker.stdout.read)).outcome is None


def test_the_control_picture_is_grey() -> None:
    pixels = decode(CONTROL_PICTURE, name="control.jpg").pixels
    assert pixels.shape == (16, 16, 3)
    assert set(np.unique(pixels)) <= {127, 128, 129}


@pytest.mark.parametrize(
    ("shape", "expected"), [((144, 192), (72, 96)), ((3000, 30), (96, 1)), ((16, 20), (16, 20)), ((97, 97), (96, 96))]
)
def test_thumbnails_keep_the_shape_and_never_enlarge(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    import io

    from PIL import Image

    pixels = np.full((*shape, 3), (200, 100, 50), np.uint8)
    with Image.open(io.BytesIO(make_thumbnail(pixels))) as image:
        assert (image.height, image.width) == expected
        np.testing.assert_allclose(np.asarray(image.convert("RGB")).mean((0, 1)), (200, 100, 50), atol=6)
    assert make_thumbnail(pixels) == make_thumbnail(pixels)


def test_a_thumbnail_of_another_picture_is_a_flag_and_changes_nothing_else(samples: Path) -> None:
    """Read, not scored: tiles, size and outcome are those of the same file without its EXIF block."""
    thumbnail = encoded(cv2.imread(str(samples / "real-00044.png")))
    plain = encoded(cv2.imread(str(samples / "real-00006.png")))
    second = struct.pack("<HHHIHHHHIIHHIII", 3, 0x103, 3, 1, 6, 0, 0x201, 4, 1, 56, 0x202, 4, 1, len(thumbnail), 0)
    block = b"Exif\0\0II*\0" + struct.pack("<IHI", 8, 0, 14) + second + thumbnail
    carrying = plain[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(block)) + block + plain[2:]
    one, other = (read_image(Read(0), data, "x.jpg", SETTINGS) for data in (plain, carrying))
    (flag,) = other.flags
    assert flag.startswith("thumbnail-differs=")
    assert of_decoder(other.flags) == other.flags  # so that a case's files are read again with it
    assert replace(other, flags=(), tiles=None) == replace(one, tiles=None)
    np.testing.assert_array_equal(one.tiles, other.tiles)


def encoded(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
