"""Rewrites of the slate graph: what one changes, how it looks at a graph, and how it edits one."""

from twinrank.export.graph.rewrites._rewrite import Applied, Editor, Rewrite, run_rewrites
from twinrank.export.graph.rewrites._view import Dim, View, attribute

__all__ = ["Applied", "Dim", "Editor", "Rewrite", "View", "attribute", "run_rewrites"]
