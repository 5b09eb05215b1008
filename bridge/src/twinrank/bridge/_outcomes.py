"""What a parity run tells beside its sums: refusals by code, pairs, invariance, split readers, and how it was run.

The engine fills these; the report, the terminal table and junit.xml show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

BaselineKind = Literal["route", "goldens"]
"""Who says what is right: a route that computes, or the answers that the bundle's exporter sealed."""


@dataclass
class RefusalTally:
    """Requests that at least one of two sides refused, by what both said.

    Attributes:
        expected: the baseline's code; None where it answered.
        actual: the route's code; None where it answered.
        count: how many requests.
        agreed: how many of them name the same feature and candidate too; 0 unless both codes are the same.
    """

    expected: str | None
    actual: str | None
    count: int = 0
    agreed: int = 0


@dataclass
class InvarianceTally:
    """One route's scores of a candidate alone, in other slates and in other orders, against those of the request.

    Attributes:
        requests: how many requests were re-asked in other forms.
        rows: candidates compared, each once a form.
        differing_rows: how many differ in a bit of any output.
        differing_bits: over all outputs.
        first: the first difference in one line (form, request, candidate, output, both bits); empty where none is.
        asked: the two requests that show it, whole and in the other slate.
        at: its output, and its candidate's position in either.
    """

    requests: int = 0
    rows: int = 0
    differing_rows: int = 0
    differing_bits: int = 0
    first: str = ""
    asked: tuple[bytes, bytes] | None = None
    at: tuple[str, int, int] | None = None


@dataclass
class PairTally:
    """Two routes compared with each other, whatever the baseline says; `one` comes before `other` in the run.

    Attributes:
        rows: candidates whose outputs both showed.
        differing_rows: those with a differing bit in any output.
        differing_bits: over all outputs.
        requests: requests that both were asked and answered or refused.
        disagreed: requests with another decision: refused by one only, refused with another code, other order.
    """

    one: str
    other: str
    rows: int = 0
    differing_rows: int = 0
    differing_bits: int = 0
    requests: int = 0
    disagreed: int = 0


@dataclass(frozen=True)
class Split:
    """The worst finding: one reader serves a bundle that another refuses.

    Attributes:
        serves: the readers that serve it, the baseline among them where it does.
        refuses: the others, with code and detail of the refusal.
    """

    serves: tuple[str, ...]
    refuses: Mapping[str, str]


@dataclass(frozen=True)
class RunFacts:
    """How, when and where a run was made: facts for the report, never for a bundle.

    Attributes:
        started: when it began, UTC.
        ended: when it ended, UTC.
        command: the command line that was run, one word an element, without secrets.
        require: what readers had to reach on this host.
        baseline_kind: see `BaselineKind`.
        fuzz: how many requests were generated; 0 for none.
        seed: the seed that they were generated from; None without.
        report: the report folder as it was given on the command line: what commands to type again refer to.
        host: facts of this side by name: CPU, cores, operating system, Python, numpy, ONNX Runtime and its library's
            sha256.
    """

    started: datetime
    ended: datetime
    command: tuple[str, ...] = ()
    require: str = "bits"
    baseline_kind: BaselineKind = "route"
    fuzz: int = 0
    seed: int | None = None
    report: str = "report"
    host: Mapping[str, str] = field(default_factory=dict)
