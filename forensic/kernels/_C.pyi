from collections.abc import Sequence
from typing import Protocol

class _DLPack(Protocol):
    def __dlpack__(self) -> object: ...

def isa() -> str: ...
def supported_isas() -> list[str]: ...
def set_isa(name: str) -> None: ...

LARGE_OUTPUT: int

def kept_array(shape: Sequence[int], bits: int) -> object: ...
def drop_kept() -> int: ...
def dct2(x: _DLPack, y: _DLPack, inverse: bool, threads: int) -> None: ...
def dct2_log(
    x: _DLPack, mean: _DLPack, std: _DLPack, epsilon: float, g: _DLPack | None, y: _DLPack, threads: int
) -> None: ...
def radial_spectrum(x: _DLPack, y: _DLPack, threads: int) -> None: ...
def radial_spectrum_gradient(x: _DLPack, g: _DLPack, d_x: _DLPack, threads: int) -> None: ...
def resize_square(image: _DLPack, out: _DLPack, threads: int) -> None: ...
def augment(x: _DLPack, w1: _DLPack, b1: _DLPack, w2: _DLPack, b2: _DLPack, y: _DLPack, threads: int) -> None: ...
def augment_input_gradient(
    g: _DLPack, w1: _DLPack, b1: _DLPack, w2: _DLPack, b2: _DLPack, d_x: _DLPack, threads: int
) -> None: ...
def augment_weight_gradients(
    x: _DLPack,
    g: _DLPack,
    w1: _DLPack,
    b1: _DLPack,
    w2: _DLPack,
    b2: _DLPack,
    d_w1: _DLPack,
    d_b1: _DLPack,
    d_w2: _DLPack,
    d_b2: _DLPack,
    threads: int,
) -> None: ...
def batch_hard_triplet(
    z: _DLPack,
    labels: _DLPack,
    margin: float,
    squared: bool,
    mean: bool,
    loss: _DLPack,
    gradient: _DLPack,
    threads: int,
) -> None: ...
def batch_norm_leaky(
    x: _DLPack,
    weight: _DLPack,
    bias: _DLPack,
    eps: float,
    slope: float,
    y: _DLPack,
    mean: _DLPack,
    variance: _DLPack,
    threads: int,
) -> None: ...
def batch_norm_leaky_gradient(
    dy: _DLPack,
    x: _DLPack,
    mean: _DLPack,
    variance: _DLPack,
    weight: _DLPack,
    bias: _DLPack,
    eps: float,
    slope: float,
    d_x: _DLPack,
    d_weight: _DLPack,
    d_bias: _DLPack,
    threads: int,
) -> None: ...
