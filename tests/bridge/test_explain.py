"""The parts of an explanation by themselves; whole ones are proven on planted differences (tests/parity/planted.py)."""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinrank.bridge import RouteError, RouteFailedError, RouteOptions, RouteScores, Scored
from twinrank.bridge._cases import Case
from twinrank.bridge._scorer import Array
from twinrank.bridge.explain import _bisect, explain, explain_refusal
from twinrank.bridge.explain._numbers import number_reading
from twinrank.bridge.explain._requests import Literal, dump, find_members, on_strings, parse, transformed
from twinrank.bridge.explain._strings import BYTES, HASHES, TEXTS, key_of, reading_of
from twinrank.bridge.routes import route
from twinrank.export.bundle import SessionSettings, bundle_files, write_bundle
from twinrank.training.schema._keys import string_key

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
sys.path.insert(0, str(Path(__file__).parents[1] / "export"))

import planted
import table_bundle
from planted_routes import reordered

# Beyond ASCII, beyond the basic plane, a NUL, white space, marks of JSON, HTML and URLs, letters with and without case.
TEXT = ' Straßé &amp; "Ærø"/\U0001f600\0 e\u0301 %C3 ﬁ  x\t'


@pytest.mark.parametrize("name", [*TEXTS])
def test_each_change_of_a_string_is_recognised_by_its_key(name: str) -> None:
    changed = TEXTS[name](TEXT)
    assert changed != TEXT, "the text must be one that this changes"
    found = reading_of(TEXT, key_of(changed.encode("utf-8", "replace")))
    assert found is not None
    # Two changes may make the same of one text; the one that is named must make it too.
    assert found == name or TEXTS[found](TEXT) == changed


@pytest.mark.parametrize("name", [*BYTES])
def test_each_encoding_of_a_string_is_recognised_by_its_key(name: str) -> None:
    assert reading_of("Ærø€\0\U0001f600", key_of(BYTES[name]("Ærø€\0\U0001f600"))) == name


@pytest.mark.parametrize("name", [*HASHES])
def test_each_other_hash_is_recognised(name: str) -> None:
    # Of this string's hash the 63 low bits are another number than all 64.
    assert string_key("Noir") < 0
    assert reading_of("Noir", HASHES[name](b"Noir")) == name


@pytest.mark.parametrize(
    ("text", "seen", "said"),
    [
        ("straße", "straße".upper(), "upper-cased"),
        ("Ab cd", "Ab c", "cut after 4 of 5 characters"),
        (" Ab ", "ab", "stripped of white space and lower-cased"),
    ],
)
def test_a_string_is_told_as_people_would(text: str, seen: str, said: str) -> None:
    assert reading_of(text, string_key(seen)) == said


def test_a_string_cut_inside_a_character_is_told_in_bytes() -> None:
    assert reading_of("aß", key_of("aß".encode()[:2])) == "cut after 2 of 3 bytes"


def test_a_key_of_something_else_has_no_reading() -> None:
    assert reading_of("Comedy", string_key("Drama")) is None


F32, F64, I64 = np.float32, np.float64, np.int64


@pytest.mark.parametrize(
    ("literal", "expected", "actual", "said"),
    [
        # Nearest float64 is a tie of float32, which goes down to the even one; the decimal lies above it.
        ("1.000000059604644776", F32(1.0), np.nextafter(F32(1), F32(2)), "straight to float32"),
        ("0.7", F32(0.7), F32(np.float16(0.7)), "went through float16"),
        ("-0", F64(-0.0), F64(0.0), "sign of zero"),
        ("3.7", F64(3.7), F64(3.0), "integer part"),
        ("0.1", F64(0.1), F64(F32(0.1)), "went through float32"),
        ("0.123456789", F64(0.123456789), F64(0.1235), "4 significant digits"),
        ("1e-310", F64(1e-310), F64(0.0), "subnormal"),
        ("9007199254740993", I64(9007199254740993), I64(9007199254740992), "through a double"),
        ("4294967297", I64(4294967297), I64(1), "cut to 32 bits"),
        ("1500", I64(1500), I64(1), "milliseconds are read as seconds"),
        ("5", I64(5), I64(5 << 56), "bytes are swapped"),
    ],
)
def test_what_became_of_a_number_is_told(literal: str, expected: np.generic, actual: np.generic, said: str) -> None:
    assert said in (number_reading(literal, expected, actual) or "")


def test_a_nan_with_a_payload_is_told() -> None:
    payload = np.array(0x7FC00001, np.uint32).view(np.float32)[()]
    assert "payload" in (number_reading(None, F32("nan"), payload) or "")


