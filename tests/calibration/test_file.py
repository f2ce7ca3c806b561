from __future__ import annotations

import pytest

from forensic.calibration.file import calibration_from_toml, calibration_to_toml, read_calibration
from forensic.errors import ExitCode, MissingError


@pytest.mark.parametrize("options", [{}, {"generators": 2}, {"known_alone": True}, {"unknown_mean": 5.0}])
def test_what_was_written_comes_back(make_calibration, tmp_path, options) -> None:
    made = make_calibration(**options)
    file = tmp_path / "x.calibration.toml"
    file.write_text(calibration_to_toml(made))
    back = read_calibration(file)
    assert back == made
    assert back.hash == made.hash
    assert len(back.hash) == 64
    assert calibration_to_toml(back) == file.read_text()


def test_a_file_that_was_changed_does_not_fit_its_hash(make_calibration) -> None:
    text = calibration_to_toml(make_calibration())
    with pytest.raises(MissingError, match="does not fit its hash") as raised:
        calibration_from_toml(text.replace("keep = 0.95", "keep = 0.96"), "x")
    assert raised.value.exit_code == ExitCode.MISSING == 5


@pytest.mark.parametrize(
    ("text", "reason"), [("a =", "is no calibration"), ("", "has no format line"), ("format = 2", "has format 2")]
)
def test_another_file_is_refused(text, reason) -> None:
    with pytest.raises(MissingError, match=reason):
        calibration_from_toml(text, "x")


def resealed(text: str) -> str:
    import hashlib
    import re

    body = re.sub(r'(?m)^hash = "[^"]*"\n', "", text, count=1)
    head, _, rest = body.partition("\n")
    return f'{head}\nhash = "{hashlib.sha256(body.encode()).hexdigest()}"\n{rest}'


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("keep = 0.95", "", "lacks the field keep"),
        ("keep = 0.95", 'keep = "much"', "of another kind"),
        ('format = 1\nweights = "', 'format = 1\nweights = 3 # "', "of another kind"),
        ("upper = ", "upper = -1 # ", "must hold 1 between them"),
    ],
)
def test_a_field_that_is_missing_or_of_another_kind_is_named(make_calibration, before, after, reason) -> None:
    text = calibration_to_toml(make_calibration())
    assert before in text
    with pytest.raises(MissingError, match=reason):
        calibration_from_toml(resealed(text.replace(before, after)), "x")


def test_a_file_of_an_earlier_version_counts_nothing_of_what_passes(make_calibration) -> None:
    made = make_calibration()
    text = calibration_to_toml(made)
    begun, ended = text.index("[taken."), text.index("[classes.")
    older = calibration_from_toml(resealed(text[:begun] + text[ended:]), "x")
    assert made.taken
    assert older.taken == {}
    assert (older.classes, older.files) == (made.classes, made.files)
    with pytest.raises(MissingError, match="shares of images must lie between 0 and 1"):
        calibration_from_toml(resealed(text.replace("known = 0.0", "known = 1.5", 1)), "x")


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(MissingError, match="no such file"):
        read_calibration(tmp_path / "absent.calibration.toml")
