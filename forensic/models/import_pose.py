"""The authors' published task models as weights of ours; nothing in their files is run.

Names are mapped, every shape and type is checked against the task model, and the values are kept as they are, in
float32: rounding to float16 moves logits by two thousandths of their spread (this network with the formula parameters
of tests/golden on the sample pictures), scores by up to 0.004 where the softmax is steep, and nobody here can measure
what that does to the authors' error rates. There are no validation images either, so that the card says `not
validated`, and so does each finding.

Source: POSE (CVPR 2023), the authors' program, its checkpoints and `models/models.py: Simple_CNN`.
"""

from __future__ import annotations

import hashlib
import math
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import forensic
from forensic.data.osma import read_class_names
from forensic.errors import MachineError, UsageError, WeightsError
from forensic.models.card import Card, Threshold, Training, Validated
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.models.network_state import architecture_fields, network_from_tensors
from forensic.models.pickled import PickledTensor
from forensic.models.scorer import SoftmaxScorer
from forensic.models.torch_archive import TorchArchive
from forensic.models.weights import SUFFIX, read_card, read_pair, save_weights

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

AUTHORS = Architecture(size=128, width=64, neck="flatten", embedding_dim=512, dropout=0.2, input_transform="dct")
"""The authors' task model."""
PREPROCESSING = "pose-128-v1"
DEFAULT_THRESHOLD = 0.5
"""From here on the best class has at least as much softmax as all others together; the paper gives no threshold."""

_BY_DEFAULT = (
    "not validated: no image chose it, and the paper gives none; from 0.5 on the best class has at least as much "
    "softmax as all other classes together"
)
_BY_HAND = "not validated: given by hand when the weights were imported"
_LIMITS = (
    "Imported, and not validated here: no error rate is known, and no image chose the threshold. Knows the classes of "
    "this card and nothing else. Unknown means that none of them fits; it does not mean generated, and known does not "
    "mean that no other generator could have made the image. `forensic evaluate` measures them on images of yours."
)
_NUMBERED = "The file names no classes; these stand for the places of its last layer."
_LICENCE = "as its authors state; the imported file holds none"
_REMEDY = "Give a task model of the authors' program: model.pth, or model_EPOCH_*.pth"


@dataclass(frozen=True)
class ImportPlan:
    """What an import is told beside the file."""

    split: int | None = None
    """Of OSMA, 1 to 5: its class names."""
    classes: tuple[str, ...] | None = None
    """Class names in label order; without split and names they are numbered."""
    threshold: float | None = None
    """0..1; None is `DEFAULT_THRESHOLD`."""


def import_pose(path: Path, out: Path, plan: ImportPlan) -> Card:
    """Reads a published file and writes weights with their card.

    Args:
        path: what `torch.save` wrote: {epoch, model, state_dict}, or the state_dict alone.
        out: path of the tensors file, NAME.safetensors; the card goes beside it. Where both are this very import
            already, as after one that was killed before it could say so, they stay.
        plan: the rest.

    Returns:
        The card as written, with its hash.

    Raises:
        UsageError: the plan asks for what there is not, or something else is at `out`; the file was not opened.
        MissingError: no such file.
        WeightsError: damaged, another network, values that are not finite, or a pickle that asks for more than stored
            weights need. Nothing was run and nothing written.
        MachineError: the disk is full or refuses.
    """
    named = _checked(out, plan)
    if (written := _written_before(path, out, plan)) is not None:
        return written
    archive = TorchArchive.open(path)
    state, epoch = _state(archive.content, str(path))
    tensors, num_classes = _task_tensors(archive, state, str(path))
    if named is not None and len(named) != num_classes:
        raise WeightsError(str(path), f"has {num_classes} classes, named are {len(named)}", "Name as many as it has")
    model = network_from_tensors(tensors, num_classes, architecture_fields(AUTHORS))
    scorer = SoftmaxScorer(num_classes, AUTHORS.embedding_dim)
    classes = named or tuple(f"class{label:02d}" for label in range(num_classes))
    card = Card(
        preprocessing=PREPROCESSING,
        classes=classes,
        real="real" if "real" in classes else "",
        threshold=Threshold(
            DEFAULT_THRESHOLD if plan.threshold is None else plan.threshold,
            _BY_DEFAULT if plan.threshold is None else _BY_HAND,
        ),
        training=Training(
            data="unknown" if plan.split is None else f"OSMA split {plan.split}, as told to the import",
            images={},
            hash="",
            command=_command(path.name, plan),
        ),
        validated=Validated(formats=(), sides=(AUTHORS.size, AUTHORS.size)),
        architecture=architecture_fields(AUTHORS),
        recipe={"name": "imported", "sha256": archive.digest} | ({} if epoch is None else {"epoch": epoch}),
        metrics={},
        tool=f"forensic {forensic.__version__}",
        licence=_LICENCE,
        limits=_LIMITS if named else f"{_LIMITS} {_NUMBERED}",
        score=scorer.scale,
        scorer=scorer.kind,
    )
    try:
        return save_weights(out, model, scorer, {}, card, exact=True)
    except OSError as error:
        reason = f"can not be written: {error.strerror or type(error).__name__}"
        raise MachineError(str(out), reason, "Nothing was left there; 91 MB are needed") from error


