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
    Scored,
    Scorer,
    ScorerBase,
    packed_digest,
)
from twinrank.export.bundle import Bundle, SessionSettings, SignaturePolicy, host_class, open_bundle, order_of
from twinrank.training.schema import ScoringError, pack

__all__ = ["ROUTE"]


class _Reader(ScorerBase):
    """The Python reader as a scorer."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._names = (*(head.name for head in bundle.heads), SCORE)

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
        return self._scored(raw).answer

    def _scored(self, raw: bytes) -> Scored:
        # Packed once for both: the digest and the scores.
        bundle = self._bundle
        try:
            request = bundle.read(raw)
            blocks = pack(request, bundle.manifest.packing)
            outputs = bundle.run(blocks, request.n)
        except ScoringError as error:
            return Scored(RouteError(error.code, error.feature, error.candidate))
        order, dropped = order_of(outputs[-1])
        answer = RouteScores(
            n=request.n,
            outputs=dict(zip(self._names, outputs, strict=True)),
            order=tuple(order[: request.k].tolist()),
            dropped=tuple(dropped.tolist()),
            known=np.ones(request.n, np.bool_),
        )
        return Scored(answer, packed_digest(blocks))

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
