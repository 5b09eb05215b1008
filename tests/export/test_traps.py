"""Models whose bundle would betray its user later: each is refused, with what, where and why; and what must not be."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from twinrank.export.bundle import open_bundle
from twinrank.export.graph import ExportError, ExportSource, export_source
from twinrank.export.graph import _export as exporting
from twinrank.export.graph._requests import read_samples
from twinrank.export.graph._rewriting import rewritten
from twinrank.export.graph._slates import take
from twinrank.export.graph._source import source_digest
from twinrank.export.graph._user_module import user_back
from twinrank.export.graph.rewrites import REWRITES, Applied, View
from twinrank.training.transforms import FrontGraph, read_front_yaml

SCHEMA = """
features:
  - {name: age, placement: context, dtype: int64}
  - {name: bought, placement: context, dtype: int64, group: past, list: {max_length: 6, keep: last}}
  - {name: dwell, placement: context, dtype: float32, group: past, list: {max_length: 6, keep: last}}
  - {name: price, placement: candidate, dtype: float32}
  - {name: rating, placement: candidate, dtype: float32, nonfinite: true}
  - {name: shelf, placement: candidate, dtype: int64}
  - {name: add, placement: candidate, dtype: float32, vector: {length: 5}}
transforms:
  - {kind: number, name: age, feature: age, dtype: int64}
  - {kind: hash, name: bought, feature: bought, buckets: 9}
  - {kind: clip, name: dwell, feature: dwell, low: 0.0, high: 60.0}
  - {kind: clip, name: price, feature: price, low: 0.0, high: 1000.0}
  - {kind: number, name: rating, feature: rating, dtype: float32}
  - {kind: number, name: shelf, feature: shelf, dtype: int64}
  - {kind: vector, name: add, feature: add}
