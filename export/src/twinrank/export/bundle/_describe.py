"""What a bundle is, as one JSON document: for people, through ``twinrank inspect``, and for tools."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import onnx

from twinrank.export.bundle._bundle import Require, open_bundle
from twinrank.export.bundle._graph import read_graph
from twinrank.export.bundle._histograms import HistogramError, read_histograms
from twinrank.export.bundle._host import host_class
from twinrank.export.bundle._installation import Installation
from twinrank.export.bundle._json import Json, JsonError, parse_json
from twinrank.export.bundle._layout import FileFacts, Tree, read_files, read_listed_manifest, scan
from twinrank.export.bundle._lookups import lookups_of
from twinrank.export.bundle._manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    MODEL,
    MODEL_DATA,
    SIGNATURE,
    Manifest,
    parse_manifest,
)
from twinrank.export.bundle._problems import BundleError, Problem
from twinrank.export.bundle._session import runtime_release
from twinrank.export.bundle._signature import NO_SIGNATURE, SignaturePolicy, check_signature

DESCRIPTION = 1
_SESSION_CODES = ("runtime_mismatch", "session_failed")
_MAX_BESIDE = 64 * 2**20
_T = TypeVar("_T")


class _Checks:
    """Runs phases one after another and stops at the first that fails, as every reader does."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: str | None = None
        self.problems: list[Problem] = []

    def run(self, phase: str, step: Callable[[], _T]) -> _T | None:
        if self.problems:
            return None
        try:
            result = step()
        except BundleError as e:
            self.problems += e.problems
            self.failed = phase
            return None
        self.passed.append(phase)
        return result


def describe_bundle(
    path: Path | str,
    *,
    signature: SignaturePolicy = NO_SIGNATURE,
    verify: bool = False,
    require: Require = "bits",
) -> dict[str, Json]:
    """Everything that a bundle says of itself, and whether it is true as far as was looked.

    Runs the phases layout to graph: nothing of the bundle reaches native code before they passed, and no session is
    made of it. What a bad bundle still shows is shown; ``problems`` says what is wrong.

    Args:
        path: ``<models>/<name>/<version>``.
        signature: what is asked of ``model.sig``.
        verify: opens the bundle too and replays its goldens, which is what serving it asks for.
        require: as for ``open_bundle``; only with ``verify``.

    Returns:
        The document that export/README.md describes. Parts that could not be read are null.
    """
    root = Path(os.path.abspath(path))  # "." has no name, and links above the bundle are the caller's business
    checks = _Checks()
    tree = checks.run("layout", lambda: scan(root)) or Tree(frozenset(), frozenset())
    manifest = checks.run("manifest", lambda: read_listed_manifest(root, tree))
    shown = manifest if manifest is not None else _as_found(root)
    contents: Mapping[str, bytes] | None = None
    signed: tuple[str, str] = ("unchecked", "")
    graph: dict[str, Json] | None = None
    if manifest is not None:
        files = manifest.files
        read = checks.run("digests", lambda: read_files(root, files))
        contents = read[0] if read is not None else None
        if signature.mode != "none":
            state = checks.run("signature", lambda: check_signature(root, tree.files, manifest, signature))
            if state is not None and state[0] != "valid":
                checks.passed.remove("signature")
            signed = state or _why(checks.problems)
        if contents is not None:
            model = contents[MODEL]
            checks.run("graph", lambda: read_graph(model, manifest))
            if "graph" in checks.passed:
                graph = _graph(onnx.ModelProto.FromString(model), manifest)
    verification = None
    if verify and not checks.problems:
        bundle = checks.run("goldens", lambda: open_bundle(root, require=require, signature=signature))
        if checks.failed is not None and checks.problems[0].code in _SESSION_CODES:
            checks.failed = "session"
        else:
            checks.passed.insert(len(checks.passed) - (bundle is not None), "session")
        if bundle is not None:
            verification = {"state": bundle.verification, "attested": bundle.attested}
    document: dict[str, Json] = {
        "inspect": DESCRIPTION,
        "path": str(path),
        "ok": not checks.problems,
        "passed": list(checks.passed),
        "failed": checks.failed,
        "problems": [{"code": p.code, "path": p.path, "detail": p.detail} for p in checks.problems],
        "verification": verification,
        "signature": {"present": (root / SIGNATURE).is_file(), "state": signed[0], "detail": signed[1]},
    }
    if shown is None:
        nothing = (
            "bundle",
            "runtime",
            "schema",
            "heads",
            "evidence",
            "graph",
            "transforms",
            "histograms",
            "provenance",
        )
        return document | dict.fromkeys(nothing) | {"attestations": [], "installation": None}
    return document | _described(shown, root) | {"graph": graph, "histograms": _histograms(root, shown, contents)}


