"""Why two routes differ, and where it begins: told by experiment, not by guess."""

from twinrank.bridge.explain._explain import explain, explain_refusal

__all__ = ["explain", "explain_refusal"]
