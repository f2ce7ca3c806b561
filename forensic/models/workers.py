"""Threads that torch computes in beside one another, each with a number of threads of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch


def torch_workers(count: int, threads: int, name: str) -> ThreadPoolExecutor:
    """Started workers; the caller's torch keeps its number of threads.

    Args:
        count: of the workers, one at least.
        threads: that torch computes with in each of them.
        name: what their names begin with.
    """
    before, all_there = torch.get_num_threads(), Barrier(count)

    def begin() -> None:
        torch.set_num_threads(threads)
        torch.get_num_threads()  # at its first call a thread takes over the process's number: now, while it is this one
        all_there.wait()

    workers = ThreadPoolExecutor(count, name)
    for ready in [workers.submit(begin) for _ in range(count)]:
        ready.result()
    torch.set_num_threads(before)  # of this thread, and of those that are yet to come
    return workers
