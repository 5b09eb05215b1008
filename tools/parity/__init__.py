"""The parity suite: bundles of every kind, every route, every bit, and one summary. `python -m tools.parity full`."""
