"""The option ``--quantise-tables``, and what a bundle's provenance says of quantised tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import click

_TEXT = re.compile("int8(?::([1-9][0-9]{0,9}))?")
# The default of twinrank.export.graph, which imports torch.
_MIN_ROWS = 1000


class _Tables(click.ParamType[int]):
    """``int8`` or ``int8:<least rows>``, as the least number of rows."""

    name = "tables"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The least number of rows."""
        if isinstance(value, int):
            return value
        match = _TEXT.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is neither int8 nor int8:<least rows>, as in int8:50000", param, ctx)
        return int(match[1] or _MIN_ROWS)


quantise_option = click.option(
    "--quantise-tables",
    "least_rows",
    type=_Tables(),
    metavar="int8[:ROWS]",
    help=f"Store embeddings of at least ROWS rows (by default {_MIN_ROWS}) as int8 with a scale a row. The evidence is "
    "about these tables; what they cost in score and order is printed and kept in the bundle.",
)
"""Gives the command ``least_rows``: None without the option."""


def quantisation_rows(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and text, a line each, of what was quantised and what it cost; nothing where nothing was."""
    found = provenance.get("quantisation")
    if not isinstance(found, dict) or found.get("kind") != "int8":
        return []
    try:
        return _rows(found)
    except (KeyError, TypeError, ValueError):
        # Provenance is free-form: somebody else may note something else under the same name.
        return []


def _rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    tables = found["tables"]
    before, after = (sum(table[key] for table in tables) for key in ("bytes_before", "bytes_after"))
    named = ", ".join(f"{table['name']} {table['rows']} x {table['width']}" for table in tables)
    return [
        ("int8 tables", f"{before / 1e6:.2f} MB became {after / 1e6:.2f} MB: {named}"),
        (
            "int8 against float32",
            f"the score differs by at most {found['score_max_abs']:.2g}, {found['score_mean_abs']:.2g} on average; "
            f"{found['top_10_kept']:.1%} of the ten best and {found['first_kept']:.1%} of the first stay, "
            f"in {found['requests']} requests of {found['candidates']} candidates",
        ),
    ]
