"""The faults of `make mutate` fit the code as it is: each text is there once, each test exists."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def _mutate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutate", REPOSITORY / "tests" / "csrc" / "mutate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


mutate = _mutate()


@pytest.mark.parametrize("mutation", mutate.mutations(), ids=lambda one: f"{one.file}: {one.old[:40]}")
def test_a_fault_fits(mutation) -> None:
    assert mutate.mutated(mutation) != (REPOSITORY / "csrc" / mutation.file).read_text(encoding="utf-8")
    for test in mutation.tests:
        name, _, function = test.partition("::")
        path = REPOSITORY / "tests" / (name if name.endswith(".py") else f"{name}.cpp")
        assert path.is_file(), test
        assert f"def {function}(" in path.read_text(encoding="utf-8") or not function, test
    for unit in mutation.units:
        assert (REPOSITORY / "csrc" / unit).is_file(), unit


def test_every_kernel_and_what_they_share_has_one() -> None:
    faulty = {one.file for one in mutate.mutations()}
    assert {"dct.cpp", "augment.cpp", "fold.cpp", "triplet.cpp", "resize.cpp", "radial.cpp"} <= faulty
    assert {"dct.cu", "dct_line.cuh", "augment.cu", "augment_gradients.cu", "triplet.cu", "resize.cu"} <= faulty
    assert {"parallel.cpp", "dispatch.cpp", "tensor.h", "door.h", "bindings.cpp"} <= faulty


def test_what_no_longer_fits_is_named(tmp_path: Path) -> None:
    one = mutate.mutations()[0]
    (tmp_path / one.file).write_text("nothing of the kind\n", encoding="utf-8")
    with pytest.raises(mutate.MisfitError, match="expected once, found 0 times"):
        mutate.mutated(one, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_fault_on_either_side_is_tried() -> None:
    """The copy is built, linked with a fault and tested: with those of a CPU file, and with those of a CUDA file."""
    for file in ("dispatch.cpp", "radial_rings.cuh"):
        command = [sys.executable, "tests/csrc/mutate.py", "--only", file]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "caught: " in done.stdout