"""
LARGEST = 130


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> FrontGraph:
    path = tmp_path_factory.mktemp("schema") / "schema.yaml"
    path.write_text(SCHEMA, encoding="utf-8")
    return read_front_yaml(path)


def requests() -> tuple[bytes, ...]:
    """Usual requests: prices to 99, shelves to 30, no number that is none, no two dwells alike."""
    random = np.random.Generator(np.random.PCG64(11))
    made = []
    for r in range(8):
        past = r % 8
        context = {
            "age": 20 + 5 * r,
            "bought": [r + j for j in range(past)],
            "dwell": [round(1.5 + 7.25 * ((3 * j + r) % 8), 2) for j in range(past)],
        }
        candidates = [
            {
                "price": round(float(random.uniform(1, 99)), 2),
                "rating": round(float(random.normal()), 3),
                "shelf": int(random.integers(0, 31)),
                "add": [round(float(value), 3) for value in random.normal(size=5)],
            }
            for _ in range(1 if r == 0 else 9 + r)
        ]
        made.append(json.dumps({"context": context, "candidates": candidates}).encode())
    return tuple(made)


def source(
    module: nn.Module, front: FrontGraph, allow: dict[str, str] | None = None, largest: int = LARGEST
) -> ExportSource:
    torch.manual_seed(5)
    samples = read_samples(requests(), front, largest, strict=True, tell=print)
    rows = np.arange(7, dtype=np.int64)
    slate = take(samples.slates[-1], rows, front.packing)
    back, heads = user_back(module.eval(), front.outputs, front.encode(slate))
    return ExportSource("trap", front, back, heads, requests(), {}, largest, allow or {})


class Row(nn.Module):
    """One expression as a module, a table of 101 rows at hand."""

    def __init__(self, score: Callable[..., Any]) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.table = nn.Embedding(101, 4)
        self.calls = 0
        self._score = score

    def forward(
        self,
        age: torch.Tensor,
        bought: torch.Tensor,
        dwell: torch.Tensor,
        price: torch.Tensor,
        rating: torch.Tensor,
        shelf: torch.Tensor,
        add: torch.Tensor,
    ) -> Any:
        self.calls += 1
        given = {"age": age, "bought": bought, "dwell": dwell, "price": price, "rating": rating, "shelf": shelf}
        return self._score(self, given | {"add": add})


def best_dwell(module: Row, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """The two rows that were looked at longest, in the order in which topk gives them."""
    _, best = torch.topk(given["dwell"], 3, dim=-1)
    rows = module.table(given["bought"].gather(1, best))
    liking: torch.Tensor = (rows * torch.tensor([1.0, 2.0, 4.0]).reshape(1, 3, 1)).sum()
    return given["price"] + liking


def rank_in_slate(_: Row, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """How many of the slate are cheaper: boundaries that are computed."""
    return torch.bucketize(given["price"], torch.sort(given["price"]).values).to(torch.float32)


def off_by(amount: float) -> Callable[..., torch.Tensor]:
    """Something else while it is exported."""

    def score(_: Row, given: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.tanh(given["add"].sum(-1)) + (amount if torch.compiler.is_exporting() else 0.0)

    return score


def sentinel(module: Row, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """The same fault beside scores of -1e9, which must not be what it is measured by."""
    return off_by(0.05)(module, given).masked_fill(given["price"] < 10, -1e9)


TRAPS = {
    "index_beyond_sample": (
        lambda m, g: m.table(g["price"].long()).sum(-1),
        "edge_fails",
        "large floats: price: the graph fails on values that the schema allows",
    ),
    "negative_index": (
        lambda m, g: m.table(torch.fmod(g["shelf"], 50)).sum(-1),
        "edge_fails",
        "extreme integers: shelf: the module itself fails",
    ),
    "clamped_integers": (
        lambda m, g: m.table(g["shelf"].clamp(0, 100)).sum(-1),
        "reference_differs",
        "for wide integers: shelf",
    ),
    "sign_of_nan": (
        lambda _, g: g["price"] + torch.sign(g["rating"]),
        "reference_differs",
        "for not finite: rating",
    ),
    "ties": (best_dwell, "reference_differs", "for equal elements: dwell"),
    "one_is_special": (
        lambda _, g: g["price"] * (2.0 if g["price"].shape[0] == 1 else 1.0),
        "reference_differs",
        "from the module's",
    ),
    "many_are_special": (
        lambda _, g: g["price"] * (2.0 if g["price"].shape[0] > 100 else 1.0),
        "reference_differs",
        "from the module's",
    ),
    "noise": (
        lambda _, g: g["add"].sum(-1) + float(np.random.random()) * 1e-5,
        "not_repeatable",
        "have other bits when the same is asked again",
    ),
    "state": (lambda m, g: g["add"].sum(-1) * (1 if m.calls < 100 else 1 + 1e-5), "not_repeatable", "state"),
    "no_number": (lambda _, g: g["price"] * float("nan"), "no_number", "is NaN for all"),
    "rare_neighbour": (lambda _, g: g["price"] / g["price"].max().clamp(min=500), "batch_variant", "ReduceMax"),
    "neighbour_without_number": (
        lambda _, g: g["price"] + torch.where(torch.isinf(g["rating"]).any(), 1.0, 0.0),
        "batch_variant",
        "score",
    ),
    "sentinel": (sentinel, "reference_differs", "differs by 0.05"),
    "loose": (off_by(3e-4), "reference_loose", "differs by 0.0003"),
}


@pytest.mark.parametrize("name", TRAPS)
def test_a_bundle_that_would_betray_is_not_written(name: str, front: FrontGraph, tmp_path: Path) -> None:
    score, finding, words = TRAPS[name]
    with pytest.raises(ExportError) as caught:
        export_source(source(Row(score), front), tmp_path)
    assert any(words in str(found) for found in caught.value.findings), caught.value.findings
    names = {found.name for found in caught.value.findings}
    # Clamped integers are wrong in the vector body only, so they depend on the slate too.
    assert names == ({finding, "batch_variant"} if name == "clamped_integers" else {finding})
    assert list(tmp_path.iterdir()) == []


def test_an_unrolled_search_is_caught_by_larger_slates_although_the_slate_may_count(
    front: FrontGraph, tmp_path: Path
) -> None:
    """The tracer unrolls the binary search for its seven candidates: right up to there, and wrong above."""
    with pytest.raises(ExportError, match="up to the traced size only") as caught:
        export_source(source(Row(rank_in_slate), front, {"batch_variant": "ranks of the slate"}), tmp_path)
    assert caught.value.reason == "reference_differs"


def test_a_loose_reference_that_is_allowed_stands_in_the_evidence(front: FrontGraph, tmp_path: Path) -> None:
    reason = "upstream is float64 = fine"
    bundle = open_bundle(export_source(source(Row(off_by(3e-4)), front, {"reference_loose": reason}), tmp_path))
    assert bundle.verification == "verified-bits"
    (allowed,) = bundle.manifest.allowed
    assert (allowed.finding, allowed.reason) == ("reference_loose", reason)
    assert "differs by 0.0003" in allowed.detail
    seen = bundle.manifest.tolerances["score"]
    assert 2.9e-4 < seen.max_abs < 3.1e-4
    assert seen.a == 4 * seen.max_abs


@dataclass(frozen=True)
class Meddle:
    """A rewrite that breaks its promise: it adds to the score a number, or a share of the slate's mean."""

    name: str
    by: float
    of_slate: bool
    exact: bool = False

    def apply(self, model: onnx.ModelProto, view: View) -> list[Applied]:
        del view
        if any(tensor.name == self.name for tensor in model.graph.initializer):
            return []
        (last,) = (node for node in model.graph.node if "score" in node.output)
        last.output[0] = f"{self.name}.before"
        model.graph.initializer.append(numpy_helper.from_array(np.array(self.by, np.float32), self.name))
        what = self.name
        if self.of_slate:
            mean = helper.make_node("ReduceMean", [last.output[0]], [f"{self.name}.mean"], name=f"{self.name}.mean")
            share = helper.make_node("Mul", [mean.output[0], self.name], [f"{self.name}.share"], name="share")
            mean.attribute.append(helper.make_attribute("keepdims", 0))
            model.graph.node.extend([mean, share])
            what = share.output[0]
        model.graph.node.append(helper.make_node("Add", [last.output[0], what], ["score"], name=self.name))
        return [Applied(self.name, last.name, "meddled with")]


