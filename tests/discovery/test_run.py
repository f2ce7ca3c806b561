"""A case to clusters: order, changes, copies, nothing at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic.case.ledger import open_case
from forensic.discovery import run as module
from forensic.discovery.reading import Gathered, Rejected
from forensic.discovery.run import Discovery, discover, paths_now, remarks, to_dict
from forensic.discovery.space import load_whitening
from forensic.errors import UsageError


def members(found: Discovery) -> dict[str, list[str]]:
    return {each.name: [image.sha256 for image in each.members] for each in found.clusters}


def test_clusters_are_named_by_size_and_the_sums_agree(
    folder, tmp_path, rejecting, discovered, comparing_weights
) -> None:
    case = rejecting(folder, tmp_path / "a.case")
    found = discovered(case, k=3)
    sizes = [(each.count_groups, len(each.members)) for each in found.clusters]
    assert [each.name for each in found.clusters] == ["unknown-1", "unknown-2", "unknown-3"]
    assert sizes == sorted(sizes, reverse=True)
    with open_case(case) as stored:
        told = json.loads(
            json.dumps(to_dict(found, stored, load_whitening(comparing_weights)[0], "w"), allow_nan=False)
        )
    counts = told["counts"]
    assert counts["rejected"] == counts["images"] + counts["duplicates"] + counts["left_out"] == 12
    assert counts["images"] == counts["clustered"] + counts["noise"] == sum(each["images"] for each in told["clusters"])
    assert told["weights"]["same_as_case"] is True
    for each in told["clusters"]:
        assert sum(entry["images"] for entry in each["nearest"]) == each["images"] == each["spectrum"]["images"]
        assert {member["group"] for member in each["members"]} == set(range(each["groups"]))


def test_names_and_order_of_files_do_not_matter(folder, tmp_path, rejecting, discovered) -> None:
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for number, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        shutil.copyfile(path, renamed / f"{number:02}.png")
    one = discovered(rejecting(folder, tmp_path / "a.case"), k=3)
    other = discovered(rejecting(renamed, tmp_path / "b.case"), k=3)
    assert members(one) == members(other)
    assert [each.shown for each in one.clusters] == [each.shown for each in other.clusters]


def test_a_changed_and_a_missing_file_are_left_out_and_named(folder, tmp_path, rejecting, discovered) -> None:
    case = rejecting(folder, tmp_path / "a.case")
    changed, missing, *_ = sorted(folder.iterdir())
    changed.write_bytes(changed.read_bytes() + b"\0")
    missing.unlink()
    found = discovered(case, k=2)
    reasons = {Path(path).name: reason for path, reason in found.gathered.left_out}
    assert set(reasons) == {changed.name, missing.name}
    assert "has another content" in reasons[changed.name]
    assert reasons[missing.name] == "is missing"
    assert len(found.gathered.images) == 10


def test_equal_bytes_count_once_and_evidence_may_have_moved(folder, tmp_path, rejecting, discovered) -> None:
    first = min(folder.iterdir())
    shutil.copyfile(first, folder / "zzz.png")
    case = rejecting(folder, tmp_path / "a.case")
    moved = folder.rename(tmp_path / "moved")
    found = discovered(case, (str(moved),), k=1)
    assert (found.gathered.findings, len(found.gathered.images)) == (13, 12)
    assert [(Path(image.path).name, len(image.also)) for image in found.gathered.images if image.also] == [
        (first.name, 1)
    ]
    assert {Path(path.decode()).parent for path in paths_now(found.clusters[0])} == {moved}


def test_a_case_that_rejected_nothing_has_no_cluster(folder, tmp_path, rejecting, discovered) -> None:
    found = discovered(rejecting(folder, tmp_path / "a.case", -1e9))
    assert (found.clusters, found.noise, found.noise_share, remarks(found)) == ([], [], None, [])
    with pytest.raises(UsageError, match="There is none"):
        found.named("unknown-1")


def test_one_image_is_noise_or_a_cluster_of_one(folder, tmp_path, rejecting, discovered) -> None:
    for path in sorted(folder.iterdir())[1:]:
        path.unlink()
    case = rejecting(folder, tmp_path / "a.case")
    found = discovered(case)
    assert (len(found.noise), found.noise_share, found.clusters) == (1, 1.0, [])
    assert remarks(found) == ["No cluster was found."]
    assert len(discovered(case, k=1).named("unknown-1").members) == 1
    with pytest.raises(UsageError, match="1 rejected images can be used"):
        discovered(case, k=2)


def made_up(looks: list[int], places: np.ndarray) -> Gathered:
    hashes = sorted(hashlib.sha256(bytes([number])).hexdigest() for number in range(len(looks)))
    images = [
        Rejected(sha256, f"{sha256}.png", None, (), b"", "PNG", "real", look, seq)
        for seq, (sha256, look) in enumerate(zip(hashes, looks, strict=True))
    ]
    return Gathered(images, places.astype(np.float32), [], len(looks))


def of_gathered(gathered: Gathered, monkeypatch: pytest.MonkeyPatch) -> Discovery:
    monkeypatch.setattr(module, "gather", lambda *_, **__: gathered)
    return discover(SimpleNamespace(rows=list), None, None, "")


def heaps(count: int, each: int) -> np.ndarray:
    draws = np.random.default_rng(2)
    return np.concatenate([20 * np.eye(10)[heap] + draws.normal(size=(each, 10)) for heap in range(count)])


def test_copies_of_few_pictures_are_no_cluster(monkeypatch) -> None:
    different = [int.from_bytes(hashlib.sha256(bytes([number])).digest()[:8]) for number in range(40)]
    places = heaps(2, 40)
    found = of_gathered(made_up([*different, *[5] * 40], places), monkeypatch)
    assert len(found.clusters) == 1
    assert found.copies > 30
    assert found.noise_groups <= 1 + len(found.noise) - found.copies
    assert "show fewer than 5 different images" in " ".join(remarks(found))
    assert "nothing was told apart" in " ".join(remarks(found))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=60, max_size=60, unique=True), st.integers(1, 4))
def test_every_image_is_in_one_place(looks: list[int], count: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        found = of_gathered(made_up(looks, heaps(count, 60 // count)), patch)
    seen = [image.sha256 for each in found.clusters for image in each.members] + [image.sha256 for image in found.noise]
    assert sorted(seen) == [image.sha256 for image in found.gathered.images]
    for each in found.clusters:
        shown = [each.groups[place] for place in each.shown]
        assert len(shown) == len(set(shown))
