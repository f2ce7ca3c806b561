from __future__ import annotations

import pytest

from forensic.scan.interruption import Interruption, StopRequested


def wait_for(interruption: Interruption) -> None:
    with interruption.waiting():
        interruption.request()
        pytest.fail("the wait went on")


def test_request_while_waiting_ends_the_wait() -> None:
    interruption = Interruption()
    with pytest.raises(StopRequested):
        wait_for(interruption)
    assert interruption.requested


def test_request_at_work_waits_for_the_next_wait() -> None:
    interruption = Interruption()
    interruption.request()
    with pytest.raises(StopRequested):
        wait_for(interruption)


def test_second_request_at_work_is_silent() -> None:
    interruption = Interruption()
    with interruption.waiting():
        pass
    interruption.request()
    interruption.request()
    assert interruption.requested
