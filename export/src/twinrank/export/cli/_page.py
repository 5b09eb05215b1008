"""What the pages of ``inspect`` and ``diff`` share: a console for logs and terminals, safe text, numbers for people."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_LOG_WIDTH = 120
_BARS = "▁▂▃▄▅▆▇█"


def page_console() -> Console:
    """The console for results: as wide as the terminal, 120 columns in a log, where rich would take 80."""
    out = Console(highlight=False)
    return out if out.is_terminal or "COLUMNS" in os.environ else Console(highlight=False, width=_LOG_WIDTH)


def clean(value: object) -> str:
    """Text of a bundle without anything that a terminal would obey: a manifest may hold escape sequences."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(value))


def heading(title: str, note: str = "") -> Text:
    """A section's first line, with an empty one above."""
    return Text.assemble("\n", (title, "bold"), *((f"  {note}", "dim"),) if note else ())


def grid(*columns: str, right: Sequence[str] = (), fold: Sequence[str] = ()) -> Table:
    """A table with a header and no frame; the columns of ``fold`` take what width is left, and break."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False, header_style="dim")
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in right else "left",
            overflow="fold",
            no_wrap=name not in fold,
        )
    return table


def facts(rows: Sequence[tuple[str, str | Text]]) -> Table:
    """Names and values, one a line."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(f"  {clean(name)}", value if isinstance(value, Text) else Text(clean(value)))
    return table


def cells(*values: object, style: str = "") -> list[Text]:
    """A row's cells, safe to print."""
    return [value if isinstance(value, Text) else Text(clean(value), style=style) for value in values]


def size(count: int) -> str:
    """Bytes for people, in powers of 1,000."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{count:,} B" if unit == "B" else f"{amount:.2f} {unit}"
        amount /= 1000
    raise ValueError(f"no unit for {count}")


def number(value: float) -> str:
    """A number for people: thousands apart from five digits on (1994 is a year), four significant digits of a float."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}" if abs(value) >= 10_000 else f"{int(value)}"
    return f"{value:.4g}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def sparkline(heights: Sequence[float]) -> str:
    """Bars for heights of at least 0; whatever is not 0 shows."""
    top = max(heights, default=0.0)
    if top <= 0:
        return _BARS[0] * len(heights)
    return "".join(_BARS[min(7, int(height / top * 7.999))] for height in heights)
