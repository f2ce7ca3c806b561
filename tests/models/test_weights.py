from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from forensic.errors import MissingError, VerificationError, WeightsError
from forensic.models.card import card_from_toml, card_to_toml, sealed
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.models.gaussians import Gaussians
from forensic.models.network_state import network_tensors
from forensic.models.scorer import SoftmaxScorer, StandardisedScorer
from forensic.models.weights import (
    Weights,
    find_weights,
    list_weights,
    load_weights,
    read_card,
    save_weights,
    verify_weights,
)


def reseal(path: Path, change) -> None:
    """Rewrites a pair with `change(tensors, card)` applied, and a hash that fits: foreign, not damaged."""
    card = card_from_toml(path.with_suffix(".toml").read_text(), "x")
    tensors = safetensors.numpy.load(path.read_bytes())
    tensors, card = change(tensors, card)
    blob = safetensors.numpy.save(tensors)
    path.write_bytes(blob)
    path.with_suffix(".toml").write_text(card_to_toml(sealed(card, blob)))


def test_the_card_takes_its_name_before_the_tensors(tiny: Weights, tmp_path: Path, monkeypatch) -> None:
    """Nobody finds the pair of a process that was killed between the two, and a repeated import knows it."""
    renamed: list[str] = []
    rename = Path.replace

    def stopped(path: Path, target: Path) -> Path:
        if renamed:
            raise KeyboardInterrupt
        renamed.append(target.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        save_weights(tmp_path / "a.safetensors", tiny.model, tiny.scorer, tiny.spectra, tiny.card)
    assert renamed == [path.name for path in tmp_path.iterdir()] == ["a.toml"]
    assert list_weights(tmp_path) == []


def test_saved_is_loaded_and_the_same_bytes_again(tiny: Weights, tmp_path: Path, tiny_weights: Path) -> None:
    out = tmp_path / "again.safetensors"
    card = save_weights(out, tiny.model, tiny.scorer, tiny.spectra, tiny.card)
    assert out.read_bytes() == tiny_weights.read_bytes()
    assert out.with_suffix(".toml").read_bytes() == tiny_weights.with_suffix(".toml").read_bytes()
    assert card.hash == tiny.card.hash == verify_weights(out)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["again.safetensors", "again.toml"]
    loaded = load_weights(out)
    assert loaded.name == "again"
    assert loaded.hash == tiny.hash == card.hash[:12]
    for name, value in network_tensors(loaded.model).items():
        np.testing.assert_array_equal(value, network_tensors(tiny.model)[name])


@pytest.mark.parametrize("architecture", [Architecture(), Architecture(width=64, neck_channels=48)])
def test_architectures_that_fit_the_budget(tiny: Weights, tmp_path: Path, architecture: Architecture) -> None:
    model = TaskModel(7, architecture)
    gaussians = {
        prefix: Gaussians(np.zeros((7, size), np.float32), np.eye(size, dtype=np.float32), *both)
        for prefix, size in (("", 512), ("spectrum_", 48))
        for both in [(np.zeros(size, np.float32), np.eye(size, dtype=np.float32))]
    }
    scorer = StandardisedScorer("combined", 7, 512, gaussians, np.tile([0.0, 1.0], 3))
    card = replace(
        tiny.card,
        scorer="combined",
        architecture={name: getattr(model.architecture, name) for name in tiny.card.architecture},
    )
    out = tmp_path / "default.safetensors"
    save_weights(out, model, scorer, tiny.spectra, card)
    assert out.stat().st_size + out.with_suffix(".toml").stat().st_size <= 16 * 1024 * 1024
    assert load_weights(out).model.architecture == architecture


def test_softmax_weights_are_loaded_as_such(tiny: Weights, tmp_path: Path) -> None:
    out = tmp_path / "soft.safetensors"
    scorer = SoftmaxScorer(len(tiny.card.classes), 16)
    card = replace(tiny.card, scorer="softmax", score=SoftmaxScorer.scale)
    save_weights(out, tiny.model, scorer, tiny.spectra, card)
    assert 'scorer = "softmax"' in out.with_suffix(".toml").read_text()
    assert "scorer.temperature" in safetensors.numpy.load(out.read_bytes())
    assert load_weights(out).scorer == scorer
    assert verify_weights(out) == read_card(out).hash
    with pytest.raises(ValueError, match="the card says sum, the scorer is of the kind softmax"):
        save_weights(tmp_path / "x.safetensors", tiny.model, scorer, tiny.spectra, tiny.card)


def test_spectra_belong_to_the_classes(tiny: Weights) -> None:
    assert list(tiny.spectra) == list(tiny.card.classes)
    for mean, spread in tiny.spectra.values():
        assert mean.shape == spread.shape == (64,)
        assert (spread >= 0).all()


@pytest.mark.parametrize("position", [0, 8, 200, -1])
def test_a_changed_byte_is_found(pair: Path, position: int) -> None:
    data = bytearray(pair.read_bytes())
    data[position] ^= 1
    pair.write_bytes(data)
    with pytest.raises(WeightsError, match="does not fit the hash in its card"):
        load_weights(pair)
    with pytest.raises(VerificationError, match="the card says"):
        verify_weights(pair)


def test_a_changed_threshold_is_found(pair: Path) -> None:
    card = pair.with_suffix(".toml")
    text = card.read_text()
    value = text.split("[threshold]\nvalue = ")[1].split("\n")[0]
    card.write_text(text.replace(value, "-100.0", 1))
    with pytest.raises(WeightsError, match="damaged or changed"):
        load_weights(pair)


@pytest.mark.parametrize("length", [0, 7, 100, 5000])
def test_a_truncated_file_is_refused(pair: Path, length: int) -> None:
    pair.write_bytes(pair.read_bytes()[:length])
    with pytest.raises(WeightsError):
        load_weights(pair)


def without(name):
    return lambda tensors, card: ({key: value for key, value in tensors.items() if key != name}, card)


def with_tensor(name, value):
    return lambda tensors, card: (tensors | {name: value}, card)


def with_card(**changes):
    return lambda tensors, card: (tensors, replace(card, **changes))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("scorer.means"), "scorer: means: missing"),
        (without("network.fc.bias"), "tensor network.fc.bias: missing"),
        (
            with_tensor("network.fc.bias", np.full(16, np.nan, np.float32)),
            "network.fc.bias has values that are not fin",
        ),
        (with_tensor("network.fc.bias", np.zeros(3, np.float32)), "tensor network.fc.bias: expected"),
        (with_tensor("network.extra", np.zeros(3, np.float32)), "tensor network.extra: unexpected"),
        (with_tensor("spectra.mean", np.zeros((2, 64), np.float32)), "spectra.mean: expected"),
        (with_card(classes=("real", "b")), "scorer: means: expected"),
        (with_card(architecture={"embedding_dim": 16, "layers": 3}), "architecture: "),
        (with_card(scorer="softmax"), "scorer: constants: unexpected for the kind softmax"),
        (with_card(scorer="entropy"), "scorer: the kind 'entropy' is unknown to this version"),
        (with_card(architecture={}), "scorer: the architecture's embedding_dim is None"),
        (with_card(preprocessing="tiles-999-v9"), "needs the preprocessing tiles-999-v9"),
    ],
)
def test_foreign_weights_are_refused_in_one_line(pair: Path, change, told: str) -> None:
    reseal(pair, change)
    with pytest.raises(WeightsError, match=told) as caught:
        load_weights(pair)
    assert str(caught.value).startswith(str(pair))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\xff" * 64, b"{}" * 40])
