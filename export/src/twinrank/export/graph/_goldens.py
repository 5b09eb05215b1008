"""Which requests a bundle carries as its proof, and what each gives here."""

from collections.abc import Sequence

import numpy as np

from twinrank.export.bundle import Expectation, Golden, order_of
from twinrank.export.graph import _edges as edges
from twinrank.export.graph._errors import ExportError
from twinrank.export.graph._executor import Executor
from twinrank.export.graph._slates import Blocks
from twinrank.training.schema import Feature, Packing, Schema, ScoringError, pack, read_request

# Real requests; with the edges that makes at most 32 data sets.
_REAL = 10
_REAL_CANDIDATES = 40
# Two host classes may disagree about a value far outside what was measured, so such an edge proves nothing there.
_OUT_OF_SCALE = 4.0
# A slate of max_candidates is a golden only below this: every load reads and scores it.
_LARGEST_BYTES = 4 * 10**6


class GoldenMaker:
    """Turns requests into goldens of one graph.

    Args:
        run: the exported graph.
        schema: the features.
        max_candidates: the most candidates a request may hold.
        scales: per output, the largest absolute value that the reference comparison saw.
    """

    def __init__(
        self,
        run: Executor,
        schema: Schema,
        max_candidates: int,
        scales: Sequence[float],
    ) -> None:
        self._run = run
        self._schema = schema
        self._packing = Packing.of(schema)
        self._max_candidates = max_candidates
        self._scales = tuple(scales)

    def blocks(self, raw: bytes) -> Blocks:
        """A raw request as blocks; raises ScoringError."""
        return pack(read_request(raw, self._schema, max_candidates=self._max_candidates), self._packing)

    def scored(self, raw: bytes) -> Golden:
        """The golden of a request that is scored; raises ScoringError."""
        request = read_request(raw, self._schema, max_candidates=self._max_candidates)
        if request.n == 0:
            return Golden(raw, Expectation(n=0))
        blocks = pack(request, self._packing)
        outputs = tuple(self._run(blocks))
        order, dropped = order_of(outputs[-1])
        inputs = tuple(blocks[block.name] for block in self._packing.blocks)
        expected = Expectation(request.n, None, inputs, outputs, tuple(order.tolist()), tuple(dropped.tolist()))
        return Golden(raw, expected)

    def in_scale(self, golden: Golden) -> bool:
        """Whether every output is a number about as large as those of real requests."""
        return all(
            bool(np.isfinite(values).all())
            and float(np.abs(values).max(initial=0.0)) <= _OUT_OF_SCALE * max(1.0, scale)
            for values, scale in zip(golden.expected.outputs, self._scales, strict=False)
        )

    def refused(self, raw: bytes, code: str) -> Golden:
        """The golden of a request that must be refused.

        Raises:
            ExportError: ``golden_unexpected`` if neither the schema's own reader nor the graph's counts of unseen
                values refuse it with that code.
        """
        try:
            request = read_request(raw, self._schema, max_candidates=self._max_candidates)
            counted = request.n and any(counts.any() for counts in self._run.unseen(pack(request, self._packing)))
            found = "unseen_value" if counted else "no error"
        except ScoringError as e:
            found = e.code
        if found != code:
            raise ExportError(
                "golden_unexpected",
                f"a request made to be refused with {code} gives {found}",
                "Report it with the run's schema.json",
            )
        return Golden(raw, Expectation(n=-1, error=code))


def choose_goldens(
    maker: GoldenMaker,
    requests: Sequence[bytes],
    schema: Schema,
    max_candidates: int,
    groups: int | None = None,
) -> tuple[Golden, ...]:
    """The goldens of a bundle: real requests, one of them as large as they come, edges of the schema, and refusals.

    Args:
        maker: makes each golden.
        requests: the run's raw requests, at least one with a candidate.
        schema: the features.
        max_candidates: the most candidates a request may hold.
        groups: see `edges.edge_requests`.

    Raises:
        ExportError: ``golden_unexpected``.
    """
    parsed = [(raw, edges.parse(raw)) for raw in requests]
    filled = [(raw, request) for raw, request in parsed if request["candidates"]]
    picked = sorted({round(i) for i in np.linspace(0, len(filled) - 1, _REAL)})
    goldens = []
    for raw, request in (filled[i] for i in picked):
        short = len(request["candidates"]) <= _REAL_CANDIDATES
        goldens.append(maker.scored(raw if short else edges.dump(edges.cut(request, _REAL_CANDIDATES))))
    goldens.append(maker.scored(max(filled, key=lambda pair: len(pair[1]["candidates"]))[0]))
    goldens += _largest(maker, [request for _, request in filled], max_candidates)
    base = fullest(requests)
    goldens += [maker.scored(edges.dump(request)) for _, request in edges.list_requests(base, schema)]
    goldens += _edge_goldens(maker, base, schema, groups)
    goldens += [maker.refused(raw, code) for raw, code in edges.refused_requests(base, schema, max_candidates)]
    return tuple(goldens)


def _largest(maker: GoldenMaker, requests: Sequence[edges.Request], max_candidates: int) -> list[Golden]:
    """A golden of ``max_candidates`` candidates, where that is small enough."""
    sample = maker.scored(edges.dump(edges.largest_request(list(requests), min(max_candidates, 64))))
    values = (*sample.expected.inputs, *sample.expected.outputs)
    size = len(sample.request) + sum(array.nbytes for array in values)
    if size * max_candidates > _LARGEST_BYTES * sample.expected.n:
        return []
    return [maker.scored(edges.dump(edges.largest_request(list(requests), max_candidates)))]


def fullest(requests: Sequence[bytes]) -> edges.Request:
    """The request that fills most of the schema, of those with a candidate."""
    return max((request for raw in requests if (request := edges.parse(raw))["candidates"]), key=_fullness)


def _fullness(request: edges.Request) -> int:
    """How much of the schema a request fills: the elements of its lists and the features it gives."""
    places = [request["context"], *request["candidates"][:4]]
    return sum(len(value) if isinstance(value, list) else 1 for place in places for value in place.values())


def _edge_goldens(maker: GoldenMaker, base: edges.Request, schema: Schema, groups: int | None) -> list[Golden]:
    """One golden a kind of edge, with as many features at the edge together as keep the outputs in scale."""
    merged: dict[str, tuple[edges.Request, list[tuple[Feature, edges.Request]]]] = {}
    made: dict[str, Golden] = {}
    for edge in edges.edge_requests(base, schema, groups):
        if not edge.features:
            made[edge.kind] = maker.scored(edges.dump(edge.request))
            continue
        base_cut, variants = merged.setdefault(edge.kind, (edges.cut(base, 4), []))
        attempt = [*variants, *((feature, edge.request) for feature in edge.features)]
        golden = maker.scored(edges.dump(edges.merge(base_cut, attempt)))
        if maker.in_scale(golden):
            made[edge.kind] = golden
            merged[edge.kind] = (base_cut, attempt)
    return list(made.values())
