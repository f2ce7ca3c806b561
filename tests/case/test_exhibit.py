from __future__ import annotations

import hashlib
import json
import tracemalloc
from dataclasses import replace
from itertools import islice

import pytest

from forensic.case.exhibit import case_root, exhibit_of, key_start, told_root, verify_exhibit
from forensic.case.ledger import Place, Root, create_case, open_case, resume_case
from forensic.case.rows import Artefacts, finding_from_json, finding_to_json
from forensic.case.tree import leaf_hash
from forensic.errors import UsageError, VerificationError


@pytest.fixture
def rows(finding, unreadable):
    twice = finding(0).sha256
    return [
        finding(0),
        unreadable(1),
        finding(2, sha256=twice, flags=("small", "duplicate-of=in/0000.png", "not-validated")),
        finding(3),
        finding(4, path="in/\\xff.png", path_b64="aW4v/y5wbmc="),
    ]


@pytest.fixture
def made(write_case, rows):
    return write_case(rows)


def exhibit(case, path) -> dict:
    with open_case(case) as stored:
        return exhibit_of(stored, path)


def test_every_row_proves_itself_under_one_root(made, rows) -> None:
    with open_case(made) as stored:
        root = case_root(stored)
        for number, row in enumerate(rows):
            said = exhibit_of(stored, row.path)
            found = verify_exhibit(json.dumps(said), root)
            assert (found.index, found.tree_size, found.root) == (number, 5, root)
            assert found.finding.path == row.path
            assert found.finding.score == row.score
    assert exhibit(made, "in/\udcff.png")["index"] == 4  # the exact bytes, as the command line gives them


def test_the_same_rows_have_the_same_root_and_others_another(write_case, rows, finding) -> None:
    roots = []
    for name, some in (("a", rows), ("b", rows), ("c", rows[:4]), ("d", [*rows[:4], finding(9)])):
        with open_case(write_case(some, name=f"{name}.case")) as stored:
            roots.append(case_root(stored))
    assert roots[0] == roots[1]
    assert len(set(roots)) == 3


def test_the_root_is_kept_when_the_scan_ends(made, header, rows) -> None:
    with open_case(made) as stored:
        assert stored.stored_root == told_root(stored) == case_root(stored)
    with create_case(None, header()) as anonymous:  # nobody will ask: it is gone in a moment
        anonymous.append([(row, Artefacts()) for row in rows])
        anonymous.finish()
        assert anonymous.stored_root is None
        assert told_root(anonymous) == case_root(anonymous)


def test_a_root_takes_no_memory_that_grows(write_case, finding) -> None:
    with open_case(write_case([finding(number) for number in range(3000)])) as stored:
        for work in (case_root, lambda case: exhibit_of(case, "in/2999.png")):
            tracemalloc.start()
            work(stored)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert most < 100_000  # 3,000 hashes of 65 bytes are twice that


def test_nothing_of_another_row_is_disclosed(made, rows) -> None:
    text = json.dumps(exhibit(made, "in/0002.png"))
    assert "duplicate-of=" not in text
    assert json.loads(text)["finding"]["flags"] == ["small", "not-validated"]
    for number in (0, 1, 3, 4):
        assert rows[number].path not in text
    with open_case(made) as stored:
        digests = [digest.hex() for digest in stored.digests()]
        assert stored.closing_digest not in text
    assert not any(digest in text for digest in digests)


def test_a_neighbour_can_not_be_guessed_from_the_proof(made, rows) -> None:
    """Whoever guesses a neighbour's row exactly still can not tell whether the guess is right."""
    said = exhibit(made, "in/0000.png")
    neighbour = said["audit_path"][0]
    guess = hashlib.sha256(finding_to_json(rows[1]).encode()).digest()
    picture = hashlib.sha256(b"webp").digest()
    spectrum = bytes.fromhex(said["spectrum"])  # the fixture's rows have the same
    for salt in (b"", bytes.fromhex(said["salt"]), bytes(32)):
        for withheld in (b"", bytes.fromhex(said["duplicate_of"]), bytes(32)):
            assert leaf_hash(salt + guess + withheld + picture + spectrum).hex() != neighbour
    salts = {exhibit(made, row.path)["salt"] for row in rows}
    withheld = {exhibit(made, row.path)["duplicate_of"] for row in rows}
    assert len(salts) == len(withheld) == len(rows)


@pytest.mark.parametrize("name", ["salt", "duplicate_of", "thumbnail", "spectrum", "root", "index", "tree_size"])
def test_every_part_of_it_counts(made, name) -> None:
    said = exhibit(made, "in/0001.png")
    value = said[name]
    said[name] = value + 1 if isinstance(value, int) else f"{int(value[0], 16) ^ 1:x}{value[1:]}"
    with pytest.raises(VerificationError):
        verify_exhibit(json.dumps(said))


