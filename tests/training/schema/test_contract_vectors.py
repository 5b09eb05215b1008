"""The shared vectors: expected values come from the generators beside them, none of which runs twinrank's code."""

import base64
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinrank.training.schema import (
    SCORING_CODES,
    Feature,
    Packing,
    Schema,
    SchemaError,
    ScoringError,
    pack,
    read_request,
    string_key,
    string_keys,
)

CONTRACT = Path(__file__).resolve().parents[2] / "contract"
VECTORS = CONTRACT / "vectors"


def load(name: str) -> dict[str, Any]:
    return json.loads((VECTORS / name).read_text("utf-8"))


KEYS = load("keys.json")["cases"]
PREFIXES = load("keys.json")["prefixes"]
NUMBERS = load("numbers.json")["cases"]
PACKING = load("packing.json")
TOPICS = ("columns", "lists", "order", "text", "values", "vectors")
REQUESTS = [case for topic in TOPICS for case in load(f"requests_{topic}.json")["cases"]]


def test_the_request_vectors_are_all_read() -> None:
    assert sorted(path.name for path in VECTORS.glob("requests*.json")) == [f"requests_{t}.json" for t in TOPICS]
    assert len({case["name"] for case in REQUESTS}) == len(REQUESTS)


@pytest.mark.parametrize("name", ["keys", "numbers", "packing", *(f"requests_{topic}" for topic in TOPICS)])
def test_the_stored_vectors_are_what_their_generator_makes(name: str) -> None:
    generator = VECTORS / f"generate_{name}.py"
    done = subprocess.run([sys.executable, str(generator), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_vector_files_hold_cases() -> None:
    assert len(KEYS) > 100
    assert len(NUMBERS) > 250
    assert sum("float32_direct" in case for case in NUMBERS) > 40
    assert len(PACKING["cases"]) >= 11
    assert len(PACKING["refused"]) >= 80
    assert len(REQUESTS) > 380


def test_every_error_code_that_a_request_can_earn_has_a_case() -> None:
    earned = {case["expect"]["error"]["code"] for case in REQUESTS if "error" in case["expect"]}
    # What a graph alone can find has its cases among the goldens of a bundle; what limits end needs no request.
    limits = {"deadline_exceeded", "cancelled", "memory_exhausted"}
    assert earned == set(SCORING_CODES) - {"scoring_failed", "unseen_value"} - limits


def test_the_codes_are_those_of_the_contract() -> None:
    listed = json.loads((CONTRACT / "codes.json").read_text("utf-8"))["scoring"]
    assert tuple(entry["code"] for entry in listed) == SCORING_CODES


def test_the_key_of_the_empty_string_is_the_published_one() -> None:
    # XXH3_64bits of no bytes, seed 0: 0x2D06800538D394C2 (xxHash's own sanity test vectors).
    assert string_key("") == 0x2D06800538D394C2


@pytest.mark.parametrize("case", KEYS, ids=lambda case: case["name"])
def test_a_string_has_its_key(case: dict[str, Any]) -> None:
    assert string_key(case["text"]) == int(case["key"])


def test_every_length_of_text_has_its_key() -> None:
    text, expected = PREFIXES["text"], PREFIXES["keys"]
    assert (len(text), len(expected), text.isascii()) == (1000, 1000, True)
    keys = string_keys([text[: length + 1] for length in range(1000)])
    assert keys.tolist() == [int(key) for key in expected]


def test_many_keys_at_once_are_the_same_keys() -> None:
    keys = string_keys([case["text"] for case in KEYS])
    assert keys.dtype == np.int64
    assert keys.tolist() == [int(case["key"]) for case in KEYS]


@pytest.mark.parametrize("case", NUMBERS, ids=lambda case: case["name"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_a_literal_means_its_bits(case: dict[str, str], dtype: Any) -> None:
    schema = Schema((Feature("x", "candidate", dtype),))
    raw = f'{{"context":{{}},"candidates":[{{"x":{case["text"]}}}]}}'.encode()
    if case[dtype] in SCORING_CODES:
        with pytest.raises(ScoringError) as caught:
            read_request(raw, schema, max_candidates=1)
        assert caught.value.code == case[dtype]
        return
    [block] = pack(read_request(raw, schema, max_candidates=1), Packing.of(schema)).values()
    assert block.dtype == dtype
    [value] = block.ravel().tolist()
    code = {"float32": ">f", "float64": ">d"}.get(dtype)
    assert (str(value) if code is None else struct.pack(code, value).hex()) == case[dtype]


@pytest.mark.parametrize("case", PACKING["cases"], ids=lambda case: case["name"])
def test_a_schema_has_its_packing(case: dict[str, Any]) -> None:
    schema = Schema.from_json(case["schema"])
    assert Packing.of(schema).to_json() == case["packing"]
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


@pytest.mark.parametrize("case", PACKING["refused"], ids=lambda case: case["name"])
def test_a_bad_schema_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.from_json(case["schema"])
    assert caught.value.problems
    assert str(caught.value).isascii()


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case["name"])
def test_a_request_gives_its_blocks_or_its_error(case: dict[str, Any]) -> None:
    schema = Schema.from_json(case["schema"])
    raw = case["request"].encode() if "request" in case else base64.b64decode(case["request_base64"], validate=True)
    expect = case["expect"]
    if "error" in expect:
        with pytest.raises(ScoringError) as caught:
            read_request(raw, schema, max_candidates=case["max_candidates"])
        error = caught.value
        assert error.code == expect["error"]["code"], error.message
        assert error.feature == expect["error"].get("feature")
        assert error.candidate == expect["error"].get("candidate")
        assert error.message.isascii()
        assert error.message.isprintable()
        return
    request = read_request(raw, schema, max_candidates=case["max_candidates"])
    assert (request.n, request.k) == (expect["n"], expect["k"])
    blocks = pack(request, Packing.of(schema))
    assert list(blocks) == list(expect["blocks"])
    for name, block in blocks.items():
        assert block.flags.c_contiguous
        stored = {"dtype": str(block.dtype), "shape": list(block.shape), "hex": block.tobytes().hex()}
        assert stored == expect["blocks"][name], name
