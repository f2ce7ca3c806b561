"""Findings as CASE/UCO (JSON-LD), for programs that exchange cases; written from a fixed template.

    InvestigativeAction   the scan: when, with which tools (program, weights), on which files
    File                  one a finding: name, path, size, SHA-256, size of the picture; what was said of it as the
                          facet ArtifactClassificationResult; the finding itself, exact, as its description

A score is no confidence and is not told as one. Names are version-5 UUIDs made from the digests of the chain, so that
the same case gives the same bytes.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from forensic.case.rows import finding_to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.case.reader import CaseReader, Place
    from forensic.case.rows import Finding

Node = dict[str, Any]

_UCO = "https://ontology.unifiedcyberontology.org/uco"
_CONTEXT = {
    "kb": "urn:forensic:",
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    **{f"uco-{name}": f"{_UCO}/{name}/" for name in ("action", "analysis", "core", "observable", "tool", "types")},
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:forensic:case-uco:1")


def write_case_uco(case: CaseReader, stream: IO[bytes]) -> None:
    """One JSON-LD document, a node a line; memory does not depend on the size of the case.

    Raises:
        VerificationError: the case is damaged.
        MachineError: it can not be read.
    """
    stream.write(b'{"@context": ' + _line(_CONTEXT) + b',\n"@graph": [\n')
    for node in _tools(case):
        stream.write(_line(node) + b",\n")
    for (finding, place), digest in zip(case.lines(), case.digests(), strict=True):
        stream.write(_line(_file(finding, place, digest.hex())) + b",\n")
    action = _line(_action(case))
    stream.write(action[:-1])  # without its brace: the files it examined come one by one
    before = b', "uco-action:object": ['
    for digest in case.digests():
        stream.write(before + _line({"@id": _name("File", digest.hex())}))
        before = b", "
    stream.write((b"]}" if len(case) else b"}") + b"\n]}\n")


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode("ascii")


def _name(kind: str, of: str) -> str:
    return f"kb:{kind}-{uuid.uuid5(_NAMESPACE, f'{kind} {of}')}"


def _time(iso: str) -> Node:
    return {"@type": "xsd:dateTime", "@value": iso}


def _tools(case: CaseReader) -> Iterator[Node]:
    header = case.header
    yield {
        "@id": _name("Tool", header.tool_version),
        "@type": "uco-tool:Tool",
        "uco-core:name": "forensic",
        "uco-tool:toolType": "open-set attribution of images to generators",
        "uco-tool:version": header.tool_version,
    }
    yield {
        "@id": _name("Tool", f"weights {header.weights}"),
        "@type": "uco-tool:Tool",
        "uco-core:name": header.weights_name,
        "uco-core:description": f"known classes: {', '.join(header.classes)}; preprocessing {header.preprocessing}",
        "uco-tool:toolType": "weights",
        "uco-tool:version": header.weights,
    }


def _action(case: CaseReader) -> Node:
    header = case.header
    first, last = case.run_times
    words = (("case number", header.case_number), ("exhibit", header.exhibit), ("examiner", header.examiner))
    said = [header.question, *(f"{name} {word}" for name, word in words if word), header.note]
    said.append(f"{'closing' if case.complete else 'last'} digest {case.closing_digest}")
    return {
        "@id": _name("InvestigativeAction", case.closing_digest),
        "@type": "case-investigation:InvestigativeAction",
        "uco-core:name": "scan",
        "uco-core:description": "; ".join(word for word in said if word),
        "uco-action:startTime": _time(first),
        **({"uco-action:endTime": _time(last)} if last else {}),
        "uco-action:instrument": [
            {"@id": _name("Tool", header.tool_version)},
            {"@id": _name("Tool", f"weights {header.weights}")},
        ],
    }


def _file(finding: Finding, place: Place, digest: str) -> Node:
    facets = [_file_facet(finding, place, digest)]
    if finding.sha256 is not None:
        facets.append(
            {
                "@id": _name("ContentDataFacet", digest),
                "@type": "uco-observable:ContentDataFacet",
                "uco-observable:hash": {
                    "@id": _name("Hash", digest),
                    "@type": "uco-types:Hash",
                    "uco-types:hashMethod": "SHA256",
                    "uco-types:hashValue": {"@type": "xsd:hexBinary", "@value": finding.sha256},
                },
            }
        )
    if finding.width is not None and finding.height is not None:
        facets.append(
            {
                "@id": _name("RasterPictureFacet", digest),
                "@type": "uco-observable:RasterPictureFacet",
                "uco-observable:pictureType": finding.format or "",
                "uco-observable:pictureWidth": finding.width,
                "uco-observable:pictureHeight": finding.height,
            }
        )
    if finding.verdict is not None:
        known = finding.verdict == "known"
        facets.append(
            {
                "@id": _name("ArtifactClassificationResultFacet", digest),
                "@type": "uco-analysis:ArtifactClassificationResultFacet",
                "uco-analysis:classification": {
                    "@id": _name("ArtifactClassification", digest),
                    "@type": "uco-analysis:ArtifactClassification",
                    "uco-analysis:class": finding.label if known else "attributed to no known class",
                },
            }
        )
    return {
        "@id": _name("File", digest),
        "@type": "uco-observable:File",
        "uco-core:description": finding_to_json(finding),
        "uco-core:hasFacet": facets,
    }


def _file_facet(finding: Finding, place: Place, digest: str) -> Node:
    facet: Node = {
        "@id": _name("FileFacet", digest),
        "@type": "uco-observable:FileFacet",
        "uco-observable:fileName": finding.path.rpartition("/")[2],
        "uco-observable:filePath": finding.path,
    }
    if place.mtime_ns is not None:
        changed = datetime.fromtimestamp(place.mtime_ns // 1_000_000_000, UTC).isoformat()
        facet["uco-observable:modifiedTime"] = _time(changed)
    if finding.bytes is not None:
        facet["uco-observable:sizeInBytes"] = finding.bytes
    return facet
