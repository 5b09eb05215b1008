"""The case again under one changed condition at a time: which of them gives exactly the route's bits?"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np

from twinrank.bridge._findings import CauseCode
from twinrank.bridge._scorer import SCORE, Array, RouteError, RouteScores
from twinrank.bridge._values import hex_bits, measure
from twinrank.bridge.explain._bisect import Runner, locate_condition
from twinrank.bridge.explain._inquiry import Inquiry, equal_outputs, equal_values, ranking
from twinrank.bridge.explain._models import is_tree, load, name_of, trees
from twinrank.bridge.explain._requests import dump, parse, with_one
from twinrank.export.bundle import SessionSettings

_THREADS = (2, 4, 8)
_CHUNKS = (1, 2, 3, 4, 8, 16, 32, 64)
_PADS = (2, 4, 8, 16, 64, 128)


def vary_session(inquiry: Inquiry) -> None:
    """Other session options in the baseline's runtime: threads, levels, prepacking, arena, memory pattern, mode."""
    if inquiry.proven or not inquiry.outputs_differ:
        return
    own = inquiry.manifest.session
    if not _stands(inquiry):
        return
    for code, said, settings in _sessions(own):
        if settings == own or not inquiry.reproduces(inquiry.heads_of(inquiry.run_own(settings=settings))):
            continue
        if not inquiry.holds_elsewhere(partial(_gives, inquiry, settings)):
            continue
        evidence = [
            f"under {said} the baseline's own session gives exactly {inquiry.route}'s bits, "
            "for the bundle's goldens too"
        ]
        evidence.append(f"the bundle says {_options(own, settings)}")
        remedy = "open the session under the options that the manifest states"
        if code == "intra_op_threads":
            evidence += _tree_evidence(inquiry)
            remedy = "open the session with the manifest's intra_op_num_threads: sums of trees depend on it"
        inquiry.add(code, f"{inquiry.route} runs its session under {said}", evidence, remedy, proven=True)
        other = partial(_under, inquiry, settings)
        locate_condition(inquiry, other, f"found in the baseline's own runtime, the other side under {said}")
        return
    inquiry.notes.append("other session options (threads, levels, prepacking, arena) do not give the route's bits")


def _gives(inquiry: Inquiry, settings: SessionSettings, raw: bytes, expected: RouteScores, actual: RouteScores) -> bool:
    del expected
    return equal_outputs(inquiry.heads_of(inquiry.run_own(settings=settings, blocks=inquiry.packed(raw))), actual)


def _under(inquiry: Inquiry, settings: SessionSettings, taps: Sequence[str]) -> Mapping[str, Array]:
    return inquiry.run_own(settings=settings, taps=taps)


def _stands(inquiry: Inquiry) -> bool:
    """Whether the graph, run by itself, gives the baseline's own bits: else an experiment on it says nothing."""
    both = inquiry.scores
    if both is None or both[0].n == 0:
        return False
    own = inquiry.heads_of(inquiry.run_own())
    if equal_outputs(own, both[0]) or inquiry.expected.packed != inquiry.actual.packed:
        return True
    inquiry.notes.append("the bundle's graph, run by itself, does not give the baseline's bits: no experiment on it")
    return False


def _sessions(own: SessionSettings) -> Iterator[tuple[CauseCode, str, SessionSettings]]:
    for threads in _THREADS:
        yield "intra_op_threads", f"{threads} intra-op threads", dataclasses.replace(own, intra_op_num_threads=threads)
    for level in ("none", "basic", "extended", "all"):
        changed = dataclasses.replace(own, graph_optimization_level=level)
        yield "other_session_options", f"the optimisation level {level}", changed
    switches = {
        "prepacking": dataclasses.replace(own, prepacking=not own.prepacking),
        "the memory arena": dataclasses.replace(own, cpu_mem_arena=not own.cpu_mem_arena),
        "memory patterns": dataclasses.replace(own, mem_pattern=not own.mem_pattern),
    }
    for said, changed in switches.items():
        yield "other_session_options", f"{said} switched", changed
    changed = dataclasses.replace(own, execution_mode="parallel", inter_op_num_threads=2)
    yield "other_session_options", "parallel execution with 2 inter-op threads", changed


def _options(own: SessionSettings, changed: SessionSettings) -> str:
    here, there = own.to_json(), changed.to_json()
    return ", ".join(f"{name} {here[name]}" for name in here if here[name] != there[name])


def _tree_evidence(inquiry: Inquiry) -> list[str]:
    nodes = [(at, node) for at, node in enumerate(load(inquiry.bundle).nodes) if is_tree(node)]
    return [
        f"{name_of(node, at)} is a {node.op_type} of {trees(node)} trees, whose sum threads split" for at, node in nodes
    ]


