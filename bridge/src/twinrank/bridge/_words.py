"""The sentences about a parity run: the same in the terminal, on the page, in junit.xml and in report.json."""

from __future__ import annotations

from collections.abc import Iterable, Set
from shlex import quote

from twinrank.bridge._findings import Cause, Finding, Place, TapValue
from twinrank.bridge._outcomes import PairTally, RefusalTally
from twinrank.bridge._parity import Difference, RouteTally, Status
from twinrank.bridge._scorer import CompareLevel
from twinrank.bridge._verify import ParityRun

WORDS: dict[Status, str] = {"equal": "EQUAL", "differs": "DIFFERS", "unknown": "COULD NOT TELL"}

_KINDS = {"value": "values", "error": "errors", "packed": "packed tensors", "shape": "shapes"}
_SHOWN_REQUEST = 2_000

# What a command that shows one route's difference again says otherwise.
_REPLACED = frozenset({"--route", "--requests", "--max-requests", "--fuzz", "--seed", "--report"})
# Options that are refused where none of their routes is compared.
_TREES = {"lightgbm", "xgboost", "catboost"}
_ADDRESSES = {"--against": {"http"}, "--gateway": {"py4j"}, "--native": _TREES, "--schema": _TREES}


def verdict(run: ParityRun) -> str:
    """Return the one sentence that matters, with the level of every claim."""
    base = run.baseline_route
    names = {status: ", ".join(tally.route for tally in run.routes if tally.status == status) for status in WORDS}
    if run.verdict == "equal":
        return "; ".join(_equal(run))
    if run.verdict == "differs":
        wrong = ", ".join(f"{tally.route} ({what(tally)})" for tally in run.routes if tally.status == "differs")
        unproven = f"; no proof from {names['unknown']}" if names["unknown"] else ""
        # The baseline's own reader may be the one that refuses: then no route differs from anything, and all is wrong.
        return f"{wrong} from {base}{unproven}" if wrong else split(run)
    return f"{names['unknown']} gave no proof" if names["unknown"] else "no route was compared"


def _equal(run: ParityRun) -> Iterable[str]:
    at: dict[str, list[RouteTally]] = {}
    for tally in run.routes:
        at.setdefault(tally.level, []).append(tally)
    for level, tallies in at.items():
        routes, rows = ", ".join(tally.route for tally in tallies), sum(tally.rows for tally in tallies)
        match level:
            case "bits":
                yield f"0 differing bits between {run.baseline_route} and {routes} in {rows:,} rows (level bits)"
            case "trees":
                sides = f"{run.baseline_route} and {routes}"
                yield f"0 differing bits of raw scores between {sides} in {rows:,} rows (level trees)"
            case "reference":
                yield f"{routes} within the bundle's tolerance in {rows:,} rows (level reference)"
            case _:
                yield f"{routes} ranks as {run.baseline_route} does, {rows:,} rows (level {level})"


def what(tally: RouteTally) -> str:
    """Return in a word or two what differs on a route."""
    if tally.first is None:
        return "refuses the bundle" if tally.failure is not None else "differs"
    return _KINDS.get(tally.first.kind, tally.first.kind)


def first_difference(run: ParityRun, tally: RouteTally) -> str:
    """Return the first difference of a route in one line."""
    first = tally.first
    if first is None:
        return "no difference"
    where = f"{first.case}" + (f", head {first.head}, candidate {first.candidate}" if first.head is not None else "")
    sides = f"{run.baseline_route} {first.expected}, {tally.route} {first.actual}"
    if first.expected_bits is not None:
        apart = "" if first.ulp is None else f", {ulps(first.ulp)} ULP"
        sides += f" ({first.expected_bits} / {first.actual_bits}{apart})"
    return f"first difference ({first.kind}) in {where}: {sides}"


def cause(one: Cause) -> str:
    """Return a cause with how sure it is: `rounds thresholds to float32 (proven)`."""
    if one.code == "unknown":
        return one.said
    return f"{one.said.rstrip('.')} ({'proven' if one.proven else 'suspected'})"


def place(one: Place) -> str:
    """Return where in the graph a difference begins, in one line."""
    unlike = [value.name for value in one.inputs if not value.equal]
    # What flows in from the graph agrees, else an earlier node would be named; the node's own constants may not.
    told = f"{', '.join(unlike)} not the same, nor its output" if unlike else "its inputs agree, its output does not"
    return f"node {one.position + 1:,} of {one.nodes:,}, {one.op} {one.node!r}: {told}: {tap(one.output)}"


def tap(one: TapValue) -> str:
    """Return a value of the graph with both sides' bits at the element that tells."""
    at = f"{one.name}[{', '.join(str(axis) for axis in one.at)}]" if one.at else one.name
    if one.equal:
        return f"{at} = {one.expected}, equal on both sides"
    return f"{at} = {one.expected} against {one.actual}"


def split(run: ParityRun) -> str:
    """Return the line about readers that disagree on whether the bundle serves; empty where they do not."""
    if run.split is None:
        return ""
    return f"{', '.join(run.split.serves)} would serve this bundle, {', '.join(run.split.refuses)} would not"


