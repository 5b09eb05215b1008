"""Phase "signature" of reading: an OpenSSF Model Signing signature with an elliptic-curve key (contract section 14).

The checks are written out here, because they decide what is trusted: strict JSON, canonical base64, one signature, and
resources that are exactly the bundle's files. Only the curve arithmetic is a library's (cryptography, imported when a
key is given).
"""

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from twinrank.export.bundle._files import UnreadableError, read_bounded, short
from twinrank.export.bundle._json import JsonError, parse_json
from twinrank.export.bundle._manifest import MANIFEST, MANIFEST_DIGEST, SIGNATURE, Manifest
from twinrank.export.bundle._problems import Findings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

SignatureMode = Literal["none", "warn", "require"]
"""What a caller asks of a signature: nothing, to be told, or that it verifies."""

SignatureState = Literal["unchecked", "missing", "invalid", "valid"]
"""What was found of a bundle's signature."""

MAX_SIGNATURE_BYTES = 16 * 2**20
MAX_KEY_BYTES = 2**16
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MEDIA_TYPES = "application/vnd.dev.sigstore.bundle"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_PEM_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]*)-----")
_PEM_SPACE = b" \t\r\n"


class SignatureError(ValueError):
    """A text is no signature that verifies; the message says why."""


@dataclass(frozen=True, slots=True, init=False)
class SignaturePolicy:
    """What a caller asks of ``model.sig``. Immutable.

    Args:
        mode: as the attribute; None is ``require`` with keys and ``none`` without, as the contract says.
        keys: a tuple or list of public keys as PEM texts (SubjectPublicKeyInfo; P-256, P-384 or P-521), bytes or str.

    Attributes:
        mode: ``none`` does not look at it, ``warn`` reports its state, ``require`` refuses a bundle without a valid
            one.
        keys: the PEM texts as bytes. One that verifies is enough.

    Raises:
        TypeError: if the keys are no tuple or list, or one is neither bytes nor str.
        ValueError: if the mode is another word, needs a key and has none, or a key is not such a text.
    """

    mode: SignatureMode
    keys: tuple[bytes, ...]

    def __init__(self, mode: SignatureMode | None = None, keys: Sequence[bytes | str] = ()) -> None:
        if not isinstance(keys, tuple | list):
            raise TypeError(
                f"keys is {_kind(keys)}; expected a tuple of PEM texts, as in keys=(pem,); "
                "SignaturePolicy.of_files(mode, paths) reads files"
            )
        texts = []
        for index, key in enumerate(keys):
            text = _pem_text(key, f"public key {index}")
            try:
                load_public_key(text)
            except ValueError as e:
                raise ValueError(f"public key {index}: {e}") from e
            texts.append(text)
        chosen = mode if mode is not None else "require" if texts else "none"
        if chosen not in ("none", "warn", "require"):
            raise ValueError(f"the signature policy is {mode!r}; allowed: none, warn, require")
        if chosen != "none" and not texts:
            raise ValueError(f"the signature policy {chosen} needs a public key to verify with; give one, or none")
        object.__setattr__(self, "mode", chosen)
        object.__setattr__(self, "keys", tuple(texts))

    @classmethod
    def of_files(cls, mode: SignatureMode | None, paths: Sequence[Path | str]) -> Self:
        """A policy whose keys lie in files, one a file.

        Args:
            mode: as for the class.
            paths: a tuple or list of files.

        Raises:
            TypeError: if the paths are no tuple or list.
            ValueError: as for the class, or if a file cannot be read or holds no such key; it names the file.
        """
        if not isinstance(paths, tuple | list):
            raise TypeError(f"paths is {_kind(paths)}; expected a tuple of files, as in (path,)")
        texts = []
        for path in paths:
            try:
                text = _key_file(path)
                load_public_key(text)
            except OSError as e:
                raise ValueError(f"the key file {path} cannot be read: {e.strerror or e}") from e
            except ValueError as e:
                raise ValueError(f"the key file {path} {e}") from e
            texts.append(text)
        return cls(mode, texts)


def _key_file(path: Path | str) -> bytes:
    with open(path, "rb") as file:
        text = file.read(MAX_KEY_BYTES + 1)
    if len(text) > MAX_KEY_BYTES:
        raise ValueError(f"has more than {MAX_KEY_BYTES} bytes")
    return text


def _pem_text(key: object, where: str) -> bytes:
    if isinstance(key, str):
        # What is not ASCII is no PEM, and is refused as such.
        return key.encode("utf-8", "surrogateescape")
    if isinstance(key, bytes):
        return key
    raise TypeError(
        f"{where} is {_kind(key)}; expected a PEM text as bytes or str; "
        "SignaturePolicy.of_files(mode, paths) reads files"
    )


