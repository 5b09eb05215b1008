"""What speaks against an export before it is measured, and what a person may let pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import onnx

from twinrank.export.bundle import Allowed, operators
from twinrank.export.graph._compose import all_nodes
from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._slates import Blocks, size_of
from twinrank.export.graph.rewrites import attribute
from twinrank.training.schema import Packing

ALLOWABLE = {
    "batch_variant": "a candidate's bits depend on the slate it is in; the evidence counts the differing values",
    "reference_loose": "the graph is farther from its reference than 1e-4 of the largest value, not 1e-3",
    "few_requests": "the sample requests hold fewer than 50 distinct candidates",
}
"""Findings that `--allow NAME=REASON` lets pass, with what that means. All others are refusals."""

MIN_DISTINCT = 50
_MAX_DETAIL = 4096
_MAX_REASON = 4096
_MAX_NODES_NAMED = 3

_LOOPS = "the number of steps depends on the data, so no bound holds for a request"
_RANDOM = "its output is random, so no score can be proved"
_STRINGS = "strings are turned into keys before the graph runs, and the runtime's own handling depends on the locale"
_QUANTISED = "it quantises by the range of the whole batch, so a candidate's score depends on the others"
_SEQUENCES = "sequences and optionals cannot be read from Java"
_FORBIDDEN: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ["DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"],
        (_QUANTISED, "Quantise statically (QuantizeLinear with constant scales), or only the tables"),
    ),
    **dict.fromkeys(
        ["Loop", "Scan"],
        (
            _LOOPS,
            "Use padded tensors and a mask. nn.EmbeddingBag with [n, L] input is replaced by itself; "
            "F.embedding_bag and bags with offsets are not: gather, mask and sum",
        ),
    ),
    **dict.fromkeys(
        ["SequenceEmpty", "SequenceInsert", "SequenceAt", "SequenceConstruct", "ConcatFromSequence", "SplitToSequence"],
        (_SEQUENCES, "Use padded tensors and a mask instead of Python lists of tensors"),
    ),
    **dict.fromkeys(
        ["Optional", "OptionalGetElement", "OptionalHasElement"], (_SEQUENCES, "Give every input and output a tensor")
    ),
    **dict.fromkeys(
        ["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"],
        (_RANDOM, "Remove the sampling, or do it when the module is made"),
    ),
    "Dropout": (_RANDOM, "Call eval() before the file is written"),
    "Unique": ("its output's size depends on the values", "Look values up one by one instead of once each"),
    **dict.fromkeys(
        ["StringNormalizer", "StringSplit", "StringConcat", "RegexFullMatch", "TfIdfVectorizer", "Tokenizer"],
        (_STRINGS, "Declare the feature as string in the schema, and look up its key with a vocabulary"),
    ),
}


def lint(model: onnx.ModelProto) -> list[Finding]:
    """Everything in a composed slate graph that no measurement is needed for, in the graph's order.

    ``operator_forbidden`` names operators that a bundle may not hold, with why; ``training_mode`` nodes that still
    train.
    """
    allowed = operators()
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    forbidden: dict[tuple[str, str], list[str]] = defaultdict(list)
    found = []
    for node in all_nodes(model.graph):
        if node.op_type in ("BatchNormalization", "Dropout") and attribute(node, "training_mode", 0):
            found.append(
                Finding(
                    "training_mode",
                    node.name,
                    f"{node.op_type} normalises by the batch that it meets",
                    "Call eval() on the outermost module before it is exported",
                )
            )
        elif not allowed.permits(node.domain, node.op_type, opsets.get(node.domain, 0)):
            forbidden[node.domain, node.op_type].append(node.name)
    for (domain, operator), nodes in forbidden.items():
        found.append(_forbidden(domain, operator, nodes))
    return found


def _forbidden(domain: str, operator: str, nodes: Sequence[str]) -> Finding:
    named = ", ".join(nodes[:_MAX_NODES_NAMED]) + (f" and {len(nodes) - 3} more" if len(nodes) > 3 else "")
    if domain not in ("", "ai.onnx.ml"):
        why, remedy = (
            f"the domain {domain!r} is not ONNX's, and another reader need not know it",
            "Write it with operators of ONNX itself, or export from the framework again",
        )
    else:
        why, remedy = _FORBIDDEN.get(
            operator,
            (
                "it is not on the contract's list",
                "Use operators of tests/contract/vectors/operators.json: bounded in time, and on numbers only",
            ),
        )
    detail = f"{domain or 'ai.onnx'}:{operator} may not be in a bundle: {why}"
    return Finding("operator_forbidden", named, detail, remedy)


def few_requests(slates: Sequence[Blocks], packing: Packing) -> list[Finding]:
    """``few_requests`` if the slates hold too few different candidates to say anything about 10,000."""
    names = [block.name for block in packing.blocks if block.placement == "candidate"]
    distinct: set[bytes] = set()
    for slate in slates:
        for row in range(size_of(slate, packing)):
            distinct.add(b"".join(slate[name][row].tobytes() for name in names))
            if len(distinct) >= MIN_DISTINCT:
                return []
    return [
        Finding(
            "few_requests",
            "",
            f"the sample requests hold {len(distinct)} different candidates, and {MIN_DISTINCT} are wanted",
            "Give more requests, as they come in production",
        )
    ]


def read_allowances(texts: Sequence[str]) -> dict[str, str]:
    """``NAME=REASON`` texts as name to reason.

    Raises:
        ExportError: ``allow_unknown`` for a name that may not be allowed or is given twice, or a reason that is empty,
            too long or not printable.
    """
    reasons: dict[str, str] = {}
    for text in texts:
        name, _, reason = text.partition("=")
        if name not in ALLOWABLE:
            raise ExportError(
                "allow_unknown",
                f"{name!r} cannot be allowed",
                f"These can: {', '.join(sorted(ALLOWABLE))}; whatever else is found must be mended",
            )
        if not reason.strip() or len(reason) > _MAX_REASON:
            raise ExportError(
                "allow_unknown",
                f"{name} has {'no reason' if not reason.strip() else f'a reason of {len(reason)} characters'}",
                f'Write --allow {name}="why", at most {_MAX_REASON} characters: every reader shows it',
            )
        if not reason.strip().isprintable():
            raise ExportError(
                "allow_unknown",
                f"the reason for {name} holds characters that are not printable: {reason.strip()!a}",
                "Write one line of plain text: every reader shows it, terminals too",
            )
        if name in reasons:
            raise ExportError("allow_unknown", f"{name} is allowed twice", "Give one reason that holds for all of it")
        reasons[name] = reason.strip()
    return reasons


def judge(findings: Sequence[Finding], reasons: Mapping[str, str], tell: Callable[[str], None]) -> tuple[Allowed, ...]:
    """What was found and allowed, as the evidence states it.

    Raises:
        ExportError: with all findings that were not allowed.
    """
    refused = [finding for finding in findings if finding.name not in ALLOWABLE or finding.name not in reasons]
    if refused:
        raise ExportError.of(refused)
    for name in sorted(set(reasons) - {finding.name for finding in findings}):
        tell(f"nothing was found that --allow {name} would let pass")
    return tuple(
        Allowed(finding.name, (f"{finding.node}: " if finding.node else "") + finding.detail, reasons[finding.name])
        for finding in _cut(findings)
    )


def _cut(findings: Sequence[Finding]) -> Iterator[Finding]:
    for finding in findings:
        room = _MAX_DETAIL - len(finding.node) - 2
        yield Finding(finding.name, finding.node, finding.detail[:room], finding.remedy)
