"""Faults put into the C++ one at a time; a test must see each. What survives names a missing test.

python tests/csrc/mutate.py [--only FILE] [--keep]

Everything happens in a copy in a temporary folder: it is built once, and for each fault of mutations.toml only the
files that see it are compiled again, a kernel file at the best level of this processor alone. Exit code 0: all caught;
1: a survivor; 2: a fault no longer fits the code, or the tests fail without any.
"""

# ruff: noqa: T201 - a check prints its table

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
NEEDED = (
    "CMakeLists.txt",
    "pyproject.toml",
    "csrc",
    "forensic",
    *(f"tests/{path.name}" for path in sorted((REPOSITORY / "tests").glob("*.py"))),
    "tests/golden",
    "tests/kernels",
    "tests/csrc",
)
CUDA = (".cu", ".cuh")
SECONDS = {"csrc": 40, "kernels": 300}
"""A test that takes longer hangs."""


class MisfitError(Exception):
    """The check itself can not be carried out."""


@dataclass(frozen=True)
class Mutation:
    """One fault."""

    file: str
    """A file of csrc/."""
    old: str
    """Text that occurs once in it."""
    new: str
    tests: tuple[str, ...]
    """In this order: `csrc/test_X` is a program, `kernels/test_X.py` a file for pytest."""
    units: tuple[str, ...]
    """Files of csrc/ to compile again; programs among `tests` come on top where the fault is in a header."""
    level: str
    """The level at which a kernel file is compiled again; empty for the best one."""

    @property
    def on_cuda(self) -> bool:
        """Whether it is in a CUDA source; tests run those on the CPU (tests/csrc/cuda)."""
        return self.file.endswith(CUDA)

    @property
    def title(self) -> str:
        """The line at fault, in short."""
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{old}  ->  {new or 'nothing'}"


def mutations() -> list[Mutation]:
    """The faults of mutations.toml.

    Raises:
        MisfitError: an entry has too little or too much, or names what is not there.
    """
    found = []
    for entry in tomllib.loads((HERE / "mutations.toml").read_text(encoding="utf-8"))["mutation"]:
        file = entry["file"]
        tests, units = tuple(entry["tests"]), tuple(entry.get("units", [] if file.endswith(CUDA) else [file]))
        one = Mutation(file, entry["old"], entry["new"], tests, units, entry.get("level", ""))
        if one.old == one.new or not one.tests or any(not unit.endswith(".cpp") for unit in one.units):
            raise MisfitError(f"{one.file}: {one.title}: needs a change, tests, and units that can be compiled")
        found.append(one)
    return found


def mutated(mutation: Mutation, folder: Path = REPOSITORY / "csrc") -> str:
    """The text of the file with the fault in it.

    Raises:
        MisfitError: the text at fault is not there exactly once.
    """
    text = (folder / mutation.file).read_text(encoding="utf-8")
    count = text.count(mutation.old)
    if count != 1:
        raise MisfitError(f"csrc/{mutation.file}: expected once, found {count} times: {mutation.old!r}")
    return text.replace(mutation.old, mutation.new)