def _kind(value: object) -> str:
    return "a path" if isinstance(value, os.PathLike) else f"of type {type(value).__name__}"


NO_SIGNATURE = SignaturePolicy()


def check_signature(
    root: Path, present: Collection[str], manifest: Manifest, policy: SignaturePolicy
) -> tuple[SignatureState, str]:
    """The state of a bundle's signature, and why it is invalid. Every file must have been digested before.

    Args:
        root: the bundle's directory.
        present: the files that lie in it.
        manifest: the checked manifest; its digests are those that the reader found.
        policy: what the caller asks.

    Raises:
        BundleError: ``signature_missing``, ``signature_invalid``.
    """
    if policy.mode == "none":
        return "unchecked", ""
    found = Findings()
    state: SignatureState = "valid"
    detail = ""
    try:
        if SIGNATURE not in present:
            raise FileNotFoundError
        verify_signature(read_bounded(root / SIGNATURE, MAX_SIGNATURE_BYTES), bundle_resources(manifest), policy.keys)
    except FileNotFoundError:
        state = "missing"
        found.add("signature_missing", SIGNATURE, "does not exist, and a signature is required; use twinrank sign")
    except (OSError, UnreadableError, SignatureError) as e:
        state = "invalid"
        detail = f"cannot be read: {e.strerror or e}" if isinstance(e, OSError) else short(e)
        found.add("signature_invalid", SIGNATURE, f"{detail}; fetch the bundle again from who signed it")
    if policy.mode == "require":
        found.stop()
    return state, detail


def bundle_resources(manifest: Manifest) -> dict[str, str]:
    """What a bundle's signature must cover: each file's path and SHA-256 in lower-case hex."""
    digest = manifest.digest.removeprefix("sha256:")
    files = {path: entry.sha256 for path, entry in manifest.files.items()}
    return files | {MANIFEST: digest, MANIFEST_DIGEST: hashlib.sha256(f"{digest}\n".encode()).hexdigest()}


def load_public_key(pem: bytes) -> "ec.EllipticCurvePublicKey":
    """The key of a PEM text.

    Raises:
        ValueError: if it is not one SubjectPublicKeyInfo of an EC key on P-256, P-384 or P-521, in the one form that
            section 14 takes.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

    encoded = _pem_content(pem)
    try:
        key = load_der_public_key(encoded)
    except (ValueError, UnsupportedAlgorithm) as e:
        raise ValueError(f"is no public key: {e}") from e
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError(f"is a {type(key).__name__}; expected an EC key on P-256, P-384 or P-521")
    hash_of(key.curve)
    # The library also takes compressed and hybrid points, of which other readers need not know.
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != encoded:
        raise ValueError("is an EC key whose point is compressed or hybrid; give it with an uncompressed point")
    return key


def _pem_content(pem: bytes) -> bytes:
    """What a PEM text holds, read here: libraries differ in the base64, the headers and the ends that they take."""
    blocks = list(_PEM_BEGIN.finditer(pem))
    if [block[1] for block in blocks] != [b"PUBLIC KEY"]:
        given = ", ".join(block[1].decode() for block in blocks) or "no PEM text"
        raise ValueError(f"holds {given}; expected one PUBLIC KEY (openssl pkey -in private.pem -pubout)")
    body, end, _ = pem[blocks[0].end() :].partition(b"-----END PUBLIC KEY-----")
    if not end:
        raise ValueError("is no public key: the PEM text has no end")
    return _base64(body.translate(None, _PEM_SPACE).decode("latin-1"), "is no public key: its text")


def hash_of(curve: "ec.EllipticCurve") -> "HashAlgorithm":
    """The hash that goes with a curve.

    Raises:
        ValueError: if the curve is not P-256, P-384 or P-521.
    """
    from cryptography.hazmat.primitives import hashes

    known: dict[str, HashAlgorithm] = {
        "secp256r1": hashes.SHA256(),
        "secp384r1": hashes.SHA384(),
        "secp521r1": hashes.SHA512(),
    }
    if curve.name not in known:
        raise ValueError(f"is a key on {curve.name}; expected P-256, P-384 or P-521")
    return known[curve.name]


def key_hint(key: "ec.EllipticCurvePublicKey") -> str:
    """SHA-256 in hex of the key's PEM text, as OpenSSL prints it: how a signature names its key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def pae(payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding of the payload and its type."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def verify_signature(raw: bytes, resources: Mapping[str, str], keys: Collection[bytes]) -> None:
    """Checks that a signature's text verifies under one of the keys and covers exactly the resources.

    Args:
        raw: the bytes of the signature's file.
        resources: name to SHA-256 in lower-case hex, as the reader itself found them.
        keys: public keys as PEM texts.

    Raises:
        SignatureError: otherwise.
    """
    document = _document(raw, "the text")
    media_type = document.get("mediaType")
    if not isinstance(media_type, str) or not media_type.startswith(MEDIA_TYPES):
        raise SignatureError(f"mediaType is not one that begins with {MEDIA_TYPES}")
    envelope = _object(document, "dsseEnvelope")
    if envelope.get("payloadType") != PAYLOAD_TYPE:
        raise SignatureError(f"payloadType is not {PAYLOAD_TYPE}")
    payload = _base64(envelope.get("payload"), "payload")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise SignatureError("dsseEnvelope.signatures does not hold exactly one signature")
    _verify(_base64(signatures[0].get("sig"), "sig"), pae(payload), _candidates(document, keys))
    _check_statement(_document(payload, "the payload"), resources)


