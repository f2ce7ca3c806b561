"""Where the files of a case lie: below the roots it names, or where `--evidence` says they are now.

Another laboratory has the same files below another folder. Paths below the deepest folder that holds all roots are the
same in both.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from forensic.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.case.reader import CaseReader, Place, Root


class Places:
    """The roots of a case, and where each of them lies now.

    Args:
        case: with its roots.
        evidence: as `--evidence` is given, none where everything is where it was: one `DIR`, which takes the place of
            `folder`, or any number of `OLD=NEW`, where OLD is a root or a folder above some.

    Raises:
        UsageError: an OLD that holds no root, a place that is not there, or both forms at once.
    """

    def __init__(self, case: CaseReader, evidence: Sequence[str] = ()) -> None:
        self._roots = case.roots
        files = case.roots_that_are_files
        folders = [
            os.path.dirname(root.absolute) if number in files else root.absolute  # noqa: PTH120 - paths are bytes
            for number, root in enumerate(self._roots)
        ]
        self.folder: bytes = os.path.commonpath(folders) if folders else b"/"
        """The deepest folder that holds all roots, absolute, as the case names it."""
        self._now = [root.absolute for root in self._roots]
        whole = [text for text in evidence if "=" not in text or os.path.lexists(text)]
        if whole:
            self._move_all(whole, evidence)
        else:
            self._move_some(evidence)

    @property
    def roots_now(self) -> list[bytes]:
        """Where each root lies now, absolute."""
        return list(self._now)

    def below(self, place: Place) -> bytes:
        """The file's path below `folder`; the same wherever the evidence lies.

        Raises:
            VerificationError: the row names a root that the case does not have.
        """
        path = _joined(self._of(place).absolute, place.path)
        return path[len(self.folder.rstrip(b"/")) + 1 :]

    def opened(self, place: Place, *, follow_links: bool) -> bytes:
        """What is opened for a finding, as the scan did: a root that is a link is resolved, links below one are not.

        Args:
            place: of the finding.
            follow_links: whether the scan followed links below its roots.

        Raises:
            VerificationError: the row names a root that the case does not have.
        """
        self._of(place)
        root = self._now[place.root]
        if not place.path:
            return root if follow_links else os.path.realpath(root)
        return _joined(os.path.realpath(root), place.path)

    def _of(self, place: Place) -> Root:
        if not 0 <= place.root < len(self._roots):
            raise VerificationError(f"root {place.root}", "a finding lies below it, and the case has no such root")
        return self._roots[place.root]

    def _move_all(self, whole: Sequence[str], evidence: Sequence[str]) -> None:
        if len(evidence) > 1:
            raise UsageError(
                f"--evidence {whole[0]}", "stands for all roots, and others are given", "Name each root as OLD=NEW"
            )
        above = _there(whole[0])
        kept = len(self.folder.rstrip(b"/"))
        self._now = [above.rstrip(b"/") + root.absolute[kept:] for root in self._roots]

    def _move_some(self, evidence: Sequence[str]) -> None:
        pairs = [text.partition("=") for text in evidence]
        moves = [(os.fsencode(old).rstrip(b"/"), _there(new)) for old, _, new in pairs]
        used: set[int] = set()
        for number, root in enumerate(self._roots):
            fits = [(held, move) for move, (old, _) in enumerate(moves) if (held := _held(old, root)) is not None]
            if fits:
                held, move = max(fits)
                self._now[number] = moves[move][1].rstrip(b"/") + root.absolute[held:]
                used.add(move)
        for move, text in enumerate(evidence):
            if move not in used:
                raise UsageError(f"--evidence {text}", "no root of the case lies there", "See `forensic case show`")


def _held(old: bytes, root: Root) -> int | None:
    """How many bytes of a root's absolute path `old` stands for; None where the root does not lie there."""
    if old in (root.given.rstrip(b"/"), root.absolute):
        return len(root.absolute)
    return len(old) if root.absolute.startswith(old + b"/") else None


def _there(new: str) -> bytes:
    path = os.fsencode(new)
    if not os.path.exists(path):  # noqa: PTH110 - paths are bytes
        raise UsageError(f"--evidence {new}", "is not there", "Name the folder that holds the files now")
    return os.path.abspath(path)  # noqa: PTH100 - paths are bytes


def _joined(folder: bytes, below: bytes) -> bytes:
    return folder.rstrip(b"/") + b"/" + below if below else folder
