"""The look at validation images: shares that a loop gives too, and nothing of the model is changed."""

from __future__ import annotations

import torch

from forensic.data.cache import TrainingImages, read_training_images
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.train.inputs import read_run_layout
from forensic.train.run_folder import RunConfig
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
