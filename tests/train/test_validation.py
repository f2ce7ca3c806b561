"""The look at validation images: shares that a loop gives too, and nothing of the model is changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forensic.data.cache import TrainingImages, read_training_images
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.models.predict import scaled
from forensic.train.inputs import read_run_layout
from forensic.train.run_folder import RunConfig
from forensic.train.seeding import new_task_model
from forensic.train.validation import Validation

CPU = torch.device("cpu")


def known(config: RunConfig) -> TrainingImages:
    return read_training_images(read_run_layout(config).val, "tiles-128-v1")


def model() -> TaskModel:
    return TaskModel(3, Architecture(width=2, neck_channels=2, embedding_dim=4)).train()


def test_accuracy_is_the_share_of_right_answers(tiny_config: RunConfig) -> None:
    images, network = known(tiny_config), model()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([0.0, 1.0, 0.0]))
    measured = Validation(images, 128).measure(network, CPU)
    assert measured == {"val_accuracy": 2 / 6, "val_accuracy_jpeg90": 2 / 6}


def test_model_is_left_as_it_was(tiny_config: RunConfig) -> None:
    network = model()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    Validation(known(tiny_config), 128).measure(network, CPU)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_nothing_to_measure_without_images() -> None:
    assert Validation(read_training_images((), "tiles-128-v1"), 128).measure(model(), CPU) == {}


def test_auroc_is_that_of_the_largest_softmax(tiny_config: RunConfig) -> None:
    layout = read_run_layout(tiny_config)
    sides = [read_training_images(samples, "tiles-128-v1") for samples in (layout.val, layout.val_unseen)]
    network = new_task_model(model(), torch.Generator().manual_seed(3)).eval()
    scores = []
    for images in sides:
        pixels = np.stack([images[index] for index in range(len(images))]).transpose(0, 3, 1, 2)
        with torch.no_grad():
            scores.append(network(scaled(torch.from_numpy(pixels)))[0].softmax(dim=1).amax(dim=1).tolist())
    pairs = [(k > o) + (k == o) / 2 for k in scores[0] for o in scores[1]]
    measured = Validation(sides[0], 128, sides[1]).measure(network, CPU)
    assert measured["val_auroc"] == pytest.approx(sum(pairs) / len(pairs))


def test_logits_that_overflow_give_no_auroc(tiny_config: RunConfig) -> None:
    layout = read_run_layout(tiny_config)
    sides = [read_training_images(samples, "tiles-128-v1") for samples in (layout.val, layout.val_unseen)]
    network = model()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([torch.inf, torch.inf, 0.0]))
    assert set(Validation(sides[0], 128, sides[1]).measure(network, CPU)) == {"val_accuracy", "val_accuracy_jpeg90"}
