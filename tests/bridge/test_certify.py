"""The upgrade gate: whole bundles and single nodes on another interpreter, with differences planted in its runtime."""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from twinrank.bridge import _certify, _operators
from twinrank.bridge._cases import Case, collect
from twinrank.bridge._certificate import to_json, verdict_line
from twinrank.bridge._certify import BundleResult, Certificate, Change, Target, certify
from twinrank.bridge._command_certify import _bundles
from twinrank.bridge._command_certify import command as certify_command
from twinrank.bridge._errors import UserError
from twinrank.bridge._graph_peer import GraphPeer
from twinrank.bridge._node_models import dissect
from twinrank.bridge._operators import Tallies, replay_nodes
from twinrank.bridge._plain import PlainModel, PlainModelError
from twinrank.bridge._scorer import RouteError, RouteScores, Scored
from twinrank.bridge._verify import bundle_facts
from twinrank.export.bundle import SessionSettings, open_bundle

# This interpreter, with a fault planted in what its ONNX Runtime returns.
PLANTED = """
import runpy, sys
import numpy as np
import onnxruntime
real = onnxruntime.InferenceSession
class Session(real):
    def run(self, names, feeds, options=None):
        values = super().run(names, feeds, options)
        wanted = names or [each.name for each in self.get_outputs()]
        return [plant(name, value) for name, value in zip(wanted, values)]
{plant}
onnxruntime.InferenceSession = Session
sys.argv = ["testee", *sys.argv[3:]]
runpy.run_module("twinrank.bridge.testee", run_name="__main__")
"""


def target(tmp_path: Path, plant: str | None = None) -> Target:
    """This interpreter; with a plant, one whose every session passes its outputs through `plant(name, value)`."""
    if plant is None:
        return Target("this interpreter", (sys.executable,))
    script = tmp_path / "planted.py"
    script.write_text(PLANTED.replace("{plant}", plant), encoding="utf-8")
    return Target("a planted one", (sys.executable, str(script)))


def goldens(bundle: Path) -> list[Case]:
    return list(collect(bundle, run=None, requests=None, most=None))


def run(bundle: Path, where: Target, **more: object) -> Certificate:
    return certify([bundle], where, goldens, load_timeout=120, score_timeout=60, **more)  # type: ignore[arg-type]


def test_the_same_runtime_is_equal_node_by_node(tiny: Path, tmp_path: Path) -> None:
    certificate = run(tiny, target(tmp_path))
    (result,) = certificate.bundles
    assert (certificate.verdict, certificate.exit_code, result.state) == ("equal", 0, "equal")
    assert result.goldens == result.goldens_equal == len(goldens(tiny))
    assert result.changes[-1].rows > 0
    assert result.replay is not None
    written = [node for node in onnx.load(tiny / "model.onnx").graph.node if node.op_type != "Constant"]
    assert result.replay.nodes >= len(written)
    assert (result.replay.differing, result.replay.left_out) == ((), ())
    assert sum(tally.differing_values for tally in certificate.operators) == 0


def test_an_operator_that_computes_other_bits_is_named_and_those_after_it_are_not(tiny: Path, tmp_path: Path) -> None:
    floats = onnx.load(tiny / "model.onnx").graph.output[0].name
    node = next(each for each in onnx.load(tiny / "model.onnx").graph.node if floats in each.output)
    plant = f"""
def plant(name, value):
    if name == {floats!r} and getattr(value, "dtype", None) == np.float32 and value.size:
        return np.nextafter(value, np.float32(np.inf))
    return value
"""
    certificate = run(tiny, target(tmp_path, plant))
    (result,) = certificate.bundles
    assert certificate.exit_code == 1
    # Of the pinned release, on this host class: the target's own reader holds the goldens against it.
    assert result.state == "refused"
    assert "golden_mismatch" in result.detail
    wrong = [tally for tally in certificate.operators if tally.differing_nodes]
    assert [tally.op for tally in wrong] == [node.op_type]
    assert (wrong[0].differing_nodes, wrong[0].max_ulp) == (1, 1)
    assert wrong[0].first is not None
    assert wrong[0].first.value == floats
    assert wrong[0].bundles == [result.label()]


