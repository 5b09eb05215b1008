"""A finished training run: everything an exporter, a verifier or a demo needs, in one directory."""

from twinrank.training.run._run import (
    MODEL_FILES,
    PLOTS,
    RUN_FILES,
    RunError,
    RunKind,
    TrainedRun,
    TreeLibrary,
    TreesRun,
    check_run,
    finished_fingerprint,
    load_run,
    load_trees_run,
    run_kind,
    write_run,
    write_trees_run,
)

__all__ = [
    "MODEL_FILES",
    "PLOTS",
    "RUN_FILES",
    "RunError",
    "RunKind",
    "TrainedRun",
    "TreeLibrary",
    "TreesRun",
    "check_run",
    "finished_fingerprint",
    "load_run",
    "load_trees_run",
    "run_kind",
    "write_run",
    "write_trees_run",
]
