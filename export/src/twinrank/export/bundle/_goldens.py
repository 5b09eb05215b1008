"""Phase 6 of reading: the stored requests, parsed strictly and replayed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twinrank.export.bundle._bits import FloatArray, bits_from_hex, bits_to_hex, canonical_bits
from twinrank.export.bundle._fields import without_extensions
from twinrank.export.bundle._json import Json, JsonError, dump_line, parse_json
from twinrank.export.bundle._manifest import RANKINGS, REQUESTS, Head, Manifest
from twinrank.export.bundle._problems import Findings
from twinrank.export.bundle._tensors import Array, TensorFormatError, tensor_from_bytes
from twinrank.training.schema import SCORING_CODES

_SCORED_FIELDS = frozenset({"golden", "n", "data_set", "heads", "score", "order", "dropped"})
_REFUSED_FIELDS = frozenset({"golden", "error"})


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a golden's request must give.

    Attributes:
        n: number of candidates; -1 for a request that must be refused.
        error: the expected scoring code of a refusal, else None.
        inputs: the blocks in packing order; empty for n = 0 and refusals.
        outputs: per head, the score last, float arrays of shape [n].
        order: the whole ranking.
        dropped: the candidates without one.
        stored: the outputs as the tensor files hold them; they equal ``outputs`` in a bundle without contradiction.
    """

    n: int
    error: str | None = None
    inputs: tuple[Array, ...] = ()
    outputs: tuple[FloatArray, ...] = ()
    order: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    stored: tuple[FloatArray, ...] = ()


@dataclass(frozen=True, slots=True)
class Golden:
    """A stored raw request with its expectation."""

    request: bytes
    expected: Expectation


class GoldenFormatError(ValueError):
    """A golden contradicts the contract or the manifest."""


def ranking_line(index: int, expected: Expectation, heads: tuple[Head, ...], data_set: int | None) -> bytes:
    """The line of rankings.jsonl for one golden. ``heads`` are without the score."""
    if expected.error is not None:
        return dump_line({"golden": index, "error": expected.error})
    fields: dict[str, Json] = {"golden": index, "n": expected.n, "data_set": data_set}
    if not expected.n:
        return dump_line(fields | {"heads": {}, "score": [], "order": [], "dropped": []})
    return dump_line(fields | score_fields(expected, heads))


def read_goldens(contents: Mapping[str, bytes], manifest: Manifest) -> tuple[Golden, ...]:
    """Every golden of a bundle, from the digested bytes.

    Raises:
        BundleError: ``goldens_invalid``.
    """
    found = Findings()
    requests = _lines(contents[REQUESTS], REQUESTS, manifest, found)
    rankings = _lines(contents[RANKINGS], RANKINGS, manifest, found)
    found.stop()
    goldens = []
    used: set[int] = set()
    for index, (request, line) in enumerate(zip(requests, rankings, strict=True)):
        try:
            goldens.append(Golden(request, _expectation(index, line, contents, manifest, used)))
        except (GoldenFormatError, JsonError, TensorFormatError) as e:
            found.add("goldens_invalid", f"{RANKINGS}:{index + 1}", str(e))
    unused = set(range(manifest.data_sets)) - used
    if unused and not list(found):
        found.add("goldens_invalid", RANKINGS, f"no golden uses the data sets {sorted(unused)[:5]}")
    found.stop()
    return tuple(goldens)


def _lines(raw: bytes, path: str, manifest: Manifest, found: Findings) -> list[bytes]:
    lines = raw.split(b"\n")
    if lines.pop():
        found.add("goldens_invalid", path, "does not end with LF")
    elif len(lines) != manifest.goldens:
        found.add("goldens_invalid", path, f"has {len(lines)} lines, the manifest says {manifest.goldens} goldens")
    return lines


def _expectation(
    index: int, line: bytes, contents: Mapping[str, bytes], manifest: Manifest, used: set[int]
) -> Expectation:
    value = parse_json(line)
    if not isinstance(value, dict):
        raise GoldenFormatError("is no object")
    fields = without_extensions(value)
    if set(fields) not in (_SCORED_FIELDS, _REFUSED_FIELDS):
        raise GoldenFormatError(
            f"has the fields {sorted(fields)}; expected {sorted(_SCORED_FIELDS)} or {sorted(_REFUSED_FIELDS)}"
        )
    if _integer(fields["golden"], "golden", 0, manifest.goldens - 1) != index:
        raise GoldenFormatError(f"says golden {fields['golden']} on line {index + 1}")
    if "error" in fields:
        code = fields["error"]
        if not isinstance(code, str) or code not in SCORING_CODES:
            raise GoldenFormatError(f"expects the error {code!r}, which is no scoring code")
        return Expectation(n=-1, error=code)
    n = _integer(fields["n"], "n", 0, manifest.max_candidates)
    if n == 0:
        _indices(fields["order"], "order", 0)
        _indices(fields["dropped"], "dropped", 0)
        if fields["data_set"] is not None or fields["heads"] != {} or fields["score"] != []:
            raise GoldenFormatError("has n = 0, but a data set, heads or scores")
        return Expectation(n=0)
    data_set = _integer(fields["data_set"], "data_set", 0, manifest.data_sets - 1)
    if data_set in used:
        raise GoldenFormatError(f"uses data set {data_set}, which another golden uses")
    used.add(data_set)
    scored = read_scores(fields, n, manifest)
    folder = f"goldens/test_data_set_{data_set}"
    inputs, stored = [], []
    for j, block in enumerate(manifest.packing.blocks):
        shape = tuple(n if dim == -1 else dim for dim in block.shape)
        inputs.append(_tensor(contents, f"{folder}/input_{j}.pb", block.dtype, shape))
    for j, head in enumerate(manifest.outputs):
        stored.append(_float_tensor(contents, f"{folder}/output_{j}.pb", head, n))
    return replace(scored, inputs=tuple(inputs), stored=tuple(stored))


