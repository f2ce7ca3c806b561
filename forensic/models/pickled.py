"""The pickle of a torch file, read as what it says and never run.

A pickle is a program for a small stack machine; what makes it dangerous is that it may name any function and call it.
This reader knows the few instructions with which `torch.save` writes numbers, texts, containers and tensors, and two
callables, `OrderedDict` and `_rebuild_tensor_v2`, whose effect it writes down itself: nothing is imported, looked up
or called. Everything else ends the reading. A tensor comes out as its place in a record of the file; that the place
lies inside the record is checked here, before anybody reads there.

Source: the table of instructions in Python's `pickletools`; `torch.serialization`, `torch._utils` (PyTorch 1.6 to 2.x).
"""

from __future__ import annotations

import pickletools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

import numpy as np

from forensic.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

MOST_CODE = 1 << 18
"""Bytes of a pickle; one of 60 tensors has about 5,000."""
PROTOCOL = 2
"""What `torch.save` writes unless told otherwise, and the only one that its own restricted reader takes."""

_STORAGES = {
    "torch.FloatStorage": "float32",
    "torch.DoubleStorage": "float64",
    "torch.HalfStorage": "float16",
    "torch.ComplexFloatStorage": "complex64",
    "torch.ComplexDoubleStorage": "complex128",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}
_DICTIONARY = "collections.OrderedDict"
_TENSOR = "torch._utils._rebuild_tensor_v2"
_GLOBALS = frozenset({*_STORAGES, _DICTIONARY, _TENSOR})
_LONGEST_NAME = 200

_DAMAGED = "Take the file anew from where it came"
_FOREIGN = (
    "Nothing of it was run. Take the file from its authors, or have it saved anew as a plain state_dict; "
    "do not open it with a program that unpickles it"
)


@dataclass(frozen=True)
class PickledTensor:
    """A tensor as the pickle describes it; its values still lie in the file."""

    dtype: str
    """NumPy's name."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In values, as torch counts."""
    offset: int
    """In values, from the beginning of the record."""
    record: str
    """Name of the record that holds the values."""

    def array(self, record: bytes, byteorder: Literal["little", "big"] = "little") -> NDArray[Any]:
        """The values.

        Args:
            record: bytes of the record; as many as were announced to `read_pickle`.
            byteorder: `little` or `big`.

        Returns:
            An array of its own with `shape` and `dtype`, contiguous.
        """
        kind = np.dtype(self.dtype)
        values = np.frombuffer(record, kind.newbyteorder(byteorder))[self.offset :]
        # where a stride is never taken it may be any number, larger than NumPy holds too
        taken = [size > 1 and 0 not in self.shape for size in self.shape]
        strides = [stride * kind.itemsize if used else 0 for stride, used in zip(self.strides, taken, strict=True)]
        return np.lib.stride_tricks.as_strided(values, self.shape, strides, writeable=False).astype(kind, order="C")


@dataclass(frozen=True)
class _Global:
    """A name that the pickle asks for; never looked up."""

    name: str


@dataclass(frozen=True)
class _Storage:
    dtype: str
    record: str
    count: int


class _Refused(Exception):  # noqa: N818 - becomes a WeightsError with the file's name
    def __init__(self, reason: str, remedy: str = _FOREIGN) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def read_pickle(code: bytes, records: Mapping[str, int], subject: str) -> object:
    """What a pickle describes: dict, list, tuple, str, int, float, bool, None and `PickledTensor`.

    Args:
        code: the pickle.
        records: name -> length in bytes of the records that tensors may lie in.
        subject: name of the file, for messages.

    Raises:
        WeightsError: damaged, or it asks for anything that stored weights do not need.
    """
    try:
        if len(code) > MOST_CODE:
            raise _Refused(f"its pickle has {len(code):,} bytes, at most {MOST_CODE:,} are read")  # noqa: TRY301 - one place makes the message
        return _Machine(code, records).run()
    except _Refused as refused:
        raise WeightsError(subject, refused.reason, refused.remedy) from None


