"""The size that an AV1 stream is coded in, by its sequence header.

Source: AV1 Bitstream & Decoding Process Specification, sections 5.3 to 5.5.
"""

from __future__ import annotations

_SEQUENCE_HEADER = 1
_MOST_UNITS = 8


class _Bits:
    """Bits from the first of each byte on.

    Args:
        data: the bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> int:
        """The next `count` bits as a number.

        Raises:
            IndexError: there are fewer.
        """
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def skip_exponential(self) -> None:
        """A number of unknown length: as many zeros, a one, as many bits."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        self.take(min(zeros, 32))


def coded_size(stream: bytes) -> tuple[int, int] | None:
    """Largest width and height of a frame, or None where no sequence header is found.

    Args:
        stream: the first bytes of a picture's data.
    """
    at = 0
    try:
        for _ in range(_MOST_UNITS):
            head = stream[at]
            at += 2 if head & 4 else 1
            if not head & 2:
                return None  # a unit without its size: it goes on to the end
            size, at = _leb128(stream, at)
            if head >> 3 & 15 == _SEQUENCE_HEADER:
                return _frame_size(_Bits(stream[at : at + size]))
            at += size
    except IndexError:
        return None
    return None


def _leb128(stream: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        value |= (stream[at] & 0x7F) << 7 * index
        at += 1
        if not stream[at - 1] & 0x80:
            break
    return value, at


def _frame_size(bits: _Bits) -> tuple[int, int]:
    bits.take(4)  # profile, still picture
    if bits.take(1):
        bits.take(5)  # a reduced header for one still picture: its level
    else:
        _skip_timing_and_points(bits)
    across, down = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(across) + 1, bits.take(down) + 1


def _skip_timing_and_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing
        bits.take(64)
        if bits.take(1):
            bits.skip_exponential()
        if bits.take(1):  # decoder model
            delay_bits = bits.take(5) + 1
            bits.take(42)
    display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if display_delay and bits.take(1):
            bits.take(4)
