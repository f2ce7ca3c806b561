from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import torch

from forensic.models import inference, predict
from forensic.models.feature_extractor import Architecture, InputTransform, TaskModel
from forensic.models.predict import Predictor, predict_images, scaled
from forensic.models.weights import Weights, load_weights
from forensic.traces.features import trace_features
from tests.conftest import make_tiny_weights


@pytest.fixture
def tiles(seeded) -> np.ndarray:
    return seeded(1).integers(0, 256, (21, 3, 128, 128), dtype=np.uint8)


@pytest.fixture
def predictor(tiny: Weights) -> Predictor:
    return Predictor(tiny, batch=8)


def bits(outputs) -> list[bytes]:
    return [np.ascontiguousarray(part).tobytes() for part in outputs]


def test_a_tile_never_meets_its_neighbours(predictor: Predictor, tiles) -> None:
    logits, embeddings = predictor(tiles)
    for place in (0, 7, 8, 20):
        assert bits(predictor(tiles[place : place + 1])) == bits((logits[place], embeddings[place]))
    order = np.random.default_rng(0).permutation(len(tiles))
    assert bits(predictor(tiles[order])) == bits((logits[order], embeddings[order]))


@pytest.mark.parametrize("fused", [True, False], ids=["oneDNN", "plain"])
def test_bits_depend_neither_on_the_batch_nor_with_one_dnn_on_threads(tiny: Weights, tiles, monkeypatch, fused) -> None:
    """A case that names no number of threads can be repeated on a machine with others."""
    if fused and not inference.has_fused_convolution():
        pytest.skip("needs an instruction set that this processor lacks, for oneDNN's fused convolution")
    for module in (predict, inference):
        monkeypatch.setattr(module, "has_fused_convolution", lambda: fused)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3) if fused else (2,):
            torch.set_num_threads(threads)
            made = Predictor(tiny)
            assert (made.batch, made.ahead) == (8 * threads, 8 * threads)
            found += [bits(made(tiles)), bits(Predictor(tiny, batch=9)(tiles))]
    finally:
        torch.set_num_threads(before)
    assert all(one == found[0] for one in found)


