from __future__ import annotations

import io
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forensic.errors import WeightsError
from forensic.models.pickled import MOST_CODE, PickledTensor, read_pickle

DTYPES = (torch.float32, torch.float64, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool)


def saved(content: object) -> tuple[bytes, dict[str, bytes]]:
    """Pickle and records of what torch.save writes."""
    file = io.BytesIO()
    torch.save(content, file)
    archive = zipfile.ZipFile(file)
    records = {name.split("/data/")[1]: archive.read(name) for name in archive.namelist() if "/data/" in name}
    return archive.read("archive/data.pkl"), records


def read(code: bytes, records: dict[str, bytes]) -> object:
    return read_pickle(code, {name: len(record) for name, record in records.items()}, "x.pth")


def agrees(found: object, expected: object, records: dict[str, bytes]) -> bool:
    if isinstance(expected, torch.Tensor):
        assert isinstance(found, PickledTensor)
        values = found.array(records[found.record])
        np.testing.assert_array_equal(values, expected.numpy())
        assert values.dtype == expected.numpy().dtype
        return values.flags.c_contiguous
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        return all(agrees(found[key], expected[key], records) for key in expected)
    if isinstance(expected, list | tuple):
        assert type(found) is type(expected)
        return len(found) == len(expected) and all(map(agrees, found, expected, [records] * len(found)))
    return found == expected and type(found) is type(expected)


@st.composite
def tensors(draw) -> torch.Tensor:
    """Views of all kinds: slices, steps, transposes, one value for many, no value at all."""
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    base = torch.arange(max(1, int(np.prod(shape))) + 3).to(draw(st.sampled_from(DTYPES)))
    view = base[draw(st.integers(0, 3)) :][: int(np.prod(shape))].reshape(shape)
    kind = draw(st.sampled_from(["plain", "transposed", "stepped", "expanded"]))
    if kind == "transposed" and view.ndim:
        return view.permute(*reversed(range(view.ndim)))
    if kind == "stepped" and view.ndim:
        return view[::2]
    return base[1].expand(3, 2) if kind == "expanded" else view


PLAIN = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | tensors()
CONTENT = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4).map(OrderedDict)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(CONTENT)
def test_what_torch_saves_is_read(content: object) -> None:
    code, records = saved(content)
    assert agrees(read(code, records), content, records)


def test_reads_what_the_restricted_reader_of_torch_reads(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save({"epoch": 19, "model": "Simple_CNN", "state_dict": module.state_dict()}, tmp_path / "x.pth")
    theirs = torch.load(tmp_path / "x.pth", weights_only=True)  # noqa: TID251 - the reader to compare with
    code, records = saved(theirs)
    assert agrees(read(code, records), theirs, records)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_told_or_does_no_harm(data) -> None:
    code, records = saved({"epoch": 3, "state_dict": OrderedDict(a=torch.ones(2, 3), b=torch.zeros(4)[1:])})
    changed = bytearray(code)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    _harmless(bytes(changed[: data.draw(st.integers(1, len(changed)))]), records)


INSTRUCTIONS = [bytes([code]) for code in b"\x80\x02cX}])(qrhjtu\x85aesbRQKJMG\x8aN\x88."]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(INSTRUCTIONS) | st.binary(max_size=6), max_size=20))
@example([b"\x80\x02", b"h\x00", b"."])
def test_any_instructions_are_told_or_do_no_harm(parts: list[bytes]) -> None:
    _harmless(b"".join(parts), {"0": bytes(8)})


def _harmless(code: bytes, records: dict[str, bytes]) -> None:
    try:
        found = read(code, records)
    except WeightsError:
        return
    waiting = [found]
    seen: set[int] = set()
    while waiting:  # a container may hold itself
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, PickledTensor):
            if np.prod(value.shape, dtype=object) < 1000:
                value.array(records[value.record])
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value


