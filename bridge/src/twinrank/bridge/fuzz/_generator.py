"""A million requests from a schema, a seed and numbers drawn in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from twinrank.bridge._cases import FUZZ, Case
from twinrank.bridge.fuzz._atoms import GOOD_K
from twinrank.bridge.fuzz._documents import Document, respelled
from twinrank.bridge.fuzz._flaws import Flaws
from twinrank.bridge.fuzz._sources import Source, Stream, key_of
from twinrank.bridge.fuzz._values import Values, Vocabulary
from twinrank.training.schema import Feature, Placement, Schema

BLOCK = 2048
"""Requests of one block: drawn together, from a stream of their own and from values of their own."""

_LENGTHS, _EACH = 32, 4
_POOL = _LENGTHS * _EACH
_SIZES = (0, *(1,) * 8, *(2,) * 8, *(3,) * 5, *(4,) * 3, 5, 6, 7, 8, 9, 12, 16)
_KINDS = 1024
_LARGE, _LARGEST = 2, 3
_LARGEST_SLATE = 8 << 20
_RESPELLED, _SPOILT, _BROKEN, _COLUMNS = 90, 360, 455, 600


@dataclass(frozen=True)
class Plan:
    """Everything that the requests of a schema are made with.

    Attributes:
        schema: the schema.
        max_candidates: the most candidates that the bundle takes.
        values: what makes each feature's values.
        flaws: what spoils requests.
    """

    schema: Schema
    max_candidates: int
    values: dict[str, Values]
    flaws: Flaws

    @classmethod
    def of(cls, schema: Schema, max_candidates: int, vocabulary: Vocabulary | None) -> Plan:
        """Return the plan of a schema; `vocabulary` holds values that the bundle's graph knows."""
        known = vocabulary or {}
        values = {feature.name: Values(feature, known.get(feature.name, ())) for feature in schema.features}
        return cls(schema, max_candidates, values, Flaws(schema, values))

    def features(self, placement: Placement) -> tuple[Feature, ...]:
        """Return the features of a placement."""
        return self.schema.context if placement == "context" else self.schema.candidate

    def members(self, placement: Placement, source: Source) -> list[bytes]:
        """Return the members of an object that every reader takes."""
        lengths: dict[str | None, int] = {}
        made = []
        for feature in self.features(placement):
            values, length = self.values[feature.name], None
            if feature.group is not None:
                length = lengths.setdefault(feature.group, values.length(source))
            made.append(self.member(values, length, source))
        return [member for member in made if member]

    def member(self, values: Values, length: int | None, source: Source) -> bytes:
        """Return a feature's member, at times missing, null or invalid where a policy absorbs that; empty if absent."""
        kind = source.below(32)
        if kind < 3 and not length:
            if values.absorbs_missing and kind < 2:
                return values.name + b"null" if kind else b""
            if values.absorbs_invalid:
                return values.name + values.bad(source)
        return values.name + values.good(source, length)