def vary_rows(inquiry: Inquiry) -> None:
    """The same candidates in other slates: alone, in chunks, padded, reversed."""
    both = inquiry.scores
    if inquiry.proven or both is None or not inquiry.outputs_differ or both[0].n == 0 or not _stands(inquiry):
        return
    n = both[0].n
    for said, values in _forms(inquiry, both, n):
        inquiry.check_time()
        outputs = values(())
        if outputs is not None and inquiry.reproduces(inquiry.heads_of(outputs)):
            inquiry.add(
                "row_dependent_kernel",
                f"{inquiry.route} scores the slate {said}, and a kernel of the graph computes a row otherwise then",
                [f"scored {said}, the baseline gives exactly {inquiry.route}'s bits", *_alone(inquiry)],
                "score the slate as one batch as it came; or export a graph whose rows do not depend on each other "
                "(twinrank export measures that)",
                proven=True,
            )
            locate_condition(inquiry, values, f"found in the baseline's own runtime, the other side scored {said}")
            return
    changed = _alone(inquiry)
    if changed:
        inquiry.add(
            "row_dependent_kernel",
            f"{inquiry.route} gives a candidate other bits when it is scored alone",
            changed,
            "export a graph whose rows do not depend on each other (twinrank export measures that)",
            proven=False,
        )
    else:
        inquiry.notes.append("other slates (one by one, in chunks, padded, reversed) do not give the route's bits")


