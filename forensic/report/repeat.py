"""How another laboratory repeats the examination: commands made from what the case keeps, exact to the byte of a path.

They are told from the case's configuration and not from its process history, so that the report of a scan which was
interrupted says the same as that of one which was not.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forensic.engines.choice import named_in
from forensic.report.escaping import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forensic.case.rows import CaseHeader

_PATHS_SHOWN = 8
_LIMITS = (("max_pixels", "--max-pixels"), ("max_bytes", "--max-bytes"), ("timeout", "--timeout"))
_WORDS = (
    ("examiner", "--examiner"),
    ("case_number", "--case-number"),
    ("exhibit", "--exhibit"),
    ("question", "--question"),
    ("note", "--note"),
)


@dataclass(frozen=True)
class Repeat:
    """Section 7 of the first page, below the digest."""

    check: str
    """Command: the case against itself."""
    again: str
    """Command: every file hashed, decoded and scored again, wherever it lies."""
    anew: str
    """Command: the same scan into another case."""
    needs: tuple[str, ...]
    """What stands for what in the commands, and what has to be the same, a sentence each."""


def repeat_of(header: CaseHeader, given: Sequence[bytes], case_name: str, digest: str, *, complete: bool) -> Repeat:
    """The commands for a case.

    Args:
        header: of the case.
        given: the paths that the scan was given, exact bytes.
        case_name: file name of the case.
        digest: its closing digest, 64 hex digits; that of the last finding where it is not complete.
        complete: whether the scan came to its end.
    """
    case = shell_word(os.fsencode(case_name))
    expected = f" --expect-digest {digest}"
    weights = f" --weights {shell_word(os.fsencode(header.weights_name))}"
    return Repeat(
        check=f"forensic case verify {case} --level 0{expected}",
        again=f"forensic case verify {case} --level 3 --evidence DIR{weights}{expected}",
        anew=" ".join(["forensic scan", *_scan(header, given)]),
        needs=tuple(visible(said) for said in _needs(header, given, complete=complete)),
    )


def full_hash(header: CaseHeader) -> str:
    """SHA-256 of the weights, 64 hex digits, where the case keeps their card; else the digits it has."""
    kept = header.card.get("hash")
    return kept if isinstance(kept, str) and kept.startswith(header.weights) else header.weights


def shell_word(raw: bytes) -> str:
    r"""A word as a shell takes it: as it is, in quotes, or as $'\xff' where it holds what can not be read off paper."""
    text = os.fsdecode(raw)
    if visible(text) == text:
        return shlex.quote(text)
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}" for byte in raw)
    return f"$'{''.join(plain)}'"


def _scan(header: CaseHeader, given: Sequence[bytes]) -> Iterator[str]:
    configuration = header.configuration
    if len(given) > _PATHS_SHOWN:
        yield "--files-from LIST -0"
    else:
        paths = [shell_word(path) for path in given]
        yield from paths if not any(path.startswith("-") for path in paths) else ["--files-from LIST -0"]
    profile = configuration.get("profile", "standard")
    yield f"--case NEW.case --weights {shell_word(os.fsencode(header.weights_name))} --profile {profile}"
    yield f"--engine {named_in(str(configuration.get('engine', '')))} --device {configuration.get('device', 'cpu')}"
    yield from (f"{option} {configuration[name]}" for name, option in _LIMITS if name in configuration)
    yield from _choices(configuration, profile)
    for name, option in _WORDS:
        if said := getattr(header, name):
            yield f"{option} {shell_word(said.encode('utf-8', 'surrogateescape'))}"


def _choices(configuration: dict[str, Any], profile: Any) -> Iterator[str]:  # noqa: ANN401 - a JSON value
    """Options that are there or not."""
    threshold, thumbnails = configuration.get("threshold"), configuration.get("thumbnails")
    there = {
        "--calibration FILE": configuration.get("calibration"),
        f"--threshold={threshold!r}": threshold is not None,
        "--scores": configuration.get("scores") and profile != "court",
        f"--thumbnails {thumbnails}": thumbnails == "none" or (thumbnails and profile == "triage"),
        "--follow-links": configuration.get("follow_links"),
        "--skip-hashes HASHES": configuration.get("skip_hashes"),
        f"--shard {configuration.get('shard')}": configuration.get("shard"),
        f"--stability {configuration.get('stability')}": configuration.get("stability"),
        "--salvage": configuration.get("salvage"),
    }
    yield from (option for option, holds in there.items() if holds)
    yield from (f"--exclude {shell_word(os.fsencode(str(name)))}" for name in configuration.get("exclude") or ())


def _needs(header: CaseHeader, given: Sequence[bytes], *, complete: bool) -> Iterator[str]:
    configuration = header.configuration
    yield (
        f"Weights {header.weights_name}: a name where `forensic weights list` shows them, else their file; SHA-256 "
        f"{full_hash(header)}."
    )
    yield (
        "DIR: where the deepest folder that held all that was given to the scan is now: of one folder that folder "
        "itself, of one file the folder it lies in. Without --evidence the files are looked for where they lay."
    )
    if configuration.get("calibration"):
        yield f"FILE: the calibration with SHA-256 {configuration['calibration']}, as its line `hash` says."
    if configuration.get("skip_hashes"):
        sealed = configuration["skip_hashes"]
        yield f"HASHES: the list of hashes to skip; sorted, a line each, their SHA-256 is {sealed}."
    if len(given) > _PATHS_SHOWN or any(path.startswith(b"-") for path in given):
        yield "LIST: the paths that were given, ended by zero bytes, in the same form."
    digest = "the same digest" if complete else "the digest of the whole"
    yield (
        "The scan is done in a folder from which the paths read the same. With the versions, engine, kernels, "
        f"processor type and threads that stand under 6 it ends with {digest}. Where the last bits of a score differ, "
        "as they can between processors, so does the digest, and `forensic case diff` names what differs."
    )