def test_an_altered_finding_path_or_proof_is_found(made) -> None:
    said = exhibit(made, "in/0000.png")
    for change in ({"score": 9.0}, {"path": "in/0001.png"}, {"verdict": "unknown"}, {"flags": ["x"]}):
        with pytest.raises(VerificationError, match="does not belong to the root"):
            verify_exhibit(json.dumps(said | {"finding": said["finding"] | change}))
    with pytest.raises(VerificationError, match="does not belong"):
        verify_exhibit(json.dumps(said | {"audit_path": said["audit_path"][::-1]}))
    with pytest.raises(VerificationError, match="expected was"):
        verify_exhibit(json.dumps(said), "0" * 64)


def test_the_order_of_keys_and_the_indent_do_not_count(made) -> None:
    said = exhibit(made, "in/0003.png")
    again = {name: said[name] for name in reversed(said)}
    again["finding"] = {name: said["finding"][name] for name in reversed(said["finding"])}
    assert verify_exhibit(json.dumps(again, indent=4)).finding == finding_from_json(json.dumps(said["finding"]))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": "forensic exhibit 1"}', "[" * 99_999])
def test_what_is_no_exhibit(text) -> None:
    with pytest.raises(VerificationError, match="is no exhibit that can be read"):
        verify_exhibit(text)


def test_hostile_values_are_no_exhibit(made) -> None:
    said = exhibit(made, "in/0000.png")
    changes = [{"index": "0"}, {"index": True}, {"tree_size": 1e9}, {"tree_size": 1 << 70}, {"tree_size": -1}]
    changes += [
        {"audit_path": 3},
        {"audit_path": [3]},
        {"salt": "zz"},
        {"salt": "00"},
        {"finding": []},
        {"format": "x"},
    ]
    for change in changes:
        with pytest.raises(VerificationError, match="is no exhibit"):
            verify_exhibit(json.dumps(said | change))


def test_no_such_path_and_no_complete_case(made, write_case, finding) -> None:
    with pytest.raises(UsageError, match="has no such path"):
        exhibit(made, "in/none.png")
    with pytest.raises(UsageError, match="is not complete"):
        exhibit(write_case([finding(1)], complete=False, name="b.case"), "in/0001.png")


def test_without_thumbnail_and_alone(tmp_path, header, finding) -> None:
    with create_case(tmp_path / "a.case", header(), roots=[Root(b"in", b"/e/in")]) as case:
        case.append([(finding(0), Artefacts())], [Place(0, b"0000.png")])
        case.finish()
    said = exhibit(tmp_path / "a.case", "in/0000.png")
    assert said["audit_path"] == []
    assert said["thumbnail"] == hashlib.sha256(b"").hexdigest()
    assert verify_exhibit(json.dumps(said)).tree_size == 1


@pytest.mark.parametrize("sizes", [[5], [1, 1, 1, 1, 1], [2, 3], [5, 0]])
@pytest.mark.parametrize("resumed", [False, True])
def test_the_key_is_gathered_while_rows_are_written(tmp_path, header, rows, sizes, resumed) -> None:
    """In one run, and in several of which the later ones find rows; a batch that fails adds nothing."""
    path = tmp_path / "grown.case"
    rest = iter(rows)
    with create_case(path, header()) as case:
        for place, size in enumerate(sizes):
            if resumed and place:
                break
            with pytest.raises(ValueError, match="JSON"):
                case.append([(rows[0], Artefacts()), (replace(rows[3], score=float("nan")), Artefacts())])
            case.append([(row, Artefacts(thumbnail=b"t")) for row in islice(rest, size)])
        if not resumed:
            case.finish()
    if resumed:
        with resume_case(path) as case:
            case.append([(row, Artefacts(thumbnail=b"t")) for row in rest])
            case.finish()
    with open_case(path) as stored:
        key = key_start(stored.header)
        for digest in stored.digests():
            key.update(digest)
        assert stored.stored_root == case_root(stored) == case_root(stored, key.digest())
        assert len(stored) == 5


def leads_to(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root by the steps of RFC 9162, 2.1.3.2, which goes by the bits of two numbers and knows no subtrees."""
    first, last, root = index, size - 1, leaf
    for other in path:
        assert last
        if first & 1 or first == last:
            root = hashlib.sha256(b"\1" + other + root).digest()
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\1" + root + other).digest()
        first, last = first >> 1, last >> 1
    assert not last
    return root


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8, 13])
def test_somebody_else_s_program_comes_to_the_same_root(write_case, finding, size) -> None:
    case = write_case([finding(number) for number in range(size)])
    with open_case(case) as stored:
        told = stored.stored_root
        for number in range(size):
            said = json.loads(json.dumps(exhibit_of(stored, finding(number).path)))
            line = json.dumps(said["finding"], ensure_ascii=True).encode()
            parts = [bytes.fromhex(said[name]) for name in ("salt", "duplicate_of", "thumbnail", "spectrum")]
            data = parts[0] + hashlib.sha256(line).digest() + b"".join(parts[1:])
            path = [bytes.fromhex(other) for other in said["audit_path"]]
            tree = leads_to(hashlib.sha256(b"\0" + data).digest(), said["index"], said["tree_size"], path)
            counted = said["tree_size"].to_bytes(8, "big")
            assert hashlib.sha256(b"forensic case root 1\n" + counted + tree).hexdigest() == told