def test_a_runtime_that_refuses_a_graph_is_told_per_bundle_and_per_operator(tiny: Path, tmp_path: Path) -> None:
    plant = """
def refuse(self, model, *more, **named):
    if isinstance(model, bytes) and b"canary" not in model and len(model) != CANARY:
        raise RuntimeError("opset 20 is not supported here, only up to 19")
    real.__init__(self, model, *more, **named)
from importlib import resources
CANARY = len(resources.files("twinrank.export.bundle").joinpath("_data/canary.onnx").read_bytes())
Session.__init__ = refuse
def plant(name, value):
    return value
"""
    certificate = run(tiny, target(tmp_path, plant))
    (result,) = certificate.bundles
    assert (certificate.exit_code, result.state) == (1, "refused")
    assert "session_failed" in result.detail
    assert "only up to 19" in result.detail
    assert all(tally.refused and not tally.nodes for tally in certificate.operators if not tally.fused)
    assert "only up to 19" in certificate.operators[0].refusal


@pytest.mark.parametrize(
    ("plant", "said"),
    [("import os\ndef plant(name, value):\n    os._exit(9)\n", "exited with 9"), ("import nowhere\n", "nowhere")],
)
def test_a_target_that_dies_is_never_green(tiny: Path, tmp_path: Path, plant: str, said: str) -> None:
    certificate = run(tiny, target(tmp_path, plant))
    assert (certificate.verdict, certificate.exit_code) == ("unknown", 2)
    assert certificate.bundles[0].state == "unknown"
    assert said in certificate.bundles[0].detail
    assert said in certificate.failure


