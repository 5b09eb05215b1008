"""Makes signatures/ and attestations/: keys, signatures over the tiny bundle as it lies there, good and spoiled in one
way each, and an attestation of it with placeholders, for cases.json; --check compares (see README.md).

Everything is put together here from the specification's text, not by the package's own signer, so that a reader is
tested against a second opinion; ``cryptography`` does the arithmetic, with RFC 6979's nonces, so that the same bytes
come out every time. The private keys are derived from their names and protect nothing.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

HERE = Path(__file__).resolve().parent
BASE = HERE / "../vectors/bundles/tiny/1"
FOLDERS = ("signatures", "attestations")
CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1(), "other": ec.SECP256R1()}
HASHES: dict[str, hashes.HashAlgorithm] = {
    "p256": hashes.SHA256(),
    "p384": hashes.SHA384(),
    "p521": hashes.SHA512(),
    "other": hashes.SHA256(),
}
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def private_key(name: str) -> ec.EllipticCurvePrivateKey:
    """The test key of that name: a number of 240 bits, which is below the order of every curve here."""
    number = hashlib.shake_256(f"twinrank test key {name}".encode()).digest(30)
    return ec.derive_private_key(int.from_bytes(number), CURVES[name])


def public_pem(name: str) -> bytes:
    """The public half as PEM."""
    return private_key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def digests() -> dict[str, str]:
    """What a signature of the base covers: every file's SHA-256."""
    files = (path for path in sorted(BASE.rglob("*")) if path.is_file())
    return {path.relative_to(BASE).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def statement(resources: list[tuple[str, str]] | None = None) -> dict[str, Any]:
    """The in-toto statement over named digests, in the given order."""
    named = sorted(digests().items()) if resources is None else resources
    total = hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in named)).hexdigest()
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "tiny", "digest": {"sha256": total}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
            "resources": [{"name": name, "algorithm": "sha256", "digest": digest} for name, digest in named],
        },
    }


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """DSSE's pre-authentication encoding."""
    return f"DSSEv1 {len(payload_type)} {payload_type} {len(payload)} ".encode() + payload


def sign(signed: bytes, key: str = "p256", algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    """The DER signature over bytes."""
    return private_key(key).sign(signed, ec.ECDSA(algorithm or HASHES[key], deterministic_signing=True))


def encode(raw: bytes) -> str:
    """Canonical base64."""
    return base64.b64encode(raw).decode()


def envelope(payload: bytes, signature: bytes, key: str = "p256") -> dict[str, Any]:
    """The Sigstore bundle around a payload and its signature."""
    hint = hashlib.sha256(public_pem(key)).hexdigest()
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": encode(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": encode(signature), "keyid": ""}],
        },
    }


def text(document: object) -> bytes:
    """JSON, one line."""
    return (json.dumps(document, separators=(",", ":")) + "\n").encode()


def signed(document: dict[str, Any] | bytes, key: str = "p256") -> dict[str, Any]:
    """A sound signature over whatever payload."""
    payload = document if isinstance(document, bytes) else json.dumps(document, separators=(",", ":")).encode()
    return envelope(payload, sign(pae(payload), key), key)


