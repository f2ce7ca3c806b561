"""The decoders: bytes in, samples out, and what they wrote to stderr as a string instead.

libjpeg, libpng, libtiff and OpenCV report damage by writing to file descriptor 2 and going on. That text is the
only place where "the scan ended early" is said, so it is captured around each call and judged by the caller.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import threading
import warnings
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import PIL
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from forensic.data.inspection import Codec

_DESCRIPTORS = threading.Lock()
"""File descriptors and Pillow's limits belong to the process: one decode at a time."""


_VARYING = re.compile(
    r"\[ ?[A-Z]+:\d+@[\d.]+\] global \S+ (?:imdecode_ imdecode_\(''\): )?"
    r"|OpenCV\([\d.]+\) \S+ error: "
    r"| ?<[^<>]* at 0x[0-9a-f]+>"
)
"""Times since start, places in a library's source and addresses: two runs must give the same reason."""


class DecoderError(Exception):
    """A decoder refused; the text is its own reason on one line."""


def name_of(codec: Codec) -> str:
    """The decoder as a finding names it, e.g. `opencv 5.0.0`."""
    if codec == "pillow-heif":
        from importlib import metadata  # noqa: PLC0415 - an eighth of a worker's start, for one format

        return f"pillow-heif {metadata.version('pillow-heif')}"
    return f"opencv {cv2.__version__}" if codec == "opencv" else f"pillow {PIL.__version__}"


def decode_opencv(payload: bytes) -> tuple[NDArray[Any], str]:
    """Decodes to samples as stored: no turning, no reduction, alpha kept.

    Args:
        payload: one whole picture.

    Returns:
        (H, W) or (H, W, 3 or 4) in BGR order, uint8 or uint16 (float32 for float TIFF), and what was written to stderr.

    Raises:
        DecoderError: OpenCV gave nothing.
    """
    return _captured(lambda: cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_UNCHANGED))


def decode_opencv_colour(payload: bytes) -> tuple[NDArray[Any], str]:
    """Decodes to 8-bit colour as stored, without turning; CMYK is converted here.

    Args:
        payload: one whole picture.

    Returns:
        (H, W, 3) uint8 in BGR order, and what was written to stderr.

    Raises:
        DecoderError: OpenCV gave nothing.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return _captured(lambda: cv2.imdecode(np.frombuffer(payload, np.uint8), flags))


def decode_pillow(payload: bytes) -> tuple[NDArray[Any], str]:
    """Decodes the first frame with Pillow.

    Args:
        payload: one whole picture; an icon holds the one frame that is wanted.

    Returns:
        (H, W, 3) or, where there is transparency, (H, W, 4), uint8 in BGR order like OpenCV's, and what was written
        to stderr.

    Raises:
        DecoderError: Pillow refused.
    """

    def work() -> NDArray[Any]:
        with Image.open(io.BytesIO(payload)) as image:
            return _samples(image)

    return _captured(work)


def decode_pillow_part(payload: bytes) -> tuple[NDArray[Any], str]:
    """As much of a truncated JPEG as the bytes that are there say.

    Pillow's reader stops where its bytes end instead of inventing more, and gives a row when all that goes into it has
    been decoded, its neighbours below included where colour is interpolated. Rows behind are left zero.

    Args:
        payload: a JPEG that ends within its scan.

    Returns:
        (H, W, 3) uint8 in RGB order, and what was written to stderr.

    Raises:
        DecoderError: Pillow refused it altogether.
    """

    def work() -> NDArray[Any]:
        with Image.open(io.BytesIO(payload)) as image:
            try:
                image.load()
            except OSError:
                image.tile = []  # no further reading: what was decoded so far is the picture
            return np.asarray(image.convert("RGB"))

    return _captured(work)


def decode_heif(payload: bytes) -> tuple[NDArray[Any], str]:
    """Decodes a HEIC with `pillow-heif`, which turns the picture and reduces it to 8 bits by itself.

    Args:
        payload: one whole picture.

    Returns:
        As `decode_pillow`.

    Raises:
        DecoderError: the decoder refused.
    """
    heif: Any = importlib.import_module("pillow_heif")  # an extra: the structure check has seen that it is there
    return _captured(lambda: _samples(heif.open_heif(io.BytesIO(payload), convert_hdr_to_8bit=True).to_pillow()))


def _samples(image: Image.Image) -> NDArray[Any]:
    image.load()
    if image.mode == "P" and image.palette is not None:
        colours = len(image.palette.palette) // len(image.palette.mode)
        beyond = int(np.count_nonzero(np.asarray(image) >= colours))
        if beyond:  # Pillow makes them black in silence
            raise ValueError(f"{beyond:,} pixels have no colour in the palette")
    transparent = "A" in image.getbands() or "transparency" in image.info
    samples = np.asarray(image.convert("RGBA" if transparent else "RGB"))
    return samples[:, :, [2, 1, 0, 3] if transparent else [2, 1, 0]]


def _captured(work: Callable[[], Any]) -> tuple[NDArray[Any], str]:
    text: list[str] = []
    samples: NDArray[Any] | None = None
    with _quiet(text):
        try:
            samples = work()
        except cv2.error as error:
            text.append(str(error))
        except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError) as error:
            text.append(str(error))
        except (OverflowError, ArithmeticError, AssertionError, NotImplementedError, AttributeError) as error:
            text.append(type(error).__name__)
    said = _VARYING.sub("", " ".join("".join(text).split()))
    if samples is None and re.search(r"insufficient memory|out of ?memory|bad_alloc", said, re.IGNORECASE):
        raise MemoryError
    if samples is None:
        raise DecoderError(_one_line(said))
    return samples, said


@contextlib.contextmanager
def _quiet(text: list[str]) -> Iterator[None]:
    """Keeps descriptor 2, Python's warnings and Pillow's own limit out of the way; stderr's text is appended."""
    with _DESCRIPTORS, warnings.catch_warnings(), contextlib.ExitStack() as stack:
        _occupy_stderr()
        warnings.simplefilter("ignore")
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_WARNING)  # less, by OPENCV_LOG_LEVEL, hides damage
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None  # our own limit has been kept from the header already
        stack.callback(setattr, Image, "MAX_IMAGE_PIXELS", limit)
        heard = os.memfd_create("decoder-stderr", os.MFD_CLOEXEC)
        stack.callback(os.close, heard)
        saved = os.dup(2)
        os.dup2(heard, 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            text.append(os.pread(heard, 65536, 0).decode("utf-8", errors="replace"))


def _occupy_stderr() -> None:
    """A process without stderr gets /dev/null there: else the next file it opens would be what libraries write to."""
    try:
        os.fstat(2)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != 2:
            os.dup2(nowhere, 2)
            os.close(nowhere)


def _one_line(said: str) -> str:
    printable = "".join(character if character.isprintable() else "?" for character in said)
    return printable[:200] if printable else "the decoder gives no reason"
