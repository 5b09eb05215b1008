"""Rewrites of the slate graph: what one changes, how it looks at a graph, and how it edits one."""

from twinrank.export.graph.rewrites._fold import FoldBatchNorm, FoldConstants
from twinrank.export.graph.rewrites._padded import PaddedTail
from twinrank.export.graph.rewrites._pool import PoolAsProduct
from twinrank.export.graph.rewrites._product import SteadyProduct
from twinrank.export.graph.rewrites._rewrite import Applied, Editor, Rewrite, run_rewrites
from twinrank.export.graph.rewrites._split import SplitContext
from twinrank.export.graph.rewrites._view import Dim, View, attribute

# Those that move work between context and candidates come first: they make products that the later ones steady.
REWRITES: tuple[Rewrite, ...] = (
    FoldConstants(),
    FoldBatchNorm(),
    SplitContext(),
    PoolAsProduct(),
    SteadyProduct(),
    PaddedTail(),
)
"""What every export applies, in this order."""

__all__ = [
    "REWRITES",
    "Applied",
    "Dim",
    "Editor",
    "FoldBatchNorm",
    "FoldConstants",
    "PaddedTail",
    "PoolAsProduct",
    "Rewrite",
    "SplitContext",
    "SteadyProduct",
    "View",
    "attribute",
    "run_rewrites",
]
