"""The table: every row can be met, first rows win, and words come for what it knows only."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from forensic.provenance import vocabulary

TABLE = tomllib.loads(Path(vocabulary.__file__).with_name("vocabulary.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("key", "text", "kind", "says"),
    [
        ("parameters", "a boat\nSteps: 20, Sampler: Euler", "generator", "AUTOMATIC1111"),
        ("PARAMETERS", "a boat\nNegative prompt: x", "generator", "AUTOMATIC1111"),
        ("parameters", "a boat", "generator", "Stable Diffusion family"),
        ("parameters", '{"sui_image_params": {}}', "generator", "SwarmUI"),
        ("parameters", '{"base_model_hash": "x"}', "generator", "Fooocus"),
        ("UserComment", "a boat\nSteps: 20, Sampler: Euler", "generator", "AUTOMATIC1111"),
        ("prompt", '{"3": {"class_type": "KSampler"}}', "generator", "ComfyUI"),
        ("Make", 'workflow: {"nodes": []}', "generator", "ComfyUI"),
        ("Make", "a maker", "tool", "device"),
        ("prompt", "a boat", "generator", "Stable Diffusion family"),
        ("invokeai_metadata", "{}", "generator", "InvokeAI"),
        ("Software", "NovelAI", "generator", "NovelAI"),
        ("Comment", '{"steps": 28, "uc": "x"}', "generator", "NovelAI"),
        ("Comment", '{"steps": 28}', "text", "free text"),
        ("Description", "a boat Job ID: 01234567-89ab", "generator", "Midjourney"),
        ("photoshop:Credit", "Made with Google AI", "credit", "Google"),
        ("Credit", "An agency", "credit", "as written"),
        ("xmp:CreatorTool", "Adobe Firefly", "tool", "generates images"),
        ("Software", "DALL·E 3", "tool", "generates images"),
        ("stEvt:softwareAgent", "Adobe Photoshop 25.0", "tool", "as written"),
        ("Iptc4xmpExt:AISystemUsed", "x", "iptc:AI", "generative"),
        ("dcterms:provenance", "http://example.org", "c2pa:remote", "not fetched"),
    ],
)
def test_meanings(key: str, text: str, kind: str, says: str) -> None:
    meaning = vocabulary.meaning_of(key, text)
    assert meaning is not None
    assert meaning.kind == kind
    assert says in meaning.says


@pytest.mark.parametrize(
    ("key", "text"), [("date:create", "2026"), ("", ""), ("APP11", "AIGC"), ("dc:description", "x")]
)
def test_what_the_table_does_not_know(key: str, text: str) -> None:
    assert vocabulary.meaning_of(key, text) is None


def test_no_row_is_hidden_by_one_before_it() -> None:
    taken: set[str] = set()
    for row in TABLE["text"]:
        keys = {key.lower() for key in row["keys"]}
        assert keys - taken, row["says"]
        assert row["source"]
        if "pattern" in row:
            re.compile(row["pattern"])
        else:
            taken |= keys


@pytest.mark.parametrize(
    "value",
    [
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        "https://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia/",
        "digsrctype:trainedAlgorithmicMedia",
        " trainedAlgorithmicMedia ",
    ],
)
def test_spellings_of_a_source_type(value: str) -> None:
    assert vocabulary.source_type(value) == "of the image: made by a model that was trained on sampled content"


@pytest.mark.parametrize("value", ["", "http://example.org/trainedAlgorithmicMedia", "unheardOf", "a b"])
def test_unknown_source_types_get_no_words(value: str) -> None:
    assert vocabulary.source_type(value) == "a digital source type that the table does not know"


def test_labels_failures_and_prefixes() -> None:
    assert vocabulary.aigc_label("2") == "of the image: possibly made by artificial intelligence"
    assert vocabulary.aigc_label("9") == "a label that the table does not know"
    assert vocabulary.c2pa_failure("signingCredential.expired").endswith("no alteration (signingCredential.expired)")
    assert vocabulary.c2pa_failure("unheard.of") == "unheard.of"
    assert vocabulary.property_key("http://ns.adobe.com/xap/1.0/", "xap:CreatorTool") == "xmp:CreatorTool"
    assert vocabulary.property_key("", "C260:AIGC") == "C260:AIGC"
