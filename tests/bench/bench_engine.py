"""The network in every engine against torch eager with batch norm folded: verdicts first, then interleaved rounds.

python tests/bench/bench_engine.py [--rounds 15] [--threads 2] [--weights NAME|FILE] [--data DIR]

Timed is the network behind its input layer, trunk, neck and head, for 32 images and for one; the engines work through
32 images in batches of their own size, as a scan does. torch eager is given in both layouts; ratios are to the better.
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
import copy
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from interleaving import interleaved
from torch.nn import functional

from forensic.data.decode import decode
from forensic.data.layouts import read_layout
from forensic.data.prepare import prepare
from forensic.engines.choice import (
    ENGINES,
    Choice,
    Precision,
    choose,
    installed,
    precision_in,
    precisions,
    processor_features,
    processor_name,
)
from forensic.engines.onnx_network import OnnxNetwork
from forensic.engines.openvino_network import OpenVinoNetwork
from forensic.engines.runner import Runner
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.models.inference import folded_layers
from forensic.models.predict import BATCH, on_processor
from forensic.models.weights import Weights, load_weights
from forensic.train.seeding import new_task_model

IMAGES = 32
ERRORS: dict[Precision, float] = {"float32": 1e-5, "bfloat16": 0.02, "int8": 0.1}
"""Of logits, against their length: what they may be off by and still be timed."""
SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--weights")
    parser.add_argument("--data", type=Path, help="osma-mini: verdicts on all its test images too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    weights = load_weights(options.weights)
    choices = list(engines())
    print(f"{processor_name()}, {options.threads} threads, torch {torch.__version__}; auto is {choose('auto')}")
    compare(weights, choices, options.data)
    shapes = {"the weights'": weights.model}
    for width in (32, 64):
        model = new_task_model(TaskModel(7, Architecture(width=width)), torch.Generator().manual_seed(0)).eval()
        shapes[f"width {width}"] = model
    if weights.model.architecture == Architecture():
        del shapes["width 32"]
    for name, model in shapes.items():
        for count in (IMAGES, 1):
            with torch.inference_mode():
                time_network(f"network, {name}, batch {count}", model, choices, count, options.rounds)


def engines() -> list[Choice]:
    """Those that are here, in every precision that the processor multiplies."""
    here = [name for name in ENGINES if name != "auto" and installed(name)]
    features = processor_features()
    return [choose(name, precision=precision) for name in here for precision in precisions(name, features)]


def compare(weights: Weights, choices: list[Choice], data: Path | None) -> None:
    """Verdicts and scores of each engine against torch in float32, before and after what is near is scored anew."""
    paths = sorted(SAMPLES.rglob("*.png"))
    if data is not None:
        layout = read_layout(data)
        paths += [sample.path for sample in layout.test + sum(layout.unseen.values(), ())]
    images = [
        prepare(decode(path.read_bytes(), name=path.name).pixels, weights.card.preprocessing).tiles for path in paths
    ]
    expected = Runner(weights, "cpu", choose("torch")).outputs(images)
    print(f"verdicts on {len(images)} images, {sum(map(len, images))} tiles")
    for choice in choices[1:]:
        runner = Runner(weights, "cpu", choice)
        found = runner.outputs(images)
        pairs = [
            [weights.scorer(one.logits, one.embeddings) for one in both] for both in zip(found, expected, strict=True)
        ]
        limits = [weights.card.threshold.at(len(tiles)) for tiles in images]
        flips = sum(
            (a.score >= limit, a.label) != (b.score >= limit, b.label)
            for (a, b), limit in zip(pairs, limits, strict=True)
        )
        anew = sum(output.engine.name == "torch" for output in found)
        worst = max(abs(a.score - b.score) for a, b in pairs)
        assert flips == 0, f"{choice}: {flips} verdicts differ"
        assert worst <= runner.tolerance.score, f"{choice}: a score is off by {worst}"
        print(
            f"  {choice!s:<34} largest difference {worst:.6f} (tolerance {runner.tolerance.score:.4g}), "
            f"{anew} images scored anew, {flips} verdicts differ"
        )


def time_network(title: str, model: TaskModel, choices: list[Choice], count: int, rounds: int) -> None:
    spectra = torch.randn(count, 3, model.architecture.size, model.architecture.size)
    rivals: dict[str, Callable[[], torch.Tensor]] = {
        "torch eager, folded": eager(model, spectra, torch.contiguous_format),
        "torch eager, channels last": eager(model, spectra, torch.channels_last),
    }
    expected = rivals["torch eager, folded"]()
    for choice in choices:
        rivals[str(choice)] = engine(choice, model, spectra, count)
    for name, run in rivals.items():
        error = ((run() - expected).norm() / expected.norm()).item()
        assert error < ERRORS[precision_in(name)], f"{name} is off by {error}"
    times = interleaved(rivals, rounds)
    best = min(list(rivals)[:2], key=lambda name: statistics.median(times[name]))
    print(title)
    for name, seconds in times.items():
        ratios = sorted(b / a for a, b in zip(seconds, times[best], strict=True))
        ratio = statistics.median(times[best]) / statistics.median(seconds)
        an_image = 1e3 * statistics.median(seconds) / count
        print(f"  {name:<34}{an_image:9.3f} ms an image  {ratio:6.2f}x  ({ratios[0]:.2f}..{ratios[-1]:.2f})")


def eager(model: TaskModel, spectra: torch.Tensor, layout: torch.memory_format) -> Callable[[], torch.Tensor]:
    layers = [(layer, layer.weight.contiguous(memory_format=layout)) for layer in folded_layers(model.trunk)]
    images = spectra.contiguous(memory_format=layout)
    neck = copy.deepcopy(model.neck).to(memory_format=layout)

    def run() -> torch.Tensor:
        values = images
        for layer, weight in layers:
            values = functional.conv2d(values, weight, layer.bias, layer.stride, layer.padding)
            values = functional.leaky_relu(values, layer.slope, inplace=True)
        return model.head(model.fc(neck(values)))

    return run


def engine(choice: Choice, model: TaskModel, spectra: torch.Tensor, count: int) -> Callable[[], torch.Tensor]:
    threads, batch = torch.get_num_threads(), min(BATCH, count)
    network: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    if choice.name == "openvino":
        network = OpenVinoNetwork(model, batch, choice.precision, threads)
    elif choice.name == "onnx":
        network = OnnxNetwork(model, batch, threads)
    else:
        batch = min(BATCH * threads, count)
        network = on_processor(model, batch, threads)
    return lambda: torch.cat([network(spectra[start : start + batch])[0] for start in range(0, len(spectra), batch)])


if __name__ == "__main__":
    main()
