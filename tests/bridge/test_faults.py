"""Every way in which a route can go wrong is planted once, and must get its right name and exit code."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from twinrank.bridge import Facts, Route, RouteError, RouteFailedError, RouteOptions, RouteScores, ScorerBase
from twinrank.bridge._cases import Case, collect
from twinrank.bridge._verify import ParityRun
from twinrank.bridge.routes import route

Fake = Callable[[str], Route]
Parity = Callable[..., ParityRun]


class Heard(Protocol):
    """What the fixture `heard` gives."""

    events: list[tuple[str, ...]]


def test_an_honest_testee_is_equal(fake: Fake, parity: Parity) -> None:
    run = parity([fake("none")])
    assert (run.verdict, run.exit_code) == ("equal", 0)
    (tally,) = run.routes
    assert tally.rows == run.baseline_rows == 26
    assert [head.differing_bits for head in tally.heads.values()] == [0, 0, 0, 0]
    assert (tally.orders, tally.orders_equal) == (8, 8)
    assert (tally.errors, tally.errors_agreed) == (17, 17)
    assert (tally.packed, tally.packed_equal) == (8, 8), "a refused request has no tensors"
    assert tally.first is None
    assert tally.failure is None


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("flipped_bit", "value"),
        ("reversed_order", "order"),
        ("wrong_code", "error"),
        ("wrong_candidate", "error"),
        ("wrong_pack", "packed"),
    ],
)
def test_a_planted_difference_differs(fake: Fake, parity: Parity, fault: str, kind: str) -> None:
    run = parity([fake("none"), fake(fault)])
    assert (run.verdict, run.exit_code) == ("differs", 1)
    honest, planted = run.routes
    assert honest.status == "equal"
    assert planted.status == "differs"
    assert planted.first is not None
    assert planted.first.kind == kind
    assert planted.failure is None


def test_a_flipped_bit_shows_both_sides(fake: Fake, parity: Parity) -> None:
    (tally,) = parity([fake("flipped_bit")]).routes
    first = tally.first
    assert first is not None
    assert (first.head, first.candidate, first.ulp) == ("watched", 0, 1)
    # golden 1 of tiny scores 10.75 = 0x412c0000; the fake flips the last bit.
    assert (first.expected_bits, first.actual_bits) == ("412c0000", "412c0001")
    watched = tally.heads["watched"]
    # One row in each of the six goldens that have candidates.
    assert (watched.differing_rows, watched.differing_bits, watched.max_ulp) == (6, 6, 1)
    assert tally.heads["score"].differing_bits == 0


@pytest.mark.parametrize(
    ("fault", "reason", "told"),
    [
        ("crash", "crashed", "exited with 7"),
        ("signal", "crashed", "signal 9"),
        ("cut", "crashed", "exited with 0"),
        ("hang", "hung", "killed"),
        ("chatter", "protocol", "something other than frames"),
        ("short_body", "protocol", "its heads need"),
        ("old_protocol", "protocol", "protocol 0"),
    ],
)
def test_a_route_that_gives_no_proof_is_never_green(
    fake: Fake, parity: Parity, fault: str, reason: str, told: str
) -> None:
    run = parity([fake("none"), fake(fault)], score_timeout=3.0)
    assert (run.verdict, run.exit_code) == ("unknown", 2)
    honest, planted = run.routes
    assert honest.status == "equal"
    assert planted.status == "unknown"
    assert planted.failure is not None
    assert planted.failure.reason == reason
    assert told in planted.failure.detail


def test_the_last_words_of_a_crashed_testee_are_kept(fake: Fake, parity: Parity) -> None:
    (tally,) = parity([fake("crash")]).routes
    assert tally.failure is not None
    assert "planted: the testee leaves" in tally.failure.evidence


def test_a_testee_that_reads_nothing_is_killed(fake: Fake, tiny: Path) -> None:
    with pytest.raises(RouteFailedError, match="killed") as caught:
        fake("deaf").open(tiny, RouteOptions(load_timeout=1.0))
    assert caught.value.reason == "hung"


@pytest.mark.parametrize(("fault", "told"), [("refuses", "digest_mismatch"), ("other_bundle", "deploy this bundle")])
def test_a_reader_that_refuses_what_the_baseline_serves_differs(
    fake: Fake, parity: Parity, fault: str, told: str
) -> None:
    run = parity([fake(fault)])
    assert (run.verdict, run.exit_code) == ("differs", 1)
    assert run.routes[0].failure is not None
    assert run.routes[0].failure.reason == "refused"
    assert told in run.routes[0].failure.detail


def test_a_difference_outweighs_a_crash(fake: Fake, parity: Parity) -> None:
    run = parity([fake("crash"), fake("flipped_bit")])
    assert (run.verdict, run.exit_code) == ("differs", 1)


def test_zero_rows_prove_nothing(fake: Fake, parity: Parity) -> None:
    refused_only = [Case("golden", 1, b"no JSON"), Case("golden", 2, b"[]")]
    run = parity([fake("none")], cases=refused_only)
    assert run.routes[0].errors_agreed == 2
    assert (run.verdict, run.exit_code) == ("unknown", 2)


def test_zero_routes_prove_nothing(parity: Parity) -> None:
    run = parity([])
    assert (run.verdict, run.exit_code) == ("unknown", 2)


class _Reordered(ScorerBase):
    """Answers each request with the answer of the one before: the same numbers, at the wrong place."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self._last: RouteScores | RouteError | None = None

    def facts(self) -> Facts:
        return self._inner.facts()  # type: ignore[attr-defined,no-any-return]

    def score(self, raw: bytes) -> RouteScores | RouteError:
        answer = self._inner.score(raw)  # type: ignore[attr-defined]
        previous, self._last = self._last, answer
        return answer if previous is None else previous

    def __enter__(self) -> "_Reordered":
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.__exit__(None, None, None)  # type: ignore[attr-defined]


