"""batch_hard_triplet: twin against a loop over anchors and recorded numbers, compiled kernels against the twin."""

from __future__ import annotations

import json
from pathlib import Path

import formulas
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from triplet_batches import float32_bound, on_grid, run, seeded

from forensic import kernels
from forensic.kernels import _triplet, backend, reference

OPTIONS = [(False, "mean"), (False, "sum"), (True, "mean"), (True, "sum")]


@pytest.fixture
def each(kernels: backend.Implementation) -> backend.Implementation:
    return kernels


def by_loops(z: np.ndarray, labels: np.ndarray, margin: float, squared: bool, reduction: str):
    """Loss and gradient by a loop over anchors with lists of positives and negatives; differences, no expansion."""
    n = len(z)
    gradient, total = np.zeros_like(z), 0.0
    share = 1 / n if reduction == "mean" else 1.0

    def distance(i, j):
        gap = 0.0 if i == j else max(float(((z[i] - z[j]) ** 2).sum()), 0.0)
        clamped = max(gap, 1e-12)
        return (clamped if squared else np.sqrt(clamped)), i != j and gap >= 1e-12

    for i in range(n):
        positives = [(j, *distance(i, j)) for j in range(n) if labels[j] == labels[i]]
        negatives = [(j, *distance(i, j)) for j in range(n) if labels[j] != labels[i]]
        if not negatives:
            continue
        farthest, nearest = max(d for _, d, _ in positives), min(d for _, d, _ in negatives)
        hinge = farthest - nearest + margin
        if hinge < 0:
            continue
        total += hinge * share
        for chosen, hardest, sign in ((positives, farthest, 1), (negatives, nearest, -1)):
            tied = [(j, moves) for j, d, moves in chosen if abs(d - hardest) <= 1e-13 * max(1, hardest)]
            for j, moves in tied:
                if moves:
                    pull = sign * share / len(tied) * (z[i] - z[j]) * (2 if squared else 1 / hardest)
                    gradient[i] += pull
                    gradient[j] -= pull
    return total, gradient


CASES = {
    "one row": seeded(1, 3, 1),
    "one pair of one class": seeded(2, 3, 1),
    "one pair of two classes": seeded(2, 3, 2),
    "every label different": seeded(7, 5, 7),
    "one class only": seeded(9, 4, 1),
    "one coordinate": seeded(40, 1, 4),
    "no coordinate": (torch.zeros(5, 0, dtype=torch.float64), torch.arange(5) % 2),
    "odd sizes": seeded(37, 19, 5),
    "a class with one row": (seeded(6, 4, 1)[0], torch.tensor([3, 3, -7, 3, 9, 9])),
    "many ties": on_grid(24, 3, 6, 2),
    "ties that are not listed": on_grid(120, 2, 3, 1),
    "all equal": (torch.full((8, 3), 0.25, dtype=torch.float64), torch.arange(8) % 2),
    "all beyond the margin": (torch.arange(8.0, dtype=torch.float64)[:, None] // 4 * 100, torch.arange(8) // 4),
    "as in training": seeded(240, 64, 30),
    "more than one chain of sums": seeded(50, 300, 6),
    "too many rows to keep all distances": seeded(1030, 3, 40),
    "too many rows, and ties that are not listed": on_grid(1030, 2, 3, 1),
}
LOOPED = [name for name, (z, _) in CASES.items() if len(z) <= 240]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("case", LOOPED)
def test_against_a_loop_over_anchors(each, case, options):
    z, labels = CASES[case]
    squared, reduction = options
    loss, gradient = run(each, z, labels, squared=squared, reduction=reduction)
    expected, slope = by_loops(z.numpy(), labels.numpy(), 0.3, squared, reduction)
    assert loss.shape == ()
    np.testing.assert_allclose(loss, expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-11 * max(1, np.abs(slope).max(initial=0)))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_float64_is_the_twin(compiled, case, options):
    z, labels = CASES[case]
    squared, reduction = options
    loss, gradient = run(compiled, z, labels, squared=squared, reduction=reduction)
    expected, slope = run(kernels.implementation("reference"), z, labels, squared=squared, reduction=reduction)
    assert (loss - expected).abs() <= 1e-12 * expected.abs().clamp(min=1)
    if gradient.numel():
        assert (gradient - slope).abs().max() <= 1e-12 * slope.abs().max().clamp(min=1)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), squared=st.booleans(), reduction=st.sampled_from(["mean", "sum"]))
