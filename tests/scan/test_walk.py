# ruff: noqa: PTH103, PTH118, PTH120 - names here are bytes that a Path can not hold
from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forensic
from forensic.errors import Skipped, Unreadable
from forensic.scan.walk import Walk, roots_of_arguments


def walked(*arguments: Path | bytes | str, **options) -> list[bytes]:
    roots = roots_of_arguments([os.fsencode(argument) for argument in arguments])
    return [candidate.path for candidate in Walk(roots, **options)]


def below(folder: Path, *arguments: Path | bytes, **options) -> list[str]:
    """Paths below the folder, as text."""
    prefix = os.fsencode(folder) + b"/"
    found = walked(*(arguments or (folder,)), **options)
    return [os.fsdecode(path.removeprefix(prefix)) for path in found]


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """`tree("a/b.jpg", "c.txt")`: empty files below a folder."""

    def make(*names: str | bytes) -> Path:
        root = os.fsencode(tmp_path / "in")
        os.makedirs(root, exist_ok=True)
        for name in names:
            path = os.path.join(root, os.fsencode(name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        return Path(os.fsdecode(root))

    return make


def test_order_is_the_byte_order_of_whole_paths(tree) -> None:
    folder = tree("a.jpg", "a/z.jpg", "a-b/y.jpg", "a0/x.jpg", "A.jpg", "é.jpg", "a/b/c.jpg", b"\xff.jpg")
    paths = walked(folder)
    assert paths == sorted(paths)
    assert len(paths) == 8


@given(
    st.lists(
        st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=4).filter(
            lambda parts: all(b"/" not in part and b"\0" not in part and part not in (b".", b"..") for part in parts)
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_order_holds_for_any_names(tmp_path_factory, names) -> None:
    root = os.fsencode(tmp_path_factory.mktemp("walk"))
    made = set()
    for parts in names:
        path = os.path.join(root, *parts) + b".jpg"
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        except OSError:  # a folder of that name is there already
            continue
        made.add(path)
    assert walked(root) == sorted(made)


def test_several_arguments_are_merged_in_order(tree) -> None:
    folder = tree("b/1.jpg", "a/2.jpg", "c.jpg", "a.jpg")
    arguments = [folder / name for name in ("c.jpg", "b", "a", "a.jpg")]
    for seed in range(4):
        random.Random(seed).shuffle(arguments)  # noqa: S311 - an order, no secret
        assert below(folder, *arguments) == ["a.jpg", "a/2.jpg", "b/1.jpg", "c.jpg"]


def test_path_named_twice_counts_once(tree, monkeypatch) -> None:
    folder = tree("a/1.jpg", "a/notes.txt")
    monkeypatch.chdir(folder)
    assert walked("a", "./a", folder / "a", "a/") == [b"a/1.jpg"]
    assert walked("a/1.jpg", "./a/1.jpg") == [b"a/1.jpg"]
    assert walked(".", "a", "a/notes.txt") == [b"./a/1.jpg", b"a/notes.txt"]


def test_image_by_extension_or_by_first_bytes(tree, samples) -> None:
    folder = tree("a.JPG", "b.txt", "c.jpeg", "noextension", "d.png.txt", ".jpg", "x.jp2")
    (folder / "really-a-picture.dat").write_bytes(next(samples.glob("*.png")).read_bytes())
    (folder / "text-only").write_text("plain text of some length, no picture at all")
    roots = roots_of_arguments([os.fsencode(folder)])
    walk = Walk(roots)
    names = [candidate.relative for candidate in walk]
    assert names == [b"a.JPG", b"c.jpeg", b"really-a-picture.dat"]
    assert walk.other_files == 6


def test_pictures_that_are_not_read_are_no_other_files(tree) -> None:
    """A folder of JPEG XL or camera raw must not end as "no images"."""
    folder = tree("a.jxl", "b.cr3", "c.tga")
    (folder / "a.jxl").write_bytes(b"\xff\x0a\xfa\x7f" + bytes(60))
    (folder / "b.cr3").write_bytes(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom")
    assert below(folder) == ["a.jxl", "b.cr3"]


def test_named_file_is_always_a_candidate(tree) -> None:
    folder = tree("notes.txt", "a.jpg")
    assert below(folder, folder / "notes.txt", folder / "missing.png") == ["missing.png", "notes.txt"]


def test_awkward_names_are_walked(tree) -> None:
    names = ["-rf.jpg", "--report=x.png", "a\nb.jpg", "\x1b[31m.jpg", "[bold]x.png", "x" * 251 + ".jpg", "é.jpg"]
    names += ["e\u0301.jpg", "\u202egpj.png", "=1+1.png"]
    folder = tree(*names, b"\xff\xfe.jpg")
    found = below(folder)
    assert sorted(found) == sorted([*names, os.fsdecode(b"\xff\xfe.jpg")])


def test_folder_with_an_images_name_is_walked(tree) -> None:
    assert below(tree("x.jpg/inside.png")) == ["x.jpg/inside.png"]


def test_what_is_no_regular_file(tree) -> None:
    folder = tree("a.jpg")
    os.mkfifo(folder / "pipe.jpg")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(folder)  # the name of a socket may be no longer than 107 bytes
        bound.bind("socket.png")
        os.chdir(here)
        assert below(folder) == ["a.jpg", "pipe.jpg", "socket.png"]


def test_links_below_a_root_are_told_and_not_followed(tree) -> None:
    folder = tree("real/1.jpg")
    (folder / "to-file").symlink_to("real/1.jpg")
    (folder / "to-folder").symlink_to("real")
    (folder / "to-nothing").symlink_to("nowhere")
    (folder / "to-self").symlink_to(".")
    assert below(folder) == ["real/1.jpg", "to-file", "to-folder", "to-nothing", "to-self"]


def test_followed_links_end(tree) -> None:
    folder = tree("real/1.jpg", "real/deep/2.jpg")
    (folder / "real/deep/up").symlink_to("../..")
    (folder / "twin").symlink_to("real")
    (folder / "file.png").symlink_to("real/1.jpg")
    (folder / "text").symlink_to("real/1.jpg")
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    roots = roots_of_arguments([os.fsencode(folder)])
    found = {os.fsdecode(c.relative): c.outcome for c in Walk(roots, follow_links=True)}
    tried = sorted(name for name, outcome in found.items() if outcome is None)
    assert tried == ["a", "b", "file.png", "real/1.jpg", "real/deep/2.jpg", "twin/1.jpg", "twin/deep/2.jpg"]
    circles = {name: outcome for name, outcome in found.items() if outcome is not None}
    assert sorted(circles) == ["real/deep/up", "twin/deep/up"]
    assert all(isinstance(outcome, Skipped) and "link, not followed" in outcome.reason for outcome in circles.values())


def test_many_links_to_each_other_do_not_multiply(tree) -> None:
    folder = tree(*(f"d{number}/x.jpg" for number in range(12)))
    for number in range(12):
        for other in range(12):
            (folder / f"d{number}" / f"l{other}").symlink_to(f"../d{other}")
    roots = roots_of_arguments([os.fsencode(folder)])
    found = list(Walk(roots, follow_links=True))
    assert 12 <= len(found) <= 12 * 12 * 3
    assert sum(candidate.outcome is None for candidate in found) <= 24


def test_root_that_is_a_link_is_resolved(tree, tmp_path) -> None:
    folder = tree("1.jpg")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "link.jpg").symlink_to(folder / "1.jpg")
    assert walked(tmp_path / "link") == [os.fsencode(tmp_path / "link/1.jpg")]
    roots = roots_of_arguments([os.fsencode(tmp_path / "link.jpg")])
    (candidate,) = Walk(roots)
    assert candidate.path == os.fsencode(tmp_path / "link.jpg")
    assert candidate.opened == os.fsencode((folder / "1.jpg").resolve())


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["*.png"], ["a/1.jpg", "b/a/3.jpg", "c.jpg"]),
        (["a"], ["b/2.png", "c.jpg"]),
        (["a/"], ["b/2.png", "c.jpg"]),
        (["b/a"], ["a/1.jpg", "b/2.png", "c.jpg"]),
        (["/a"], ["b/2.png", "b/a/3.jpg", "c.jpg"]),
        (["*.jpg", "*.png"], []),
        (["c.jpg/"], ["a/1.jpg", "b/2.png", "b/a/3.jpg", "c.jpg"]),
        (["C.JPG"], ["a/1.jpg", "b/2.png", "b/a/3.jpg", "c.jpg"]),
    ],
    ids=str,
)
def test_exclude(tree, patterns, left) -> None:
    folder = tree("a/1.jpg", "b/2.png", "b/a/3.jpg", "c.jpg")
    assert below(folder, exclude=patterns) == left


def test_exclude_leaves_named_files_alone(tree) -> None:
    folder = tree("a.jpg")
    assert below(folder, folder / "a.jpg", exclude=["*.jpg"]) == ["a.jpg"]


@pytest.fixture
def nested(tmp_path: Path) -> Iterator[Callable[[str, int], Path]]:
    """`nested("d", 1500)`: a file x.jpg in so many folders, one in the other; removed by a program that can do it."""
    top = tmp_path / "top"

    def make(name: str, depth: int) -> Path:
        top.mkdir()
        here = Path.cwd()
        os.chdir(top)
        for _ in range(depth):
            Path(name).mkdir()
            os.chdir(name)
        Path("x.jpg").touch()
        os.chdir(here)
        return top

    yield make
    subprocess.run(["rm", "-rf", str(top)], check=True)


def test_deep_folders_need_no_deep_stack(nested) -> None:
    depth = 1500
    (path,) = walked(nested("d", depth))
    assert path.endswith(b"/d/x.jpg")
    assert path.count(b"/d") == depth


def test_folder_whose_path_is_too_long_is_told(nested) -> None:
    (candidate,) = Walk(roots_of_arguments([os.fsencode(nested("d" * 250, 18))]))
    assert isinstance(candidate.outcome, Unreadable)
    assert candidate.outcome.reason == "folder can not be listed: path too long (ENAMETOOLONG)"
    assert candidate.path.endswith(b"/")


def test_folder_without_rights_is_told(tree) -> None:
    """Rights do not bind root, who becomes another user here."""
    folder = tree("a/1.jpg", "open/2.jpg", "locked")
    (folder / "locked").write_bytes(b"x" * 40)
    (folder / "a").chmod(0o000)
    (folder / "locked").chmod(0o000)
    for above in [folder, *folder.parents]:
        if above.owner() == "root" and above != Path("/"):
            above.chmod(above.stat().st_mode | 0o055)
    code = """
import os, sys
sys.path.insert(0, sys.argv[1])
from forensic.scan.walk import Walk, roots_of_arguments
if os.geteuid() == 0:
    os.setuid(65534)
for found in Walk(roots_of_arguments([os.fsencode(sys.argv[2])])):
    print(found.relative.decode(), found.outcome.reason if found.outcome else "-")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(forensic.__file__).parents[1]), str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "a/ folder can not be listed: permission denied (EACCES)",
        "locked -",
        "open/2.jpg -",
    ]


def test_candidates_carry_size_and_time(tree) -> None:
    folder = tree("a.jpg")
    (folder / "a.jpg").write_bytes(b"12345")
    os.utime(folder / "a.jpg", ns=(1, 1_234_567_890_123_456_789))
    (candidate,) = Walk(roots_of_arguments([os.fsencode(folder)]))
    assert (candidate.size, candidate.mtime_ns) == (5, 1_234_567_890_123_456_789)


def test_a_time_that_no_case_can_hold_is_left_out(tree) -> None:
    """Mounts of NTFS and exFAT, and broken file systems, have times beyond 2262."""
    folder = tree("a.jpg")
    os.utime(folder / "a.jpg", ns=(1, 15_000_000_000 * 1_000_000_000))
    if (folder / "a.jpg").stat().st_mtime_ns < 1 << 63:
        pytest.skip("needs a file system with times after 2262")
    for arguments in ([folder], [folder / "a.jpg"]):
        (candidate,) = Walk(roots_of_arguments([os.fsencode(path) for path in arguments]))
        assert candidate.mtime_ns is None


def test_stored_roots_are_walked_under_their_old_names(tree, monkeypatch, tmp_path) -> None:
    folder = tree("a.jpg")
    monkeypatch.chdir(tmp_path)
    roots = roots_of_arguments([b"in"])
    monkeypatch.chdir("/")
    (candidate,) = Walk(roots)
    assert candidate.path == b"in/a.jpg"
    assert candidate.opened == os.fsencode(folder.resolve() / "a.jpg")
