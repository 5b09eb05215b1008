"""Foreign text made safe to print: a bundle, a request or another process may hold what a terminal would obey."""

from __future__ import annotations


def printable(text: object) -> str:
    """Return the text on one line, control and format characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))