def test_reordered_requests_differ(parity: Parity) -> None:
    base = route("ort")
    shifted = replace(base, name="shifted", open=lambda path, options: _Reordered(base.open(path, options)))
    run = parity([shifted])
    assert (run.verdict, run.exit_code) == ("differs", 1)
    assert run.routes[0].first is not None
    assert run.routes[0].first.kind in {"shape", "error", "value"}


class _FlippedWeight(ScorerBase):
    """A baseline whose head `watched` is off by a weight, as a graph with one other weight would be."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def facts(self) -> Facts:
        return self._inner.facts()  # type: ignore[attr-defined,no-any-return]

    def score(self, raw: bytes) -> RouteScores | RouteError:
        answer = self._inner.score(raw)  # type: ignore[attr-defined]
        if isinstance(answer, RouteError) or answer.n == 0:
            return answer
        outputs = dict(answer.outputs)
        outputs["watched"] = (outputs["watched"] * np.float32(1.0000001)).astype(np.float32)
        return replace(answer, outputs=outputs)

    def __enter__(self) -> "_FlippedWeight":
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.__exit__(None, None, None)  # type: ignore[attr-defined]


def test_a_changed_weight_on_one_side_differs(parity: Parity) -> None:
    base = route("ort")
    off = replace(base, name="off", open=lambda path, options: _FlippedWeight(base.open(path, options)))
    run = parity([off])
    assert (run.verdict, run.exit_code) == ("differs", 1)
    assert run.routes[0].heads["watched"].differing_rows > 0
    assert run.routes[0].heads["score"].differing_rows == 0


def test_progress_is_heard_for_every_request_of_every_route(
    fake: Fake, parity: Parity, heard: Heard, tiny: Path
) -> None:
    parity([fake("none")], progress=heard)
    requests = collect(tiny, run=None, requests=None, most=None).count
    for name in ("ort", "none"):
        mine = [event for event in heard.events if event[1] == name]
        assert mine[0] == ("start", name, str(requests))
        assert {event[0] for event in mine[1:-1]} == {"advance"}
        assert sum(int(event[2]) for event in mine[1:-1]) == requests
        assert mine[-1][0] == "finish"