class Workshop:
    """The copy: built once, then linked again with single objects replaced."""

    def __init__(self, root: Path, *, built: bool) -> None:
        """Not `built`, it has the module of the working tree: enough for faults in CUDA sources."""
        self.root = root
        for name in NEEDED:
            source, target = REPOSITORY / name, root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
            else:
                shutil.copy(source, target)
        self.build = root / "build"
        self.python = self._interpreter()
        self.objects: dict[str, str] = {}
        """Object in the build folder -> the command that makes it."""
        if built:
            self._build()
        (module,) = (self.build if built else REPOSITORY / "forensic").glob("_C.*so")
        self.module = root / "forensic" / module.name
        shutil.copy(module, self.module)
        where = "import forensic._C as c; print(c.__file__, *c.supported_isas())"
        where, *self.levels = self._must([self.python, "-P", "-c", where]).split()
        self.level = self.levels[-1]
        if Path(where).parent != self.module.parent:
            raise MisfitError(f"the tests would load {where}, not {self.module}")

    def _build(self) -> None:
        beside = Path(sys.executable).parent
        cmake = str(beside / "cmake") if (beside / "cmake").exists() else "cmake"
        ninja = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={beside / 'ninja'}"] if (beside / "ninja").exists() else []
        options = ["-DCMAKE_BUILD_TYPE=Release", "-DFORENSIC_CUDA=OFF", "-DFORENSIC_TESTS=ON"]
        options.append(f"-DPython_EXECUTABLE={self.python}")
        self._must([cmake, "-S", str(self.root), "-B", str(self.build), *ninja, *options])
        programs = [path.stem for path in sorted((self.root / "tests" / "csrc").glob("test_*.cpp"))]
        parallel = ["--parallel", str(os.cpu_count() or 1)]
        self._must([cmake, "--build", str(self.build), *parallel, "--target", "_C", *programs])
        for entry in json.loads((self.build / "compile_commands.json").read_text()):
            words = shlex.split(entry["command"])
            name = words[words.index("-o") + 1]
            if "csrc/cuda/" not in name:  # CUDA sources have a build of their own
                self.objects[name] = entry["command"]

    def _interpreter(self) -> str:
        """One with the packages of ours, and the copy where ours has the working tree installed."""
        self._must([sys.executable, "-m", "venv", "--without-pip", str(self.root / "venv")])
        (packages,) = (self.root / "venv").glob("lib/python*/site-packages")
        ours = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        (packages / "copy.pth").write_text("\n".join([str(self.root), *ours, ""]), encoding="utf-8")
        return str(self.root / "venv" / "bin" / "python")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FORENSIC_")}
        kept.pop("PYTHONPATH", None)
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        return kept | {"PYTHONDONTWRITEBYTECODE": "1", "PATH": path}  # cmake and ninja may be beside our interpreter

    def _must(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self._environment(), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise MisfitError(f"{shlex.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def build_cuda(self) -> None:
        """Compiles the CUDA sources for the CPU."""
        self._must([self.python, "-P", "tests/cuda_on_cpu.py"])

    def _object_of(self, unit: str, level: str) -> str:
        """A kernel file has an object a level: one stands for all."""
        ends = [name for name in self.objects if name.endswith(f".dir/{unit}.o")]
        if unit.endswith("_kernel.cpp"):
            ends = [name for name in ends if f"forensic_{level or self.level}.dir" in name]
        if len(ends) != 1:
            raise MisfitError(f"{unit}: expected one object, found {ends}")
        return ends[0]

    @contextlib.contextmanager
    def faulty(self, mutation: Mutation) -> Iterator[None]:
        """Source, programs and module have the fault meanwhile, the source no longer."""
        source = self.root / "csrc" / mutation.file
        sound = source.read_text(encoding="utf-8")
        replaced = {}
        units = [f"csrc/{unit}" for unit in mutation.units]
        if mutation.file.endswith(".h"):
            units += [f"tests/{test}.cpp" for test in mutation.tests if test.startswith("csrc/")]
        source.write_text(mutated(mutation, self.root / "csrc"), encoding="utf-8")
        try:
            for unit in units:
                name = self._object_of(unit, mutation.level)
                replaced[name] = f"{name}.fault.o"
                words = shlex.split(self.objects[name])
                words[words.index("-o") + 1] = replaced[name]
                self._run_in_build(words)
            if mutation.on_cuda:
                self.build_cuda()  # the tests would, too, but what does not compile is not caught
            else:
                self._link(mutation.tests, replaced)
            yield
        finally:
            source.write_text(sound, encoding="utf-8")

    def _link(self, tests: tuple[str, ...], replaced: dict[str, str]) -> None:
        compiler = shlex.split(next(iter(self.objects.values())))[0]
        shared = [
            replaced.get(name, name) for name in self.objects if "csrc/test_" not in name and "_C.dir" not in name
        ]
        for test in tests:
            if test.startswith("csrc/"):
                name = self._object_of(f"tests/{test}.cpp", "")
                own = [replaced.get(name, name)]
                self._run_in_build([compiler, *own, *shared, "-pthread", "-o", Path(test).name])
            else:
                own = [replaced.get(name, name) for name in self.objects if "_C.dir" in name]
                self._run_in_build([compiler, "-shared", *own, *shared, "-pthread", "-o", "fault.so"])
                (self.build / "fault.so").replace(self.module)

    def _run_in_build(self, words: list[str]) -> None:
        done = subprocess.run(words, cwd=self.build, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MisfitError(f"does not compile:\n{done.stderr[-2000:]}")

    def fails(self, test: str, *, on_cuda: bool) -> str:
        """How a test fails, with the CUDA kernels or without; empty if it passes."""
        if test.startswith("csrc/"):
            command = [str(self.build / Path(test).name)]
        else:
            options = ["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-seed=0", "-m", "not cuda"]
            options += ["-k", "cuda_on_cpu" if on_cuda else "not cuda_on_cpu"]
            command = [self.python, "-P", "-m", "pytest", *options, f"tests/{test}"]
        run = subprocess.Popen(
            command,
            cwd=self.root,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = run.communicate(timeout=SECONDS[test.partition("/")[0]])
        except subprocess.TimeoutExpired:
            return "hangs"
        finally:
            with contextlib.suppress(ProcessLookupError):  # children of a test that hangs, too
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()
        if run.returncode == 0:
            return ""
        if run.returncode == 1:
            return "fails"
        if run.returncode < 0:
            return "crashes"
        raise MisfitError(f"tests/{test} ended with {run.returncode}:\n{output.decode(errors='replace')[-2000:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="faults in this file of csrc/; a pattern such as 'triplet*'")
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    root = Path(tempfile.mkdtemp(prefix="forensic-mutate-"))
    try:
        chosen = [one for one in mutations() if fnmatch(one.file, options.only or "*")]
        for one in chosen:
            mutated(one)  # all must fit before the first is tried
        return check(Workshop(root, built=not all(one.on_cuda for one in chosen)), chosen)
    except MisfitError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if options.keep:
            print(f"left in {root}", file=sys.stderr)
        else:
            shutil.rmtree(root)


def check(workshop: Workshop, chosen: list[Mutation]) -> int:
    """Tries each fault; prints a line each. Returns the exit code."""
    if any(one.on_cuda for one in chosen):
        workshop.build_cuda()
    for test, on_cuda in sorted({(test, one.on_cuda) for one in chosen for test in one.tests}):
        how = workshop.fails(test, on_cuda=on_cuda)
        if how:
            raise MisfitError(f"tests/{test} {how} without any fault")
    print(f"{len(chosen)} faults; kernel files at level {workshop.level}, where no other is named", flush=True)
    survivors = 0
    for one in chosen:
        if one.level not in ("", *workshop.levels):
            print(f"{one.file}: {one.title}\n    not tried: this processor lacks {one.level}")
            continue
        begun = time.monotonic()
        with workshop.faulty(one):
            how_each = ((test, workshop.fails(test, on_cuda=one.on_cuda)) for test in one.tests)
            caught = next((f"{test} {how}" for test, how in how_each if how), "")
        survivors += not caught
        verdict = f"caught: {caught}" if caught else "SURVIVED " + ", ".join(one.tests)
        print(f"{one.file}: {one.title}\n    {verdict}, {time.monotonic() - begun:.0f} s", flush=True)
    print(f"{survivors} of {len(chosen)} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
