"""The parity suite's own verdict: nothing that differs, is missing or proves too little is ever green."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twinrank.bridge._java import find_jar, find_java

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.parity import bundles, summary, traffic  # noqa: E402 - a developer's tool beside the packages

pytestmark = pytest.mark.parity

TINY = ROOT / "tests" / "contract" / "vectors" / "bundles" / "tiny" / "1"
FAKE = ROOT / "tests" / "bridge" / "fake_testee.py"
ROUTES = ("probe", "torch")


def route(name: str, level: str) -> dict[str, Any]:
    heads = [{"name": each, "rows": 50, "differing_bits": 0} for each in ("liked", "score")]
    return {
        "route": name,
        "level": level,
        "status": "equal",
        "heads": heads,
        "errors": {"compared": 4, "agreed": 4},
        "invariance": {"rows": 9, "differing_bits": 0},
        "failure": None,
        "first_difference": None,
    }


GOOD: dict[str, Any] = {
    "verdict": "equal",
    "bundle": {"digest": "sha256:00"},
    "requests": {"count": 12},
    "routes": [route("probe", "bits"), route("torch", "reference")],
}


def judged(change: str = "", value: Any = None, *, code: int = 0, report: Any = GOOD) -> summary.BundleResult:
    """GOOD with one field of the route probe changed; a dotted path names it."""
    document = copy.deepcopy(report)
    if change:
        place = document["routes"][0]
        *path, last = change.split(".")
        for step in path:
            place = place[int(step) if step.isdigit() else step]
        place[last] = value
    return summary.judge("tiny", "a fixture", document, code, ROUTES, TINY / "model.onnx", 1.0)


def test_what_is_equal_everywhere_is_equal() -> None:
    result = judged()
    assert (result.verdict, result.why, result.scores, result.comparisons) == ("equal", "", 50, 100)
    assert (result.refusals, result.requests) == (8, 12)
    whole = summary.total([result], 1, 50, 2.0)
    assert (whole.verdict, whole.line) == ("equal", "parity: 50 scores of 1 bundle over 2 routes, 0 differing bits")


def test_a_tolerance_s_bits_are_not_counted_as_differing() -> None:
    document = copy.deepcopy(GOOD)
    document["routes"][1]["heads"][1]["differing_bits"] = 77
    result = judged(report=document)
    assert (result.verdict, summary.total([result], 1, 50, 2.0).differing_bits) == ("equal", 0)


@pytest.mark.parametrize(
    ("change", "value", "verdict", "words"),
    [
        ("status", "differs", "differs", "probe"),
        ("status", "unknown", "unknown", "probe: compared nothing"),
        ("heads.0.differing_bits", 3, "unknown", "says equal with 3 differing bits"),
        ("heads.1.rows", 0, "unknown", "compared no score"),
        ("errors.agreed", 3, "unknown", "agrees in 3 of 4 refusals"),
        ("invariance.differing_bits", 1, "unknown", "other bits in other slates"),
        ("invariance.rows", 0, "unknown", "was not asked in other slates"),
        ("invariance", None, "unknown", "was not asked in other slates"),
        ("route", "somebody else", "unknown", "probe: is not in the report"),
    ],
)
def test_a_route_that_proves_less_is_never_green(change: str, value: object, verdict: str, words: str) -> None:
    result = judged(change, value)
    assert result.verdict == verdict
    assert words in result.why
    whole = summary.total([judged(), result], 2, 50, 2.0)
    assert whole.verdict == verdict
    assert "tiny" in whole.line.partition("; ")[2]


def test_a_library_of_trees_is_held_to_every_bit() -> None:
    document = copy.deepcopy(GOOD)
    document["routes"][1] |= {"level": "trees"}
    assert judged(report=document).verdict == "equal"
    document["routes"][1]["heads"][1]["differing_bits"] = 1
    result = judged(report=document)
    assert (result.verdict, summary.total([result], 1, 0, 2.0).differing_bits) == ("unknown", 1)


def test_a_report_that_is_not_there_proves_nothing() -> None:
    result = judged(report=None, code=0)
    assert (result.verdict, result.scores) == ("unknown", 0)
    assert "no report" in result.why


@pytest.mark.parametrize(("code", "verdict"), [(1, "differs"), (2, "unknown"), (-9, "unknown"), (130, "unknown")])
def test_an_exit_code_outweighs_an_equal_report(code: int, verdict: str) -> None:
    result = judged(code=code)
    assert result.verdict == verdict
    assert str(code) in result.why


def test_too_few_scores_or_no_bundle_prove_nothing() -> None:
    assert summary.total([judged()], 1, 51, 2.0).verdict == "unknown"
    assert "fewer than 51 scores" in summary.total([judged()], 1, 51, 2.0).line
    assert summary.total([], 1, 0, 2.0).verdict == "unknown"


def test_a_difference_outweighs_what_could_not_be_told() -> None:
    assert summary.total([judged(code=2), judged(code=1), judged()], 3, 50, 2.0).verdict == "differs"


def test_the_page_holds_every_bundle_and_every_reason(tmp_path: Path) -> None:
    results = [judged(), judged("status", "differs")]
    document = summary.to_json(results, summary.total(results, 2, 1, 2.0), "ci")
    written, page = summary.write(tmp_path, document, (*ROUTES, "http"))
    assert json.loads(written.read_text("utf-8"))["exit_code"] == 1
    text = page.read_text("utf-8")
    assert text.count('href="reports/tiny/report.html"') == 2
    assert "Differs" in text
    assert "<script" not in text
    assert "http://" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "summary.json"]


def test_there_are_bundles_of_every_kind() -> None:
    assert len(bundles.recipes()) == 12
    assert len({recipe.name for recipe in bundles.recipes()}) == 12


@pytest.mark.parametrize("name", ["rich", "words", "trees"])
def test_traffic_is_the_same_every_time_and_as_much_as_was_asked_for(name: str) -> None:
    recipe = next(recipe for recipe in bundles.recipes() if recipe.name == name)
    drawn = list(recipe.market().requests(5, 25_000))
    assert drawn == list(recipe.market().requests(5, 25_000))
    assert len(set(drawn)) == len(drawn)
    read = [json.loads(raw) for raw in drawn]
    sizes = [len(request["candidates"]) for request in read]
    assert (sizes[0], min(sizes)) == (10_000, 1)
    assert sum(min(n, request.get("k", n)) for n, request in zip(sizes, read, strict=True)) >= 25_000


def test_a_broken_candidate_is_broken_in_every_way_that_the_schema_allows() -> None:
    from twinrank.training.schema import ScoringError, read_request

    recipe = next(recipe for recipe in bundles.recipes() if recipe.name == "rich")
    schema = recipe.market().schema
    good = {"price": 1.0, "shelf": 1, "item": "i1"}
    codes = []
    for row in traffic.broken(schema, good):
        raw = b'{"context":{"now":1},"candidates":[%b]}' % row
        try:
            read_request(raw, schema, max_candidates=10)
        except ScoringError as refusal:
            codes.append(refusal.code)
        else:
            codes.append("read")
    # What is unseen is known to the graph alone.
    assert {"unknown_feature", "invalid_request", "missing_feature", "wrong_type", "read"} <= set(codes)


def run(out: Path, **environment: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "tools.parity", "ci", "--only", "trees", "--scores", "11000", "--out", str(out)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=240, check=False
    )
    assert (out / "summary.json").is_file(), done.stdout + done.stderr
    return done.returncode, json.loads((out / "summary.json").read_text("utf-8")), done.stdout


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    (bundle,) = document["bundles"]
    return {each["name"]: each["verdict"] for each in bundle["routes"]}


EQUAL = dict.fromkeys(("http", "jpype", "probe", "py4j", "python"), "equal")


@pytest.mark.ci
def test_a_bundle_is_proven_over_every_route(tmp_path: Path) -> None:
    code, document, out = run(tmp_path)
    assert (code, document["verdict"], verdicts(document)) == (0, "equal", EQUAL), out
    assert document["scores"] >= 11_000
    assert "parity: " in out
    assert "of 1 bundle of the suite's 12 over 5 routes, 0 differing bits" in out


@pytest.mark.ci
def test_one_flipped_bit_of_one_java_route_turns_everything_red(tmp_path: Path) -> None:
    home = tmp_path / "java-home"
    real = find_java().command.resolve()
    (home / "bin").mkdir(parents=True)
    (home / "lib").symlink_to(real.parents[1] / "lib")
    script = (
        f'#!/bin/sh\ncase "$*" in *twinrank-probe*) exec {sys.executable} {FAKE} flipped_bit;; esac\nexec {real} "$@"\n'
    )
    (home / "bin" / "java").write_text(script, "utf-8")
    (home / "bin" / "java").chmod(0o755)
    code, document, out = run(tmp_path / "out", JAVA_HOME=str(home))
    assert (code, document["verdict"]) == (1, "differs"), out
    assert verdicts(document) == EQUAL | {"probe": "differs"}
    assert document["differing_bits"] > 0
    assert "DIFFERS: trees" in out


@pytest.mark.ci
def test_a_route_without_its_jar_is_not_green(tmp_path: Path) -> None:
    jars = tmp_path / "jars"
    jars.mkdir()
    for artifact in ("probe", "gateway"):
        shutil.copy(find_jar(artifact), jars)
    code, document, out = run(tmp_path / "out", TWINRANK_JARS=str(jars))
    assert (code, document["verdict"]) == (2, "unknown"), out
    assert verdicts(document) == EQUAL | {"http": "unknown"}
    assert "COULD NOT TELL: trees" in out
    assert "twinrank-server" in out
