"""One file's bytes to its claims, in the order of the file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from forensic.data.signatures import HEAD, image_format, why_no_image
from forensic.errors import Unreadable
from forensic.provenance.blocks import Damage
from forensic.provenance.claims import Claim, FileClaims, claim_of, unreadable
from forensic.provenance.containers import has_metadata_places, metadata_blocks
from forensic.provenance.manifests import Manifest, is_manifest_store, read_manifests
from forensic.provenance.texts import claims_in
from forensic.provenance.verification import Verification, verify
from forensic.provenance.vocabulary import source_type
from forensic.provenance.xmp import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from forensic.provenance.blocks import Block
    from forensic.provenance.claims import State
    from forensic.provenance.verification import TrustList

MOST_BLOCKS = 2000
MOST_CLAIMS = 500
_MOST_OTHER_TEXTS = 50

NOTICE = (
    "Claims are what the file says of itself. Unsigned ones can be written, changed or removed by anybody; a signature "
    "binds a claim to a certificate, not to the truth, and can be removed. Absence means nothing: uploads strip "
    "claims. No verdict is made of them, none is changed. Not tested: marks in the pixels (SynthID and others have "
    "online readers only; to upload evidence is the laboratory's decision)."
)
"""Stands with every list of claims."""


def read_claims(data: bytes, trust: TrustList | None = None) -> FileClaims:
    """What a picture file claims about its own origin.

    Args:
        data: the whole file.
        trust: certificates that count as trusted for C2PA, or None.

    Returns:
        The claims in the order of the file. Damage is a record among them; no content raises.

    Raises:
        Unreadable: the bytes are no picture of a format that is read.
    """
    if not data:
        raise Unreadable("empty file")
    format_name = image_format(data[:HEAD])
    if format_name is None:
        raise Unreadable(why_no_image(data))
    return collect(data, format_name, partial(verify, data, format_name, trust))


def collect(data: bytes, format_name: str, check: Callable[[], Verification]) -> FileClaims:
    """The claims of a file of a known format; no content raises.

    Args:
        data: the whole file.
        format_name: as `image_format` gives it.
        check: asked about the signature where there is a manifest store.
    """
    claims: list[Claim] = []
    others: list[str] = []
    stores: list[Block] = []
    broken: str | None = None
    for each in _unsigned(data, format_name, stores):
        if isinstance(each, str):
            others.append(each)
            continue
        if isinstance(each, Damage):
            broken = each.reason if each.ends else broken
        if len(claims) == MOST_CLAIMS:
            broken = f"more than {MOST_CLAIMS} claims: the others are not told"
            break
        claims.append(unreadable(each.place, each.reason) if isinstance(each, Damage) else each)
    signed = islice(_store_claims(stores, check()), MOST_CLAIMS) if stores else (_absent(format_name, broken),)
    return FileClaims(
        format=format_name, claims=(*signed, *claims), other_texts=tuple(others[:_MOST_OTHER_TEXTS]), broken=broken
    )


def _unsigned(data: bytes, format_name: str, stores: list[Block]) -> Iterator[Claim | Damage | str]:
    """Unsigned claims, damage, places of other texts; manifest stores are put aside into `stores`."""
    packets = 0
    for number, block in enumerate(metadata_blocks(data, format_name)):
        if number == MOST_BLOCKS:
            yield Damage(
                format_name, f"more than {MOST_BLOCKS:,} places with metadata: the others are not read", ends=True
            )
            return
        if isinstance(block, Damage):
            yield block
        elif block.kind == "jumbf":
            stores += [block] if is_manifest_store(block.data) else []
        else:
            packets += len(block.data) if block.kind == "xmp" else 0
            if packets > MOST_BYTES:
                yield Damage(block.place, f"XMP of this file comes to more than {MOST_BYTES:,} bytes: not read")
            else:
                yield from claims_in(block)


def _absent(format_name: str, broken: str | None) -> Claim:
    says = f"no C2PA manifest store in the file's {format_name} structure"
    if not has_metadata_places(format_name):
        says = f"no place for a C2PA manifest store is known in {format_name}"
    elif broken is not None:
        says = "no C2PA manifest store before the damage"
    return Claim(kind="c2pa", place=format_name, state="absent", says=says)


def _store_claims(stores: list[Block], checked: Verification) -> Iterator[Claim]:
    """The verification, what the active manifest says by the library, then every other manifest by our own reading.

    The library looks at one store. Where there are several, whose claims it told can not be said, so that none of ours
    is taken for checked.
    """
    active = checked.manifest
    first = stores[0]
    place = first.place if len(stores) == 1 else f"one of {len(stores)} manifest stores"
    store = claim_of("c2pa", place, "", first.data, says=checked.says)
    store = replace(store, value=None if active is None else active.label)
    if len(stores) > 1:
        store = replace(store, value_bytes=None, value_sha256=None)
    reader = checked.reader or store.reader
    yield replace(store, state=checked.state, reader=reader, details=checked.details)
    if active is not None:
        yield from _manifest_claims(active, place, checked.state, reader)
    for block in stores:
        try:
            found = read_manifests(block.data)
        except Unreadable as outcome:
            yield unreadable(block.place, outcome.reason, kind="c2pa")
            continue
        for number, manifest in enumerate(reversed(found)):
            if active is None or len(stores) > 1 or number or manifest.label != active.label:
                yield from _manifest_claims(manifest, block.place, "present-not-checked", store.reader)


def _manifest_claims(manifest: Manifest, where: str, state: State, reader: str) -> Iterator[Claim]:
    place = f"{where}, {manifest.kind} {manifest.label}"
    values = [("c2pa:claim_generator", manifest.generator, "names the program that made the claim", place)]
    for action in manifest.actions:
        at = f"{place}, action {action.name}"
        values.append(("c2pa:digitalSourceType", action.source_type, source_type(action.source_type), at))
        values.append(("c2pa:softwareAgent", action.agent, "names the program that took the action", at))
    for kind, value, says, at in values:
        if value:
            raw = value.encode(errors="surrogatepass")
            yield replace(claim_of(kind, at, value, raw, says=says, state=state), reader=reader)
    for reason in manifest.unread:
        yield unreadable(place, reason, kind="c2pa")
