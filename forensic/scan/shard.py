"""One part of a scan that several machines divide: `--shard 2/3`.

A file's part is told by its path below the argument it was found through, hashed: each machine decides by itself, a
file that one of them does not see moves no other, and parts are alike in size whatever the order of the names is.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass

from forensic.errors import UsageError

_FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """Part `number`, counted from 1, of `total`."""

    number: int
    total: int

    def __str__(self) -> str:
        """As it is given."""
        return f"{self.number}/{self.total}"

    def holds(self, root: bytes, relative: bytes) -> bool:
        """Whether a path belongs to this part.

        Args:
            root: absolute path of the argument.
            relative: path below it; empty where the argument is the file itself, whose name then counts.
        """
        name = relative or os.path.basename(root)  # noqa: PTH119 - paths are bytes
        return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") % self.total == self.number - 1


def shard_from(text: str) -> Shard:
    """The part that `I/N` names.

    Raises:
        UsageError: it is not of this form, or there is no such part.
    """
    match = _FORM.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {text}", "is no part", "Write 2/3 for the second part of three")
    return Shard(int(match[1]), int(match[2]))
