"""Legal but unusual values: whether the graph runs on them, and makes of them what its reference makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from twinrank.export.bundle import FloatArray, Tolerance
from twinrank.export.graph._back import Back
from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._reference import FAR, reference_outputs, reference_word
from twinrank.export.graph._slates import Blocks
from twinrank.training.transforms import FrontGraph


def measure_extremes(
    run: Callable[[Blocks], Sequence[FloatArray]],
    back: Back,
    front: FrontGraph,
    extremes: Sequence[tuple[str, Blocks]],
    outputs: Sequence[str],
    units: Mapping[str, float],
    tolerances: Mapping[str, Tolerance],
    *,
    whole: bool = False,
) -> list[Finding]:
    """What the graph makes of legal but unusual values, where its reference makes something else of them.

    Values of the reference that are numbers and no NaN must be met within 1e-4 of their size, or of the output's;
    its NaNs must be NaN. Where it overflows, the order of additions decides what comes out: infinities are not
    compared, nor slates with the ends of float32 in them.

    Args:
        run: the exported graph.
        back: the reference.
        front: encodes blocks for it.
        extremes: slates with what they hold.
        outputs: the heads, the score last.
        units: what differences are measured in, at least.
        tolerances: what usual requests differ by; as much is nothing new.
        whole: see `reference_outputs`.

    Returns:
        ``edge_fails`` where one of the two fails, ``reference_differs`` where they differ, at most one a slate.
    """
    findings = []
    for label, slate in extremes:
        if label.startswith("large floats"):
            continue
        try:
            found = run(slate)
            expected = reference_outputs(back, front, slate, outputs, whole=whole, found=found)
        except Exception as e:  # the user's module may raise anything
            findings.append(_fails(label, f"the {reference_word(back.kind)} itself fails", e))
            continue
        for name, actual in zip(outputs, found, strict=True):
            wanted = expected[name]
            with np.errstate(invalid="ignore", over="ignore"):
                apart = np.abs(wanted.astype(np.float64) - actual)
                far = apart > np.maximum(FAR * np.maximum(units[name], np.abs(wanted)), tolerances[name].a)
            far |= np.isnan(wanted) != np.isnan(actual)
            far &= ~np.isinf(wanted)
            if far.any():
                row = int(np.flatnonzero(far)[0])
                findings.append(
                    Finding(
                        "reference_differs",
                        f"output {name!r}",
                        f"is {actual[row]:.9g} and not the {reference_word(back.kind)}'s {wanted[row]:.9g} for {label}",
                        "Look for NaN in comparisons, sorts and signs, for integers that become float32 or are clamped "
                        "(ONNX Runtime 1.29.0 takes 2^31 to 2^32 - 1 for negative: remainder() first), and for ties: "
                        "torch.sort(stable=True) keeps their order, topk and argsort need not",
                    )
                )
                break
    return findings


def failing_extremes(
    run: Callable[[Blocks], Sequence[FloatArray]], extremes: Sequence[tuple[str, Blocks]]
) -> list[Finding]:
    """``edge_fails`` for each slate that the graph cannot run, although the schema allows it."""
    findings = []
    for label, slate in extremes:
        try:
            run(slate)
        except ExportError as e:
            findings.append(_fails(label, "the graph fails", e))
    return findings


def _fails(label: str, what: str, error: Exception) -> Finding:
    text = str(error.detail if isinstance(error, ExportError) else error).strip().splitlines()
    return Finding(
        "edge_fails",
        label,
        f"{what} on values that the schema allows: {text[0] if text else type(error).__name__}",
        "Bound what becomes an index (clamp, remainder), or let a transform do it: any legal value may come",
    )
