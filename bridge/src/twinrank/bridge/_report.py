"""The parity report as a JSON object; README.md documents every field, and the HTML page shows the same object."""

from __future__ import annotations

import math
from typing import Any

from twinrank.bridge import _words as words
from twinrank.bridge._findings import Cause, Finding, Place, TapValue
from twinrank.bridge._outcomes import InvarianceTally, PairTally, RefusalTally, RunFacts
from twinrank.bridge._parity import ULP_EDGES, Difference, HeadTally, RouteTally, Swap
from twinrank.bridge._scorer import Facts
from twinrank.bridge._verify import ParityRun

REPORT_VERSION = 2

# What another process says has no bound of its own.
_KEPT_TEXT = 20_000


def to_json(run: ParityRun) -> dict[str, Any]:
    """Return the report, valid under report.schema.json; numbers that JSON has no word for are the contract's strings.

    Lone surrogates of foreign text are escaped, so that the object can be written as UTF-8.
    """
    return {
        "report": REPORT_VERSION,
        "verdict": run.verdict,
        "exit_code": run.exit_code,
        "said": words.verdict(run),
        "run": None if run.made is None else _made(run.made),
        "bundle": {
            "name": run.bundle.name,
            "version": run.bundle.version,
            "digest": run.bundle.digest or None,
            "host_class": run.bundle.host_class or None,
            "allowed_findings": [finding.to_json() for finding in run.bundle.findings],
            "outputs": [
                {"name": name, "dtype": dtype, "a": run.bundle.allowed[name]}
                for name, dtype in run.bundle.heads.items()
            ],
        },
        "requests": {
            "count": sum(run.requests.values()),
            "by_source": dict(run.requests),
        },
        "baseline": {
            "route": run.baseline_route,
            "rows": run.baseline_rows,
            "seconds": round(run.baseline_seconds, 3),
            "facts": _facts(run.baseline),
        },
        "split": None if run.split is None else {"serves": list(run.split.serves), "refuses": dict(run.split.refuses)},
        "routes": [_route(run, tally) for tally in run.routes],
        "pairs": [_pair(run, pair) for pair in run.pairs],
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


def _made(made: RunFacts) -> dict[str, Any]:
    return {
        "started": made.started.isoformat(timespec="milliseconds"),
        "ended": made.ended.isoformat(timespec="milliseconds"),
        "command": list(made.command),
        "require": made.require,
        "baseline": made.baseline_kind,
        "fuzz": made.fuzz,
        "seed": made.seed,
        "host": dict(made.host),
    }


def _route(run: ParityRun, tally: RouteTally) -> dict[str, Any]:
    failure = tally.failure
    return {
        "route": tally.route,
        "summary": tally.summary,
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
        "refusals": [_refusal(one) for one in words.sorted_refusals(tally)],
        "unasked": [{"reason": reason, "requests": count} for reason, count in tally.unasked.most_common()],
        "packed": {"compared": tally.packed, "equal": tally.packed_equal},
        "invariance": None if tally.invariance is None else _invariance(tally.invariance),
        "first_difference": _difference(tally.first),
        "largest_difference": _difference(tally.worst),
        "finding": None if tally.finding is None else _finding(tally.finding),
        "command": words.command(run, tally),
        "failure": None
        if failure is None
        else {
            "reason": failure.reason,
            "detail": words.cut(failure.detail, _KEPT_TEXT),
            "stderr": failure.evidence[-_KEPT_TEXT:],
        },
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
        "unjudged": head.unjudged,
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
    return {
        "kind": found.kind,
        "request": str(found.case),
        "raw": words.request_text(found.case.raw),
        "bytes": len(found.case.raw),
        "head": found.head,
        "candidate": found.candidate,
        "expected": found.expected,
        "actual": found.actual,
        "expected_bits": found.expected_bits,
        "actual_bits": found.actual_bits,
        "ulp": found.ulp,
        "absolute": None if found.absolute is None else number(found.absolute),
    }


def _refusal(one: RefusalTally) -> dict[str, Any]:
    return {"expected": one.expected, "actual": one.actual, "count": one.count, "agreed": one.agreed}


def _invariance(one: InvarianceTally) -> dict[str, Any]:
    return {
        "requests": one.requests,
        "rows": one.rows,
        "differing_rows": one.differing_rows,
        "differing_bits": one.differing_bits,
        "first": one.first,
    }


def _pair(run: ParityRun, pair: PairTally) -> dict[str, Any]:
    return {
        "one": pair.one,
        "other": pair.other,
        "level": words.pair_level(run, pair),
        "rows": pair.rows,
        "differing_rows": pair.differing_rows,
        "differing_bits": pair.differing_bits,
        "requests": pair.requests,
        "disagreed": pair.disagreed,
    }


def _finding(found: Finding) -> dict[str, Any]:
    shrunk = found.shrunk
    return {
        "causes": [_cause(one) for one in found.causes],
        "place": None if found.place is None else _place(found.place),
        "shrunk": None
        if shrunk is None
        else {
            "raw": words.request_text(shrunk.raw),
            "bytes": len(shrunk.raw),
            "before": shrunk.before,
            "tried": shrunk.tried,
            "complete": shrunk.complete,
        },
        "notes": list(found.notes),
        "files": sorted({*(found.files or {}), *([] if shrunk is None else [words.difference_file(found.route)])}),
    }


def _cause(one: Cause) -> dict[str, Any]:
    return {
        "code": one.code,
        "said": one.said,
        "proven": one.proven,
        "evidence": list(one.evidence),
        "remedy": one.remedy,
    }


def _place(one: Place) -> dict[str, Any]:
    return {
        "node": one.node,
        "op": one.op,
        "position": one.position,
        "nodes": one.nodes,
        "inputs": [_tap(value) for value in one.inputs],
        "output": _tap(one.output),
        "runs": one.runs,
        "note": one.note,
    }


def _tap(one: TapValue) -> dict[str, Any]:
    return {
        "name": one.name,
        "dtype": one.dtype,
        "shape": list(one.shape),
        "equal": one.equal,
        "expected": one.expected,
        "actual": one.actual,
        "at": list(one.at),
        "max_ulp": one.max_ulp,
        "differing": one.differing,
    }
