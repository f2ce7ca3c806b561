"""A step of training beside a plain torch composition of the same step, then the time to a quality.

Equality first: losses of the first step and all parameters after a few, from equal states, dropout off. Then rivals
take turns in one process with the same threads; a ratio is the median over rounds of paired ratios. The time to a
quality is the steps of the curves in docs/runs times the measured step.

python tests/bench/bench_train.py [--rounds 5] [--threads 2] [--recipe reference] [--data ../shared/osma-mini]
    [--device cuda]
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from curves import Pace, show_time_to_quality
from interleaving import interleaved
from plain_pose import DCT, Options, PlainAugmenter, PlainPose
from torch import Tensor, nn

from forensic import kernels
from forensic.data.cache import read_training_images
from forensic.data.layouts import read_layout
from forensic.data.loader import BatchLoader, Reencoding
from forensic.data.sampler import ClassBalancedSampler
from forensic.models.predict import scaled
from forensic.train.config import RECIPES, Recipe
from forensic.train.graphs import Stepper
from forensic.train.history import OldAugmenters
from forensic.train.precision import settle
from forensic.train.spectrum_statistics import fit_spectrum_statistics
from forensic.train.state import TrainingState
from forensic.train.step import TERMS, warm_up

OURS = "ours"
CLASSES, ITEMS = 7, 8
"""osma-mini's classes and the recipes' items: 56 images a batch."""
OLD = 7
"""Augmenters of earlier epochs in a later epoch. Of seven, the two draws of `reference` agree as often as they do on
the average over a run of 30 epochs."""
BARS = {"reference": 1.15, "forensic": 1.5}
"""What a step of each recipe is to be faster by, on two cores."""


@dataclass
class Data:
    """One batch, and what it costs to make one."""

    name: str
    x: Tensor
    y: Tensor
    load: Callable[[Recipe], float]
    """Seconds to read a batch from memory, with the recipe's share of re-encoded images."""
    fit: Callable[[TrainingState, Recipe], None]
    """Statistics of the input layer."""


