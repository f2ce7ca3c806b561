"""What is particular to CUDA. The assertions of the other kernel tests run there too, as their parameter `cuda`."""

from __future__ import annotations

import pytest
import torch

from forensic import kernels
from forensic.errors import MissingError
from forensic.kernels import backend

needs_device = pytest.mark.cuda


@pytest.fixture
def device() -> torch.device:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return torch.device("cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a CUDA device")
def test_a_missing_device_is_named():
    backend._native_cuda.cache_clear()
    with pytest.raises(MissingError, match="CUDA"):
        kernels.implementation("cuda")
    assert "CUDA" in kernels.describe()["reason"]


@needs_device
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 8, 8), (2, 33, 70), (4, 128, 128)], ids=str)
def test_dct2_and_its_inverse(device, shape):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    cuda = kernels.implementation("cuda")
    spectrum = cuda.dct2(x.to(device))
    expected = kernels.implementation("reference").dct2(x)
    assert (spectrum.cpu() - expected).abs().max() <= 1e-12 * expected.abs().max()
    assert (cuda.idct2(spectrum).cpu() - x).abs().max() <= 1e-12 * x.abs().max()


@needs_device
def test_work_is_queued_on_the_current_stream(device):
    """A long queue on a side stream: the kernel must come after it, not beside it."""
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(8, 3, 64, 64)
    weights = [torch.randn(s, generator=generator).to(device) for s in ((8, 3, 3, 3), (8,), (3, 8, 3, 3), (3,))]
    late = torch.randn(x.shape, generator=generator).to(device)
    expected = kernels.augment(late, *weights)
    torch.cuda.synchronize()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        images = x.to(device)
        torch.cuda._sleep(50_000_000)
        images.copy_(late)
        result = kernels.augment(images, *weights)
    side.synchronize()
    assert torch.equal(result, expected)


@needs_device
def test_the_twin_resizes_tensors_on_a_device(device):
    image = torch.randint(256, (70, 90, 3), dtype=torch.uint8)
    for dtype in ("uint8", "float32"):
        expected = kernels.resize_square(image, 33, dtype=dtype)
        for name in ("reference", "cuda"):
            found = kernels.implementation(name).resize_square(image.to(device), 33, dtype=dtype)
            assert found.is_cuda
            assert torch.equal(found.cpu(), expected)


@needs_device
def test_a_resize_writes_nothing_beside_its_slot(device):
    image = torch.randint(256, (70, 90, 3), dtype=torch.uint8)
    for size in (33, 70):
        batch = torch.full((3, size, size + 2, 3), 77.0, device=device)
        kernels.resize_square(image.to(device), out=batch[1, :, 1:-1].permute(2, 0, 1))
        expected = kernels.resize_square(image, size, dtype="float32").permute(1, 2, 0)
        assert torch.equal(batch[1, :, 1:-1].cpu(), expected)
        batch[1, :, 1:-1] = 77
        assert (batch == 77).all()


@needs_device
def test_a_captured_resize_keeps_what_the_host_computed(device):
    """Weights come from memory of the host that is gone when the graph is replayed."""
    images = torch.randint(256, (4, 200, 300, 3), dtype=torch.uint8)
    image, slot = images[0].to(device), torch.zeros(3, 40, 40, device=device)
    kernels.resize_square(image, out=slot)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kernels.resize_square(image, out=slot)
    for size in (7, 64, 128):
        kernels.resize_square(image, size)  # what was freed is used again
    for one in images:
        image.copy_(one)
        graph.replay()
        assert torch.equal(slot.cpu(), kernels.resize_square(one, 40, dtype="float32"))


@needs_device
def test_the_same_bits_at_every_run(device):
    generator = torch.Generator().manual_seed(0)
    shapes = ((7, 3, 70, 50), (8, 3, 3, 3), (8,), (3, 8, 3, 3), (3,))
    inputs = [torch.randn(shape, generator=generator).to(device).requires_grad_() for shape in shapes]
    z = torch.randint(-2, 3, (90, 3), generator=generator).float().to(device).requires_grad_()
    labels = (torch.arange(90) % 5).to(device)
    planes = torch.randn(9, 50, 66, generator=generator).to(device).requires_grad_()
    normed = [
        torch.randn(shape, generator=generator).to(device).requires_grad_() for shape in ((9, 40, 30, 20), 40, 40)
    ]

    def once() -> list[torch.Tensor]:
        y = kernels.augment(*inputs)
        loss = kernels.batch_hard_triplet(z, labels)
        rings = kernels.radial_spectrum(planes)
        normal, mean, variance = kernels.batch_norm_leaky(*normed)
        return [
            *(y, loss, rings, normal, mean, variance),
            *torch.autograd.grad(y.square().sum(), inputs),
            *torch.autograd.grad(loss, z),
            *torch.autograd.grad(rings.square().sum(), planes),
            *torch.autograd.grad(normal.square().sum(), normed),
        ]

    first = once()
    for _ in range(5):
        assert all(torch.equal(a, b) for a, b in zip(first, once(), strict=True))


@needs_device
def test_the_device_of_the_arguments_need_not_be_the_current_one(device):
    if torch.cuda.device_count() < 2:
        pytest.skip("needs a CUDA device beside the first")
    x = torch.randn(3, 128, 128)
    expected = kernels.dct2(x.to(device)).cpu()
    found = kernels.dct2(x.to("cuda:1"))
    assert found.device == torch.device("cuda:1")
    assert torch.equal(found.cpu(), expected)
    assert torch.cuda.current_device() == 0


@needs_device
def test_planes_that_are_too_long_are_refused(device):
    images = torch.zeros(1, 2, 65537, device=device)
    with pytest.raises(
        ValueError, match="x: planes of 2 x 65537 are too large for the device, which takes up to 65536"
    ):
        kernels.radial_spectrum(images)