class _Machine:
    """Stack, marks and memo of one pickle."""

    def __init__(self, code: bytes, records: Mapping[str, int]) -> None:
        self._code = code
        self._records = records
        self._at = 0
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}

    def run(self) -> object:
        """Reads up to the end instruction and returns what is left."""
        while (instruction := self._take(1)) != b".":
            known = _INSTRUCTIONS.get(instruction)
            if known is None:
                raise _Refused(
                    f"its pickle holds the instruction {_name(instruction)} at byte {self._at - 1}, "
                    "which stored weights do not need"
                )
            known(self)
        if len(self._stack) != 1 or self._marks:
            raise _Refused("its pickle ends amid something", _DAMAGED)
        return self._stack[0]

    def protocol(self) -> None:
        found = self._byte()
        if found != PROTOCOL:
            raise _Refused(f"its pickle has protocol {found}; torch.save writes {PROTOCOL}")

    def global_(self) -> None:
        name = f"{self._line()}.{self._line()}"
        if name not in _GLOBALS:
            raise _Refused(f"its pickle asks for {name}, which stored weights do not need")
        self._stack.append(_Global(name))

    def text(self) -> None:
        try:
            self._stack.append(self._take(self._number("<I", 4)).decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError as error:
            raise _Refused("its pickle holds a text that is no UTF-8", _DAMAGED) from error

    def integer(self, form: str, size: int) -> None:
        self._stack.append(self._number(form, size))

    def long_integer(self) -> None:
        self._stack.append(int.from_bytes(self._take(self._byte()), "little", signed=True))

    def floating(self) -> None:
        self._stack.append(struct.unpack(">d", self._take(8))[0])

    def constant(self, value: object) -> None:
        self._stack.append(value)

    def mark(self) -> None:
        self._marks.append(len(self._stack))

    def put(self, form: str, size: int) -> None:
        value = self._pop()
        self._stack.append(value)
        self._memo[self._number(form, size)] = value

    def get(self, form: str, size: int) -> None:
        place = self._number(form, size)
        if place not in self._memo:
            raise _Refused(f"its pickle refers to value {place}, which it never kept", _DAMAGED)
        self._stack.append(self._memo[place])

    def tuple_of(self, count: int | None) -> None:
        items = self._since_mark() if count is None else [self._pop() for _ in range(count)][::-1]
        self._stack.append(tuple(items))

    def append(self, *, many: bool) -> None:
        items = self._since_mark() if many else [self._pop()]
        top = self._top()
        if not isinstance(top, list):
            raise _Refused("its pickle appends to what is no list", _DAMAGED)
        top += items

    def set_items(self, *, many: bool) -> None:
        items = self._since_mark() if many else [self._pop(), self._pop()][::-1]
        top = self._top()
        if not isinstance(top, dict) or len(items) % 2:
            raise _Refused("its pickle sets entries of what is no dictionary", _DAMAGED)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int):
                raise _Refused(f"its pickle has a dictionary with a key of type {type(key).__name__}")
            top[key] = value

    def build(self) -> None:
        """Attributes of a dictionary, `_metadata` of a state_dict: left aside."""
        attributes = self._pop()
        if not isinstance(attributes, dict) or not isinstance(self._top(), dict):
            raise _Refused("its pickle sets the state of an object, which stored weights do not need")

    def call(self) -> None:
        arguments, callable_ = self._pop(), self._pop()
        if not isinstance(callable_, _Global) or not isinstance(arguments, tuple):
            raise _Refused("its pickle calls what is no function", _DAMAGED)
        if callable_.name == _DICTIONARY and not arguments:
            self._stack.append({})
        elif callable_.name == _TENSOR:
            self._stack.append(_tensor(arguments))
        else:
            raise _Refused(f"its pickle calls {callable_.name} as no stored weights do")

    def storage(self) -> None:
        """The reference to a record: ("storage", kind, record, device, number of values)."""
        said = self._pop()
        if not isinstance(said, tuple) or len(said) != 5 or said[0] != "storage":
            raise _Refused("its pickle refers to something that is no storage")
        _, kind, record, _, count = said
        if not isinstance(kind, _Global) or kind.name not in _STORAGES:
            raise _Refused("its pickle has a storage of no known kind")
        if not isinstance(record, str) or not _is_count(count):
            raise _Refused("its pickle has a storage without a record or a number of values", _DAMAGED)
        length = self._records.get(record)
        if length is None:
            raise _Refused(f"its pickle refers to the record {record[:40]!r}, which is not in the file", _DAMAGED)
        dtype = _STORAGES[kind.name]
        if count * np.dtype(dtype).itemsize != length:
            raise _Refused(f"record {record} has {length:,} bytes, announced are {count:,} values {dtype}", _DAMAGED)
        self._stack.append(_Storage(dtype, record, count))

    def _take(self, count: int) -> bytes:
        taken = self._code[self._at : self._at + count]
        if len(taken) < count:
            raise _Refused("its pickle ends too early", _DAMAGED)
        self._at += count
        return taken

    def _byte(self) -> int:
        return self._take(1)[0]

    def _number(self, form: str, size: int) -> int:
        return int(struct.unpack(form, self._take(size))[0])

    def _line(self) -> str:
        end = self._code.find(b"\n", self._at, self._at + _LONGEST_NAME)
        if end < 0:
            raise _Refused("its pickle asks for a name without an end", _DAMAGED)
        line = self._code[self._at : end]
        self._at = end + 1
        return line.decode("ascii", "backslashreplace")

    def _pop(self) -> object:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise _Refused("its pickle takes more from the stack than lies there", _DAMAGED)
        return self._stack.pop()

    def _top(self) -> object:
        value = self._pop()
        self._stack.append(value)
        return value

    def _since_mark(self) -> list[object]:
        if not self._marks:
            raise _Refused("its pickle refers to a mark that it never set", _DAMAGED)
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items