def test_a_bundle_that_the_pinned_reader_refuses_is_told_and_the_others_go_on(tiny: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken" / "1"
    shutil.copytree(tiny, broken)
    (broken / "model.onnx").write_bytes(b"")
    certificate = certify([broken, tiny], target(tmp_path), goldens, nodes=False, load_timeout=120)
    assert [result.state for result in certificate.bundles] == ["unknown", "equal"]
    assert "pinned release's reader refuses it" in certificate.bundles[0].detail
    assert (certificate.verdict, certificate.exit_code) == ("unknown", 2)


@pytest.mark.parametrize(
    ("states", "require", "verdict"),
    [
        (["equal", "equal"], "bits", "equal"),
        (["equal", "within"], "bits", "differs"),
        (["equal", "within"], "reference", "equal"),
        (["differs", "unknown"], "reference", "differs"),
        (["refused"], "reference", "differs"),
        (["equal", "unknown"], "bits", "unknown"),
        ([], "bits", "unknown"),
    ],
)
def test_verdicts(states: list[_certify.State], require: _certify.Level, verdict: str, tiny: Path) -> None:
    results = tuple(BundleResult(bundle_facts(tiny), tiny, state=state) for state in states)
    certificate = Certificate(Target("x", ("x",)), require, results, (), "", 0.0)
    assert certificate.verdict == verdict
    assert certificate.exit_code == {"equal": 0, "differs": 1, "unknown": 2}[verdict]
    word = {"equal": "EQUAL", "differs": "DIFFERS", "unknown": "COULD NOT TELL"}[verdict]
    assert verdict_line(certificate).plain.startswith(word)
    told = to_json([certificate])
    assert (told["verdict"], told["exit_code"]) == (verdict, certificate.exit_code)


def judged(tiny: Path, **sums: int) -> str:
    result = BundleResult(bundle_facts(tiny), tiny, requests=1, orders=1, orders_equal=1)
    result.changes = (Change("score", 1e-6, rows=10),)
    for name, value in sums.items():
        setattr(result.changes[0] if hasattr(result.changes[0], name) else result, name, value)
    result.judge()
    return result.state


def test_a_bundle_is_judged_by_bits_then_tolerance_orders_and_decisions(tiny: Path) -> None:
    assert judged(tiny) == "equal"
    assert judged(tiny, differing_bits=1) == "within"
    assert judged(tiny, differing_bits=1, beyond=1) == "differs"
    assert judged(tiny, orders_equal=0, orders_tied=1) == "within"
    assert judged(tiny, orders_equal=0) == "differs"
    assert judged(tiny, errors=1) == "differs"
    assert judged(tiny, errors=1, errors_agreed=1) == "equal"
    assert judged(tiny, packed_differing=1) == "differs"
    assert judged(tiny, rows=0) == "unknown"


def scored(score: list[float], order: tuple[int, ...], packed: int | None = 7) -> Scored:
    values = np.float32(score)
    return Scored(RouteScores(len(score), {"score": values}, order, (), np.ones(len(score), np.bool_)), packed)


def compared(tiny: Path, want: Scored, got: Scored) -> BundleResult:
    result = BundleResult(bundle_facts(tiny), tiny, changes=(Change("score", 1e-3),))
    case = Case("golden", 1, b"{}")
    _certify._compare(
        result, replace(bundle_facts(tiny), heads={"score": "float32"}, allowed={"score": 1e-3}), [case], [want], [got]
    )
    result.judge()
    return result


def test_two_answers_are_compared_in_bits_distance_order_decision_and_packing(tiny: Path) -> None:
    nan, one, up = float("nan"), 1.0, float(np.nextafter(np.float32(1), np.float32(2)))
    base = scored([one, nan], (0,))
    assert compared(tiny, base, scored([one, nan], (0,))).state == "equal"
    off = compared(tiny, base, scored([up, nan], (0,)))
    assert (off.state, off.goldens, off.goldens_equal) == ("within", 1, 0)
    (change,) = off.changes
    assert (change.rows, change.differing_rows, change.differing_bits, change.max_ulp, change.beyond) == (2, 1, 1, 1, 0)
    assert change.max_abs == up - one
    far = compared(tiny, base, scored([one, 2.0], (1, 0)))
    assert (far.state, far.changes[0].beyond, far.changes[0].max_ulp) == ("differs", 1, 2**64 - 1)
    tied = compared(tiny, scored([one, up], (1, 0)), scored([up, one], (0, 1)))
    assert (tied.state, tied.orders_equal, tied.orders_tied) == ("within", 0, 1)
    apart = compared(tiny, scored([one, 2.0], (1, 0)), scored([one, 2.0], (0, 1)))
    assert (apart.state, apart.orders_tied) == ("differs", 0)
    refused = Scored(RouteError("wrong_type", "age", 1))
    assert compared(tiny, base, refused).errors == 1
    assert compared(tiny, refused, Scored(RouteError("wrong_type", "age", 2))).errors_agreed == 0
    assert compared(tiny, refused, refused).errors_agreed == 1
    assert compared(tiny, base, scored([one, nan], (0,), packed=8)).state == "differs"
    assert compared(tiny, base, scored([one], (0,))).state in ("differs", "unknown")


# ---- nodes


def test_nodes_run_alone_with_their_constants_and_what_their_subgraphs_capture(tmp_path: Path) -> None:
    then = helper.make_graph(
        [helper.make_node("Add", ["captured", "weight"], ["t"])],
        "then",
        [],
        [helper.make_tensor_value_info("t", TensorProto.FLOAT, None)],
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["captured"], ["e"])],
        "else",
        [],
        [helper.make_tensor_value_info("e", TensorProto.FLOAT, None)],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.float32([2]))),
            helper.make_node("Neg", ["two"], ["minus"]),
            helper.make_node("Mul", ["x", "minus"], ["captured"], name="mul"),
            helper.make_node("If", ["c"], ["y"], name="branch", then_branch=then, else_branch=other),
            helper.make_node("Clip", ["y", "", "two"], ["out"], name="clip"),
        ],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.float32([0.5]), "weight")],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]), path)
    parts = dissect(path)
    assert [(node.name, node.inputs, node.constants) for node in parts.nodes] == [
        ("Neg#1", (), ("two",)),
        ("mul", ("x",), ("minus",)),
        ("branch", ("c", "captured"), ()),
        ("clip", ("y",), ("two",)),
    ]
    settings = SessionSettings()
    feeds = {"x": np.float32([1, -3]), "c": np.array(True)}
    values = {**feeds, **PlainModel(path, settings, parts.values).run(feeds)}
    assert values["out"].tolist() == [-1.5, 2.0]
    for node in parts.nodes:
        alone = tmp_path / f"{node.position}.onnx"
        alone.write_bytes(parts.alone(node, values))
        got = PlainModel(alone, settings).run({name: values[name] for name in node.inputs})
        for name in node.outputs:
            assert got[name].tobytes() == values[name].tobytes(), node.name


def test_a_peer_runs_graphs_of_strings_and_floats_and_says_what_it_refuses(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Equal", ["a", "b"], ["same"]), helper.make_node("Identity", ["a"], ["back"])],
        "g",
        [helper.make_tensor_value_info(name, TensorProto.STRING, ["n"]) for name in "ab"],
        [
            helper.make_tensor_value_info("same", TensorProto.BOOL, ["n"]),
            helper.make_tensor_value_info("back", TensorProto.STRING, ["n"]),
        ],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]), path)
    with GraphPeer((sys.executable,), alone=False, start_seconds=60, seconds=60) as peer:
        peer.open(path, SessionSettings(), beside=tmp_path)
        words = np.array(["é", "", "🍞\0"], dtype=object)
        got = peer.run({"a": words, "b": np.array(["é", "x", "🍞\0"], dtype=object)})
        assert got["same"].tolist() == [True, False, True]
        assert got["back"].tolist() == words.tolist()
        with pytest.raises(PlainModelError):
            peer.run({"a": words})
        path.write_bytes(b"nothing")
        with pytest.raises(PlainModelError):
            peer.open(path, SessionSettings(), beside=tmp_path)


