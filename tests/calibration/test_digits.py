from __future__ import annotations

import pytest

from forensic.calibration.digits import ratio_in_digits


@pytest.mark.parametrize(
    ("llr", "told"), [(1.0, "10"), (-0.5, "0.32"), (306.0, "1e+306"), (1e22, "10^1e+22"), (-400.0, "10^-400")]
)
def test_a_ratio_in_digits_also_where_no_number_holds_it(llr, told) -> None:
    assert ratio_in_digits(llr) == told
