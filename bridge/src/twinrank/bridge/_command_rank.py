"""`twinrank rank`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from twinrank.bridge._console import console
from twinrank.bridge._errors import UserError
from twinrank.bridge._signature import signature_options, signature_policy
from twinrank.bridge._text import printable
from twinrank.export.bundle import Bundle, Scores, SignatureMode, open_bundle
from twinrank.training.schema import candidate_rows

_LARGE = 1e6


@click.command(
    epilog="""\b
Examples:
  twinrank rank build/models/ml100k/1 --request request.json
  twinrank rank build/models/ml100k/1 --request request.json --titles items.json --top 10
  head -1 build/runs/ml100k/requests.jsonl | twinrank rank build/models/ml100k/1 --request - --json"""
)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--request", type=click.File("rb"), required=True, help="The raw request, a JSON object; - reads stdin.")
@click.option(
    "--titles",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON object from an item's id to its title.",
)
@click.option("--item", default="item_id", show_default=True, help="The candidate feature that holds the item's id.")
@click.option("--top", type=click.IntRange(min=1), help="Show this many of the ranking; the request's k still cuts it.")
@click.option("--require", type=click.Choice(["bits", "reference"]), default="bits", show_default=True)
@signature_options
@click.option("--json", "as_json", is_flag=True, help="Print the contract's response instead of a table.")
def rank(
    bundle: Path,
    request: Any,
    titles: Path | None,
    item: str,
    top: int | None,
    require: Any,
    public_key: tuple[Path, ...],
    signature: SignatureMode | None,
    as_json: bool,
) -> None:
    """Rank one request with BUNDLE in Python, and print the slate.

    The bundle replays its goldens first, as in every reader: what cannot prove itself does not rank.
    """
    raw: bytes = request.read().rstrip(b"\r\n")
    names = _read_titles(titles)
    opened = open_bundle(bundle, require=require, signature=signature_policy(public_key, signature))
    if opened.signature in ("missing", "invalid"):
        click.echo(printable(f"warning: signature {opened.signature} {opened.signature_detail}".rstrip()), err=True)
    for finding in opened.manifest.allowed:
        told = f"{finding.finding}: {finding.detail} (reason: {finding.reason})"
        click.echo(printable(f"warning: allowed in the bundle: {told}"), err=True)
    scores = opened.score(raw)
    if as_json:
        click.echo(json.dumps(response(opened, scores), ensure_ascii=False, allow_nan=False))
        return
    out = console()
    ids = [candidate.get(item) for candidate in candidate_rows(json.loads(raw)["candidates"])]
    shown = [int(index) for index in scores.order[:top]]
    labels = [f"candidate {index}" if value is None else str(value) for index, value in enumerate(ids)]
    out.print(slate(scores, shown, labels, names), soft_wrap=True)
    if ids and all(value is None for value in ids):
        out.print(Text(printable(_hint(opened, item)), style="dim"), soft_wrap=True)
    dropped = f", {len(scores.dropped)} dropped (score is NaN)" if len(scores.dropped) else ""
    out.print(
        Text(
            f"{len(shown)} of {scores.n} candidates{dropped}; {opened.name}/{opened.version} {opened.verification}",
            style="dim",
        )
    )


def _hint(bundle: Bundle, item: str) -> str:
    """Return what to do where no candidate has the feature that would name it."""
    features = (feature for feature in bundle.manifest.schema.features if feature.placement == "candidate")
    keys = [
        one.name for one in features if one.dtype in ("string", "int64") and one.list is None and one.vector is None
    ]
    offered = f"; --item NAME shows {' or '.join(keys)}" if keys else ""
    return f"no candidate has {item}, so its place in the request is shown{offered}"


def response(bundle: Bundle, scores: Scores) -> dict[str, Any]:
    """Return the response of the contract, section 7: the same object as the Java server's."""

    def heads(index: int) -> dict[str, float | str]:
        return {name: _number(values[index]) for name, values in scores.heads.items()}

    return {
        "model": bundle.name,
        "version": bundle.version,
        "bundle": bundle.digest,
        "verification": bundle.verification,
        "candidates": scores.n,
        "ranking": [{"index": int(i), "score": _number(scores.score[i]), "heads": heads(int(i))} for i in scores.order],
        "dropped": [{"index": int(i), "reason": "nan_score", "heads": heads(int(i))} for i in scores.dropped],
    }


def slate(scores: Scores, shown: list[int], ids: list[str], titles: dict[str, str]) -> Table:
    """Return the ranking as a table: rank, item, score, heads."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("item", overflow="ellipsis", max_width=44, no_wrap=True)
    for name in ("score", *scores.heads):
        table.add_column(name, justify="right", no_wrap=True)
    for place, index in enumerate(shown, start=1):
        values = (scores.score[index], *(values[index] for values in scores.heads.values()))
        # As a Text: rich would take brackets in a title for its markup.
        item = Text(printable(titles.get(ids[index], ids[index])))
        table.add_row(str(place), item, *(_shown(float(value)) for value in values))
    return table


def _shown(value: float) -> str:
    return f"{value:.4f}" if abs(value) < _LARGE else f"{value:.3e}"


def _number(value: Any) -> float | str:
    wide = float(value)
    if math.isnan(wide):
        return "NaN"
    if math.isinf(wide):
        return "Infinity" if wide > 0 else "-Infinity"
    return wide


def _read_titles(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        titles = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError("titles_unreadable", f"{path}: {error}", "give a JSON object from item id to title") from error
    if not isinstance(titles, dict):
        raise UserError("titles_unreadable", f"{path} is no JSON object", "give a JSON object from item id to title")
    return {str(name): str(title) for name, title in titles.items()}
