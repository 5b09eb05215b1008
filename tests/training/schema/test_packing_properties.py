"""Random schemas and requests: raw, typed and columnar interfaces give the blocks of a naive packer written here."""

import json
import struct
from typing import Any

import numpy as np
import xxhash
from _schemas import WORDS, documents, schemas
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinrank.training.schema import (
    Feature,
    FeatureColumn,
    Packing,
    Schema,
    ScoringError,
    VectorSpec,
    candidate_rows,
    pack,
    pack_columns,
    read_request,
    request_from_mapping,
)


def naive_cell(feature: Feature, value: Any) -> tuple[str, bytes]:
    """The bits of one present value, by struct and the digest, without numpy."""
    if feature.dtype == "string":
        return "i64", xxhash.xxh3_64_digest(value.encode())[::-1]
    if feature.dtype == "float32":
        return "f32", struct.pack("<f", WORDS.get(value, value))
    if feature.dtype == "float64":
        return "f64", struct.pack("<d", WORDS.get(value, value))
    return "i64", struct.pack("<q", int(value))


def naive_pack(schema: Schema, document: dict[str, Any]) -> dict[str, bytes]:
    """Section 5 of the contract read literally: every block's bytes, cell after cell."""
    blocks: dict[str, bytes] = {}
    for placement, rows in (("context", [document["context"]]), ("candidate", document["candidates"])):
        features = [feature for feature in schema.features if feature.placement == placement]
        widths = {"i64": 8, "f32": 4, "f64": 8}
        groups = list(dict.fromkeys(feature.group for feature in features if feature.group))
        names = [f"{placement}.{kind}" for kind in widths]
        names += [f"{placement}.{group}.{kind}" for group in groups for kind in widths]
        used: dict[str, bytearray] = {name: bytearray() for name in names}
        present: set[str] = set()
        for row in rows or [{}]:
            firsts: set[str] = set()
            grouped: dict[str, list[list[bytes]]] = {}
            for feature in features:
                kind = naive_cell(feature, "" if feature.dtype == "string" else 0)[0]
                value = row.get(feature.name)
                zero = bytes(widths[kind])
                if feature.vector is not None:
                    elements = [zero] * feature.vector.length
                    if value is not None:
                        elements = [naive_cell(feature, element)[1] for element in value]
                    used[f"{placement}.{kind}"] += b"".join(elements)
                    present.add(f"{placement}.{kind}")
                elif feature.list is None:
                    used[f"{placement}.{kind}"] += zero if value is None else naive_cell(feature, value)[1]
                    present.add(f"{placement}.{kind}")
                else:
                    limit = feature.list.max_length
                    kept = list(value or [])
                    kept = kept[:limit] if feature.list.keep == "first" else kept[max(0, len(kept) - limit) :]
                    cells = [naive_cell(feature, element)[1] for element in kept]
                    cells += [zero] * (limit - len(kept))
                    if feature.group is None:
                        used[f"{placement}.{kind}"] += b"".join(cells)
                        present.add(f"{placement}.{kind}")
                    else:
                        grouped.setdefault(f"{placement}.{feature.group}.{kind}", []).append(cells)
                    if feature.group not in firsts:
                        used[f"{placement}.i64"] += struct.pack("<q", len(kept))
                        present.add(f"{placement}.i64")
                        firsts |= {feature.group} if feature.group else set()
                if feature.missing.policy != "error" or feature.invalid.policy != "error":
                    used[f"{placement}.i64"] += struct.pack("<q", 0 if value is None else 1)
                    present.add(f"{placement}.i64")
            for name, columns in grouped.items():
                present.add(name)
                used[name] += b"".join(cell for position in zip(*columns, strict=True) for cell in position)
        blocks |= {name: bytes(used[name]) if rows else b"" for name in names if name in present}
    return blocks