def refusals(tally: RouteTally) -> tuple[str, str]:
    """Return what was refused alike and what was not, by code; empty texts where nothing was."""
    alike = [
        f"{one.expected} {one.agreed:,}" for one in sorted_refusals(tally) if one.expected == one.actual and one.agreed
    ]
    other = [_unlike(one, tally.route) for one in sorted_refusals(tally) if one.agreed < one.count]
    return ", ".join(alike), "; ".join(other)


def sorted_refusals(tally: RouteTally) -> list[RefusalTally]:
    """Return a route's refusals, disagreements first, then by count."""
    return sorted(
        tally.refusals, key=lambda one: (one.agreed == one.count, -one.count, one.expected or "", one.actual or "")
    )


def _unlike(one: RefusalTally, route: str) -> str:
    left = one.count - one.agreed
    times = f"{left:,} {'request' if left == 1 else 'requests'}"
    if one.expected == one.actual:
        return f"{times} {one.expected} with another feature or candidate on {route}"
    return f"{times} {one.expected or 'scored'} but {one.actual or 'scored'} on {route}"


def pair_level(run: ParityRun, pair: PairTally) -> CompareLevel:
    """Return what two routes are held to towards each other: no more than the weaker of them is held to."""
    levels: tuple[CompareLevel, ...] = ("bits", "trees", "reference", "order")
    held = [tally.level for tally in run.routes if tally.route in (pair.one, pair.other)]
    return max(held, key=levels.index, default="bits")


def pair_differs(run: ParityRun, pair: PairTally) -> bool:
    """Return whether two routes that owe each other every bit differ."""
    return pair_level(run, pair) == "bits" and bool(pair.differing_bits or pair.disagreed)


def command(run: ParityRun, tally: RouteTally) -> str:
    """Return what to type to see a route's difference again; empty where nothing is known to type.

    It is the command that was run, for this route and the one request that shows the difference.
    """
    if tally.finding is not None and tally.finding.command:
        return tally.finding.command
    if tally.first is None or not _fits_a_line(_shown_raw(tally)):
        return ""
    made = run.made
    ran = list(made.command) if made is not None else []
    others = {option for option, routes in _ADDRESSES.items() if not routes & {tally.route, run.baseline_route}}
    again = ["twinrank", "verify", str(run.bundle.path)]
    if ran[1:2] == ["verify"]:
        again = _without(ran, _REPLACED | others)
    again += ["--route", tally.route]
    if made is None or made.baseline_kind != "goldens":
        again += ["--requests", f"{made.report if made is not None else 'report'}/{difference_file(tally.route)}"]
    return " ".join(quote(word) for word in again)


def _without(ran: list[str], options: Set[str]) -> list[str]:
    """Return a command's words but those options and their values."""
    kept, skip = [], False
    for word in ran:
        if skip:
            skip = False
        elif word.partition("=")[0] in options:
            skip = "=" not in word
        else:
            kept.append(word)
    return kept


def _fits_a_line(raw: bytes) -> bool:
    """Return whether a file of requests can hold the request: one a line, and nothing that looks like damage."""
    return not (b"\n" in raw or b"\0" in raw or raw.startswith(b"\xef\xbb\xbf") or not raw.strip(b" \t\r"))


def _shown_raw(tally: RouteTally) -> bytes:
    if tally.finding is not None and tally.finding.shrunk is not None:
        return tally.finding.shrunk.raw
    return b"" if tally.first is None else tally.first.case.raw


def difference_request(tally: RouteTally) -> bytes | None:
    """Return the content of a route's `difference-<route>.json`; None where the route has no difference to show.

    It is a file of requests: one line, ended, unless the request itself has line feeds.
    """
    if tally.first is None and (tally.finding is None or tally.finding.shrunk is None):
        return None
    raw = _shown_raw(tally)
    return raw if b"\n" in raw else raw + b"\n"


def difference_file(route: str) -> str:
    """Return the name of the file in the report folder that holds the request on which a route differs."""
    return f"difference-{route}.json"


def best(finding: Finding) -> Cause:
    """Return the cause that a reader sees first."""
    return finding.causes[0]


def request_text(raw: bytes, limit: int = _SHOWN_REQUEST) -> str:
    """Return a request's text for people, cut; bytes that are no UTF-8 as escapes. The cost depends on `limit` only."""
    # A character has at most four bytes; what the cut leaves of the last one is no error of the request's.
    text = raw[: 4 * limit + 4].decode("utf-8", "backslashreplace")
    return text if len(raw) <= 4 * limit and len(text) <= limit else f"{text[:limit]}… ({len(raw):,} bytes)"


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, with its length where some are missing."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def bits_of(found: Difference) -> tuple[str, str] | None:
    """Return both sides' bits as hex digits, where a difference has them."""
    if found.expected_bits is None or found.actual_bits is None:
        return None
    return found.expected_bits, found.actual_bits


def orders(tally: RouteTally) -> str:
    """Return equal orders of compared ones."""
    return f"{tally.orders_equal:,}/{tally.orders:,}"


def ulps(value: int) -> str:
    """Return a distance in ULPs; a NaN against a number has none."""
    return "NaN" if value == 2**64 - 1 else f"{value:,}" if value < 10**7 else f"{value:.0e}"
