from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import forensic
from forensic.case.ledger import open_case
from forensic.engines.choice import DISTRIBUTIONS, choose
from forensic.errors import UsageError

REPOSITORY = Path(forensic.__file__).resolve().parents[1]
FIXED = {"SOURCE_DATE_EPOCH": "1767323045"}


@pytest.fixture
def folder(tmp_path: Path, hostile: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    for number in range(3):
        shutil.copyfile(hostile / "jpeg-ok-control.jpg", made / f"{number:04d}.jpg")
    return made


@pytest.fixture
def scan(run_forensic, tiny_weights: Path) -> Callable[..., object]:
    def call(*arguments: str | bytes | Path, **options):
        return run_forensic("scan", "--weights", tiny_weights, *arguments, **options)

    return call


def test_pipe_gets_json_lines_with_whole_paths(scan, folder, hostile, tmp_path) -> None:
    deep = folder / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)
    names = [b"[bold]x.jpg", b"a\nb\x1b[31m.jpg", b"-rf.jpg", b"--report=x.jpg", b"\xff\xfe.jpg"]
    for name in names:
        shutil.copyfile(hostile / "jpeg-ok-control.jpg", os.fsencode(deep) + b"/" + name)
    ran = scan(folder)
    assert ran.code == 0
    found = [json.loads(line) for line in ran.lines]
    assert len(found) == 3 + len(names)
    assert str(deep / "[bold]x.jpg") in {row["path"] for row in found}
    assert sum("path_b64" in row for row in found) == 1
    assert "\x1b" not in ran.out + ran.err
    assert "8 images" in ran.err
    assert "closing digest " in ran.err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in"]


def test_report_keeps_a_case_and_the_same_command_only_renders_again(scan, folder, tmp_path) -> None:
    (folder / "broken.jpg").touch()
    arguments = (
        folder,
        "--report",
        tmp_path / "r.html",
        "--report",
        tmp_path / "r.csv",
        "--report",
        tmp_path / "r.jsonl",
    )
    first = scan(*arguments, env=FIXED)
    assert first.code == 3
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in", "r.case", "r.csv", "r.html", "r.jsonl"]
    assert (tmp_path / "r.jsonl").read_text() == first.out
    before = {path.name: path.read_bytes() for path in tmp_path.glob("r.*")}
    again = scan(*arguments, env=FIXED)
    assert again.code == 3
    assert again.out == first.out
    assert "complete already" in again.err
    assert {path.name: path.read_bytes() for path in tmp_path.glob("r.*")} == before


def test_csv_guards_formulas_and_keeps_the_bytes(scan, tmp_path, hostile) -> None:
    shutil.copyfile(hostile / "jpeg-ok-control.jpg", tmp_path / "=HYPERLINK(1).jpg")
    ran = scan("=HYPERLINK(1).jpg", "--format", "csv", cwd=tmp_path)
    (row,) = csv.DictReader(ran.lines)
    assert row["path"] == "'=HYPERLINK(1).jpg"
    assert row["path_b64"] == "PUhZUEVSTElOSygxKS5qcGc="


def test_paths_from_a_list(scan, folder) -> None:
    listed = b"\0".join(os.fsencode(path) for path in sorted(folder.iterdir())) + b"\0"
    ran = scan("--files-from", "-", "-0", "--quiet", input=listed)
    assert (ran.code, len(ran.lines), ran.err) == (0, 3, "")


@pytest.mark.parametrize(
    ("listed", "paths"),
    [
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\r\n\r\nb\r\n", [b"a", b"b"]),
        (b"a\nb\r\n", [b"a", b"b\r"]),
        (b"a\nb", [b"a", b"b"]),
        (b"\xef\xbb\xbfa\r\nb\r\n", [b"a", b"b"]),  # as editors of Windows begin a file
        (b"", []),
    ],
)
def test_line_ends_of_a_list(listed: bytes, paths: list[bytes]) -> None:
    from forensic.cli.scan import _listed

    assert _listed(listed, null=False) == paths
    assert _listed(listed, null=True) == ([listed] if listed else [])


def test_a_list_in_utf_16_is_wrong_use() -> None:
    from forensic.cli.scan import _listed

    with pytest.raises(UsageError, match="zero bytes"):
        _listed("a.jpg\n".encode("utf-16"), null=False)


def test_dry_run_reads_nothing_and_needs_no_weights(run_forensic, folder) -> None:
    ran = run_forensic("scan", "--dry-run", "--exclude", "0001*", folder)
    assert ran.code == 0
    assert ran.lines == [str(folder / "0000.jpg"), str(folder / "0002.jpg")]
    assert "2 would be read" in ran.err