def columns_of(schema: Schema, document: dict[str, Any]) -> dict[str, FeatureColumn]:
    columns = {}
    for feature in schema.features:
        rows = [document["context"]] if feature.placement == "context" else document["candidates"]
        states = np.array([int(feature.name in row) for row in rows], dtype=np.int64)
        dtypes = {"float32": np.float64, "float64": np.float64, "bool": np.bool_, "string": object}
        dtype = dtypes.get(feature.dtype, np.int64)

        def number(value: Any, feature: Feature = feature) -> Any:
            if not feature.dtype.startswith("float"):
                return value
            return WORDS[value] if isinstance(value, str) else float(value)

        if feature.vector is not None:
            zeros = [0] * feature.vector.length
            table = [[number(element) for element in row.get(feature.name, zeros)] for row in rows]
            array = np.array(table, dtype=dtype).reshape(len(rows), feature.vector.length)
            columns[feature.name] = FeatureColumn(array, None, states)
        elif feature.list is None:
            zero = "" if feature.dtype == "string" else 0
            flat = [number(row.get(feature.name, zero)) for row in rows]
            columns[feature.name] = FeatureColumn(np.array(flat, dtype=dtype), None, states)
        else:
            lists = [row.get(feature.name, []) for row in rows]
            flat = [number(element) for elements in lists for element in elements]
            lengths = np.array([len(elements) for elements in lists], dtype=np.int64)
            columns[feature.name] = FeatureColumn(np.array(flat, dtype=dtype), lengths, states)
    return columns


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(st.data())
def test_three_interfaces_give_the_blocks_of_the_naive_packer(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    document = data.draw(documents(schema))
    expected = naive_pack(schema, document)
    packing = Packing.of(schema)
    raw = json.dumps(document, ensure_ascii=data.draw(st.booleans())).encode()
    from_json = pack(read_request(raw, schema, max_candidates=4), packing)
    from_mapping = pack(request_from_mapping(document, schema, max_candidates=4), packing)
    from_columns = pack_columns(
        columns_of(schema, document), packing, contexts=1, candidates=len(document["candidates"])
    )
    for blocks in (from_json, from_mapping, from_columns):
        assert {name: block.tobytes() for name, block in blocks.items()} == expected
        for block in packing.blocks:
            rows = 1 if block.placement == "context" else len(document["candidates"])
            assert blocks[block.name].shape == (rows, *block.shape[1:])
            assert blocks[block.name].dtype == np.dtype(block.dtype)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(st.data())
def test_columns_give_the_blocks_of_the_rows(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    document = data.draw(documents(schema))
    rows = document["candidates"]
    names = [feature.name for feature in schema.candidate]
    # A column may be left out where nobody has a value, but for one that says how many there are.
    used = [name for name in names if any(name in row for row in rows) or data.draw(st.booleans())] or names[:1]
    columns = {name: [row.get(name) for row in rows] for name in data.draw(st.permutations(used))}
    columnar = {"context": document["context"], "candidates": columns, "k": 2}
    packing = Packing.of(schema)
    expected = naive_pack(schema, document)
    requests = [
        read_request(json.dumps(columnar).encode(), schema, max_candidates=4),
        request_from_mapping(columnar, schema, max_candidates=4),
    ]
    for request in requests:
        assert (request.n, request.k) == (len(rows), min(2, len(rows)))
        assert {name: block.tobytes() for name, block in pack(request, packing).items()} == expected
    assert candidate_rows(columns) == [{name: row.get(name) for name in columns} for row in rows]
    assert candidate_rows(rows) is rows


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_many_contexts_pack_as_they_do_one_by_one(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    documents_ = [data.draw(documents(schema)) for _ in range(data.draw(st.integers(0, 3)))]
    packing = Packing.of(schema)
    context_features = [feature for feature in schema.features if feature.placement == "context"]
    parts = [columns_of(schema, document) for document in documents_]
    columns = {}
    for feature in context_features if parts else []:
        columns[feature.name] = FeatureColumn(
            np.concatenate([np.asarray(part[feature.name].values) for part in parts]),
            np.concatenate([np.asarray(part[feature.name].lengths) for part in parts]) if feature.list else None,
            np.concatenate([np.asarray(part[feature.name].states) for part in parts]),
        )
    blocks = pack_columns(columns, packing, contexts=len(parts), candidates=0)
    singles = [pack(request_from_mapping(document, schema, max_candidates=4), packing) for document in documents_]
    for block in packing.blocks:
        if block.placement == "context":
            assert blocks[block.name].tobytes() == b"".join(single[block.name].tobytes() for single in singles)
        else:
            assert blocks[block.name].shape[0] == 0


LONG = (
    st.floats(width=64, allow_nan=False, allow_infinity=False)
    | st.floats(-(2.0**99), 2.0**99, width=32)
    | st.just(-0.0)
)
ODD = st.sampled_from(
    [7, -(2**70), 2**1100, 1e39, 3.4028235677973366e38, 3.4028235677973362e38, 1e-46, "NaN", "x", None, True]
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_long_runs_of_floats_are_read_as_one_by_one(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    nonfinite = data.draw(st.booleans())
    length = data.draw(st.integers(1, 40))
    values: list[Any] = data.draw(
        st.lists(LONG if dtype == "float64" else st.floats(-1e30, 1e30), min_size=length, max_size=length)
    )
    for place in data.draw(st.lists(st.integers(0, length - 1), max_size=2)):
        values[place] = data.draw(ODD)
    whole = Schema((Feature("v", "candidate", dtype, nonfinite=nonfinite, vector=VectorSpec(length)),))
    one = Schema((Feature("v", "candidate", dtype, nonfinite=nonfinite),))

    def read(schema: Schema, value: Any) -> Any:
        raw = json.dumps({"context": {}, "candidates": [{"v": value}]}).encode()
        try:
            blocks = pack(read_request(raw, schema, max_candidates=1), Packing.of(schema))
        except ScoringError as error:
            return "wrong_type" if error.code == "missing_feature" else error.code
        [block] = blocks.values()
        return block.tobytes()

    alone = [read(one, value) for value in values]
    problems = [each for each in alone if isinstance(each, str)]
    assert read(whole, values) == (problems[0] if problems else b"".join(alone))