class Here:
    """This process's runtime as the other one; of its floats one value is another, wherever `op` runs alone."""

    def __init__(self, op: str) -> None:
        self._op = op
        self.planted: list[str] = []

    def open(self, model: Path, settings: SessionSettings, *, beside: Path) -> None:
        self._plain = PlainModel(model, settings, beside=beside)
        self._planted = onnx.load(model).graph.node[0].op_type == self._op

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = {name: np.array(value) for name, value in self._plain.run(inputs).items()}
        for value in outputs.values():
            if self._planted and value.dtype == np.float32 and value.size and np.isfinite(value.flat[-1]):
                value.flat[-1] = np.nextafter(value.flat[-1], np.float32(np.inf))
                self.planted += outputs
        return outputs


def test_a_large_run_of_values_is_cut_and_told(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raws = [golden.request for golden in open_bundle(tiny).goldens if golden.expected.n > 0]
    assert len(raws) > 1
    monkeypatch.setattr(_operators, "_MOST_BYTES", 1)
    assert replay_nodes(tiny, "tiny/1", raws, Here("none"), Tallies()).requests == 1


def test_every_node_of_a_changed_operator_is_counted_and_the_first_is_shown(tiny: Path) -> None:
    raws = [golden.request for golden in open_bundle(tiny).goldens if golden.expected.n > 0]
    other, tallies = Here("Mul"), Tallies()
    replay = replay_nodes(tiny, "tiny/1", raws, other, tallies)
    (wrong,) = [tally for tally in tallies.sorted() if tally.differing_nodes]
    names = [node.op_type for node in onnx.load(tiny / "model.onnx").graph.node]
    assert (wrong.op, wrong.nodes) == ("Mul", names.count("Mul"))
    assert wrong.differing_nodes == len(set(other.planted)) == len(replay.differing) > 1
    assert (wrong.differing_values, wrong.max_ulp, wrong.bundles) == (len(other.planted), 1, ["tiny/1"])
    assert wrong.first is not None
    assert wrong.first.value == other.planted[0]
    assert wrong.first.expected != wrong.first.actual


# ---- the command


def test_the_command_writes_a_table_and_a_certificate(tiny: Path, tmp_path: Path) -> None:
    where = tmp_path / "report"
    arguments = [str(tiny.parents[1]), "--python", sys.executable, "--fuzz", "20", "--no-nodes", "--report", str(where)]
    done = CliRunner().invoke(certify_command, arguments)
    assert done.exit_code == 0, done.output
    assert "EQUAL" in done.output
    assert "tiny/1" in done.output
    told = json.loads((where / "certificate.json").read_bytes())
    assert (told["certificate"], told["verdict"], told["exit_code"]) == (1, "equal", 0)
    bundle = told["targets"][0]["bundles"][0]
    assert bundle["requests"] == len(goldens(tiny)) + 20
    assert bundle["goldens"]["compared"] == bundle["goldens"]["equal"] == len(goldens(tiny))
    assert bundle["sides"]["target"]["runtime"].startswith("onnxruntime ")
    assert [path.name for path in where.iterdir()] == ["certificate.json"]


def test_folders_of_models_are_every_version_of_every_model(tiny: Path, tmp_path: Path) -> None:
    for name in ("b/10", "b/9", "a/1"):
        shutil.copytree(tiny, tmp_path / "models" / name)
    (tmp_path / "models" / "b" / "9.attest").mkdir()
    models = tmp_path / "models"
    found = [str(path.relative_to(models)) for path in _bundles([models, models / "b" / "9"])]
    assert found == ["a/1", "b/9", "b/10"]
    assert [path.name for path in _bundles([models / "b"])] == ["9", "10"]
    with pytest.raises(UserError) as refused:
        list(_bundles([tmp_path / "models" / "b" / "9.attest"]))
    assert refused.value.code == "no_bundles"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "nothing_to_certify_for"),
        (["--onnxruntime", "1.2"], "bad_release"),
        (["--onnxruntime", "1.10.0"], "release_too_old"),
        (["--python", "'"], "bad_command"),
    ],
)
def test_what_a_person_got_wrong_has_a_code(tiny: Path, arguments: list[str], code: str) -> None:
    done = CliRunner().invoke(certify_command, [str(tiny), *arguments])
    assert isinstance(done.exception, UserError)
    assert (done.exception.code, done.exception.exit_code) == (code, 2)
