"""Why something cannot become a bundle, and what else was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against an export.

    Attributes:
        name: a stable word, ``[a-z][a-z0-9_]*``; `--allow` and the evidence use it.
        node: where: a node of the graph, an input, an output, a file; empty where it is the whole.
        detail: what was found.
        remedy: what to do.
    """

    name: str
    node: str
    detail: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.node}: " if self.node else ""
        return f"{self.name}: {where}{_ended(self.detail)} {self.remedy}"


def _ended(text: str) -> str:
    """The text as a sentence: with a full stop, unless it is a question already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


class ExportError(Exception):
    """An export was refused; nothing was written.

    Attributes:
        reason: a stable word, the first finding's name: ``outputs_differ_from_heads``, ``shape_baked_in``,
            ``operator_forbidden``, ``training_mode``, ``graph_refused``, ``input_unknown``, ``reference_differs``,
            ``reference_loose``, ``batch_variant``, ``few_requests``, ``no_request``, ``golden_unexpected``,
            ``module_failed``, ``allow_unknown``.
        detail: what was found, where.
        remedy: what to do.
        findings: everything that speaks against the export, as far as it was looked at; at least one.
    """

    def __init__(self, reason: str, detail: str, remedy: str, findings: Iterable[Finding] = ()) -> None:
        self.reason = reason
        self.detail = detail
        self.remedy = remedy
        self.findings = tuple(findings) or (Finding(reason, "", detail, remedy),)
        more = len(self.findings) - 1
        super().__init__(
            f"{reason}: {_ended(detail)} {remedy}"
            + (f" (and {more} more {'finding' if more == 1 else 'findings'})" if more else "")
        )

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> ExportError:
        """The refusal for all of them; the first gives reason, detail and remedy."""
        found = tuple(findings)
        first = found[0]
        return cls(first.name, f"{first.node}: {first.detail}" if first.node else first.detail, first.remedy, found)

    def after(self, findings: Iterable[Finding]) -> ExportError:
        """The same refusal, with what was found before it listed first."""
        return ExportError.of((*findings, *self.findings))