def fuzz_cases(
    schema: Schema, max_candidates: int, count: int, seed: int, vocabulary: Vocabulary | None = None
) -> Iterator[Case]:
    """Yield requests that no person would write: about two thirds of them score, the others are refused for a reason.

    The requests are a function of the arguments: the same on every host, in every process. Request i does not depend
    on `count`. A few hold line feeds, so a file of them is no file of one request a line.

    Args:
        schema: the bundle's schema.
        max_candidates: the most candidates that the bundle takes.
        count: how many requests.
        seed: any integer.
        vocabulary: values that the bundle's graph knows, by feature; see `vocabulary_of`. Without it nearly all values
            of a feature whose policy refuses unseen ones are refused.
    """
    plan = Plan.of(schema, max_candidates, vocabulary)
    entries = {name: list(known) for name, known in (vocabulary or {}).items()}
    key = key_of(schema, max_candidates, seed, entries)
    made = (raw for block in range((count + BLOCK - 1) // BLOCK) for raw in _block(plan, Stream(key, block)))
    for number, raw in enumerate(islice(made, count), start=1):
        yield Case(FUZZ, number, raw)


def _block(plan: Plan, stream: Stream) -> Iterator[bytes]:
    kinds = stream.many_below(_KINDS, BLOCK).tolist()
    sizes = [min(_SIZES[at], plan.max_candidates) for at in stream.many_below(len(_SIZES), BLOCK).tolist()]
    ks = stream.many_below(4 * len(GOOD_K), BLOCK).tolist()
    contexts = _rows(plan, "context", BLOCK, stream)
    candidates = _rows(plan, "candidate", sum(sizes), stream)
    first = 0
    for kind, size, at, context in zip(kinds, sizes, ks, contexts, strict=True):
        k = GOOD_K[at] if at < len(GOOD_K) else None
        rows = candidates[first : first + size]
        first += size
        if kind >= _COLUMNS:
            yield _plain(context, rows, k)
            continue
        document = Document(_present(context), [_present(row) for row in rows], k)
        document.columnar = kind % 4 == 0 or kind >= _BROKEN
        if kind >= _BROKEN:
            yield document.to_bytes()
            continue
        if kind < _LARGEST:
            yield _large(plan, document, kind >= _LARGE, stream)
        elif kind < _RESPELLED:
            yield respelled(document, stream)
        elif kind < _SPOILT:
            yield plan.flaws.spoil(document, stream)
        else:
            yield plan.flaws.break_text(document, stream)


def _present(row: Sequence[bytes]) -> list[bytes]:
    return [member for member in row if member]


def _plain(context: Sequence[bytes], rows: Sequence[Sequence[bytes]], k: bytes | None) -> bytes:
    head = b'{"context":{' + b",".join(filter(None, context)) + b'},"candidates":['
    slate = b"{" + b"},{".join([b",".join(filter(None, row)) for row in rows]) + b"}" if rows else b""
    return head + slate + (b"]}" if k is None else b'],"k":' + k + b"}")


def _rows(plan: Plan, placement: Placement, count: int, stream: Stream) -> list[tuple[bytes, ...]]:
    """Return the members of many objects: each feature's from a pool of the block, members of a group of one length."""
    features = plan.features(placement)
    if not features:
        return [()] * count
    lengths: dict[str, list[int]] = {}
    groups: dict[str, list[int]] = {}
    columns = []
    for feature in features:
        values = plan.values[feature.name]
        if feature.group is None:
            pool = [plan.member(values, None, stream) for _ in range(_POOL)]
            drawn = stream.many_below(_POOL, count).tolist()
        else:
            if feature.group not in lengths:
                lengths[feature.group] = [values.length(stream) for _ in range(_LENGTHS)]
                groups[feature.group] = (stream.many_below(_LENGTHS, count) * _EACH).tolist()
            pool = [plan.member(values, length, stream) for length in lengths[feature.group] for _ in range(_EACH)]
            places = zip(groups[feature.group], stream.many_below(_EACH, count).tolist(), strict=True)
            drawn = [base + off for base, off in places]
        columns.append(map(pool.__getitem__, drawn))
    return list(zip(*columns, strict=True))


def _extent(row: list[bytes]) -> int:
    return 3 + sum(len(member) + 1 for member in row)


def _large(plan: Plan, seed: Document, at_limit: bool, stream: Stream) -> bytes:
    """Return a slate that grows from the candidates of a small one: repeated in a drawn order, some of them changed."""
    limit = plan.max_candidates
    if at_limit:
        size = limit + (0, 1, -1, 1)[stream.below(4)]
    else:
        # Every order of magnitude as often as the next.
        size = min(limit, max(2, int(limit ** ((stream.below(1024) + 1) / 1024))))
    grown = [plan.members("candidate", stream) for _ in range(2 + stream.below(30))]
    if isinstance(seed.candidates, list):
        grown += [row for row in seed.candidates if isinstance(row, list)]
    # A frame of the probe holds 64 MiB: what is very long is not repeated, and vectors of thousands make small slates.
    shortest = min(grown, key=_extent)
    size = min(size, max(2, _LARGEST_SLATE // _extent(shortest)))
    grown = [row for row in grown if _extent(row) * size <= _LARGEST_SLATE] or [shortest]
    places = stream.many_below(len(grown), size).tolist()
    seed.candidates = [grown[place] for place in places]
    for _ in range(min(size, stream.below(8))):
        seed.candidates[stream.below(size)] = plan.members("candidate", stream)
    seed.columnar = stream.below(4) == 0
    if stream.below(4) == 0:
        # One flaw deep inside: the readers must agree on which candidate it is.
        seed.candidates[stream.below(size)] = list(plan.members("candidate", stream))
        return plan.flaws.spoil(seed, stream)
    return seed.to_bytes()
