"""A route that does not show its packing: the baseline is asked the request as a faulty reader would have read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from twinrank.bridge._findings import CauseCode
from twinrank.bridge._scorer import RouteError
from twinrank.bridge.explain._inquiry import Inquiry
from twinrank.bridge.explain._requests import Literal, dump, on_strings, parse, transformed
from twinrank.bridge.explain._strings import TEXTS
from twinrank.training.schema import Feature

_REMEDY = "pack the value as the contract's sections 5 and 6 say; tests/contract/vectors shows each case"


def try_readings(inquiry: Inquiry) -> None:
    """Ask the baseline with the request transformed, all features at once and then one at a time."""
    if inquiry.proven or not inquiry.outputs_differ or inquiry.their_blocks is not None:
        return
    document = parse(inquiry.case.raw)
    features = inquiry.manifest.schema.features
    for code, said, of, change in _readings():
        chosen = [feature.name for feature in features if of(feature)]
        if not _gives(inquiry, document, chosen, change):
            for name in chosen if len(chosen) > 1 else ():
                if _gives(inquiry, document, [name], change):
                    _add(inquiry, code, said, [name])
                    return
            continue
        alone = [name for name in chosen if _gives(inquiry, document, [name], change)]
        _add(inquiry, code, said, alone or chosen)
        return
    inquiry.notes.append(
        f"{inquiry.route} does not show its packing; the request with its strings, numbers and lists read otherwise, "
        "all features at once or one at a time, does not make the baseline give the route's bits"
    )


def _add(inquiry: Inquiry, code: CauseCode, said: str, features: list[str]) -> None:
    named = ", ".join(features)
    inquiry.add(
        code,
        f"{inquiry.route} reads {named} {said}",
        [f"asked with {named} {said}, the baseline gives exactly {inquiry.route}'s bits"],
        _REMEDY,
        proven=True,
    )


def _gives(inquiry: Inquiry, document: Any, features: list[str], change: Callable[[Any], Any]) -> bool:
    inquiry.check_time()
    if not features:
        return False
    changed = transformed(document, features, change)
    if changed == document:
        return False
    answer = inquiry.baseline.score(dump(changed))
    return not isinstance(answer, RouteError) and inquiry.reproduces(answer.outputs)


def _readings() -> Iterator[tuple[CauseCode, str, Callable[[Feature], bool], Callable[[Any], Any]]]:
    """Yield a cause, how the values are read, which features it can concern, and the change of a value."""
    for name, text in TEXTS.items():
        yield "string_encoding", name, _is_string, on_strings(text)
    for said, change in _NUMBERS.items():
        yield "packing", said, _is_number, on_literals(change)
    yield "packing", "in reverse", _is_list, _on_lists(lambda value: value[::-1])
    yield "packing", "without their first element", _is_list, _on_lists(lambda value: value[1:])
    yield "packing", "without their last element", _is_list, _on_lists(lambda value: value[:-1])
    yield "packing", "as an empty list", _is_list, _on_lists(lambda _value: [])
    yield "packing", "as missing", _may_miss, lambda _value: None


def _is_string(feature: Feature) -> bool:
    return feature.dtype == "string"


def _is_number(feature: Feature) -> bool:
    return feature.dtype not in ("string", "bool")


def _is_list(feature: Feature) -> bool:
    return feature.list is not None


def _may_miss(feature: Feature) -> bool:
    return feature.missing.policy != "error"


def _straight(literal: str) -> str:
    exact = Fraction(literal)
    near = np.float32(float(exact))
    around = [near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))]
    finite = [each for each in around if np.isfinite(each)]
    best = min(finite, key=lambda each: (abs(Fraction(float(each)) - exact), int(each.view(np.uint32)) & 1))
    return repr(float(best))


def _is_float(literal: str) -> bool:
    return any(mark in literal for mark in ".eE") or literal == "-0"


def _no_minus(literal: str) -> str:
    return literal.removeprefix("-") if Fraction(literal) == 0 else literal


def _through_double(literal: str) -> str:
    return literal if _is_float(literal) else str(max(-(1 << 63), min((1 << 63) - 1, int(float(int(literal))))))


def _wrapped(literal: str) -> str:
    return literal if _is_float(literal) else str((int(literal) + (1 << 31)) % (1 << 32) - (1 << 31))


def _float16(literal: str) -> str:
    return repr(float(np.float16(float(literal)))) if _is_float(literal) else literal


def _integral(literal: str) -> str:
    return f"{int(float(literal))}.0" if _is_float(literal) else literal


_NUMBERS: Mapping[str, Callable[[str], str]] = {
    "with zero's sign lost": _no_minus,
    "with decimals rounded straight to float32": _straight,
    "with integers through a double": _through_double,
    "with integers cut to 32 bits": _wrapped,
    "with floats through float16": _float16,
    "with only the integer part": _integral,
}


def on_literals(change: Callable[[str], str]) -> Callable[[Any], Any]:
    """Return a change of a feature's value that changes each of its numbers' texts."""

    def apply(value: Any) -> Any:
        if isinstance(value, list):
            return [apply(each) for each in value]
        if not isinstance(value, Literal):
            return value
        try:
            return Literal(change(str(value)))
        except (ValueError, OverflowError):
            return value

    return apply


def _on_lists(change: Callable[[list[Any]], list[Any]]) -> Callable[[Any], Any]:
    return lambda value: change(value) if isinstance(value, list) else value
