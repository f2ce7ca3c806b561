"""A case to its clusters, each with what can be said of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

import forensic
from forensic.data.look import LOOK
from forensic.discovery.clusters import DIRECTIONS, LEAST, MOST, NOISE, cluster, reduce
from forensic.discovery.groups import ALIKE, alike
from forensic.discovery.reading import gather
from forensic.errors import UsageError
from forensic.spectra.profile import RunningSpread, frequencies
from forensic.spectra.reading import BINS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from forensic.case.places import Places
    from forensic.case.reader import CaseReader
    from forensic.discovery.reading import Gathered, Rejected
    from forensic.models.card import Card
    from forensic.models.discriminant import Whitening

FORMAT = "forensic-discovery-1"
SHOWN = 24
"""Images on a contact sheet, one of each group that looks alike, nearest to the middle first."""
REPRESENTATIVES = 5
IS_NOT = (
    "A cluster is a hint for the eye and no finding. It holds images whose residual traces are alike: one generator "
    "can fall into several clusters, several can fall into one, and resizing, compression or a camera's own processing "
    "can make a cluster too. Nothing here says that images of a cluster come from one generator, or from any. "
    "What is called noise is in no cluster; it may belong to any source."
)


@dataclass(frozen=True)
class Cluster:
    """Images with like traces."""

    name: str
    """`unknown-1` and so on: the largest first, by groups, then images, then the least SHA-256."""
    members: list[Rejected]
    """In the order of their hashes."""
    groups: list[int]
    """Of each member the number of its group, within this cluster."""
    shown: list[int]
    """Places of members for the contact sheet; the first `REPRESENTATIVES` are the representatives."""
    nearest: list[tuple[str, int]]
    """Best known class of the members by the scan's score -> how many, most first."""
    spectrum: RunningSpread
    """Radial, of the members that have one in the case."""

    @property
    def count_groups(self) -> int:
        """Groups that look alike."""
        return len(set(self.groups))


@dataclass(frozen=True)
class Discovery:
    """What was found in a case."""

    gathered: Gathered
    clusters: list[Cluster]
    noise: list[Rejected]
    copies: int
    """Images of clusters that were dissolved into noise: too few pictures that do not look alike."""
    noise_groups: int
    k: int | None
    seed: int

    @property
    def noise_share(self) -> float | None:
        """Of the images that were clustered; None without any."""
        total = len(self.gathered.images)
        return len(self.noise) / total if total else None

    @property
    def sampled(self) -> int | None:
        """So many images were clustered themselves and the others assigned; None where all were."""
        return MOST if self.k is None and len(self.gathered.images) > MOST else None

    def named(self, name: str) -> Cluster:
        """The cluster of this name.

        Raises:
            UsageError: there is none.
        """
        for found in self.clusters:
            if found.name == name:
                return found
        there = f"There are unknown-1 to unknown-{len(self.clusters)}" if self.clusters else "There is none"
        raise UsageError(name, "is no cluster of this case", there)


def discover(
    case: CaseReader,
    places: Places,
    whitening: Whitening,
    preprocessing: str,
    *,
    k: int | None = None,
    seed: int = 0,
    workers: int = 2,
    on_file: Callable[[], None] = lambda: None,
) -> Discovery:
    """Cluster what a case rejected; the same for the same files, in whatever order the case has them.

    Args:
        case: complete or not.
        places: where its files lie now.
        whitening: of the weights.
        preprocessing: of the same weights.
        k: number of clusters; found by density where None.
        seed: of k-means, and of the sample above 50,000 images.
        workers: processes that decode.
        on_file: called after each file that is read.

    Raises:
        UsageError: k is larger than the number of images.
        MachineError: the decoder does not work on this machine.
    """
    gathered = gather(case, places, whitening, preprocessing, workers=workers, on_file=on_file)
    images = gathered.images
    if k is not None and k > len(images):
        raise UsageError(f"--k {k}", f"{len(images)} rejected images can be used", "Give fewer clusters, or no --k")
    points = reduce(gathered.places)
    labels = cluster(points, [image.sha256 for image in images], k=k, seed=seed)
    spectra = _spectra(case, {image.seq for image in images})
    found, copies = [], 0
    for label in sorted({int(label) for label in labels} - {NOISE}):
        rows = np.flatnonzero(labels == label)
        groups = alike([images[row].look for row in rows])
        if k is None and len(set(groups.tolist())) < LEAST:
            labels[rows] = NOISE
            copies += len(rows)
            continue
        found.append((rows, groups))
    found.sort(key=lambda entry: (-len(set(entry[1].tolist())), -len(entry[0]), images[entry[0][0]].sha256))
    clusters = [
        _cluster(f"unknown-{number}", [images[row] for row in rows], groups, points[rows], spectra)
        for number, (rows, groups) in enumerate(found, 1)
    ]
    noise = [images[row] for row in np.flatnonzero(labels == NOISE)]
    noise_groups = len(set(alike([image.look for image in noise]).tolist()))
    return Discovery(gathered, clusters, noise, copies, noise_groups, k, seed)


