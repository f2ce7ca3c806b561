"""`forensic provenance`: what files say of their own origin, apart from any verdict."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forensic import __version__
from forensic.cli import console
from forensic.errors import ExitCode, FileOutcome, MissingError, Skipped, UsageError

if TYPE_CHECKING:
    from forensic.provenance.claims import Claim, FileClaims
    from forensic.provenance.verification import TrustList

Format = Literal["table", "json", "jsonl"]
_SHOWN = 240
"""Characters of a value on a terminal; JSON has more."""
_STYLES = {"trusted": "green", "invalid": "red", "unreadable": "red", "absent": "dim"}
_WORDS = {
    "unsigned": "unsigned claim",
    "absent": "absent",
    "present-not-checked": "present, not checked",
    "invalid": "signed, invalid",
    "valid": "signed and valid, signer not on a trust list",
    "trusted": "signed and valid, signer on the trust list",
    "unreadable": "unreadable",
}


def provenance(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Images or folders; only ever read.")],
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Format | None, typer.Option(help="table on a terminal, else jsonl.")
    ] = None,
    c2pa_trust: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificates (PEM) that count as trusted for C2PA.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Warnings and errors only.")] = False,
) -> None:
    """Show what image files claim about their own origin, and how far that is signed.

    \b
    forensic provenance photo.jpg                            each claim, its place, its words
    forensic provenance folder/ --format jsonl > claims.jsonl
    forensic provenance photo.jpg --c2pa-trust anchors.pem   who signed, by a list of your own

    Reads C2PA manifests, IPTC's digital source type, texts of generators, tags of programs and devices, and labels of
    GB 45438-2025. Signatures are checked where c2pa-python is installed; no connection is ever opened. Claims can be
    forged and removed: they stand beside a verdict and never change one, and their absence means nothing.
    """
    console.set_quiet(quiet=quiet)
    from forensic.provenance.read import NOTICE
    from forensic.provenance.verification import is_installed

    trust = None if c2pa_trust is None else _trust_list(c2pa_trust)
    form = format or ("table" if console.is_terminal() else "jsonl")
    records = _records(files, trust)
    unread = total = unchecked = 0
    listed, tool = [], f"forensic {__version__}"
    for record, claims in records:
        total += 1
        unread += record["status"] == "unreadable"
        unchecked += any(
            claim["state"] == "present-not-checked" and claim["kind"] == "c2pa" for claim in record["claims"]
        )
        if form == "table":
            _show(record, claims)
        elif form == "jsonl":
            console.data(_json(record | {"notice": NOTICE, "tool": tool}))
            console.flush()
        else:
            listed.append(record)
    if not total:
        raise UsageError(console.safe(str(files[0])), "holds no image", "Name images, or a folder with some")
    if form == "json":
        console.data(_json({"notice": NOTICE, "tool": tool, "files": listed}))
    elif form == "table":
        console.stdout_text(f"{NOTICE} Read by {tool}.")
    if unchecked and not is_installed():
        console.warn(f"C2PA in {_files(unchecked)} not checked: pip install 'forensic-attribution[c2pa]'")
    if unread:
        console.talk(f"{unread} of {_files(total)} could not be read, or not to the end")
        raise typer.Exit(ExitCode.UNREADABLE)


def _trust_list(path: Path) -> TrustList:
    from forensic.case.evidence import reason_of
    from forensic.provenance.verification import read_trust_list

    name = console.safe(str(path))
    try:
        return read_trust_list(name, path.read_bytes())
    except OSError as error:
        raise MissingError(name, reason_of(error), "Give a file of certificates in PEM form") from None


def _records(files: list[Path], trust: TrustList | None) -> Iterator[tuple[dict[str, Any], FileClaims | None]]:
    """One record a file, in the order of a scan."""
    from forensic.case import evidence
    from forensic.case.rows import display_path
    from forensic.data.inspection import DecodeLimits
    from forensic.provenance.claims import to_dict
    from forensic.provenance.read import read_claims
    from forensic.scan.walk import Walk, roots_of_arguments

    for candidate in Walk(roots_of_arguments([os.fsencode(path) for path in files])):
        path, path_b64 = display_path(candidate.path)
        record: dict[str, Any] = {"path": path} | ({} if path_b64 is None else {"path_b64": path_b64})
        record |= {"status": "ok", "reason": None, "sha256": None, "bytes": None, "format": None}
        claims: FileClaims | None = None
        try:
            if candidate.outcome is not None:
                raise candidate.outcome
            found = evidence.read(candidate.opened, max_bytes=DecodeLimits().max_bytes, follow_links=False)
            record |= {"sha256": found.sha256, "bytes": found.bytes}
            claims = read_claims(found.data, trust)
            broken = claims.broken is not None
            record |= {"format": claims.format, "status": "unreadable" if broken else "ok", "reason": claims.broken}
        except FileOutcome as outcome:
            status = "skipped" if isinstance(outcome, Skipped) else "unreadable"
            record |= {"status": status, "reason": outcome.reason}
        record["claims"] = [] if claims is None else [to_dict(claim) for claim in claims.claims]
        record["other_texts"] = [] if claims is None else list(claims.other_texts)
        yield record, claims


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=True, allow_nan=False)


def _show(record: dict[str, Any], claims: FileClaims | None) -> None:
    console.stdout_text(f"Claims carried by the file {console.safe(record['path'])}", style="bold")
    if record["reason"] is not None:
        whole = "" if claims is None else " there may be more claims behind the damage;"
        console.stdout_text(f"  {record['status']}:{whole} {console.safe(record['reason'])}", style="red")
    for claim in () if claims is None else claims.claims:
        _show_claim(claim)
    if record["other_texts"]:
        console.stdout_text(f"  other texts, not read as claims: {console.safe(', '.join(record['other_texts']))}")
    console.stdout_text("")


def _show_claim(claim: Claim) -> None:
    console.stdout_text(f"  {claim.kind}: {_WORDS[claim.state]}", style=_STYLES.get(claim.state, ""))
    lines = [("says", claim.says), ("place", claim.place), ("reader", claim.reader)]
    if claim.value is not None:
        lines.insert(1, ("value", _shortened(claim)))
    lines += [("", detail) for detail in claim.details]
    for name, text in lines:
        console.stdout_text(f"    {name:7}{console.safe(text)}")


def _shortened(claim: Claim) -> str:
    value = claim.value or ""
    if len(value) <= _SHOWN:
        return value
    return f"{value[:_SHOWN]}… ({claim.value_bytes:,} bytes, sha256 {claim.value_sha256})"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
