from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from forensic.case.ledger import open_case
from forensic.case.rows import finding_to_json
from forensic.report.case_uco import write_case_uco


def written(case: Path) -> bytes:
    stream = io.BytesIO()
    with open_case(case) as stored:
        write_case_uco(stored, stream)
    return stream.getvalue()


def nodes(case: Path, kind: str) -> list[dict]:
    return [node for node in json.loads(written(case))["@graph"] if node["@type"].endswith(f":{kind}")]


def facets(node: dict) -> dict[str, dict]:
    return {facet["@type"].partition(":")[2]: facet for facet in node["uco-core:hasFacet"]}


def test_every_finding_is_a_file_that_the_scan_examined(make_case) -> None:
    case = make_case()
    rows = [finding for finding, _ in make_case.every_outcome()]
    files = nodes(case, "File")
    assert [node["uco-core:description"] for node in files] == [finding_to_json(finding) for finding in rows]
    (action,) = nodes(case, "InvestigativeAction")
    assert [node["@id"] for node in action["uco-action:object"]] == [node["@id"] for node in files]
    with open_case(case) as stored:
        assert f"closing digest {stored.closing_digest}" in action["uco-core:description"]
    tools = {node["@id"] for node in nodes(case, "Tool")}
    assert {node["@id"] for node in action["uco-action:instrument"]} == tools
    for finding, node in zip(rows, files, strict=True):
        found = facets(node)
        assert found["FileFacet"]["uco-observable:filePath"] == finding.path
        assert ("ContentDataFacet" in found) == (finding.sha256 is not None)
        assert ("ArtifactClassificationResultFacet" in found) == (finding.verdict is not None)
        if finding.verdict is not None:
            said = found["ArtifactClassificationResultFacet"]["uco-analysis:classification"]["uco-analysis:class"]
            assert said == (finding.label or "attributed to no known class")


def test_names_are_single_and_follow_from_the_content(make_case) -> None:
    first, second = make_case(name="a.case"), make_case(name="b.case")
    assert written(first) == written(second)
    other = make_case([(make_case.scored("in/a.png", 1.5, "alpha"), make_case.EMPTY)], name="c.case")
    names = [node["@id"] for node in json.loads(written(first))["@graph"]]
    assert len(names) == len(set(names))
    assert not {node["@id"] for node in nodes(first, "File")} & {node["@id"] for node in nodes(other, "File")}


def test_a_score_is_never_a_confidence(make_case) -> None:
    assert b"onfidence" not in written(make_case())


@pytest.mark.parametrize("rows", [None, []])
def test_the_community_s_own_validator_agrees(make_case, rows, tmp_path) -> None:
    pytest.importorskip("case_utils", reason="needs case-utils")
    (tmp_path / "case.jsonld").write_bytes(written(make_case(rows)))
    validate = "from case_utils.case_validate import main; main()"
    command = [sys.executable, "-c", validate, tmp_path / "case.jsonld"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Conforms: True" in done.stdout
