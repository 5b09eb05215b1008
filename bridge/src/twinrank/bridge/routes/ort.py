"""ONNX Runtime in Python, behind the bundle reader: the baseline of bits."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from twinrank.bridge._plain import PlainModel, PlainModelError
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
from twinrank.export.bundle import Bundle, SessionSettings, SignaturePolicy, host_class, open_bundle
from twinrank.training.schema import ScoringError

__all__ = ["ROUTE"]


class _Reader(ScorerBase):
    """The Python reader as a scorer."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def facts(self) -> Facts:
        release = importlib.metadata.version
        return Facts(
            implementation=f"twinrank-python/{release('twinrank')}",
            runtime=f"onnxruntime {release('onnxruntime')}",
            host_class=host_class(),
            verification=str(self._bundle.verification),
            bundle=self._bundle.digest,
            details={
                "python": platform.python_version(),
                "numpy": release("numpy"),
                "os": f"{platform.system()} {platform.release()}",
                "arch": platform.machine(),
                "attested": "yes" if self._bundle.attested else "no",
                "signature": self._bundle.signature,
            },
        )

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        try:
            return self._bundle.pack(raw)
        except ScoringError as error:
            return RouteError(error.code, error.feature, error.candidate)

    def score(self, raw: bytes) -> RouteScores | RouteError:
        try:
            scores = self._bundle.score(raw)
        except ScoringError as error:
            return RouteError(error.code, error.feature, error.candidate)
        return RouteScores(
            n=scores.n,
            outputs={**scores.heads, SCORE: scores.score},
            order=tuple(int(index) for index in scores.order),
            dropped=tuple(int(index) for index in scores.dropped),
            known=np.ones(scores.n, np.bool_),
        )

    def run_graph(
        self, model: Path, settings: SessionSettings, taps: Sequence[str], blocks: Mapping[str, Array]
    ) -> Mapping[str, Array] | None:
        try:
            return PlainModel(model, settings, taps).run(blocks)
        except (OSError, PlainModelError) as error:
            raise RouteFailedError("ort", "refused", f"{model}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release: the session goes with the object."""


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    # A bundle that the baseline's reader refuses raises BundleError: then there is nothing to compare, and the caller
    # says so.
    signature = options.signature or SignaturePolicy()
    return _Reader(open_bundle(bundle, require=options.require, signature=signature))


ROUTE = Route(name="ort", summary="ONNX Runtime in Python: the baseline of bits", level="bits", open=_open)
