"""Signatures: ours and the referee's (model_signing, the specification's own library) verify each other's."""

import base64
import json
import os
import random
import shutil
import stat
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from hostile_bundles import HOSTILE

import twinrank.export.bundle._files as files
from twinrank.export.bundle import BundleError, SignaturePolicy, SigningKeyError, open_bundle, sign_bundle
from twinrank.export.bundle._signature import SignatureError, bundle_resources, verify_signature

CURVES = ("p256", "p384", "p521")
SIGNATURES = HOSTILE / "signatures"


def private(name: str) -> bytes:
    return (SIGNATURES / f"{name}.pem").read_bytes()


def public(name: str) -> bytes:
    return (SIGNATURES / f"{name}.pub.pem").read_bytes()


def pem(key: Any, password: bytes | None = None) -> bytes:
    how = NoEncryption() if password is None else BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)  # type: ignore[no-any-return]


@pytest.fixture
def bundle(tiny: Path, tmp_path: Path) -> Path:
    root = tmp_path / "tiny" / "1"
    shutil.copytree(tiny, root)
    return root


@pytest.fixture(scope="module")
def referee() -> ModuleType:
    with warnings.catch_warnings():
        # What a library of the library deprecates is not ours to mend.
        warnings.simplefilter("ignore")
        import model_signing
    return model_signing


# ---- both ways


@pytest.mark.parametrize("curve", CURVES)
def test_the_referee_verifies_what_we_sign(curve: str, bundle: Path, referee: ModuleType) -> None:
    written = sign_bundle(bundle, private(curve))
    verifier = referee.verifying.Config().use_elliptic_key_verifier(public_key=SIGNATURES / f"{curve}.pub.pem")
    verifier.verify(bundle, written)
    (bundle / "goldens/requests.jsonl").write_bytes(b"{}\n")
    with pytest.raises(ValueError, match="Hash mismatch"):
        verifier.verify(bundle, written)


@pytest.mark.parametrize("curve", CURVES)
def test_we_verify_what_the_referee_signs(curve: str, bundle: Path, referee: ModuleType) -> None:
    signer = referee.signing.Config().use_elliptic_key_signer(private_key=SIGNATURES / f"{curve}.pem")
    signer.sign(bundle, bundle / "model.sig")
    opened = open_bundle(bundle, require="reference", signature=SignaturePolicy(keys=(public(curve),)))
    assert (opened.signature, opened.signature_detail) == ("valid", "")


# ---- signing


def test_the_same_key_and_bundle_give_the_same_bytes(bundle: Path) -> None:
    first = sign_bundle(bundle, private("p256")).read_bytes()
    assert sign_bundle(bundle, private("p256")).read_bytes() == first
    assert b"tmp" not in base64.b64decode(json.loads(first)["dsseEnvelope"]["payload"])


def test_signing_again_replaces_and_touches_nothing_else(bundle: Path) -> None:
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    sign_bundle(bundle, private("p256"))
    written = sign_bundle(bundle, private("p384"))
    assert written == bundle / "model.sig"
    assert stat.S_IMODE(written.stat().st_mode) == 0o644
    after = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file() and path != written}
    assert after == before
    assert [path.name for path in bundle.parent.iterdir()] == ["1"]
    policy = SignaturePolicy(keys=(public("p384"),))
    assert open_bundle(bundle, require="reference", signature=policy).signature == "valid"
    with pytest.raises(BundleError, match="none of the 1 given"):
        open_bundle(bundle, require="reference", signature=SignaturePolicy(keys=(public("p256"),)))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda root: (root / "model.onnx").unlink(), "file_missing"),
        (lambda root: (root / "notes.txt").write_text("hello"), "file_unexpected"),
        (lambda root: (root / "manifest.json").write_text("{}"), "manifest_digest_mismatch"),
        (lambda root: (root / "model.onnx").write_bytes(b"other"), "size_mismatch"),
    ],
)
def test_a_damaged_bundle_is_not_signed(damage: Any, code: str, bundle: Path) -> None:
    damage(bundle)
    with pytest.raises(BundleError) as caught:
        sign_bundle(bundle, private("p256"))
    assert caught.value.code == code
    assert not (bundle / "model.sig").exists()