def test_a_request_keeps_its_literals_and_its_strings() -> None:
    raw = b'{"context":{"a":-0,"b":1.50e+3,"s":"\\u00e9\\u0000\\ud83d\\ude00"},"candidates":[{"l":[1,"x"]}],"k":null}'
    document = parse(raw)
    assert document["context"]["b"] == "1.50e+3"
    assert type(document["context"]["a"]) is Literal
    assert dump(document) == raw.replace(b"\\u00e9", "é".encode()).replace(b"\\ud83d\\ude00", "\U0001f600".encode())
    changed = transformed(document, ["l"], on_strings(str.upper))
    assert find_members(changed, 0) == {"l": ["1", "X"]}
    assert find_members(changed, None) == document["context"]


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A net, and the same with one flipped weight bit."""
    folder = tmp_path_factory.mktemp("nets")
    return planted.net(folder / "one"), planted.flipped(folder / "other")


def explained(bundle: Path, deployed: Path, kind: type[planted.Faulty], **options: Any) -> Any:
    raw = planted.NET_REQUESTS[-1]
    with kind(deployed) as scorer, route("ort").open(bundle, RouteOptions()) as baseline:
        expected, actual = baseline.score_batch([raw])[0], scorer.score_batch([raw])[0]
        return explain(
            bundle, deployed, Case("file", 1, raw), expected, actual, baseline, scorer, route="faulty", **options
        )


def test_few_taps_a_run_find_the_same_node(nets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_bisect, "_MOST_AT_ONCE", 0)
    place = explained(*nets, planted.Faulty).place
    assert place.node == "hidden"
    assert [value.equal for value in place.inputs] == [True, False, True]
    assert "searched by halves" in place.note
    # 26 nodes: two runs without taps, then two a step, each step leaving an eighth, and two for the node's neighbours.
    assert place.runs <= 8


class Fusing(planted.Faulty):
    """Taps change the final bits here, unless nothing is optimised."""

    def run_graph(
        self, model: Path, settings: SessionSettings, taps: Sequence[str], blocks: Mapping[str, Array]
    ) -> Mapping[str, Array] | None:
        values = dict(super().run_graph(model, settings, taps, blocks) or {})
        if taps and settings.graph_optimization_level != "none":
            values["score"] = values["score"] + np.float32(1)
        return values


def test_where_taps_change_the_bits_the_search_goes_on_without_optimisation(nets: tuple[Path, Path]) -> None:
    place = explained(*nets, Fusing).place
    assert place.node == "hidden"
    assert "optimisation level none" in place.note


class Tapless(Fusing):
    """Taps always change the final bits."""

    def run_graph(
        self, model: Path, settings: SessionSettings, taps: Sequence[str], blocks: Mapping[str, Array]
    ) -> Mapping[str, Array] | None:
        return super().run_graph(model, dataclasses.replace(settings, graph_optimization_level="all"), taps, blocks)


def test_a_place_that_cannot_be_found_is_not_made_up(nets: tuple[Path, Path]) -> None:
    finding = explained(*nets, Tapless)
    assert finding.place is None
    assert any("not found in" in note for note in finding.notes)
    assert finding.causes[0].code == "other_weights"


def test_no_time_means_no_claims(nets: tuple[Path, Path]) -> None:
    finding = explained(*nets, planted.Faulty, seconds=0.0)
    assert [cause.code for cause in finding.causes] == ["unknown"]
    assert len(finding.notes) > 5
    assert all("not tried" in note for note in finding.notes)


def test_every_step_is_told_to_who_waits(nets: tuple[Path, Path]) -> None:
    steps: list[str] = []
    explained(*nets, planted.Faulty, progress=steps.append)
    assert steps[0] == "comparing facts"
    assert "searching the first node" in steps


class Dying(planted.Faulty):
    """Answers once, then is gone."""

    _asked = 0

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        del raw
        self._asked += 1
        if self._asked > 1:
            raise RouteFailedError("faulty", "crashed", "planted")
        return answer

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        if self._asked > 1:
            raise RouteFailedError("faulty", "crashed", "planted")
        return super().pack(raw)


def test_a_route_that_dies_meanwhile_is_a_note_and_the_rest_is_still_explained(nets: tuple[Path, Path]) -> None:
    finding = explained(*nets, Dying)
    assert finding.causes[0].code == "other_weights"
    assert any("asking again: faulty: crashed: planted" in note for note in finding.notes)


class Broken(planted.Faulty):
    """Raises what no scorer may raise."""

    def facts(self) -> Any:
        raise ZeroDivisionError("planted")


def test_an_explanation_never_raises(nets: tuple[Path, Path]) -> None:
    finding = explained(*nets, Broken)
    assert finding.causes[0].code == "unknown"
    assert "ZeroDivisionError" in finding.causes[0].evidence[0]


class Lists(planted.Faulty):
    """Packs the first two genres of every candidate the other way round."""

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        blocks = super().pack(raw)
        assert blocks is not None
        assert not isinstance(blocks, RouteError)
        changed = {name: np.array(block) for name, block in blocks.items()}
        changed["candidate.i64"][:, [1, 2]] = changed["candidate.i64"][:, [2, 1]]
        return changed


def test_a_list_in_another_order_is_told_even_where_no_score_shows_it(nets: tuple[Path, Path]) -> None:
    cause = explained(nets[0], nets[0], Lists).causes[0]
    assert cause.code == "packing"
    assert cause.proven
    assert "turned round" in cause.said
    assert "genres" in cause.said


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (RouteFailedError("probe", "refused", "load was refused: runtime_mismatch at manifest.json"), "other_release"),
        (RouteFailedError("probe", "refused", "said so", code="host_class_mismatch"), "other_host_class"),
        (RouteFailedError("http", "refused", "it holds sha256:12, not sha256:34: deploy this bundle"), "other_bundle"),
        (RouteFailedError("probe", "refused", "something else"), "other_decision"),
    ],
)
def test_a_refusal_is_explained_from_its_words(failure: RouteFailedError, code: str) -> None:
    finding = explain_refusal(failure.route, failure)
    assert [cause.code for cause in finding.causes] == [code]
    assert failure.detail in finding.causes[0].evidence


def test_a_weight_outside_the_graph_is_found_and_proven(tmp_path: Path) -> None:
    bundles = []
    for name in ("exported", "deployed"):
        draft = table_bundle.draft(8, outside=True)
        if name == "deployed":
            values = np.array(draft.weights["table"])
            values[3, 1] = np.nextafter(values[3, 1], np.float32(99))
            values[0, 0] = 2.0
            draft = dataclasses.replace(draft, weights={"table": values})
            draft = dataclasses.replace(draft, goldens=(rescored(draft.goldens[0], values),))
        bundles.append(write_bundle(tmp_path / name, "table", 1, bundle_files(draft)))
    raw = table_bundle.REQUEST
    with route("ort").open(bundles[0], RouteOptions()) as one, route("ort").open(bundles[1], RouteOptions()) as other:
        answers = one.score_batch([raw])[0], other.score_batch([raw])[0]
        finding = explain(*bundles, Case("file", 1, raw), *answers, one, other, route="ort")
    assert finding is not None
    cause = finding.causes[0]
    assert (cause.code, cause.proven) == ("other_weights", True), finding
    assert "2 elements of table" in cause.said
    assert finding.place is not None
    assert finding.place.op == "Gather"


def rescored(golden: Any, values: Array) -> Any:
    score = np.array([values[row].sum() for row in (3, 0, 3)], np.float32)
    order = tuple(sorted(range(3), key=lambda i: (-score[i], i)))
    return dataclasses.replace(golden, expected=dataclasses.replace(golden.expected, outputs=(score,), order=order))


def test_equal_answers_need_no_explanation(nets: tuple[Path, Path]) -> None:
    assert explained(nets[0], nets[0], planted.Faulty) is None


def test_the_same_scores_from_other_blocks_are_a_difference(nets: tuple[Path, Path]) -> None:
    raw = planted.NET_REQUESTS[0]
    with route("ort").open(nets[0], RouteOptions()) as scorer:
        answer = scorer.score_batch([raw])[0]
        other = Scored(answer.answer, (answer.packed or 0) ^ 1)
        given = Case("file", 1, raw), Scored(answer.answer, answer.packed or 0), other, scorer, scorer
        assert explain(nets[0], None, *given, route="ort") is not None


class Nudging(planted.Faulty):
    """Moves the score of a slate of one as rounding would, and any other score as nothing does."""

    shows_packing = False
    runs_graphs = False

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        del raw
        score = answer.outputs["score"]
        text = np.float32(f"{score[0]:.6g}")
        moved = score + (text - score[0] if answer.n == 1 else np.float32(0.25))
        return reordered({**answer.outputs, "score": moved}, answer)


def test_a_rounding_that_fits_one_score_by_chance_is_not_claimed(nets: tuple[Path, Path]) -> None:
    raw = planted.NET_REQUESTS[0]
    with Nudging(nets[0]) as scorer, route("ort").open(nets[0], RouteOptions()) as baseline:
        expected, actual = baseline.score_batch([raw])[0], scorer.score_batch([raw])[0]
        finding = explain(nets[0], None, Case("file", 1, raw), expected, actual, baseline, scorer, route="faulty")
    assert finding is not None
    assert [cause.code for cause in finding.causes] == ["unknown"]


def test_where_packing_is_the_whole_reason_no_node_is_looked_for(nets: tuple[Path, Path]) -> None:
    finding = explained(nets[0], nets[0], planted.Lowering)
    assert finding.causes[0].code == "string_encoding"
    assert finding.place is None
    assert finding.notes == ()
