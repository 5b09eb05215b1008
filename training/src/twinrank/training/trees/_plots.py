"""Pictures of a training: nDCG by round, and what the columns gave."""

import io
from typing import Any

from twinrank.training.trees._fit import FittedTrees

_SHOWN = 25


def plot(fitted: FittedTrees, *, k: int) -> dict[str, bytes]:
    """PNG by file name: learning.png and importance.png; nothing where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return {}
    return {"learning.png": _learning(Figure, fitted, k), "importance.png": _importance(Figure, fitted)}


def _learning(figure: Any, fitted: FittedTrees, k: int) -> bytes:
    made = figure(figsize=(7, 4), layout="constrained")
    axes = made.subplots()
    axes.plot(range(1, len(fitted.validation) + 1), fitted.validation)
    axes.axvline(fitted.best_round, linestyle="--", color="0.5", label=f"kept: {fitted.best_round} rounds")
    axes.set(xlabel="round", ylabel=f"validation nDCG@{k}", title="Learning curve")
    axes.legend()
    return _png(made)


def _importance(figure: Any, fitted: FittedTrees) -> bytes:
    names = sorted(fitted.gain, key=lambda name: fitted.gain[name], reverse=True)[:_SHOWN][::-1]
    made = figure(figsize=(10, 1.5 + 0.28 * len(names)), layout="constrained")
    left, right = made.subplots(1, 2, sharey=True)
    left.barh(names, [fitted.gain[name] for name in names])
    right.barh(names, [fitted.splits[name] for name in names])
    left.set(xlabel="gain of its splits, in all")
    right.set(xlabel="splits")
    rest = len(fitted.gain) - len(names)
    made.suptitle("Importance of columns" + (f" (the first {len(names)} of {len(fitted.gain)})" if rest else ""))
    return _png(made)


def _png(made: Any) -> bytes:
    buffer = io.BytesIO()
    # The date and the program's version are left out: the same run gives the same bytes.
    made.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
