from __future__ import annotations

import platform
from pathlib import Path

from forensic.benchmark.machine import processor


def test_the_processor_is_named_as_the_kernel_names_it() -> None:
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    assert processor() == platform.machine() or f": {processor()}\n" in told
