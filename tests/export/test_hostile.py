"""Every hostile bundle gets the code that the contract says, and what must load loads."""

import json
from pathlib import Path
from typing import Any

import pytest
from hostile_bundles import HOSTILE, OPERATIONS, known_failing, load_cases, make_bundle, policy_of, seal

from twinrank.export.bundle import BUNDLE_CODES, BundleError, open_bundle, read_manifest

BASE, CASES = load_cases()
KNOWN = known_failing()


def parameters(cases: list[dict[str, Any]], known: dict[str, str]) -> list[Any]:
    """Every case; one that is known to fail must fail."""
    found = []
    for case in cases:
        why = known.get(case["name"])
        marks = [pytest.mark.xfail(reason=why, strict=True)] if why else []
        found.append(pytest.param(case, id=case["name"], marks=marks))
    return found


@pytest.mark.parametrize("case", parameters(CASES, KNOWN))
def test_a_spoiled_bundle_is_refused_with_its_code(case: dict[str, Any], tmp_path: Path) -> None:
    root = make_bundle(BASE, case, tmp_path)
    policy = policy_of(case)
    if case["expect"] is None:
        bundle = open_bundle(root, require=case["require"], signature=policy)
        assert bundle.verification == case["state"]
        assert bundle.signature == case.get("signature_state", "unchecked"), bundle.signature_detail
        assert bool(bundle.signature_detail) == (bundle.signature == "invalid")
        assert bundle.attested == case.get("attested", False)
        return
    with pytest.raises(BundleError) as caught:
        open_bundle(root, require=case["require"], signature=policy)
    assert caught.value.code == case["expect"], str(caught.value)
    assert str(tmp_path) not in str(caught.value), "a problem names a path inside the bundle"


def test_a_case_that_is_known_to_fail_is_run_and_must_fail() -> None:
    """The list is empty as often as not; what it does must not rot meanwhile."""
    sound, failing = parameters([{"name": "sound"}, {"name": "failing"}], {"failing": "not built yet"})
    assert (sound.id, list(sound.marks)) == ("sound", [])
    (mark,) = failing.marks
    assert (failing.id, mark.name, mark.kwargs) == ("failing", "xfail", {"reason": "not built yet", "strict": True})


def test_the_corpus_covers_every_code_and_operation() -> None:
    assert len(CASES) >= 150
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert KNOWN.keys() <= {case["name"] for case in CASES}
    # No bundle is hostile by itself to a caller's budget or to the version that it replaces.
    of_callers = {"memory_budget_exceeded", "incompatible_version"}
    assert {case["expect"] for case in CASES} == {None, *BUNDLE_CODES} - of_callers
    ops = [op for case in CASES for op in (*case["ops"], *case.get("after", []))]
    assert {op["op"] for op in ops} == set(OPERATIONS)
    assert all((HOSTILE / op["from"]).is_file() for op in ops if "from" in op)


def test_all_problems_of_a_phase_are_reported_and_the_primary_comes_first(tmp_path: Path) -> None:
    ops = [
        {"op": "flip_bit", "path": "goldens/test_data_set_0/input_0.pb", "byte": -1, "bit": 0},
        {"op": "truncate", "path": "model.onnx", "size": 10},
        {"op": "append", "path": "goldens/requests.jsonl", "text": "{}\n"},
    ]
    root = make_bundle(BASE, {"ops": ops, "reseal": ["manifest"], "rehost": True}, tmp_path)
    with pytest.raises(BundleError) as caught:
        open_bundle(root)
    assert [(problem.code, problem.path) for problem in caught.value.problems] == [
        ("size_mismatch", "goldens/requests.jsonl"),
        ("size_mismatch", "model.onnx"),
        ("digest_mismatch", "goldens/test_data_set_0/input_0.pb"),
    ]


def test_all_fields_that_are_wrong_are_named_by_pointer(tmp_path: Path) -> None:
    ops = [
        {"op": "set_json", "path": "manifest.json", "pointer": "/heads/1/dtype", "value": "int8"},
        {"op": "set_json", "path": "manifest.json", "pointer": "/max_candidates", "value": 0},
        {"op": "remove_json", "path": "manifest.json", "pointer": "/score"},
        {"op": "set_json", "path": "manifest.json", "pointer": "/extra", "value": 1},
    ]
    root = make_bundle(BASE, {"ops": ops, "reseal": ["manifest"], "rehost": True}, tmp_path)
    with pytest.raises(BundleError) as caught:
        read_manifest(root)
    assert [problem.path for problem in caught.value.problems] == [
        "manifest.json#/extra",
        "manifest.json#/heads/1/dtype",
        "manifest.json#/max_candidates",
        "manifest.json#/score",
    ]


def test_of_a_hundred_thousand_problems_a_hundred_are_listed(tmp_path: Path) -> None:
    feature = json.loads((BASE / "manifest.json").read_bytes())["schema"]["features"][0]
    op = {"op": "set_json", "path": "manifest.json", "pointer": "/schema/features", "value": [feature] * 96_000}
    root = make_bundle(BASE, {"ops": [op], "reseal": ["manifest"], "rehost": True}, tmp_path)
    # Indented, it would be over the manifest's 16 MiB.
    manifest = root / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_bytes()), separators=(",", ":")), encoding="utf-8")
    seal(root)
    with pytest.raises(BundleError, match="and 95900 more problems") as caught:
        read_manifest(root)
    assert caught.value.code == "manifest_invalid"
    # One is that there is no candidate feature; each of the others repeats the first's name.
    assert (len(caught.value.problems), caught.value.omitted) == (100, 95_900)
    assert len(str(caught.value)) < 20_000


def test_a_message_says_what_was_given_what_is_allowed_where_and_what_to_do(own_tiny: Path) -> None:
    (own_tiny / "model.onnx").unlink()
    with pytest.raises(
        BundleError, match=r"file_missing: model\.onnx: manifest\.json lists it; fetch the bundle again"
    ):
        open_bundle(own_tiny)


def test_what_is_no_directory_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        open_bundle(tmp_path / "absent")
    assert caught.value.code == "file_missing"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleError) as caught:
        open_bundle(tmp_path / "file")
    assert caught.value.code == "not_a_regular_file"


def test_a_path_that_leads_nowhere_is_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "dangling", tmp_path / "loop", tmp_path / ("a" * 300), tmp_path / "nul\0"):
        with pytest.raises(BundleError) as caught:
            open_bundle(path)
        assert caught.value.code == "file_missing"
