"""China's implicit label of generated content: a small JSON object of seven fields.

It belongs into XMP as `TC260:AIGC`; it is met as a PNG text, a comment, in EXIF and in a bare APP11 segment too.

Source: GB 45438-2025, appendix on implicit labels of files.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from forensic.provenance.claims import claim_of
from forensic.provenance.vocabulary import aigc_label

if TYPE_CHECKING:
    from forensic.provenance.claims import Claim

KIND = "gb45438:AIGC"
_FIELDS = (
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
_BARE = re.compile(r"AIGC\"?\s*(?:[:=]\s*)?\{")
_MOST_CHARACTERS = 1 << 16
_SHOWN = 200


def aigc_claim(key: str, text: str, raw: bytes, place: str) -> Claim | None:
    """The label in a text, or None where there is none.

    Args:
        key: the text's; `AIGC` with or without a prefix says that it must be a label.
        text: the value.
        raw: its exact bytes.
        place: where it stands.
    """
    named = key.rpartition(":")[2].upper() == "AIGC"
    start = _BARE.search(text[:_MOST_CHARACTERS])
    begins = text.find("{", start.start()) if start else text.find("{")
    fields = _fields(text[begins : begins + _MOST_CHARACTERS]) if begins >= 0 and (named or start) else None
    if fields is None and not named:
        return None
    if fields is None:
        return claim_of(KIND, place, text, raw, says="named a label of GB 45438-2025, but holds no such JSON object")
    said = aigc_label(str(fields.get("Label", "")))
    details = tuple(f"{name}: {_shown(fields[name])}" for name in _FIELDS if fields.get(name) not in (None, ""))
    claim = claim_of(KIND, place, text, raw, says=f"label of GB 45438-2025; {said}; reserved codes are not checked")
    return replace(claim, details=details)


def _fields(text: str) -> dict[str, object] | None:
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and isinstance(value.get("AIGC"), dict):
        value = value["AIGC"]
    return value if isinstance(value, dict) and any(name in value for name in _FIELDS) else None


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
