"""Each group of the features against its definition, and what must not move them."""

import numpy as np
import pytest
import torch

from forensic.traces.features import COLOURS, FEATURES, POSITIONS, SPECTRA, trace_features
from forensic.traces.residuals import FILTERS, residuals


@pytest.fixture(scope="module")
def tiles():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 128, 128), dtype=np.uint8))


@pytest.fixture(scope="module")
def planes(tiles):
    return residuals(tiles.double()).numpy()


@pytest.fixture(scope="module")
def found(tiles):
    return trace_features(tiles).double().numpy()


def test_positions_are_log_means_at_each_phase(found, planes):
    rows = found[:, :POSITIONS].reshape(3, 6, 3, 17)
    for row in range(4):
        for column in range(4):
            mean = np.abs(planes[..., row::4, column::4]).mean(axis=(3, 4))
            logs = rows[..., 0] + rows[..., 1 + 4 * row + column]
            np.testing.assert_allclose(logs, np.log(mean + 0.05), atol=1e-5)
    np.testing.assert_allclose(rows[..., 1:].mean(axis=3), 0, atol=1e-5)


def test_colours_are_correlations(found, planes):
    rows = found[:, POSITIONS : POSITIONS + COLOURS].reshape(3, 6, 3)
    for tile in range(3):
        for place in range(len(FILTERS)):
            expected = np.corrcoef(planes[tile, place].reshape(3, -1))
            np.testing.assert_allclose(rows[tile, place], [expected[0, 1], expected[0, 2], expected[1, 2]], atol=1e-5)


def test_spectra_are_block_means_of_log_power(found, planes):
    rows = found[:, POSITIONS + COLOURS :].reshape(3, 2, 24, 12)
    for place in (0, 1):
        mixed = planes[:, 4 + place].sum(axis=1)
        mixed = (mixed - mixed.mean(axis=(1, 2), keepdims=True)).clip(-30, 30)
        power = np.log(np.abs(np.fft.fft2(mixed)[:, :, :60]) ** 2 + 1)
        expected = power.reshape(3, 24, 5, 12, 5).mean(axis=(2, 4))
        np.testing.assert_allclose(rows[:, place], expected, atol=1e-3)


def test_a_tile_has_the_same_bits_alone_and_in_any_company(tiles, found):
    assert found.shape == (3, FEATURES) == (3, POSITIONS + COLOURS + SPECTRA)
    for place in range(3):
        alone = trace_features(tiles[place : place + 1]).double().numpy()
        np.testing.assert_array_equal(alone[0], found[place])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_bit(tiles, found, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        again = trace_features(tiles).double().numpy()
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(again, found)


def test_flat_tiles_are_finite_and_no_tiles_give_none():
    assert trace_features(torch.full((1, 3, 128, 128), 7, dtype=torch.uint8)).isfinite().all()
    assert trace_features(torch.zeros((0, 3, 128, 128), dtype=torch.uint8)).shape == (0, FEATURES)


def test_an_up_sampling_shows_in_the_positions():
    small = torch.randint(0, 256, (1, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    doubled = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    across = trace_features(doubled)[0, : 17 * 3].view(3, 17)[:, 1:].view(3, 4, 4)
    assert (across[:, :, 0] > across[:, :, 1] + 3).all()  # a pixel and its copy have no difference
    assert (across[:, :, 2] > across[:, :, 3] + 3).all()


def test_other_tiles_are_refused():
    with pytest.raises(TypeError, match="uint8"):
        trace_features(torch.zeros(1, 3, 128, 128))
    with pytest.raises(ValueError, match="128"):
        trace_features(torch.zeros((1, 3, 64, 128), dtype=torch.uint8))
