"""The service under load: the programs of a run, bundles to swap, and what it promises."""
