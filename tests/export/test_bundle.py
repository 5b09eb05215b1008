"""Opening and scoring: what a verified bundle answers, and what verification means on another host."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile_bundles import load_cases, make_bundle, reseal
from onnx import numpy_helper

import twinrank.export.bundle as room
import twinrank.export.bundle._bundle as opening
from twinrank.export.bundle import (
    BUNDLE_CODES,
    BundleError,
    Runner,
    SessionSettings,
    bits_from_hex,
    canonical_bits,
    host_class,
    open_bundle,
    operators,
    order_of,
    outputs_digest,
    runtime_release,
    session_options,
)
from twinrank.export.bundle._goldens import differing_order, differing_values
from twinrank.training.schema import ScoringError

CONTRACT = Path(__file__).resolve().parents[1] / "contract"
VECTORS = CONTRACT / "vectors"


def test_the_room_opens_bundles_without_torch() -> None:
    code = (
        "import sys, twinrank.export.bundle as b;"
        f"b.open_bundle({str(VECTORS / 'bundles/tiny/1')!r}, require='reference');"
        "import twinrank.export.cli;"
        "print([m for m in ('torch', 'onnxscript') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_codes_are_those_of_the_contract_in_its_order() -> None:
    listed = json.loads((CONTRACT / "codes.json").read_bytes())["bundle"]
    assert tuple(entry["code"] for entry in listed) == BUNDLE_CODES


@pytest.mark.parametrize(
    ("shipped", "committed"),
    [
        ("canary.onnx", "canary/canary.onnx"),
        ("canary_input_0.pb", "canary/input_0.pb"),
        ("operators.json", "operators.json"),
        ("onnx-fields.json", "onnx-fields.json"),
    ],
)
def test_what_the_reader_ships_is_what_the_contract_has(shipped: str, committed: str) -> None:
    data = Path(room.__path__[0]) / "_data"
    assert (data / shipped).read_bytes() == (VECTORS / committed).read_bytes()


def test_a_bundle_of_this_host_class_is_verified_bits(own_tiny: Path) -> None:
    bundle = open_bundle(own_tiny)
    assert bundle.verification == "verified-bits"
    assert (bundle.name, bundle.version) == ("tiny", 1)
    digest = (own_tiny / "manifest.sha256").read_text(encoding="utf-8")
    assert bundle.digest == f"sha256:{digest.strip()}"
    assert [head.name for head in bundle.heads] == ["watched", "risky", "margin"]


def test_a_bundle_of_another_host_class_needs_permission(tiny: Path) -> None:
    with pytest.raises(BundleError) as caught:
        open_bundle(tiny)
    assert caught.value.code == "host_class_mismatch"
    assert open_bundle(tiny, require="reference").verification == "verified-reference"


def test_what_a_caller_may_require_is_one_of_two(tiny: Path) -> None:
    with pytest.raises(ValueError, match="bits, reference"):
        open_bundle(tiny, require="nothing")  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "version"), [("12", 12), ("007", None), ("latest", None), ("1.0", None)])
def test_the_version_is_the_name_of_the_directory(own_tiny: Path, name: str, version: int | None) -> None:
    moved = own_tiny.rename(own_tiny.parent / name)
    assert open_bundle(moved).version == version


def test_the_version_is_the_name_of_the_working_directory_too(own_tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own_tiny)
    assert open_bundle(Path()).version == int(own_tiny.name)


def test_scores_are_those_of_the_goldens(own_tiny: Path) -> None:
    bundle = open_bundle(own_tiny)
    scored = 0
    for golden in bundle.goldens:
        expected = golden.expected
        if expected.error is not None:
            with pytest.raises(ScoringError) as caught:
                bundle.score(golden.request)
            assert caught.value.code == expected.error
            continue
        scores = bundle.score(golden.request)
        k = json.loads(golden.request).get("k")
        assert scores.n == expected.n
        assert tuple(scores.order) == expected.order[:k]
        assert tuple(scores.dropped) == expected.dropped
        for head, values in zip(bundle.heads, expected.outputs, strict=False):
            assert (canonical_bits(scores.heads[head.name]) == canonical_bits(values)).all()
            scored += len(values)
    assert scored > 50


def test_a_value_computed_by_hand(own_tiny: Path) -> None:
    # LEAST of generate_tiny.py: missing user 8 + missing age -1 x 0.25 + active by default 1 + hour 0 = 8.75;
    # missing item 0.5 + stock 0 + price 1.5 by default = 2; together 10.75. Score: stock 0 + quality 0.
    least = {"context": {"when": 0, "budget": 0}, "candidates": [{"stock": 0, "quality": 0, "margin": 0}]}
    scores = open_bundle(own_tiny).score(json.dumps(least).encode())
    assert scores.heads["watched"].tolist() == [10.75]
    assert scores.heads["margin"].tolist() == [10.75]
    assert scores.score.tolist() == [0.0]


def test_no_candidates_are_an_empty_ranking(own_tiny: Path) -> None:
    scores = open_bundle(own_tiny).score(b'{"context":{"when":0,"budget":0},"candidates":[]}')
    assert scores.n == 0
    assert scores.order.size == scores.dropped.size == 0
    assert [values.shape for values in scores.heads.values()] == [(0,)] * 3


def test_the_session_runs_under_the_stated_options() -> None:
    options = session_options(SessionSettings("basic", "parallel", 3, 2, False, False, False))
    assert options.graph_optimization_level.name == "ORT_ENABLE_BASIC"
    assert options.execution_mode.name == "ORT_PARALLEL"
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 2)
    assert (options.enable_cpu_mem_arena, options.enable_mem_pattern) == (False, False)
    assert options.get_session_config_entry("session.disable_prepacking") == "1"


def test_the_digest_of_outputs_is_that_of_the_vector() -> None:
    vector = json.loads((VECTORS / "canary/digest.json").read_bytes())
    outputs = [(output["name"], bits_from_hex(output["bits"], output["dtype"])) for output in vector["outputs"]]
    assert outputs_digest(outputs) == vector["digest"]


def test_every_process_of_this_host_has_one_class() -> None:
    code = "from twinrank.export.bundle import host_class; print(host_class())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == host_class()


def test_the_canary_computes_numbers_from_its_input_alone() -> None:
    model = onnx.load_model_from_string((VECTORS / "canary/canary.onnx").read_bytes())
    x = numpy_helper.to_array(onnx.load_tensor(str(VECTORS / "canary/input_0.pb")))
    runner = Runner(model.SerializeToString(), SessionSettings())
    once, again = runner.run({"x": x}), runner.run({"x": x})
    moved = runner.run({"x": np.roll(x, 1) + np.float32(0.25)})
    assert len(once) > 50
    for name, values, repeated, other in zip(runner.outputs, once, again, moved, strict=True):
        assert np.isfinite(values).all(), name
        assert (canonical_bits(values) == canonical_bits(repeated)).all(), name
        assert (canonical_bits(values) != canonical_bits(other)).any(), f"{name} does not depend on the input"
    families = {node.op_type for node in model.graph.node}
    assert {
        "MatMul",
        "Gemm",
        "Softmax",
        "LayerNormalization",
        "ReduceSum",
        "ReduceMean",
        "GRU",
        "LSTM",
        "Conv",
    } <= families
    assert {"Sigmoid", "Tanh", "Exp", "Erf", "Gelu", "Log", "Sqrt", "Pow", "Softplus", "Sin", "Cos"} <= families
    assert "TreeEnsembleRegressor" in families
    assert (np.abs(x[-37:]) < np.finfo(np.float32).tiny).all(), "the end of the input is denormal"


def test_the_operator_list_knows_versions() -> None:
    assert operators().permits("", "Gelu", 20)
    assert not operators().permits("", "Attention", 22)
    assert operators().permits("", "Attention", 23)
    assert not operators().permits("com.microsoft", "Gelu", 1)
    assert not operators().permits("", "Loop", 20)


def test_many_problems_of_one_code_do_not_hide_another(own_tiny: Path) -> None:
    model = onnx.load_model_from_string((own_tiny / "model.onnx").read_bytes())
    model.graph.node.extend(onnx.NodeProto(op_type="Loop", name=f"loop{i}") for i in range(50))
    del model.graph.output[-1]
    (own_tiny / "model.onnx").write_bytes(model.SerializeToString())
    seal(own_tiny)
    with pytest.raises(BundleError) as caught:
        open_bundle(own_tiny)
    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["graph_invalid"] + ["graph_forbidden"] * 20


def test_what_lies_in_a_bundle_under_no_printable_name_can_be_reported(own_tiny: Path) -> None:
    (own_tiny / os.fsdecode(b"goldens/\xff")).write_bytes(b"")
    with pytest.raises(BundleError) as caught:
        open_bundle(own_tiny)
    assert caught.value.code == "file_unexpected"
    assert str(caught.value).encode()


# ---- reference level


def seal(root: Path) -> None:
    reseal(root, rewrite=False)
    digest = hashlib.sha256((root / "manifest.json").read_bytes()).hexdigest()
    (root / "manifest.sha256").write_text(digest + "\n", encoding="utf-8", newline="\n")


def shifted(tiny: Path, tmp_path: Path, a: float, by: float) -> Path:
    """The tiny bundle of no host, its users' rows moved by ``by``, its tolerance ``a`` for every output."""
    outputs = {name: {"a": a, "max_abs": 0.0, "max_ulp": 0} for name in ("watched", "risky", "margin", "score")}
    pointer = {"op": "set_json", "path": "manifest.json", "pointer": "/evidence/reference/outputs", "value": outputs}
    root = make_bundle(tiny, {"ops": [pointer], "reseal": [], "rehost": False}, tmp_path)
    model = onnx.load_model_from_string((root / "model.onnx").read_bytes())
    table = np.array([8, 0, 9, 10, 11], np.float32)
    (found,) = (tensor for tensor in model.graph.initializer if tensor.raw_data == table.tobytes())
    found.raw_data = (table + np.float32(by)).tobytes()
    (root / "model.onnx").write_bytes(model.SerializeToString())
    seal(root)
    return root


