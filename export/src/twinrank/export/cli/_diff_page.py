"""The page of ``twinrank diff``: the document of ``diff_bundles`` for a person in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from twinrank.export.cli._page import cells, clean, facts, grid, heading, number, page_console, plural, size

Document = Mapping[str, Any]

_MOST = 12
_SHORT = 60
_DIGEST = 64


def show(document: Document, console: Console | None = None) -> None:
    """Prints the page."""
    out = console or page_console()
    for part in _page(document):
        out.print(part)


def _page(document: Document) -> Iterator[RenderableType]:
    for sign, side, style in (("-", document["left"], "red"), ("+", document["right"], "green")):
        facts_of = f"  {clean(side['name'])}, {size(side['listed_bytes'])}"
        yield Text.assemble((f"{sign} ", style), (clean(side["path"]), "bold"), facts_of)
        yield Text(f"  {side['digest']}", style="dim")
    if document["same"]:
        yield Text("SAME: every file has the same bytes", style="bold green")
        return
    yield from _verdict(document)
    yield from _schema(document["schema"])
    yield from _heads(document["heads"])
    yield from _vocabularies(document["vocabularies"])
    yield from _scores(document["scores"])
    yield from _weights(document["weights"])
    yield from _graph(document["graph"])
    yield from _metrics(document["metrics"])
    for title, name in (("Settings", "settings"), ("Evidence", "evidence"), ("Provenance", "provenance")):
        yield from _fields(title, document[name])


def _verdict(document: Document) -> Iterator[RenderableType]:
    changed = [name for name, differs in _parts(document) if differs]
    yield Text(f"DIFFERENT: {', '.join(changed) or 'files only'}", style="bold yellow")
    if document["compatible"]:
        yield Text("compatible: whoever may ask the first may ask the second the same way", style="green")
    for reason in document["breaks"]:
        yield Text.assemble(("breaks callers  ", "bold red"), clean(reason))


def _parts(document: Document) -> list[tuple[str, bool]]:
    schema, heads, weights = document["schema"], document["heads"], document["weights"]
    graph, scores = document["graph"], document["scores"]
    shifts = [] if "error" in scores else [scores["goldens_of_left"], scores["goldens_of_right"]]
    return [
        ("features", bool(schema["added"] or schema["removed"] or schema["changed"] or schema["reordered"])),
        ("heads", bool(heads["added"] or heads["removed"] or heads["changed"])),
        ("vocabularies", bool(document["vocabularies"])),
        ("weights", bool(weights["changed"] or weights["added"] or weights["removed"])),
        ("graph", bool(graph["operators"] or weights["constants"]["added"] or weights["constants"]["removed"])),
        ("scores", any(_moved(shift) for shift in shifts)),
        ("settings", bool(document["settings"])),
        ("evidence", bool(document["evidence"])),
        ("metrics", any(one["delta"] != 0 for one in document["metrics"])),
        ("provenance", bool(document["provenance"])),
    ]


def _moved(shift: Document) -> bool:
    refused = shift["refused"]
    return any(head["differing"] for head in shift["heads"].values()) or bool(refused["left"] or refused["right"])


def _schema(schema: Document) -> Iterator[RenderableType]:
    if not any(schema.values()):
        return
    yield heading("Features")
    yield from _added_and_removed(schema)
    if schema["reordered"]:
        yield Text("  ~ the features that both have stand in another order")
    if schema["changed"]:
        yield _changes([(f"{change['feature']}.{change['field']}", change) for change in schema["changed"]])


def _heads(heads: Document) -> Iterator[RenderableType]:
    if not any(heads.values()):
        return
    yield heading("Heads")
    yield from _added_and_removed(heads)
    if heads["changed"]:
        yield _changes([(f"{change['head']}.{change['field']}", change) for change in heads["changed"]])


def _added_and_removed(part: Document) -> Iterator[RenderableType]:
    for name in part["removed"]:
        yield Text(f"  - {clean(name)}", style="red")
    for name in part["added"]:
        yield Text(f"  + {clean(name)}", style="green")


def _changes(changes: list[tuple[str, Document]]) -> Table:
    table = grid("field", "left", "right", fold=("field", "left", "right"))
    for name, change in changes:
        left, right = Text(_short(change["left"]), style="red"), Text(_short(change["right"]), style="green")
        table.add_row(*cells(name, left, right))
    return table


def _short(value: object) -> str:
    if value is None:
        return "absent"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    if len(text) == _DIGEST and not text.strip("0123456789abcdef"):
        return f"{text[:12]}…"
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _vocabularies(found: list[Any]) -> Iterator[RenderableType]:
    if not found:
        return
    yield heading("Vocabularies", "as keys")
    table = grid(
        "features", "keys", "added", "removed", "for example", right=("added", "removed"), fold=("for example",)
    )
    for one in found:
        examples = [f"new {key}" for key in one["added_keys"][:1]] + [f"gone {key}" for key in one["removed_keys"][:1]]
        counts = (
            f"{number(one['left_keys'])} → {number(one['right_keys'])}",
            f"+{one['added']:,}",
            f"-{one['removed']:,}",
        )
        table.add_row(*cells(", ".join(one["features"]) or "?", *counts, ", ".join(examples)))
    yield table


def _scores(scores: Document) -> Iterator[RenderableType]:
    yield heading("Scores", "the goldens of each, scored by both")
    if "error" in scores:
        yield Text(f"  not compared: {clean(scores['error'])}", style="yellow")
        return
    columns = ("goldens of", "head", "values", "differing", "mean |Δ|", "max |Δ|")
    table = grid(*columns, right=columns[2:])
    for which in ("left", "right"):
        shift = scores[f"goldens_of_{which}"]
        for place, (name, head) in enumerate(shift["heads"].items()):
            sizes = ("-" if head[key] is None else f"{head[key]:.3g}" for key in ("mean_abs", "max_abs"))
            row = (which if place == 0 else "", name, number(head["values"]), number(head["differing"]), *sizes)
            table.add_row(*cells(*row))
    yield table
    for which in ("left", "right"):
        shift = scores[f"goldens_of_{which}"]
        order, refused = shift["order"], shift["refused"]
        text = f"  {which}: {order['same']} of {plural(order['slates'], 'slate')} ranked the same"
        if order["kendall_tau"] is not None:
            text += f", mean Kendall tau {order['kendall_tau']:.3f}"
        if order["top_10_overlap"] is not None:
            text += f", {order['top_10_overlap']:.0%} of the first 10 stay ({plural(order['longer_slates'], 'slate')})"
        yield Text(text)
        for side, words in (("left", "refused by the left only"), ("right", "refused by the right only")):
            if refused[side]:
                codes = ", ".join(f"{code} {count}" for code, count in refused[side].items())
                yield Text(f"    {words}: {sum(refused[side].values())} of {shift['requests']} ({codes})", style="red")
    unlike = sum(h["without_size"] for w in ("left", "right") for h in scores[f"goldens_of_{w}"]["heads"].values())
    if unlike:
        yield Text(
            f"    {plural(unlike, 'value')} NaN or infinite on one side only, left out of the means", style="yellow"
        )


def _weights(weights: Document) -> Iterator[RenderableType]:
    changed, added, removed = weights["changed"], weights["added"], weights["removed"]
    constants = weights["constants"]
    if not (changed or added or removed or constants["added"] or constants["removed"]):
        return
    note = f"{weights['same']} the same, {len(changed)} changed, {len(added)} new, {len(removed)} gone"
    yield heading("Weights", note)
    table = grid("", "initialiser", "dtype", "shape", "|Δ|/|w|", right=("|Δ|/|w|",), fold=("initialiser",))
    rows = [("~", one) for one in changed[:_MOST]]
    rows += [("-", one) for one in _largest(removed)] + [("+", one) for one in _largest(added)]
    for sign, one in rows:
        shape, dtype = str(one["shape"]), one["dtype"]
        if "was" in one:
            shape = f"{one['was']['shape']} → {one['shape']}"
            dtype = dtype if one["was"]["dtype"] == dtype else f"{one['was']['dtype']} → {dtype}"
        moved = one.get("relative_change")
        change = "" if sign != "~" or "was" in one else "no size" if moved is None else f"{moved:.2%}"
        style = {"~": "", "-": "red", "+": "green"}[sign]
        table.add_row(*cells(sign, one["name"], dtype, shape, change, style=style))
    if rows:
        yield table
    if constants["added"] or constants["removed"]:
        yield Text(f"  constants of the graph: {constants['added']} new, {constants['removed']} gone", style="dim")
    left_out = len(changed) + len(added) + len(removed) - len(rows)
    if left_out:
        yield Text(f"  and {left_out:,} more (--json has all)", style="dim")


def _largest(entries: list[Any]) -> list[Any]:
    def count(entry: Document) -> int:
        total = 1
        for dim in entry["shape"]:
            total *= dim
        return total

    return sorted(entries, key=lambda entry: (-count(entry), entry["name"]))[: _MOST // 2]


def _graph(graph: Document) -> Iterator[RenderableType]:
    if graph["operators"]:
        nodes = " → ".join(number(count) for count in graph["nodes"])
        yield heading("Graph", f"{nodes} nodes")
        changes = ", ".join(f"{name} {before} → {after}" for name, (before, after) in graph["operators"].items())
        yield facts([("operators", changes)])


def _metrics(metrics: list[Any]) -> Iterator[RenderableType]:
    changed = [one for one in metrics if one["delta"] != 0]
    if not changed:
        return
    yield heading("Metrics", f"{len(metrics) - len(changed)} of {len(metrics)} the same")
    table = grid("metric", "left", "right", "delta", right=("left", "right", "delta"), fold=("metric",))
    for one in changed:
        delta = "-" if one["delta"] is None else f"{one['delta']:+.4g}"
        table.add_row(*cells(one["metric"], *(_figure(one[side]) for side in ("left", "right")), delta))
    yield table


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _fields(title: str, changes: list[Any]) -> Iterator[RenderableType]:
    if not changes:
        return
    yield heading(title)
    yield _changes([(change["field"], change) for change in changes[:_MOST]])
    if len(changes) > _MOST:
        yield Text(f"  and {len(changes) - _MOST:,} more (--json has all)", style="dim")