def _tensor(arguments: tuple[object, ...]) -> PickledTensor:
    """(storage, offset, shape, strides, requires_grad, hooks): the same view as torch would make, if it fits."""
    if len(arguments) != 6:
        raise _Refused(f"its pickle makes a tensor of {len(arguments)} arguments, expected 6")
    storage, offset, shape, strides = arguments[:4]
    if not isinstance(storage, _Storage):
        raise _Refused("its pickle makes a tensor without a storage", _DAMAGED)
    if not (_is_count(offset) and _are_counts(shape) and _are_counts(strides) and len(shape) == len(strides)):
        raise _Refused("its pickle makes a tensor whose offset, shape or strides are none", _DAMAGED)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if 0 not in shape and last >= storage.count:
        raise _Refused(f"a tensor reaches value {last:,} of a record of {storage.count:,}", _DAMAGED)
    return PickledTensor(storage.dtype, shape, strides, offset, storage.record)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _are_counts(value: object) -> TypeGuard[tuple[int, ...]]:
    return isinstance(value, tuple) and len(value) <= 32 and all(_is_count(entry) for entry in value)


def _name(instruction: bytes) -> str:
    code = instruction.decode("latin-1")
    return next((known.name for known in pickletools.opcodes if known.code == code), f"0x{instruction.hex()}")


_INSTRUCTIONS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _Machine.protocol,
    b"c": _Machine.global_,
    b"X": _Machine.text,
    b"J": lambda machine: machine.integer("<i", 4),
    b"K": lambda machine: machine.integer("<B", 1),
    b"M": lambda machine: machine.integer("<H", 2),
    b"\x8a": _Machine.long_integer,
    b"G": _Machine.floating,
    b"N": lambda machine: machine.constant(None),
    b"\x88": lambda machine: machine.constant(value=True),
    b"\x89": lambda machine: machine.constant(value=False),
    b"]": lambda machine: machine.constant([]),
    b"}": lambda machine: machine.constant({}),
    b")": lambda machine: machine.constant(()),
    b"(": _Machine.mark,
    b"q": lambda machine: machine.put("<B", 1),
    b"r": lambda machine: machine.put("<I", 4),
    b"h": lambda machine: machine.get("<B", 1),
    b"j": lambda machine: machine.get("<I", 4),
    b"t": lambda machine: machine.tuple_of(None),
    b"\x85": lambda machine: machine.tuple_of(1),
    b"\x86": lambda machine: machine.tuple_of(2),
    b"\x87": lambda machine: machine.tuple_of(3),
    b"a": lambda machine: machine.append(many=False),
    b"e": lambda machine: machine.append(many=True),
    b"s": lambda machine: machine.set_items(many=False),
    b"u": lambda machine: machine.set_items(many=True),
    b"b": _Machine.build,
    b"R": _Machine.call,
    b"Q": _Machine.storage,
}
