"""Attestations: made on this host for a bundle of another, read back, signed, and refused where they must be."""

import json
import shutil
from pathlib import Path

import pytest
from hostile_bundles import HOSTILE, make_bundle, seal

from twinrank.export.bundle import (
    AttestationError,
    BundleError,
    SignaturePolicy,
    SigningKeyError,
    attest_bundle,
    host_class,
    largest_differences,
    open_bundle,
)

SIGNATURES = HOSTILE / "signatures"
KEY = (SIGNATURES / "p256.pem").read_bytes()
SIGNED = SignaturePolicy(keys=((SIGNATURES / "p256.pub.pem").read_bytes(),))


@pytest.fixture
def foreign(tiny: Path, tmp_path: Path) -> Path:
    """The tiny bundle of no host; its graph is exact, so this host's bits are its own."""
    root = tmp_path / "tiny" / "1"
    shutil.copytree(tiny, root)
    return root


@pytest.fixture
def near(tiny: Path, tmp_path: Path) -> Path:
    """The same with one golden that another host gave: its last bit differs."""
    ops = [
        {"op": "flip_bit", "path": "goldens/test_data_set_0/output_0.pb", "byte": -4, "bit": 0},
        {"op": "replace", "path": "goldens/rankings.jsonl", "find": "412c0000", "with": "412c0001"},
    ]
    return make_bundle(tiny, {"ops": ops, "reseal": ["files", "manifest"], "rehost": False}, tmp_path)


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_attesting_makes_this_host_class_prove_bits(near: Path) -> None:
    with pytest.raises(BundleError) as caught:
        open_bundle(near)
    assert caught.value.code == "host_class_mismatch"
    assert "twinrank attest" in str(caught.value)
    before = tree(near)
    written = attest_bundle(near)
    assert written == near.parent / "1.attest" / f"{host_class()}.json"
    assert tree(near) == before, "nothing in a bundle changes"
    assert sorted(path.name for path in near.parent.iterdir()) == ["1", "1.attest"]
    for require in ("bits", "reference"):
        opened = open_bundle(near, require=require)  # type: ignore[arg-type]
        assert (opened.verification, opened.attested) == ("verified-bits", True)


def test_without_an_attestation_nothing_is_attested(tiny: Path, own_tiny: Path) -> None:
    assert not open_bundle(tiny, require="reference").attested
    assert not open_bundle(own_tiny).attested


def test_the_text_is_what_the_contract_says_and_the_same_every_time(foreign: Path) -> None:
    first = attest_bundle(foreign).read_bytes()
    assert attest_bundle(foreign).read_bytes() == first
    # Put together by the fixtures' generator from the contract's text alone.
    expected = (HOSTILE / "attestations" / "right.json").read_text(encoding="utf-8")
    digest = "sha256:" + (foreign / "manifest.sha256").read_text().strip()
    assert json.loads(first) == json.loads(expected.replace("{host_class}", host_class()).replace("{bundle}", digest))


def test_an_attestation_of_other_bits_is_replaced_and_not_believed(foreign: Path) -> None:
    written = attest_bundle(foreign)
    right = written.read_bytes()
    written.write_bytes(right.replace(b"412c0000", b"412c0001", 1))
    with pytest.raises(BundleError, match="is not as attested"):
        open_bundle(foreign)
    attest_bundle(foreign)
    assert written.read_bytes() == right
    written.write_bytes(b"garbage")
    attest_bundle(foreign)
    assert written.read_bytes() == right


def test_the_bundles_own_class_has_nothing_to_attest(own_tiny: Path) -> None:
    with pytest.raises(AttestationError, match="verified-bits here as it is") as caught:
        attest_bundle(own_tiny)
    assert caught.value.code == "nothing_to_attest"
    assert not (own_tiny.parent / "1.attest").exists()


def test_what_is_outside_the_reference_level_is_not_attested(tiny: Path, tmp_path: Path) -> None:
    ops = [
        {"op": "flip_bit", "path": "goldens/test_data_set_0/output_0.pb", "byte": -4, "bit": 4},
        {"op": "replace", "path": "goldens/rankings.jsonl", "find": "412c0000", "with": "412c0010"},
    ]
    root = make_bundle(tiny, {"ops": ops, "reseal": ["files", "manifest"], "rehost": False}, tmp_path)
    with pytest.raises(BundleError) as caught:
        attest_bundle(root)
    assert caught.value.code == "golden_mismatch"
    assert not (root.parent / "1.attest").exists()


def test_a_bad_key_writes_nothing(foreign: Path) -> None:
    with pytest.raises(SigningKeyError):
        attest_bundle(foreign, private_key=KEY, password=b"needless")
    assert not (foreign.parent / "1.attest").exists()


def test_a_signed_attestation_satisfies_who_requires_signatures(foreign: Path) -> None:
    shutil.copyfile(SIGNATURES / "good-p256.sig", foreign / "model.sig")
    attest_bundle(foreign)
    with pytest.raises(BundleError) as caught:
        open_bundle(foreign, signature=SIGNED)
    assert caught.value.code == "attestation_invalid"
    written = attest_bundle(foreign, private_key=KEY)
    opened = open_bundle(foreign, signature=SIGNED)
    assert (opened.verification, opened.attested, opened.signature) == ("verified-bits", True, "valid")
    assert sorted(path.suffix for path in written.parent.iterdir()) == [".json", ".sig"]


def test_an_attestation_lies_beside_the_bundle_that_a_link_leads_to(foreign: Path) -> None:
    current = foreign.parent / "current"
    current.symlink_to("1")
    assert attest_bundle(current) == foreign.parent / "1.attest" / f"{host_class()}.json"
    assert open_bundle(current).attested


def test_the_largest_difference_is_measured_per_head(near: Path) -> None:
    # 0x412c0001 - 0x412c0000 is one unit in the last place of 10.75: 2^(3-23).
    assert largest_differences(open_bundle(near, require="reference")) == {
        "watched": 2.0**-20,
        "risky": 0.0,
        "margin": 0.0,
        "score": 0.0,
    }


def test_a_changed_bundle_leaves_its_attestation_behind(near: Path) -> None:
    attest_bundle(near)
    manifest = near / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"name": "tiny"', b'"name": "mini"', 1))
    seal(near)
    with pytest.raises(BundleError) as caught:
        open_bundle(near)
    assert caught.value.code == "attestation_invalid"
