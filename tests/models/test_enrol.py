"""A class more and a class less, by real files."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from forensic.data import decode
from forensic.data.layouts import read_layout
from forensic.data.prepare import prepare
from forensic.errors import MissingError, UsageError, WeightsError
from forensic.models import enrol as subject
from forensic.models.card import Card
from forensic.models.discriminant import fit_whitening
from forensic.models.enrol import drawn_back, enrol, remove
from forensic.models.predict import Predictor, predict_images
from forensic.models.weights import load_weights, read_card, verify_weights
from forensic.spectra.profile import log_radial


def run(weights: Path, name: str, folder: Path, out: Path) -> Card:
    return enrol(weights, name, folder, out, profile=log_radial)


def decoded(path: Path) -> np.ndarray:
    return decode.decode(path.read_bytes(), name=path.name).pixels


def test_the_class_is_found_and_the_others_still_are(
    eight: Path, osma_mini_small: Path, write_dotted: Callable[..., Path], tmp_path: Path
) -> None:
    weights = load_weights(eight)
    layout = read_layout(osma_mini_small)

    def labels(paths: list[Path]) -> list[int]:
        tiles = ((path, prepare(decoded(path), weights.card.preprocessing).tiles) for path in paths)
        return [weights.scorer(*outputs).label for _, *outputs in predict_images(Predictor(weights), tiles)]

    assert labels(sorted(write_dotted(tmp_path / "more", range(100, 106)).iterdir())) == [7] * 6
    found = np.array(labels([sample.path for sample in layout.test]))
    expected = np.array([sample.label for sample in layout.test])
    assert (found == expected).mean() > 0.7
    assert (found != 7).all()
    assert verify_weights(eight) == weights.card.hash
    assert set(weights.spectra) == set(weights.card.classes)


def test_the_card_keeps_the_hash_of_every_image(eight: Path, of_traces: Path, dotted: Path) -> None:
    card = read_card(eight)
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in dotted.iterdir()}
    assert set(card.enrolled["dotted"]["files"]) == hashes
    assert all(card.enrolled_with(sha256) for sha256 in hashes)
    assert not card.enrolled_with("0" * 64)
    assert not read_card(of_traces).enrolled_with(min(hashes))


def test_the_card_says_what_was_done(eight: Path, of_traces: Path) -> None:
    card, before = read_card(eight), read_card(of_traces)
    assert card.classes == (*before.classes, "dotted")
    assert (card.num_classes, card.num_trained, card.before) == (8, 7, before.hash)
    assert (before.scorer, card.scorer) == ("traces", "traces-alone")
    entry = card.enrolled["dotted"]
    assert (entry["images"], entry["fitted_on"], entry["held_back"]) == (14, 7, 7)
    assert "without training" in entry["how"]
    assert entry["stored"]["held_back_named"] == 7
    assert entry["stored"]["known"] == card.metrics["stored"]["images"] == before.validated.images
    assert entry["stored"]["known_taken_for_it"] == 0
    assert "Enrolled, not trained: dotted (14 images)" in card.limits
    assert "the images of enrolled classes took no part" in card.threshold.chosen_by
    assert card.threshold.value != before.threshold.value


def test_removed_it_is_as_before(eight: Path, of_traces: Path, tmp_path: Path) -> None:
    out = tmp_path / "seven.safetensors"
    assert remove(eight, "dotted", out).hash == read_card(of_traces).hash
    assert out.read_bytes() == of_traces.read_bytes()
    assert out.with_suffix(".toml").read_bytes() == of_traces.with_suffix(".toml").read_bytes()


def test_two_classes_and_the_first_removed(
    eight: Path, of_traces: Path, write_dotted: Callable[..., Path], tmp_path: Path
) -> None:
    other = write_dotted(tmp_path / "images", range(10), period=4)
    both = run(eight, "denser", other, tmp_path / "nine.safetensors")
    assert tuple(both.enrolled) == ("dotted", "denser")
    assert both.enrolled["denser"]["stored"]["held_back_named"] >= 4
    verify_weights(tmp_path / "nine.safetensors")
    left = remove(tmp_path / "nine.safetensors", "dotted", tmp_path / "left.safetensors")
    alone = run(of_traces, "denser", other, tmp_path / "alone.safetensors")
    assert left.hash == alone.hash


def test_names_of_files_do_not_matter_and_equal_files_are_one(
    eight: Path, of_traces: Path, dotted: Path, tmp_path: Path
) -> None:
    for number, path in enumerate(sorted(dotted.iterdir(), reverse=True)):
        shutil.copy(path, tmp_path / f"{number}.png")
    shutil.copy(tmp_path / "0.png", tmp_path / "again.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    card = run(of_traces, "dotted", tmp_path, tmp_path / "out.safetensors")
    assert card.enrolled == read_card(eight).enrolled


def test_of_many_images_some_are_taken(of_traces: Path, dotted: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(subject, "MOST", 11)
    calls: list[tuple[int, int]] = []
    card = enrol(
        of_traces,
        "dotted",
        dotted,
        tmp_path / "out.safetensors",
        profile=log_radial,
        on_image=lambda *d: calls.append(d),
    )
    assert card.enrolled["dotted"]["images"] == 11
    assert calls == [(done, 11) for done in range(11)]


def test_what_is_refused(
    eight: Path, of_traces: Path, tiny_weights: Path, dotted: Path, osma_mini_small: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.safetensors"
    few, alike = tmp_path / "few", tmp_path / "alike"
    few.mkdir()
    for path in sorted(dotted.iterdir())[:9]:
        shutil.copy(path, few)
    with pytest.raises(UsageError, match="holds 9 different images that can be read; a class takes 10 to 200"):
        run(of_traces, "dotted", few, out)
    alike.mkdir()
    for number in range(12):
        image = np.full((128, 128, 3), 90, np.uint8)
        image[number] = 91
        cv2.imwrite(str(alike / f"{number}.png"), image)
    with pytest.raises(UsageError, match="shows 1 images only, in 12 files"):
        run(of_traces, "flat", alike, out)
    with pytest.raises(UsageError, match="class real: is known to seven already"):
        run(of_traces, "real", dotted, out)
    with pytest.raises(MissingError, match="can not be the name of a class"):
        run(of_traces, "a/b", dotted, out)
    with pytest.raises(WeightsError, match=r"keeps no covariance .*forensic weights rescore .* --score traces"):
        run(tiny_weights, "dotted", dotted, out)
    with pytest.raises(UsageError, match="holds validation images of the known class real"):
        run(of_traces, "photographs", osma_mini_small / "val", out)
    with pytest.raises(UsageError, match=r"class real: was trained: .*Only enrolled classes can be removed \(dotted\)"):
        remove(eight, "real", out)
    with pytest.raises(UsageError, match=r"class nobody: is not known to seven\. Enrolled are: none"):
        remove(of_traces, "nobody", out)
    assert not out.exists()


def test_validation_unknowns_that_become_known_leave_the_threshold(
    of_traces: Path, osma_mini_small: Path, tmp_path: Path
) -> None:
    before = read_card(of_traces)
    one = read_layout(osma_mini_small).val_unseen[0].source
    folder = tmp_path / "images"
    shutil.copytree(osma_mini_small / "val_unseen" / one, folder / one)
    shutil.copytree(osma_mini_small / "test_unseen", folder / "more")
    card = run(of_traces, "mixed", folder, tmp_path / "out.safetensors")
    assert len(card.enrolled["mixed"]["unknown_sources"]) == 1
    gone = sum(sample.source == one for sample in read_layout(osma_mini_small).val_unseen)
    assert card.validated.unknown == card.enrolled["mixed"]["stored"]["unknown"] == before.validated.unknown - gone


def test_a_mean_is_drawn_back_outside_the_plane_by_its_noise(seeded) -> None:
    draws = seeded(3)
    labels = np.repeat(np.arange(3), 40)
    features = draws.normal(0, 1, (120, 30)) + 3 * np.eye(3, 30)[labels]
    whitening = fit_whitening(features, labels, 3)
    matrix = whitening.whitening.astype(float)
    classes = whitening.means @ matrix
    spanned = np.linalg.qr((classes[1:] - classes[0]).T)[0]
    fixed = np.repeat(draws.normal(0, 2, (1, 30)), 4, axis=0)
    np.testing.assert_allclose(drawn_back(fixed, whitening), fixed[0], atol=1e-6)  # no scatter: the mean as it is
    rows = fixed + draws.normal(0, 0.5, (4, 30))
    found, plain = drawn_back(rows, whitening) @ matrix - classes[0], rows.mean(axis=0) @ matrix - classes[0]
    np.testing.assert_allclose(found @ spanned, plain @ spanned, atol=1e-6)
    outside, before = (gap - spanned @ (spanned.T @ gap) for gap in (found, plain))
    noise = (rows @ matrix).var(axis=0, ddof=1).sum() / 4
    np.testing.assert_allclose(outside, before * (1 - noise / (before @ before)), atol=1e-6)
    wild = draws.normal(0, 50, (4, 30))  # all noise: what is left lies in the plane
    assert np.linalg.norm(drawn_back(wild - wild.mean(axis=0), whitening)) < 10
