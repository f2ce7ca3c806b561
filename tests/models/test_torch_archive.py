from __future__ import annotations

import hashlib
import io
import os
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic.errors import MissingError, WeightsError
from forensic.models import torch_archive
from forensic.models.pickled import PickledTensor
from forensic.models.torch_archive import TorchArchive


def saved(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


SMALL = saved({"epoch": 4, "state_dict": OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=torch.tensor(7))})


def zipped(entries: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return file.getvalue()


def parts(data: bytes) -> list[tuple[str, bytes]]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    return [(name, archive.read(name)) for name in archive.namelist()]


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_values_and_digest(tmp_path: Path) -> None:
    archive = TorchArchive.open(put(tmp_path / "x.pth", SMALL))
    assert archive.digest == hashlib.sha256(SMALL).hexdigest()
    state = archive.content["state_dict"]
    np.testing.assert_array_equal(archive.array(state["a"]), [[0, 1, 2], [3, 4, 5]])
    assert archive.array(state["b"]) == 7
    assert archive.content["epoch"] == 4


def test_the_name_of_the_folder_inside_does_not_matter(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "model_19_test93.4_acc.pth")
    archive = TorchArchive.open(tmp_path / "model_19_test93.4_acc.pth")
    np.testing.assert_array_equal(archive.array(archive.content["a"]), [1, 1])


@pytest.mark.parametrize(("order", "form"), [(b"little", "<f4"), (b"big", ">f4"), (None, "<f4")])
def test_order_of_bytes(tmp_path: Path, order: bytes | None, form: str) -> None:
    entries = []
    for name, data in parts(saved({"a": torch.tensor([1.5, -2.0])})):
        if name.endswith("byteorder"):
            entries += [] if order is None else [(name, order)]
        else:
            entries.append((name, np.array([1.5, -2.0], form).tobytes() if name.endswith("data/0") else data))
    archive = TorchArchive.open(put(tmp_path / "x.pth", zipped(entries)))
    np.testing.assert_array_equal(archive.array(archive.content["a"]), [1.5, -2.0])


def encrypted() -> bytes:
    data = bytearray(SMALL)
    for start, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(start) + flags] |= 1
    return bytes(data)


def overlapping() -> bytes:
    """Every entry of the directory points to the one record, as in a bomb that needs no compression."""
    record = zipped([("x/data.pkl", b"\x80\x02N."), ("x/data/0", bytes(4000))])
    end = record.index(b"PK\x05\x06")
    entry = record[record.index(b"PK\x01\x02", record.index(b"PK\x01\x02") + 1) : end]
    local = struct.unpack("<I", entry[42:46])[0]
    entries = b"".join(
        entry[:42] + struct.pack("<I", local) + entry[46:-1] + bytes([ord("1") + number]) for number in range(8)
    )
    begin = record.index(b"PK\x01\x02")
    directory = record[begin : begin + (end - begin - len(entry))] + entries
    return record[:begin] + directory + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 9, 9, len(directory), begin, 0)


def old_format() -> bytes:
    file = io.BytesIO()
    torch.save({"a": torch.ones(2)}, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


DAMAGED = SMALL.replace(np.arange(6, dtype="<f4").tobytes(), np.arange(1, 7, dtype="<f4").tobytes())


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is no zip file"),
        (b"\x80\x04\x95", "is no zip file"),
        (b"PK\x03\x04", "is a damaged zip"),
        (SMALL[: len(SMALL) // 2], "is a damaged zip"),
        (SMALL[:-1], "is a damaged zip"),
        (old_format(), "format of torch.save before PyTorch 1.6"),
        (zipped([("a.txt", b"")]), "none that torch.save has written"),
        (zipped([("a/data.pkl", b""), ("b/data.pkl", b"")]), "none that torch.save has written"),
        (zipped([("a/b/data.pkl", b"")]), "none that torch.save has written"),
        (zipped(parts(SMALL), zipfile.ZIP_DEFLATED), "is compressed or encrypted"),
        (lambda: zipped([("a/data.pkl", bytes(10**7))], zipfile.ZIP_DEFLATED), "is compressed or encrypted"),
        (encrypted(), "is compressed or encrypted"),
        (overlapping(), "entries overlap or are larger than the file"),
        (lambda: zipped([(f"a/{number}", b"") for number in range(10_001)]), "of more than 10,000 entries"),
        (zipped([("a/data.pkl", bytes(1 << 19))]), "are read"),
        (zipped([("a/data.pkl", b"\x80\x02cos\nsystem\n.")]), "asks for os.system"),
    ],
)
def test_what_is_no_file_of_torch_is_refused_in_one_line(
    tmp_path: Path, data: bytes | Callable[[], bytes], told: str
) -> None:
    path = put(tmp_path / "x.pth", data if isinstance(data, bytes) else data())
    with pytest.raises(WeightsError) as caught:
        TorchArchive.open(path)
    said = str(caught.value)
    assert told in said
    assert said.startswith(f"{path}: ")
    assert "\n" not in said


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_twice_is_refused(tmp_path: Path) -> None:
    """Readers differ in which of two they take: what was looked at must be what is read."""
    path = put(tmp_path / "x.pth", zipped([*parts(SMALL), parts(SMALL)[0]]))
    with pytest.raises(WeightsError, match=r"entry archive/data\.pkl occurs twice"):
        TorchArchive.open(path)


def test_changed_values_do_not_fit_their_checksum(tmp_path: Path) -> None:
    archive = TorchArchive.open(put(tmp_path / "x.pth", DAMAGED))
    with pytest.raises(WeightsError, match="entry archive/data/0 is damaged: Bad CRC-32"):
        archive.array(archive.content["state_dict"]["a"])


def test_size_is_bounded_before_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with path.open("wb") as file:
        os.truncate(file.fileno(), torch_archive.MOST_BYTES + 1)  # takes no room
    with pytest.raises(WeightsError, match="has more than 1,073,741,824 bytes"):
        TorchArchive.open(path)


def test_absent_files_folders_and_pipes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, told in (("nope.pth", "no such file"), ("pipe", "no such file"), (".", "is a folder")):
        with pytest.raises(MissingError, match=told):
            TorchArchive.open(tmp_path / name)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_told_or_does_no_harm(data, tmp_path_factory: pytest.TempPathFactory) -> None:
    changed = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    path = put(tmp_path_factory.getbasetemp() / "damaged.pth", bytes(changed))
    try:
        archive = TorchArchive.open(path)
        state = archive.content["state_dict"] if isinstance(archive.content, dict) else {}
        for value in state.values() if isinstance(state, dict) else ():
            if isinstance(value, PickledTensor) and np.prod(value.shape, dtype=object) < 1000:
                archive.array(value)
    except (WeightsError, KeyError):
        return