def read_data(root: Path, device: torch.device) -> Data:
    """Eight images a class of the benchmark, or made ones where it is not there."""
    if not (root / "classes.yaml").is_file():
        x = torch.rand(CLASSES * ITEMS, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
        y = torch.arange(CLASSES).repeat(ITEMS)
        return Data("made images", x.to(device), y.to(device), lambda _: 0.0, lambda *_: None)
    layout = read_layout(root)
    chosen = [
        sample
        for label in range(len(layout.classes))
        for sample in [one for one in layout.train if one.label == label][:ITEMS]
    ]
    images = read_training_images(chosen, layout.preprocessing)
    batch = ClassBalancedSampler([one.label for one in images.samples], len(layout.classes), ITEMS, 0).batches(0)[0]

    def loader(recipe: Recipe) -> BatchLoader:
        how = Reencoding(recipe.jpeg_share, recipe.jpeg_quality_min, recipe.jpeg_quality_max)
        return BatchLoader(images, 0, recipe.architecture.size, how)

    def load(recipe: Recipe) -> float:
        source, times = loader(recipe), []
        for index in range(5):
            start = time.perf_counter()
            source.load(batch, index)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    def fit(state: TrainingState, recipe: Recipe) -> None:
        fit_spectrum_statistics(state.model, loader(recipe), images, len(images), device)

    x = scaled(torch.from_numpy(loader(RECIPES["reference"]).load(batch, 0)).to(device))
    return Data(str(root), x, torch.from_numpy(batch.labels).to(device), load, fit)


class Cycle:
    """Draws that two rivals can be given alike."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, count: int) -> int:
        self.calls += 1
        return (5 * self.calls) % count


class Ours:
    """The classes that `forensic train` uses, in an epoch with so many old augmenters."""

    def __init__(self, recipe: Recipe, old: int, data: Data, dtype: torch.dtype = torch.float32) -> None:
        self.recipe = recipe
        self.state = TrainingState(CLASSES, recipe, 0, data.x.device)
        self.state.model.to(dtype)
        data.fit(self.state, recipe)
        self.state.old = OldAugmenters(Cycle())
        for _ in range(old):
            self.state.begin_epoch().new[0].augmenter.to(dtype)
            self.state.end_epoch()
        self.state.set_mode(old)
        self.learners = self.state.begin_epoch()
        self.learners.new[0].augmenter.to(dtype)
        rates = {self.learners.model_optimizer: recipe.lr, self.learners.new[0].optimizer: recipe.augmenter_lr}
        for optimizer, rate in rates.items():
            optimizer.param_groups[0]["lr"] = rate
        self.stepper = Stepper(self.learners, recipe, self.state.masks)

    def step(self, x: Tensor, y: Tensor) -> dict[str, float]:
        with settings_of_a_run():
            values = self.stepper.step(x, y)
        return dict(zip(TERMS, values.tolist(), strict=True))

    def warm_up(self, x: Tensor) -> None:
        with settings_of_a_run():
            warm_up(self.learners, x)

    @property
    def parameters(self) -> dict[str, Tensor]:
        modules = {"model": self.state.model, "augmenter": self.learners.new[0].augmenter}
        return {f"{key}.{name}": p for key, module in modules.items() for name, p in module.named_parameters()}


@contextmanager
def settings_of_a_run() -> Iterator[None]:
    """What `forensic train` sets; the plain program runs with torch's defaults."""
    torch.use_deterministic_algorithms(mode=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = True
        torch.use_deterministic_algorithms(mode=False)


def plain_twin(ours: Ours, options: Options) -> PlainPose:
    """The plain program in the state that ours is in."""
    recipe, model = ours.recipe, ours.state.model
    program = "authors" if recipe.name == "reference" else "ours"
    augmented = None if program == "authors" else recipe.augmented_items * CLASSES
    plain = PlainPose(program, CLASSES, options, augmented, Cycle(), recipe.architecture.width)
    where = next(model.parameters())
    for module in (plain.model, plain.new):
        module.to(where)
    plain.mean, plain.std = plain.mean.to(where), plain.std.to(where)
    for mine, other in zip(model.state_dict().items(), _state(plain, model), strict=True):
        other.copy_(mine[1])
    for place in range(len(ours.state.old)):
        plain.olds.append(_copied(ours.state.old[place]).to(where).requires_grad_(requires_grad=False))
    plain.new.load_state_dict(_copied(ours.learners.new[0].augmenter).state_dict())
    plain.model.train(model.training)
    plain.model.dropout.p = recipe.architecture.dropout
    return plain


def _state(plain: PlainPose, model: nn.Module) -> list[Tensor]:
    """Tensors of the plain program in the order of our state; ours begins with the input layer's statistics."""
    own = list(plain.model.state_dict().values())
    return [plain.mean, plain.std, *own] if "input_layer.mean" in model.state_dict() else own


def _copied(augmenter: nn.Module) -> PlainAugmenter:
    copy_ = PlainAugmenter().double()
    with torch.no_grad():
        for mine, other in zip(augmenter.parameters(), copy_.parameters(), strict=True):
            other.copy_(mine)
    return copy_


def check_equal(recipe: Recipe, old: int, data: Data, options: Options) -> str:
    """Both from one state on a quarter of the batch, dropout off: a narrow network in float64, the real one in float32.

    Returns:
        What was found, in words.

    Raises:
        AssertionError: they differ by more than the arithmetic explains.
    """
    recipe = replace(recipe, augmented_items=min(recipe.augmented_items, 2), precision="float32")
    narrow = replace(recipe, architecture=replace(recipe.architecture, dropout=0.0, width=8))
    loss, way = _differences(narrow, old, data, options, torch.float64)
    assert loss < 1e-9, (recipe.name, loss)
    assert way < 1e-6, (recipe.name, way)
    real = replace(recipe, architecture=replace(recipe.architecture, dropout=0.0))
    loss32, way32 = _differences(real, old, data, options, torch.float32)
    assert loss32 < 1e-4, (recipe.name, loss32)  # batch norm over 14 images carries rounding of the first block on
    assert way32 < 0.2, (recipe.name, way32)  # Adam's first steps are signs: entries near 0 may differ in theirs
    return f"equal to {loss:.0e} of the losses and {way:.0e} of a step's length (float32: {loss32:.0e}, {way32:.0e})"


def _differences(
    recipe: Recipe, old: int, data: Data, options: Options, dtype: torch.dtype, steps: int = 3
) -> tuple[float, float]:
    """Largest relative difference of a loss in the first step, and of all parameters after a few, as a share of the way
    they went."""
    x, y = data.x[: 2 * CLASSES].to(dtype), data.y[: 2 * CLASSES]
    ours = Ours(recipe, old, data, dtype)
    plain = plain_twin(ours, options)
    start = {name: value.detach().clone() for name, value in ours.parameters.items()}
    loss = 0.0
    for step in range(steps):
        mine, theirs = ours.step(x, y), plain.step(x, y)
        if step == 0:
            loss = max(abs(mine[name] - value) / abs(value) for name, value in theirs.items())
    others = [*plain.model.parameters(), *plain.new.parameters()]
    apart = went = 0.0
    for (name, mine), other in zip(ours.parameters.items(), others, strict=True):
        if ours.state.model.training and name.startswith("model.trunk") and name.endswith(".0.bias"):
            continue  # no gradient in front of batch norm but rounding, which Adam blows up to whole steps
        apart += float((mine - other).detach().square().sum())
        went += float((mine - start[name]).detach().square().sum())
    return loss, math.sqrt(apart / went)


def fastest_options(x: Tensor) -> Options:
    """What serves the plain program best on the device of x, but for its memory layout, which whole steps decide."""
    finish = finish_of(x.device)
    times = interleaved({name: lambda f=f: f(x) for name, f in DCT.items()}, 5, finish)
    dct = min(times, key=lambda name: statistics.median(times[name]))
    shapes = [(512, 32768), *[(64,)] * 30]
    weights = [nn.Parameter(torch.zeros(shape, device=x.device)) for shape in shapes]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    adams = {fused: torch.optim.Adam(weights, lr=1e-4, fused=fused) for fused in (True, False)}
    steps = interleaved({str(fused): adam.step for fused, adam in adams.items()}, 3, finish)
    fused = statistics.median(steps["True"]) < statistics.median(steps["False"])
    return Options(dct=dct, fused_adam=fused)


def finish_of(device: torch.device) -> Callable[[], object]:
    """Waits for what is queued there."""
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None


@dataclass(frozen=True)
class Compared:
    """Seconds of our step and of the fastest plain one, and the median of their paired ratios."""

    ours: float
    plain: float
    ratio: float
    wide: float | None = None
    """Our step in float32, where ours is in bfloat16."""


def compare(title: str, recipe: Recipe, old: int, data: Data, plain: Options, rounds: int) -> Compared:
    """Times of rivals, printed: ours and the plain program, in each memory layout and in the precision of ours."""
    with torch.backends.cudnn.flags(allow_tf32=False):
        found = check_equal(recipe, old, data, plain)
    ours = Ours(recipe, old, data)
    rivals: dict[str, Callable[[], object]] = {OURS: lambda: ours.step(data.x, data.y)}
    options = [replace(plain, channels_last=channels_last) for channels_last in (True, False)]
    if recipe.precision == "bfloat16":
        wide = Ours(replace(recipe, precision="float32"), old, data)
        rivals["forensic, float32"] = lambda: wide.step(data.x, data.y)
        options.append(replace(plain, bfloat16=True))
    for each in options:
        twin = plain_twin(ours, each)
        rivals[f"plain torch, {twin.options}"] = lambda twin=twin: twin.step(data.x, data.y)
    times = interleaved(rivals, rounds, finish_of(data.x.device))
    print(f"{title}; {found}")
    rows = {}
    for name, seconds in times.items():
        paired = sorted(b / a for a, b in zip(times[OURS], seconds, strict=True))
        rows[name] = Compared(*(statistics.median(each) for each in (times[OURS], seconds, paired)))
        spread = f"({paired[0]:.2f}..{paired[-1]:.2f})"
        label = f"forensic, {recipe.precision}" if name == OURS else name
        print(f"  {label:<70}{1e3 * rows[name].plain:8.1f} ms {rows[name].ratio:6.2f}x  {spread}", flush=True)
    fastest = min((row for name, row in rows.items() if name.startswith("plain")), key=lambda row: row.ratio)
    return replace(fastest, wide=rows["forensic, float32"].plain) if recipe.precision == "bfloat16" else fastest


def processor() -> str:
    """Its model, as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores seen" if names else platform.machine()


def show_paper_scale(paces: dict[str, Pace]) -> None:
    """The paper's run at the pace of this machine: 509 steps of 120 images an epoch, 30 epochs."""
    print("the paper's 60,000 images, 30 epochs of 509 steps of 120 images: arithmetic from the steps above, not a run")
    for name, pace in paces.items():
        seconds = 120 / (CLASSES * ITEMS) * 509 * (pace.first + 29 * pace.later) + 30 * pace.epoch
        title = "plain program of reference" if name == "plain" else name
        print(f"  {title:<28}{seconds / 86400:8.3f} days")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recipe", choices=sorted(BARS), help="one of them; both otherwise")
    parser.add_argument("--data", type=Path, default=Path("../shared/osma-mini"))
    parser.add_argument("--curves", type=Path, default=Path(__file__).parents[2] / "docs" / "runs")
    parser.add_argument("--minutes", type=float, default=90.0, help="whose quality `forensic` is to reach")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"), help="cpu or cuda")
    options = parser.parse_args()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as `forensic train`
    torch.set_num_threads(options.threads)
    device = options.device
    data = read_data(options.data, device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    print(f"{name}; {options.threads} threads; torch {torch.__version__}; {len(data.y)} images of {data.name}")
    print("; ".join(f"{name}: {text}" for name, text in kernels.describe().items()))
    plain, finish = fastest_options(data.x), finish_of(device)
    paces: dict[str, Pace] = {}
    for name in [options.recipe] if options.recipe else ["reference", "forensic"]:
        recipe = settle(RECIPES[name], device)
        first = compare(f"{name}, first epoch", recipe, 0, data, plain, max(2, options.rounds // 2))
        later = compare(f"{name}, later epochs", recipe, OLD, data, plain, options.rounds)
        if device.type == "cpu":
            print(f"  bar {BARS[name]:.2f}x a step: {'reached' if later.ratio >= BARS[name] else 'missed'}")
        ours = Ours(recipe, 0, data)
        warm = statistics.median(interleaved({"": lambda ours=ours: ours.warm_up(data.x)}, 3, finish)[""])
        load, once = data.load(recipe), recipe.augmenter_warmup_steps * warm
        print(f"  beside it: {1e3 * load:.1f} ms to load a batch, {once:.1f} s an epoch to warm an augmenter up")
        curve = name if recipe.precision == "float32" else f"{name}-{recipe.precision}"
        paces[curve] = Pace(first.ours, later.ours, once)
        if first.wide is not None and later.wide is not None:
            paces[name] = Pace(first.wide, later.wide, once)
        if name == "reference":
            paces["plain"] = Pace(first.plain, later.plain, 0.0)
    show_time_to_quality(options.curves, paces, options.minutes)
    show_paper_scale(paces)


if __name__ == "__main__":
    main()
