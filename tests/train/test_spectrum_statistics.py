"""Mean and deviation of the log spectrum against NumPy over the same images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.fft
import torch

from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.train.inputs import TrainingInputs, read_inputs, read_run_layout
from forensic.train.run_folder import RunConfig
from forensic.train.spectrum_statistics import fit_spectrum_statistics

CPU = torch.device("cpu")


def model(transform: str = "log-dct") -> TaskModel:
    return TaskModel(3, Architecture(width=2, neck_channels=2, embedding_dim=4, input_transform=transform))


def inputs_of(config: RunConfig) -> TrainingInputs:
    return read_inputs(config, read_run_layout(config), lambda _: None)


@pytest.fixture
def plain(tiny_config: RunConfig) -> TrainingInputs:
    """Without re-encoding: what the loader gives is what the files hold."""
    return inputs_of(replace(tiny_config, recipe=replace(tiny_config.recipe, jpeg_share=0.0)))


def test_equal_numpys(plain: TrainingInputs) -> None:
    network = model()
    fit_spectrum_statistics(network, plain.loader, plain.images, 1000, CPU)
    images = np.stack([plain.images[n].transpose(2, 0, 1) for n in range(len(plain.images))]) / 255 * 2 - 1
    spectra = np.log(np.abs(scipy.fft.dctn(images, axes=(2, 3), norm="ortho")) + 1e-3)
    np.testing.assert_allclose(network.input_layer.mean.numpy(), spectra.mean(axis=0), atol=2e-2)
    np.testing.assert_allclose(network.input_layer.std.numpy(), spectra.std(axis=0), atol=2e-2)
    assert np.abs(network.input_layer.mean.numpy() - spectra.mean(axis=0)).mean() < 1e-4


def test_standardised_input_has_mean_zero_and_deviation_one(plain: TrainingInputs) -> None:
    network = model()
    fit_spectrum_statistics(network, plain.loader, plain.images, 1000, CPU)
    pixels = np.stack([plain.images[n].transpose(2, 0, 1) for n in range(len(plain.images))])
    seen = network.input_layer(torch.from_numpy(pixels).float() / 255 * 2 - 1)
    assert seen.mean().abs() < 1e-3
    assert (seen.std(dim=0, correction=0).mean() - 1).abs() < 1e-3


def test_re_encoded_images_count_as_in_training(tiny_config: RunConfig, plain: TrainingInputs) -> None:
    with_jpeg = inputs_of(tiny_config)
    first, second = model(), model()
    fit_spectrum_statistics(first, plain.loader, plain.images, 1000, CPU)
    fit_spectrum_statistics(second, with_jpeg.loader, with_jpeg.images, 1000, CPU)
    assert (second.input_layer.mean - first.input_layer.mean).abs().mean() > 0.05


def test_a_bound_takes_images_evenly(plain: TrainingInputs) -> None:
    network = model()
    fit_spectrum_statistics(network, plain.loader, plain.images, 3, CPU)
    assert network.input_layer.std.min() > 0


def test_other_inputs_need_none(plain: TrainingInputs) -> None:
    network = model("rgb")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fit_spectrum_statistics(network, plain.loader, plain.images, 10, CPU)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
