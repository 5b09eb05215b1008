"""`twinrank sign` and `twinrank attest`: what they print, refuse, and never say."""

import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hostile_bundles import HOSTILE

import twinrank.export.cli._keys as keys
from twinrank.bridge.cli import main
from twinrank.export.bundle import SignaturePolicy, host_class, open_bundle

SIGNATURES = HOSTILE / "signatures"
SESAME = "open sesame"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def foreign(tiny: Path, tmp_path: Path) -> Path:
    root = tmp_path / "tiny" / "1"
    shutil.copytree(tiny, root)
    return root


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes((SIGNATURES / "p256.pem").read_bytes())
    path.chmod(0o600)
    return path


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SESAME.encode())
    )
    path = tmp_path / "encrypted.pem"
    path.write_bytes(made)
    path.chmod(0o600)
    return path


def test_sign_says_what_it_signed(foreign: Path, key: Path) -> None:
    result = call("sign", foreign, "--private-key", key)
    assert (result.exit_code, result.stderr) == (0, "")
    # Every file but model.sig itself.
    count = sum(path.is_file() for path in foreign.rglob("*")) - 1
    assert f"signed: {count} files in {foreign / 'model.sig'}" in result.stdout
    policy = SignaturePolicy(keys=((SIGNATURES / "p256.pub.pem").read_bytes(),))
    assert open_bundle(foreign, require="reference", signature=policy).signature == "valid"


def test_a_key_that_others_may_read_is_warned_of(foreign: Path, key: Path) -> None:
    key.chmod(0o640)
    result = call("sign", foreign, "--private-key", key)
    assert result.exit_code == 0
    assert result.stderr == f"warning: others may use {key} (mode 640); do: chmod 600 {key}\n"


def test_of_what_is_no_private_key_only_that_is_told(foreign: Path, tmp_path: Path) -> None:
    public = tmp_path / "key.pub.pem"
    public.write_bytes((SIGNATURES / "p256.pub.pem").read_bytes())
    public.chmod(0o644)
    result = call("sign", foreign, "--private-key", public)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error [key_unreadable] {public}: the signing key is a PEM text of PUBLIC KEY")
    assert "warning" not in result.stderr


def test_a_password_comes_from_a_file(foreign: Path, encrypted: Path, tmp_path: Path) -> None:
    words = tmp_path / "password"
    words.write_text(f"{SESAME}\n", encoding="utf-8")
    words.chmod(0o600)
    result = call("sign", foreign, "--private-key", encrypted, "--password-file", words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert SESAME not in result.output


def test_a_password_is_asked_for_and_never_shown(
    foreign: Path, encrypted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []

    def answer(text: str, *, hide_input: bool, err: bool) -> str:
        assert err
        asked.append((text, hide_input))
        return SESAME

    monkeypatch.setattr(keys, "has_terminal", lambda: True)
    monkeypatch.setattr(click, "prompt", answer)
    result = call("sign", foreign, "--private-key", encrypted)
    assert result.exit_code == 0, result.output
    assert asked == [(f"Password of {encrypted}", True)]
    assert SESAME not in result.output


def test_without_a_terminal_nobody_waits_for_a_password(foreign: Path, encrypted: Path) -> None:
    result = call("sign", foreign, "--private-key", encrypted)
    assert result.exit_code == 1
    assert "error [key_encrypted]" in result.stderr
    assert "--password-file" in result.stderr
    assert not (foreign / "model.sig").exists()


def test_a_wrong_password_is_told_and_not_repeated(foreign: Path, encrypted: Path, tmp_path: Path) -> None:
    words = tmp_path / "password"
    words.write_text("hunter2", encoding="utf-8")
    words.chmod(0o600)
    result = call("sign", foreign, "--private-key", encrypted, "--password-file", words)
    assert result.exit_code == 1
    assert f"error [key_unreadable] {encrypted}: the signing key cannot be read: the password is wrong" in result.stderr
    assert "hunter2" not in result.output


def test_a_damaged_bundle_is_not_signed(foreign: Path, key: Path) -> None:
    (foreign / "notes.txt").write_text("hello", encoding="utf-8")
    result = call("sign", foreign, "--private-key", key)
    assert result.exit_code == 1
    assert "file_unexpected  notes.txt" in result.stderr


def test_no_option_takes_a_password(foreign: Path, key: Path) -> None:
    assert call("sign", foreign, "--private-key", key, "--password", SESAME).exit_code == 2


def test_attest_says_what_this_host_gives(foreign: Path, key: Path) -> None:
    result = call("attest", foreign, "--private-key", key)
    assert (result.exit_code, result.stderr) == (0, "")
    for told in ("6 with 26 candidates", "head watched", "at most 0 from the exported", "verified-bits, attested"):
        assert told in result.stdout
    assert host_class()[:16] in result.stdout
    assert result.stdout.rstrip().endswith(f"{host_class()}.json")
    assert (foreign.parent / "1.attest" / f"{host_class()}.sig").is_file()


def test_attest_refuses_where_there_is_nothing_to_attest(own_tiny: Path) -> None:
    result = call("attest", own_tiny)
    assert result.exit_code == 1
    assert "error [nothing_to_attest]" in result.stderr


def test_attest_takes_no_password_without_a_key(foreign: Path, key: Path) -> None:
    result = call("attest", foreign, "--password-file", key)
    assert result.exit_code == 2
    assert "--private-key" in result.stderr


def test_rank_asks_for_the_signature(foreign: Path, key: Path, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_bytes((foreign / "goldens/requests.jsonl").read_bytes().split(b"\n")[0])
    public = SIGNATURES / "p256.pub.pem"
    rank = ("rank", foreign, "--request", request, "--require", "reference", "--json")
    refused = call(*rank, "--public-key", public)
    assert (refused.exit_code, "signature_missing" in refused.stderr) == (1, True)
    warned = call(*rank, "--public-key", public, "--signature", "warn")
    assert (warned.exit_code, warned.stderr) == (0, "warning: signature missing\n")
    call("sign", foreign, "--private-key", key)
    valid = call(*rank, "--public-key", SIGNATURES / "other.pub.pem", "--public-key", public)
    assert (valid.exit_code, valid.stderr) == (0, "")
    other = call(*rank, "--public-key", SIGNATURES / "other.pub.pem")
    assert (other.exit_code, "signature_invalid" in other.stderr) == (1, True)


@pytest.mark.parametrize("command", ["rank", "verify"])
def test_a_signature_policy_needs_a_key_and_a_key_that_is_one(command: str, foreign: Path, key: Path) -> None:
    request = ("--request", foreign / "manifest.json") if command == "rank" else ()
    bare = call(command, foreign, *request, "--signature", "require")
    assert (bare.exit_code, "[key_missing]" in bare.stderr) == (2, True)
    private = call(command, foreign, *request, "--public-key", key)
    assert (private.exit_code, "[key_invalid]" in private.stderr) == (2, True)
    assert "PRIVATE KEY" in private.stderr
