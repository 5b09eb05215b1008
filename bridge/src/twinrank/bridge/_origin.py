"""What a bundle says of where it came from, and whether a run is what it was made from; loads no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinrank.bridge._errors import UserError
from twinrank.export.bundle import Manifest, read_manifest
from twinrank.training.schema import Schema, SchemaError

_OTHER = {
    "torch": "a module",
    "onnx": "an ONNX file",
    "lightgbm": "a LightGBM model",
    "xgboost": "an XGBoost model",
    "catboost": "a CatBoost model",
}
# What a run hands to the provenance: the field there, and the file of the run that holds it.
_FACTS = {"data": "data.json", "metrics": "metrics.json"}


@dataclass(frozen=True)
class Origin:
    """What a bundle was made from, as its provenance tells.

    Attributes:
        other: `a module (shop.model:make)` or the like where it was made from no run; None where it was, or does not
            say.
        quantisation: what was done to the tables before the export; None where nothing was.
        trees: what is noted of the trees that give the scores, `source` among it; None where no trees do.
    """

    other: str | None
    quantisation: Mapping[str, Any] | None
    trees: Mapping[str, Any] | None = None


def read_origin(bundle: Path) -> Origin:
    """Return what a bundle says of its origin.

    Raises:
        BundleError: if layout or manifest are not of the contract.
    """
    return origin_of(read_manifest(bundle))


def origin_of(manifest: Manifest) -> Origin:
    """Return what a manifest says of the bundle's origin; provenance is free-form, so anything may be missing."""
    provenance = manifest.document["provenance"]
    found, quantisation, trees = (provenance.get(key) for key in ("origin", "quantisation", "trees"))
    other = None
    kind = found.get("kind") if isinstance(found, dict) else None
    if isinstance(kind, str) and kind in _OTHER:
        other = f"{_OTHER[kind]} ({found.get('name')})"
    return Origin(
        other,
        quantisation if isinstance(quantisation, dict) else None,
        trees if isinstance(trees, dict) and isinstance(trees.get("source"), str) else None,
    )


def raw_scores(manifest: Manifest) -> frozenset[str]:
    """Return the outputs that are raw scores of the bundle's trees, which no tolerance applies to."""
    trees = origin_of(manifest).trees
    noted = None if trees is None else trees.get("raw_heads")
    return frozenset({"score", *(noted if isinstance(noted, dict) else ())}) if trees is not None else frozenset()


def why_no_run(origin: Origin) -> str | None:
    """Return why no run can be the bundle's reference; None where one can."""
    if origin.trees is not None:
        return f"this bundle's scores are those of trees: the route {origin.trees['source']} compares them"
    if origin.other is None:
        return None
    return f"this bundle was made from {origin.other}; its distance to its reference was measured at export"


def check_run(run: Path, manifest: Manifest) -> None:
    """Check that a run is the one a bundle was made from, before its scores are compared with the bundle's.

    Name and schema must be the bundle's, and so must seed, configuration, data, library versions and metrics where
    the bundle's provenance has them. Weights are not compared: scores are what the torch route compares.

    Raises:
        UserError: `run_of_another_model` if it is another's; `run_unreadable` if it is no finished run.
    """
    document = _object(run, "run.json")
    origin = origin_of(manifest)
    if origin.trees is None and origin.other is not None:
        raise _another(f"{run} is a run, and {why_no_run(origin)}", "verify it without --run")
    if document.get("name") != manifest.name:
        raise _another(f"{run} is of {document.get('name')}, the bundle is {manifest.name}")
    try:
        schema = Schema.from_json(_object(run, "schema.json"))
    except SchemaError as error:
        raise _unreadable(run / "schema.json", str(error)) from error
    if schema != manifest.schema:
        raise _another(f"{run} is of another {manifest.name}: its schema is not the bundle's")
    provenance = manifest.document["provenance"]
    settings = document.get("settings")
    facts = {"config": settings, "versions": document.get("versions")}
    facts |= {"seed": settings.get("seed") if isinstance(settings, dict) else None}
    facts |= {name: _object(run, file) for name, file in _FACTS.items()}
    differing = [name for name, value in sorted(facts.items()) if name in provenance and provenance[name] != value]
    if differing:
        what = ", ".join(
            f"{name} {facts[name]} here, {provenance[name]} there" if name == "seed" else name for name in differing
        )
        raise _another(f"{run} is another training of {manifest.name}: not the bundle's {what}")


def _another(problem: str, remedy: str = "give the run that the bundle was exported from, or no --run") -> UserError:
    return UserError("run_of_another_model", problem, remedy)


def _unreadable(file: Path, why: str) -> UserError:
    return UserError("run_unreadable", f"{file}: {why}", "give a finished run of `twinrank train`")


def _object(run: Path, name: str) -> dict[str, Any]:
    try:
        document = json.loads((run / name).read_bytes())
    except OSError as error:
        raise _unreadable(run / name, error.strerror or str(error)) from error
    except ValueError as error:
        raise _unreadable(run / name, f"is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise _unreadable(run / name, "is no JSON object")
    return document
