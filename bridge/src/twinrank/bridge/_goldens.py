"""The bundle's goldens as a baseline: what its exporter sealed, asked like a route that knows these requests only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from twinrank.bridge._scorer import (
    SCORE,
    Array,
    Facts,
    Route,
    RouteError,
    RouteOptions,
    RouteScores,
    Scored,
    Scorer,
    ScorerBase,
    packed_digest,
)
from twinrank.export.bundle import Bundle, Golden, SignaturePolicy, open_bundle

__all__ = ["GOLDENS"]


class _Sealed(ScorerBase):
    """Answers each golden's request with its expectation."""

    def __init__(self, bundle: Bundle) -> None:
        self._manifest = bundle.manifest
        self._digest = bundle.digest
        self._goldens = {golden.request: golden for golden in bundle.goldens}

    def facts(self) -> Facts:
        return Facts(
            implementation="the bundle's goldens",
            runtime=f"onnxruntime {self._manifest.release}",
            host_class=self._manifest.host_class,
            bundle=self._digest,
            details={"goldens": str(len(self._goldens))},
        )

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        inputs = self._goldens[raw].expected.inputs
        if not inputs:
            return None
        return {block.name: values for block, values in zip(self._manifest.packing.blocks, inputs, strict=True)}

    def score(self, raw: bytes) -> RouteScores | RouteError:
        expected = self._goldens[raw].expected
        if expected.error is not None:
            return RouteError(expected.error)
        names = [head.name for head in self._manifest.heads]
        stored = expected.outputs or tuple(np.zeros(0, head.dtype) for head in self._manifest.outputs)
        return RouteScores(
            n=expected.n,
            outputs=dict(zip((*names, SCORE), stored, strict=True)),
            order=expected.order[: _wanted(self._goldens[raw])],
            dropped=expected.dropped,
            known=np.ones(expected.n, np.bool_),
        )

    def _scored(self, raw: bytes) -> Scored:
        blocks = self.pack(raw)
        return Scored(self.score(raw), packed_digest(blocks) if isinstance(blocks, dict) else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""


def _wanted(golden: Golden) -> int | None:
    """Return the request's k: goldens store the whole ranking, and every route answers the cut one."""
    k = json.loads(golden.request).get("k")
    return None if k is None else int(k)


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    return _Sealed(open_bundle(bundle, require="reference", signature=options.signature or SignaturePolicy()))


GOLDENS = Route(name="goldens", summary="what the bundle's exporter sealed", level="bits", open=_open)
"""No route of the catalogue: it can be a baseline, and nothing else."""