def test_known_hashes(scan, folder, tmp_path) -> None:
    digest = hashlib.sha256((folder / "0000.jpg").read_bytes()).hexdigest()
    (tmp_path / "known.txt").write_text(f"# known\n{digest.upper()}  some name\n", encoding="utf-8-sig")
    ran = scan(folder, "--skip-hashes", tmp_path / "known.txt")
    assert ran.code == 0
    assert {json.loads(line)["reason"] for line in ran.lines} == {"known hash"}
    assert "0 scored" in ran.err
    (tmp_path / "bad.txt").write_text("not a digest\n")
    assert scan(folder, "--skip-hashes", tmp_path / "bad.txt").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("in", "--report", "in/r.html"),
        ("in", "--case", "in/a.case"),
        ("in/0000.jpg", "--report", "in/r.html"),
        ("in", "--report", "r.pdf"),
        ("in", "--report", "no/r.html"),
        ("in", "--report", "a.case", "--case", "a.case"),
        ("in", "--threshold", "nan"),
        ("in", "-0"),
        (),
    ],
    ids=str,
)
def test_wrong_use_is_one_line_before_any_work(run_forensic, folder, arguments) -> None:
    ran = run_forensic("scan", *arguments, cwd=folder.parent)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert sorted(entry.name for entry in folder.parent.rglob("*")) == ["0000.jpg", "0001.jpg", "0002.jpg", "in"]


