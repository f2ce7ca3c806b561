"""The files of a cluster, copied into a folder of their own, for `forensic weights enrol`.

Each is read once more, its hash checked again, and named after its hash: no name from evidence becomes a name of ours.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from forensic.case import evidence
from forensic.case.output import replacing
from forensic.data.inspection import DecodeLimits
from forensic.data.sample import IMAGE_SUFFIXES
from forensic.data.signatures import EXTENSIONS
from forensic.errors import FileOutcome, UsageError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from forensic.discovery.run import Cluster

_USUAL = {"JPEG": "jpg", "TIFF": "tif"}
_COPY = re.compile(r"[0-9a-f]{64}\.\w+|\.[0-9a-f]{64}\.\w+\.\w+\.part")
"""What a copy is called, and what it is called until it is whole."""


def check_folder(folder: Path, evidence_roots: Iterable[Path]) -> None:
    """Refuse a folder that copies must not go to, before work begins; one with copies is looked at by `copy_members`.

    Args:
        folder: need not exist; its parent must.
        evidence_roots: as `evidence.roots_of` gives them.

    Raises:
        UsageError: it holds something else than copies, is no folder, its parent is not there, or it lies in the
            evidence.
    """
    evidence.guard_output(folder, evidence_roots)
    if folder.exists() and not (folder.is_dir() and all(_COPY.fullmatch(path.name) for path in folder.iterdir())):
        raise UsageError(str(folder), "is there and not an empty folder", "Name a new folder")
    if not folder.resolve().parent.is_dir():
        raise UsageError(str(folder), "its parent folder does not exist", f"Make it with `mkdir -p {folder.parent}`")


def copy_members(found: Cluster, folder: Path, *, follow_links: bool = False) -> int:
    """Copy a cluster's files, of equal bytes one, and count them.

    Copies that are there already stay: as those of the same command that was killed while it copied.

    Args:
        found: the cluster.
        folder: as `check_folder` let it pass.
        follow_links: whether the scan followed links.

    Raises:
        UsageError: a file is there that is no copy of one of them.
        VerificationError: a file has another content than a moment ago; what was copied before it stays.
        MachineError: the disk is full or the folder can not be written to.
    """
    targets = {folder / f"{image.sha256}{suffix_of(image.format)}": image for image in found.members}
    folder.mkdir(exist_ok=True)
    there = _whole_copies(folder)
    if others := there - targets.keys():
        raise UsageError(str(folder), f"holds {min(others).name}, no copy of this cluster's", "Name a new folder")
    for target, image in targets.items():
        if target in there:
            continue
        try:
            read = evidence.read(image.opened, max_bytes=DecodeLimits().max_bytes, follow_links=follow_links)
        except FileOutcome as outcome:
            raise VerificationError(image.path, outcome.reason, "It was read a moment ago") from outcome
        if read.sha256 != image.sha256:
            raise VerificationError(image.path, f"has SHA-256 {read.sha256} now, not {image.sha256}")
        with replacing(target) as stream:
            stream.write(read.data)
    return len(found.members)


def _whole_copies(folder: Path) -> set[Path]:
    """Files that are there, each with its hash as name; hidden ones are left out.

    Raises:
        UsageError: one has another content than its name says.
    """
    copies = {path for path in folder.iterdir() if not path.name.startswith(".")}
    for path in copies:
        if not path.is_file() or _digest(path) != path.stem:
            raise UsageError(str(path), "is there and not what its name says", "Name a new folder")
    return copies


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def suffix_of(form: str) -> str:
    """The extension, with its dot, that a copy of this format gets; one that a training folder is read by."""
    known = sorted(f".{name}" for name in EXTENSIONS.get(form, ()) if f".{name}" in IMAGE_SUFFIXES)
    usual = f".{_USUAL.get(form, form.lower())}"
    return usual if usual in IMAGE_SUFFIXES or not known else known[0]