def test_any_small_batch_on_a_grid(data, squared, reduction):
    """Coordinates in eighths: float64 distances before the root are exact, so ties are the same for all."""
    n, d = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 3))
    values = data.draw(st.lists(st.integers(-6, 6), min_size=n * d, max_size=n * d))
    labels = torch.tensor(data.draw(st.lists(st.integers(-2, 2), min_size=n, max_size=n)))
    margin = data.draw(st.sampled_from([0.0, 0.125, 0.3, 1.0]))
    z = torch.tensor(values, dtype=torch.float64).reshape(n, d) / 8
    options = {"margin": margin, "squared": squared, "reduction": reduction}
    loss, gradient = run(kernels.implementation("cpp"), z, labels, **options)
    expected, slope = by_loops(z.numpy(), labels.numpy(), margin, squared, reduction)
    np.testing.assert_allclose(loss, expected, rtol=1e-12, atol=1e-12)
    twin = run(kernels.implementation("reference"), z, labels, **options)
    np.testing.assert_allclose(gradient, twin[1], rtol=0, atol=1e-12)
    # A hinge of zero but for rounding may be open on one side and shut on the other: the loop subtracts exactly, too.
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(24, 8, 6), (50, 33, 5), (240, 512, 30)], ids=str)
def test_float32_error_is_bounded(compiled, shape):
    z, labels = seeded(*shape, dtype=torch.float32)
    loss, gradient = run(compiled, z, labels)
    expected, slope = run(kernels.implementation("reference"), z.double(), labels)
    bound = float32_bound(z)
    assert (loss.double() - expected).abs() <= 2 * bound
    # Each row meets few pairs, unit vectors times 1/N; the same hardest pairs are chosen in either precision.
    assert (gradient.double() - slope).abs().max() <= 2 * bound


def test_every_level_is_the_twin(isa):
    for z, labels in (seeded(61, 37, 7), on_grid(61, 3, 7, 2)):
        loss, gradient = run(kernels.implementation("cpp"), z, labels)
        expected, slope = run(kernels.implementation("reference"), z, labels)
        assert (loss - expected).abs() <= 1e-12, isa
        assert (gradient - slope).abs().max() <= 1e-12, isa


