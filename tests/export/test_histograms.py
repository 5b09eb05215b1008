"""Reference histograms against a naive count, value by value, of the same requests."""

import json
import math
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_run import SCHEMA, feature, requests

from twinrank.export.bundle import (
    HISTOGRAMS,
    Bins,
    HistogramBuilder,
    HistogramError,
    Histograms,
    Top,
    histograms_of,
    parse_histograms,
    read_histograms,
    read_manifest,
)
from twinrank.training.schema import Packing, Schema, pack, read_request, string_key

DEFAULT_LIST = {"policy": "default", "value": []}
WIDE = Schema.from_json(
    {
        "features": [
            feature("id", "context", "int64", missing={"policy": "own_row"}, invalid={"policy": "own_row"}),
            feature("at", "context", "timestamp"),
            feature("flag", "context", "bool", missing={"policy": "default", "value": False}),
            feature(
                "seen", "context", "string", missing=DEFAULT_LIST, group="h", list={"max_length": 3, "keep": "last"}
            ),
            feature(
                "took", "context", "float64", missing=DEFAULT_LIST, group="h", list={"max_length": 3, "keep": "last"}
            ),
            feature("raw", "candidate", "float64", nonfinite=True),
            feature("price", "candidate", "float32", missing={"policy": "default", "value": 1.5}),
            feature("stock", "candidate", "int64"),
            feature("place", "candidate", "float64", vector={"length": 2}, nonfinite=True),
            feature(
                "codes", "context", "int64", vector={"length": 3}, missing={"policy": "default", "value": [7, 8, 9]}
            ),
            feature("tags", "candidate", "string", missing=DEFAULT_LIST, list={"max_length": 2, "keep": "first"}),
        ]
    }
)
INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.one_of(
    st.sampled_from([-0.0, 0.0, 5e-324, 1.7976931348623157e308, 0.1]), st.floats(allow_nan=False, allow_infinity=False)
)
WORD = st.sampled_from(["", "a", "b", "ä", "\U0001f600", "zz"])


@st.composite
def raw_requests(draw: st.DrawFn) -> bytes:
    context: dict[str, Any] = {"at": draw(INT64)}
    if draw(st.booleans()):
        context["id"] = draw(st.one_of(INT64, st.just("no number")))
    if draw(st.booleans()):
        context["codes"] = [draw(INT64) for _ in range(3)]
    if draw(st.booleans()):
        context["flag"] = draw(st.booleans())
    if draw(st.booleans()):
        context["seen"] = draw(st.lists(WORD, max_size=6))
        context["took"] = [draw(FLOAT) for _ in context["seen"]]
    candidates = []
    for _ in range(draw(st.integers(0, 4))):
        one: dict[str, Any] = {
            "stock": draw(st.integers(-3, 3)),
            "raw": draw(st.one_of(FLOAT, st.sampled_from(["NaN", "Infinity", "-Infinity"]))),
        }
        one["place"] = [draw(st.one_of(FLOAT, st.just("NaN"))) for _ in range(2)]
        if draw(st.booleans()):
            one["price"] = draw(st.floats(-1e38, 1e38))
        if draw(st.booleans()):
            one["tags"] = draw(st.lists(WORD, max_size=4))
        candidates.append(one)
    return json.dumps({"context": context, "candidates": candidates}).encode()


def typed(dtype: str, value: Any) -> Any:
    if dtype == "string":
        return string_key(value)
    if dtype in ("float32", "float64"):
        number = float(value)
        return float(np.float32(number)) if dtype == "float32" else number
    return int(value)


def naive_bins(values: list[Any]) -> tuple[list[Any], list[int], int]:
    numbers = [value for value in values if not math.isnan(value)]
    finite = sorted(value for value in numbers if not math.isinf(value))
    edges: list[Any] = []
    for tenth in range(1, 10):
        for value in finite:
            # The smallest value that at least tenth/10 of all do not exceed.
            if Fraction(sum(other <= value for other in finite), len(finite)) >= Fraction(tenth, 10):
                if value not in edges:
                    edges.append(value)
                break
    counts = [0] * (len(edges) + 1)
    for value in numbers:
        counts[sum(edge <= value for edge in edges)] += 1
    return edges, counts, len(values) - len(numbers)