def changed(document: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The document after an edit in place."""
    edit(document)
    return document


def stated(edit: Callable[[dict[str, Any]], object]) -> bytes:
    """A sound signature over a statement that is not."""
    return text(signed(changed(statement(), edit)))


def wrapped(edit: Callable[[dict[str, Any]], object]) -> bytes:
    """A spoiled envelope around a good statement."""
    return text(changed(signed(statement()), edit))


def other_signature(signature: bytes | str) -> bytes:
    """The good envelope with another ``sig``."""
    given = signature if isinstance(signature, str) else encode(signature)
    return wrapped(lambda d: d["dsseEnvelope"]["signatures"][0].update(sig=given))


def good() -> dict[str, bytes]:
    """Signatures that verify."""
    reverse = sorted(digests().items(), reverse=True)
    pretty = signed(json.dumps(statement(), indent=4, sort_keys=True).encode())
    extended = changed(statement(), lambda s: s.update(more=[1.5, None]) or s["predicate"].update(method={"a": 1}))
    unhinted = changed(signed(statement()), lambda d: d.pop("verificationMaterial"))
    return {
        "good-p256": text(signed(statement())),
        "good-p384": text(signed(statement(), "p384")),
        "good-p521": text(signed(statement(), "p521")),
        "good-reverse-order": text(signed(statement(reverse))),
        "good-unknown-members": text(changed(signed(extended), lambda d: d.update(more={"any": "thing"}))),
        "good-pretty": json.dumps(pretty, indent=4).encode(),
        "good-no-hint": text(unhinted),
        "good-other-media-type": text(signed(statement()) | {"mediaType": "application/vnd.dev.sigstore.bundle+json"}),
    }


def spoiled_statements() -> dict[str, bytes]:
    """Sound signatures over statements that must not pass."""
    files = digests()
    named = sorted(files.items())
    zeros = "0" * 64
    compat = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in named],
        "predicateType": "https://model_signing/Digests/v0.1",
        "predicate": {"unused": "Unused, just passed due to API requirements"},
    }
    twice = [*named, named[0]]
    repeated = json.dumps(statement()).replace('"predicateType"', '"predicateType": "x", "predicateType"', 1)
    deep = json.dumps(statement())[:-1] + ', "deep": ' + "[" * 32 + "]" * 32 + "}"
    wrong = [(name, zeros if name == "model.onnx" else digest) for name, digest in named]
    less = [(name, digest) for name, digest in named if name != "goldens/requests.jsonl"]
    return {
        "leaves-out": text(signed(statement(less))),
        "leaves-out-digest": text(signed(statement([pair for pair in named if pair[0] != "manifest.sha256"]))),
        "manifest-only": text(signed(statement([("manifest.json", files["manifest.json"])]))),
        "nothing": text(signed(statement([]))),
        "extra-file": text(signed(statement([*named, ("weights.bin", zeros)]))),
        "wrong-digest": text(signed(statement(wrong))),
        "other-path": text(signed(statement([(f"./{name}", digest) for name, digest in named]))),
        "duplicate-resource": text(signed(statement(twice))),
        "other-bundle": text(signed(statement([(name, zeros) for name, _ in named]))),
        "subject-digest": stated(lambda s: s["subject"][0]["digest"].update(sha256=zeros)),
        "subject-upper-case": stated(
            lambda s: s["subject"][0]["digest"].update(sha256=s["subject"][0]["digest"]["sha256"].upper())
        ),
        "subject-twice": stated(lambda s: s["subject"].append(s["subject"][0])),
        "subject-absent": stated(lambda s: s.pop("subject")),
        "resource-upper-case": stated(
            lambda s: s["predicate"]["resources"][0].update(digest=s["predicate"]["resources"][0]["digest"].upper())
        ),
        "resource-algorithm": stated(lambda s: s["predicate"]["resources"][0].update(algorithm="sha512")),
        "resource-no-digest": stated(lambda s: s["predicate"]["resources"][0].pop("digest")),
        "method-shards": stated(lambda s: s["predicate"]["serialization"].update(method="shards")),
        "hash-type": stated(lambda s: s["predicate"]["serialization"].update(hash_type="blake2b")),
        "payload-array": text(signed(json.dumps([statement()]).encode())),
        "statement-type": stated(lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")),
        "predicate-type": stated(lambda s: s.update(predicateType="https://slsa.dev/provenance/v1")),
        "predicate-type-of-0.2": text(signed(compat)),
        "payload-duplicate-key": text(signed(repeated.encode())),
        "payload-deep": text(signed(deep.encode())),
        "payload-bom": text(signed(b"\xef\xbb\xbf" + json.dumps(statement()).encode())),
    }


def spoiled_envelopes() -> dict[str, bytes]:
    """Envelopes that must not pass, around a good statement, where a case's own operations cannot make them."""
    payload = json.dumps(statement()).encode()
    der = sign(pae(payload))
    r, s = decode_dss_signature(der)
    fixed = r.to_bytes(32) + s.to_bytes(32)
    unpadded = encode(der).rstrip("=")
    plain = encode(payload)
    compat = f"DSSEV1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} {payload!r}".encode()
    good_text = text(signed(statement()))
    typed = "application/vnd.in-toto"
    # Base64 of a length that leaves two bits: "A" and "B" in the last place decode to the same byte.
    odd = next(p for p in (payload, payload + b" ", payload + b"  ") if len(p) % 3 == 2)
    bits = signed(odd)["dsseEnvelope"]["payload"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    loose = bits[:-2] + letters[letters.index(bits[-2]) + 1] + "="
    return {
        "payload-tampered": wrapped(lambda d: d["dsseEnvelope"].update(payload=encode(payload + b" "))),
        "payload-type": text(
            changed(envelope(payload, sign(pae(payload, typed))), lambda d: d["dsseEnvelope"].update(payloadType=typed))
        ),
        "hint-of-other": text(envelope(payload, der, "other")),
        "signature-of-payload": other_signature(sign(payload)),
        "signature-of-0.2": other_signature(sign(compat)),
        "signature-fixed-length": other_signature(fixed),
        "signature-trailing-byte": other_signature(der + b"\0"),
        "signature-long-length": other_signature(der[:1] + b"\x81" + der[1:]),
        "hash-of-other-curve": text(envelope(payload, sign(pae(payload), "p384", hashes.SHA256()), "p384")),
        "base64-unpadded": other_signature(unpadded if unpadded != encode(der) else encode(der) + "="),
        "base64-line-break": wrapped(lambda d: d["dsseEnvelope"].update(payload=plain[:76] + "\n" + plain[76:])),
        "base64-loose-bits": text(changed(signed(odd), lambda d: d["dsseEnvelope"].update(payload=loose))),
        "not-utf8": good_text.replace(b'"keyid":""', b'"keyid":"\xff"'),
    }


def attestation() -> bytes:
    """What every host is right to attest of the base, whose graph is exact; two placeholders stand for the rest."""
    lines = [json.loads(line) for line in (BASE / "goldens/rankings.jsonl").read_text(encoding="utf-8").splitlines()]
    goldens = [
        {name: line[name] for name in ("golden", "heads", "score", "order", "dropped")}
        for line in lines
        if line.get("n", 0) > 0
    ]
    release = json.loads((BASE / "manifest.json").read_bytes())["runtime"]["release"]
    document = {
        "format": 1,
        "bundle": "{bundle}",
        "host_class": "{host_class}",
        "runtime": release,
        "goldens": goldens,
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def files() -> dict[str, bytes]:
    """Everything by its path below this folder."""
    made = {f"signatures/{name}.pub.pem": public_pem(name) for name in CURVES}
    for name in CURVES:
        key = private_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        made[f"signatures/{name}.pem"] = key
    signatures = good() | spoiled_statements() | spoiled_envelopes()
    made |= {f"signatures/{name}.sig": content for name, content in signatures.items()}
    return made | {"attestations/right.json": attestation()}


def used() -> set[str]:
    """Every file that a case names."""
    cases = json.loads((HERE / "cases.json").read_bytes())["cases"]
    named = {key for case in cases for key in case.get("signature", {}).get("keys", [])}
    for case in cases:
        for op in (*case["ops"], *case.get("after", [])):
            named |= {op[field] for field in ("from", "key") if field in op}
    return named


def main() -> int:
    """Writes the files, or with ``--check`` says which differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    made = files()
    present = {f"{folder}/{path.name}" for folder in FOLDERS for path in (HERE / folder).glob("*")}
    stale = 0
    for path in sorted(present | made.keys()):
        if check:
            if path not in made or path not in present or (HERE / path).read_bytes() != made[path]:
                print(f"{path} differs from its generator: run generate_signatures.py", file=sys.stderr)
                stale += 1
        elif path in made:
            (HERE / path).parent.mkdir(exist_ok=True)
            (HERE / path).write_bytes(made[path])
        else:
            (HERE / path).unlink()
    # A private key signs in cases, or made a signature here; the others must be named.
    for path in sorted(made.keys() - used()):
        if not path.endswith(".pem") or path.endswith(".pub.pem"):
            print(f"{path} is used by no case", file=sys.stderr)
            stale += 1
    if not check:
        print(f"{len(made)} files, {sum(map(len, made.values()))} bytes")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
