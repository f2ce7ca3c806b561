"""Arguments and folders to candidates, in byte order of their whole paths; links, exclusions and twins decided here.

One directory is listed and sorted at a time, the names of folders with `/` appended, which is the byte order of the
whole paths below it. Paths are bytes throughout: a name need not be text. What is no image is counted and not listed.
"""

from __future__ import annotations

import fnmatch
import heapq
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forensic.case import evidence
from forensic.case.ledger import Root
from forensic.data.signatures import EXTENSIONS, HEAD, image_format, unread_picture
from forensic.errors import FileOutcome, Skipped, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forensic.scan.shard import Shard

_IMAGE_EXTENSIONS = frozenset(os.fsencode(extension) for known in EXTENSIONS.values() for extension in known)


@dataclass(frozen=True)
class Candidate:
    """One path that becomes a finding."""

    root: int
    """Number of the argument it was found through."""
    relative: bytes
    """Path below that argument; empty where the argument is the file itself."""
    path: bytes
    """As told: the argument as given, then `relative`."""
    opened: bytes
    """What is opened: the same, but for an argument that is a link, which is resolved."""
    size: int | None = None
    mtime_ns: int | None = None
    """None also for a time outside of the years 1678 to 2262: damaged file systems have them, no case holds them."""
    outcome: FileOutcome | None = None
    """Why it is not even tried; None for what a worker shall read."""


@dataclass(frozen=True)
class _Folder:
    """One directory on the way down."""

    shown: bytes
    """Ends with `/`."""
    opened: bytes
    relative: bytes
    """Empty, or ends with `/`."""
    real: bytes
    identity: tuple[int, int]


class Walk:
    """The candidates of a list of arguments.

    Args:
        roots: files and folders, as `roots_of_arguments` gives them.
        follow_links: whether links below a folder are followed; links given as arguments always are.
        exclude: shell patterns; one with a `/` inside is matched with the path below the argument, any other with
            each name on the way. A trailing `/` means folders only. Files given as arguments are never excluded.
        shard: the part that is wanted; everything where None.
    """

    def __init__(
        self,
        roots: Sequence[Root],
        *,
        follow_links: bool = False,
        exclude: Sequence[str] = (),
        shard: Shard | None = None,
    ) -> None:
        self.other_files = 0
        """Files that are no images, counted as the walk meets them."""
        self._follow_links = follow_links
        self._exclude = [_Pattern(pattern) for pattern in exclude]
        self._shard = shard
        self._linked: set[tuple[int, int]] = set()
        self._roots = tuple(roots)
        numbers = range(len(self._roots))
        self._folders = [number for number in numbers if os.path.isdir(self._roots[number].absolute)]  # noqa: PTH112 - paths are bytes
        self._files = sorted(set(numbers) - set(self._folders), key=lambda number: self._roots[number].given)
        self._named = {root.absolute for root in self._roots}

    def __iter__(self) -> Iterator[Candidate]:
        """The candidates; folders are listed as they are reached."""
        self.other_files = 0
        self._linked.clear()
        streams = [self._walk(number) for number in self._folders]
        streams.append(self._named_files())
        merged = heapq.merge(*streams, key=lambda candidate: candidate.path)
        return (candidate for candidate in merged if self._is_wanted(candidate.root, candidate.relative))

    def _is_wanted(self, number: int, relative: bytes) -> bool:
        return self._shard is None or self._shard.holds(self._roots[number].absolute, relative)

    def _named_files(self) -> Iterator[Candidate]:
        for number in self._files:
            root = self._roots[number]
            given, opened = root.given, root.absolute if self._follow_links else os.path.realpath(root.absolute)
            try:
                found = os.stat(root.absolute)  # noqa: PTH116 - paths are bytes, a Path can not hold them
            except OSError:
                yield Candidate(number, b"", given, opened)  # the worker tells what is wrong with it
            else:
                yield Candidate(number, b"", given, opened, found.st_size, _mtime_ns(found))

    def _walk(self, number: int) -> Iterator[Candidate]:
        """Depth first with a stack of our own: folders may be nested deeper than Python's calls."""
        root = self._roots[number]
        top = _Folder(root.given.rstrip(b"/") + b"/", root.absolute, b"", root.absolute, _identity(root.absolute))
        stack = [(top, self._list(top))]
        while stack:
            folder, names = stack[-1]
            name = next(names, None)
            if name is None:
                stack.pop()
            elif isinstance(name, OSError):
                shown, relative = folder.shown, folder.relative
                reason = f"folder can not be listed: {evidence.reason_of(name)}"
                yield Candidate(number, relative, shown, folder.opened, outcome=Unreadable(reason))
            elif name.endswith(b"/"):
                inner = self._enter(folder, name[:-1], [above for above, _ in stack])
                if isinstance(inner, _Folder):
                    stack.append((inner, self._list(inner)))
                elif inner is not None:
                    yield Candidate(number, *_joined(folder, name[:-1]), outcome=inner)
            else:
                yield from self._candidate(number, folder, name)

    def _list(self, folder: _Folder) -> Iterator[bytes | OSError]:
        """Names in order, folders with `/` appended; or the one error that kept the folder from being listed."""
        names = []
        try:
            with os.scandir(folder.opened) as entries:
                for entry in entries:
                    name = os.fsencode(entry.name)
                    if self._is_excluded(folder.relative + name, name):
                        continue
                    is_folder = self._is_folder(entry)
                    if is_folder and self._is_excluded(folder.relative + name + b"/", name + b"/"):
                        continue
                    names.append(name + b"/" if is_folder else name)
        except OSError as error:
            yield error
        names.sort()
        yield from names

    def _is_folder(self, entry: os.DirEntry[bytes]) -> bool:
        try:
            return entry.is_dir(follow_symlinks=self._follow_links)
        except OSError:  # a link in a circle
            return False

    def _is_excluded(self, relative: bytes, name: bytes) -> bool:
        return any(pattern.matches(relative, name) for pattern in self._exclude)

    def _enter(self, above: _Folder, name: bytes, stack: list[_Folder]) -> _Folder | FileOutcome | None:
        """The folder `name` of `above`; an outcome for a link that leads in a circle; None where it is gone."""
        shown, opened, relative = above.shown + name + b"/", above.opened + b"/" + name, above.relative + name + b"/"
        real = above.real + b"/" + name
        if not self._follow_links:
            return _Folder(shown, opened, relative, real, (0, 0))
        try:
            found = os.stat(opened)  # noqa: PTH116 - paths are bytes
            is_link = stat.S_ISLNK(os.lstat(opened).st_mode)
        except OSError:
            return None
        identity = (found.st_dev, found.st_ino)
        if is_link:
            real = os.path.realpath(opened)
            if identity in {folder.identity for folder in stack}:
                return Skipped("link, not followed: it leads back to a folder above it")
            if identity in self._linked:
                return Skipped("link, not followed: another link to the same folder was")
            self._linked.add(identity)
        return _Folder(shown, opened, relative, real, identity)

    def _candidate(self, number: int, folder: _Folder, name: bytes) -> Iterator[Candidate]:
        if folder.real + b"/" + name in self._named:
            return  # given as an argument too: it comes with that one
        relative, shown, opened = _joined(folder, name)
        if not self._is_wanted(number, relative):
            return  # of another part: neither opened nor counted
        try:
            found = os.lstat(opened)
            if self._follow_links and stat.S_ISLNK(found.st_mode):
                found = os.stat(opened)  # noqa: PTH116 - paths are bytes
        except OSError:  # gone since it was listed, or a link to nothing: the worker tells
            yield Candidate(number, relative, shown, opened)
            return
        if stat.S_ISLNK(found.st_mode) or _has_image_extension(name) or _begins_as_image(opened, found):
            yield Candidate(number, relative, shown, opened, found.st_size, _mtime_ns(found))
        else:
            self.other_files += 1