def test_other_bits_within_tolerance_are_reference(tiny: Path, tmp_path: Path) -> None:
    root = shifted(tiny, tmp_path, a=64.0, by=0.5)
    assert open_bundle(root, require="reference").verification == "verified-reference"


def test_other_values_beyond_tolerance_do_not_serve(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        open_bundle(shifted(tiny, tmp_path, a=0.25, by=0.5), require="reference")
    assert caught.value.code == "golden_mismatch"


SCORE = np.array([3.0, 2.0, 1.0, 1.0, -np.inf, np.inf], np.float32)


@pytest.mark.parametrize(
    ("actual", "tolerance", "fits"),
    [
        ([5, 0, 1, 2, 3, 4], None, True),
        ([5, 0, 1, 3, 2, 4], None, False),
        ([5, 0, 1, 3, 2, 4], 0.0, True),
        ([5, 1, 0, 2, 3, 4], 0.5, True),
        ([5, 1, 0, 2, 3, 4], 0.4, False),
        ([0, 5, 1, 2, 3, 4], 1e30, False),
        ([5, 0, 1, 2, 3], 1e30, False),
    ],
)
def test_swaps_are_allowed_only_within_twice_the_tolerance(
    actual: list[int], tolerance: float | None, fits: bool
) -> None:
    expected = tuple(int(i) for i in order_of(SCORE)[0])
    assert expected == (5, 0, 1, 2, 3, 4)
    assert (differing_order(expected, np.array(actual), SCORE, tolerance) is None) == fits


@pytest.mark.parametrize(
    ("left", "right", "tolerance", "fits"),
    [
        (1.0, np.nextafter(1.0, 2.0), None, False),
        (1.0, 1.5, 0.5, True),
        (1.0, 1.5, 0.49, False),
        (np.nan, np.nan, None, True),
        (np.nan, 1.0, 1e30, False),
        (np.inf, np.inf, 0.0, True),
        (np.inf, 1.0, 1e30, False),
        (0.0, -0.0, None, False),
        (0.0, -0.0, 0.0, True),
    ],
)
def test_values_fit_by_bits_or_within_tolerance(left: Any, right: Any, tolerance: float | None, fits: bool) -> None:
    assert (differing_values(np.array([left]), np.array([right]), tolerance) is None) == fits


# ---- unseen values


@pytest.mark.parametrize(
    ("context", "shelves", "feature", "candidate"),
    [
        ({"region": "west"}, [None, 3], "region", None),
        ({"labels": ["west", "apple"]}, [3], "labels", None),
        ({"region": "north", "labels": ["apple", "west"]}, [7], "labels", None),
        ({"region": "west", "labels": ["west"]}, [7], "region", None),
        ({}, [3, None, -4, 7, 8], "shelf", 3),
        ({}, [0], "shelf", 0),
    ],
)
def test_the_first_unseen_value_is_named(
    context: dict[str, Any], shelves: list[int | None], feature: str, candidate: int | None, own_tiny: Path
) -> None:
    least = {"stock": 0, "quality": 0, "margin": 0}
    request = {
        "context": {"when": 0, "budget": 0} | context,
        "candidates": [least | {"shelf": shelf} for shelf in shelves],
    }
    bundle = open_bundle(own_tiny)
    with pytest.raises(ScoringError, match=r"holds (1 value|[2-9] values) that the vocabulary") as caught:
        bundle.score(json.dumps(request).encode())
    assert (caught.value.code, caught.value.feature, caught.value.candidate) == ("unseen_value", feature, candidate)
    with pytest.raises(ScoringError):
        bundle.run(bundle.pack(json.dumps(request).encode()), len(shelves))


def test_what_is_beyond_a_lists_kept_end_is_not_unseen_and_n_0_runs_nothing(own_tiny: Path) -> None:
    bundle = open_bundle(own_tiny)
    context = {"when": 0, "budget": 0, "labels": ["apple", "bread", "west"]}
    least = {"stock": 0, "quality": 0, "margin": 0}
    assert bundle.score(json.dumps({"context": context, "candidates": [least]}).encode()).n == 1
    context["region"] = "west"
    assert bundle.score(json.dumps({"context": context, "candidates": []}).encode()).n == 0


def test_the_manifest_says_which_counts_the_graph_gives(tiny: Path) -> None:
    manifest = room.read_manifest(tiny)
    assert [(unseen.output, unseen.shape, unseen.features) for unseen in manifest.unseen] == [
        ("unseen.context", (1, 2), ("region", "labels")),
        ("unseen.candidate", (-1, 1), ("shelf",)),
    ]
    assert [head.output for head in manifest.outputs] == ["head.watched", "head.risky", "head.margin", "score"]


def test_a_count_of_another_shape_is_a_fault_of_the_graph(own_tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(own_tiny)
    request = bundle.goldens[0].request
    outputs = bundle._runner.run(bundle.pack(request))
    outputs[-1] = np.zeros((2, 1), np.int64)
    monkeypatch.setattr(bundle._runner, "run", lambda _: outputs)
    with pytest.raises(ScoringError, match=r"unseen\.candidate is int64 \[2, 1\]") as caught:
        bundle.score(request)
    assert caught.value.code == "scoring_failed"


# ---- external weights


def test_external_weights_that_change_while_opening_are_refused(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(case for case in load_cases()[1] if case["name"] == "external-weights")
    root = make_bundle(tiny, case, tmp_path)
    original = opening.Runner

    def swapping(*arguments: Any) -> Runner:
        runner = original(*arguments)
        data = root / "model.onnx.data"
        shutil.copyfile(data, tmp_path / "copy")
        (tmp_path / "copy").replace(data)
        return runner

    monkeypatch.setattr(opening, "Runner", swapping)
    with pytest.raises(BundleError) as caught:
        open_bundle(root)
    assert [(p.code, p.path) for p in caught.value.problems] == [("digest_mismatch", "model.onnx.data")]


def test_the_release_of_the_evidence_is_the_one_that_is_locked() -> None:
    locked = (CONTRACT.parents[1] / "requirements/dev.txt").read_text(encoding="utf-8")
    assert f"onnxruntime=={runtime_release()} " in locked.replace("\\", " ")


def test_what_is_no_raw_request_is_told_what_to_call() -> None:
    bundle = open_bundle(VECTORS / "bundles/tiny/1", require="reference")
    golden = next(golden for golden in bundle.goldens if golden.expected.n > 0)
    request = bundle.read(golden.request)
    for given, remedy in (
        (request, r"this is a Request: call score_request\(request\)"),
        (golden.request.decode(), r"this is a str: pass its UTF-8 bytes"),
        (json.loads(golden.request), r"this is a dict: .*score_request\(request_from_mapping"),
        (None, r"this is a NoneType: .*request_from_frame"),
    ):
        for call in (bundle.score, bundle.read, bundle.pack):
            with pytest.raises(TypeError, match=remedy):
                call(given)  # type: ignore[arg-type]
    assert bundle.score_request(request).score.tobytes() == bundle.score(golden.request).score.tobytes()
