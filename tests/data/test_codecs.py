"""Decoders are silent, and what they say is heard."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from forensic.data import codecs
from forensic.data.decode import decode
from forensic.errors import Unreadable

HOSTILE = Path(__file__).parents[1] / "hostile"
CONTROL = (HOSTILE / "jpeg-ok-control.jpg").read_bytes()


@pytest.mark.parametrize("decoder", [codecs.decode_opencv, codecs.decode_opencv_colour])
def test_words_on_stderr_come_back_and_reach_nobody(decoder, capfd: pytest.CaptureFixture[str]) -> None:
    samples, said = decoder(CONTROL[:4000] + b"\xff\xd9")
    assert samples.shape == (144, 192, 3)
    assert "premature end of data segment" in said
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("decoder", [codecs.decode_opencv, codecs.decode_opencv_colour, codecs.decode_pillow])
@pytest.mark.parametrize("payload", [b"", b"no picture", CONTROL[:300]])
def test_a_refusal_is_one_printable_line(decoder, payload: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(codecs.DecoderError) as refused:
        decoder(payload)
    assert str(refused.value).isprintable()
    assert 0 < len(str(refused.value)) <= 200
    assert capfd.readouterr() == ("", "")


def test_pillows_warnings_and_limit_are_put_back() -> None:
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    codecs.decode_pillow((HOSTILE / "gif-animated.gif").read_bytes())
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_both_give_the_same_order_of_channels(saved, noise) -> None:
    data = saved(noise(16, 20, 4), "PNG")
    np.testing.assert_array_equal(codecs.decode_opencv(data)[0], codecs.decode_pillow(data)[0])


def test_threads_do_not_hear_each_other() -> None:
    heard: dict[int, str] = {}

    def work(number: int) -> None:
        payload = CONTROL[:4000] + b"\xff\xd9" if number % 2 else CONTROL
        for _ in range(20):
            heard[number] = heard.get(number, "") + codecs.decode_opencv_colour(payload)[1]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [heard[number].count("premature end") for number in range(4)] == [0, 20, 0, 20]


def test_a_process_without_stderr_decodes_all_the_same() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from forensic.data.decode import decode; import os; os.close(2)"
    )
    code += (
        "; data = open(sys.argv[2], 'rb').read(); decode(data, name='x'); print(decode(data, name='x').pixels.shape)"
    )
    root = str(Path(codecs.__file__).parents[2])
    command = [sys.executable, "-c", code, root, str(HOSTILE / "jpeg-ok-control.jpg")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "(144, 192, 3)\n"


def test_no_descriptor_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count of the kernel's own listing
    for _ in range(5):
        codecs.decode_opencv(CONTROL)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


def test_memory_that_runs_out_is_no_fault_of_the_picture(monkeypatch) -> None:
    def exhausted(*_arguments: object) -> None:
        raise codecs.cv2.error("OpenCV(5.0.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes")

    monkeypatch.setattr(codecs.cv2, "imdecode", exhausted)
    with pytest.raises(MemoryError):
        codecs.decode_opencv(CONTROL)


def test_names_carry_versions() -> None:
    import cv2
    import PIL

    assert codecs.name_of("opencv") == f"opencv {cv2.__version__}"
    assert codecs.name_of("pillow") == f"pillow {PIL.__version__}"


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_no_log_level_hides_damage(compression: str, saved, noise) -> None:
    """OPENCV_LOG_LEVEL=SILENT kept the words back, and pixels that nobody wrote were scored."""
    data = saved(noise(40, 60, 3), "TIFF", compression=compression)
    levels = cv2.utils.logging
    before = levels.setLogLevel(levels.LOG_LEVEL_SILENT)
    try:
        with pytest.raises(Unreadable, match=r"^(damaged|truncated)"):
            decode(shorter_strip(data), name="x.tif")
    finally:
        levels.setLogLevel(before)


def shorter_strip(data: bytes) -> bytes:
    """A little-endian TIFF whose strip says that it is half as long."""
    out = bytearray(data)
    at = struct.unpack_from("<I", out, 4)[0]
    for place in range(at + 2, at + 2 + 12 * struct.unpack_from("<H", out, at)[0], 12):
        tag, kind, count, size = struct.unpack_from("<HHII", out, place)
        if tag == 279:
            assert (kind, count) == (4, 1)
            struct.pack_into("<I", out, place + 8, size // 2)
    return bytes(out)