class _Pattern:
    """One `--exclude`."""

    def __init__(self, pattern: str) -> None:
        self._folders_only = pattern.endswith("/")
        self._whole = "/" in pattern.rstrip("/")
        self._expression = re.compile(fnmatch.translate(pattern.strip("/")))

    def matches(self, relative: bytes, name: bytes) -> bool:
        if self._folders_only and not name.endswith(b"/"):
            return False
        text = os.fsdecode(relative if self._whole else name).rstrip("/")
        return self._expression.match(text) is not None


def _joined(folder: _Folder, name: bytes) -> tuple[bytes, bytes, bytes]:
    return folder.relative + name, folder.shown + name, folder.opened.rstrip(b"/") + b"/" + name


def _identity(path: bytes) -> tuple[int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - paths are bytes
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def _mtime_ns(found: os.stat_result) -> int | None:
    return found.st_mtime_ns if abs(found.st_mtime_ns) < 1 << 63 else None


def _has_image_extension(name: bytes) -> bool:
    return name.rpartition(b".")[2].lower() in _IMAGE_EXTENSIONS and b"." in name[1:]


def _begins_as_image(path: bytes, found: os.stat_result) -> bool:
    """By the first bytes; a file that can not be opened may be one, so that its finding says why."""
    if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
        return False
    try:
        head = evidence.first_bytes(path, HEAD)
    except OSError:
        return True
    return image_format(head) is not None or unread_picture(head) is not None


def roots_of_arguments(arguments: Sequence[bytes]) -> tuple[Root, ...]:
    """Arguments without repetition: one that is named twice counts once, as does a folder inside another one given.

    Args:
        arguments: files and folders as given, exact bytes.
    """
    folders: dict[bytes, bytes] = {}
    files: dict[bytes, bytes] = {}
    for given in arguments:
        if os.path.isdir(given):  # noqa: PTH112 - paths are bytes
            folders.setdefault(os.path.realpath(given), given)
        else:
            files.setdefault(_located(given), given)
    outer = {
        real: given for real, given in folders.items() if not any(above in folders for above in _folders_above(real))
    }
    return tuple(Root(given, absolute) for absolute, given in (outer | files).items())


def _located(given: bytes) -> bytes:
    """The absolute path of a directory entry, with every link resolved but the last."""
    folder, name = os.path.split(given.rstrip(b"/"))
    return os.path.join(os.path.realpath(folder or b"."), name)  # noqa: PTH118 - paths are bytes


def _folders_above(real: bytes) -> Iterator[bytes]:
    while real != b"/":
        real = os.path.dirname(real)  # noqa: PTH120 - paths are bytes
        yield real
