"""A process of the comparison of trees: other ways to score a LightGBM model, each by one thread.

Run by an interpreter that has lleaves, tl2cgen, treelite and daal4py; what it lacks it says. Commands and answers are
lines of JSON on standard input and output, as those of the Java worker.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

_ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever libraries print is no answer


class Peers:
    """The contestants of one model."""

    def __init__(self) -> None:
        self._rows = np.zeros((0, 0))
        self._callers: dict[str, Callable[[Any], Any]] = {}

    def load(self, model: str, rows: str) -> dict[str, Any]:
        """Opens a model with every library that can; compiling takes minutes."""
        self._rows = np.load(rows)
        self._callers = {}
        told, seconds = {}, {}
        for name, make in (
            ("lleaves", _lleaves),
            ("tl2cgen", _tl2cgen),
            ("treelite", _treelite),
            ("daal4py", _daal4py),
        ):
            begin = time.monotonic()
            try:
                self._callers[name] = make(Path(model), self._rows)
            except Exception as e:  # whatever a library does not take, it says in its own way
                told[name] = f"{type(e).__name__}: {e}".splitlines()[0][:300]
            seconds[name] = time.monotonic() - begin
        return {"peers": list(self._callers), "absent": told, "seconds": seconds}

    def scores(self, peer: str, file: str) -> dict[str, Any]:
        """Writes the scores of all rows."""
        found = np.asarray(self._callers[peer](self._rows), np.float64).reshape(len(self._rows), -1)
        np.save(file, found)
        return {"rows": len(found)}

    def block(self, peer: str, n: int, ms: int) -> dict[str, Any]:
        """Scores other rows each time for so many milliseconds of this thread's time."""
        call, rows = self._callers[peer], self._rows
        at = done = 0
        begin = time.thread_time_ns()
        while True:
            call(rows[at : at + n])
            at = at + n if at + 2 * n <= len(rows) else 0
            done += n
            taken = time.thread_time_ns() - begin
            if taken >= ms * 1e6:
                return {"rows": done, "cpu": taken}


def _lleaves(model: Path, rows: Any) -> Callable[[Any], Any]:
    del rows
    import lleaves

    made = lleaves.Model(model_file=str(model))
    made.compile(cache=str(model.with_suffix(".lleaves")), raw_score=True)
    return lambda x: made.predict(x, n_jobs=1)


def _tl2cgen(model: Path, rows: Any) -> Callable[[Any], Any]:
    del rows
    import tl2cgen
    import treelite

    library = model.with_suffix(".tl2cgen.so")
    if not library.is_file():
        read = treelite.frontend.load_lightgbm_model(str(model))
        tl2cgen.export_lib(read, toolchain="gcc", libpath=str(library), params={"parallel_comp": 8}, nthread=2)
    predictor = tl2cgen.Predictor(str(library), nthread=1)
    return lambda x: predictor.predict(tl2cgen.DMatrix(x, dtype="float64"), pred_margin=True)


def _treelite(model: Path, rows: Any) -> Callable[[Any], Any]:
    del rows
    import treelite

    read = treelite.frontend.load_lightgbm_model(str(model))
    return lambda x: treelite.gtil.predict(read, x, nthread=1, pred_margin=True)


def _daal4py(model: Path, rows: Any) -> Callable[[Any], Any]:
    del rows
    import daal4py
    import lightgbm

    daal4py.daalinit(1)
    made = daal4py.mb.convert_model(lightgbm.Booster(model_file=str(model)))
    return lambda x: made.predict(x)


def main() -> None:
    """Serves the driver."""
    peers = Peers()
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(peers, command.pop("do"))(**command)
        _ANSWERS.write(json.dumps(answer) + "\n")
        _ANSWERS.flush()


if __name__ == "__main__":
    main()