def _document(raw: bytes, what: str) -> dict[str, Any]:
    try:
        document = parse_json(raw)
    except JsonError as e:
        raise SignatureError(f"{what} is not the JSON that the contract allows: {e}") from e
    if not isinstance(document, dict):
        raise SignatureError(f"{what} is no JSON object")
    return document


def _object(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise SignatureError(f"{name} is no object")
    return value


def _base64(value: object, what: str) -> bytes:
    if not isinstance(value, str):
        raise SignatureError(f"{what} is no string")
    try:
        decoded = base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as e:
        raise SignatureError(f"{what} is no base64") from e
    # Several texts decode to the same bytes; two readers must not differ in which of them they take.
    if base64.b64encode(decoded).decode("ascii") != value:
        raise SignatureError(f"{what} is not canonical base64")
    return decoded


def _candidates(document: Mapping[str, Any], keys: Collection[bytes]) -> list["ec.EllipticCurvePublicKey"]:
    """The keys that the signature may be of: the one that it names, or all."""
    loaded = [load_public_key(key) for key in keys]
    if "verificationMaterial" not in document:
        return loaded
    material = _object(document, "verificationMaterial")
    if "publicKey" not in material:
        return loaded
    named = _object(material, "publicKey")
    if "hint" not in named:
        return loaded
    candidates = [key for key in loaded if key_hint(key) == named["hint"]]
    if not candidates:
        raise SignatureError(f"names a key that is none of the {len(loaded)} given")
    return candidates


def _verify(signature: bytes, signed: bytes, keys: Collection["ec.EllipticCurvePublicKey"]) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec

    for key in keys:
        try:
            key.verify(signature, signed, ec.ECDSA(hash_of(key.curve)))
        except InvalidSignature:
            continue
        return
    raise SignatureError("is no signature of the payload under any of the given keys")


def _check_statement(statement: dict[str, Any], resources: Mapping[str, str]) -> None:
    if statement.get("_type") != STATEMENT_TYPE:
        raise SignatureError(f"_type is not {STATEMENT_TYPE}")
    if statement.get("predicateType") != PREDICATE_TYPE:
        raise SignatureError(f"predicateType is not {PREDICATE_TYPE}")
    predicate = _object(statement, "predicate")
    serialization = _object(predicate, "serialization")
    if serialization.get("method") != "files" or serialization.get("hash_type") != "sha256":
        raise SignatureError("predicate.serialization is not by files with sha256")
    signed = _resources(predicate.get("resources"))
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1 or not isinstance(subjects[0], dict):
        raise SignatureError("does not hold exactly one subject")
    total = hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in signed.values())).hexdigest()
    if _object(subjects[0], "digest").get("sha256") != total:
        raise SignatureError("subject is not the digest of the resources")
    for name in sorted(resources.keys() - signed.keys()):
        raise SignatureError(f"does not cover {name}")
    for name in sorted(signed.keys() - resources.keys()):
        raise SignatureError(f"covers {name!r}, which is none of the files")
    for name in sorted(resources):
        if signed[name] != resources[name]:
            raise SignatureError(f"covers another {name}: SHA-256 {signed[name]} instead of {resources[name]}")


def _resources(value: object) -> dict[str, str]:
    """Name to digest in the order of the text."""
    if not isinstance(value, list):
        raise SignatureError("predicate.resources is no array")
    found: dict[str, str] = {}
    for resource in value:
        if not isinstance(resource, dict):
            raise SignatureError("a resource is no object")
        name, digest = resource.get("name"), resource.get("digest")
        if not isinstance(name, str) or resource.get("algorithm") != "sha256":
            raise SignatureError("a resource has no name, or another algorithm than sha256")
        if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise SignatureError(f"the digest of {name!r} is not 64 lower-case hex digits")
        if name in found:
            raise SignatureError(f"covers {name!r} twice")
        found[name] = digest
    return found