LAYOUTS = {
    "transposed": lambda z: z.T.contiguous().T,
    "every second row": lambda z: z.repeat_interleave(2, dim=0)[::2],
    "every second column": lambda z: z.repeat_interleave(2, dim=1)[:, ::2],
    "inside a larger one": lambda z: torch.nn.functional.pad(z, (1, 2, 3, 4))[3:-4, 1:-2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_strides_change_no_bit(compiled, layout):
    device = "cuda" if compiled.name == "cuda" else "cpu"
    z, labels = seeded(21, 10, 4, torch.float32)
    z, labels = z.to(device), labels.to(device)
    strided, spread = LAYOUTS[layout](z).detach().requires_grad_(), labels.repeat_interleave(3)[::3]
    plain = z.clone().requires_grad_()
    losses = compiled.batch_hard_triplet(strided, spread), compiled.batch_hard_triplet(plain, labels)
    assert torch.equal(*losses)
    assert torch.equal(torch.autograd.grad(losses[0], strided)[0], torch.autograd.grad(losses[1], plain)[0])


def test_order_of_the_batch_is_kept(compiled):
    z, labels = seeded(30, 6, 5)
    order = torch.from_numpy(np.random.default_rng(3).permutation(30))
    loss, gradient = run(compiled, z, labels)
    shuffled, moved = run(compiled, z[order], labels[order])
    np.testing.assert_allclose(shuffled, loss, rtol=1e-14)
    np.testing.assert_allclose(moved, gradient[order], rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_equal_embeddings_pass_no_gradient_and_no_nan(compiled, dtype):
    """PyTorch 37154 and 37237: the derivative of a distance at 0. Equal rows of one class, and of two classes."""
    z = torch.tensor([[0.3, 0.7, -1.1], [0.3, 0.7, -1.1], [0.3, 0.7, -1.1], [1.0, 0.1, 0.2]], dtype=dtype)
    labels = torch.tensor([0, 0, 1, 1])
    loss, gradient = run(compiled, z, labels)
    far = (z[3].double() - z[0].double()).norm()
    # anchors 0, 1: 1e-6 - 1e-6 + m; anchor 2: far - 1e-6 + m; anchor 3: far - far + m
    np.testing.assert_allclose(loss, (4 * 0.3 + far - 1e-6) / 4, rtol=1e-6)
    assert torch.isfinite(gradient).all()
    _, slope = run(kernels.implementation("reference"), z.double(), labels)
    np.testing.assert_allclose(gradient, slope, atol=1e-6)
    assert not run(compiled, z[:2], labels[:2])[1].any()


def test_nothing_active(compiled):
    """pytorch-metric-learning 107, tensorflow-addons 2447: 0/0 where no triplet is active."""
    z, labels = CASES["all beyond the margin"]
    loss, gradient = run(compiled, z, labels)
    assert loss == 0
    assert not gradient.any()
    loss, gradient = run(compiled, *CASES["one class only"])
    assert loss == 0
    assert not gradient.any()
    z, labels = CASES["every label different"]
    gaps = torch.cdist(z, z) + torch.eye(len(z), dtype=torch.float64) * 1e9
    loss, _ = run(compiled, z, labels)
    np.testing.assert_allclose(loss, (1e-6 - gaps.min(dim=1).values + 0.3).clamp(min=0).mean(), atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_an_empty_batch(each, reduction):
    loss, gradient = run(each, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), reduction=reduction)
    assert loss == 0
    assert gradient.shape == (0, 4)


def test_hinge_at_exactly_zero_passes_the_gradient(each):
    """Positive and negative both at distance 1, margin 0."""
    z, labels = torch.tensor([[0.0], [1.0], [-1.0]], dtype=torch.float64), torch.tensor([0, 0, 1])
    loss, gradient = run(each, z, labels, margin=0.0)
    # anchor 0: 1 - 1 + 0 = 0, pulls 0 and 1 together and 0 and 2 apart by 1/3 each; anchor 1: 1 - 2 < 0; anchor 2: < 0
    assert loss == 0
    np.testing.assert_allclose(gradient[:, 0], [-2 / 3, 1 / 3, 1 / 3], atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_nan_is_not_hidden(each, dtype):
    z, labels = seeded(10, 4, 3, dtype)
    z[4, 2] = float("nan")
    loss, gradient = run(each, z, labels)
    assert torch.isnan(loss)
    # Torch spreads it to the rows that the NaN was compared with, the kernels to all.
    seen = torch.isnan(gradient)
    assert seen.any() if each.name == "reference" else seen.all()


def test_infinite_embeddings_give_the_twins_loss(compiled):
    for value in (float("inf"), float("-inf")):
        z, labels = seeded(10, 4, 3)
        z[4, 2] = value
        loss, _ = run(compiled, z, labels)
        expected, _ = run(kernels.implementation("reference"), z, labels)
        assert loss.numpy().tobytes() == expected.numpy().tobytes() or (torch.isnan(loss) and torch.isnan(expected))


def test_gradcheck(compiled):
    device = "cuda" if compiled.name == "cuda" else "cpu"
    z, labels = seeded(7, 4, 3)
    z, labels = z.to(device).requires_grad_(), labels.to(device)
    for squared, reduction in OPTIONS:

        def loss(leaf, squared=squared, reduction=reduction):
            return compiled.batch_hard_triplet(leaf, labels, 0.3, squared, reduction)

        assert torch.autograd.gradcheck(loss, z)
        assert torch.autograd.gradgradcheck(loss, z)


def test_no_gradient_where_none_is_asked(compiled):
    device = "cuda" if compiled.name == "cuda" else "cpu"
    z, labels = seeded(20, 4, 3)
    plain = compiled.batch_hard_triplet(z.to(device), labels.to(device))
    assert not plain.requires_grad
    assert torch.equal(plain.cpu(), run(compiled, z, labels)[0])


def test_the_operator_is_well_formed():
    z, labels = seeded(9, 4, 3)
    arguments = (z.requires_grad_(), labels, 0.3, False, "mean", True)
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(_triplet._batch_hard_triplet, arguments, test_utils=checks)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.zeros((2, 2)), torch.zeros(2, dtype=torch.int64)), {}, TypeError, r"embeddings: expected a torch\.Tensor"),
        (
            (torch.zeros(2, 2, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)),
            {},
            TypeError,
            "embeddings: expected float32",
        ),
        ((torch.zeros(2, 2), torch.zeros(2)), {}, TypeError, "labels: expected int64, got float32"),
        ((torch.zeros(2), torch.zeros(2, dtype=torch.int64)), {}, ValueError, r"embeddings: expected shape \(N, D\)"),
        ((torch.zeros(2, 2), torch.zeros(3, dtype=torch.int64)), {}, ValueError, "labels: expected one for each of 2"),
        (
            (torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64)),
            {"reduction": "none"},
            ValueError,
            "reduction: expected",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        kernels.batch_hard_triplet(*arguments, **options)


# ---- recorded from the authors' module (tests/golden/README.md) ------------------------------------------------------


def recorded_batch(name: str, piece: dict) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(piece["z"], list):
        return np.array(piece["z"]), np.array(piece["labels"])
    if name == "hash_N24_D8":
        return formulas.u(21, 24, 8).numpy(), np.array(piece["labels"])
    if name == "grid_N24_D3_many_ties":
        return ((formulas.hashed(np.arange(72), 22) >> np.uint64(30)) / 4).reshape(24, 3), np.array(piece["labels"])
    assert name == "hash_N240_D512"
    rows = np.arange(240)
    return formulas.u(23, 240, 512).numpy(), np.where(rows < 120, rows % 15, 15 + (rows - 120) % 15)


RECORDED = (
    "hand4_2d", "square_ties", "three_positives_tied", "duplicates", "singleton_class", "hinge_inactive",
    "hash_N24_D8", "grid_N24_D3_many_ties", "hash_N240_D512",
)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RECORDED)
def test_golden_losses(each, golden: Path, name, dtype):
    pieces = json.loads((golden / "pieces.json").read_text())[dtype]["triplet"]
    assert set(pieces) == set(RECORDED)
    piece = pieces[name]
    z, labels = recorded_batch(name, piece)
    loss, gradient = run(each, torch.from_numpy(z).to(getattr(torch, dtype)), labels)
    close = {"rtol": 1e-9, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(loss, piece["value"], **close)
    np.testing.assert_allclose(gradient.double().norm(), piece["grad_norm"], **close)
    if "grad" in piece:
        np.testing.assert_allclose(gradient, piece["grad"], rtol=close["rtol"], atol=max(1e-12, 10 * close["atol"]))


@pytest.mark.parametrize("name", ["hand4_2d", "hash_N24_D8"])
def test_golden_equation_5(each, golden: Path, name):
    pieces = json.loads((golden / "pieces.json").read_text())["float64"]
    z, labels = recorded_batch(name, pieces["triplet"][name])
    loss, _ = run(each, torch.from_numpy(z), labels, squared=True, reduction="sum")
    expected = pieces["paper_forms_own_formula_not_the_authors_code"][name]["batch_hard_squared_sum"]
    np.testing.assert_allclose(loss, expected, rtol=1e-9)


def test_twin_keeps_the_diagonal_out(golden: Path):
    for piece in json.loads((golden / "pieces.json").read_text())["float64"]["triplet"].values():
        if "dist" in piece:
            distances = reference.pairwise_distances(torch.tensor(piece["z"], dtype=torch.float64))
            np.testing.assert_allclose(distances, piece["dist"], rtol=1e-9, atol=1e-12)
