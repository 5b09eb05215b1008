"""Phase "goldens" of reading: a stored request replayed, and compared with what it must give."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from twinrank.export.bundle._bits import FloatArray, order_of
from twinrank.export.bundle._goldens import Expectation, Golden, differing_order, differing_values
from twinrank.export.bundle._manifest import Manifest
from twinrank.export.bundle._tensors import Array
from twinrank.training.schema import Request, ScoringError, pack


class Scorer(Protocol):
    """What a replay needs of a bundle."""

    manifest: Manifest

    def read(self, raw: bytes) -> Request:
        """The checked request."""
        ...

    def run(self, blocks: Mapping[str, Array], n: int) -> tuple[FloatArray, ...]:
        """The outputs, the score last."""
        ...


def differs(scorer: Scorer, golden: Golden, *, exact: bool, attested: Expectation | None) -> str | None:
    """Why a golden's replay is not what it must be, or None.

    Args:
        scorer: the bundle whose session is open.
        golden: the stored request and its expectation.
        exact: whether outputs and order must be the stored ones to the bit; else within the manifest's tolerances.
        attested: what this host class is attested to give; then the replay must be that to the bit too.
    """
    expected = golden.expected
    try:
        request = scorer.read(golden.request)
        blocks = pack(request, scorer.manifest.packing)
        outputs = scorer.run(blocks, request.n) if request.n else ()
    except ScoringError as e:
        return (
            None if e.code == expected.error else f"gave {e.code} instead of {expected.error or 'scores'}: {e.message}"
        )
    if expected.error is not None:
        return f"was accepted; expected {expected.error}"
    if request.n != expected.n:
        return f"has {request.n} candidates instead of {expected.n}"
    if request.n == 0:
        return None
    for block, stored in zip(scorer.manifest.packing.blocks, expected.inputs, strict=True):
        if blocks[block.name].tobytes() != stored.tobytes():
            return f"block {block.name} is packed to other bytes"
    if attested is not None:
        detail = _differing(scorer.manifest, attested, (attested.outputs,), outputs, exact=True)
        if detail is not None:
            return f"is not as attested: {detail}"
    return _differing(scorer.manifest, expected, (expected.outputs, expected.stored), outputs, exact=exact)


def _differing(
    manifest: Manifest,
    expected: Expectation,
    forms: Sequence[tuple[FloatArray, ...]],
    outputs: tuple[FloatArray, ...],
    *,
    exact: bool,
) -> str | None:
    for form in forms:
        for head, values, actual in zip(manifest.outputs, form, outputs, strict=True):
            detail = differing_values(values, actual, None if exact else manifest.tolerances[head.name].a)
            if detail is not None:
                return f"output {head.name}: {detail}"
    order, dropped = order_of(outputs[-1])
    if tuple(int(i) for i in dropped) != expected.dropped:
        return f"drops {dropped.tolist()} instead of {list(expected.dropped)}"
    return differing_order(
        expected.order, order, expected.outputs[-1], None if exact else manifest.tolerances["score"].a
    )