def naive(raws: list[bytes], schema: Schema, looked_up: set[str]) -> dict[str, Any]:
    """Section 16 read once more, in loops over the JSON."""
    documents = [json.loads(raw) for raw in raws]
    found: dict[str, Any] = {}
    for one in schema.features:
        rows = [d["context"] for d in documents]
        if one.placement == "candidate":
            rows = [candidate for d in documents for candidate in d["candidates"]]
        values: list[Any] = []
        lengths: list[int] = []
        count = missing = invalid = 0
        for row in rows:
            value = row.get(one.name)
            if value is None:
                missing += 1
            elif value == "no number":
                invalid += 1
            else:
                count += 1
                if one.vector is not None:
                    values += [typed(one.dtype, element) for element in value]
                elif one.list is None:
                    values.append(typed(one.dtype, value))
                else:
                    limit = one.list.max_length
                    kept = value[:limit] if one.list.keep == "first" else value[-limit:]
                    values += [typed(one.dtype, element) for element in kept]
                    lengths.append(len(value))
        entry: dict[str, Any] = {"count": count, "missing": missing, "invalid": invalid}
        if one.dtype in ("string", "bool") or one.name in looked_up:
            counted = sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))
            entry |= {"kind": "categorical", "top": [list(pair) for pair in counted[:100]], "distinct": len(counted)}
            entry["other"] = sum(number for _, number in counted[100:])
        else:
            edges, counts, nan = naive_bins(values)
            entry |= {"kind": "numeric", "edges": edges, "counts": counts, "nan": nan}
        if one.list is not None:
            edges, counts, _ = naive_bins(lengths)
            entry["lengths"] = {"edges": edges, "counts": counts}
        found[one.name] = entry
    return {
        "format": 1,
        "contexts": len(raws),
        "candidates": sum(len(document["candidates"]) for document in documents),
        "features": found,
    }


def made(raws: list[bytes], schema: Schema, looked_up: set[str]) -> Histograms:
    pairs = [(raw, read_request(raw, schema, max_candidates=1000)) for raw in raws]
    return histograms_of(pairs, schema, looked_up)


@settings(max_examples=150, deadline=None)
@given(st.lists(raw_requests(), max_size=8), st.sampled_from([set(), {"id"}, {"stock", "id", "codes"}]))
def test_every_count_and_edge_is_what_a_naive_count_gives(raws: list[bytes], looked_up: set[str]) -> None:
    histograms = made(raws, WIDE, looked_up)
    document = json.loads(histograms.to_bytes())
    assert document == naive(raws, WIDE, looked_up)
    assert list(document["features"]) == [one.name for one in WIDE.features]
    assert parse_histograms(histograms.to_bytes(), WIDE) == histograms


def test_it_is_what_a_hand_counts() -> None:
    schema = Schema.from_json({"features": [feature("x", "candidate", "int64")]})
    values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    raw = json.dumps({"context": {}, "candidates": [{"x": value} for value in values]}).encode()
    (entry,) = made([raw], schema, set()).features.values()
    # The d-th decile of ten different values is the d-th of them; below 1 lies nothing.
    assert entry.values == Bins((1, 2, 3, 4, 5, 6, 7, 8, 9), (0, 1, 1, 1, 1, 1, 1, 1, 1, 2))


def test_integers_beyond_float64_stay_exact() -> None:
    schema = Schema.from_json({"features": [feature("t", "candidate", "timestamp")]})
    low, high = 2**62 + 1, 2**62 + 3  # one float64
    raw = json.dumps({"context": {}, "candidates": [{"t": low}, {"t": high}]}).encode()
    histograms = made([raw], schema, set())
    assert f"[{low}, {high}]".encode() in histograms.to_bytes()
    assert histograms.features["t"].values == Bins((low, high), (0, 1, 1))


def test_the_hundred_most_frequent_keys_are_named_and_the_rest_counted() -> None:
    schema = Schema.from_json({"features": [feature("x", "candidate", "int64")]})
    values = [value for value in range(120) for _ in range(2 if value == 119 else 1)]
    raw = json.dumps({"context": {}, "candidates": [{"x": value} for value in values]}).encode()
    found = made([raw], schema, {"x"}).features["x"].values
    assert found == Top(((119, 2), *((value, 1) for value in range(99))), 20, 120)


