"""Evidence is opened once, read-only, and never when opening alone could act; outputs stay out of its tree."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from forensic.case import evidence
from forensic.case.evidence import guard_output, is_folder, read, real_path, roots_of
from forensic.errors import Skipped, Unreadable, UsageError

LIMIT = 1 << 30


def test_bytes_and_their_hash_are_of_one_reading(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    file = tmp_path / "a.bin"
    file.write_bytes(content)
    before = file.stat()
    found = read(os.fsencode(file), max_bytes=LIMIT)
    assert found.data == content
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert (found.bytes, found.mtime_ns) == (len(content), before.st_mtime_ns)
    assert file.stat().st_atime_ns == before.st_atime_ns


def test_empty_file_is_read_with_its_known_hash(tmp_path: Path) -> None:
    (tmp_path / "e").touch()
    assert read(os.fsencode(tmp_path / "e"), max_bytes=LIMIT).sha256.startswith("e3b0c44298fc")


def test_name_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe.jpg"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    except OSError:
        pytest.skip("needs a file system that keeps names which are no UTF-8")
    os.close(descriptor)
    assert read(path, max_bytes=LIMIT).bytes == 0


@pytest.fixture
def no_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*arguments: object) -> int:
        pytest.fail(f"opened: {arguments}")

    monkeypatch.setattr(evidence, "_open", reached)


@pytest.mark.usefixtures("no_open")
@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder"])
def test_what_is_no_regular_file_is_never_opened(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path(os.devnull)
    else:
        with tempfile.TemporaryDirectory(dir="/tmp") as short, socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"{short}/s")  # the length of a socket's path is limited, tmp_path's is not
            with pytest.raises(Skipped, match=r"^not a regular file$"):
                read(os.fsencode(f"{short}/s"), max_bytes=LIMIT)
        return
    with pytest.raises(Skipped, match=r"^not a regular file$"):
        read(os.fsencode(path), max_bytes=LIMIT)


def test_fifo_that_takes_the_place_of_a_file_does_not_block(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(b"x")
    stat_of_file = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(evidence.os, "stat", lambda *_a, **_k: stat_of_file)
    with pytest.raises(Skipped, match=r"^not a regular file$"):
        read(os.fsencode(path), max_bytes=LIMIT)


def test_link_is_followed_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").symlink_to("a")
    link = os.fsencode(tmp_path / "b")
    assert read(link, max_bytes=LIMIT).data == b"abc"
    with pytest.raises(Skipped, match=r"^link, not followed$"):
        read(link, max_bytes=LIMIT, follow_links=False)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _root: b"missing.jpg", "no such file"),
        (lambda root: (root / "d.jpg").symlink_to("nowhere") or b"d.jpg", "no such file"),
        (lambda root: (root / "l.jpg").symlink_to("l.jpg") or b"l.jpg", "links that lead in a circle (ELOOP)"),
        (lambda _root: b"n" * 300, "path too long (ENAMETOOLONG)"),
        (lambda _root: b"a\0b", "no such file"),
    ],
    ids=["missing", "dangling", "circle", "long name", "zero byte"],
)
def test_what_can_not_be_opened_is_unreadable_with_its_reason(make, reason: str, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/" + make(tmp_path)
    with pytest.raises(Unreadable) as refused:
        read(path, max_bytes=LIMIT)
    assert refused.value.reason == reason


def test_no_permission_is_unreadable(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    if os.geteuid() == 0:  # root reads everything: the system call answers as it would to another user

        def refused(*_arguments: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(evidence.os, "open", refused)
    with pytest.raises(Unreadable, match=r"^permission denied \(EACCES\)$"):
        read(os.fsencode(path), max_bytes=LIMIT)


def test_only_the_owner_may_ask_not_to_touch_the_access_time(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"abc")
    real_open = os.open

    def of_a_stranger(name: bytes, flags: int) -> int:
        if flags & os.O_NOATIME:
            raise PermissionError(1, "Operation not permitted")
        return real_open(name, flags)

    monkeypatch.setattr(evidence.os, "open", of_a_stranger)
    assert read(os.fsencode(path), max_bytes=LIMIT).data == b"abc"


@pytest.mark.parametrize("change", ["shrink", "grow", "rewrite", "delete"])
def test_change_while_being_read_is_unreadable(change: str, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x" * 1000)
    real_fstat, calls = os.fstat, []

    def fstat(descriptor: int) -> os.stat_result:
        found = real_fstat(descriptor)
        calls.append(descriptor)
        if len(calls) == 1:
            if change == "delete":
                path.unlink()
            elif change == "rewrite":
                path.write_bytes(b"y" * 1000)
                os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
            else:
                os.truncate(path, 10 if change == "shrink" else 2000)
        return found

    monkeypatch.setattr(evidence.os, "fstat", fstat)
    with pytest.raises(Unreadable, match=r"^changed while being read$"):
        read(os.fsencode(path), max_bytes=LIMIT)
    assert len(calls) == 2


def test_five_gigabytes_are_refused_by_size_alone(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "sparse.jpg"
    path.touch()
    os.truncate(path, 5 << 30)
    monkeypatch.setattr(evidence.os, "read", lambda *_a: pytest.fail("read"))
    with pytest.raises(Unreadable, match=r"^5,368,709,120 bytes exceed the limit of 1,073,741,824$"):
        read(os.fsencode(path), max_bytes=LIMIT)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """evidence/ with a folder and a picture, a link to it, and a folder beside."""
    (tmp_path / "evidence" / "day1").mkdir(parents=True)
    (tmp_path / "evidence" / "a.jpg").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "shortcut").symlink_to("evidence/day1")
    (tmp_path / "out" / "in.html").symlink_to(tmp_path / "evidence" / "new.html")
    return tmp_path


@pytest.mark.parametrize(
    "out",
    [
        "evidence/r.html",
        "evidence/day1/r.html",
        "evidence/none/r.html",
        "shortcut/r.html",
        "out/../evidence/r.html",
        "out/in.html",
    ],
)
@pytest.mark.parametrize("given", ["evidence", "evidence/a.jpg"])
def test_output_inside_the_evidence_is_refused(given: str, out: str, tree: Path) -> None:
    with pytest.raises(UsageError, match="lies inside the evidence folder"):
        guard_output(tree / out, roots_of([tree / given]))


@pytest.mark.parametrize("out", ["out/r.html", "r.html", "evidence-2/r.html", "evidence.html"])
def test_output_beside_the_evidence_is_allowed(out: str, tree: Path) -> None:
    guard_output(tree / out, roots_of([tree / "evidence"]))
    assert not (tree / out).exists()


def test_working_directory_counts_when_it_is_given(tree: Path, monkeypatch) -> None:
    monkeypatch.chdir(tree / "evidence")
    with pytest.raises(UsageError):
        guard_output(Path("r.html"), roots_of([Path("a.jpg")]))


def test_folder_of_a_linked_file_and_of_its_target_are_evidence(tree: Path) -> None:
    (tree / "links").mkdir()
    (tree / "links" / "b.jpg").symlink_to(tree / "evidence" / "a.jpg")
    assert set(roots_of([tree / "links" / "b.jpg"])) == {tree / "links", tree / "evidence"}


def test_reading_leaves_mode_and_times(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    path.chmod(0o400)
    before = path.stat()
    read(os.fsencode(path), max_bytes=LIMIT)
    after = path.stat()
    assert stat.S_IMODE(after.st_mode) == 0o400
    assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns)


@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "d/" * 3000 + "a.jpg", "circle.jpg"])
def test_the_tree_of_a_path_that_no_system_has(name: str, tmp_path: Path) -> None:
    """One such line in a list of files ended the scan of all of them."""
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    (tmp_path / "a.jpg").touch()
    roots = roots_of([tmp_path / name, tmp_path / "a.jpg"])
    assert tmp_path.resolve() in roots
    assert not is_folder(tmp_path / name)
    guard_output(tmp_path.parent / "out.html", roots)
    with pytest.raises(UsageError, match="inside the evidence"):
        guard_output(tmp_path / "out.html", roots)
    assert real_path(tmp_path / "circle.jpg").parent == tmp_path.resolve()
