"""Making attestations: running a bundle's goldens on this host class, and writing down what they give."""

import hashlib
from pathlib import Path

import numpy as np

from twinrank.export.bundle._attestation import (
    MAX_ATTESTATION_BYTES,
    attestation_paths,
    attestation_text,
    parse_attestation,
)
from twinrank.export.bundle._bits import order_of
from twinrank.export.bundle._bundle import Bundle, open_for_attestation
from twinrank.export.bundle._files import write_atomically
from twinrank.export.bundle._goldens import Expectation
from twinrank.export.bundle._host import host_class
from twinrank.export.bundle._sign import load_private_key, signature_text


class AttestationError(Exception):
    """This bundle cannot be attested here.

    Attributes:
        code: ``nothing_to_attest`` on the bundle's own host class; ``attestation_too_large``.
        message: what is so, and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def attest_bundle(path: Path | str, *, private_key: bytes | None = None, password: bytes | None = None) -> Path:
    """Writes ``<version>.attest/<host class>.json`` beside a bundle: what its goldens give on this host.

    The bundle must open at reference level here. An earlier attestation of this class is replaced, and not looked at.
    The same bundle on one host class gives the same bytes.

    Args:
        path: ``<models>/<name>/<version>``.
        private_key: PEM text of an EC key; with it, the attestation is signed into ``<host class>.sig``.
        password: what the key is encrypted with; None for a key that is not.

    Returns:
        The attestation's path.

    Raises:
        AttestationError: if this host's class is the bundle's own.
        BundleError: if the bundle does not open at reference level.
        SigningKeyError: if the key cannot sign.
        OSError: if the file system refuses.
    """
    key = None if private_key is None else load_private_key(private_key, password)
    bundle = open_for_attestation(Path(path))
    manifest, here = bundle.manifest, host_class()
    if here == manifest.host_class:
        raise AttestationError(
            "nothing_to_attest",
            f"this host's class is the bundle's own, {here}: it is verified-bits here as it is. "
            "Attest on a host of another class",
        )
    text = attestation_text(manifest, here, replayed(bundle))
    if len(text) > MAX_ATTESTATION_BYTES:
        raise AttestationError(
            "attestation_too_large",
            f"the attestation would have {len(text)} bytes, at most {MAX_ATTESTATION_BYTES}; export with fewer goldens",
        )
    parse_attestation(text, manifest, bundle.goldens, here)
    target, signature = attestation_paths(bundle.path, here)
    target.parent.mkdir(exist_ok=True)
    scratch = target.parent.parent
    # The signature first: it means nothing alone, while an unsigned attestation would refuse who requires signed ones.
    if key is not None:
        resources = {target.name: hashlib.sha256(text).hexdigest()}
        write_atomically(signature, signature_text(key, manifest.name, resources), scratch=scratch)
    write_atomically(target, text, scratch=scratch)
    return target


def replayed(bundle: Bundle) -> dict[int, Expectation]:
    """What every golden with candidates gives on this host, by its index."""
    found = {}
    for index, golden in enumerate(bundle.goldens):
        if golden.expected.n > 0:
            outputs = bundle.run(bundle.pack(golden.request), golden.expected.n)
            order, dropped = order_of(outputs[-1])
            found[index] = Expectation(
                golden.expected.n, None, (), outputs, tuple(order.tolist()), tuple(dropped.tolist())
            )
    return found


def largest_differences(bundle: Bundle) -> dict[str, float]:
    """Per head, and ``score``: the largest absolute difference between this host and the bundle's own goldens.

    Values whose bits are equal differ by 0, infinities and NaN too.
    """
    largest = dict.fromkeys((head.name for head in bundle.manifest.outputs), 0.0)
    for index, here in replayed(bundle).items():
        own = bundle.goldens[index].expected.outputs
        for head, left, right in zip(bundle.manifest.outputs, here.outputs, own, strict=True):
            equal = (left == right) | (np.isnan(left) & np.isnan(right))
            with np.errstate(invalid="ignore"):
                gap = np.where(equal, 0.0, np.abs(left.astype(np.float64) - right.astype(np.float64)))
            largest[head.name] = max(largest[head.name], float(gap.max()))
    return largest
