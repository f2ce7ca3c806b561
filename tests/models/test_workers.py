from __future__ import annotations

import threading

import torch

from forensic.models.workers import torch_workers


def test_each_has_its_number_of_threads_and_the_caller_keeps_his() -> None:
    before = torch.get_num_threads()
    all_there = threading.Barrier(3)

    def told() -> tuple[int, str]:
        all_there.wait()  # one call a worker
        return torch.get_num_threads(), threading.current_thread().name

    workers = torch_workers(3, before + 1, "worker")
    found = [one.result() for one in [workers.submit(told) for _ in range(3)]]
    assert [threads for threads, _ in found] == [before + 1] * 3
    assert all(name.startswith("worker") for _, name in found)
    assert torch.get_num_threads() == before