def test_it_is_the_model(predictor: Predictor, tiny: Weights, tiles) -> None:
    logits, embeddings = predictor(tiles[:3])
    images = torch.from_numpy(tiles[:3]).to(torch.float32) / 127.5 - 1
    with torch.no_grad():
        expected_logits, expected_embeddings = tiny.model(images)
    np.testing.assert_allclose(logits, expected_logits.numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(embeddings, expected_embeddings.numpy(), rtol=1e-3, atol=1e-4)
    assert logits.dtype == embeddings.dtype == np.float32


def test_an_augmenter_comes_first_on_scaled_images(tiny: Weights, tiles) -> None:
    half = torch.nn.Conv2d(3, 3, 1, groups=3, bias=False)
    half.weight.data.fill_(0.5)
    logits, embeddings = Predictor(tiny, batch=8, augmenter=half.requires_grad_(False))(tiles[:9])
    with torch.no_grad():
        expected_logits, expected_embeddings = tiny.model(0.5 * (torch.from_numpy(tiles[:9]).float() / 127.5 - 1))
    np.testing.assert_allclose(logits, expected_logits.numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(embeddings, expected_embeddings.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("transform", ["log-dct", "dct", "rgb"])
def test_block_means_of_the_spectrum_stand_behind_the_embedding(transform: InputTransform, tiles) -> None:
    architecture = Architecture(width=2, neck_channels=2, embedding_dim=8, input_transform=transform)
    model = TaskModel(3, architecture).eval()
    if transform == "log-dct":
        model.input_layer.mean += 0.5
        model.input_layer.std *= 3
    logits, features = Predictor(model, features="spectrum")(tiles[:9])
    plain = Predictor(model)(tiles[:9])
    assert bits(plain) == bits((logits, features[:, :8]))
    spectrum = scipy.fft.dctn(tiles[:9] / 127.5 - 1, axes=(2, 3), norm="ortho")
    values = np.log(np.abs(spectrum) + architecture.log_epsilon)
    values = (values - 0.5) / 3 if transform == "log-dct" else values
    for image in range(9):
        means = [
            values[image, channel, row : row + 32, column : column + 32].mean()
            for channel in range(3)
            for row in range(0, 128, 32)
            for column in range(0, 128, 32)
        ]
        np.testing.assert_allclose(features[image, 8:], means, rtol=1e-3, atol=1e-3)


def test_traces_stand_behind_the_block_means(tiles) -> None:
    model = TaskModel(3, Architecture(width=2, neck_channels=2, embedding_dim=8)).eval()
    found = Predictor(model, features="traces")(tiles[:9])[1]
    assert found[:, 8 + 48 :].tobytes() == trace_features(torch.from_numpy(tiles[:9])).numpy().tobytes()
    assert Predictor(model, features="spectrum")(tiles[:9])[1].tobytes() == found[:, : 8 + 48].tobytes()


def test_weights_get_the_features_that_their_score_needs(osma_mini_small: Path, tmp_path: Path, tiles) -> None:
    for kind, columns in (("traces", 16 + 48 + 900), ("combined", 16 + 48), ("relative", 16)):
        weights = load_weights(make_tiny_weights(tmp_path / f"{kind}.safetensors", osma_mini_small, score=kind))
        logits, features = Predictor(weights)(tiles[:3])
        assert features.shape == (3, columns)
        assert np.isfinite(weights.scorer(logits, features).score)
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(before + 1)
            again = Predictor(weights)(tiles[:3])[1]
            assert again[:, 16:].tobytes() == features[:, 16:].tobytes()
        finally:
            torch.set_num_threads(before)


def test_scaling_ends_at_one() -> None:
    assert scaled(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_no_tiles_no_rows(predictor: Predictor, tiny: Weights, tiles) -> None:
    logits, embeddings = predictor(tiles[:0])
    assert logits.shape == (0, tiny.card.num_classes)
    assert embeddings.shape == (0, 16)


def test_images_of_any_number_of_tiles(predictor: Predictor, tiles) -> None:
    cuts = [("a", tiles[:1]), ("b", tiles[1:12]), ("c", tiles[12:13]), ("d", tiles[13:21])]
    found = list(predict_images(predictor, iter(cuts)))
    assert [key for key, _, _ in found] == ["a", "b", "c", "d"]
    assert bits(np.concatenate([logits for _, logits, _ in found])) == bits(predictor(tiles)[0])
    for (_, part), (_, logits, embeddings) in zip(cuts, found, strict=True):
        assert bits(predictor(part)) == bits((logits, embeddings))
    assert list(predict_images(predictor, iter([]))) == []


def test_training_mode_is_refused(tiny: Weights, tiles) -> None:
    predictor = Predictor(tiny)
    tiny.model.train()
    try:
        with pytest.raises(RuntimeError, match="training mode"):
            predictor(tiles[:1])
    finally:
        tiny.model.eval()


@pytest.mark.parametrize(
    ("wrong", "kind", "told"),
    [
        (np.zeros((1, 3, 128, 128), np.float32), TypeError, "expected uint8, got float32"),
        (np.zeros((1, 128, 128, 3), np.uint8), ValueError, r"expected \(N, 3, 128, 128\), got \(1, 128, 128, 3\)"),
        (np.zeros((3, 128, 128), np.uint8), ValueError, "expected"),
    ],
)
def test_other_arrays_are_refused(predictor: Predictor, wrong, kind, told: str) -> None:
    with pytest.raises(kind, match=told):
        predictor(wrong)


@pytest.mark.cuda
def test_cuda_agrees_within_the_cards_tolerance(tiny_weights, tiles) -> None:
    from forensic.models.weights import load_weights

    weights = load_weights(tiny_weights)
    expected = weights.scorer(*Predictor(weights)(tiles))
    found = weights.scorer(*Predictor(weights, "cuda")(tiles))
    assert found.label == expected.label
    assert found.score == pytest.approx(expected.score, abs=weights.card.tolerance)
