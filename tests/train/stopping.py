"""One training run as a chain of processes, each stopped in its own way.

Reads lines `{"run": RUN, "config": FILE, "stops": [STOP, ...]}`, answers each with a JSON list of how the processes
ended, what they said and how long they took.

A STOP says when, and what happens then:

    {}                                      nothing: the process runs to its end
    {"after": SECONDS}                      SIGKILL from outside
    {"event": NAME, "number": N}            SIGKILL at the N-th event of training of that name
    {"file": N}                             SIGKILL just before the N-th file of the run is opened, renamed or removed
    {..., "bytes": N}                       at that event, or from the start: no file may grow beyond N bytes any more
    {..., "bytes": N, "dies": true}         the same, and the process dies in the middle of that write
    {..., "full": NAME}                     at that event: the file NAME of the run is on a full disk

The processes are forked from one that has imported everything, so that a chain takes seconds; each of them runs the
command line as a user would.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def _limit(size: int, *, dies: bool) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if dies else signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _act(stop: dict[str, Any], run: Path) -> None:
    if "full" in stop:
        (run / stop["full"]).symlink_to("/dev/full")
    elif "bytes" in stop:
        _limit(stop["bytes"], dies=stop.get("dies", False))
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def _arm(stop: dict[str, Any], run: Path) -> None:
    from forensic.cli import train as command

    show, seen = command._Display.show, 0

    def watched(display: Any, event: Any) -> None:
        nonlocal seen
        show(display, event)
        seen += type(event).__name__ == stop["event"]
        if type(event).__name__ == stop["event"] and seen == stop["number"]:
            _act(stop, run)

    files = 0

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal files
        if name in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith(str(run)):
            files += 1
            if files == stop["file"]:
                os.kill(os.getpid(), signal.SIGKILL)

    if "event" in stop:
        command._Display.show = watched  # type: ignore[method-assign]
    elif "file" in stop:
        sys.addaudithook(hook)
    elif "bytes" in stop:
        _act(stop, run)


def _child(stop: dict[str, Any], run: Path, config: str, errors: int) -> None:
    from forensic.cli.app import main

    os.dup2(errors, 2)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.setsid()
    os.environ["XDG_CACHE_HOME"] = str(run.parent / "cache")
    _arm(stop, run)
    begun = (run / "config.toml").exists()
    main(["train", "--resume", str(run)] if begun else ["train", "--config", config, "--out", str(run)])


def _run(stop: dict[str, Any], run: Path, config: str) -> dict[str, Any]:
    with tempfile.TemporaryFile() as errors:
        begun = time.monotonic()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _child(stop, run, config, errors.fileno())
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                os._exit(code)
        while "after" in stop and time.monotonic() < begun + stop["after"]:
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
            time.sleep(0.001)
        else:
            if "after" in stop:
                os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        seconds = time.monotonic() - begun
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    return {"ended": os.waitstatus_to_exitcode(status), "said": said, "seconds": seconds}


def _main() -> None:
    # before the first fork; the second is what torch loads when it is asked to be deterministic
    import torch._inductor.config  # noqa: F401

    import forensic.train.loop  # noqa: F401

    for line in sys.stdin:
        told = json.loads(line)
        ends = [_run(stop, Path(told["run"]), told["config"]) for stop in told["stops"]]
        print(json.dumps(ends), flush=True)  # noqa: T201 - its output


if __name__ == "__main__":
    _main()
