"""A task model as the tensors that a weights file keeps, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from forensic.models.feature_extractor import Architecture, TaskModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def network_tensors(model: TaskModel, *, exact: bool = False) -> dict[str, NDArray[Any]]:
    """The state as stored: float16 from two axes on, float32 below, whole numbers as they are.

    Args:
        model: of float32 values.
        exact: float32 throughout.
    """
    return {name: _stored(value, exact=exact) for name, value in model.state_dict().items()}


def network_from_tensors(
    tensors: Mapping[str, NDArray[Any]], num_classes: int, architecture: Mapping[str, Any]
) -> TaskModel:
    """The task model of stored tensors: float32, evaluation mode, without gradients.

    Args:
        tensors: as `network_tensors` gives them.
        num_classes: K.
        architecture: fields of `Architecture`.

    Raises:
        ValueError: the architecture has other fields, or tensors are missing, too many or of another shape.
    """
    try:
        with torch.device("meta"):  # shapes only: nothing is drawn or allocated
            model = TaskModel(num_classes, Architecture(**architecture))
    except (TypeError, ValueError, RuntimeError, OverflowError, ZeroDivisionError) as error:
        raise ValueError(f"architecture: {str(error).splitlines()[0]}") from error
    expected = model.state_dict()
    for name in sorted(expected.keys() ^ tensors.keys()):
        raise ValueError(f"tensor network.{name}: {'missing' if name in expected else 'unexpected'}")
    state = {}
    for name, like in expected.items():
        value = tensors[name]
        if value.shape != tuple(like.shape):
            raise ValueError(f"tensor network.{name}: expected {tuple(like.shape)}, got {value.shape}")
        state[name] = torch.from_numpy(np.array(value)).to(like.dtype)
    model.load_state_dict(state, assign=True)
    return model.requires_grad_(requires_grad=False).eval()


def rounded(model: TaskModel) -> TaskModel:
    """A copy, in evaluation mode on the CPU, with the values that it would have after saving and loading."""
    return network_from_tensors(network_tensors(model), model.num_classes, architecture_fields(model.architecture))


def architecture_fields(architecture: Architecture) -> dict[str, Any]:
    """The fields as a card keeps them."""
    return {name: getattr(architecture, name) for name in architecture.__dataclass_fields__}


def _stored(value: torch.Tensor, *, exact: bool) -> NDArray[Any]:
    array: NDArray[Any] = value.detach().cpu().numpy()
    if exact or not np.issubdtype(array.dtype, np.floating):
        return array
    with np.errstate(over="ignore"):  # an overflow becomes inf, which the writer refuses by name
        return array.astype(np.float16 if array.ndim >= 2 else np.float32)
