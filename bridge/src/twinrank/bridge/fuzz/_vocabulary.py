"""What a bundle's graph knows: without it, nearly every drawn string is one that it has never seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from twinrank.export.bundle import lookups_of, read_manifest
from twinrank.training.schema import Packing, Schema, ScoringError, read_request, string_key

_MOST = 4096


def vocabulary_of(
    bundle: Path, requests: Iterable[bytes] = (), *, most: int = _MOST
) -> dict[str, tuple[str | int, ...]]:
    """Return values that a bundle's graph knows, by feature; features of which none is known are left out.

    The graph holds int64 values themselves but of strings their keys only, so strings are those of the bundle's goldens
    and of the given requests that the graph holds the key of.

    Args:
        bundle: bundle directory.
        requests: further requests, raw; those that the schema refuses are passed over.
        most: at most this many values a feature: those of int64 features spread evenly over the vocabulary.

    A model or goldens that cannot be read tell nothing: every route will refuse such a bundle, and say why.

    Raises:
        BundleError: if layout or manifest are not of the contract.
    """
    manifest = read_manifest(bundle)
    keys = _keys(bundle / "model.onnx", manifest.packing)
    given = _given(manifest.schema, manifest.max_candidates, (*_goldens(bundle), *requests))
    known: dict[str, tuple[str | int, ...]] = {}
    for feature in manifest.schema.features:
        if feature.dtype not in ("string", "int64"):
            continue
        held = keys.get(feature.name)
        values = [value for value in given.get(feature.name, ()) if held is None or _key(value) in held]
        if feature.dtype == "int64" and held:
            values = sorted(held)
        if values:
            known[feature.name] = tuple(
                values[at * len(values) // min(most, len(values))] for at in range(min(most, len(values)))
            )
    return known


def _keys(path: Path, packing: Packing) -> dict[str, set[int]]:
    """Return the keys that the graph looks up, by feature."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (OSError, DecodeError):
        return {}
    keys: dict[str, set[int]] = {}
    for lookup in lookups_of(model, packing):
        for name in lookup.features:
            keys.setdefault(name, set()).update(lookup.keys.tolist())
    return keys


def _goldens(bundle: Path) -> tuple[bytes, ...]:
    try:
        return tuple((bundle / "goldens" / "requests.jsonl").read_bytes().split(b"\n"))
    except OSError:
        return ()


def _given(schema: Schema, max_candidates: int, requests: Iterable[bytes]) -> dict[str, dict[str | int, None]]:
    """Return the distinct values of string and int64 features in requests, in the order of their first use."""
    given: dict[str, dict[str | int, None]] = {}
    for raw in requests:
        try:
            request = read_request(raw, schema, max_candidates=max_candidates)
        except ScoringError:
            continue
        for feature in schema.features:
            if feature.dtype in ("string", "int64"):
                given.setdefault(feature.name, {}).update(dict.fromkeys(_flat(request.values(feature.name))))
    return given


def _flat(values: Iterable[object]) -> Iterator[str | int]:
    for value in values:
        for element in value if isinstance(value, tuple) else (value,):
            if isinstance(element, str | int):
                yield element


def _key(value: str | int) -> int:
    return string_key(value) if isinstance(value, str) else value
