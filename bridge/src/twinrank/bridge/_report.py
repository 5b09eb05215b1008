"""The parity report as a JSON object; README.md documents every field, and the HTML page shows the same object."""

from __future__ import annotations

import collections
import math
from typing import Any

from twinrank.bridge import routes as catalogue
from twinrank.bridge._parity import ULP_EDGES, Difference, HeadTally, RouteTally, Swap
from twinrank.bridge._scorer import Facts
from twinrank.bridge._verify import ParityRun

REPORT_VERSION = 1

_SHOWN_REQUEST = 2_000


def to_json(run: ParityRun) -> dict[str, Any]:
    """Return the report; numbers that JSON has no word for are the contract's strings."""
    return {
        "report": REPORT_VERSION,
        "verdict": run.verdict,
        "exit_code": run.exit_code,
        "bundle": {
            "name": run.bundle.name,
            "version": run.bundle.version,
            "digest": run.bundle.digest,
            "host_class": run.bundle.host_class,
            "allowed_findings": [finding.to_json() for finding in run.bundle.findings],
            "outputs": [
                {"name": name, "dtype": dtype, "a": run.bundle.allowed[name]}
                for name, dtype in run.bundle.heads.items()
            ],
        },
        "requests": {
            "count": len(run.cases),
            "by_source": dict(collections.Counter(case.source for case in run.cases)),
        },
        "baseline": {
            "route": catalogue.BASELINE,
            "rows": run.baseline_rows,
            "seconds": round(run.baseline_seconds, 3),
            "facts": _facts(run.baseline),
        },
        "routes": [_route(tally) for tally in run.routes],
        "left_out": dict(run.left_out),
        "ulp_edges": list(ULP_EDGES),
    }


def number(value: float) -> float | str:
    """Return the value as JSON can hold it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _route(tally: RouteTally) -> dict[str, Any]:
    failure = tally.failure
    return {
        "route": tally.route,
        "level": tally.level,
        "status": tally.status,
        "facts": None if tally.facts is None else _facts(tally.facts),
        "requests": tally.requests,
        "rows": tally.rows,
        "seconds": round(tally.seconds, 3),
        "heads": [_head(head) for head in tally.heads.values()],
        "order": {
            "compared": tally.orders,
            "equal": tally.orders_equal,
            "tied": tally.orders_tied,
            "swaps": [_swap(swap) for swap in tally.swaps],
        },
        "errors": {"compared": tally.errors, "agreed": tally.errors_agreed},
        "packed": {"compared": tally.packed, "equal": tally.packed_equal},
        "first_difference": _difference(tally.first),
        "largest_difference": _difference(tally.worst),
        "failure": None
        if failure is None
        else {"reason": failure.reason, "detail": failure.detail, "stderr": failure.evidence},
    }


def _facts(facts: Facts) -> dict[str, Any]:
    return {
        "implementation": facts.implementation,
        "runtime": facts.runtime,
        "host_class": facts.host_class,
        "verification": facts.verification,
        "bundle": facts.bundle,
        "details": dict(facts.details),
    }


def _head(head: HeadTally) -> dict[str, Any]:
    return {
        "name": head.name,
        "dtype": head.dtype,
        "allowed": head.allowed,
        "rows": head.rows,
        "differing_rows": head.differing_rows,
        "differing_bits": head.differing_bits,
        "beyond": head.beyond,
        "max_ulp": head.max_ulp,
        "max_abs": number(head.max_abs),
        "ulp_histogram": list(head.histogram),
    }


def _swap(swap: Swap) -> dict[str, Any]:
    return {
        "request": str(swap.case),
        "rank": swap.rank,
        "first": swap.first,
        "second": swap.second,
        "first_score": number(swap.first_score),
        "second_score": number(swap.second_score),
        "allowed": swap.allowed,
    }


def _difference(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    text = found.case.raw.decode("utf-8", "backslashreplace")
    return {
        "kind": found.kind,
        "request": str(found.case),
        "raw": text if len(text) <= _SHOWN_REQUEST else f"{text[:_SHOWN_REQUEST]}… ({len(found.case.raw)} bytes)",
        "head": found.head,
        "candidate": found.candidate,
        "expected": found.expected,
        "actual": found.actual,
        "expected_bits": found.expected_bits,
        "actual_bits": found.actual_bits,
        "ulp": found.ulp,
        "absolute": None if found.absolute is None else number(found.absolute),
    }
