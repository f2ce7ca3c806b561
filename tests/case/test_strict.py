from __future__ import annotations

import pytest

from forensic.case.strict import NUMBER, TEXT, WHOLE, check_each, check_types, parsed


def test_json_reads_as_usual() -> None:
    assert parsed('{"a": [1, 2.5, "x", null, true]}') == {"a": [1, 2.5, "x", None, True]}


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"a": Infinity}', "[-Infinity]", "[" * 100_000])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parsed(text)


def test_right_types_pass() -> None:
    check_types({"n": 1, "x": 2.0, "s": "t", "none": None}, {"n": WHOLE, "x": NUMBER}, frozenset({"n", "s"}))
    check_each(["a", "b"], TEXT)
    check_each({"a": 1, "b": 2.5}, NUMBER)


@pytest.mark.parametrize(
    "row",
    [
        [],
        "n",
        None,
        {},
        {"n": None},
        {"n": 1.0},
        {"n": True},
        {"n": "1"},
        {"n": 1, "s": 5},
        {"n": 1, "x": "2"},
    ],
)
def test_another_type_is_told(row: object) -> None:
    with pytest.raises(TypeError):
        check_types(row, {"n": WHOLE, "x": NUMBER}, frozenset({"n"}))


def test_a_number_without_end_is_told() -> None:
    with pytest.raises(ValueError, match="x is not finite"):
        check_types({"x": float("inf")}, {"x": NUMBER}, frozenset())
    with pytest.raises(ValueError, match="not finite"):
        check_each([1e999], NUMBER)


def test_each_value_counts() -> None:
    for values in ([1, "a"], {"k": None}, 5):
        with pytest.raises(TypeError):
            check_each(values, TEXT)
