from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import forensic
from forensic.case.lock import CaseLock, left_behind, lock_case, writer_lives
from forensic.errors import ForensicError, MachineError, UsageError

HOLD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from forensic.case.lock import CaseLock
lock = CaseLock(Path(sys.argv[2]))
print("held", flush=True)
time.sleep(60)
"""


def holder(case: Path) -> subprocess.Popen[str]:
    root = str(Path(forensic.__file__).parents[1])
    process = subprocess.Popen([sys.executable, "-c", HOLD, root, str(case)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_lock_of_another_process_is_named_and_falls_with_its_death(tmp_path) -> None:
    case = tmp_path / "a.case"
    process = holder(case)
    try:
        assert writer_lives(case)
        with pytest.raises(UsageError, match=f"process {process.pid} on "):
            CaseLock(case)
    finally:
        process.kill()
        process.communicate()
    assert not writer_lives(case)
    assert left_behind(case)
    with CaseLock(case):
        assert writer_lives(case)


def test_released_lock_leaves_nothing(tmp_path) -> None:
    with CaseLock(tmp_path / "a.case") as lock:
        lock.release()
        lock.release()
    assert list(tmp_path.iterdir()) == []
    assert not writer_lives(tmp_path / "a.case")
    assert not left_behind(tmp_path / "a.case")


def test_children_do_not_keep_the_lock(tmp_path) -> None:
    lock = CaseLock(tmp_path / "a.case")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], close_fds=False)
    try:
        os.close(lock._descriptor)  # as the kernel does when the process dies
        # a spawned child runs on before the kernel has closed what is not inherited
        deadline = time.monotonic() + 5
        while writer_lives(tmp_path / "a.case") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not writer_lives(tmp_path / "a.case")
        assert child.poll() is None
    finally:
        lock._descriptor = -1
        child.kill()
        child.wait()


def test_a_reader_that_looks_does_not_keep_a_writer_out(tmp_path) -> None:
    case = tmp_path / "a.case"
    (tmp_path / "a.case.lock").touch()
    began = time.monotonic()
    for _ in range(20):
        writer_lives(case)
        CaseLock(case).release()
        (tmp_path / "a.case.lock").touch()
    assert time.monotonic() - began < 5


def test_a_folder_that_takes_no_lock_is_the_machine_s_fault(tmp_path) -> None:
    case = tmp_path / "a.case"
    (tmp_path / "a.case.lock").mkdir()  # as a read-only file system refuses it, for any user
    with pytest.raises(
        MachineError, match=r"a\.case: can not be written: is a directory\. A case is written where its folder can be"
    ):
        lock_case(case)
    with pytest.raises(UsageError, match="its folder does not exist"):
        lock_case(tmp_path / "no" / "a.case")
    with lock_case(tmp_path / "b.case"):
        assert writer_lives(tmp_path / "b.case")


def test_a_link_to_a_case_has_the_lock_of_the_case(tmp_path) -> None:
    link = tmp_path / "link.case"
    link.symlink_to("a.case")
    with CaseLock(tmp_path / "a.case"):
        assert writer_lives(link)
        with pytest.raises(UsageError, match=f"link.case: is being written by process {os.getpid()} on "):
            CaseLock(link)


def test_the_lock_of_another_user_who_is_gone_is_taken() -> None:
    """As a user who may write the folder and not the file."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o777)
        lock = folder / "a.case.lock"
        lock.write_text("process 1 on elsewhere\n")
        lock.chmod(0o444)
        assert as_somebody_else(lambda: lock_case(folder / "a.case").release()) == 0
        assert list(folder.iterdir()) == []
        with CaseLock(folder / "a.case"):
            lock.chmod(0o444)
            assert as_somebody_else(lambda: lock_case(folder / "a.case")) == UsageError.exit_code
            folder.chmod(0o755)
        lock.touch()
        lock.chmod(0o444)
        folder.chmod(0o555)
        assert as_somebody_else(lambda: lock_case(folder / "a.case")) == MachineError.exit_code
        folder.chmod(0o755)


def as_somebody_else(work: Callable[[], object]) -> int:
    """The exit code of a fork that does it, as nobody where the tests are run by root."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            work()
            code = 0
        except ForensicError as error:
            code = int(error.exit_code)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