def test_what_fails_half_way_leaves_the_earlier_signature(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sign_bundle(bundle, private("p256")).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "rename", full)
    with pytest.raises(OSError, match="No space"):
        sign_bundle(bundle, private("p384"))
    assert (bundle / "model.sig").read_bytes() == first
    assert [path.name for path in bundle.parent.iterdir()] == ["1"]


def test_an_unfinished_signature_hinders_no_reader_and_is_swept(bundle: Path) -> None:
    killed, held = (bundle.parent / f".tmp-file-{name}" for name in ("killed", "held"))
    killed.write_bytes(b"{")
    with open(held, "wb") as file:
        files.fcntl.flock(file, files.fcntl.LOCK_EX)
        assert open_bundle(bundle, require="reference").signature == "unchecked"
        sign_bundle(bundle, private("p256"))
        assert (killed.exists(), held.exists()) == (False, True)


def test_a_writer_that_is_swept_before_its_lock_begins_again(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept = []
    lock = files.fcntl.flock

    def after_a_sweep(file: Any, operation: int) -> None:
        if not swept and hasattr(file, "name") and ".tmp-file-" in str(file.name):
            swept.append(file.name)
            os.unlink(file.name)
        lock(file, operation)

    monkeypatch.setattr(files.fcntl, "flock", after_a_sweep)
    assert sign_bundle(bundle, private("p256")).stat().st_size > 1000
    assert len(swept) == 1
    assert [path.name for path in bundle.parent.iterdir()] == ["1"]


# ---- keys


@pytest.mark.parametrize(
    ("key", "password", "code", "told"),
    [
        (b"", None, "key_unreadable", "no PEM text"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", None, "key_unreadable", "damaged"),
        (public("p256"), None, "key_unreadable", "PUBLIC KEY"),
        (pem(rsa.generate_private_key(65537, 2048)), None, "key_unsupported", "RSA"),
        (pem(ed25519.Ed25519PrivateKey.generate()), None, "key_unsupported", "Ed25519"),
        (pem(ec.generate_private_key(ec.SECP256K1())), None, "key_unsupported", "secp256k1"),
        (pem(ec.generate_private_key(ec.SECP256R1()), b"right"), None, "key_encrypted", "give its password"),
        (pem(ec.generate_private_key(ec.SECP256R1()), b"right"), b"hunter2", "key_unreadable", "password is wrong"),
        (private("p256"), b"needless", "key_not_encrypted", "leave it out"),
    ],
    ids=["empty", "damaged", "public", "rsa", "ed25519", "secp256k1", "encrypted", "wrong-password", "not-encrypted"],
)
def test_a_key_that_cannot_sign_says_why(
    key: bytes, password: bytes | None, code: str, told: str, bundle: Path
) -> None:
    with pytest.raises(SigningKeyError, match=told) as caught:
        sign_bundle(bundle, key, password)
    assert caught.value.code == code
    assert not (bundle / "model.sig").exists()
    secret = b"".join(line for line in key.splitlines() if line and not line.startswith(b"-----"))
    assert not secret or secret.decode()[:16] not in str(caught.value)
    assert not password or password.decode() not in str(caught.value)


def test_an_encrypted_key_signs_with_its_password(bundle: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    sign_bundle(bundle, pem(key, b"open sesame"), b"open sesame")
    known = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    opened = open_bundle(bundle, require="reference", signature=SignaturePolicy(keys=(known,)))
    assert opened.signature == "valid"


# ---- policies


def test_keys_alone_require_and_no_keys_ask_nothing() -> None:
    assert SignaturePolicy().mode == "none"
    assert SignaturePolicy(keys=(public("p256"),)).mode == "require"
    assert SignaturePolicy("warn", (public("p256"),)).mode == "warn"


@pytest.mark.parametrize(
    ("mode", "keys", "told"),
    [
        ("warn", (), "needs a public key"),
        ("require", (), "needs a public key"),
        ("maybe", (public("p256"),), "allowed: none, warn, require"),
        (None, (b"",), "public key 0: holds no PEM text"),
        (None, (public("p256"), private("p256")), "public key 1: holds PRIVATE KEY"),
        (None, (public("p256") + public("p384"),), "holds PUBLIC KEY, PUBLIC KEY; expected one"),
        (None, (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",), "no public key"),
    ],
)
def test_a_policy_that_makes_no_sense_is_an_error_of_the_caller(mode: Any, keys: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        SignaturePolicy(mode, keys)


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.SECP224R1(), ec.BrainpoolP256R1()], ids=lambda curve: curve.name)
def test_other_curves_are_refused_as_keys(curve: ec.EllipticCurve) -> None:
    known = ec.generate_private_key(curve).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="expected P-256, P-384 or P-521"):
        SignaturePolicy(keys=(known,))


@pytest.mark.parametrize("sequence", [tuple, list])
def test_a_key_may_be_bytes_or_str(sequence: Any, bundle: Path) -> None:
    sign_bundle(bundle, private("p256"))
    policy = SignaturePolicy(keys=sequence([public("p256").decode(), public("p384")]))
    assert policy == SignaturePolicy("require", (public("p256"), public("p384")))
    assert open_bundle(bundle, require="reference", signature=policy).signature == "valid"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (public("p256"), r"keys is of type bytes; expected a tuple of PEM texts, as in keys=\(pem,\)"),
        (public("p256").decode(), "keys is of type str; expected a tuple of PEM texts"),
        (SIGNATURES / "p256.pub.pem", "keys is a path; expected .*of_files"),
        ({public("p256")}, "keys is of type set"),
        (None, "keys is of type NoneType"),
        ((SIGNATURES / "p256.pub.pem",), "public key 0 is a path; expected a PEM text as bytes or str; .*of_files"),
        ((public("p256"), 3), "public key 1 is of type int"),
    ],
)
def test_what_is_no_tuple_of_texts_is_named(keys: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        SignaturePolicy(keys=keys)


def test_keys_in_files_are_read_and_errors_name_the_file(tmp_path: Path) -> None:
    good = SIGNATURES / "p256.pub.pem"
    assert SignaturePolicy.of_files(None, [good, str(good)]) == SignaturePolicy("require", (public("p256"),) * 2)
    assert SignaturePolicy.of_files("warn", (good,)) == SignaturePolicy("warn", (public("p256"),))
    assert SignaturePolicy.of_files(None, ()).mode == "none"
    long = tmp_path / "long.pem"
    long.write_bytes(public("p256") + b" " * 2**16)
    for bad, told in (
        (SIGNATURES / "p256.pem", "holds PRIVATE KEY; expected one PUBLIC KEY"),
        (tmp_path / "absent.pem", "cannot be read: No such file or directory"),
        (long, "has more than 65536 bytes"),
    ):
        with pytest.raises(ValueError, match=f"^the key file {bad} {told}"):
            SignaturePolicy.of_files("require", (good, bad))
    paths: Any = good
    with pytest.raises(TypeError, match="paths is a path; expected a tuple of files"):
        SignaturePolicy.of_files("require", paths)


def key_texts() -> dict[str, tuple[bytes, bool]]:
    """Texts of one key, and whether section 14 takes them; SignaturePolicyTest has the same list."""
    text = public("p256")
    known = load_pem_public_key(text)
    assert isinstance(known, ec.EllipticCurvePublicKey)
    compressed = known.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    der = known.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    # SEQUENCE of 57 bytes, the 21 of the algorithm, BIT STRING of 34 with no unused bits.
    other = {"compressed": b"\x30\x39" + der[2:23] + b"\x03\x22\x00" + compressed}
    other["hybrid"] = der[:26] + bytes([6 + der[-1] % 2]) + der[27:]
    blocks = {
        name: b"-----BEGIN PUBLIC KEY-----\n%s-----END PUBLIC KEY-----\n" % base64.encodebytes(content)
        for name, content in other.items()
    }
    head, body = text.split(b"\n", 1)
    loose = body.replace(b"==\n", b"=\n=\n")
    return {
        "as OpenSSL prints it": (text, True),
        "CR LF": (text.replace(b"\n", b"\r\n"), True),
        "CR": (text.replace(b"\n", b"\r"), True),
        "on one line": (text.replace(b"\n", b""), True),
        "indented": (text.replace(b"\n", b"\n\t  "), True),
        "padding broken": (head + b"\n" + loose, True),
        "byte order mark": (b"\xef\xbb\xbf" + text, True),
        "text around": (b"EC key\n" + text + b"\0 end", True),
        "header": (head + b"\nProc-Type: 4,ENCRYPTED\n\n" + body, False),
        "no padding": (text.replace(b"=", b""), False),
        "loose bits": (
            head + b"\n" + body.replace(b"A==", b"B==").replace(b"Q==", b"R==").replace(b"g==", b"h=="),
            False,
        ),
        "form feed": (head + b"\n\f" + body, False),
        "vertical tab": (head + b"\n\v" + body, False),
        "no end": (text.replace(b"END", b"ENDE"), False),
        "two": (text + text, False),
        "lower-case label": (text.replace(b"PUBLIC KEY", b"public key"), False),
        "compressed": (blocks["compressed"], False),
        "hybrid": (blocks["hybrid"], False),
    }


@pytest.mark.parametrize("name", sorted(key_texts()))
def test_of_the_texts_of_a_key_both_readers_take_the_same(name: str) -> None:
    text, taken = key_texts()[name]
    if taken:
        assert SignaturePolicy(keys=(text,)).mode == "require"
    else:
        with pytest.raises(ValueError, match="public key 0"):
            SignaturePolicy(keys=(text,))


def test_a_key_with_other_line_ends_is_the_same_key(bundle: Path) -> None:
    sign_bundle(bundle, private("p256"))
    policy = SignaturePolicy(keys=(public("p256").replace(b"\n", b"\r\n"),))
    assert open_bundle(bundle, require="reference", signature=policy).signature == "valid"


# ---- every byte counts


@pytest.fixture(scope="module")
def signed(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, str]]:
    root = tmp_path_factory.mktemp("signed") / "tiny" / "1"
    shutil.copytree(tiny, root)
    raw = sign_bundle(root, private("p256")).read_bytes()
    return raw, bundle_resources(open_bundle(root, require="reference").manifest)


def test_no_flipped_bit_of_payload_or_signature_verifies(signed: tuple[bytes, dict[str, str]]) -> None:
    raw, resources = signed
    verify_signature(raw, resources, (public("p256"),))
    chance = random.Random(7)
    for _ in range(150):
        document = json.loads(raw)
        envelope = document["dsseEnvelope"]
        place, name = chance.choice(((envelope, "payload"), (envelope["signatures"][0], "sig")))
        content = bytearray(base64.b64decode(place[name]))
        at = chance.randrange(len(content))
        content[at] ^= 1 << chance.randrange(8)
        place[name] = base64.b64encode(content).decode()
        with pytest.raises(SignatureError):
            verify_signature(json.dumps(document).encode(), resources, (public("p256"),))


def test_whatever_the_text_is_it_verifies_or_is_refused_in_words(signed: tuple[bytes, dict[str, str]]) -> None:
    raw, resources = signed
    chance = random.Random(8)
    refused = 0
    for _ in range(300):
        text = bytearray(raw)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(text))
            text[at : at + chance.randrange(3)] = bytes(
                chance.choices(b'{}[]",:0aA= \xff\x00\\', k=chance.randrange(3))
            )
        try:
            verify_signature(bytes(text), resources, (public("p256"),))
        except SignatureError:
            refused += 1
    assert refused > 250


def test_what_a_hostile_signature_quotes_is_cut(bundle: Path) -> None:
    (bundle / "model.sig").write_text(json.dumps({"x" * 100_000: 1, "x": 1})[:-1] + ', "' + "x" * 100_000 + '": 2}')
    opened = open_bundle(bundle, require="reference", signature=SignaturePolicy("warn", (public("p256"),)))
    assert opened.signature == "invalid"
    assert 0 < len(opened.signature_detail) < 500
