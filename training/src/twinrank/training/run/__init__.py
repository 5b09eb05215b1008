"""A finished training run: everything an exporter, a verifier or a demo needs, in one directory."""

from twinrank.training.run._run import RUN_FILES, RunError, TrainedRun, finished_fingerprint, load_run, write_run

__all__ = ["RUN_FILES", "RunError", "TrainedRun", "finished_fingerprint", "load_run", "write_run"]
