from __future__ import annotations

import pytest

from forensic.calibration.scale import NONE, read_scale, scale_from_dict
from forensic.errors import UsageError


@pytest.mark.parametrize(
    ("llr", "words"),
    [
        (0.0, NONE),
        (0.5, "weak support"),
        (-0.5, "weak support"),
        (1.0, "moderate support"),
        (2.9999, "moderately strong support"),
        (3.0, "strong support"),
        (-5.0, "very strong support"),
        (9.0, "extremely strong support"),
    ],
)
def test_words_of_a_ratio_and_of_its_inverse(llr, words) -> None:
    assert read_scale().words(llr) == words


def test_a_laboratory_has_words_of_its_own(tmp_path) -> None:
    file = tmp_path / "scale.toml"
    file.write_text('name = "ours"\n[[steps]]\nfrom = 1\nwords = "some"\n[[steps]]\nfrom = 3\nwords = "more"\n')
    scale = read_scale(file)
    assert (scale.name, scale.words(0.4), scale.words(-0.6)) == ("ours", "some", "more")
    assert scale_from_dict(scale.to_dict(), "x") == scale


@pytest.mark.parametrize(
    "text",
    [
        "name = ",
        'name = "x"',
        'name = "x"\nsteps = []',
        'name = "x"\nsteps = [{from = 10, words = "a"}]',
        'name = "x"\nsteps = [{from = 1, words = "a"}, {from = 1, words = "b"}]',
        'name = "x"\nsteps = [{from = 1}]',
    ],
)
def test_what_is_no_scale_is_refused(tmp_path, text) -> None:
    file = tmp_path / "scale.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"scale\.toml: is no scale"):
        read_scale(file)
    with pytest.raises(UsageError, match="is no scale"):
        read_scale(tmp_path / "absent.toml")
