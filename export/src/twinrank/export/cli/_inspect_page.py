"""The page of ``twinrank inspect``: the document of ``describe_bundle`` for a person in a terminal."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from twinrank.export.cli._page import cells, clean, facts, grid, heading, number, page_console, plural, size, sparkline
from twinrank.export.cli._quantise import quantisation_rows

Document = Mapping[str, Any]

_PHASES = ("layout", "manifest", "digests", "signature", "graph", "session", "goldens")
_CELLS = 12
_MOST = 20
_ROOMY = 110
# Parameters that do nothing: no numbers, and a clip to what float32 holds anyway.
_FLOAT32_MAX = float.fromhex("0x1.fffffep+127")
_NOTHING: tuple[object, ...] = ([], [-_FLOAT32_MAX, _FLOAT32_MAX])


def show(document: Document, console: Console | None = None) -> None:
    """Prints the page."""
    out = console or page_console()
    for part in _page(document, out.width):
        out.print(part)


def _page(document: Document, width: int) -> Iterator[RenderableType]:
    yield from _identity(document)
    if document["bundle"] is None:
        return
    yield from _features(document, width)
    yield from _heads(document)
    yield from _evidence(document)
    yield from _graph(document)
    yield from _distributions(document, width)
    yield from _origin(document)


def _identity(document: Document) -> Iterator[RenderableType]:
    bundle = document["bundle"]
    title = document["path"] if bundle is None else f"{bundle['name']}/{bundle['version']}"
    verdict = _verdict(document)
    yield Text.assemble((clean(title), "bold"), "  ", verdict)
    for problem in document["problems"][:_MOST]:
        yield Text.assemble(
            ("  ✗ ", "bold red"), (problem["code"], "red"), f"  {clean(problem['path'])}: {clean(problem['detail'])}"
        )
    if len(document["problems"]) > _MOST:
        yield Text(f"    and {len(document['problems']) - _MOST:,} more (--json has all)", style="dim")
    yield Text("  ").append(_phases(document))
    rows: list[tuple[str, str | Text]] = []
    if bundle is not None:
        yield Text(f"  {bundle['digest']}", style="dim")
        evidence, runtime, graph = document["evidence"], document["runtime"], document["graph"]
        parts = ""
        if graph is not None:
            data = f", weights {size(graph['data_bytes'])}" if graph["data_bytes"] else ""
            parts = f"; graph {size(graph['model_bytes'])}{data}"
        rows.append(("size", f"{size(bundle['listed_bytes'])} in {plural(bundle['files'], 'file')}{parts}"))
        rows.append(
            ("format", f"{bundle['format']}; at most {plural(bundle['max_candidates'], 'candidate')} a request")
        )
        opsets = ", ".join(f"{name or 'ai.onnx'} {version}" for name, version in sorted(runtime["opsets"].items()))
        rows.append(("runtime", f"onnxruntime {runtime['release']}, IR {runtime['ir_version']}, {opsets}"))
        same = evidence["host_class"] == evidence["this_host_class"]
        here = "this host's" if same else f"not this host's ({evidence['this_host_class'][:8]})"
        rows.append(("host class", Text(f"{evidence['host_class'][:8]}, {here}", style="" if same else "yellow")))
        rows.append(("goldens", f"{bundle['goldens']}, {bundle['scored_goldens']} of them with scores"))
    rows.append(("signature", _signature(document["signature"])))
    for one in document["attestations"]:
        rows.append(("attestation", _attestation(one, document)))
    if document["installation"] is not None:
        record = document["installation"]
        text = "recorded, and nothing has changed since" if record["holds"] else f"a record that {record['detail']}"
        rows.append(("installation", Text(clean(text), style="" if record["holds"] else "yellow")))
    yield facts(rows)


def _verdict(document: Document) -> Text:
    if document["problems"]:
        return Text(f"BAD: {plural(len(document['problems']), 'problem')}", style="bold red")
    if document["verification"] is None:
        return Text("intact; the model was not run (--verify replays its goldens)", style="green")
    state = document["verification"]
    return Text(state["state"] + (", by attestation" if state["attested"] else ""), style="bold green")


def _phases(document: Document) -> Text:
    text = Text()
    for phase in _PHASES:
        if phase in document["passed"]:
            text.append(f"✓ {phase} ", style="green")
        elif phase == document["failed"]:
            text.append(f"✗ {phase} ", style="bold red")
        else:
            text.append(f"- {phase} ", style="dim")
    return text


def _signature(state: Document) -> Text:
    if not state["present"]:
        missing = state["state"] == "missing"
        return Text("none, and a key was given" if missing else "none", style="red" if missing else "")
    if state["state"] == "unchecked":
        return Text("model.sig is there, not checked (--public-key KEY checks it)", style="yellow")
    if state["state"] == "valid":
        return Text("valid under the given key", style="green")
    return Text(f"{state['state']}: {clean(state['detail'])}", style="red")


def _attestation(one: Document, document: Document) -> Text:
    host = clean(one["host_class"][:8])
    if not one["of_this_bundle"]:
        return Text(f"{host}, {'of another bundle' if one['readable'] else 'cannot be read'}", style="yellow")
    here = ", this host's" if one["host_class"] == document["evidence"]["this_host_class"] else ""
    return Text(f"{host}{here}, {'signed' if one['signed'] else 'not signed'}, onnxruntime {clean(one['runtime'])}")


def _features(document: Document, width: int) -> Iterator[RenderableType]:
    transforms = document["transforms"]
    # Where there is no room, the table of transforms tells who reads what.
    readers = ["read by"] if width >= _ROOMY or transforms is None else []
    for placement, often in (("context", "once a request"), ("candidate", "once an item")):
        chosen = [one for one in document["schema"] if one["placement"] == placement]
        if not chosen:
            continue
        yield heading(f"{placement.capitalize()} features", f"{len(chosen)}, {often}")
        table = grid("name", "dtype", "shape", "missing", "invalid", "unseen", *readers, fold=("shape", "read by"))
        for one in chosen:
            key = _is_key(one, document)
            unseen = _policy(one["unseen"]) if "unseen" in one else "own row" if key else "-"
            policies = (_policy(one["missing"]), _policy(one["invalid"]), unseen)
            read_by = [_readers(one["name"], document)] if readers else []
            table.add_row(*cells(one["name"], one["dtype"], _form(one), *policies, *read_by))
        yield table
    if transforms is None:
        yield Text("  the provenance names no transforms; lookups are those of the graph", style="dim")
        return
    yield heading("Transforms", f"{len(transforms)}, as the exporter noted them")
    listing = grid("tensor", "kind", "reads", "rows", "parameters", right=("rows",), fold=("reads", "parameters"))
    for one in transforms:
        rows = "number" if one["rows"] is None else number(one["rows"])
        reads = ", ".join(one["features"])
        listing.add_row(*cells(one["name"], one["kind"], reads, rows, _parameters(one)))
    yield listing


def _is_key(feature: Document, document: Document) -> bool:
    """Whether a vocabulary reads the feature, as far as anybody can tell."""
    graph = document["graph"]
    return feature["dtype"] == "string" or any(
        feature["name"] in lookup["features"] for lookup in (graph or {}).get("lookups", ())
    )


def _form(feature: Document) -> str:
    parts = []
    if "list" in feature:
        parts.append(f"{feature['list']['keep']} {feature['list']['max_length']}")
    if "vector" in feature:
        parts.append(f"vector of {feature['vector']['length']}")
    if "group" in feature:
        parts.append(f"group {feature['group']}")
    if feature.get("nonfinite"):
        parts.append("NaN is legal")
    return ", ".join(parts)


def _policy(policy: Document) -> str:
    if policy["policy"] != "default":
        return str(policy["policy"]).replace("_", " ")
    value = policy["value"]
    text = f"[{plural(len(value), 'value')}]" if isinstance(value, list) and value else repr(value)
    return f"= {text}"


def _readers(name: str, document: Document) -> str:
    transforms = document["transforms"]
    if transforms is not None:
        return ", ".join(one["name"] for one in transforms if name in one["features"])
    lookups = (document["graph"] or {}).get("lookups", ())
    return ", ".join(f"lookup of {one['keys']:,} keys" for one in lookups if name in one["features"])


def _parameters(transform: Document) -> str:
    parts = []
    vocabulary = transform.get("vocabulary")
    if vocabulary is not None:
        parts.append(f"{vocabulary['name']}, {plural(vocabulary['entries'], 'entry', 'entries')}")
    for name, value in sorted(transform["parameters"].items()):
        if value in _NOTHING:
            continue
        if isinstance(value, list):
            shown = ", ".join(_plain(item) for item in (value if len(value) <= 6 else [*value[:3], "…", *value[-2:]]))
            parts.append(f"{name} {shown}" + (f" ({len(value)})" if len(value) > 6 else ""))
        else:
            parts.append(f"{name} {_plain(value)}")
    return "; ".join(parts)


def _plain(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


_REFERENCES = {"torch": "the torch module", "onnx": "the ONNX graph it was made from"}


def _heads(document: Document) -> Iterator[RenderableType]:
    reference = document["evidence"]["reference"]
    source = _REFERENCES.get(reference["source"], f"{reference['source']} itself")
    yield heading("Heads", f"compared with {source} on {plural(reference['rows'], 'candidate')}")
    table = grid("head", "dtype", "max abs", "max ULP", "tolerance a", right=("max abs", "max ULP", "tolerance a"))
    for head in document["heads"]:
        style = "bold" if head["output"] == "score" else ""
        row = (head["name"], head["dtype"], f"{head['max_abs']:.2g}", number(head["max_ulp"]), f"{head['a']:.2g}")
        table.add_row(*cells(*row, style=style))
    yield table


def _evidence(document: Document) -> Iterator[RenderableType]:
    evidence = document["evidence"]
    invariance = evidence["invariance"]
    yield heading("Evidence")
    sizes = ", ".join(f"{n:,}" for n in invariance["sizes"])
    differing = invariance["differing_values"]
    text = f"{differing:,} of {invariance['compared']:,} values differ when a candidate changes slates, n = {sizes}"
    rows: list[tuple[str, str | Text]] = [("invariance", Text(text, style="bold yellow" if differing else ""))]
    if not evidence["allowed"]:
        rows.append(("allowed", "nothing: every check passed"))
    for entry in evidence["allowed"]:
        rows.append(
            (
                "allowed",
                Text.assemble(
                    (f"! {clean(entry['finding'])}", "bold yellow"),
                    (f"  because: {clean(entry['reason'])}", "yellow"),
                    (f"\n{clean(entry['detail'])}", "dim"),
                ),
            )
        )
    yield facts(rows)


def _graph(document: Document) -> Iterator[RenderableType]:
    graph = document["graph"]
    if graph is None:
        return
    yield heading("Graph", f"{plural(graph['nodes'], 'node')}, {plural(graph['values'], 'value')} in initialisers")
    operators = graph["operators"]
    most = list(itertools.islice(operators.items(), 12))
    rest = sum(operators.values()) - sum(count for _, count in most)
    text = ", ".join(f"{name.rsplit(':')[-1]} {count}" for name, count in most) + (f", others {rest}" if rest else "")
    dtypes = ", ".join(f"{name} {count:,}" for name, count in graph["values_by_dtype"].items())
    where = f"{size(graph['initialiser_bytes'])} inside"
    if graph["external_bytes"]:
        where += f", {size(graph['external_bytes'])} in model.onnx.data"
    lookups = "; ".join(f"{', '.join(one['features']) or one['node']} {one['keys']:,} keys" for one in graph["lookups"])
    yield facts([("operators", text), ("weights", f"{dtypes}; {where}"), ("lookups", lookups or "none")])


def _distributions(document: Document, width: int) -> Iterator[RenderableType]:
    found = document["histograms"]
    if found is None:
        return
    if "error" in found:
        yield heading("Data")
        yield Text(f"  {clean(found['error'])}", style="red")
        return
    note = f"{plural(found['contexts'], 'request')}, {plural(found['candidates'], 'candidate')}"
    yield heading("Data that the export saw", note)
    dtypes = {one["name"]: one["dtype"] for one in document["schema"]}
    columns = ["feature", "present", "missing", "invalid", "shape", "keys, or deciles 1 … 5 … 9"]
    if width < _ROOMY:
        columns[2:4] = ["absent"]
    table = grid(*columns, right=("present", "missing", "invalid", "absent"), fold=("feature", columns[-1]))
    for name, entry in found["features"].items():
        absent = [number(entry["missing"]), number(entry["invalid"])]
        counts = absent if width >= _ROOMY else [number(entry["missing"] + entry["invalid"])]
        table.add_row(*cells(name, number(entry["count"]), *counts, *_shape(entry, dtypes.get(name, ""))))
    yield table


def _shape(entry: Document, dtype: str) -> tuple[str, str]:
    if entry["kind"] == "categorical":
        total = sum(count for _, count in entry["top"]) + entry["other"]
        line = sparkline([count for _, count in entry["top"][:_CELLS]])
        share = f", the first {_share(entry['top'][0][1] / total)}" if total else ""
        what = f"{plural(entry['distinct'], 'key')}{share}"
    else:
        edges = entry["edges"]
        line = _density(entry)
        what = _deciles(edges, dtype) + (f", {entry['nan']:,} NaN" if entry["nan"] else "")
    if "lengths" in entry:
        lengths = entry["lengths"]["edges"]
        what += f"; lengths {_deciles(lengths, 'int64')}"
    return line, what


def _share(part: float) -> str:
    return f"{part:.0%}" if part >= 0.01 else "<1%"


def _deciles(edges: list[Any], dtype: str) -> str:
    if not edges:
        return "no value"
    shown = [_value(edge, dtype) for edge in (edges[0], edges[len(edges) // 2], edges[-1])]
    return f"all {shown[0]}" if len(edges) == 1 else f"{shown[0]} … {shown[1]} … {shown[2]}"


def _value(value: float, dtype: str) -> str:
    if dtype == "timestamp":
        try:
            return datetime.datetime.fromtimestamp(value / 1000, datetime.UTC).strftime("%Y-%m-%d")
        except (OverflowError, ValueError, OSError):
            return str(value)
    return number(value)


def _density(entry: Document) -> str:
    """The inner bins over cells of equal width between the first and the last edge; the bare counts would be flat."""
    edges, counts = entry["edges"], entry["counts"]
    if len(edges) < 2:
        return sparkline([0.0] * (_CELLS // 2) + [1.0] + [0.0] * (_CELLS // 2 - 1))
    low, span = edges[0], edges[-1] - edges[0]
    heights = []
    for cell in range(_CELLS):
        left, right = low + span * cell / _CELLS, low + span * (cell + 1) / _CELLS
        mass = 0.0
        for (start, end), count in zip(itertools.pairwise(edges), counts[1:-1], strict=True):
            overlap = min(end, right) - max(start, left)
            if overlap > 0:
                mass += count * overlap / (end - start)
        heights.append(mass)
    return sparkline(heights)


def _origin(document: Document) -> Iterator[RenderableType]:
    provenance = document["provenance"]
    yield heading("Origin")
    rows: list[tuple[str, str | Text]] = []
    for name in ("seed", "data", "versions"):
        if name in provenance:
            rows.append((name, "; ".join(f"{key} {value}" for key, value in _leaves(provenance[name])) or "-"))
    export = provenance.get("export")
    if isinstance(export, dict):
        said = {name: value for name, value in export.items() if name not in ("transforms", "source")}
        rows.append(("export", "; ".join(f"{key} {value}" for key, value in _leaves(said)) or "-"))
    rows += quantisation_rows(provenance)
    metrics = provenance.get("metrics")
    tables = {} if not isinstance(metrics, dict) else {k: v for k, v in metrics.items() if _is_table(v)}
    if isinstance(metrics, dict):
        others = {name: value for name, value in metrics.items() if name not in tables}
        # Words and lists of a protocol are for --json; a page has room for figures.
        text = "; ".join(f"{key} {value}" for key, value in _leaves(_figures(others)))
        if text:
            rows.append(("metrics", text))
    yield facts(rows)
    for name, rows_of in tables.items():
        columns = list(dict.fromkeys(itertools.chain.from_iterable(rows_of.values())))
        table = grid(clean(name), *map(clean, columns), right=[clean(column) for column in columns])
        for label, values in rows_of.items():
            table.add_row(*cells(label, *(_metric(values.get(column)) for column in columns)))
        yield Text()
        yield table


def _is_table(value: object) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(row, dict) and row and all(_is_number(v) for v in row.values()) for row in value.values())
    )


def _figures(value: dict[str, Any]) -> dict[str, Any]:
    kept = {name: _figures(item) if isinstance(item, dict) else item for name, item in value.items()}
    return {name: item for name, item in kept.items() if item and (isinstance(item, dict) or _is_number(item))}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _metric(value: Any) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _leaves(value: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    """The scalars of a free-form document in one line; long digests are cut, lists only counted."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(value, list):
        yield prefix, plural(len(value), "entry", "entries")
    else:
        text = _plain(value)
        yield prefix, f"{text[:12]}…" if len(text) == 64 and not text.strip("0123456789abcdef") else text