def _why(problems: list[Problem]) -> tuple[str, str]:
    for problem in problems:
        if problem.code == "signature_missing":
            return "missing", problem.detail
        if problem.code == "signature_invalid":
            return "invalid", problem.detail
    return "unchecked", ""


def _as_found(root: Path) -> Manifest | None:
    """The manifest of a bundle that failed, where its own text is still one: it says what somebody meant to have."""
    try:
        with open(root / MANIFEST, "rb") as file:
            raw = file.read(MAX_MANIFEST_BYTES + 1)
        return parse_manifest(raw, (hashlib.sha256(raw).hexdigest() + "\n").encode())
    except (BundleError, OSError, ValueError):
        return None


def _described(manifest: Manifest, root: Path) -> dict[str, Json]:
    """What the manifest says, and what lies beside the bundle."""
    document = manifest.document
    evidence = document["evidence"]
    size = sum(entry.size for entry in manifest.files.values())
    heads = []
    for head in manifest.outputs:
        seen = manifest.tolerances[head.name]
        facts = {"a": seen.a, "max_abs": seen.max_abs, "max_ulp": seen.max_ulp}
        heads.append({"name": head.name, "output": head.output, "dtype": head.dtype, **facts})
    return {
        "bundle": {
            "name": manifest.name,
            "version": root.name,
            "digest": manifest.digest,
            "format": f"{document['format']['major']}.{document['format']['minor']}",
            "files": len(manifest.files) + 2,
            "listed_bytes": size,
            "max_candidates": manifest.max_candidates,
            "goldens": manifest.goldens,
            "scored_goldens": manifest.data_sets,
        },
        "runtime": document["runtime"],
        "schema": document["schema"]["features"],
        "transforms": _transforms(document["provenance"].get("export")),
        "heads": heads,
        "evidence": {
            "host_class": manifest.host_class,
            "this_host_class": host_class(),
            "reference": {"source": evidence["reference"]["source"], "rows": evidence["reference"]["rows"]},
            "invariance": evidence["invariance"],
            "allowed": [entry.to_json() for entry in manifest.allowed],
        },
        "provenance": document["provenance"],
        "attestations": _attestations(root, manifest),
        "installation": _installation(root, manifest),
    }


def _transforms(export: Json) -> list[Json] | None:
    """The exporter's note of its transforms; None where provenance, which is free-form, holds something else."""
    noted = export.get("transforms") if isinstance(export, dict) else None
    return noted if isinstance(noted, list) and all(_is_transform(one) for one in noted) else None


def _is_transform(one: Json) -> bool:
    if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in ("name", "kind")):
        return False
    features, rows, vocabulary = one.get("features"), one.get("rows"), one.get("vocabulary", {"name": "", "entries": 0})
    return (
        isinstance(features, list)
        and all(isinstance(name, str) for name in features)
        and (rows is None or isinstance(rows, int))
        and isinstance(one.get("parameters"), dict)
        and isinstance(vocabulary, dict)
        and isinstance(vocabulary.get("name"), str)
        and isinstance(vocabulary.get("entries"), int)
    )


