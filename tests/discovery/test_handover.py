"""Copies of a cluster: whole, named by hash, never in the evidence."""

from __future__ import annotations

import hashlib

import pytest

from forensic.data.sample import IMAGE_SUFFIXES, list_images
from forensic.data.signatures import EXTENSIONS
from forensic.discovery.handover import check_folder, copy_members, suffix_of
from forensic.errors import UsageError, VerificationError


def test_copies_are_the_files_under_their_hashes(folder, tmp_path, rejecting, discovered) -> None:
    each = discovered(rejecting(folder, tmp_path / "a.case"), k=2).named("unknown-1")
    out = tmp_path / "out"
    check_folder(out, [folder])
    assert copy_members(each, out) == len(each.members)
    copied = list_images(out)
    assert [path.stem for path in copied] == [image.sha256 for image in each.members]
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.stem for path in copied)


def test_a_file_that_changed_meanwhile_stops_the_copy(folder, tmp_path, rejecting, discovered) -> None:
    each = discovered(rejecting(folder, tmp_path / "a.case"), k=1).clusters[0]
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(VerificationError, match="has SHA-256"):
        copy_members(each, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_copies_that_are_there_stay_and_nothing_else_may_be_there(folder, tmp_path, rejecting, discovered) -> None:
    found = discovered(rejecting(folder, tmp_path / "a.case"), k=2)
    each, other = (found.named(name) for name in ("unknown-1", "unknown-2"))
    out = tmp_path / "out"
    copy_members(each, out)
    first, second, *_ = sorted(out.iterdir())
    kept = first.stat().st_ino
    second.rename(out / f".{second.name}.abcdefgh.part")  # as a process leaves it that is killed before its last step
    check_folder(out, [folder])
    assert copy_members(each, out) == len(each.members)
    assert first.stat().st_ino == kept
    assert {path.name.partition(".")[0] for path in out.iterdir()} == {image.sha256 for image in each.members}
    with pytest.raises(UsageError, match="no copy of this cluster's"):
        copy_members(other, out)
    second.write_bytes(b"another")
    with pytest.raises(UsageError, match="not what its name says"):
        copy_members(each, out)


def test_folders_that_copies_must_not_go_to(folder, tmp_path) -> None:
    with pytest.raises(UsageError, match="inside the evidence"):
        check_folder(folder / "copies", [folder])
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(UsageError, match="inside the evidence"):
        check_folder(tmp_path / "link" / "copies", [folder])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(UsageError, match="not an empty folder"):
        check_folder(tmp_path / "full", [folder])
    with pytest.raises(UsageError, match="parent folder"):
        check_folder(tmp_path / "no" / "copies", [folder])


@pytest.mark.parametrize("form", sorted(EXTENSIONS))
def test_every_format_gets_an_extension_that_training_reads(form: str) -> None:
    assert suffix_of(form) in IMAGE_SUFFIXES
    assert suffix_of(form)[1:] in EXTENSIONS[form]
