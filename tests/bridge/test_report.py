import html.parser
import json
import re
import sys
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from twinrank.bridge import Facts, Route, RouteError, RouteScores
from twinrank.bridge import _words as words
from twinrank.bridge._findings import CauseCode, Place
from twinrank.bridge._html import render
from twinrank.bridge._parity import Difference
from twinrank.bridge._pictures import bits, place_picture
from twinrank.bridge._report import to_json
from twinrank.bridge._scorer import CompareLevel, Reason, ScorerBase
from twinrank.bridge._verify import ParityRun
from twinrank.bridge.routes import route

Fake = Callable[[str], Route]
Parity = Callable[..., ParityRun]


SCHEMA = json.loads(resources.files("twinrank.bridge").joinpath("report.schema.json").read_bytes())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())

sys.path.insert(0, str(Path(__file__).parent))
import report_runs  # noqa: E402 - a module beside the tests


class _Near(ScorerBase):
    """A reference that is one unit in the last place off in every second value, as torch is."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def facts(self) -> Facts:
        return Facts("Module of run <b>planted</b>", "torch 0", details={"threads": "1"})

    def score(self, raw: bytes) -> RouteScores | RouteError:
        answer = self._inner.score(raw)  # type: ignore[attr-defined]
        if isinstance(answer, RouteError):
            return answer
        outputs = {name: np.array(values) for name, values in answer.outputs.items()}
        # Below 4, a unit in the last place is at most 2.4e-7: inside tiny's tolerance of 1e-6.
        small = np.abs(outputs["risky"]) < 4
        outputs["risky"][small] = np.nextafter(outputs["risky"][small], np.float32(8))
        return RouteScores(answer.n, outputs, answer.order, answer.dropped, answer.known)

    def __enter__(self) -> "_Near":
        return self

    def __exit__(self, *_: object) -> None:
        return


def near(path: Path, options: object) -> _Near:
    return _Near(route("ort").open(path, options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def mixed(fake: Fake, parity: Parity) -> ParityRun:
    reference = Route("torch", "a planted reference", "reference", near)  # type: ignore[arg-type]
    return parity([fake("none"), fake("flipped_bit"), fake("crash"), reference])


@pytest.fixture(scope="module")
def explained() -> ParityRun:
    return report_runs.explained()


def test_the_json_is_valid_under_the_schema_that_is_shipped(mixed: ParityRun, explained: ParityRun) -> None:
    for run in (mixed, explained):
        told = to_json(run)
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        VALIDATOR.validate(told)
        assert told["report"] == 2
        for side in told["routes"]:
            for head in side["heads"]:
                assert sum(head["ulp_histogram"]) == head["rows"]


def objects(schema: object) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_the_schema_says_what_every_field_is_and_lets_no_other_pass() -> None:
    found = list(objects(SCHEMA))
    assert len(found) > 20
    for one in found:
        assert one["additionalProperties"] is False
        assert set(one["required"]) == set(one["properties"]), "a field is there, if only as null"
        for name, field in one["properties"].items():
            assert field.get("description"), f"the schema does not say what {name} is"


@pytest.mark.parametrize("name", report_runs.RUNS)
def test_every_made_run_is_valid_and_has_a_page(name: str) -> None:
    made = report_runs.RUNS[name]()
    VALIDATOR.validate(to_json(made))
    assert made.bundle.name in render(made)


def test_levels_kinds_and_reasons_are_those_of_the_engine() -> None:
    defs = SCHEMA["$defs"]
    assert defs["route"]["properties"]["level"]["enum"] == list(get_args(CompareLevel))
    assert defs["difference"]["properties"]["kind"]["enum"] == list(get_args(get_type_hints(Difference)["kind"]))
    failure = defs["route"]["properties"]["failure"]["anyOf"][1]["properties"]
    assert failure["reason"]["enum"] == list(get_args(Reason))


def test_every_cause_is_in_the_schema() -> None:
    assert SCHEMA["$defs"]["cause"]["properties"]["code"]["enum"] == list(get_args(CauseCode)), (
        "bring report.schema.json's causes up to date with _findings.CauseCode"
    )


def test_the_verdict_and_its_evidence_are_in_the_json(mixed: ParityRun) -> None:
    told = to_json(mixed)
    assert (told["verdict"], told["exit_code"]) == ("differs", 1)
    by_name = {side["route"]: side for side in told["routes"]}
    assert [by_name[name]["status"] for name in ("none", "flipped_bit", "crash", "torch")] == [
        "equal",
        "differs",
        "unknown",
        "equal",
    ]
    first = by_name["flipped_bit"]["first_difference"]
    assert (first["kind"], first["expected_bits"], first["actual_bits"]) == ("value", "412c0000", "412c0001")
    assert json.loads(first["raw"])["context"], "the request that shows it, to try again"
    assert by_name["crash"]["failure"]["reason"] == "crashed"
    assert "planted" in by_name["crash"]["failure"]["stderr"]
    risky = next(head for head in by_name["torch"]["heads"] if head["name"] == "risky")
    assert risky["allowed"] == 1e-6
    assert risky["differing_rows"] > 0
    assert risky["beyond"] == 0


class _Page(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "path", "use", "rect", "line", "circle"}:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.stack and self.stack[-1] == tag:
            self.stack.pop()

    def handle_data(self, data: str) -> None:
        if self.stack[-1:] != ["style"]:
            self.words.append(data)


@pytest.fixture(scope="module")
def page(mixed: ParityRun) -> str:
    return render(mixed)


def test_the_page_needs_nothing_from_anywhere(page: str) -> None:
    parsed = _Page(page)
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "img"}
    outside = [
        (tag, name, value)
        for tag, attributes in parsed.tags
        for name, value in attributes.items()
        if name in {"src", "href", "xlink:href", "action"} and not (value or "").startswith("#")
    ]
    assert not outside
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)


def test_the_page_says_the_verdict_first(page: str) -> None:
    words = [word.strip() for word in _Page(page).words if word.strip()]
    assert words[0] == "differs: parity of tiny/1", "the title, which a browser's tab shows"
    assert words.index("Differs") < words.index("Every route, every head")
    assert "flipped_bit (values) from ort; no proof from crash" in words


def test_the_page_shows_both_sides_of_the_first_difference(page: str) -> None:
    for text in ("412c0000", "412c0001", "10.75", "planted: the testee leaves", "sha256:"):
        assert text in page


def test_the_page_is_readable_without_eyes_or_light(page: str) -> None:
    parsed = _Page(page)
    assert ("html", {"lang": "en"}) in parsed.tags
    assert "prefers-color-scheme: dark" in page
    for tag, attributes in parsed.tags:
        if tag == "th":
            assert attributes.get("scope") in {"col", "row", "rowgroup"}
    svgs = [attributes for tag, attributes in parsed.tags if tag == "svg"]
    assert svgs, "a route that differs somewhere has plots"
    for attributes in svgs:
        assert attributes.get("role") == "img"
        assert attributes.get("aria-label")


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks_for(scheme: str, page: str) -> None:
    light, dark = re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light if scheme == "light" else dark))
    pairs = [(ink, paper) for ink in ("ink", "soft", "good", "bad", "warn") for paper in ("paper", "card")]
    pairs += [(word, f"{word}-paper") for word in ("good", "bad", "warn")]
    pairs += [("ink", f"{word}-paper") for word in ("good", "bad", "warn")]
    pairs += [(field, "card") for field in ("sign", "exponent", "mantissa")]
    for ink, paper in pairs:
        high, low = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)
        ratio = (high + 0.05) / (low + 0.05)
        assert ratio >= 4.5, f"{scheme}: {ink} on {paper} has {ratio:.2f}"


def test_a_request_is_shown_and_not_obeyed() -> None:
    shown = render(report_runs.explained())
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00-\x08\x0b-\x1f]", shown)
    assert r"\x1b[2J&lt;b&gt;&amp;" in shown, "the testee's last words"


def test_the_bits_that_differ_are_marked() -> None:
    # 40029e6b and 40029e6e differ in bits 0 and 2.
    shown = render(report_runs.explained())
    rows = re.findall(r'<span class="mantissa">(.*?)</span></span>', shown)
    assert [re.sub("</?mark>", "", row) for row in rows[:2]] == [
        f"{int(digits, 16):023b}" for digits in ("29e6b", "29e6e")
    ]
    assert [re.findall("<mark>([01])</mark>", row) for row in rows[:2]] == [["0", "1"], ["1", "0"]]


def test_a_constant_of_the_node_that_differs_is_not_called_equal() -> None:
    inputs = tuple(report_runs.tap(f"in_{place}", equal=place != 8) for place in range(9))
    place = Place("n", "Concat", 0, 1, inputs, report_runs.tap("out", equal=False), 1)
    assert "in_8 not the same, nor its output" in words.place(place)
    picture = place_picture(place)
    assert ">in_8<" in picture, "with room for six inputs, the one that matters is shown"
    assert "9 inputs, not the same: in_8" in picture
    assert ">and 3 more<" in picture


def test_a_float64_has_its_own_fields() -> None:
    # 1.0 and the next number above it.
    groups = bits("3ff0000000000000", "3ff0000000000001")
    assert [(group.field, "".join(run for run, _ in group.runs)) for group in groups] == [
        ("sign", "0"),
        ("exponent", "01111111111"),
        ("mantissa", "0" * 52),
    ]
    assert [group.runs[-1] for group in groups] == [("0", False), ("01111111111", False), ("0", True)]
    assert bits("3f80", "3f81") == (), "no format that heads have"


def test_the_cost_of_a_page_does_not_grow_with_the_run() -> None:
    small, large = (report_runs.bundle(2), report_runs.bundle(2))
    pages = []
    for about, requests in ((small, 80), (large, 800)):
        tally = report_runs.compared("probe", about, report_runs.off_by(3), requests=requests)
        pages.append(render(report_runs.run(about, tally)))
    assert len(pages[1]) < 1.2 * len(pages[0])


def test_plots_take_their_colours_from_the_page(page: str) -> None:
    svg = page[page.index("<svg") : page.rindex("</svg>")]
    assert "var(--ink)" in svg
    assert "var(--series-0)" in svg
    assert not re.findall(r"#(?:010203|040506|070809|0a0b0\d)", svg)


def test_what_a_route_says_is_text_and_never_markup(page: str) -> None:
    assert "Module of run &lt;b&gt;planted&lt;/b&gt;" in page


def test_the_same_run_gives_the_same_page(mixed: ParityRun, page: str) -> None:
    assert render(mixed) == page
