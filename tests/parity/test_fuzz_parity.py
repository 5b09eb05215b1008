"""Requests that nobody would write, over every Java route: one decision, the same bits, the same packed tensors."""

import json
import os
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from twinrank.bridge import RouteError, RouteOptions, Scorer
from twinrank.bridge.fuzz import requests
from twinrank.bridge.routes import route
from twinrank.export.bundle import (
    Draft,
    Evidence,
    Expectation,
    Golden,
    Head,
    Runner,
    SessionSettings,
    Tolerance,
    bundle_files,
    host_class,
    order_of,
    write_bundle,
)
from twinrank.training.schema import (
    Feature,
    ListSpec,
    Packing,
    Placement,
    Policy,
    Schema,
    VectorSpec,
    pack,
    read_request,
    string_key,
)

pytestmark = pytest.mark.parity

ROUTES = ("probe", "jpype", "py4j", "http")
# A few thousand where every change is tested, fewer while somebody waits.
COUNT = 3000 if os.environ.get("TWINRANK_TIER") == "ci" else 600
KNOWN = ("red", "ΟΔΟΣ", "ß", "e\u0301", "\U0001f600", "", "a\0b")
DTYPES = ("float32", "float64", "int64", "timestamp", "bool", "string")
ELEMENT = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


def rich_schema() -> Schema:
    """Every dtype in both placements as a scalar, a list and a vector, under every policy."""
    plain: dict[str, Any] = {
        "float32": 0.5,
        "float64": -2.5,
        "int64": 7,
        "timestamp": 0,
        "bool": True,
        "string": "x",
    }
    own, error = Policy("own_row"), Policy()
    features: list[Feature] = []
    placements: tuple[Placement, ...] = ("context", "candidate")
    for placement, dtype in product(placements, DTYPES):
        name = f"{placement[:2]}_{dtype}"
        default = Policy("default", plain[dtype])
        empty = Policy("default", ())
        features += [
            Feature(name, placement, dtype),
            Feature(f"{name}_own", placement, dtype, missing=own, invalid=own),
            Feature(f"{name}_default", placement, dtype, missing=default, invalid=error),
            Feature(f"{name}_first", placement, dtype, ListSpec(3, "first"), missing=empty, invalid=empty),
            Feature(f"{name}_last", placement, dtype, ListSpec(2, "last"), missing=empty),
            Feature(
                f"{name}_seq",
                placement,
                dtype,
                ListSpec(4, "last"),
                group=f"{placement[:2]}_seq",
                missing=empty,
                invalid=empty,
            ),
        ]
        if dtype in ("float32", "float64"):
            features.append(Feature(f"{name}_any", placement, dtype, nonfinite=True))
        if dtype in ("float32", "float64", "int64"):
            zeros = Policy("default", (plain[dtype],) * 3)
            features.append(
                Feature(f"{name}_vector", placement, dtype, vector=VectorSpec(3), missing=zeros, invalid=zeros)
            )
        if dtype == "string":
            features.append(Feature(f"{name}_seen", placement, dtype, unseen=error))
    return Schema(tuple(features))


