from __future__ import annotations

import numpy as np
import pytest

from forensic.discovery.space import load_whitening
from forensic.errors import MissingError


def test_the_whitening_of_weights_with_traces(comparing_weights) -> None:
    card, whitening = load_whitening(comparing_weights)
    assert whitening.whitening.shape == (900, 900)
    assert whitening.means.shape == (card.num_trained, 900)
    assert np.isfinite(whitening.whitening).all()


def test_weights_without_traces_name_the_remedy(tiny_weights) -> None:
    with pytest.raises(MissingError, match="rescore --score traces"):
        load_whitening(tiny_weights)
