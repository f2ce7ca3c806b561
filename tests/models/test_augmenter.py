from __future__ import annotations

import pytest
import torch

from forensic.models.augmenter import Augmenter


@pytest.mark.parametrize(("channels", "kernel"), [(32, 3), (4, 5)])
def test_it_is_two_convolutions(channels: int, kernel: int) -> None:
    generator = torch.Generator().manual_seed(3)
    augmenter = Augmenter(channels, kernel)
    with torch.no_grad():
        for parameter in augmenter.parameters():
            parameter.uniform_(-0.3, 0.3, generator=generator)
    images = torch.rand(2, 3, 16, 12, generator=generator) * 2 - 1
    hidden = torch.nn.functional.conv2d(images, augmenter.w1, augmenter.b1, padding=kernel // 2)
    expected = torch.nn.functional.conv2d(hidden, augmenter.w2, augmenter.b2, padding=kernel // 2)
    torch.testing.assert_close(augmenter(images), expected, rtol=1e-5, atol=1e-5)


def test_size_of_the_papers_augmenter() -> None:
    assert sum(parameter.numel() for parameter in Augmenter().parameters()) == 1763
