"""What crosses into the compiled kernels, who watches, and memory of results: used again only when nobody has it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from forensic import kernels
from forensic.kernels import backend, tensors

LARGE = (22, 3, 128, 128)
"""A little over 4 MiB in float32."""


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    gc.collect()
    backend.native().drop_kept()
    yield
    gc.collect()
    backend.native().drop_kept()


def images(seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*LARGE, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_memory_of_a_result_that_is_gone_is_used_again() -> None:
    x = images()
    first = kernels.dct2(x)
    place = first.data_ptr()
    view = first[3, 1]
    del first
    second = kernels.dct2(x)
    assert second.data_ptr() != place, "a view of it was there"
    del view
    third = kernels.idct2(second)
    assert third.data_ptr() == place
    assert torch.equal(second, kernels.dct2(x))
    torch.testing.assert_close(third, x, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        kernels.dct2,
        kernels.idct2,
        lambda x: kernels.dct2_log(x, torch.zeros(()).to(x), torch.ones(()).to(x), 0.1),
        lambda x: kernels.augment(x, *(w.to(x) for w in augmenter())),
    ],
    ids=["dct2", "idct2", "dct2_log", "augment"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_results_that_are_there_keep_their_values(make: Callable[[Tensor], Tensor], dtype: torch.dtype) -> None:
    inputs = [images(seed, dtype) for seed in range(3)]
    apart = [make(x).clone() for x in inputs]
    together = [make(x) for x in inputs]
    assert len({result.data_ptr() for result in together}) == 3
    for result, expected in zip(together, apart, strict=True):
        assert torch.equal(result, expected)


def augmenter() -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(5)
    return tuple(torch.randn(*shape, generator=generator) for shape in ((4, 3, 3, 3), (4,), (3, 4, 3, 3), (3,)))


def test_a_result_can_be_changed_saved_for_a_gradient_and_shared() -> None:
    x = images().requires_grad_()
    y = kernels.dct2(x)
    (y * y).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, 2 * x.detach(), rtol=0, atol=1e-4)
    kept = kernels.dct2(x.detach())
    before = kept.clone()
    assert torch.equal(kept.mul_(2), before * 2)
    assert kept._version == 1
    assert kept.share_memory_().is_shared()
    assert torch.equal(kept, before * 2)


def test_small_results_and_those_of_other_types_are_torchs() -> None:
    for result in (tensors.result((4, 4), images()), tensors.result(LARGE, images().bfloat16())):
        place = result.data_ptr()
        assert place
        del result
    assert backend.native().drop_kept() == 0


def test_no_memory_is_made_under_a_tracer() -> None:
    with torch._subclasses.FakeTensorMode() as mode:
        spectrum = torch.ops.forensic.dct2(mode.from_tensor(images()))
    assert spectrum.shape == LARGE
    assert backend.native().drop_kept() == 0


def test_what_nobody_took_is_given_back() -> None:
    capsule = backend.native().kept_array((2048, 1024), 32)
    del capsule
    assert backend.native().drop_kept() == 8 << 20


def test_what_crosses_over_is_the_tensor_itself_where_it_can_be() -> None:
    x = torch.randn(2, 3, 5, 7)
    assert tensors.plain(x) is x
    leaf = x.clone().requires_grad_()
    crossing = tensors.plain(leaf)
    assert not crossing.requires_grad
    assert crossing.data_ptr() == leaf.data_ptr()
    lazy = torch.complex(x, x).conj().imag
    assert lazy.is_neg()
    assert not tensors.plain(lazy).is_neg()
    assert torch.equal(tensors.plain(lazy), -x)


@pytest.mark.parametrize("leading", [(), (4,), (2, 2), (2, 1, 3)])
def test_planes_share_memory_and_keep_their_order(leading: tuple[int, ...]) -> None:
    x = torch.randn(*leading, 5, 7)
    planes = tensors.planes_of(x)
    assert planes.shape == (max(1, x.numel() // 35), 5, 7)
    assert planes.data_ptr() == x.data_ptr()
    assert torch.equal(planes.reshape(x.shape), x)
    turned = x.transpose(-1, -2)
    assert torch.equal(tensors.planes_of(turned), planes.transpose(-1, -2))


def test_who_watches() -> None:
    x = torch.randn(2, 3)
    leaf = torch.randn(2, 3, requires_grad=True)
    assert tensors.unobserved()
    assert tensors.unobserved(x, x)
    assert not tensors.unobserved(x, leaf)
    assert not tensors.unobserved(torch.nn.Parameter(x))
    with torch.no_grad():
        assert tensors.unobserved(x, leaf)
    with torch.autograd.forward_ad.dual_level():
        assert not tensors.unobserved(x)
    with torch._subclasses.FakeTensorMode():
        assert not tensors.unobserved(x)
