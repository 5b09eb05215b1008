"""manifest.schema.json and the reader's own validator say one thing twice; they are compared on mutations."""

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hostile_bundles import load_cases, remove_json, set_json

from twinrank.export.bundle import BundleError
from twinrank.export.bundle._manifest import parse_manifest
from twinrank.training.schema import Packing, Schema

SCHEMA = Path(__file__).resolve().parents[1] / "contract" / "manifest.schema.json"
BASE, CASES = load_cases()
KEPT_FEATURES = ("user", "age", "tags", "history_item", "profile", "labels", "item", "price", "embedding", "brand")
KEPT_FILES = ("model.onnx", "goldens/requests.jsonl")


def small_manifest() -> dict[str, Any]:
    """The tiny bundle's manifest with one feature of each kind, so that thousands of mutations stay cheap."""
    document: dict[str, Any] = json.loads((BASE / "manifest.json").read_bytes())
    features = [feature for feature in document["schema"]["features"] if feature["name"] in KEPT_FEATURES]
    document["schema"] = {"features": features}
    document["packing"] = Packing.of(Schema.from_json(document["schema"])).to_json()
    document["files"] = {path: document["files"][path] for path in KEPT_FILES}
    return document


GOOD = small_manifest()
WRONG: tuple[Any, ...] = (None, True, "", "?", -1, 10**19, 0.5, [], [0], {}, {"what": 1})

# Where a mutation keeps types and bounds but contradicts another field, or breaks a rule that spans fields.
BEYOND_A_SCHEMA = {
    "/evidence/reference/outputs/*",
    "/heads",
    "/heads/*",
    "/packing/inputs/*",
    "/packing/inputs/*/columns/*",
    "/packing/inputs/*/columns/*/offset",
    "/packing/inputs/*/shape/*",
    "/schema/features/*",
    "/schema/features/*/group",
    "/schema/features/*/invalid/value",
    "/schema/features/*/invalid/value/*",
    "/schema/features/*/list",
    "/schema/features/*/missing/value",
    "/schema/features/*/missing/value/*",
    "/schema/features/*/nonfinite",
    "/schema/features/*/unseen/value",
    "/schema/features/*/vector",
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    document = json.loads(SCHEMA.read_bytes())
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def refused(document: Any) -> str | None:
    raw = json.dumps(document).encode()
    try:
        parse_manifest(raw, (hashlib.sha256(raw).hexdigest() + "\n").encode())
    except BundleError as e:
        return e.code
    return None


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        alike = at[:1] == ("packing",) and isinstance(key, int) and key > 0
        if at != ("provenance",) and not alike:
            yield from places(item, (*at, key))


def mutations() -> Iterator[tuple[str, Any]]:
    for at in places(GOOD):
        pattern = "/" + "/".join("*" if isinstance(part, int) else part for part in at)
        pattern = re.sub("^/(files|evidence/reference/outputs)/.+?(/[a-z0-9_]+)?$", r"/\1/*\2", pattern)
        for value in (*WRONG, "remove", "add"):
            document = copy.deepcopy(GOOD)
            parent = document
            for part in at[:-1]:
                parent = parent[part]
            if value == "remove":
                del parent[at[-1]]
            elif value == "add":
                if not isinstance(parent[at[-1]], dict):
                    continue
                parent[at[-1]]["unheard_of"] = 1
            else:
                parent[at[-1]] = copy.deepcopy(value)
            yield pattern, document


def test_the_good_manifest_passes_both(validator: jsonschema.Draft202012Validator) -> None:
    assert refused(GOOD) is None
    assert validator.is_valid(GOOD)


def test_both_agree_on_every_mutation_that_a_schema_can_judge(validator: jsonschema.Draft202012Validator) -> None:
    compared, beyond = 0, set()
    for pattern, document in mutations():
        ours, theirs = refused(document), validator.is_valid(document)
        compared += 1
        assert ours is not None or theirs, f"the schema refuses {pattern}, the reader accepts it"
        if ours is not None and theirs:
            assert ours == "manifest_invalid"
            beyond.add(pattern)
    assert compared > 1000
    assert sorted(beyond) == sorted(BEYOND_A_SCHEMA)


def test_the_schema_accepts_every_bundle_that_opens_and_no_bad_field(
    validator: jsonschema.Draft202012Validator, tmp_path: Path
) -> None:
    judged = 0
    for case in CASES:
        if not case["ops"] or any(op["op"] not in ("set_json", "remove_json") for op in case["ops"]):
            continue
        (tmp_path / "manifest.json").write_bytes((BASE / "manifest.json").read_bytes())
        for op in case["ops"]:
            (set_json if op["op"] == "set_json" else remove_json)(tmp_path, op)
        document = json.loads((tmp_path / "manifest.json").read_bytes())
        if case["expect"] not in ("manifest_invalid", "format_unsupported"):
            assert validator.is_valid(document), case["name"]
        judged += 1
    assert judged > 50


def test_a_real_export_passes_the_schema(validator: jsonschema.Draft202012Validator, exported: Path) -> None:
    validator.validate(json.loads((exported / "manifest.json").read_bytes()))