def test_blocks_that_the_caller_has_give_the_same() -> None:
    packing = Packing.of(SCHEMA)
    builder = HistogramBuilder(SCHEMA)
    for raw in requests():
        request = read_request(raw, SCHEMA, max_candidates=300)
        builder.add(raw, request, pack(request, packing))
    assert builder.build() == made(list(requests()), SCHEMA, set())


def test_a_bundle_carries_them_and_no_string_in_clear(exported: Path) -> None:
    found = read_histograms(exported, read_manifest(exported))
    assert found is not None
    assert found == made(list(requests()), SCHEMA, set())
    raw = (exported / HISTOGRAMS).read_bytes()
    words = {w for r in requests() for w in _strings(json.loads(r))}
    assert {"ann", "item-1", "Comedy"} <= words, "the grep below greps for something"
    assert [word for word in sorted(words) if word.encode() in raw] == []


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return []


def test_a_file_that_was_changed_is_not_read(exported: Path, tmp_path: Path) -> None:
    manifest = read_manifest(exported)
    (tmp_path / "statistics").mkdir()
    (tmp_path / HISTOGRAMS).write_bytes((exported / HISTOGRAMS).read_bytes().replace(b'"count": 30', b'"count": 31', 1))
    with pytest.raises(HistogramError, match="not the file that the manifest lists"):
        read_histograms(tmp_path, manifest)


GOOD = {
    "format": 1,
    "contexts": 1,
    "candidates": 2,
    "features": {
        "n": {"count": 1, "missing": 0, "invalid": 0, "kind": "numeric", "edges": [4], "counts": [0, 1], "nan": 0},
        "w": {
            "count": 2,
            "missing": 0,
            "invalid": 0,
            "kind": "categorical",
            "top": [[7, 2], [-3, 1]],
            "other": 0,
            "distinct": 2,
            "lengths": {"edges": [1, 2], "counts": [0, 1, 1]},
        },
    },
}
SMALL = Schema.from_json(
    {
        "features": [
            feature("n", "context", "int64"),
            feature("w", "candidate", "string", list={"max_length": 3, "keep": "first"}),
        ]
    }
)


def test_the_good_document_is_read() -> None:
    assert parse_histograms(json.dumps(GOOD).encode(), SMALL).contexts == 1


BAD: list[tuple[tuple[str, ...], Any]] = [
    (("format",), 2),
    (("contexts",), True),
    (("candidates",), 3),
    (("more",), 1),
    (("features", "other"), {}),
    (("features", "n", "kind"), "text"),
    (("features", "n", "count"), 2),
    (("features", "n", "edges"), [4.0]),
    (("features", "n", "edges"), [4, 4]),
    (("features", "n", "edges"), []),
    (("features", "n", "counts"), [0, -1]),
    (("features", "n", "counts"), [1, 1]),
    (("features", "n", "nan"), None),
    (("features", "n", "edges"), [2**63]),
    (("features", "w", "kind"), "numeric"),
    (("features", "w", "top"), [[-3, 1], [7, 2]]),
    (("features", "w", "top"), [[7, 1], [7, 1]]),
    (("features", "w", "top"), [["Comedy", 2], [-3, 1]]),
    (("features", "w", "top"), [[7]]),
    (("features", "w", "top"), [[key, 1] for key in range(101)]),
    (("features", "w", "distinct"), 3),
    (("features", "w", "other"), 1),
    (("features", "w", "lengths"), {"edges": [1, 2], "counts": [0, 1, 2]}),
    (("features", "w"), []),
]


@pytest.mark.parametrize(("at", "value"), BAD, ids=["/".join(at) + f"-{i}" for i, (at, _) in enumerate(BAD)])
def test_what_is_not_the_contract_s_is_refused(at: tuple[str, ...], value: Any) -> None:
    document = json.loads(json.dumps(GOOD))
    place = document
    for step in at[:-1]:
        place = place[step]
    place[at[-1]] = value
    with pytest.raises(HistogramError, match=HISTOGRAMS):
        parse_histograms(json.dumps(document).encode(), SMALL)


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"format": 1, "format": 1}', b"\xff"])
def test_text_that_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(HistogramError, match=HISTOGRAMS):
        parse_histograms(raw, SMALL)