def _checked(out: Path, plan: ImportPlan) -> tuple[str, ...] | None:
    """The class names, where there are any; whatever is wrong with the plan is told before a file is opened."""
    if out.suffix != SUFFIX:
        raise UsageError(str(out), f"weights end in {SUFFIX}", f"Name it {out.stem}{SUFFIX}")
    if not out.parent.is_dir():
        raise UsageError(str(out), "its folder does not exist")
    if plan.threshold is not None and not (math.isfinite(plan.threshold) and 0 <= plan.threshold <= 1):
        raise UsageError("--threshold", f"must be from 0 to 1, as the score is a softmax; got {plan.threshold}")
    if plan.split is not None and plan.classes is not None:
        raise UsageError("--split", "and --classes both name the classes", "Give one of them")
    if plan.split is not None:
        split = read_class_names().get(f"split{plan.split}")
        if split is None:
            raise UsageError(f"--split {plan.split}", "OSMA has the splits 1 to 5")
        return tuple(split["known"])
    names = plan.classes
    if names is not None and (len(set(names)) != len(names) or not all(name and name.isprintable() for name in names)):
        raise UsageError("--classes", "names must differ, be printable and not be empty")
    return names


def _written_before(path: Path, out: Path, plan: ImportPlan) -> Card | None:
    """The card of this very import where it is there with its tensors; None where they, or both, are still to come."""
    there = next((target for target in (out, out.with_suffix(".toml")) if target.exists()), None)
    if there is None:
        return None
    try:
        card = read_card(out)
        with path.open("rb") as file:
            begun = (hashlib.file_digest(file, "sha256").hexdigest(), _command(path.name, plan))
        if begun == (card.recipe.get("sha256"), card.training.command):
            return read_pair(out)[0] if out.exists() else None
    except (OSError, WeightsError):  # damaged, or of another program
        pass
    raise UsageError(str(there), "exists already", "Choose another --out; nothing is overwritten")


def _state(content: object, subject: str) -> tuple[dict[str, PickledTensor], int | None]:
    """The state_dict and the epoch, where the file has one."""
    epoch = None
    if isinstance(content, dict) and "state_dict" in content:
        number = content.get("epoch")
        epoch = number if isinstance(number, int) and not isinstance(number, bool) and abs(number) < 2**31 else None
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise WeightsError(subject, "holds no state_dict", _REMEDY)
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, PickledTensor):
            raise WeightsError(subject, f"entry {str(name)[:80]} of its state_dict is no tensor", _REMEDY)
    return content, epoch


def _num_classes(state: dict[str, PickledTensor], subject: str) -> int:
    """K from the head; tells what else is published under the same ending."""
    if "conv1.weight" in state and "fc.weight" not in state:
        raise WeightsError(subject, "is an augmenter, not a task model", _REMEDY)
    head = state.get("classification_head.1.weight")
    if head is None:
        raise WeightsError(subject, "lacks classification_head.1.weight: not the authors' task model", _REMEDY)
    if "main.0.main.0.weight" in state and "fc.weight" not in state:
        reason = "has no layer fc: it is DNA-Det's network, which pools and sees RGB, not POSE's"
        raise WeightsError(subject, reason, _REMEDY)
    if len(head.shape) != 2 or head.shape[0] < 2:
        raise WeightsError(
            subject, f"classification_head.1.weight: expected (K, 512), K >= 2, got {head.shape}", _REMEDY
        )
    return head.shape[0]


def _task_tensors(
    archive: TorchArchive, state: dict[str, PickledTensor], subject: str
) -> tuple[dict[str, NDArray[Any]], int]:
    """Our names -> values, and K."""
    num_classes = _num_classes(state, subject)
    with torch.device("meta"):  # shapes only
        expected = TaskModel(num_classes, AUTHORS).state_dict()
    theirs = {_authors_name(name): name for name in expected}
    missing, surplus = sorted(theirs.keys() - state.keys()), sorted(state.keys() - theirs.keys())
    for names, said in ((missing, "lacks"), (surplus, "has the unexpected entry")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise WeightsError(subject, f"{said} {names[0][:80]}{more}: not the authors' task model", _REMEDY)
    for name, tensor in state.items():
        like = expected[theirs[name]]
        kind = str(like.dtype).removeprefix("torch.")
        if tensor.dtype != kind or tensor.shape != tuple(like.shape):
            found = f"{tensor.dtype} {tensor.shape}"
            raise WeightsError(subject, f"{name}: expected {kind} {tuple(like.shape)}, got {found}", _REMEDY)
    tensors: dict[str, NDArray[Any]] = {}
    for name, tensor in state.items():
        values = archive.array(tensor)
        if not np.isfinite(values).all():
            raise WeightsError(subject, f"{name} has values that are not finite", "Take another epoch's file")
        if name.endswith("running_var") and (values < 0).any():
            raise WeightsError(subject, f"{name} has variances below 0", "Take the file anew from where it came")
        tensors[theirs[name]] = values
    return tensors, num_classes


def _authors_name(name: str) -> str:
    """trunk.3.1.bias -> main.3.main.1.bias; head -> classification_head.1; fc stays."""
    if name.startswith("trunk."):
        _, block, layer, rest = name.split(".")
        return f"main.{block}.main.{layer}.{rest}"
    return name.replace("head.", "classification_head.1.") if name.startswith("head.") else name


def _command(file: str, plan: ImportPlan) -> str:
    words = ["forensic", "weights", "import", file.encode("utf-8", "backslashreplace").decode()]
    if plan.split is not None:
        words += ["--split", str(plan.split)]
    if plan.classes is not None:
        words += ["--classes", ",".join(plan.classes)]
    if plan.threshold is not None:
        words += ["--threshold", str(plan.threshold)]
    return shlex.join(words)
