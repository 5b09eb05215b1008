"""Making signatures as contract section 14 says, offline, with an elliptic-curve key."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from twinrank.export.bundle._files import write_atomically
from twinrank.export.bundle._json import dump_document
from twinrank.export.bundle._layout import read_files, read_listed_manifest, scan
from twinrank.export.bundle._manifest import SIGNATURE
from twinrank.export.bundle._signature import (
    MEDIA_TYPE,
    PAYLOAD_TYPE,
    PREDICATE_TYPE,
    STATEMENT_TYPE,
    bundle_resources,
    hash_of,
    key_hint,
    pae,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec


class SigningKeyError(ValueError):
    """A text is no private key that can sign. Nothing of it is ever in the message.

    Attributes:
        code: ``key_encrypted``, ``key_not_encrypted``, ``key_unreadable`` or ``key_unsupported``.
        message: what was given, and what is expected.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def sign_bundle(path: Path | str, private_key: bytes, password: bytes | None = None) -> Path:
    """Writes ``model.sig`` into a bundle: complete, or not at all. An earlier signature is replaced.

    Every file is digested first; nothing native is opened. The same key and bundle give the same bytes (RFC 6979).

    Args:
        path: ``<models>/<name>/<version>``.
        private_key: PEM text of an EC key on P-256, P-384 or P-521.
        password: what the key is encrypted with; None for a key that is not.

    Returns:
        The signature's path.

    Raises:
        BundleError: the codes of the phases layout, manifest and digests; such a bundle is not signed.
        SigningKeyError: if the key cannot sign.
        OSError: if the file system refuses.
    """
    key = load_private_key(private_key, password)
    root = Path(path).resolve()
    manifest = read_listed_manifest(root, scan(root))
    read_files(root, manifest.files)
    target = root / SIGNATURE
    write_atomically(target, signature_text(key, manifest.name, bundle_resources(manifest)), scratch=root.parent)
    return target


def load_private_key(pem: bytes, password: bytes | None) -> "ec.EllipticCurvePrivateKey":
    """The key of a PEM text.

    Raises:
        SigningKeyError: if it is no private EC key on P-256, P-384 or P-521, or the password does not open it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    kinds = [kind.decode() for kind in re.findall(rb"-----BEGIN ([A-Z0-9 ]{0,40})-----", pem)]
    if not any(kind.endswith("PRIVATE KEY") for kind in kinds):
        given = f"a PEM text of {', '.join(kinds)}" if kinds else "no PEM text"
        raise SigningKeyError(
            "key_unreadable",
            f"the signing key is {given}; expected a PRIVATE KEY (openssl ecparam -name prime256v1 -genkey)",
        )
    try:
        key = load_pem_private_key(pem, password)
    except TypeError as e:  # how the library says that the key is encrypted, or is not
        if password is None:
            raise SigningKeyError("key_encrypted", "the signing key is encrypted; give its password") from e
        raise SigningKeyError(
            "key_not_encrypted", "the signing key is not encrypted, and a password was given; leave it out"
        ) from e
    except (ValueError, UnsupportedAlgorithm) as e:
        why = "the password is wrong, or it is damaged" if password is not None else "it is damaged"
        raise SigningKeyError("key_unreadable", f"the signing key cannot be read: {why}") from e
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        kind = type(key).__name__.removeprefix("_").removesuffix("PrivateKey")
        raise SigningKeyError(
            "key_unsupported", f"the signing key is of the kind {kind}; expected an EC key on P-256, P-384 or P-521"
        )
    try:
        hash_of(key.curve)
    except ValueError as e:
        raise SigningKeyError("key_unsupported", f"the signing key {e}") from e
    return key


def signature_text(key: "ec.EllipticCurvePrivateKey", name: str, resources: Mapping[str, str]) -> bytes:
    """A signature over named digests.

    Args:
        key: who signs.
        name: what the resources are together; a reader does not look at it.
        resources: name to SHA-256 in lower-case hex.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    names = sorted(resources)
    total = hashlib.sha256(b"".join(bytes.fromhex(resources[each]) for each in names)).hexdigest()
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": total}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            # What other implementations of the specification need to walk the directory in the same way.
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [SIGNATURE],
            },
            "resources": [{"name": each, "algorithm": "sha256", "digest": resources[each]} for each in names],
        },
    }
    payload = json.dumps(statement, sort_keys=True, ensure_ascii=False).encode("utf-8")
    signed = key.sign(pae(payload), ec.ECDSA(hash_of(key.curve), deterministic_signing=True))
    return dump_document(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": key_hint(key.public_key())}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode("ascii"),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": base64.b64encode(signed).decode("ascii"), "keyid": ""}],
            },
        }
    )
