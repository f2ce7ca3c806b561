"""`forensic provenance` as a user runs it."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from forensic import __version__
from forensic.provenance.read import NOTICE


def test_a_pipe_gets_a_line_of_json_a_file(forensic, hostile: Path) -> None:
    said = forensic("provenance", hostile / "png-sd-a1111.png", hostile / "png-tc260-aigc.png")
    assert (said.code, said.err) == (0, "")
    first, second = map(json.loads, said.out.splitlines())
    assert first["path"].endswith("png-sd-a1111.png")
    assert first["sha256"] == hashlib.sha256((hostile / "png-sd-a1111.png").read_bytes()).hexdigest()
    assert (first["status"], first["format"], first["tool"]) == ("ok", "PNG", f"forensic {__version__}")
    assert [claim["kind"] for claim in first["claims"]] == ["c2pa", "generator"]
    assert [claim["kind"] for claim in second["claims"]] == ["c2pa", "gb45438:AIGC"]
    assert first["notice"] == NOTICE


def test_json_is_one_object(forensic, hostile: Path) -> None:
    said = forensic("provenance", hostile / "png-sd-a1111.png", "--format", "json")
    told = json.loads(said.out)
    assert told["notice"] == NOTICE
    assert [file["claims"][1]["state"] for file in told["files"]] == ["unsigned"]


def test_table_has_place_value_words_and_what_it_can_not_say(forensic, hostile: Path) -> None:
    said = forensic("provenance", hostile / "png-sd-novelai.png", "--format", "table")
    assert said.code == 0
    assert said.out.startswith("Claims carried by the file ")
    assert "generator: unsigned claim" in said.out
    assert "place  PNG tEXt 'Software' at byte 103" in said.out
    assert "value  NovelAI" in said.out
    assert "Absence means nothing" in said.out
    assert "c2pa: absent" in said.out


def test_text_of_evidence_can_not_act(forensic, hostile: Path) -> None:
    said = forensic("provenance", hostile / "png-html-in-text.png", "--format", "table")
    assert "\x1b" not in said.out
    assert "[bold red]not markup[/bold red]" in said.out
    assert "\\x1b[31mred" in said.out
    (line,) = forensic("provenance", hostile / "png-html-in-text.png").out.splitlines()
    assert line.isascii()
    assert "\x1b[31mred" in json.loads(line)["claims"][2]["value"]


def test_unreadable_files_are_named_and_exit_3(forensic, hostile: Path) -> None:
    files = [hostile / name for name in ("zip-renamed.jpg", "png-truncated.png", "png-sd-a1111.png")]
    said = forensic("provenance", *files, "nosuch.png")
    assert said.code == 3
    told = {Path(record["path"]).name: record for record in map(json.loads, said.out.splitlines())}
    assert told["zip-renamed.jpg"]["reason"] == "content is a ZIP archive, not an image"
    assert told["nosuch.png"]["reason"] == "no such file"
    assert told["png-truncated.png"]["status"] == "unreadable"
    assert told["png-truncated.png"]["claims"][0]["says"] == "no C2PA manifest store before the damage"
    assert told["png-sd-a1111.png"]["status"] == "ok"
    assert said.err == "3 of 4 files could not be read, or not to the end\n"
    assert forensic("provenance", *files, "nosuch.png", "--format", "table").code == 3


def test_a_folder_is_walked_and_nothing_is_written_there(forensic, hostile: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for name in ("png-sd-a1111.png", "jpeg-ok-control.jpg"):
        shutil.copy(hostile / name, folder)
    (folder / "link.png").symlink_to("png-sd-a1111.png")
    before = sorted(folder.iterdir())
    said = forensic("provenance", folder)
    assert [Path(json.loads(line)["path"]).name for line in said.out.splitlines()] == [
        "jpeg-ok-control.jpg",
        "link.png",
        "png-sd-a1111.png",
    ]
    link = json.loads(said.out.splitlines()[1])
    assert (link["status"], link["reason"]) == ("skipped", "link, not followed")
    assert said.code == 0
    assert sorted(folder.iterdir()) == before


def test_a_folder_without_images_is_wrong_use(forensic, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = forensic("provenance", "empty")
    assert said.code == 2
    assert "holds no image" in said.err


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "no such file"), (b"words", "holds no certificate in PEM form")]
)
def test_a_trust_list_that_is_none_ends_the_command(
    content: bytes | None, reason: str, forensic, hostile: Path, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "list.pem").write_bytes(content)
    said = forensic("provenance", hostile / "png-sd-a1111.png", "--c2pa-trust", "list.pem")
    assert (said.code, said.out) == (5, "")
    assert reason in said.err


def test_a_long_value_is_cut_with_its_hash(forensic, tmp_path: Path) -> None:
    from PIL import Image, PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "x" * 9000)
    Image.new("L", (16, 16)).save(tmp_path / "long.png", pnginfo=text)
    said = forensic("provenance", "long.png", "--format", "table")
    digest = hashlib.sha256(b"x" * 9000).hexdigest()
    assert f"{'x' * 240}… (9,000 bytes, sha256 {digest})" in said.out
    claim = json.loads(forensic("provenance", "long.png").out)["claims"][1]
    assert (len(claim["value"]), claim["value_bytes"], claim["value_sha256"]) == (4000, 9000, digest)


def test_a_store_is_told_without_the_library_and_how_to_have_it_checked(
    forensic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from forensic.provenance import verification

    monkeypatch.setattr(verification, "find_spec", lambda name: None if name == "c2pa" else find_spec(name))
    described = b"c2pa" + bytes.fromhex("00110010800000aa00389b71") + b"\3c2pa\0"
    box = (8 + len(described)).to_bytes(4, "big") + b"jumd" + described
    store = (8 + len(box)).to_bytes(4, "big") + b"jumb" + box
    webp = b"WEBPC2PA" + len(store).to_bytes(4, "little") + store + b"\0" * (len(store) & 1)
    (tmp_path / "signed.webp").write_bytes(b"RIFF" + len(webp).to_bytes(4, "little") + webp)
    said = forensic("provenance", "signed.webp")
    first = json.loads(said.out)["claims"][0]
    assert (first["kind"], first["state"]) == ("c2pa", "present-not-checked")
    assert "C2PA in 1 file not checked: pip install 'forensic-attribution[c2pa]'" in said.err
    assert said.code == 0
