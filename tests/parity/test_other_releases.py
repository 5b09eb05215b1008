"""Real bundles under real other releases of ONNX Runtime: what was measured to change is found, located and named."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ci

TESTS = Path(__file__).resolve().parents[1] / "export"
ROOT = TESTS.parents[1]
SHOP = TESTS / "architectures"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer encoder with a Softplus behind it, exported here."""
    from twinrank.export.graph import export_source, source_of_module

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(TESTS)
        patch.setattr(sys, "path", [*sys.path])
        source = source_of_module(
            "architectures.encoder:make", SHOP / "schema.yaml", SHOP / "requests.jsonl", max_candidates=120
        )
        return Path(export_source(source, tmp_path_factory.mktemp("models")))


def certify(bundle: Path, report: Path, *arguments: object, **environ: str) -> tuple[int, str, dict[str, Any]]:
    command = [sys.executable, "-c", "from twinrank.bridge.cli import main; main()", "certify", str(bundle)]
    command += ["--requests", str(SHOP / "requests.jsonl"), "--report", str(report), *map(str, arguments)]
    env = os.environ | environ
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=env, check=False)
    path = report / "certificate.json"
    told = json.loads(path.read_bytes()) if path.exists() else {}
    return done.returncode, done.stdout + done.stderr, told


def changed(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["operator"]: each for each in told["targets"][0]["operators"] if each["differing_nodes"]}


def test_layer_norm_changed_since_1_23_and_hides_where_it_is_fused(encoder: Path, tmp_path: Path) -> None:
    code, out, told = certify(encoder, tmp_path, "--onnxruntime", "1.23.2")
    wrong = changed(told)
    assert set(wrong) == {"LayerNormalization"}, out
    assert (wrong["LayerNormalization"]["differing_nodes"], wrong["LayerNormalization"]["runs"]) == (4, 0)
    assert wrong["LayerNormalization"]["first"]["node"].endswith("LayerNormalization")
    # The graph runs SkipLayerNormalization, and that one kept its bits: so did the bundle.
    assert (code, told["targets"][0]["bundles"][0]["state"]) == (0, "equal"), out
    fused = {each["operator"]: each for each in told["targets"][0]["operators"] if each["fused"]}
    assert fused["com.microsoft.SkipLayerNormalization"]["nodes"] == 4
    side = told["targets"][0]["bundles"][0]["sides"]["target"]
    assert (side["runtime"], side["verification"]) == ("onnxruntime 1.23.2", "unverified")


def test_softplus_changed_since_1_20_and_moves_the_scores(encoder: Path, tmp_path: Path) -> None:
    code, out, told = certify(encoder, tmp_path, "--onnxruntime", "1.20.1")
    assert code == 1, out
    assert set(changed(told)) == {"LayerNormalization", "Softplus"}
    assert changed(told)["Softplus"]["runs"] == 1
    (bundle,) = told["targets"][0]["bundles"]
    assert bundle["state"] == "within"
    assert {head["name"] for head in bundle["outputs"] if head["differing_bits"]} == {"clicked", "bought", "score"}
    assert bundle["goldens"]["equal"] < bundle["goldens"]["compared"]
    assert certify(encoder, tmp_path, "--onnxruntime", "1.20.1", "--require", "reference", "--no-nodes")[0] == 0


def test_the_pinned_release_itself_is_equal(encoder: Path, tmp_path: Path) -> None:
    from twinrank.export.bundle import runtime_release

    code, out, told = certify(encoder, tmp_path, "--onnxruntime", runtime_release())
    assert (code, told["verdict"], changed(told)) == (0, "equal", {}), out


def test_a_release_that_does_not_exist_and_an_index_that_does_not_answer_are_told(
    encoder: Path, tmp_path: Path
) -> None:
    envs = tmp_path / "envs"
    code, out, _ = certify(encoder, tmp_path / "r", "--onnxruntime", "1.999.0", "--envs", envs)
    assert code == 2
    assert "error [release_not_found]" in out
    code, out, _ = certify(
        encoder,
        tmp_path / "r",
        "--onnxruntime",
        "1.23.2",
        "--envs",
        envs,
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_FIND_LINKS="",
        PIP_CONFIG_FILE=os.devnull,
    )
    assert code == 2
    assert "error [index_unreachable]" in out
    assert list(envs.iterdir()) == []


def test_the_route_python_takes_another_releases_interpreter(encoder: Path, verify, other_release) -> None:  # type: ignore[no-untyped-def]
    done = verify(encoder, "--route", "python", "--python", other_release.python[0])
    assert done.code == 0, done.out + done.err
    facts = done.route("python")["facts"]
    assert (facts["runtime"], facts["verification"]) == ("onnxruntime 1.23.2", "unverified")


def test_an_emulated_processor_is_certified_as_a_release_is(encoder: Path, tmp_path: Path) -> None:
    command = f"qemu-x86_64 -cpu SandyBridge {sys.executable}"
    code, out, told = certify(encoder, tmp_path, "--python", command, "--require", "reference", "--timeout", 200)
    assert code == 0, out
    (bundle,) = told["targets"][0]["bundles"]
    assert bundle["sides"]["target"]["host_class"] != bundle["sides"]["pinned"]["host_class"]
    # Without fused multiply-add a sum is rounded twice, so what multiplies matrices differs first of all.
    assert {"Gemm", "MatMul"} <= set(changed(told))
    assert not {"Gather", "Cast", "Where", "Concat"} & set(changed(told))