def test_no_safetensors_file_at_all(pair: Path, content: bytes) -> None:
    card = card_from_toml(pair.with_suffix(".toml").read_text(), "x")
    pair.write_bytes(content)
    pair.with_suffix(".toml").write_text(card_to_toml(sealed(card, content)))
    with pytest.raises(WeightsError, match="is no safetensors file"):
        load_weights(pair)


def test_without_a_card(pair: Path) -> None:
    pair.with_suffix(".toml").unlink()
    with pytest.raises(WeightsError, match=r"has no card: tiny\.toml is not beside it"):
        load_weights(pair)


def test_a_card_that_is_no_text(pair: Path) -> None:
    pair.with_suffix(".toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WeightsError, match="can not be read"):
        load_weights(pair)


def test_diverged_training_is_not_written(tiny: Weights, tmp_path: Path) -> None:
    model = TaskModel(7, Architecture(width=4, neck_channels=4, embedding_dim=16))
    with torch.no_grad():
        model.fc.weight[0, 0] = 1e6  # more than float16 holds
    with pytest.raises(WeightsError, match=r"network\.fc\.weight is not finite: the training has diverged"):
        save_weights(tmp_path / "x.safetensors", model, tiny.scorer, tiny.spectra, tiny.card)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_at_the_card_leaves_no_tensors(
    tiny: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = os.fsync

    def full_at_the_second(handle: int) -> None:
        if len(list(tmp_path.iterdir())) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synced(handle)

    monkeypatch.setattr(os, "fsync", full_at_the_second)
    with pytest.raises(OSError, match="No space left"):
        save_weights(tmp_path / "x.safetensors", tiny.model, tiny.scorer, tiny.spectra, tiny.card)
    assert list(tmp_path.iterdir()) == []


def test_names_and_paths(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pair.parent
    assert find_weights(pair) == pair
    assert find_weights(pair.with_suffix(".toml")) == pair
    assert find_weights(str(pair)) == pair
    assert find_weights("tiny", folder=folder) == pair
    assert find_weights(None, folder=folder) == pair  # the only one there
    monkeypatch.chdir(folder)
    assert find_weights("tiny.safetensors").resolve() == pair
    with pytest.raises(MissingError, match="weights nope: bundled are tiny"):
        find_weights("nope", folder=folder)
    with pytest.raises(MissingError, match="no such weights file"):
        find_weights(folder / "nope.safetensors")
    with pytest.raises(MissingError, match="no weights are bundled"):
        find_weights(None, folder=folder / "empty")


def test_listing_marks_the_default_and_names_what_is_broken(pair: Path) -> None:
    folder = pair.parent
    for name in ("osma-mini", "broken"):
        for suffix in (".safetensors", ".toml"):
            shutil.copy(pair.with_suffix(suffix), folder / f"{name}{suffix}")
    (folder / "broken.toml").write_text("format = 99\n")
    listed = {entry.name: entry for entry in list_weights(folder)}
    assert list(listed) == ["broken", "osma-mini", "tiny"]
    assert [name for name, entry in listed.items() if entry.default] == ["osma-mini"]
    assert listed["broken"].card is None
    assert "format 99" in listed["broken"].problem
    assert listed["tiny"].card == read_card(pair)


def test_bundled_weights_are_whole_and_one_is_the_default() -> None:
    listed = list_weights()
    assert sum(entry.default for entry in listed) == 1
    for entry in listed:
        assert entry.problem is None
        assert entry.size <= 16 * 1024 * 1024
        assert verify_weights(entry.path) == read_card(entry.path).hash
        assert load_weights(entry.name).model.num_classes == len(read_card(entry.path).classes)