def score_fields(expected: Expectation, heads: tuple[Head, ...]) -> dict[str, Json]:
    """The fields ``heads``, ``score``, ``order`` and ``dropped`` of a golden with n >= 1."""
    return {
        "heads": {head.name: bits_to_hex(output) for head, output in zip(heads, expected.outputs, strict=False)},
        "score": bits_to_hex(expected.outputs[-1]),
        "order": list(expected.order),
        "dropped": list(expected.dropped),
    }


def read_scores(fields: Mapping[str, Json], n: int, manifest: Manifest) -> Expectation:
    """What the fields ``heads``, ``score``, ``order`` and ``dropped`` say of ``n`` >= 1 candidates.

    Raises:
        GoldenFormatError: if they are not as the contract says.
    """
    order = _indices(fields["order"], "order", n)
    dropped = _indices(fields["dropped"], "dropped", n)
    heads = fields["heads"]
    if not isinstance(heads, dict) or set(heads) != {head.name for head in manifest.heads}:
        raise GoldenFormatError(f"heads must be {[head.name for head in manifest.heads]}")
    texts = [heads[head.name] for head in manifest.heads] + [fields["score"]]
    outputs = tuple(_values(text, head, n) for text, head in zip(texts, manifest.outputs, strict=True))
    return Expectation(n, None, (), outputs, order, dropped)


def _integer(value: Json, what: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise GoldenFormatError(f"{what} is {value!r}; expected an integer from {low} to {high}")
    return value


def _indices(value: Json, what: str, n: int) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > n:
        raise GoldenFormatError(f"{what} is no array of at most {n} indices")
    indices = tuple(_integer(item, what, 0, n - 1) for item in value)
    # At reference level a candidate could stand in for another whose score is near.
    if len(set(indices)) != len(indices):
        raise GoldenFormatError(f"{what} holds a candidate twice")
    return indices


def _values(value: Json, head: Head, n: int) -> FloatArray:
    if not isinstance(value, list) or len(value) != n:
        raise GoldenFormatError(f"{head.name} is no array of {n} values")
    texts = [text for text in value if isinstance(text, str)]
    if len(texts) != n:
        raise GoldenFormatError(f"{head.name} holds something that is no string of hex digits")
    try:
        return bits_from_hex(texts, head.dtype)
    except ValueError as e:
        raise GoldenFormatError(f"{head.name}: {e}") from e


def _tensor(contents: Mapping[str, bytes], path: str, dtype: str, shape: tuple[int, ...]) -> Array:
    try:
        _, values = tensor_from_bytes(contents[path])
    except TensorFormatError as e:
        raise TensorFormatError(f"{path}: {e}") from e
    if values.dtype.name != dtype or values.shape != shape:
        raise GoldenFormatError(
            f"{path} holds {values.dtype.name} {list(values.shape)}; expected {dtype} {list(shape)}"
        )
    return values


def _float_tensor(contents: Mapping[str, bytes], path: str, head: Head, n: int) -> FloatArray:
    values = _tensor(contents, path, head.dtype, (n,))
    if values.dtype == np.int64:
        raise GoldenFormatError(f"{path} holds integers")
    return values


def differing_order(
    expected: tuple[int, ...], actual: NDArray[np.int64], score: FloatArray, tolerance: float | None
) -> str | None:
    """Why the actual ranking is not the expected one, or None.

    Args:
        expected: the stored ranking.
        actual: the ranking of the actual scores.
        score: the stored scores, shape [n].
        tolerance: *a* of the score at reference level, where a swap of scores at most 2a apart is no difference; None
            for bits.
    """
    if len(expected) != len(actual):
        return f"ranks {len(actual)} candidates instead of {len(expected)}"
    for place, (want, got) in enumerate(zip(expected, actual, strict=True)):
        if want == got:
            continue
        if tolerance is None:
            return f"place {place} has candidate {got} instead of {want}"
        gap = abs(float(score[want]) - float(score[got]))
        if score[want] != score[got] and not gap <= 2 * tolerance:
            return f"place {place} has candidate {got} instead of {want}, {gap} apart; allowed are {2 * tolerance}"
    return None


def differing_values(expected: FloatArray, actual: FloatArray, tolerance: float | None) -> str | None:
    """Why the actual outputs are not the expected ones, or None: bit by bit, or within a given ``tolerance``."""
    differs = canonical_bits(expected) != canonical_bits(actual)
    if tolerance is not None:
        with np.errstate(invalid="ignore"):
            gap = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
        differs &= ~(gap <= tolerance)
    where = np.flatnonzero(differs)
    if not where.size:
        return None
    i = int(where[0])
    return f"{where.size} of {expected.size} values differ; candidate {i} is {actual[i]!r} instead of {expected[i]!r}"
