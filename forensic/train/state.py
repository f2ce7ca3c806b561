"""Everything that a run carries from one step to the next, and its way into a checkpoint and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from forensic.models.feature_extractor import TaskModel
from forensic.train.average import WeightAverage
from forensic.train.checkpoint import optimizer_tensors, restore_optimizer, take_prefix, with_prefix
from forensic.train.history import NumpyDraws, OldAugmenters, TorchDraws
from forensic.train.learners import Learners, NewAugmenter
from forensic.train.seeding import SeededDropout, new_augmenter, new_task_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from forensic.models.augmenter import Augmenter
    from forensic.train.config import Recipe


class TrainingState:
    """Networks, optimisers, old augmenters and generators of a run.

    Args:
        num_classes: K.
        recipe: shapes and rates; a precision of `auto`, not settled, is float32.
        seed: of all draws but those of the data.
        device: where the networks live.
    """

    def __init__(self, num_classes: int, recipe: Recipe, seed: int, device: torch.device) -> None:
        self._recipe = recipe
        self.device = device
        self.draws = torch.Generator().manual_seed(seed)
        """Initial parameters, old augmenters."""
        self.masks = torch.Generator(device).manual_seed(seed)
        """Dropout."""
        model = new_task_model(TaskModel(num_classes, recipe.architecture), self.draws)
        model = model.to(device)
        # a fifth less time for a step on a CPU, an eighth on a GPU
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch takes it, its stub does not
        model.dropout = SeededDropout(recipe.architecture.dropout, self.masks)  # type: ignore[assignment]  # same call, other source of randomness
        model.training_dtype = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
        self.model: TaskModel = model.train()
        self.model_optimizer = torch.optim.AdamW(
            model.parameters(), weight_decay=recipe.weight_decay, **self._optimizer_options(recipe.lr), fused=True
        )
        self._numpy_draws = NumpyDraws(seed) if recipe.old_draws_from == "numpy" else None
        self.old = OldAugmenters(self._numpy_draws or TorchDraws(self.draws))
        self.average = WeightAverage(model, recipe.average_decay) if recipe.average_decay else None
        self.learners: Learners | None = None
        """Set while an epoch runs; with joint augmenters from the first epoch on, for good."""

    def _optimizer_options(self, rate: float) -> dict[str, Any]:
        """On CUDA, what lets a graph hold the optimiser's step (forensic.train.graphs)."""
        if self.device.type != "cuda":
            return {"lr": rate}
        return {"lr": torch.tensor(rate, device=self.device), "capturable": True}

    def begin_epoch(self) -> Learners:
        """Draws the epoch's new augmenter, or all joint ones, with new optimisers; none where the recipe has none."""
        count = {"progressive": 1, "joint": self._recipe.joint_augmenters, "none": 0}[self._recipe.augmenters]
        return self._learn(new_augmenter(self._recipe.augmenter_shape, self.draws) for _ in range(count))

    def end_epoch(self) -> None:
        """Makes the epoch's augmenter an old one; joint augmenters stay as they are and go on learning.

        Raises:
            RuntimeError: no epoch runs.
        """
        if self.learners is None:
            raise RuntimeError("no epoch runs")
        if self._recipe.augmenters == "joint":
            return
        for new in self.learners.new:
            self.old.keep(new.augmenter)
        self.learners = None

    def set_mode(self, epoch: int) -> None:
        """Training or evaluation mode of the task model in an epoch, counted from 0, as the recipe says."""
        self.model.train(self._recipe.mode == "train" or epoch == 0)

    def _learn(self, augmenters: Iterable[Augmenter]) -> Learners:
        new = []
        for augmenter in augmenters:
            augmenter.to(self.device)
            fused = self.device.type == "cuda"  # one launch instead of a dozen
            options = self._optimizer_options(self._recipe.augmenter_lr)
            optimizer = torch.optim.Adam(augmenter.parameters(), fused=fused, **options)
            new.append(NewAugmenter(augmenter, optimizer))
        self.learners = Learners(self.model, self.model_optimizer, tuple(new), self.old)
        return self.learners

    def tensors(self) -> dict[str, Tensor]:
        """The whole state, for a checkpoint."""
        state = with_prefix("model", self.model.state_dict())
        state |= with_prefix("model_optimizer", optimizer_tensors(self.model_optimizer))
        if self.average is not None:
            state |= with_prefix("average", self.average.state)
        for place, new in enumerate(self.learners.new if self.learners else ()):
            state |= with_prefix(f"new.{place}", new.augmenter.state_dict())
            state |= with_prefix(f"new_optimizer.{place}", optimizer_tensors(new.optimizer))
        for epoch in range(len(self.old)):
            state |= with_prefix(f"old.{epoch}", self.old[epoch].state_dict())
        state["generator.draws"] = self.draws.get_state()
        state["generator.masks"] = self.masks.get_state()
        if self._numpy_draws is not None:
            state["generator.old"] = self._numpy_draws.get_state()
        return state

    def restore(self, tensors: dict[str, Tensor], *, inside_epoch: bool) -> None:
        """The inverse of `tensors`, on a state made with the same arguments.

        Args:
            tensors: of a checkpoint.
            inside_epoch: whether an epoch runs.

        Raises:
            RuntimeError: names or shapes that do not fit.
        """
        self.model.load_state_dict(take_prefix("model", tensors))
        restore_optimizer(self.model_optimizer, take_prefix("model_optimizer", tensors))
        if self.average is not None:
            for name, value in take_prefix("average", tensors).items():
                self.average.state[name].copy_(value)
        for old in self._stored("old", tensors):
            self.old.keep(old.to(self.device))
        if inside_epoch or self._recipe.augmenters == "joint":
            for place, new in enumerate(self._learn(self._stored("new", tensors)).new):
                restore_optimizer(new.optimizer, take_prefix(f"new_optimizer.{place}", tensors))
        self.draws.set_state(tensors["generator.draws"])
        self.masks.set_state(tensors["generator.masks"])
        if self._numpy_draws is not None:
            self._numpy_draws.set_state(tensors["generator.old"])

    def _stored(self, prefix: str, tensors: dict[str, Tensor]) -> list[Augmenter]:
        """The augmenters called `PREFIX.0`, `PREFIX.1`, ... of a checkpoint."""
        found: list[Augmenter] = []
        while values := take_prefix(f"{prefix}.{len(found)}", tensors):
            augmenter = self._recipe.augmenter_shape.build()
            augmenter.load_state_dict(values)
            found.append(augmenter)
        return found

    def final_model(self) -> TaskModel:
        """What is shipped: a plain task model in evaluation mode on the CPU, with the mean or the last weights."""
        shipped = TaskModel(self.model.num_classes, self.model.architecture)
        shipped.load_state_dict(self.model.state_dict() if self.average is None else self.average.state)
        return shipped.eval()
