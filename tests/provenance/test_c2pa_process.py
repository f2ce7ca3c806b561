"""The library's process: its answer is JSON whatever it is given, and it has no network."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from forensic.provenance.c2pa_process import check
from forensic.provenance.verification import COMMAND


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A port on this machine, and what was sent to it."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    with server.accept()[0] as visitor:
                        heard.append(visitor.recv(1000))

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def answer(data: bytes, media_type: str = "image/png", trust: str | None = None) -> dict[str, object]:
    job = json.dumps({"format": media_type, "trust": trust}).encode() + b"\n"
    done = subprocess.run(COMMAND, input=job + data, capture_output=True, check=True)
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return told


def test_a_signed_file_is_told_with_its_signer(signer, png) -> None:
    told = answer(signer.sign(png(), "image/png"))
    assert told["state"] == "Valid"
    assert told["signer"] == "Test Signer, Tests, Es256"
    assert told["failures"] == ["signingCredential.untrusted"]
    assert str(told["label"]).startswith("urn:c2pa:")
    assert str(told["reader"]).startswith("c2pa-python ")


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_what_the_library_refuses_has_a_reason(data: bytes, signer, png) -> None:  # noqa: ARG001 - the library is needed
    told = answer(data or png())
    assert "state" not in told
    assert told["reason"]


def test_a_manifest_elsewhere_is_not_fetched(signer, png, listener: tuple[int, list[bytes]]) -> None:
    import c2pa

    port, heard = listener
    data = signer.sign(png(), "image/png", remote=f"http://127.0.0.1:{port}/manifest.c2pa")
    assert str(port).encode() in data
    with pytest.raises(c2pa.C2paError):  # in this process, so that nothing but the settings is in the way
        check(c2pa, data, "image/png", None)
    assert heard == []


def test_without_a_network_there_is_no_way_out(listener: tuple[int, list[bytes]]) -> None:
    code = (
        "import socket, sys; from forensic.provenance.c2pa_process import give_up_network\n"
        "gone = give_up_network()\n"
        "try: socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5).close(); reached = True\n"
        "except OSError: reached = False\n"
        "print(int(gone), int(reached))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(listener[0])], capture_output=True, text=True, check=True, timeout=60
    )
    gone, reached = done.stdout.split()
    assert gone != reached
