"""What the reports of all bundles come to: one table, one line, one page, one verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jinja2
import onnx

import twinrank.bridge

Verdict = Literal["equal", "differs", "unknown"]
EXIT: Mapping[Verdict, int] = {"equal": 0, "differs": 1, "unknown": 2}
MARKS: Mapping[Verdict, str] = {"equal": "✓", "differs": "✗", "unknown": "?"}
_SCORE = "score"
# The page wears what a bundle's own report wears.
_TEMPLATES = (Path(__file__).parent / "templates", Path(twinrank.bridge.__file__).parent / "templates")


@dataclass(frozen=True)
class RouteResult:
    """One route's part of one bundle's report.

    Attributes:
        name: the route's.
        level: ``bits``; ``trees`` of a library of trees, every bit too; or ``reference`` where a tolerance is allowed.
        verdict: `equal` only if it ran, compared scores and every refusal, and nothing differed.
        scores: values of the output ``score`` that were compared with the baseline's.
        differing_bits: over all outputs.
        refusals: refused requests of which code, feature and candidate were compared.
        invariant: candidates that were scored again in other slates.
        why: what is wrong, in a few words; empty where nothing is.
    """

    name: str
    level: str
    verdict: Verdict
    scores: int = 0
    differing_bits: int = 0
    refusals: int = 0
    invariant: int = 0
    why: str = ""


@dataclass(frozen=True)
class BundleResult:
    """One bundle's report, judged.

    Attributes:
        name: the bundle's.
        summary: what it is there for.
        verdict: the worst of its routes'.
        seconds: of making the requests and verifying.
        operators: how many different operators its graph holds.
        requests: how many were asked.
        routes: those that had to run, in the order of the table.
        why: what kept it from being verified at all; empty where it was.
        digest: the bundle's; empty where there is none.
    """

    name: str
    summary: str
    verdict: Verdict
    seconds: float
    operators: int = 0
    requests: int = 0
    routes: Sequence[RouteResult] = field(default_factory=tuple)
    why: str = ""
    digest: str = ""

    @property
    def scores(self) -> int:
        """Candidate scores that every one of its routes was compared in; a ranking service hides what k cuts."""
        return min((route.scores for route in self.routes), default=0)

    @property
    def comparisons(self) -> int:
        """Candidate scores compared, over all routes."""
        return sum(route.scores for route in self.routes)

    @property
    def refusals(self) -> int:
        """Refused requests compared, over all routes."""
        return sum(route.refusals for route in self.routes)


def judge(
    name: str,
    summary: str,
    report: Mapping[str, Any] | None,
    code: int,
    asked: Sequence[str],
    model: Path,
    seconds: float,
) -> BundleResult:
    """One bundle's result: never better than its report, its exit code and the routes that had to run.

    Args:
        name: the bundle's.
        summary: what it is there for.
        report: report.json; None if there is none.
        code: exit code of ``twinrank verify``.
        asked: the routes that have to be in the report.
        model: the graph.
        seconds: that it took.
    """
    if report is None:
        return BundleResult(name, summary, "unknown", seconds, why=f"no report; twinrank verify ended with {code}")
    told = {route["route"]: route for route in report["routes"]}
    routes = tuple(_route(route, told.get(route)) for route in asked)
    verdict = _worst([report["verdict"], *(route.verdict for route in routes), *_of_code(code)])
    return BundleResult(
        name,
        summary,
        verdict,
        seconds,
        _operators(model),
        report["requests"]["count"],
        routes,
        _why(report, code, verdict, routes),
        report["bundle"]["digest"],
    )


def _why(report: Mapping[str, Any], code: int, verdict: Verdict, routes: Sequence[RouteResult]) -> str:
    bad = [f"{route.name}: {route.why}" for route in routes if route.verdict != "equal"]
    if verdict != "equal" and not bad:
        bad = [f"twinrank verify says {report['verdict']} and ended with {code}"]
    return "; ".join(bad)


def _of_code(code: int) -> list[Verdict]:
    return [next((verdict for verdict, known in EXIT.items() if known == code), "unknown")]


def _route(name: str, told: Mapping[str, Any] | None) -> RouteResult:
    if told is None:
        return RouteResult(name, "bits", "unknown", why="is not in the report")
    outputs = {head["name"]: head for head in told["heads"]}
    scores = outputs.get(_SCORE, {}).get("rows", 0)
    bits = sum(head["differing_bits"] for head in outputs.values())
    errors, invariance = told["errors"], told["invariance"]
    verdict: Verdict = told["status"]
    why = "" if verdict == "equal" else _reason(told)
    if verdict == "equal":
        doubts = []
        if scores == 0:
            doubts.append("compared no score")
        if told["level"] != "reference" and bits:
            doubts.append(f"says equal with {bits} differing bits")
        if errors["agreed"] != errors["compared"]:
            doubts.append(f"agrees in {errors['agreed']} of {errors['compared']} refusals")
        if told["level"] != "reference" and (invariance is None or invariance["rows"] == 0):
            doubts.append("was not asked in other slates")
        elif invariance is not None and invariance["differing_bits"]:
            doubts.append("gives a candidate other bits in other slates")
        verdict, why = ("unknown", ", ".join(doubts)) if doubts else ("equal", "")
    again = 0 if invariance is None else invariance["rows"]
    return RouteResult(name, told["level"], verdict, scores, bits, errors["compared"], again, why)


def _reason(told: Mapping[str, Any]) -> str:
    if told["failure"] is not None:
        return f"{told['failure']['reason']}: {told['failure']['detail']}"
    first = told["first_difference"]
    if first is not None:
        head = f", head {first['head']}, candidate {first['candidate']}" if first["head"] else ""
        return f"{first['kind']} in {first['request']}{head}: {first['expected']} against {first['actual']}"
    return "differs" if told["status"] == "differs" else "compared nothing"


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    for verdict in ("differs", "unknown"):
        if verdict in verdicts:
            return verdict
    return "equal"


def _operators(model: Path) -> int:
    """Different operators of a graph, those of subgraphs too."""

    def walk(graph: onnx.GraphProto) -> set[tuple[str, str]]:
        found = {(node.domain, node.op_type) for node in graph.node}
        for node in graph.node:
            for attribute in node.attribute:
                for part in (attribute.g, *attribute.graphs):
                    found |= walk(part)
        return found

    return len(walk(onnx.load(model, load_external_data=False).graph))


@dataclass(frozen=True)
class Total:
    """Everything together.

    Attributes:
        verdict: the worst of the bundles', and `unknown` where fewer scores were compared than had to be.
        line: the one line that matters.
        scores: candidate scores that every route of their bundle was compared in.
        comparisons: over all routes.
        differing_bits: of the routes that are held to bits.
        seconds: in all.
    """

    verdict: Verdict
    line: str
    scores: int
    comparisons: int
    differing_bits: int
    seconds: float


def total(results: Sequence[BundleResult], bundles: int, least: int, seconds: float) -> Total:
    """The sum of all bundles.

    Args:
        results: of the bundles that were asked for.
        bundles: how many the suite has.
        least: scores below which nothing is proven.
        seconds: in all.
    """
    proven = [result for result in results if result.verdict == "equal"]
    scores = sum(result.scores for result in proven)
    comparisons = sum(result.comparisons for result in results)
    strict = [route for result in results for route in result.routes if route.level != "reference"]
    bits = sum(route.differing_bits for route in strict)
    # A route counts where it is proven for every bundle that has it.
    names = {route.name for result in results for route in result.routes}
    verdict = _worst([result.verdict for result in results] or ["unknown"])
    if verdict == "equal" and scores < least:
        verdict = "unknown"
    of = "" if len(results) == bundles else f" of the suite's {bundles}"
    line = f"parity: {scores:,} scores of {_many(len(proven), 'bundle')}{of} over {_many(len(names), 'route')}, "
    line += f"{_many(bits, 'differing bit')}"
    if verdict == "differs":
        line += f"; DIFFERS: {_names(results, 'differs')}"
    elif verdict == "unknown":
        without = _names(results, "unknown")
        line += f"; COULD NOT TELL: {without or f'fewer than {least:,} scores were compared'}"
    return Total(verdict, line, scores, comparisons, bits, seconds)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _names(results: Sequence[BundleResult], verdict: Verdict) -> str:
    return ", ".join(result.name for result in results if result.verdict == verdict)


def to_json(results: Sequence[BundleResult], whole: Total, size: str) -> dict[str, Any]:
    """The summary for programs."""
    return {
        "summary": 1,
        "size": size,
        "verdict": whole.verdict,
        "exit_code": EXIT[whole.verdict],
        "said": whole.line,
        "scores": whole.scores,
        "comparisons": whole.comparisons,
        "differing_bits": whole.differing_bits,
        "seconds": round(whole.seconds, 1),
        "bundles": [
            {
                "name": result.name,
                "summary": result.summary,
                "verdict": result.verdict,
                "why": result.why,
                "digest": result.digest,
                "operators": result.operators,
                "requests": result.requests,
                "scores": result.scores,
                "comparisons": result.comparisons,
                "refusals": result.refusals,
                "invariant": sum(route.invariant for route in result.routes),
                "seconds": round(result.seconds, 1),
                "routes": [vars(route) for route in result.routes],
                "report": f"reports/{result.name}/report.html" if result.digest else None,
            }
            for result in results
        ],
    }


def write(folder: Path, document: Mapping[str, Any], columns: Sequence[str]) -> tuple[Path, Path]:
    """Writes summary.json and index.html, each whole or not at all, and returns their paths."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = lambda value: f"{value:,}"
    page = environment.get_template("index.html.j2").render(summary=document, columns=columns, marks=MARKS)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "summary.json", folder / "index.html"
    texts = (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", page)
    for path, text in zip(paths, texts, strict=True):
        unfinished = path.with_name(f".{path.name}.tmp")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    return paths
