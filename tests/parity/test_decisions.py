"""The contract's request vectors over Python, the probe and HTTP: all decide as the vectors say, and pack alike."""

import base64
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from twinrank.bridge import RouteError, RouteOptions, RouteScores, Scorer
from twinrank.bridge._java import find_jar, find_java
from twinrank.bridge._parity import first_packed_difference
from twinrank.bridge._testee import FrameScorer
from twinrank.bridge.routes import route
from twinrank.bridge.routes.http import serving
from twinrank.bridge.routes.probe import Pipe
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
from twinrank.training.schema import Feature, Packing, Schema, pack, read_request

pytestmark = pytest.mark.parity

FILES = sorted((Path(__file__).parents[1] / "contract" / "vectors").glob("requests_*.json"))
CASES: list[dict[str, Any]] = [case for file in FILES for case in json.loads(file.read_text("utf-8"))["cases"]]
ELEMENT = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


def group_of(case: dict[str, Any]) -> str:
    return json.dumps([case["schema"], case["max_candidates"]], sort_keys=True)


GROUPS = sorted({group_of(case) for case in CASES})


def raw_of(case: dict[str, Any]) -> bytes:
    if "request_base64" in case:
        return base64.b64decode(case["request_base64"])
    text: str = case["request"]
    return text.encode()


def valid_request(schema: Schema) -> bytes:
    """One candidate, every feature present: all that a bundle's golden needs."""
    value = {"int64": 1, "timestamp": 1, "float32": 0.5, "float64": 0.5, "bool": True, "string": "x"}

    def one(feature: Feature) -> Any:
        length = 1 if feature.list is not None else feature.vector.length if feature.vector is not None else None
        return value[feature.dtype] if length is None else [value[feature.dtype]] * length

    def values(features: Iterable[Feature]) -> dict[str, Any]:
        return {feature.name: one(feature) for feature in features}

    return json.dumps({"context": values(schema.context), "candidates": [values(schema.candidate)]}).encode()


def model_of(packing: Packing) -> onnx.ModelProto:
    """score[n] = the sum of a candidate block's numbers, as float32; the other blocks are only taken."""
    inputs = [
        helper.make_tensor_value_info(
            block.name, ELEMENT[block.dtype], ["n" if axis == -1 else axis for axis in block.shape]
        )
        for block in packing.blocks
    ]
    summed = next(block for block in packing.blocks if block.name.startswith("candidate."))
    nodes = [
        helper.make_node("Flatten", [summed.name], ["flat"], axis=1),
        helper.make_node("Cast", ["flat"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["floats", "axes"], ["score"], keepdims=0),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(nodes, "vectors", inputs, [score], [axes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def make_bundle(models: Path, name: str, group: str) -> Path:
    document, most = json.loads(group)
    schema = Schema.from_json(document)
    packing = Packing.of(schema)
    model = model_of(packing)
    raw = valid_request(schema)
    request = read_request(raw, schema, max_candidates=most)
    blocks = pack(request, packing)
    outputs = Runner(model.SerializeToString(), SessionSettings(), None).run(blocks)
    order, dropped = order_of(outputs[0])
    expected = Expectation(
        n=request.n,
        inputs=tuple(blocks.values()),
        outputs=tuple(outputs),
        order=tuple(int(i) for i in order),
        dropped=tuple(int(i) for i in dropped),
    )
    draft = Draft(
        name=name,
        schema=schema,
        heads=(),
        score=Head("score", "score", "float32"),
        model=model,
        goldens=(Golden(raw, expected),),
        evidence=Evidence(host_class(), 1, {"score": Tolerance(1e-6, 0.0, 0)}, (1,), 1),
        provenance={"made by": "tests/parity/test_decisions.py"},
        max_candidates=most,
        release="1.29.0",
    )
    return write_bundle(models, name, 1, bundle_files(draft))


@dataclass(frozen=True)
class Sides:
    """The same bundle behind three routes."""

    ort: Scorer
    probe: Scorer
    http: Scorer


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sides]]:
    """All groups' bundles in one service and one probe process: a JVM for each would take minutes."""
    models = tmp_path_factory.mktemp("vectors")
    bundles = {group: make_bundle(models, f"v{number}", group) for number, group in enumerate(GROUPS)}
    options = RouteOptions()
    with ExitStack() as stack:
        attached = RouteOptions(against=stack.enter_context(serving(models)))
        pipe = Pipe(find_java().run_jar(find_jar("probe")))
        stack.callback(pipe.close)

        def open_all(bundle: Path) -> Sides:
            ort = stack.enter_context(route("ort").open(bundle, options))
            http = stack.enter_context(route("http").open(bundle, attached))
            return Sides(ort, _Reloading(pipe, bundle, options), http)

        yield {group: open_all(bundle) for group, bundle in bundles.items()}


class _Reloading:
    """A probe that loads its bundle again when another one was loaded since: the protocol speaks of the last one."""

    _loaded: Path | None = None
    _scorer: FrameScorer

    def __init__(self, pipe: Pipe, bundle: Path, options: RouteOptions) -> None:
        self._pipe, self._bundle, self._options = pipe, bundle, options

    def __getattr__(self, name: str) -> Any:
        if _Reloading._loaded != self._bundle:
            _Reloading._scorer = FrameScorer("probe", self._pipe, self._bundle, self._options)
            _Reloading._loaded = self._bundle
        return getattr(_Reloading._scorer, name)


def test_the_vectors_are_there() -> None:
    assert len(CASES) > 300
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert sum("error" in case["expect"] for case in CASES) > 200


# In the groups' order, so that the probe loads each bundle once.
ORDERED = sorted(CASES, key=group_of)


@pytest.mark.parametrize("case", ORDERED, ids=[case["name"] for case in ORDERED])
def test_three_routes_decide_as_the_vectors_say(case: dict[str, Any], sides: dict[str, Sides]) -> None:
    raw, side = raw_of(case), sides[group_of(case)]
    answers = {"ort": side.ort.score(raw), "probe": side.probe.score(raw), "http": side.http.score(raw)}
    expect = case["expect"]
    if "error" in expect:
        told = expect["error"]
        expected = RouteError(told["code"], told.get("feature"), told.get("candidate"))
        assert answers == dict.fromkeys(answers, expected)
        assert side.ort.pack(raw) == side.probe.pack(raw) == expected
        return
    ort, probe, http = answers.values()
    assert isinstance(ort, RouteScores), ort
    assert isinstance(probe, RouteScores), probe
    assert isinstance(http, RouteScores), http
    assert ort.n == probe.n == http.n == expect["n"]
    assert ort.order == probe.order == http.order
    assert ort.dropped == probe.dropped == http.dropped
    ranked = expect["n"] - len(ort.dropped)
    assert len(ort.order) == (ranked if expect["k"] is None else min(expect["k"], ranked))
    assert ort.outputs["score"].tobytes() == probe.outputs["score"].tobytes()
    assert ort.outputs["score"][http.known].tobytes() == http.outputs["score"][http.known].tobytes()
    packed, java = side.ort.pack(raw), side.probe.pack(raw)
    assert not isinstance(packed, RouteError)
    assert not isinstance(java, RouteError)
    assert packed is not None
    assert java is not None
    assert first_packed_difference(packed, java) is None
    # And both are what was written by hand.
    assert {name: np.asarray(block).tobytes().hex() for name, block in java.items()} == {
        name: block["hex"] for name, block in expect["blocks"].items()
    }
