"""The trained torch module, in eval mode on one thread: what the bundle must stay close to, at level reference."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

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
)
from twinrank.export.bundle import order_of
from twinrank.training.schema import Packing, ScoringError, pack, read_request

if TYPE_CHECKING:
    from twinrank.training.run import TrainedRun

__all__ = ["ROUTE"]

_NAME = "torch"


class _Module:
    """A trained run as a scorer: request, packing, front half, module."""

    def __init__(self, run: TrainedRun) -> None:
        import torch

        self._torch = torch
        self._run = run
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
            details={"python": platform.python_version(), "threads": "1", "arch": platform.machine()},
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
    del bundle  # the point of this route is that it does not read the bundle
    if options.run is None:
        raise RouteFailedError(_NAME, "unavailable", "the torch module lives in the run directory: pass --run RUN")
    try:
        from twinrank.training.run import RunError, load_run
    except ImportError as error:
        raise RouteFailedError(_NAME, "unavailable", f"{error}: install twinrank[training]") from error
    try:
        run = load_run(options.run)
    except (OSError, RunError) as error:
        raise RouteFailedError(_NAME, "unavailable", str(error)) from error
    return _Module(run)


ROUTE = Route(
    name=_NAME,
    summary="the trained module in eval mode: the reference, within the bundle's tolerance",
    level="reference",
    open=_open,
    lacks=lambda options: None if options.run is not None else "needs --run RUN",
)