def _forms(inquiry: Inquiry, both: tuple[RouteScores, RouteScores], n: int) -> Iterator[tuple[str, Runner]]:
    """Other slates that hold the same candidates: what they are called, and the graph's values for our candidates."""
    row = _first_row(*both)
    for size in (each for each in _CHUNKS if each < n and _chunk_gives(inquiry, both[1], n, each, row)):
        said = "one candidate at a time" if size == 1 else f"in chunks of {size}"
        yield said, partial(_chunked, inquiry, n, size)
    for size in sorted({n + 1, *(-(-n // pad) * pad for pad in _PADS)} - {n}):
        yield f"padded to {size} candidates", partial(_padded, inquiry, n, size, "edge")
        yield f"padded with zeros to {size} candidates", partial(_padded, inquiry, n, size, "constant")
    if n > 1:
        yield "in reverse", partial(_reversed, inquiry, n)


def _chunk_gives(inquiry: Inquiry, actual: RouteScores, n: int, size: int, row: int) -> bool:
    """Whether the one chunk that holds a row gives the route's bits for it: the others are worth running only then."""
    at = row // size * size
    values = inquiry.heads_of(_on_rows(inquiry, _slice(at, size), (), _slice(0, n), min(size, n - at)))
    place = slice(row - at, row - at + 1)
    return all(equal_values(values[name][place], there[row : row + 1]) for name, there in actual.outputs.items())


def _on_rows(
    inquiry: Inquiry, change: Callable[[Array], Array], taps: Sequence[str], back: Callable[[Array], Array], n: int
) -> dict[str, Array]:
    """The graph's values on changed candidates; `back` undoes the change in what has a row a changed candidate."""
    of_candidates = {block.name for block in inquiry.manifest.packing.blocks if block.placement == "candidate"}
    blocks = {name: change(block) if name in of_candidates else block for name, block in inquiry.blocks.items()}
    values = inquiry.run_own(blocks=blocks, taps=taps)
    # What has no row a candidate (the context's values, shapes) is not to be compared between slates.
    return {name: back(value) for name, value in values.items() if _has_rows(value, n)}


def _has_rows(value: object, n: int) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0 and value.shape[0] == n


def _chunked(inquiry: Inquiry, n: int, size: int, taps: Sequence[str]) -> Mapping[str, Array]:
    parts = [_on_rows(inquiry, _slice(at, size), taps, _slice(0, n), min(size, n - at)) for at in range(0, n, size)]
    joined = {
        name: np.concatenate([part[name] for part in parts]) for name in parts[0] if all(name in p for p in parts)
    }
    if not taps:
        return joined
    # In a chunk of one, a value of the context looks like a candidate's: only the whole slate tells them apart.
    whole = inquiry.run_own(taps=taps)
    return {name: value for name, value in joined.items() if value.shape == whole[name].shape}


def _slice(at: int, size: int) -> Callable[[Array], Array]:
    return lambda block: block[at : at + size]


def _padded(
    inquiry: Inquiry, n: int, size: int, mode: Literal["edge", "constant"], taps: Sequence[str]
) -> Mapping[str, Array]:
    def pad(block: Array) -> Array:
        return np.pad(block, [(0, size - n), *[(0, 0)] * (block.ndim - 1)], mode=mode)

    return _on_rows(inquiry, pad, taps, _slice(0, n), size)


def _reversed(inquiry: Inquiry, n: int, taps: Sequence[str]) -> Mapping[str, Array]:
    def turn(block: Array) -> Array:
        return np.ascontiguousarray(block[::-1])

    return _on_rows(inquiry, turn, taps, turn, n)


def _alone(inquiry: Inquiry) -> list[str]:
    """Whether each side changes the first differing candidate's bits when that is scored alone: one line a change."""
    both = inquiry.scores
    if both is None or both[0].n < 2 or inquiry.lost:
        return []
    at = _first_row(*both)
    document = parse(inquiry.case.raw)
    raw = dump(with_one(document, at))
    lines = []
    for name, scorer, slate in (("the baseline", inquiry.baseline, both[0]), (inquiry.route, inquiry.scorer, both[1])):
        single = scorer.score(raw)
        if isinstance(single, RouteError) or not slate.known[at]:
            continue
        for head, values in slate.outputs.items():
            alone = single.outputs[head][:1]
            if alone.dtype != values.dtype or not equal_values(alone, values[at : at + 1]):
                told = f"{head} {hex_bits(values[at])} in the slate, {hex_bits(alone[0])} alone"
                lines.append(f"{name} changes the bits of candidate {at} when it is alone: {told}")
                break
    return lines


def _first_row(expected: RouteScores, actual: RouteScores) -> int:
    known = np.flatnonzero(expected.known & actual.known)
    for name, values in expected.outputs.items():
        differing = np.flatnonzero(measure(values[known], actual.outputs[name][known]).bits)
        if differing.size:
            return int(known[differing[0]])
    return int(known[0]) if known.size else 0


def vary_output(inquiry: Inquiry) -> None:
    """The baseline's values through roundings that services put between the graph and the wire."""
    both = inquiry.scores
    if inquiry.proven or both is None or not inquiry.outputs_differ:
        return
    expected, actual = both
    for said, change in _roundings():
        for names, what in (((*expected.outputs,), "all outputs"), ((SCORE,), "the score")):
            if not rounds(change, names, expected, actual):
                continue
            if inquiry.holds_elsewhere(lambda _raw, *sides, by=change, of=names: rounds(by, of, *sides)):
                inquiry.add(
                    "output_rounding",
                    f"{inquiry.route} rounds {what}: {said}",
                    [
                        f"the baseline's values, {said}, are exactly {inquiry.route}'s, for the bundle's goldens too",
                        _example(expected, actual),
                    ],
                    "print the exact widening to float64 so that reading it gives the same value (contract, section 7)",
                    proven=True,
                )
                return
    inquiry.notes.append("no rounding of the baseline's outputs (decimal text, narrower floats) gives the route's bits")


def _roundings() -> Iterator[tuple[str, Callable[[float], float]]]:
    yield "through float32", _float32
    yield "through float16", _float16
    yield "through bfloat16", _bfloat16
    for digits in range(16, 0, -1):
        yield f"printed with {digits} significant digits", partial(_printed, f".{digits}g")
    for digits in range(16, -1, -1):
        yield f"printed with {digits} decimals", partial(_printed, f".{digits}f")
    for digits in range(12, -1, -1):
        yield f"cut after {digits} decimals", partial(_cut, digits)


def _float32(value: float) -> float:
    return float(np.float32(value))


def _float16(value: float) -> float:
    return float(np.float16(value))


def _printed(style: str, value: float) -> float:
    return float(format(value, style))


def _cut(digits: int, value: float) -> float:
    return float(np.trunc(value * 10.0**digits) / 10.0**digits)


def _bfloat16(value: float) -> float:
    bits = int.from_bytes(struct.pack("<f", np.float32(value)), "little")
    if not np.isfinite(value):
        return value
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return float(struct.unpack("<f", (rounded & 0xFFFFFFFF).to_bytes(4, "little"))[0])


def _through(change: Callable[[float], float], values: Array) -> Array:
    return np.array([change(float(value)) for value in values], np.float64)


def rounds(change: Callable[[float], float], names: Sequence[str], expected: RouteScores, actual: RouteScores) -> bool:
    """Return whether the named outputs of the baseline, rounded, and its other outputs as they are, are the route's."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = {
            name: _through(change, each) if name in names else each.astype(np.float64)
            for name, each in expected.outputs.items()
        }
    return equal_rounded(values, expected.outputs, actual)


def equal_rounded(rounded: Mapping[str, Array], declared: Mapping[str, Array], actual: RouteScores) -> bool:
    """Return whether rounded values are the route's, in float64 or in the type that the bundle declares for them.

    A route keeps a value wide where the declared type does not hold what a service printed.
    """
    for name, there in actual.outputs.items():
        wide, shown = rounded[name][actual.known], there[actual.known].astype(np.float64)
        with np.errstate(over="ignore"):
            narrow = wide.astype(declared[name].dtype).astype(np.float64)
        if not equal_values(wide, shown) and not equal_values(narrow, shown):
            return False
    return True


def _example(expected: RouteScores, actual: RouteScores) -> str:
    at = _first_row(expected, actual)
    one, other = expected.outputs[SCORE][at], actual.outputs[SCORE][at]
    return (
        f"score of candidate {at}: baseline {float(one)!r} ({hex_bits(one)}), "
        f"route {float(other)!r} ({hex_bits(other)})"
    )


def vary_order(inquiry: Inquiry) -> None:
    """Equal scores in another order: which other rule gives the route's order?"""
    both = inquiry.scores
    if both is None or (both[0].order, both[0].dropped) == (both[1].order, both[1].dropped):
        return
    expected, actual = both
    evidence = [_order_evidence(expected, actual)]
    # Over the route's own scores: whether its values are right is another question.
    if actual.known.all():
        right = ranking(actual.outputs[SCORE], len(actual.order))
        if right == (actual.order, actual.dropped) and inquiry.outputs_differ:
            return  # the order follows from its values, which differ
    score = expected.outputs[SCORE] if not inquiry.outputs_differ or not actual.known.all() else actual.outputs[SCORE]
    for said, order, dropped in _rules(score, expected):
        if (
            tuple(order[: len(actual.order)]) == actual.order
            and dropped == actual.dropped
            and len(order) >= len(actual.order)
        ):
            evidence.insert(0, f"the same scores, ordered {said}, give exactly {inquiry.route}'s ranking")
            inquiry.add("other_order", f"{inquiry.route} orders {said}", evidence, _ORDER, proven=True)
            return
    inquiry.add("other_order", f"{inquiry.route} orders the same scores otherwise", evidence, _ORDER, proven=False)


_ORDER = "order by score descending, ties by input index, drop NaN, cut by k (contract, section 7)"


def _order_evidence(expected: RouteScores, actual: RouteScores) -> str:
    if expected.dropped != actual.dropped:
        return f"dropped: baseline {list(expected.dropped[:12])}, route {list(actual.dropped[:12])}"
    at = next((i for i, (a, b) in enumerate(zip(expected.order, actual.order, strict=False)) if a != b), None)
    if at is None:
        return f"the baseline ranks {len(expected.order)} candidates, the route {len(actual.order)}"
    one, other = expected.order[at], actual.order[at]
    score = expected.outputs[SCORE]
    return (
        f"rank {at + 1}: baseline candidate {one} (score {float(score[one])!r}, {hex_bits(score[one])}), "
        f"route candidate {other} (score {float(score[other])!r}, {hex_bits(score[other])})"
    )


def _rules(score: Array, expected: RouteScores) -> Iterator[tuple[str, list[int], tuple[int, ...]]]:
    """Other orders: what they are called, all candidates in that order, and what they drop."""
    wide = score.astype(np.float64)
    everyone = range(len(wide))
    nan = tuple(i for i in everyone if np.isnan(wide[i]))
    kept = [i for i in everyone if not np.isnan(wide[i])]
    best = sorted(kept, key=lambda i: -wide[i])
    signed = sorted(kept, key=lambda i: (-wide[i], bool(np.signbit(wide[i]))))
    yield "by the contract's rule, but ignores k or cuts elsewhere", best, nan
    yield "ties by index descending", sorted(kept, key=lambda i: (-wide[i], -i)), nan
    yield "from the lowest score up", sorted(kept, key=lambda i: wide[i]), nan
    yield "from the lowest score up, ties by index descending", best[::-1], nan
    yield "+0 above −0", signed, nan
    yield "−0 above +0", sorted(kept, key=lambda i: (-wide[i], not np.signbit(wide[i]))), nan
    yield "NaN last instead of dropping it", [*best, *nan], ()
    yield "NaN first instead of dropping it", [*nan, *best], ()
    yield "in input order", list(everyone), ()
    yield "in input order, NaN dropped", kept, nan
    for said, change in _roundings():
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = _through(change, wide)
        yield f"by scores {said}", _descending(kept, rounded), nan
    for name, values in expected.outputs.items():
        if name != SCORE and not np.isnan(values).any():
            yield f"by the head {name}", _descending(everyone, values), nan


def _descending(indices: Iterable[int], by: Array) -> list[int]:
    return sorted(indices, key=lambda index: -by[index])
