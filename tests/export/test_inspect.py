"""``twinrank inspect``: the document says what the bundle says, of a bad one too, and the page shows it to anybody."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from twinrank.export.bundle import describe_bundle, diff_bundles, dump_document, host_class, runtime_release
from twinrank.export.cli import inspect
from twinrank.export.cli._inspect_page import _policy

ALLOWED = {"finding": "batch_variant", "detail": "node 3", "reason": "demo \x1b[31mred\x1b[0m"}


def run(*arguments: object, width: int = 140) -> Result:
    return CliRunner(env={"COLUMNS": str(width)}).invoke(inspect, [str(argument) for argument in arguments])


def edited(bundle: Path, folder: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """A copy whose manifest says something else, resealed."""
    copy = folder / "models" / "small" / "1"
    shutil.copytree(bundle, copy)
    document = json.loads((copy / "manifest.json").read_bytes())
    edit(document)
    raw = dump_document(document)
    (copy / "manifest.json").write_bytes(raw)
    (copy / "manifest.sha256").write_bytes((hashlib.sha256(raw).hexdigest() + "\n").encode())
    return copy


def test_the_document_says_what_the_bundle_says(exported: Path) -> None:
    document = describe_bundle(exported, verify=True)
    assert document["ok"]
    assert document["problems"] == []
    assert document["passed"] == ["layout", "manifest", "digests", "graph", "session", "goldens"]
    assert document["verification"] == {"state": "verified-bits", "attested": False}
    assert document["signature"] == {"present": False, "state": "unchecked", "detail": ""}
    digest = "sha256:" + (exported / "manifest.sha256").read_text().strip()
    assert (document["bundle"]["name"], document["bundle"]["version"]) == ("small", "1")
    assert document["bundle"]["digest"] == digest
    assert document["bundle"]["files"] == sum(1 for entry in exported.rglob("*") if entry.is_file())
    assert [one["name"] for one in document["schema"]][:3] == ["user", "when", "income"]
    assert [head["name"] for head in document["heads"]] == ["watched", "liked", "score"]
    assert document["evidence"]["this_host_class"] == host_class()
    transforms = {one["name"]: one for one in document["transforms"]}
    assert transforms["user"]["vocabulary"] == {"name": "user", "entries": 3}
    assert transforms["user"]["rows"] == 5  # unseen, missing, and three names
    assert transforms["price_bucket"]["parameters"] == {"boundaries": [0.0, 1.0, 2.0]}
    assert transforms["stock"]["parameters"] == {"buckets": 16, "seed": 0}
    lookups = {tuple(one["features"]): one["keys"] for one in document["graph"]["lookups"]}
    assert lookups == {("user",): 3, ("history_item",): 40, ("item",): 40, ("genres",): 3}
    assert document["histograms"]["contexts"] == 30
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_json_is_the_document_without_terminal_codes(exported: Path) -> None:
    result = run(exported, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(json.dumps(describe_bundle(exported)))
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_page_fits_and_names_everything(exported: Path, width: int) -> None:
    result = run(exported, width=width)
    assert result.exit_code == 0
    assert max(len(line) for line in result.stdout.splitlines()) <= width
    flat = "".join(result.stdout.split())
    for word in ("small/1", "history_item", "Standardise", "16", "watched", "invariance", "LabelEncoder", "seed"):
        assert word in flat, word


def test_a_pipe_gets_no_terminal_codes(exported: Path) -> None:
    code = "from twinrank.bridge.cli import main; main()"
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "FORCE_COLOR")}
    command = [sys.executable, "-c", code, "inspect", str(exported)]
    done = subprocess.run(command, capture_output=True, check=True, env={**env, "PYTHONIOENCODING": "ascii"})
    assert b"\x1b" not in done.stdout
    assert b"\\u2713 layout" in done.stdout, "a log in ASCII escapes what it lacks"
    assert done.stderr == b""


def test_an_allowed_finding_is_shown_with_its_reason_and_obeys_no_terminal(exported: Path, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["evidence"]["allowed"] = [ALLOWED]
        document["evidence"]["invariance"]["differing_values"] = 3

    result = run(edited(exported, tmp_path, edit))
    assert result.exit_code == 0
    assert "! batch_variant" in result.stdout
    assert "because: demo \\x1b[31mred" in result.stdout
    assert "\x1b" not in result.stdout
    assert "3 of" in result.stdout


def test_without_the_exporter_s_note_the_graph_tells_the_lookups(exported: Path, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        del document["provenance"]["export"]["transforms"]

    path = edited(exported, tmp_path, edit)
    assert describe_bundle(path)["transforms"] is None
    result = run(path)
    assert result.exit_code == 0
    assert "lookup of 40 keys" in result.stdout


@pytest.mark.parametrize(
    "export", [{}, [], "x", {"transforms": "x"}, {"transforms": [1]}, {"transforms": [{"name": 3}]}]
)
def test_a_free_form_provenance_of_somebody_else_is_shown_too(exported: Path, tmp_path: Path, export: Any) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["provenance"] = {"export": export, "metrics": [1], "data": None, "seed": {"a": [1]}}

    result = run(edited(exported, tmp_path, edit))
    assert result.exit_code == 0, result.output


QUANTISATION = {
    "kind": "int8",
    "min_rows": 1000,
    "tables": [{"name": "items", "rows": 3000, "width": 32, "bytes_before": 384_000, "bytes_after": 108_000}],
    "requests": 40,
    "candidates": 4000,
    "score_max_abs": 0.0123,
    "score_mean_abs": 0.004,
    "top_10_kept": 0.995,
    "first_kept": 1.0,
}


def test_quantised_tables_and_their_cost_are_shown(exported: Path, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["provenance"]["quantisation"] = QUANTISATION

    page = run(edited(exported, tmp_path, edit)).stdout
    origin = " ".join(page.split("\nOrigin")[1].split())
    assert "int8 tables 0.38 MB became 0.11 MB: items 3000 x 32" in origin
    assert "int8 against float32 the score differs by at most 0.012, 0.004 on average; 99.5% of the ten best" in origin
    assert "int8" not in run(exported).stdout


def test_parameters_that_do_nothing_are_not_shown(exported: Path, tmp_path: Path) -> None:
    largest = 3.4028234663852886e38  # the largest float32

    def edit(document: dict[str, Any]) -> None:
        noted = document["provenance"]["export"]["transforms"]
        noted[0]["parameters"] = {"clip": [-largest, largest], "mean": [], "scale": []}
        noted[1]["parameters"] = {"clip": [-10.0, largest], "seed": 0}

    page = run(edited(exported, tmp_path, edit), width=200).stdout
    assert "mean ;" not in page
    assert "clip -10, 3.40282e+38; seed 0" in page
    assert "clip -3.40282e+38" not in page


@pytest.mark.parametrize(("value", "told"), [([0.5], "= [1 value]"), ([0.5, 1.0], "= [2 values]"), ([], "= []")])
def test_one_value_is_no_plural(value: list[float], told: str) -> None:
    assert _policy({"policy": "default", "value": value}) == told


def damage(path: Path, how: str) -> None:
    model = path / "model.onnx"
    if how == "bit":
        raw = bytearray(model.read_bytes())
        raw[len(raw) // 2] ^= 1
        model.write_bytes(raw)
    elif how == "extra":
        (path / "notes.txt").write_bytes(b"")
    elif how == "seal":
        (path / "manifest.sha256").write_bytes(b"0" * 64 + b"\n")
    elif how == "manifest":
        (path / "manifest.json").write_bytes(b"{")
    else:
        shutil.rmtree(path / "goldens")


@pytest.mark.parametrize(
    ("how", "code", "shown"),
    [
        ("bit", "digest_mismatch", True),
        ("extra", "file_unexpected", True),
        ("seal", "manifest_digest_mismatch", True),
        ("manifest", "manifest_invalid_json", False),
        ("goldens", "file_missing", True),
    ],
)
def test_a_bad_bundle_is_named_and_what_it_still_says_is_shown(
    exported: Path, tmp_path: Path, how: str, code: str, shown: bool
) -> None:
    path = tmp_path / "1"
    shutil.copytree(exported, path)
    damage(path, how)
    document = describe_bundle(path, verify=True)
    assert not document["ok"]
    assert code in {problem["code"] for problem in document["problems"]}
    assert (document["bundle"] is not None) == shown
    assert document["graph"] is None, "what was not digested is not parsed"
    assert document["verification"] is None
    assert document["failed"] == {"digest_mismatch": "digests", "file_unexpected": "manifest"}.get(code, "manifest")
    result = run(path)
    assert result.exit_code == 1
    assert f"✗ {document['failed']}" in result.stdout
    assert "BAD" in result.stdout
    assert code in result.stdout
    assert ("history_item" in result.stdout) == shown
    assert run(path, "--json").exit_code == 1


def test_a_golden_that_disagrees_fails_only_where_it_was_asked(exported: Path, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["evidence"]["host_class"] = "0" * 64

    path = edited(exported, tmp_path, edit)
    assert describe_bundle(path)["ok"]
    document = describe_bundle(path, verify=True)
    assert (document["ok"], document["failed"], document["passed"][-1]) == (False, "goldens", "session")
    assert [problem["code"] for problem in document["problems"]] == ["host_class_mismatch"]
    result = run(path, "--verify", "--require", "reference")
    assert (result.exit_code, "verified-reference" in result.stdout) == (0, True)


def test_another_runtime_fails_at_the_session(exported: Path, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["runtime"]["release"] = "1.0.0"

    document = describe_bundle(edited(exported, tmp_path, edit), verify=True)
    assert (document["failed"], document["passed"][-1]) == ("session", "graph")


def test_no_bundle_at_all_is_bad_and_no_crash(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "file_missing" in result.stdout


def test_what_lies_beside_a_bundle_is_shown(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "1"
    shutil.copytree(exported, path)
    digest = "sha256:" + (path / "manifest.sha256").read_text().strip()
    beside = tmp_path / "1.attest"
    beside.mkdir()
    mine, other, broken = ("a" * 64, "b" * 64, "c" * 64)
    good = {"format": 1, "bundle": digest, "host_class": mine, "runtime": "1.29.0", "goldens": []}
    (beside / f"{mine}.json").write_text(json.dumps(good))
    (beside / f"{mine}.sig").write_text("{}")
    (beside / f"{other}.json").write_text(json.dumps(good))  # says another class than its name
    (beside / f"{broken}.json").write_text("{")
    (tmp_path / "1.verified.json").write_text(json.dumps({"bundle": "sha256:0"}))
    document = describe_bundle(path)
    assert [(one["of_this_bundle"], one["signed"], one["readable"]) for one in document["attestations"]] == [
        (True, True, True),
        (False, False, True),
        (False, False, False),
    ]
    assert document["installation"] == {"holds": False, "detail": "names model.onnx.data, which is not there"}
    page = run(path).stdout
    assert "aaaaaaaa, signed" in page
    assert "bbbbbbbb, of another bundle" in page


def test_the_record_of_an_installation_holds_until_something_changes(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "1"
    shutil.copytree(exported, path)
    data = path / "model.onnx.data"
    data.write_bytes(b"weights")
    facts = data.stat()
    stated = {
        "device": facts.st_dev,
        "inode": facts.st_ino,
        "size": facts.st_size,
        "mtime_ns": facts.st_mtime_ns,
        "ctime_ns": facts.st_ctime_ns,
    }
    digest = "sha256:" + (path / "manifest.sha256").read_text().strip()
    record = {"format": 1, "bundle": digest, "host_class": host_class(), "runtime": runtime_release()}

    def said(**changes: Any) -> Any:
        document = {**record, "files": {"model.onnx.data": stated}, **changes}
        (tmp_path / "1.verified.json").write_text(json.dumps(document))
        return describe_bundle(path)["installation"]

    assert said() == {"holds": True, "detail": ""}
    assert said(bundle="sha256:0") == {"holds": False, "detail": "is of another bundle"}
    assert said(runtime="0.0.1") == {"holds": False, "detail": "is of another host class or runtime"}
    assert said(files={}) == {"holds": False, "detail": "does not describe this model.onnx.data"}
    (tmp_path / "1.verified.json").write_text("{")
    assert describe_bundle(path)["installation"] == {"holds": False, "detail": "cannot be read"}


def test_a_signature_is_checked_only_with_a_key(exported: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from twinrank.export.bundle import sign_bundle

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    own, foreign, text = tmp_path / "own.pem", tmp_path / "foreign.pem", tmp_path / "text.pem"
    own.write_bytes(key.public_key().public_bytes(*form))
    foreign.write_bytes(ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*form))
    text.write_bytes(b"no key")
    path = tmp_path / "1"
    shutil.copytree(exported, path)
    assert run(path).exit_code == 0
    unsigned = run(path, "--public-key", own)
    assert (unsigned.exit_code, "signature_missing" in unsigned.stdout) == (1, True)
    assert failed(path, own) == ("signature", ["signature_missing"], "missing")
    sign_bundle(path, pem, None)
    result = run(path, "--public-key", own)
    assert result.exit_code == 0
    assert "valid under the given key" in result.stdout
    assert "not checked" in run(path).stdout
    result = run(path, "--public-key", foreign)
    assert result.exit_code == 1
    for word in ("BAD: 1 problem", "✗ signature", "signature_invalid", "model.sig: names a key that is none of the 1"):
        assert word in result.stdout, word
    assert "intact" not in result.stdout
    assert failed(path, foreign) == ("signature", ["signature_invalid"], "invalid")
    told = run(path, "--public-key", text)
    assert told.exit_code == 2
    assert f"the key file {text} holds no PEM text" in " ".join(told.stderr.split())


def failed(path: Path, key: Path) -> tuple[str, list[str], str]:
    """What the document says of a signature that does not verify: exit status 1 and ``ok`` are one statement."""
    for verify in ((), ("--verify",)):
        result = run(path, "--public-key", key, "--json", *verify)
        document = json.loads(result.stdout)
        assert (result.exit_code, document["ok"], document["verification"]) == (1, False, None)
        assert document["passed"] == ["layout", "manifest", "digests"]
    return document["failed"], [one["code"] for one in document["problems"]], document["signature"]["state"]


def test_every_field_of_the_documents_is_in_the_room_s_readme(exported: Path) -> None:
    readme = (Path(__file__).parents[2] / "export" / "README.md").read_text()
    shown, compared = readme.split("## Inspect")[1].split("## Diff")
    document, difference = describe_bundle(exported), diff_bundles(exported, exported)
    for text, fields, version in ((shown, document, "inspect"), (compared, difference, "diff")):
        for name in fields.keys() - {version}:
            assert f"`{name}`" in text, name
    for name in (*document["bundle"], *document["graph"], *document["heads"][0]):
        assert name in shown, name
