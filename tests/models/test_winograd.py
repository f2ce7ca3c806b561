"""Fewer multiplications, the same network: the sums against the plain filter, the network against the model."""

from __future__ import annotations

import copy

import pytest
import torch
from networks import seen_model

from forensic.models import winograd as filtering
from forensic.models.inference import FoldedNetwork
from forensic.models.predict import scaled
from forensic.models.weights import Weights, load_weights
from forensic.models.winograd import SHARE, WinogradNetwork


@pytest.fixture(scope="module")
def bundled() -> Weights:
    """The default weights."""
    return load_weights()


@pytest.fixture
def spectra(bundled: Weights, seeded) -> torch.Tensor:
    """A share of tiles behind the input layer of the default weights."""
    tiles = torch.from_numpy(seeded(1).integers(0, 256, (SHARE, 3, 128, 128), dtype="uint8"))
    with torch.inference_mode():
        return bundled.model.input_layer(scaled(tiles))


@pytest.mark.parametrize("taps", [2, 3])
def test_sums_and_products_are_the_plain_filter(taps: int) -> None:
    draws = torch.Generator().manual_seed(taps)
    rows = torch.randn(taps + 3, 7, generator=draws, dtype=torch.float64)
    kernel = torch.randn(taps, generator=draws, dtype=torch.float64)
    expected = [sum(kernel[tap] * rows[place + tap] for tap in range(taps)) for place in range(4)]
    sums, found, spare = torch.empty_like(rows), torch.empty(4, 7, dtype=torch.float64), torch.empty(6, 7).double()
    filtering._sum_rows(rows.unbind(), sums.unbind(), spare[4], spare[5])
    products = torch.tensor(filtering._TAPS[taps], dtype=torch.float64) @ kernel
    filtering._sum_products((products[:, None] * sums).unbind(), found.unbind(), spare[:4].unbind())
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("taps", [2, 3])
def test_what_is_added_at_one_is_added_to_all(taps: int) -> None:
    products = torch.zeros(taps + 3, 1)
    products[filtering._AT_ONE] = 5
    found, spare = torch.empty(4, 1), torch.empty(4, 1)
    filtering._sum_products(products.unbind(), found.unbind(), spare.unbind())
    assert found.flatten().tolist() == [5, 5, 5, 5]


@pytest.mark.parametrize(("side", "neck"), [(128, "conv1x1"), (64, "pool"), (48, "flatten"), (16, "flatten")])
@pytest.mark.parametrize("least", [1, 8, 1000])
def test_it_is_the_model(side: int, neck: str, least: int) -> None:
    """Sides where every layer takes four rows at once, where the last ones do not, and where none does."""
    made = seen_model(side, neck)
    images = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits, embeddings = WinogradNetwork(made, 3, 2, least_channels=least)(images)
        expected_logits, expected = made(images)
    torch.testing.assert_close(embeddings, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits, expected_logits, rtol=1e-4, atol=1e-5)


def test_it_errs_no_more_than_direct_convolutions_do(bundled, spectra) -> None:
    """Against float64; twice as much would still be rounding."""
    with torch.inference_mode():
        exact = copy.deepcopy(bundled.model).double().trunk(spectra.double())
        errors = [
            ((trunk(spectra) - exact).norm() / exact.norm()).item()
            for trunk in (WinogradNetwork(bundled.model, SHARE, 2).trunk, FoldedNetwork(bundled.model, 8).trunk)
        ]
    assert errors[0] < 2 * errors[1]


def test_bits_depend_neither_on_threads_nor_on_neighbours_nor_on_what_came_before(bundled, spectra) -> None:
    images = spectra.repeat(3, 1, 1, 1)
    found = []
    for threads in (1, 2, 3):
        network = WinogradNetwork(bundled.model, len(images), threads)
        with torch.inference_mode():
            found.append((network.trunk(images), *network(images)))
            network.trunk(torch.randn_like(images))
            assert torch.equal(network.trunk(images), found[-1][0])
            assert torch.equal(network(images[:SHARE])[0], found[-1][1][:SHARE])
    for one, two, three in zip(*found, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
        assert all(torch.equal(one[:SHARE], part) for part in one.split(SHARE))


def test_more_threads_than_workers_work_within_them(bundled, spectra, monkeypatch) -> None:
    monkeypatch.setattr(filtering, "MOST_WORKERS", 2)
    images = spectra.repeat(5, 1, 1, 1)
    with torch.inference_mode():
        expected = WinogradNetwork(bundled.model, len(images), 1)(images)
        found = WinogradNetwork(bundled.model, len(images), 5)(images)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_the_callers_torch_keeps_its_threads(bundled) -> None:
    before = torch.get_num_threads()
    WinogradNetwork(bundled.model, 2 * SHARE, 2)
    assert torch.get_num_threads() == before


def test_outputs_are_the_callers_own(bundled, spectra) -> None:
    network = WinogradNetwork(bundled.model, SHARE, 2)
    with torch.inference_mode():
        kept = network(spectra)
        before = [part.clone() for part in kept]
        network(torch.zeros_like(spectra))
    assert all(torch.equal(one, other) for one, other in zip(kept, before, strict=True))
