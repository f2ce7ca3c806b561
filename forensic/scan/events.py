"""What a scan tells while it runs: pushed after the commit, so that what was shown is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from forensic.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from forensic.case.rows import Counts, Finding

Outcome = Literal["done", "again", "interrupted"]
"""`again`: the case was complete already, nothing was scanned."""


@dataclass(frozen=True)
class Started:
    """The first event."""

    stored: int
    """Findings that the case has already; they come first."""
    weights_name: str


@dataclass(frozen=True)
class Found:
    """One finding, in path order."""

    finding: Finding


@dataclass(frozen=True)
class Summary:
    """What a scan came to."""

    outcome: Outcome
    counts: Counts
    other_files: int
    """Files below the folders that are no images."""
    unread_heic: int
    """HEIC pictures that could not be read for want of the decoder."""
    closing_digest: str
    """64 hex digits; of the last finding so far where the scan was interrupted."""
    case: Path | None
    salvaged: int = 0
    """Unreadable pictures of which a part was scored beside; in no count."""
    claiming: int = 0
    """Files that carry claims of their own origin; in no count."""
    as_real: int = 0
    """Findings attributed to class real."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """Of the weights, as a case keeps it; what stands beside class real is read from it."""
    own_threshold: bool = False
    """Whether a threshold took the place of the card's."""

    @property
    def exit_code(self) -> ExitCode:
        """0, 3 where something was unreadable, 130 where the scan was interrupted."""
        if self.outcome == "interrupted":
            return ExitCode.INTERRUPTED
        return ExitCode.UNREADABLE if self.counts.unreadable else ExitCode.DONE


@dataclass(frozen=True)
class Finished:
    """The last event."""

    summary: Summary


Event = Started | Found | Finished