def _graph(model: onnx.ModelProto, manifest: Manifest) -> dict[str, Json]:
    graph = model.graph
    kinds: Counter[str] = Counter()
    values = held = outside = 0
    for tensor in graph.initializer:
        kind = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
        count = 1
        for dim in tensor.dims:
            count *= dim
        kinds[kind] += count
        values += count
        facts = {entry.key: entry.value for entry in tensor.external_data}
        if facts:
            outside += int(facts.get("length", "0"))
        else:
            held += tensor.ByteSize()
    operators = Counter(f"{node.domain}:{node.op_type}" if node.domain else node.op_type for node in graph.node)
    return {
        "nodes": len(graph.node),
        "operators": dict(sorted(operators.items(), key=lambda pair: (-pair[1], pair[0]))),
        "initialisers": len(graph.initializer),
        "values": values,
        "values_by_dtype": dict(sorted(kinds.items())),
        "initialiser_bytes": held,
        "external_bytes": outside,
        "model_bytes": manifest.files[MODEL].size,
        "data_bytes": manifest.files[MODEL_DATA].size if MODEL_DATA in manifest.files else 0,
        "lookups": [
            {"node": lookup.node, "features": list(lookup.features), "keys": int(lookup.keys.size)}
            for lookup in lookups_of(model, manifest.packing)
        ],
    }


def _histograms(root: Path, manifest: Manifest, contents: Mapping[str, bytes] | None) -> dict[str, Json] | None:
    if contents is None:
        return None
    try:
        found = read_histograms(root, manifest)
    except (HistogramError, OSError) as e:
        return {"error": str(e)}
    if found is None:
        return None
    document: dict[str, Json] = json.loads(found.to_bytes())
    return document


def _attestations(root: Path, manifest: Manifest) -> list[Json]:
    """What lies in ``<version>.attest``: whose it is and whether it is signed; proving it is the opening's business."""
    bundle = root.resolve()
    folder = bundle.with_name(f"{bundle.name}.attest")
    try:
        places = sorted(entry for entry in folder.iterdir() if entry.suffix == ".json")
    except OSError:
        return []
    found: list[Json] = []
    for place in places:
        document = _beside(place)
        found.append(
            {
                "host_class": place.stem,
                "signed": place.with_suffix(".sig").is_file(),
                "of_this_bundle": document is not None
                and document.get("bundle") == manifest.digest
                and document.get("host_class") == place.stem,
                "runtime": document.get("runtime") if document is not None else None,
                "readable": document is not None,
            }
        )
    return found


def _installation(root: Path, manifest: Manifest) -> dict[str, Json] | None:
    """The record of a verified installation beside the bundle, and whether a reader here would believe it."""
    record = Installation(root, manifest.digest, host_class(), runtime_release())
    if not record.path.exists():
        return None
    try:
        facts = FileFacts.of(os.stat(root / MODEL_DATA, follow_symlinks=False))
    except OSError:
        return {"holds": False, "detail": f"names {MODEL_DATA}, which is not there"}
    if record.describes(facts):
        return {"holds": True, "detail": ""}
    document = _beside(record.path)
    if document is None:
        return {"holds": False, "detail": "cannot be read"}
    if document.get("bundle") != manifest.digest:
        return {"holds": False, "detail": "is of another bundle"}
    if document.get("host_class") != host_class() or document.get("runtime") != runtime_release():
        return {"holds": False, "detail": "is of another host class or runtime"}
    return {"holds": False, "detail": f"does not describe this {MODEL_DATA}"}


def _beside(place: Path) -> dict[str, Json] | None:
    try:
        facts = os.stat(place, follow_symlinks=False)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MAX_BESIDE:
            return None
        document = parse_json(place.read_bytes())
    except (OSError, JsonError):
        return None
    return document if isinstance(document, dict) else None
