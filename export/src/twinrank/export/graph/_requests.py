"""Sample requests as an export takes them: what the schema reads, and what it refuses, by line and code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twinrank.export.bundle import (
    HistogramBuilder,
    Histograms,
    Runner,
    SessionSettings,
    lookups_of,
    unseen_outputs,
)
from twinrank.export.graph._errors import ExportError
from twinrank.export.graph._slates import Blocks
from twinrank.training.schema import Request, ScoringError, pack, read_request
from twinrank.training.transforms import FrontGraph, Lookup

_TOLD_OF_A_KIND = 5


@dataclass(frozen=True)
class Samples:
    """The sample requests of an export.

    Attributes:
        requests: those that are valid, in order.
        slates: the valid ones with a candidate, as blocks, in order; at least one.
        refused: how many were not valid.
        histograms: how the features are distributed in the valid ones.
    """

    requests: tuple[bytes, ...]
    slates: tuple[Blocks, ...]
    refused: int
    histograms: Histograms


def read_samples(
    requests: Sequence[bytes], front: FrontGraph, max_candidates: int, *, strict: bool, tell: Callable[[str], None]
) -> Samples:
    """Reads raw requests, one a line.

    Args:
        requests: raw, in the order of the lines; empty ones are lines without a request.
        front: the features, and what counts unseen values.
        max_candidates: the most candidates that a request may hold.
        strict: whether a refused one ends the export.
        tell: told of the first five refused requests of a kind, by line and code, and how many more there are.

    Raises:
        ExportError: ``no_request`` if none is valid and has a candidate, or one is refused under ``strict``.
    """
    schema, packing = front.schema, front.packing
    model = front.to_onnx()
    looked_up = {name for lookup in lookups_of(model, packing) for name in lookup.features}
    histograms = HistogramBuilder(schema, looked_up)
    counts = _Counts(front)
    left_out = _LeftOut(tell)
    valid: list[bytes] = []
    slates: list[Blocks] = []
    refused = 0
    for line, raw in enumerate(requests, start=1):
        if not raw.strip() and not strict:
            left_out.add(line, "empty line", "empty line")
            refused += 1
            continue
        try:
            request = read_request(raw, schema, max_candidates=max_candidates)
            blocks = pack(request, packing)
            if request.n:
                counts.check(blocks, request)
        except ScoringError as e:
            if strict:
                problem = f"request {line} is refused: {e.code}: {e.message}"
                raise ExportError("no_request", problem, "Train again") from e
            left_out.add(line, f"{e.code}: {e.message}{_place(e)}", e.code, e.feature)
            refused += 1
            continue
        histograms.add(raw, request, blocks)
        valid.append(raw)
        if request.n:
            slates.append(blocks)
    left_out.finish()
    if not slates:
        raise ExportError(
            "no_request",
            f"of {len(requests)} sample requests {len(valid)} are valid, and none of these holds a candidate",
            "Give at least one valid request with candidates, as it comes in production",
        )
    return Samples(tuple(valid), tuple(slates), refused, histograms.build())


class _LeftOut:
    """Tells of requests that are left out: the first of a kind by line, the others by their number."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._seen: Counter[tuple[str, str | None]] = Counter()

    def add(self, line: int, why: str, code: str, feature: str | None = None) -> None:
        self._seen[code, feature] += 1
        if self._seen[code, feature] <= _TOLD_OF_A_KIND:
            self._tell(f"request line {line} is left out: {why}")

    def finish(self) -> None:
        for (code, feature), count in self._seen.items():
            if count > _TOLD_OF_A_KIND:
                kind = code if feature is None else f"{code} of {feature!r}"
                self._tell(f"and {count - _TOLD_OF_A_KIND:,} more of the same kind are left out: {kind}")


class _Counts:
    """Refuses what the graph will count: values that a vocabulary does not hold, under the policy ``error``."""

    def __init__(self, front: FrontGraph) -> None:
        self._front = front
        self._unseen = unseen_outputs(front.schema)
        self._runner = Runner(front.to_onnx().SerializeToString(), SessionSettings()) if self._unseen else None

    def check(self, blocks: Blocks, request: Request) -> None:
        if self._runner is None:
            return
        found = dict(zip(self._runner.outputs, self._runner.run(blocks), strict=True))
        for unseen in self._unseen:
            for row, column in zip(*found[unseen.output].nonzero(), strict=True):
                feature = unseen.features[int(column)]
                raise ScoringError(
                    "unseen_value",
                    self._what(feature, request.values(feature)[int(row)]),
                    feature=feature,
                    candidate=int(row) if unseen.placement == "candidate" else None,
                )

    def _what(self, feature: str, value: object) -> str:
        """Which of the row's values which vocabulary does not hold."""
        vocabularies = [t.vocabulary for t in self._front.transforms if isinstance(t, Lookup) and t.feature == feature]
        for vocabulary in vocabularies:
            for one in value if isinstance(value, tuple | list) else (value,):
                if vocabulary.position(one) is None:
                    return f"{ascii(one)[:80]} is not in the vocabulary {vocabulary.name!r}"
        return "its vocabulary does not hold the value"


def _place(error: ScoringError) -> str:
    where = [f"{name} {value!r}" for name in ("feature", "candidate") if (value := getattr(error, name)) is not None]
    return f" ({', '.join(where)})" if where else ""
