"""Who answered: what the two sides say of themselves, and where it differs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from twinrank.bridge._findings import CauseCode
from twinrank.bridge._run_facts import host_facts
from twinrank.bridge._scorer import Facts, RouteFailedError
from twinrank.bridge.explain._inquiry import Inquiry
from twinrank.bridge.testee import native_library

REMEDIES: Mapping[CauseCode, str] = {
    "other_bundle": "deploy the bundle that was exported, or compare with the one that is deployed (--deployed DIR)",
    "other_release": "run the release that the bundle names on both sides, or certify the bundle for the other one "
    "(twinrank certify)",
    "other_runtime_library": "use the runtime's official package on both sides: the same release was built otherwise",
    "other_host_class": "export on the class that serves, attest the bundle there (twinrank attest), or accept "
    "reference level (--require reference)",
}
_LIBRARY = ("runtime_library", "native_library", "runtime_jar")


def compare_facts(inquiry: Inquiry) -> None:
    """Add what facts alone point to; nothing here is proven."""
    ours, theirs = inquiry.facts
    if theirs.bundle is not None and theirs.bundle != inquiry.manifest.digest:
        inquiry.add(
            "other_bundle",
            f"{inquiry.route} holds another bundle than the baseline",
            [f"baseline: {inquiry.manifest.digest}", f"{inquiry.route}: {theirs.bundle}"],
            REMEDIES["other_bundle"],
            proven=False,
        )
    if theirs.verification not in (None, "verified-bits"):
        inquiry.notes.append(f"{inquiry.route} holds the bundle as {theirs.verification}: its bits were not proven")
    if is_runtime(theirs) and is_runtime(ours) and theirs.runtime != ours.runtime:
        inquiry.add(
            "other_release",
            f"{inquiry.route} runs {theirs.runtime}, the baseline {ours.runtime}",
            [f"baseline: {ours.runtime}", f"{inquiry.route}: {theirs.runtime}", *libraries(inquiry)],
            REMEDIES["other_release"],
            proven=False,
        )
    elif None not in (ours.host_class, theirs.host_class) and ours.host_class != theirs.host_class:
        inquiry.add(
            "other_host_class",
            f"{inquiry.route} computes on another host class: its kernels give other bits",
            host_evidence(inquiry),
            REMEDIES["other_host_class"],
            proven=False,
        )


def is_runtime(facts: Facts) -> bool:
    """Return whether ONNX Runtime computed this side's scores."""
    return facts.runtime.startswith("onnxruntime")


def libraries(inquiry: Inquiry) -> list[str]:
    """Return what both sides say of the runtime's files, one line a fact."""
    return [
        f"{side}: {name} {value}"
        for side, facts in (("baseline", inquiry.facts[0]), (inquiry.route, inquiry.facts[1]))
        for name, value in _details(facts).items()
        if any(name.startswith(prefix) for prefix in _LIBRARY)
    ]


def _details(facts: Facts) -> Mapping[str, str]:
    """A side's details; of a reader in this process, which tells nothing of its own library, those of this host."""
    told = facts.details
    if not facts.implementation.startswith("twinrank-python/") or "runtime_library" in told:
        return told
    import onnxruntime

    library = native_library(Path(onnxruntime.__file__).parent)
    with library.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    cpu = host_facts()["cpu"]
    return {**told, "cpu": cpu, "runtime_library": library.name, "runtime_library_sha256": digest}


def text_evidence(inquiry: Inquiry) -> list[str]:
    """Return what the route says of how its process reads text: charset and locale change what careless code does."""
    details = inquiry.facts[1].details
    return [f"{inquiry.route}: {name} {details[name]}" for name in ("charset", "locale") if name in details]


def host_evidence(inquiry: Inquiry) -> list[str]:
    """Return both host classes, and what both sides say of their processors."""
    lines = []
    for side, facts in (("baseline", inquiry.facts[0]), (inquiry.route, inquiry.facts[1])):
        details = _details(facts)
        lines.append(f"{side}: host class {facts.host_class}")
        lines += [f"{side}: {name} {details[name]}" for name in ("cpu", "arch", "simd") if name in details]
    return lines


_REFUSALS: tuple[tuple[str, CauseCode, str], ...] = (
    ("runtime_mismatch", "other_release", "its reader runs another release of ONNX Runtime than the bundle names"),
    ("host_class_mismatch", "other_host_class", "its reader stands on another host class than the bundle's export"),
    ("digest_mismatch", "other_bundle", "the files that it reads are not those that were exported"),
    ("it holds sha256:", "other_bundle", "it serves another one"),
    ("golden_mismatch", "other_runtime_library", "its runtime gives other bits for the goldens, by its own check"),
)


def refusal_cause(route: str, failure: RouteFailedError) -> tuple[CauseCode, str, str] | None:
    """Return code, sentence and remedy for a reader's refusal of the bundle; None where its reason is not known."""
    for word, code, said in _REFUSALS:
        if word == failure.code or word in failure.detail:
            return code, f"{route} refuses the bundle: {said}", REMEDIES[code]
    return None
