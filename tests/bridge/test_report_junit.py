import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Tree

import pytest

from twinrank.bridge._junit import to_junit

sys.path.insert(0, str(Path(__file__).parent))
import report_runs

# What Jenkins' junit-10.xsd lets each element have: required and optional attributes, and children in their order.
GRAMMAR: dict[str, tuple[set[str], set[str], list[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "disabled", "errors"}, ["testsuite"]),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "properties": (set(), set(), ["property"]),
    "property": ({"name", "value"}, set(), []),
    "testcase": (
        {"name", "classname"},
        {"assertions", "time", "status"},
        ["skipped", "error", "failure", "system-out", "system-err"],
    ),
    "failure": (set(), {"message", "type"}, []),
    "error": (set(), {"message", "type"}, []),
    "skipped": (set(), {"message"}, []),
    "system-err": (set(), set(), []),
}


def parsed(data: bytes) -> Tree.Element:
    return Tree.fromstring(data)  # noqa: S314 - our own output


def every(element: Tree.Element) -> Iterator[Tree.Element]:
    return element.iter()


def suites(name: str) -> dict[str, Tree.Element]:
    root = parsed(to_junit(report_runs.RUNS[name]()))
    return {suite.attrib["name"].rpartition(".")[2]: suite for suite in root}


def cases(suite: Tree.Element) -> dict[str, Tree.Element | None]:
    """Outcome by testcase; None for a pass."""
    return {case.attrib["name"]: next(iter(case), None) for case in suite.iter("testcase")}


@pytest.mark.parametrize("name", report_runs.RUNS)
def test_every_element_is_one_that_ci_systems_read(name: str) -> None:
    root = parsed(to_junit(report_runs.RUNS[name]()))
    assert root.tag == "testsuites"
    for element in every(root):
        required, optional, children = GRAMMAR[element.tag]
        assert required <= set(element.attrib) <= required | optional, element.tag
        places = [children.index(child.tag) for child in element]
        assert places == sorted(places), f"children of {element.tag} are out of order"
        for attribute in ("time",):
            assert re.fullmatch(r"\d+\.\d{3}", element.get(attribute, "0.000"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", element.get("timestamp", "2026-01-01T00:00:00"))


@pytest.mark.parametrize("name", report_runs.RUNS)
def test_counts_are_those_of_the_elements(name: str) -> None:
    root = parsed(to_junit(report_runs.RUNS[name]()))
    for element in [root, *root]:
        assert int(element.attrib["tests"]) == len(list(element.iter("testcase"))) > 0
        for count, tag in (("failures", "failure"), ("errors", "error")):
            assert int(element.attrib[count]) == len(list(element.iter(tag)))
        if element is not root:
            assert int(element.attrib["skipped"]) == len(list(element.iter("skipped")))
            names = [case.attrib["name"] for case in element.iter("testcase")]
            assert len(names) == len(set(names)), "a CI system keeps one history a name"


def test_a_difference_fails_with_its_cause_and_the_way_to_see_it_again() -> None:
    told = cases(suites("explained")["probe"])
    assert {name for name, outcome in told.items() if outcome is not None} == {
        "head click",
        "head purchase",
        "head score",
        "refusals",
        "invariance",
    }
    failure = told["head click"]
    assert failure is not None
    assert failure.tag == "failure"
    message = failure.attrib["message"]
    assert "169 of 1,000 rows beyond what is allowed" in message
    assert "probe runs ONNX Runtime 1.23.0, the baseline 1.29.0 (proven)" in message
    assert "40029e6b / 40029e6e, 3 ULP" in message
    assert failure.text is not None
    for part in (
        "where: node 12 of 57, Gemm",
        "smallest request (46 of 1,204 bytes)",
        "to see it again: twinrank verify",
    ):
        assert part in failure.text
    refused = told["refusals"]
    assert refused is not None
    assert "2 requests invalid_json but scored on probe" in refused.attrib["message"]


def test_a_route_without_proof_is_an_error_and_never_a_pass() -> None:
    told = cases(suites("explained")["py4j"])
    outcome = told["the route ran"]
    assert outcome is not None
    assert (outcome.tag, outcome.attrib["type"]) == ("error", "crashed")
    assert "exit code 134" in outcome.attrib["message"]
    gone = cases(suites("crashed")["probe"])
    assert set(gone) == {"the route ran"}, "what was not compared is no testcase that passed"
    assert gone["the route ran"] is not None


def test_a_bundle_that_one_reader_refuses_fails_and_names_the_split() -> None:
    outcome = cases(suites("split")["probe"])["the route ran"]
    assert outcome is not None
    assert outcome.tag == "failure"
    assert "ort, jpype would serve this bundle, probe would not" in outcome.attrib["message"]


def test_a_baseline_that_refuses_is_a_failure_of_its_own() -> None:
    outcome = cases(suites("refusing_baseline")["ort"])["the route ran"]
    assert outcome is not None
    assert outcome.tag == "failure"
    assert outcome.attrib["message"].startswith("probe would serve this bundle, ort would not: invalid_manifest")


def test_what_was_left_out_is_skipped_with_the_reason() -> None:
    outcome = cases(suites("explained")["torch"])["the route ran"]
    assert outcome is not None
    assert (outcome.tag, outcome.attrib["message"]) == ("skipped", "it compares the trained module: pass --run RUN")


def test_nothing_compared_is_an_error() -> None:
    root = parsed(to_junit(replace(report_runs.equal(), routes=(), left_out={})))
    assert (root.attrib["tests"], root.attrib["errors"]) == ("1", "1")


def test_every_difference_has_a_testcase_that_is_red() -> None:
    """A status that no count stands for (other shapes, dropped candidates) must not pass in CI."""
    made = report_runs.equal()
    made.routes[0]._differs = True
    root = parsed(to_junit(made))
    assert root.attrib["failures"] == "1"


def test_text_that_xml_cannot_hold_is_shown_and_not_lost() -> None:
    data = to_junit(report_runs.explained())
    parsed(data)
    text = data.decode()
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", text)
    assert r"\x1b[2J&lt;b&gt;&amp;" in text, "escapes are visible, markup is text"


def test_properties_hold_the_fingerprints_of_both_sides() -> None:
    (properties,) = suites("explained")["probe"].iter("properties")
    told = {one.attrib["name"]: one.attrib["value"] for one in properties}
    assert told["probe.runtime_library_sha256"] == "77" * 32
    assert told["ort.runtime_library_sha256"] == "5d" * 32
    assert told["bundle.digest"] == report_runs.DIGEST