def rich_model(packing: Packing) -> onnx.ModelProto:
    """Score: the sum of a candidate's float32 values; head: of its float64 values; and counts of unseen strings."""
    inputs = [
        helper.make_tensor_value_info(
            block.name, ELEMENT[block.dtype], ["n" if axis == -1 else axis for axis in block.shape]
        )
        for block in packing.blocks
    ]
    nodes: list[onnx.NodeProto] = []
    constants = [helper.make_tensor("axes", TensorProto.INT64, [1], [1])]

    def summed(block: str, output: str) -> None:
        nodes.append(helper.make_node("Flatten", [block], [f"{output}.flat"], axis=1))
        nodes.append(helper.make_node("Cast", [f"{output}.flat"], [f"{output}.floats"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("ReduceSum", [f"{output}.floats", "axes"], [output], keepdims=0))

    summed("candidate.f32", "score")
    summed("candidate.f64", "head.wide")
    keys = [string_key(text) for text in KNOWN]
    outputs = [
        helper.make_tensor_value_info("head.wide", TensorProto.FLOAT, ["n"]),
        helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
    ]
    for block in packing.blocks:
        column = next((entry for entry in block.columns if str(entry.feature).endswith("_seen")), None)
        if column is None:
            continue
        side = block.placement
        constants.append(helper.make_tensor(f"at.{side}", TensorProto.INT64, [1], [column.offset]))
        constants.append(helper.make_tensor(f"none.{side}", TensorProto.INT64, [], [-1]))
        nodes += [
            helper.make_node("Gather", [block.name, f"at.{side}"], [f"keys.{side}"], axis=1),
            helper.make_node(
                "LabelEncoder",
                [f"keys.{side}"],
                [f"rows.{side}"],
                domain="ai.onnx.ml",
                keys_int64s=keys,
                values_int64s=list(range(len(keys))),
                default_int64=-1,
            ),
            helper.make_node("Equal", [f"rows.{side}", f"none.{side}"], [f"unknown.{side}"]),
            helper.make_node("Cast", [f"unknown.{side}"], [f"unseen.{side}"], to=TensorProto.INT64),
        ]
        rows = 1 if side == "context" else "n"
        outputs.append(helper.make_tensor_value_info(f"unseen.{side}", TensorProto.INT64, [rows, 1]))
    graph = helper.make_graph(nodes, "rich", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def golden(schema: Schema, text: str) -> bytes:
    value: dict[str, Any] = {"float32": 0.5, "float64": 0.5, "int64": 1, "timestamp": 1, "bool": True, "string": text}

    def of(placement: Placement) -> dict[str, Any]:
        return {
            feature.name: [value[feature.dtype]] * 3 if feature.list or feature.vector else value[feature.dtype]
            for feature in (schema.context if placement == "context" else schema.candidate)
        }

    return json.dumps({"context": of("context"), "candidates": [of("candidate")] * 2}).encode()


def expected(raw: bytes, packing: Packing, model: onnx.ModelProto, most: int) -> Golden:
    request = read_request(raw, packing.schema, max_candidates=most)
    blocks = pack(request, packing)
    outputs = Runner(model.SerializeToString(), SessionSettings(), None).run(blocks)
    order, dropped = order_of(outputs[1])
    return Golden(
        raw,
        Expectation(
            n=request.n,
            inputs=tuple(blocks.values()),
            outputs=tuple(outputs[:2]),
            order=tuple(int(i) for i in order),
            dropped=tuple(int(i) for i in dropped),
        ),
    )


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    schema = rich_schema()
    packing = Packing.of(schema)
    model = rich_model(packing)
    draft = Draft(
        name="rich",
        schema=schema,
        heads=(Head("wide", "head.wide", "float32"),),
        score=Head("score", "score", "float32"),
        model=model,
        goldens=tuple(expected(golden(schema, text), packing, model, 200) for text in KNOWN),
        evidence=Evidence(host_class(), 1, {name: Tolerance(1e-6, 0.0, 0) for name in ("wide", "score")}, (1,), 1),
        provenance={"made by": "tests/parity/test_fuzz_parity.py"},
        max_candidates=200,
        release="1.29.0",
    )
    return write_bundle(tmp_path_factory.mktemp("rich"), "rich", 1, bundle_files(draft))


@pytest.mark.parametrize("which", ["tiny", "rich"])
def test_every_java_route_decides_and_computes_alike(
    which: str, request: pytest.FixtureRequest, verify: Callable[..., Any]
) -> None:
    chosen = [word for name in ROUTES for word in ("--route", name)]
    done = verify(request.getfixturevalue(which), *chosen, "--fuzz", COUNT, "--seed", 20_260_101)
    assert done.code == 0, done.out + done.err
    for name in ROUTES:
        side = done.route(name)
        assert side["status"] == "equal"


@pytest.fixture(scope="module")
def both(rich: Path) -> Iterator[tuple[Scorer, Scorer]]:
    options = RouteOptions()
    with route("ort").open(rich, options) as python, route("probe").open(rich, options) as java:
        yield python, java


@seed(7)
@settings(
    max_examples=COUNT // 10,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(
    drawn=st.lists(
        requests(rich_schema(), 200, {"ca_string_seen": KNOWN, "co_string_seen": KNOWN}), min_size=1, max_size=4
    )
)
def test_hypothesis_finds_no_request_that_they_decide_differently(
    both: tuple[Scorer, Scorer], drawn: list[bytes]
) -> None:
    python, java = both
    for raw, one, other in zip(drawn, python.score_batch(drawn), java.score_batch(drawn), strict=True):
        assert one.packed == other.packed, raw
        if isinstance(one.answer, RouteError) or isinstance(other.answer, RouteError):
            assert one.answer == other.answer, raw
            continue
        assert (one.answer.n, one.answer.order, one.answer.dropped) == (
            other.answer.n,
            other.answer.order,
            other.answer.dropped,
        )
        for name, values in one.answer.outputs.items():
            theirs = other.answer.outputs[name]
            equal = (values.view(np.uint32) == theirs.view(np.uint32)) | (np.isnan(values) & np.isnan(theirs))
            assert bool(equal.all()), raw
