"""The C2PA library in a process of its own: one file in on stdin, what the library found out on stdout.

It is native code that parses what somebody else wrote. Here a crash, a stall or a flood of memory costs one answer, and
the process has no network, where the system lets it give that up.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import io
import json
import os
import resource
import sys
from typing import Any

_ADDRESS_SPACE = 2 << 30
_MOST_CODES = 50
_MOST_ACTIONS = 256
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def main() -> None:
    """Answers one job: a line of JSON (`format`, `trust`), then the file."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    give_up_network()
    job = json.loads(sys.stdin.buffer.readline())
    data = sys.stdin.buffer.read()
    library: Any = importlib.import_module("c2pa")
    _limit_memory(len(data))
    try:
        found = check(library, data, job["format"], job["trust"])
    except library.C2paError as error:
        found = {"reason": _one_line(str(error))}
    found["reader"] = f"c2pa-python {importlib.metadata.version('c2pa-python')}, c2pa-rs {library.sdk_version()}"
    json.dump(found, answers)
    answers.flush()


def check(library: Any, data: bytes, media_type: str, trust: str | None) -> dict[str, Any]:  # noqa: ANN401 - it has no types
    """What the library says of one file.

    Args:
        library: the module `c2pa`.
        data: the whole file.
        media_type: such as `image/jpeg`.
        trust: certificates in PEM form that count as trusted, or None.

    Returns:
        `state` (the library's word), `label` of the active manifest, its `generator` and `actions` as they stand in the
        claim, `signer`, `time`, `failures` (codes).
    """
    settings: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
        "trust": {"trust_anchors": trust} if trust else {},
    }
    with (
        library.Settings.from_dict(settings) as chosen,
        library.Context(settings=chosen) as context,
        library.Reader(media_type, io.BytesIO(data), context=context) as reader,
    ):
        told = json.loads(reader.json())
        state = reader.get_validation_state()
    label = told.get("active_manifest") or ""
    manifest = told.get("manifests", {}).get(label, {})
    signature = manifest.get("signature_info") or {}
    results = told.get("validation_results") or {}
    parts = [results.get("activeManifest") or {}]
    parts += [each.get("validationDeltas") or {} for each in results.get("ingredientDeltas") or []]
    failures = [each.get("code", "") for part in parts for each in part.get("failure") or []]
    signer = [signature.get(key) for key in ("common_name", "issuer", "alg")]
    return {
        "state": state,
        "label": label,
        "generator": manifest.get("claim_generator_info") or manifest.get("claim_generator"),
        "actions": [
            action
            for assertion in manifest.get("assertions") or []
            if str(assertion.get("label", "")).partition("__")[0] in ("c2pa.actions", "c2pa.actions.v2")
            for action in (assertion.get("data") or {}).get("actions") or []
        ][:_MOST_ACTIONS],
        "signer": ", ".join(_one_line(str(each)) for each in signer if each),
        "time": _one_line(str(signature.get("time") or "")),
        "failures": list(dict.fromkeys(_one_line(code) for code in failures))[:_MOST_CODES],
    }


def give_up_network() -> bool:
    """Moves this process into a network of its own that has no way out; False where the system does not let it."""
    libc = ctypes.CDLL(None)
    return any(libc.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))


def _limit_memory(size: int) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - the kernel's file, no path to build
        held = int(file.read().split()[0]) * resource.getpagesize()
    most = held + _ADDRESS_SPACE + 4 * size
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _one_line(said: str) -> str:
    return " ".join(said.split())[:300]
