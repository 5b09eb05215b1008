"""The trained torch module, in eval mode on one thread: what the bundle must stay close to, at level reference.

Of the bundle it reads one thing: whether the export quantised tables first. The bundle's evidence is about the module
with those tables, so the run's are quantised the same way, from its own weights.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from twinrank.bridge._origin import read_origin, why_no_run
from twinrank.bridge._scorer import (
    SCORE,
    Array,
    Facts,
    Route,
    RouteError,
    RouteFailedError,
    RouteOptions,
    RouteScores,
    Scorer,
    ScorerBase,
)
from twinrank.export.bundle import order_of
from twinrank.training.schema import Packing, ScoringError, pack, read_request

if TYPE_CHECKING:
    from twinrank.training.run import TrainedRun

__all__ = ["ROUTE"]

_NAME = "torch"


class _Module(ScorerBase):
    """A trained run as a scorer: request, packing, front half, module.

    Args:
        run: its module may have quantised tables.
        tables: dtype of the large tables, for the report.
    """

    def __init__(self, run: TrainedRun, tables: str) -> None:
        import torch

        self._torch = torch
        self._run = run
        self._tables = tables
        self._packing = Packing.of(run.schema)
        self._threads = torch.get_num_threads()
        # The reference is defined at one thread: more threads add up in another order.
        torch.set_num_threads(1)
        run.module.eval()

    def facts(self) -> Facts:
        release = importlib.metadata.version
        return Facts(
            implementation=f"{type(self._run.module).__name__} of run {self._run.name}",
            runtime=f"torch {release('torch')}",
            details={
                "python": platform.python_version(),
                "threads": "1",
                "arch": platform.machine(),
                "tables": self._tables,
            },
        )

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        """None: packing here is the very function of the baseline, so comparing it would prove nothing."""
        del raw
        return None

    def score(self, raw: bytes) -> RouteScores | RouteError:
        torch = self._torch
        try:
            request = read_request(raw, self._run.schema, max_candidates=self._run.max_candidates)
        except ScoringError as error:
            return RouteError(error.code, error.feature, error.candidate)
        if request.n == 0:
            nothing = np.zeros(0, np.float32)
            return RouteScores(0, dict.fromkeys((*self._run.heads, SCORE), nothing), (), (), np.ones(0, np.bool_))
        encoded = self._run.front.encode(pack(request, self._packing))
        with torch.inference_mode():
            outputs = self._run.module(
                **{name.removeprefix("encoded."): torch.from_numpy(value) for name, value in encoded.items()}
            )
        named = {name: outputs[name].numpy() for name in (*self._run.heads, SCORE)}
        order, dropped = order_of(named[SCORE])
        ranked = tuple(int(index) for index in order)
        return RouteScores(
            n=request.n,
            outputs=named,
            order=ranked if request.k is None else ranked[: request.k],
            dropped=tuple(int(index) for index in dropped),
            known=np.ones(request.n, np.bool_),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give torch its threads back."""
        self._torch.set_num_threads(self._threads)


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    origin = read_origin(bundle)
    if options.run is None or origin.trees is not None:
        why = why_no_run(origin) or "the torch module lives in the run directory: pass --run RUN"
        raise RouteFailedError(_NAME, "unavailable", why)
    try:
        from twinrank.training.run import RunError, load_run
    except ImportError as error:
        raise RouteFailedError(_NAME, "unavailable", f"{error}: install twinrank[training]") from error
    try:
        run = load_run(options.run)
    except (OSError, RunError) as error:
        raise RouteFailedError(_NAME, "unavailable", str(error)) from error
    if origin.quantisation is None:
        return _Module(run, "float32")
    return _Module(_quantised(run, origin.quantisation), str(origin.quantisation["kind"]))


def _quantised(run: TrainedRun, noted: Mapping[str, Any]) -> TrainedRun:
    """Return the run with the tables that the bundle's provenance names quantised as the export did."""
    from twinrank.export.graph import ExportError, quantise_module

    kind, min_rows = noted.get("kind"), noted.get("min_rows")
    if kind != "int8":
        why = f"the bundle's tables are {kind}, and this release knows int8 only"
        raise RouteFailedError(_NAME, "unavailable", why)
    if not isinstance(min_rows, int):
        why = "the bundle's tables are int8, and its provenance does not say from how many rows on"
        raise RouteFailedError(_NAME, "unavailable", why)
    try:
        module, tables = quantise_module(run.module, min_rows)
    except ExportError as error:
        raise RouteFailedError(_NAME, "unavailable", f"the run's tables are not the bundle's: {error}") from error
    if [table.to_json() for table in tables] != noted.get("tables"):
        raise RouteFailedError(
            _NAME, "unavailable", "the run's large tables are not those that the bundle's provenance lists as quantised"
        )
    return replace(run, module=module)


def _lacks(bundle: Path, options: RouteOptions) -> str | None:
    """Return what is missing: a run, where the bundle came from one."""
    origin = read_origin(bundle)
    if origin.trees is not None or options.run is None:
        return why_no_run(origin) or "needs --run RUN"
    return None


ROUTE = Route(
    name=_NAME,
    summary="the trained module in eval mode: the reference, within the bundle's tolerance",
    level="reference",
    open=_open,
    lacks=_lacks,
)