def _cluster(
    name: str,
    members: list[Rejected],
    groups: NDArray[np.int64],
    points: NDArray[np.float64],
    spectra: dict[int, NDArray[np.float32]],
) -> Cluster:
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups.tolist()))}
    within = [numbers[group] for group in groups.tolist()]
    far = ((points - points.mean(axis=0)) ** 2).sum(axis=1)
    shown: list[int] = []
    seen: set[int] = set()
    for place in np.argsort(far, kind="stable").tolist():
        if within[place] not in seen and len(shown) < SHOWN:
            seen.add(within[place])
            shown.append(place)
    nearest = Counter(image.nearest for image in members if image.nearest is not None)
    spectrum = RunningSpread(BINS)
    for image in members:
        if image.seq in spectra:
            spectrum.add(spectra[image.seq])
    ranked = sorted(nearest.items(), key=lambda entry: (-entry[1], entry[0]))
    return Cluster(name, members, within, shown, ranked, spectrum)


def _spectra(case: CaseReader, wanted: set[int]) -> dict[int, NDArray[np.float32]]:
    return {
        seq: np.array(artefacts.spectrum, dtype=np.float32)
        for seq, _, artefacts in case.rows()
        if seq in wanted and artefacts.spectrum is not None and len(artefacts.spectrum) == BINS
    }


def to_dict(found: Discovery, case: CaseReader, card: Card, weights: str) -> dict[str, Any]:
    """Everything for JSON.

    Args:
        found: of this case.
        case: as it was read.
        card: of the weights.
        weights: their name.
    """
    gathered = found.gathered
    return {
        "format": FORMAT,
        "is_not": IS_NOT,
        "remarks": remarks(found),
        "case": {"closing_digest": case.closing_digest, "complete": case.complete},
        "weights": {"name": weights, "hash": card.short_hash, "same_as_case": card.short_hash == case.header.weights},
        "method": method(found, card),
        "counts": {
            "rejected": gathered.findings,
            "duplicates": sum(len(image.also) for image in gathered.images),
            "left_out": len(gathered.left_out),
            "images": len(gathered.images),
            "clustered": sum(len(each.members) for each in found.clusters),
            "noise": len(found.noise),
            "noise_groups": found.noise_groups,
            "noise_share": found.noise_share,
            "dissolved": found.copies,
        },
        "frequencies": frequencies(BINS).tolist(),
        "clusters": [_told(each) for each in found.clusters],
        "noise": [_member(image) for image in found.noise],
        "left_out": [{"path": path, "reason": reason} for path, reason in gathered.left_out],
    }


def method(found: Discovery, card: Card) -> dict[str, Any]:
    """What was done, by name and value."""
    by_density = {"name": "hdbscan", "min_cluster_size": LEAST, "min_samples": LEAST, "sampled": found.sampled}
    return {
        "representation": "residual traces whitened within the training classes, mean over tiles",
        "preprocessing": card.preprocessing,
        "directions": DIRECTIONS,
        "clustering": by_density if found.k is None else {"name": "k-means", "k": found.k},
        "seed": found.seed,
        "look": LOOK,
        "alike_bits": ALIKE,
        "versions": {"forensic": forensic.__version__}
        | {name: metadata.version(name) for name in ("numpy", "scikit-learn", "torch")},
    }


def _told(each: Cluster) -> dict[str, Any]:
    spectrum = each.spectrum
    total = len(each.members)
    return {
        "name": each.name,
        "images": total,
        "groups": each.count_groups,
        "nearest": [{"class": name, "images": count, "share": count / total} for name, count in each.nearest],
        "representatives": [_member(each.members[place]) for place in each.shown[:REPRESENTATIVES]],
        "spectrum": {"images": spectrum.count, "mean": spectrum.mean.tolist(), "spread": spectrum.spread.tolist()}
        if spectrum.count
        else None,
        "members": [{**_member(image), "group": group} for image, group in zip(each.members, each.groups, strict=True)],
    }


def _member(image: Rejected) -> dict[str, Any]:
    also = {"also": list(image.also)} if image.also else {}
    exact = {} if image.path_b64 is None else {"path_b64": image.path_b64}
    return {"path": image.path, **exact, "sha256": image.sha256, "look": f"{image.look:016x}", **also}


def remarks(found: Discovery) -> list[str]:
    """What a reader must know of these clusters beside `IS_NOT`."""
    said = []
    if found.gathered.images and not found.clusters:
        said.append("No cluster was found.")
    if len(found.clusters) == 1 and found.k is None:
        said.append("There is one cluster only: nothing was told apart. That does not make it one source.")
    if found.copies:
        said.append(f"{found.copies} images lay together but show fewer than {LEAST} different images: no cluster.")
    if found.sampled is not None:
        said.append(f"{found.sampled} images, drawn by the seed, were clustered; the others were assigned to them.")
    return said


def paths_now(each: Cluster) -> Iterator[bytes]:
    """Where the files of a cluster lie now, absolute and exact, in the order of their hashes; of equal bytes one."""
    for image in each.members:
        yield image.opened