@pytest.fixture(params=["openvino", "onnx"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine that is not torch."""
    package = DISTRIBUTIONS[request.param]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    return request.param


def bundled_scan(run_forensic, *arguments: str | Path) -> list[dict]:
    ran = run_forensic("scan", *arguments)
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.lines]


@pytest.fixture(scope="module")
def exact(run_forensic, samples) -> tuple[list[Path], list[dict]]:
    """Some samples, and what torch finds in them."""
    some = sorted(samples.glob("*.png"))[::4]
    return some, bundled_scan(run_forensic, "--engine", "torch", *some)


def test_every_engine_says_the_same_and_findings_name_it(run_forensic, exact, engine, tmp_path) -> None:
    some, exact = exact
    found = bundled_scan(run_forensic, "--engine", engine, "--case", tmp_path / "x.case", *some)
    verdicts = ("path", "sha256", "verdict", "label", "nearest", "threshold")
    assert [[row[name] for name in verdicts] for row in found] == [[row[name] for name in verdicts] for row in exact]
    assert all("engine" not in row for row in exact)
    named = str(choose(engine))
    assert {row.get("engine", named) for row in found} == {named}
    assert all(row["score"] == other["score"] for row, other in zip(found, exact, strict=True) if "engine" not in row)
    with open_case(tmp_path / "x.case") as stored:
        assert stored.header.configuration["engine"] == choose(engine).recorded


def test_a_case_keeps_its_engine(scan, folder, tmp_path, engine) -> None:
    begun = (folder, "--case", tmp_path / "x.case")
    first = scan(*begun, "--engine", engine)
    again = scan(*begun)
    assert (again.code, again.out) == (0, first.out)
    other = scan(*begun, "--engine", "torch")
    assert other.code == 2
    assert f"engine was {DISTRIBUTIONS[engine]}" in other.err


def test_a_case_is_torch_in_float32(scan, folder, tmp_path) -> None:
    assert scan("--case", tmp_path / "x.case", folder).code == 0
    with open_case(tmp_path / "x.case") as stored:
        assert stored.header.configuration["engine"] == choose("torch").recorded


def test_blurred_reports_of_a_case_that_keeps_them_sharp(scan, run_forensic, folder, tmp_path) -> None:
    fixed = {"env": FIXED, "cwd": tmp_path}
    for name in ("full", "blur"):
        (tmp_path / name).mkdir()
        assert scan(folder, "--report", f"{name}/x.html", "--thumbnails", name, **fixed).code == 0
    cases = [(tmp_path / name / "x.case") for name in ("full", "blur")]
    with open_case(cases[0]) as sharp, open_case(cases[1]) as other:
        assert sharp.closing_digest == other.closing_digest
    again = run_forensic("report", cases[0], "--out", "again.html", "--thumbnails", "blur", **fixed)
    assert again.code == 0
    shown = [(tmp_path / place).read_text() for place in ("again.html", "blur/x.html", "full/x.html")]
    assert thumbnails_in(shown[0]) == thumbnails_in(shown[1]) != thumbnails_in(shown[2])


def thumbnails_in(page: str) -> list[str]:
    return re.findall(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", page)


def test_mild_changes_are_scored_beside_it(scan, run_forensic, folder, tmp_path, tiny_weights) -> None:
    case = tmp_path / "x.case"
    plain = [json.loads(line) for line in scan(folder, "--engine", "torch").lines]
    ran = scan(folder, "--stability", "3", "--case", case)
    rows = [json.loads(line) for line in ran.lines]
    for row, before in zip(rows, plain, strict=True):
        stability = [flag for flag in row["flags"] if flag.startswith(("stability=", "changed-by="))]
        assert stability[0] in {f"stability={kept}/3" for kept in range(4)}
        assert (len(stability) == 1) == (stability[0] == "stability=3/3")
        assert row | {"flags": [flag for flag in row["flags"] if flag not in stability]} == before
    without = scan(folder, "--case", case)
    assert without.code == 2
    assert "was begun otherwise" in without.err
    assert run_forensic("case", "verify", case, "--level", "3", "--weights", tiny_weights).code == 0


def test_for_a_court(scan, folder, tmp_path) -> None:
    case = tmp_path / "court.case"
    said = ("--examiner", "E", "--case-number", "7", "--question", "Q")
    ran = scan(folder, "--profile", "court", "--case", case, *said)
    assert ran.code == 0
    assert all("scores" in json.loads(line) for line in ran.lines)
    with open_case(case) as stored:
        configuration = stored.header.configuration
    assert (configuration["profile"], configuration["threads"]) == ("court", 1)
    assert configuration["engine"].startswith("torch ")
    again = scan(folder, "--case", case)
    assert again.code == 2
    assert "was begun otherwise" in again.err
    missing = scan(folder, "--profile", "court", "--case", tmp_path / "other.case", "--examiner", "E")
    assert missing.code == 2
    assert missing.err.startswith("forensic: --profile court: needs --case-number, --question. ")
    # what a file sets is no default that a profile could overrule silently
    settings = tmp_path / "forensic.toml"
    settings.write_text('[scan]\nengine = "onnx"\n')
    pinned = scan(folder, "--profile", "court", "--case", tmp_path / "other.case", *said, cwd=tmp_path)
    assert pinned.code == 2
    assert "pins --engine torch, and onnx was asked for" in pinned.err


def test_an_engine_that_is_not_installed(scan, folder, tmp_path) -> None:
    """A package without metadata is none that pip knows of."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "from importlib import metadata\n"
        "found = metadata.version\n"
        "def version(name):\n"
        "    if name in ('openvino', 'onnxruntime'):\n"
        "        raise metadata.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "metadata.version = version\n"
    )
    ran = scan("--engine", "openvino", folder, env={"PYTHONPATH": f"{hidden}{os.pathsep}{REPOSITORY}"})
    assert ran.code == 5
    (line,) = ran.err.splitlines()
    assert "openvino is not installed" in line
    assert "pip install 'forensic-attribution[openvino]'" in line
    assert scan("--engine", "tensorrt", folder).code == 2
    assert scan(folder, env={"PYTHONPATH": f"{hidden}{os.pathsep}{REPOSITORY}"}).code == 0


def test_no_engine_opens_a_connection(run_forensic, samples, engine, tmp_path) -> None:
    """Python's sockets are refused by an audit hook; those of a library show among the open files at the end."""
    watch = tmp_path / "watch"
    watch.mkdir()
    (watch / "sitecustomize.py").write_text(
        "import atexit, os, sys\n"
        "def refuse(event, arguments):\n"
        "    if event.startswith('socket.') and event not in ('socket.gethostname', 'socket.__new__'):\n"
        "        print(f'SOCKET {event} {arguments}', file=sys.stderr)\n"
        "        os._exit(99)\n"
        "sys.addaudithook(refuse)\n"
        "def tell():\n"
        "    links = [f'/proc/self/fd/{name}' for name in os.listdir('/proc/self/fd')]\n"
        "    held = [os.readlink(link) for link in links if os.path.lexists(link)]\n"
        "    print(f'SOCKETS {sum(name.startswith(\"socket:\") for name in held)}', file=sys.stderr)\n"
        "    print(f'TELEMETRY {\"openvino_telemetry\" in sys.modules}', file=sys.stderr)\n"
        "if 'forensic' in sys.orig_argv:\n"
        "    atexit.register(tell)\n"
    )
    path = f"{watch}{os.pathsep}{REPOSITORY}"
    ran = run_forensic("scan", "--engine", engine, min(samples.glob("*.png")), env={"PYTHONPATH": path})
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["status"] == "ok"
    assert "SOCKETS 0" in ran.err
    assert "TELEMETRY False" in ran.err
