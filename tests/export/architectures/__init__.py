"""User modules whose layers do not export by themselves."""
