"""What a scan is for, as settings: a first look, everyday work, or findings for a court."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from forensic.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Profile:
    """Settings under the names of the options of `scan`."""

    name: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """In the place of the options' own; an option, the environment or a file wins."""
    pinned: Mapping[str, Any] = field(default_factory=dict)
    """No other value is taken."""
    required: tuple[str, ...] = ()
    """Must be said."""
    threads: int | None = None
    """Of the network; None takes what torch takes, and the last bits of a score may depend on their number."""

    def settle(self, values: Mapping[str, Any], given: frozenset[str]) -> dict[str, Any]:
        """The values that hold under this profile.

        Args:
            values: of all options that a profile may speak of.
            given: which of them stand on the command line, in the environment or in a file.

        Raises:
            UsageError: a pinned one has another value, or a required one is missing.
        """
        settled = dict(values) | {name: value for name, value in self.defaults.items() if name not in given}
        for name, value in self.pinned.items():
            if name in given and settled[name] != value:
                raise UsageError(
                    f"--profile {self.name}",
                    f"pins --{name} {value}, and {settled[name]} was asked for",
                    "Leave it out",
                )
            settled[name] = value
        if missing := [name for name in self.required if not settled.get(name)]:
            options = ", ".join("--" + name.replace("_", "-") for name in missing)
            raise UsageError(f"--profile {self.name}", f"needs {options}", "Say it, or put it into forensic.toml")
        return settled


PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile("triage", defaults={"engine": "auto", "thumbnails": "none"}),
        Profile("standard"),
        Profile(
            "court",
            defaults={"scores": True},
            pinned={"engine": "torch", "device": "cpu", "thumbnails": "full"},
            required=("case", "examiner", "case_number", "question"),
            threads=1,
        ),
    )
}
"""By name. Under all of them batches have one size, and a case goes on only with the decoders it was begun with."""