def test_a_rewrite_that_is_undone_leaves_the_bundle_that_would_be_without_it(
    front: FrontGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(_: Row, given: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.log1p(given["price"]) + given["add"].sum(-1)

    plain = export_source(source(Row(score), front), tmp_path / "plain")
    meddling = (Meddle("moves", 1.0, of_slate=False), *REWRITES, Meddle("varies", 1e-6, of_slate=True))
    monkeypatch.setattr(exporting, "rewritten", functools.partial(rewritten, rewrites=meddling))
    told: list[str] = []
    path = export_source(source(Row(score), front), tmp_path / "meddled", progress=told.append)
    undone = [line for line in told if "undone" in line]
    assert len(undone) == 2
    assert undone[0].startswith("the rewrite moves is undone: output 'score' moves by 1")
    assert undone[1].startswith("the rewrite varies is undone: ")
    assert "values differ between slate sizes, none without it" in undone[1]
    assert (path / "model.onnx").read_bytes() == (plain / "model.onnx").read_bytes()
    rewrites = open_bundle(path).manifest.document["provenance"]["export"]["rewrites"]
    assert {entry["rewrite"] for entry in rewrites} == {"pool_as_product", "padded_tail"}


# ---- what must not be refused, or not be confused


def test_tensors_and_heads_may_be_called_as_the_tracer_calls_its_values(front: FrontGraph, tmp_path: Path) -> None:
    def score(_: Row, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        first = given["price"] + given["rating"]
        both = torch.cat([given["add"], first.unsqueeze(-1)], -1)
        return {
            "cat": both.sum(-1),
            "add_1": first,
            "sum_1": given["price"] + 1,
            "score": given["add"].amax(-1) + given["price"],
        }

    bundle = open_bundle(export_source(source(Row(score), front), tmp_path))
    raw = requests()[3]
    scores = bundle.score(raw)
    candidates = json.loads(raw)["candidates"]
    price, rating = (np.array([one[name] for one in candidates], np.float32) for name in ("price", "rating"))
    vectors = np.array([one["add"] for one in candidates], np.float32)
    np.testing.assert_allclose(scores.heads["add_1"], price + rating, rtol=1e-6)
    np.testing.assert_allclose(scores.heads["cat"], vectors.sum(1) + price + rating, rtol=1e-5)
    np.testing.assert_allclose(scores.heads["sum_1"], price + 1, rtol=1e-6)
    np.testing.assert_allclose(scores.score, vectors.max(1) + price, rtol=1e-6)


def test_sizes_between_the_pool_and_the_largest_slate_are_proved(front: FrontGraph, tmp_path: Path) -> None:
    """A kernel that changes its strategy in between, played by a score that does."""

    def score(_: Row, given: dict[str, torch.Tensor]) -> torch.Tensor:
        count = torch.ones_like(given["price"]).sum()
        return given["price"] + torch.where((count > 200) & (count < 300), 1.0, 0.0)

    with pytest.raises(ExportError, match="in a slate of 255 than in one") as caught:
        export_source(source(Row(score), front, largest=400), tmp_path)
    assert caught.value.reason == "batch_variant"


def test_scores_that_are_no_numbers_for_some_are_said(front: FrontGraph, tmp_path: Path) -> None:
    told: list[str] = []
    export_source(
        source(Row(lambda _, g: torch.log(g["price"] - 50)), front),
        tmp_path,
        progress=told.append,
    )
    (line,) = [line for line in told if "NaN" in line]
    assert "one whose score is NaN is not ranked" in line


def test_an_export_that_another_overtakes_becomes_the_next_version_or_is_the_same(
    front: FrontGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by(factor: float) -> ExportSource:
        module = Row(lambda m, g: g["price"] * m.factor)
        module.register_buffer("factor", torch.tensor(factor))
        return source(module, front, largest=64)

    def overtaken_by(other: ExportSource) -> Callable[..., Any]:
        def build(*given: Any, **more: Any) -> Any:
            monkeypatch.setattr(exporting, "build_files", build_files)
            files = build_files(*given, **more)
            export_source(other, tmp_path)
            return files

        return build

    build_files = exporting.build_files
    monkeypatch.setattr(exporting, "build_files", overtaken_by(by(1.0)))
    assert export_source(by(2.0), tmp_path).name == "2"
    monkeypatch.setattr(exporting, "build_files", overtaken_by(by(3.0)))
    assert export_source(by(3.0), tmp_path).name == "3"
    assert sorted(path.name for path in (tmp_path / "trap").iterdir() if path.is_dir()) == ["1", "2", "3"]
    monkeypatch.setattr(exporting, "build_files", overtaken_by(by(5.0)))
    with pytest.raises(FileExistsError):
        export_source(by(4.0), tmp_path, version=4)


@pytest.mark.parametrize("held", [lambda t: t, lambda t: [t], lambda t: {"a": (t,)}, lambda t: t.numpy()])
def test_what_a_module_holds_outside_its_parameters_is_part_of_what_it_is(
    held: Callable[[torch.Tensor], Any], front: FrontGraph
) -> None:
    """Else a retrained module would be taken for the one that was exported before."""

    def made(value: float) -> str:
        module = Row(lambda _, g: g["price"])
        module.extra = held(torch.full((3,), value))
        return source_digest(source(module, front))

    assert made(1.0) == made(1.0)
    assert made(1.0) != made(2.0)
