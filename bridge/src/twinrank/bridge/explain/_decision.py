"""One side refuses a request that the other scores, or refuses it for another reason."""

from __future__ import annotations

from twinrank.bridge._scorer import RouteError
from twinrank.bridge.explain._inquiry import Inquiry
from twinrank.bridge.explain._requests import value_at

_REMEDY = (
    "read both readers' rules for this value in the contract, section 6; the one that departs from them is wrong. The "
    "request belongs into the contract's vectors"
)


def compare_decisions(inquiry: Inquiry) -> None:
    """Name both decisions, with the value of the raw request that they are about."""
    expected, actual = inquiry.expected.answer, inquiry.actual.answer
    if not (isinstance(expected, RouteError) or isinstance(actual, RouteError)) or expected == actual:
        return
    sides = (("the baseline", expected), (inquiry.route, actual))
    said = "; ".join(
        f"{name} refuses it: {answer}" if isinstance(answer, RouteError) else f"{name} scores {answer.n} candidates"
        for name, answer in sides
    )
    evidence = []
    for name, answer in sides:
        if isinstance(answer, RouteError) and answer.feature is not None:
            place = answer.feature if answer.candidate is None else f"candidates[{answer.candidate}].{answer.feature}"
            evidence.append(f"{name} names {place}: the request says {value_at(inquiry.case.raw, answer)}")
    inquiry.add("other_decision", said, evidence, _REMEDY, proven=True)