FLOATS = b"ctorch\nFloatStorage\n"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
HOOKS = b"ccollections\nOrderedDict\n)R"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    data = value.to_bytes(16, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def a_storage(count: int, record: str = "0", kind: bytes = FLOATS) -> bytes:
    return b"(" + text("storage") + kind + text(record) + text("cpu") + number(count) + b"tQ"


def a_tensor(offset: int, shape: list[int], strides: list[int], of: bytes) -> bytes:
    def tuple_of(values: list[int]) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    return REBUILD + b"(" + of + number(offset) + tuple_of(shape) + tuple_of(strides) + b"\x89" + HOOKS + b"tR"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        # names that are asked for
        (b"cos\nsystem\n" + text("id") + b"\x85R", "asks for os.system, which stored weights do not need"),
        (b"cbuiltins\neval\n", "asks for builtins.eval"),
        (b"ctorch\nload\n", "asks for torch.load"),
        (b"ctorch._utils\n_rebuild_sparse_tensor\n", "asks for torch._utils._rebuild_sparse_tensor"),
        (b"ctorch\nBFloat16Storage\n", "asks for torch.BFloat16Storage"),
        (b"ccollections\nOrderedDict.__class__\n", "asks for collections.OrderedDict.__class__"),
        (b"c" + b"a" * 300, "asks for a name without an end"),
        # instructions
        (text("os") + text("system") + b"\x93", "holds the instruction STACK_GLOBAL at byte 20"),
        (b"(ios\nsystem\n", "holds the instruction INST"),
        (b"(cos\nsystem\no", "asks for os.system"),
        (b")\x81", "holds the instruction NEWOBJ"),
        (b"\x82\x01", "holds the instruction EXT1"),
        (b"Pname\n", "holds the instruction PERSID"),
        (b"I01\n", "holds the instruction INT"),
        (b"\xff", "holds the instruction 0xff at byte 2"),
        (b"\x80\x04", "has protocol 4; torch.save writes 2"),
        # calls
        (
            b"ccollections\nOrderedDict\n" + text("x") + b"\x85R",
            "calls collections.OrderedDict as no stored weights do",
        ),
        (FLOATS + number(10**12) + b"\x85R", "calls torch.FloatStorage as no stored weights do"),
        (text("f") + b")R", "calls what is no function"),
        (REBUILD + b")R", "makes a tensor of 0 arguments"),
        (REBUILD + b"(K\x00K\x00))\x89" + HOOKS + b"tR", "without a storage"),
        (b"K\x01}b", "sets the state of an object"),
        # storages and tensors that would be read beyond their end
        (a_storage(10**12), "record 0 has 8 bytes, announced are 1,000,000,000,000 values float32"),
        (a_storage(1), "record 0 has 8 bytes"),
        (a_storage(2**61, "0", b"ctorch\nByteStorage\n"), "record 0 has 8 bytes"),
        (a_storage(-2), "without a record or a number of values"),
        (a_storage(2, "../../etc/passwd"), "refers to the record '../../etc/passwd', which is not in the file"),
        (b"(" + text("module") + b"tQ", "refers to something that is no storage"),
        (b"(" + text("storage") + HOOKS + text("0") + text("cpu") + b"K\x02tQ", "a storage of no known kind"),
        (a_tensor(0, [3], [1], a_storage(2)), "a tensor reaches value 2 of a record of 2"),
        (a_tensor(2, [1], [1], a_storage(2)), "a tensor reaches value 2 of a record of 2"),
        (a_tensor(0, [2, 2], [2, 1], a_storage(2)), "a tensor reaches value 3"),
        (a_tensor(0, [2**40], [2**40], a_storage(2)), "a tensor reaches value"),
        (a_tensor(2**63, [1], [1], a_storage(2)), "whose offset, shape or strides are none"),
        (a_tensor(-1, [1], [1], a_storage(2)), "whose offset, shape or strides are none"),
        (a_tensor(1, [2], [-1], a_storage(2)), "whose offset, shape or strides are none"),
        (a_tensor(0, [1], [1, 1], a_storage(2)), "whose offset, shape or strides are none"),
        (a_tensor(0, [1] * 33, [1] * 33, a_storage(2)), "whose offset, shape or strides are none"),
        # stack and memo
        (b"h\x07", "refers to value 7, which it never kept"),
        (b"t", "a mark that it never set"),
        (b"\x86", "takes more from the stack than lies there"),
        (b"N(\x85", "takes more from the stack than lies there"),
        (b"NN", "ends amid something"),
        (b"N(", "ends amid something"),
        (b"NNa", "appends to what is no list"),
        (b"NNNs", "entries of what is no dictionary"),
        (b"}(NNNu", "entries of what is no dictionary"),
        (b"})Ns", "a key of type tuple"),
        (b"X\xff\xff\xff\xffabc", "ends too early"),
        (b"X\x01\x00\x00\x00\xff", "a text that is no UTF-8"),
    ],
)
def test_what_is_no_weights_is_refused_in_one_line(code: bytes, told: str) -> None:
    with pytest.raises(WeightsError) as caught:
        read(b"\x80\x02" + code + b".", {"0": bytes(8)})
    said = str(caught.value)
    assert told in said
    assert said.startswith("x.pth: ")
    assert "\n" not in said
    assert caught.value.remedy
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("shape", [[1], [2, 1], [0], [0, 5], [5, 0]])
def test_a_stride_that_is_never_taken_may_be_any(shape: list[int]) -> None:
    strides = [1 if size == 2 else 2**62 for size in shape]
    found = read(b"\x80\x02" + a_tensor(0, shape, strides, a_storage(2)) + b".", {"0": bytes(8)})
    assert isinstance(found, PickledTensor)
    np.testing.assert_array_equal(found.array(bytes(8)), np.zeros(shape))


def test_length_is_bounded_before_anything_is_read() -> None:
    with pytest.raises(WeightsError, match="at most 262,144 are read"):
        read(b"\x80\x02" + b"N" * MOST_CODE + b".", {})


def test_nesting_and_sharing_cost_no_more_than_their_bytes() -> None:
    deep = read(b"\x80\x02N" + b"\x85" * (MOST_CODE - 10) + b".", {})
    assert isinstance(deep, tuple)
    # each tuple holds the one before it twice: 2^1000 leaves if anything walked over them
    shared = b"\x80\x02Nq\x00" + b"h\x00\x86q\x00" * 1000
    assert isinstance(read(shared + b".", {}), tuple)
    as_record = b"(" + text("storage") + FLOATS + b"h\x00" + text("cpu") + number(2) + b"tQ"
    with pytest.raises(WeightsError, match="without a record or a number"):
        read(shared + as_record + b".", {})
    with pytest.raises(WeightsError, match="a key of type tuple"):
        read(shared + b"}h\x00Ns.", {})
