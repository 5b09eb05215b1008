import json
from collections import Counter
from pathlib import Path

import pytest

from twinrank.bridge.fuzz import fuzz_cases
from twinrank.training.schema import Schema, ScoringError, read_request

TINY = Path(__file__).resolve().parents[1] / "contract" / "vectors" / "bundles" / "tiny" / "1"


@pytest.fixture(scope="session")
def schema() -> Schema:
    return Schema.from_json(json.loads((TINY / "manifest.json").read_bytes())["schema"])


def decision(raw: bytes, schema: Schema, most: int) -> str:
    try:
        read_request(raw, schema, max_candidates=most)
    except ScoringError as error:
        return error.code
    return "scores"


def test_two_thirds_of_the_requests_score(schema: Schema) -> None:
    decided = Counter(decision(case.raw, schema, 20) for case in fuzz_cases(schema, 20, 4096, 1))
    assert 0.60 <= decided["scores"] / 4096 <= 0.72, decided


def test_a_request_does_not_depend_on_how_many_are_asked_for(schema: Schema) -> None:
    many = [case.raw for case in fuzz_cases(schema, 20, 3000, 5)]
    assert [case.raw for case in fuzz_cases(schema, 20, 100, 5)] == many[:100]
    assert [case.line for case in fuzz_cases(schema, 20, 3, 5)] == [1, 2, 3]


def test_another_seed_makes_other_requests(schema: Schema) -> None:
    one, other = ({case.raw for case in fuzz_cases(schema, 20, 500, seed)} for seed in (1, 2))
    assert len(one & other) < 25
