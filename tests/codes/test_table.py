"""Every reason, flag, verdict and exit code that the program can give has one code that explains it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from forensic.calibration.weigh import FLAGS
from forensic.codes.table import code_of_reason, codes, find
from forensic.data.decode import decode
from forensic.data.exif_thumbnail import DIFFERS
from forensic.errors import ExitCode, FileOutcome
from forensic.scan.run import KNOWN_HASH, NOT_FINITE

PACKAGE = Path(__file__).resolve().parents[2] / "forensic"
OUTCOMES = ("Unreadable", "Skipped")
NUMBER = "7"
"""In the place of what a reason fills in."""
WORDS_OF_OTHERS = {
    "reason",
    "truncated",
    "reason_of(error)",
    "why_no_image(data)",
    "error.strerror or type(error).__name__",
    "finding.reason or ''",
    "KNOWN_HASH",
    "NOT_FINITE",
}
"""Reasons that are put together elsewhere; those below and the hostile files have examples of each."""


def words(node: ast.expr) -> list[str]:
    """The texts that an argument can be."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else NUMBER for part in node.values)]
    if isinstance(node, ast.IfExp):
        return words(node.body) + words(node.orelse)
    assert ast.unparse(node) in WORDS_OF_OTHERS, ast.unparse(node)
    return []


def reasons_in_the_code() -> list[str]:
    found = set()
    for room in ("data", "scan", "case"):
        for path in (PACKAGE / room).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in OUTCOMES:
                    found |= set(words(node.args[0]))
    assert len(found) > 60
    return sorted(found)


def test_every_reason_has_one_code() -> None:
    """A second pattern that fits would make the code a matter of order."""
    reasons = [
        *reasons_in_the_code(),
        KNOWN_HASH,
        NOT_FINITE,
        "permission denied (EACCES)",
        "input/output error (EIO)",
        "no such file",
        "JPEG 2000 images are not read",
        "content is not an image (unknown bytes)",
        "content is a PDF document, not an image",
    ]
    assert [reason for reason in reasons if code_of_reason(reason) is None] == []
    patterns = [code.pattern for code in codes() if code.pattern]
    fitting = {reason: [pattern for pattern in patterns if re.search(pattern, reason)] for reason in reasons}
    assert {reason: fits for reason, fits in fitting.items() if len(fits) != 1} == {}


def outcome_of(path: Path) -> tuple[tuple[str, ...], str | None]:
    """Flags and reason."""
    try:
        return decode(path.read_bytes(), name=path.name).flags, None
    except FileOutcome as outcome:
        return outcome.flags, outcome.reason


def test_hostile_files_have_codes(hostile: Path) -> None:
    seen = set()
    for path in sorted(path for path in hostile.iterdir() if path.is_file()):
        flags, reason = outcome_of(path)
        assert reason is None or code_of_reason(reason) is not None, (path.name, reason)
        for flag in flags:
            code = find(flag)
            assert code is not None, (path.name, flag)
            assert code.kind == "flag"
            seen.add(code.name)
    assert len(seen) > 5


@pytest.mark.parametrize("name", FLAGS)
def test_flags_of_a_calibration_have_codes(name: str) -> None:
    code = find(f"{name}=x")
    assert code is not None
    assert (code.kind, code.name) == ("flag", name)


def test_exit_codes_are_those_of_the_program() -> None:
    assert {int(code.name) for code in codes() if code.kind == "exit"} == {int(code) for code in ExitCode}


def test_names_are_unique_and_texts_are_sentences() -> None:
    names = [code.name for code in codes()]
    assert len(set(names)) == len(names)
    for code in codes():
        assert (code.pattern is not None) == (code.kind == "reason")
        for text in (code.means, code.follows, code.remedy):
            assert text is None or re.fullmatch(r"[A-Z-].*\.|--\S.*\.", text), (code.name, text)


def test_what_can_be_asked() -> None:
    assert find("duplicate-of=a/b.png").name == "duplicate-of"
    assert find(f"{DIFFERS}20/64").name == "thumbnail-differs"
    assert find("truncated").kind == "reason"
    assert find("truncated: the decoder reports a premature end of data").name == "truncated"
    assert find("3").kind == "exit"
    assert find("nothing of the kind") is None
