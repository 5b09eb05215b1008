"""From a run to a bundle: what is proved, what is refused and why, and that the same run gives the same bytes."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from small_run import SCHEMA, SmallRanker, small_run

import twinrank.export.cli as cli
import twinrank.training.run as runs
from twinrank.export.bundle import compare_bits, open_bundle
from twinrank.export.graph import ExportError, export_run, module_outputs
from twinrank.training.transforms import FrontGraph

ROOT = Path(__file__).resolve().parents[2]

HERE = Path(__file__).resolve().parent


def contents(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_an_export_is_verified_bits_and_scores_like_torch(exported: Path) -> None:
    bundle = open_bundle(exported)
    assert bundle.verification == "verified-bits"
    run = small_run()
    compared = 0
    for raw in run.requests:
        scores = bundle.score(raw)
        expected = module_outputs(run.module, run.front, bundle.pack(raw), (*run.heads, "score"))
        for name, values in {**scores.heads, "score": scores.score}.items():
            difference = compare_bits(expected[name], values)
            assert difference.max_abs <= bundle.manifest.tolerances[name].a
            compared += difference.compared
    assert compared > 500


def test_the_same_run_gives_the_same_bytes_in_another_process_and_folder(exported: Path, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "from small_run import small_run\n"
        "from twinrank.export.graph import export_run\n"
        "print(export_run(small_run(), 'elsewhere'))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    there = contents(tmp_path / "elsewhere" / "small" / "1")
    here = contents(exported)
    assert sorted(there) == sorted(here)
    assert [name for name in here if here[name] != there[name]] == []


def test_nothing_of_the_machine_is_in_a_bundle(exported: Path) -> None:
    model = onnx.load_model_from_string((exported / "model.onnx").read_bytes())
    assert not model.metadata_props
    assert not model.graph.doc_string
    assert not model.functions
    for node in model.graph.node:
        assert not node.metadata_props
        assert not node.doc_string
    for name, content in contents(exported).items():
        for trace in (
            b"site-packages",
            b"pkg.torch",
            b"stack_trace",
            str(HERE).encode(),
            str(exported.parent).encode(),
        ):
            assert trace not in content, f"{name} holds {trace!r}"


def test_the_graph_is_one_slate_from_blocks_to_heads(exported: Path) -> None:
    bundle = open_bundle(exported)
    model = onnx.load_model_from_string((exported / "model.onnx").read_bytes())
    assert (model.ir_version, {entry.domain: entry.version for entry in model.opset_import}) == (
        10,
        {"": 20, "ai.onnx.ml": 4},
    )
    assert [value.name for value in model.graph.input] == [block.name for block in bundle.manifest.packing.blocks]
    assert [value.name for value in model.graph.output] == ["head.watched", "head.liked", "score"]
    read = {name for node in model.graph.node for name in node.input} | {value.name for value in model.graph.output}
    assert {tensor.name for tensor in model.graph.initializer} <= read
    assert {name for node in model.graph.node for name in node.output} <= read


def test_the_goldens_cover_sizes_edges_and_refusals(exported: Path) -> None:
    goldens = open_bundle(exported).goldens
    sizes = [golden.expected.n for golden in goldens if golden.expected.error is None]
    assert {0, 1, 40} <= set(sizes)
    assert len([n for n in sizes if n]) <= 32
    refusals = {golden.expected.error for golden in goldens} - {None}
    assert refusals >= {
        "invalid_json",
        "invalid_request",
        "unknown_feature",
        "missing_feature",
        "wrong_type",
        "out_of_range",
        "non_finite",
        "invalid_string",
        "length_mismatch",
    }
    text = b"\n".join(golden.request for golden in goldens)
    for edge in (
        b"never seen",
        b"-9223372036854775808",
        b"9223372036854775807",
        b"-0.0",
        b'"k":2',
        b'"history_item":[]',
    ):
        assert edge in text, edge


def test_the_evidence_states_what_was_measured(exported: Path) -> None:
    evidence = json.loads((exported / "manifest.json").read_bytes())["evidence"]
    assert evidence["reference"]["source"] == "torch"
    assert evidence["reference"]["rows"] >= 10_000
    assert set(evidence["reference"]["outputs"]) == {"watched", "liked", "score"}
    for seen in evidence["reference"]["outputs"].values():
        assert seen["a"] == max(4 * seen["max_abs"], 1e-6)
    assert evidence["invariance"]["sizes"] == [1, 2, 3, 5, 7, 8, 16, 33, 40, 64, 128, 255, 300]
    assert evidence["invariance"]["compared"] > 10_000


def test_every_golden_is_within_the_tolerance_of_the_module(exported: Path) -> None:
    # verify --run holds each of them to it; this run has an edge that is farther away than all its samples.
    bundle, run = open_bundle(exported), small_run()
    for golden in bundle.goldens:
        if golden.expected.n < 1:
            continue
        wanted = module_outputs(run.module, run.front, bundle.pack(golden.request), (*run.heads, "score"))
        for (name, values), actual in zip(wanted.items(), golden.expected.outputs, strict=True):
            seen = bundle.manifest.tolerances[name]
            assert compare_bits(values, actual).max_abs <= seen.max_abs <= seen.a / 4 + 1e-12


def test_the_provenance_names_the_code_that_made_it(exported: Path) -> None:
    stated = json.loads((exported / "manifest.json").read_bytes())["provenance"]["export"]["code"]
    digest = hashlib.sha256()
    for package in (
        "export/bundle",
        "export/graph",
        "export/trees",
        "training/models",
        "training/schema",
        "training/transforms",
    ):
        root = ROOT / package.split("/")[0] / "src" / "twinrank" / package
        for path in sorted(root.rglob("*"), key=lambda found: found.relative_to(root).parts):
            if path.suffix in (".py", ".onnx", ".pb", ".json"):
                content = path.read_bytes()
                name = f"twinrank.{package.replace('/', '.')}/{path.relative_to(root).as_posix()}"
                digest.update(f"{name}\0{len(content)}\0".encode())
                digest.update(content)
    assert stated == digest.hexdigest()


def test_an_unchanged_run_is_not_exported_twice(exported: Path) -> None:
    steps: list[str] = []
    assert export_run(small_run(), exported.parent.parent, progress=steps.append) == exported
    assert steps == ["version 1 was made from exactly this run: opening it again"]
    assert [entry.name for entry in exported.parent.iterdir()] == ["1"]


def test_a_changed_run_is_the_next_version(exported: Path, tmp_path: Path) -> None:
    first = tmp_path / "small" / "1"
    first.parent.mkdir()
    for name, content in contents(exported).items():
        (first / name).parent.mkdir(parents=True, exist_ok=True)
        (first / name).write_bytes(content)
    run = small_run()
    with torch.no_grad():
        next(run.module.parameters())[0, 0] += 1e-3
    with pytest.raises(FileExistsError):
        export_run(run, tmp_path, version=1)
    assert export_run(run, tmp_path) == tmp_path / "small" / "2"
    assert contents(first) == contents(exported)


# ---- refusals


class Unsteady(SmallRanker):
    """Its logits are a product of candidates with what the context computed: another kernel for one row."""

    def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        context = self.tables["user"](encoded["user"])
        items = self.tables["item"](encoded["item"])
        watched = (items @ context.expand(6, 6) @ torch.nn.functional.softplus(context).T).squeeze(1)
        base = super().forward(**encoded)
        return {"watched": watched, "liked": base["liked"], "score": watched}


class Listwise(SmallRanker):
    """A candidate's score is a share of the slate's."""

    def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs = super().forward(**encoded)
        return outputs | {"liked": torch.softmax(outputs["liked"], 0), "score": torch.softmax(outputs["score"], 0)}


class Baked(SmallRanker):
    """Its number of candidates is a constant of the trace."""

    def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs = super().forward(**encoded)
        return {name: values + torch.arange(7) for name, values in outputs.items()}


class Bags(SmallRanker):
    """The function converts to loops and sequences; only the layer is replaced."""

    def __init__(self, encoder: FrontGraph) -> None:
        super().__init__(encoder)
        self.bag = torch.nn.Parameter(torch.ones(10, 2))

    def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs = super().forward(**encoded)
        bags = torch.nn.functional.embedding_bag(encoded["genres"], self.bag, mode="mean", padding_idx=0)
        return {name: values + bags[:, 0] for name, values in outputs.items()}


class Different(SmallRanker):
    """It computes something else while it is exported."""

    def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        extra = 0.01 if torch.compiler.is_exporting() else 0.0
        return {name: values + extra for name, values in super().forward(**encoded).items()}


class Reordered(SmallRanker):
    """Its score is not last."""

    def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs = super().forward(**encoded)
        return {name: outputs[name] for name in ("score", "watched", "liked")}


class Training(SmallRanker):
    """It cannot be put into eval mode."""

    def eval(self) -> "Training":
        return self.train()


@pytest.mark.parametrize(
    ("module", "reason", "words"),
    [
        (Listwise, "batch_variant", r"'liked'.*the first node that depends on the slate is back\.\d+\.Softmax"),
        (Baked, "shape_baked_in", "a leading axis of 7"),
        (Bags, "operator_forbidden", "Loop|Sequence"),
        (Different, "reference_differs", "differs by 0.01"),
        (Reordered, "outputs_differ_from_heads", "the score last"),
        (Training, "training_mode", r"eval\(\)"),
    ],
)
def test_what_cannot_be_proved_is_refused_and_leaves_nothing(
    module: Any, reason: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=words) as caught:
        export_run(small_run(module), tmp_path)
    assert caught.value.reason == reason
    assert caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_what_only_rounds_differently_is_rewritten_and_said(tmp_path: Path) -> None:
    bundle = open_bundle(export_run(small_run(Unsteady), tmp_path))
    rewrites = bundle.manifest.document["provenance"]["export"]["rewrites"]
    assert [entry["rewrite"] for entry in rewrites if "MatMul" in entry["node"]] == ["steady_product"] * 2
    assert bundle.manifest.document["evidence"]["invariance"]["differing_values"] == 0


def test_all_that_speaks_against_an_export_is_said_at_once(tmp_path: Path) -> None:
    run = small_run(Listwise)
    object.__setattr__(run, "requests", run.requests[:2])
    with pytest.raises(ExportError) as caught:
        export_run(run, tmp_path)
    # Two nodes are to blame, one for each softmax, and two requests are too few.
    assert [finding.name for finding in caught.value.findings] == ["few_requests", "batch_variant", "batch_variant"]
    assert all(finding.remedy for finding in caught.value.findings)


def test_what_a_person_allows_stands_in_the_evidence(tmp_path: Path) -> None:
    path = export_run(small_run(Listwise), tmp_path, allow={"batch_variant": "listwise by design"})
    bundle = open_bundle(path)
    evidence = bundle.manifest.document["evidence"]
    assert evidence["invariance"]["differing_values"] > 1000
    assert {entry.finding for entry in bundle.manifest.allowed} == {"batch_variant"}
    assert {entry.reason for entry in bundle.manifest.allowed} == {"listwise by design"}
    assert "Softmax" in bundle.manifest.allowed[0].detail


def test_a_run_without_requests_proves_nothing(tmp_path: Path) -> None:
    run = small_run()
    object.__setattr__(run, "requests", (b'{"context":{"when":0},"candidates":[]}',))
    with pytest.raises(ExportError) as caught:
        export_run(run, tmp_path)
    assert caught.value.reason == "no_request"


# ---- the command


def test_the_command_says_what_it_made(exported: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runs, "run_kind", lambda _: "module")
    monkeypatch.setattr(runs, "load_run", lambda _: small_run())
    done = CliRunner().invoke(cli.export, [str(tmp_path), "--models", str(exported.parent.parent)])
    assert done.exit_code == 0, done.output
    for word in ("verified-bits", "host class", "goldens", "batch invariance", "torch, watched", "digest"):
        assert word in done.output


def test_the_command_ends_with_1_and_a_message_where_an_export_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runs, "run_kind", lambda _: "module")
    monkeypatch.setattr(runs, "load_run", lambda _: small_run(Training))
    done = CliRunner().invoke(cli.export, [str(tmp_path), "--models", str(tmp_path / "models")])
    assert done.exit_code == 1
    assert "training_mode" in done.output
    assert not (tmp_path / "models").exists()


def test_the_fixture_has_what_it_claims() -> None:
    assert {feature.dtype for feature in SCHEMA.features} == {"string", "timestamp", "float64", "float32", "int64"}
    blocks: Mapping[str, Any] = {block.name: block for block in small_run().front.packing.blocks}
    assert "context.history.i64" in blocks
    assert np.dtype(blocks["context.f64"].dtype) == np.float64
