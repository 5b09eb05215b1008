"""``twinrank diff``: every difference that was planted is named, and nothing else is."""

import dataclasses
import itertools
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run
import torch
from click.testing import CliRunner, Result
from small_run import SCHEMA, SmallRanker, feature

from twinrank.export.bundle import diff_bundles, kendall_tau, open_bundle
from twinrank.export.cli import diff
from twinrank.export.graph import export_run
from twinrank.training.run import TrainedRun
from twinrank.training.schema import Schema, string_key
from twinrank.training.transforms import Clip, FrontGraph, Lookup, Vocabulary

NEW_ITEMS = ("item-new-1", "item-new-2")


def call(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(diff, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def nudged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small run with one weight moved: the last layer's bias of both heads by 0.25."""
    run = small_run.small_run()
    with torch.no_grad():
        run.module.out.bias += 0.25  # type: ignore[operator, union-attr]
    return export_run(run, tmp_path_factory.mktemp("nudged"))


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small run with differences planted in every part."""
    document: dict[str, Any] = json.loads(json.dumps(SCHEMA.to_json()))
    by_name = {one["name"]: one for one in document["features"]}
    by_name["user"]["missing"] = {"policy": "error"}  # required now
    by_name["income"]["missing"]["value"] = 0.75  # another default: nobody breaks
    document["features"].append(feature("margin", "candidate", "float32", missing={"policy": "default", "value": 0}))
    schema = Schema.from_json(document)
    vocabulary = Vocabulary("item", "string", (*small_run.ITEMS[1:], *NEW_ITEMS))
    transforms = [
        dataclasses.replace(one, vocabulary=vocabulary)
        if isinstance(one, Lookup) and one.vocabulary.name == "item"
        else one
        for one in small_run.front().transforms
    ]
    front = FrontGraph(schema, (*transforms, Clip("margin", "margin", -1.0, 1.0)))
    base = small_run.small_run()

    class WithMargin(SmallRanker):
        """The ranker with a third head, which reads the new feature."""

        def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
            margin = encoded.pop("margin")
            found = super().forward(**encoded)
            return {
                "watched": found["watched"],
                "liked": found["liked"],
                "profit": margin * 2.0,
                "score": found["score"],
            }

    torch.manual_seed(7)
    requests = []
    for raw in base.requests:
        body = json.loads(raw)
        for place, candidate in enumerate(body["candidates"]):
            candidate["margin"] = place / 8
        requests.append(json.dumps(body).encode())
    run = TrainedRun(
        name="small",
        schema=schema,
        front=front,
        module=WithMargin(front).eval(),
        heads=("watched", "liked", "profit"),
        requests=tuple(requests),
        provenance={**base.provenance, "seed": 8, "metrics": {"test": {"auc": 0.75}}},
        max_candidates=200,
    )
    return export_run(run, tmp_path_factory.mktemp("changed"))


@pytest.fixture(scope="module")
def difference(exported: Path, changed: Path) -> dict[str, Any]:
    return diff_bundles(exported, changed)


def test_a_bundle_and_its_copy_are_the_same(exported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "7"
    shutil.copytree(exported, copy)
    document = diff_bundles(exported, copy)
    assert document["same"]
    assert document["scores"] is None
    result = call(exported, copy)
    assert (result.exit_code, "SAME" in result.stdout) == (0, True)
    assert call(exported, copy, "--json").exit_code == 0


def test_one_moved_bias_is_the_only_difference(exported: Path, nudged: Path) -> None:
    document = diff_bundles(exported, nudged)
    assert not document["same"]
    assert document["compatible"]
    assert document["breaks"] == []
    assert document["schema"] == {"added": [], "removed": [], "changed": [], "reordered": False}
    assert document["heads"] == {"added": [], "removed": [], "changed": []}
    assert document["vocabularies"] == []
    assert document["graph"]["operators"] == {}
    assert document["settings"] == []
    assert document["metrics"] == []
    assert {change["field"] for change in document["provenance"]} == {"export.source"}
    (weight,) = document["weights"]["changed"]
    assert weight["name"].endswith("out.bias")
    assert (document["weights"]["added"], document["weights"]["removed"]) == ([], [])
    assert (document["weights"]["constants"]["added"], document["weights"]["constants"]["removed"]) == (0, 0)

    torch.manual_seed(7)
    before = SmallRanker(small_run.front()).out
    norm = float(np.linalg.norm(before.bias.detach().numpy().astype(np.float64)))
    # Two components moved by 0.25 each: the norm of the change is 0.25 * sqrt(2).
    assert weight["relative_change"] == pytest.approx(0.25 * 2**0.5 / norm, rel=1e-6)
    for which in ("goldens_of_left", "goldens_of_right"):
        shift = document["scores"][which]
        assert shift["refused"]["left"] == shift["refused"]["right"] == {}
        assert sum(shift["refused"]["both"].values()) > 0, "the goldens hold refused requests, and both refuse them"
        # watched and liked move by 0.25; the score is watched + liked / 2.
        for head, moved in (("watched", 0.25), ("liked", 0.25), ("score", 0.375)):
            assert shift["heads"][head]["mean_abs"] == pytest.approx(moved, abs=1e-5)
            assert shift["heads"][head]["max_abs"] == pytest.approx(moved, abs=1e-5)
            assert shift["heads"][head]["differing"] == shift["heads"][head]["values"] > 0
        assert shift["order"]["kendall_tau"] > 0.99


def test_planted_features_are_named_and_who_breaks(difference: dict[str, Any]) -> None:
    schema = difference["schema"]
    assert (schema["added"], schema["removed"], schema["reordered"]) == (["margin"], [], False)
    assert schema["changed"] == [
        {"feature": "user", "field": "missing.policy", "left": "own_row", "right": "error"},
        {"feature": "income", "field": "missing.value", "left": 0.5, "right": 0.75},
    ]
    assert not difference["compatible"]
    assert difference["breaks"] == [
        "feature user is required now",
        "at most 200 candidates instead of 300",
        "head profit is new",
    ]


def test_what_is_gone_or_of_another_kind_breaks_too(exported: Path, changed: Path) -> None:
    back = diff_bundles(changed, exported)
    assert back["schema"]["removed"] == ["margin"]
    assert back["heads"]["removed"] == ["profit"]
    assert "feature margin is gone; a request that has it is refused" in back["breaks"]
    assert "head profit is gone" in back["breaks"]
    assert not [reason for reason in back["breaks"] if "required" in reason or "at most" in reason]


def test_planted_vocabulary_entries_are_counted_and_shown_as_keys(difference: dict[str, Any]) -> None:
    found = {tuple(one["features"]): one for one in difference["vocabularies"]}
    assert set(found) == {("item",), ("history_item",)}
    for one in found.values():
        assert (one["left_keys"], one["right_keys"], one["added"], one["removed"]) == (40, 41, 2, 1)
        assert one["added_keys"] == sorted(string_key(item) for item in NEW_ITEMS)
        assert one["removed_keys"] == [string_key("item-0")]


def test_heads_weights_settings_metrics_and_origin_are_named(difference: dict[str, Any]) -> None:
    assert difference["heads"]["added"] == ["profit"]
    grown = {one["name"]: one for one in difference["weights"]["changed"] if "was" in one}
    shapes = {name.rsplit(".", 2)[1]: (one["was"]["shape"], one["shape"]) for name, one in grown.items()}
    # A user is never missing now, and so has no row for it.
    assert shapes == {"history": ([41, 6], [42, 6]), "item": ([41, 6], [42, 6]), "user": ([5, 6], [4, 6])}
    constants = difference["weights"]["constants"]
    assert constants["same"] > 10
    assert constants["added"] >= 1, "0.75, the other default of income"
    settings = {change["field"]: (change["left"], change["right"]) for change in difference["settings"]}
    assert settings["max_candidates"] == (300, 200)
    assert difference["metrics"] == [{"metric": "test.auc", "left": None, "right": 0.75, "delta": None}]
    origin = {change["field"]: (change["left"], change["right"]) for change in difference["provenance"]}
    assert origin["seed"] == (7, 8)
    assert origin["export.transforms.item.vocabulary.entries"] == (40, 41)
    assert any(
        field.startswith("reference.outputs.profit") for field in (change["field"] for change in difference["evidence"])
    )
    assert difference["graph"]["nodes"][1] > difference["graph"]["nodes"][0]


def test_requests_that_one_of_the_two_refuses_are_counted(difference: dict[str, Any], exported: Path) -> None:
    without_user = 0
    for golden in open_bundle(exported).goldens:
        if golden.expected.error is None and "user" not in json.loads(golden.request)["context"]:
            without_user += 1
    refused = difference["scores"]["goldens_of_left"]["refused"]
    assert without_user > 0
    assert refused["right"]["missing_feature"] == without_user
    of_right = difference["scores"]["goldens_of_right"]["refused"]["left"]
    assert of_right["unknown_feature"] > 0, "margin is unknown to the left"
    assert set(difference["scores"]["goldens_of_left"]["heads"]) == {"watched", "liked", "score"}


def test_the_page_names_them_all(exported: Path, changed: Path) -> None:
    result = call(exported, changed)
    assert result.exit_code == 1
    flat = "".join(result.stdout.split())
    for word in ("breakscallers", "margin", "profit", "40→41", "missing_feature", "[41,6]→[42,6]", "test.auc", "seed"):
        assert word in flat, word
    assert max(len(line) for line in result.stdout.splitlines()) <= 100
    document = json.loads(call(exported, changed, "--json").stdout)
    assert document["diff"] == 1


def test_a_damaged_bundle_means_could_not_tell(exported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "2"
    shutil.copytree(exported, copy)
    raw = bytearray((copy / "model.onnx").read_bytes())
    raw[100] ^= 1
    (copy / "model.onnx").write_bytes(raw)
    result = call(exported, copy)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "digest_mismatch" in result.stderr
    assert "inspect" in result.stderr


def test_a_bundle_of_another_host_is_compared_but_not_scored(exported: Path, tmp_path: Path) -> None:
    from test_inspect import edited

    def elsewhere(document: dict[str, Any]) -> None:
        document["evidence"]["host_class"] = "0" * 64

    copy = edited(exported, tmp_path, elsewhere)
    document = diff_bundles(exported, copy)
    assert [change["field"] for change in document["evidence"]] == ["host_class"]
    assert "host_class_mismatch" in document["scores"]["error"]
    result = call(exported, copy)
    assert (result.exit_code, "not compared" in result.stdout) == (1, True)
    scores = diff_bundles(exported, copy, require="reference")["scores"]
    assert all(head["differing"] == 0 for head in scores["goldens_of_left"]["heads"].values())


def naive_tau(left: list[int], right: list[int]) -> float:
    shared = [c for c in left if c in right]
    pairs = list(itertools.combinations(shared, 2))
    agree = sum(right.index(a) < right.index(b) for a, b in pairs)
    return 1.0 if not pairs else (2 * agree - len(pairs)) / len(pairs)


def shuffles() -> Iterator[tuple[list[int], list[int]]]:
    source = random.Random(3)
    for size in (0, 1, 2, 3, 7, 16, 33):
        for _ in range(20):
            left, right = list(range(size)), list(range(size))
            source.shuffle(left)
            source.shuffle(right)
            # Some candidates are dropped from one of the rankings.
            yield left, right[: source.randint(size // 2, size)]


def test_kendall_s_tau_is_the_pairs_that_agree_less_those_that_do_not() -> None:
    for left, right in shuffles():
        found = kendall_tau(np.array(left, np.int64), np.array(right, np.int64))
        assert found == pytest.approx(naive_tau(left, right), abs=1e-12)
    assert kendall_tau(np.arange(5), np.arange(5)[::-1]) == -1.0
