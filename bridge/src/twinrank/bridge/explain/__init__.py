"""Why two routes differ, and where it begins: told by experiment, not by guess."""

from twinrank.bridge.explain._explain import explain
from twinrank.bridge.explain._refusal import explain_refusal, graph_testee

__all__ = ["explain", "explain_refusal", "graph_testee"]
