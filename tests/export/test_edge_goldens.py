"""Goldens of a schema with everything: unseen policies, vectors, lists, ids beyond 2^53, the largest slate."""

import json
from typing import Any

import pytest
import torch

from twinrank.export.bundle import Bundle, open_bundle
from twinrank.export.graph import ExportSource, export_source
from twinrank.export.graph import _edges as edges
from twinrank.export.graph._back import TorchBack
from twinrank.training.schema import ScoringError
from twinrank.training.transforms import read_front_yaml

SCHEMA = """
features:
  - {name: user, placement: context, dtype: int64, unseen: {policy: error}}
  - {name: age, placement: context, dtype: int64, missing: {policy: default, value: 30}}
  - {name: item, placement: candidate, dtype: string, unseen: {policy: error}}
  - {name: maker, placement: candidate, dtype: string, unseen: {policy: default, value: acme}}
  - {name: serial, placement: candidate, dtype: int64}
  - name: picture
    placement: candidate
    dtype: float32
    vector: {length: 4}
    missing: {policy: default, value: [0, 0, 0, 0]}
  - {name: words, placement: candidate, dtype: string, list: {max_length: 3, keep: first}}
transforms:
  - {kind: lookup, name: user, feature: user, vocabulary: {entries: [1, 2, 9007199254740993]}}
  - {kind: standardise, name: age, feature: age, mean: 30.0, scale: 10.0}
  - {kind: lookup, name: item, feature: item, vocabulary: {entries: [a, b, c]}}
  - {kind: lookup, name: maker, feature: maker, vocabulary: {entries: [acme, umbrella]}}
  - {kind: hash, name: serial, feature: serial, buckets: 32}
  - {kind: vector, name: picture, feature: picture}
  - {kind: lookup, name: words, feature: words, vocabulary: {entries: [x, y, z]}}
  - {kind: sequence_mask, name: words_mask, feature: words}
"""


class Ranker(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.tables = torch.nn.ModuleDict(
            {name: torch.nn.Embedding(40, 8) for name in ("user", "item", "maker", "serial", "words")}
        )
        self.out = torch.nn.Linear(8 * 3 + 4, 1)

    def forward(self, **e: torch.Tensor) -> dict[str, torch.Tensor]:
        words = torch.bmm(e["words_mask"].unsqueeze(1), self.tables["words"](e["words"])).squeeze(1)
        shown = self.tables["item"](e["item"]) + self.tables["serial"](e["serial"]) + words
        user = (self.tables["user"](e["user"]) + e["age"].unsqueeze(-1)).expand_as(shown)
        parts = [shown, user * shown, self.tables["maker"](e["maker"]), torch.tanh(e["picture"])]
        return {"score": self.out(torch.cat(parts, dim=-1)).squeeze(-1)}


def requests() -> tuple[bytes, ...]:
    lines = []
    for r in range(12):
        candidates: list[dict[str, Any]] = []
        for c in range(1 + 4 * r):
            one = {
                "item": "abc"[c % 3],
                "maker": ["acme", "umbrella", "soylent"][(r + c) % 3],
                "serial": 2**60 + 7 * c + r,
            }
            one["words"] = ["x", "y", "w", "z"][: c % 5]
            candidates.append(one | ({"picture": [c / 3, -1, r, 0.5]} if c % 2 else {}))
        lines.append(json.dumps({"context": {"user": [1, 2, 2**53 + 1][r % 3]}, "candidates": candidates}).encode())
    # These two will be refused when served, so they are not samples.
    lines.append(lines[3].replace(b'"user": 1', b'"user": 77'))
    lines.append(lines[4].replace(b'"item": "a"', b'"item": "nobody"'))
    return tuple(lines)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, list[str]]:
    """The bundle, and what its export told."""
    told: list[str] = []
    front = read_front_yaml(SCHEMA)
    source = ExportSource("edges", front, TorchBack(Ranker().eval()), (), requests(), {}, 70)
    return open_bundle(export_source(source, tmp_path_factory.mktemp("models"), progress=told.append)), told


@pytest.fixture
def bundle(made: tuple[Bundle, list[str]]) -> Bundle:
    return made[0]


def test_requests_that_the_graph_will_refuse_are_no_samples(made: tuple[Bundle, list[str]]) -> None:
    left_out = [line for line in made[1] if "left out" in line]
    assert len(left_out) == 2
    assert left_out[0].startswith("request line 13 is left out: unseen_value")
    assert "feature 'user'" in left_out[0]
    assert "feature 'item', candidate 0" in left_out[1]


def test_the_graph_counts_what_is_unseen_after_the_score(bundle: Bundle) -> None:
    assert [unseen.output for unseen in bundle.manifest.unseen] == ["unseen.context", "unseen.candidate"]
    with pytest.raises(ScoringError) as caught:
        bundle.score(requests()[-1])
    assert (caught.value.code, caught.value.feature, caught.value.candidate) == ("unseen_value", "item", 0)


def test_every_refusal_that_the_schema_can_give_is_a_golden(bundle: Bundle) -> None:
    refusals = {golden.expected.error for golden in bundle.goldens} - {None}
    assert refusals >= {
        "unseen_value",
        "wrong_length",
        "wrong_type",
        "out_of_range",
        "missing_feature",
        "invalid_string",
        "too_many_candidates",
    }


def test_edges_are_goldens(bundle: Bundle) -> None:
    scored = [golden for golden in bundle.goldens if golden.expected.error is None]
    text = b"\n".join(golden.request for golden in scored)
    for edge in (b"9007199254740993", b"-9223372036854775808", b"never seen", b'"words":[]', b'"picture":[0.0,-0.0,'):
        assert edge in text, edge
    lengths = {len(c["words"]) for golden in scored for c in json.loads(golden.request)["candidates"]}
    assert {0, 1, 3, 6} <= lengths
    sizes = {golden.expected.n for golden in scored}
    assert {0, 1, 70} <= sizes, "the largest slate is small enough to be one"
    assert bundle.manifest.document["provenance"]["export"]["largest_golden"] == 70


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_groups_change_every_feature_as_requests_of_its_own_do(groups: int) -> None:
    schema = read_front_yaml(SCHEMA).schema
    base = edges.parse(requests()[0])
    alone = {
        (each.kind, each.features[0].name): each.request for each in edges.edge_requests(base, schema) if each.features
    }
    seen = set()
    for edge in edges.edge_requests(base, schema, groups):
        for feature in edge.features:
            own = alone[edge.kind, feature.name]
            for place, expected in zip(
                [edge.request["context"], *edge.request["candidates"]],
                [own["context"], *own["candidates"]],
                strict=True,
            ):
                assert (feature.name in place) == (feature.name in expected)
                assert json.dumps(place.get(feature.name)) == json.dumps(expected.get(feature.name))
            assert feature.name in edge.label
            seen.add((edge.kind, feature.name))
    assert seen == alone.keys()
    kinds = [edge.kind for edge in edges.edge_requests(base, schema, groups) if edge.features]
    assert max(kinds.count(kind) for kind in kinds) <= groups
