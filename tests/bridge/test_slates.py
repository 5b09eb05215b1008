"""A request's candidates in other slates, and a route whose bits depend on the slate."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twinrank.bridge import Facts, Route, RouteError, RouteOptions, RouteScores, ScorerBase
from twinrank.bridge._api import compare
from twinrank.bridge._cases import collect
from twinrank.bridge._lockstep import Plan
from twinrank.bridge._slates import apart, slates
from twinrank.bridge._verify import Silent, bundle_facts
from twinrank.bridge.routes import route


def test_a_request_is_taken_apart_without_rewriting_a_value() -> None:
    raw = ' { "k" : 3, "c\\u0061ndidates" :\n[ {"a": -0, "b": 1E+2} , {"a":"]},"}\t], "context":{"x": 1.10} } '
    parts = apart(raw.encode())
    assert parts.context == '{"x": 1.10}'
    assert parts.candidates == ('{"a": -0, "b": 1E+2}', '{"a":"]},"}')
    made = parts.slate([parts.candidates[1]])
    assert made == b'{"context":{"x": 1.10},"candidates":[{"a":"]},"}]}', "and k is gone, so that all show"
    assert apart(b'{"candidates":[]}').candidates == ()


def test_columns_are_taken_apart_into_candidates() -> None:
    parts = apart(b'{"candidates":{"a" : [-0, 1E+2 ],"b\\u00e9":[ ["]}"],null]},"context":{}}')
    assert parts.candidates == ('{"a":-0,"b\\u00e9":["]}"]}', '{"a":1E+2,"b\\u00e9":null}')
    assert apart(b'{"candidates":{}}').candidates == ()
    assert apart(b'{"candidates":{"a":[]}}').candidates == ()


@pytest.mark.parametrize("raw", [b"[]", b'{"candidates":{"a":1}}', b'{"candidates":[1 2]}', b"{1:2}", b'{"a":1'])
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"at character|column|argument"):
        apart(raw)


def test_the_slates_hold_every_candidate_where_they_say() -> None:
    own = [f'{{"a":{place}}}' for place in range(40)]
    parts = apart(f'{{"candidates":[{",".join(own)}]}}'.encode())
    made = list(slates(parts, ['{"a":1000}', '{"a":1001}'], 60))
    forms = [slate.form for slate in made]
    assert forms.count("alone") == 16
    assert forms.count("among others") == 5
    assert "doubled" not in forms, "80 are more than the bundle's 60"
    assert "reversed" in forms
    for slate in made:
        shown = [each["a"] for each in json.loads(slate.raw)["candidates"]]
        assert len(shown) == len(slate.places) <= 60
        for value, place in zip(shown, slate.places, strict=True):
            assert value == place if place >= 0 else value >= 1000


class _Padded(ScorerBase):
    """Scores that move by one unit in the last place in slates of another length than the goldens'."""

    def __init__(self, inner: object, bundle: Path) -> None:
        self._inner = inner
        answers = [inner.score(case.raw) for case in collect(bundle)]  # type: ignore[attr-defined]
        self._usual = {answer.n for answer in answers if isinstance(answer, RouteScores)}

    def facts(self) -> Facts:
        return self._inner.facts()  # type: ignore[attr-defined,no-any-return]

    def score(self, raw: bytes) -> RouteScores | RouteError:
        answer = self._inner.score(raw)  # type: ignore[attr-defined]
        if isinstance(answer, RouteError) or answer.n in self._usual:
            return answer
        outputs = dict(answer.outputs)
        outputs["risky"] = np.nextafter(outputs["risky"], np.inf, dtype=outputs["risky"].dtype)
        return replace(answer, outputs=outputs)

    def __enter__(self) -> "_Padded":
        return self

    def __exit__(self, *_: object) -> None:
        return


def run(tiny: Path, tested: Route) -> object:
    plan = Plan(bundle_facts(tiny), collect(tiny), (tested,), route("ort"), RouteOptions())
    return compare(plan, Silent(), invariance=True, explain=False)


def test_an_honest_route_gives_the_same_bits_in_every_slate(tiny: Path, fake: Callable[[str], Route]) -> None:
    done = run(tiny, fake("none"))
    assert done.verdict == "equal"  # type: ignore[attr-defined]
    found = done.routes[0].invariance  # type: ignore[attr-defined]
    # tiny has 6 goldens with candidates.
    assert (found.requests, found.differing_rows, found.differing_bits, found.first) == (6, 0, 0, "")
    assert found.rows > 26


def test_a_route_whose_bits_depend_on_the_slate_differs_though_its_goldens_do_not(tiny: Path) -> None:
    base = route("ort")
    padded = replace(base, name="padded", open=lambda path, options: _Padded(base.open(path, options), path))
    done = run(tiny, padded)
    tally = done.routes[0]  # type: ignore[attr-defined]
    assert done.verdict == "differs"  # type: ignore[attr-defined]
    assert {head.name: head.differing_bits for head in tally.heads.values()}["risky"] == 0
    assert tally.invariance.differing_rows > 0
    assert tally.first.head == "risky"
    assert tally.invariance.first.split(":")[0] in {"alone", "reversed", "doubled", "among others"}
    assert tally.finding.causes[0].code == "row_dependent_kernel"
