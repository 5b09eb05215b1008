"""Attestations: what a bundle's goldens give on another host class, in a file beside it (contract section 15)."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from twinrank.export.bundle._fields import without_extensions
from twinrank.export.bundle._files import UnreadableError, read_bounded, short
from twinrank.export.bundle._goldens import Expectation, Golden, GoldenFormatError, read_scores, score_fields
from twinrank.export.bundle._json import Json, JsonError, dump_line, parse_json
from twinrank.export.bundle._manifest import Manifest
from twinrank.export.bundle._problems import Findings
from twinrank.export.bundle._signature import (
    MAX_SIGNATURE_BYTES,
    SignatureError,
    SignaturePolicy,
    verify_signature,
)

MAX_ATTESTATION_BYTES = 64 * 2**20
FORMAT = 1
_FIELDS = frozenset({"format", "bundle", "host_class", "runtime", "goldens"})
_GOLDEN_FIELDS = frozenset({"golden", "heads", "score", "order", "dropped"})


class AttestationFormatError(ValueError):
    """An attestation contradicts the contract or the bundle; the message says how."""


def attestation_paths(root: Path, host: str) -> tuple[Path, Path]:
    """Where a bundle's attestation for a host class lies, and its signature. A link to the bundle is resolved."""
    bundle = root.resolve()
    folder = bundle.with_name(f"{bundle.name}.attest")
    return folder / f"{host}.json", folder / f"{host}.sig"


def read_attestation(
    root: Path, manifest: Manifest, goldens: Sequence[Golden], here: str, policy: SignaturePolicy
) -> dict[int, Expectation] | None:
    """What this host class is attested to give, by the golden's index; None if no attestation of it lies there.

    Args:
        root: the bundle's directory.
        manifest: the checked manifest.
        goldens: the bundle's own goldens.
        here: this host's class.
        policy: under ``require`` the attestation's signature must verify.

    Raises:
        BundleError: ``attestation_invalid``.
    """
    found = Findings()
    text, signature = attestation_paths(root, here)
    shown = f"../{text.parent.name}/{text.name}"
    try:
        raw = read_bounded(text, MAX_ATTESTATION_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, UnreadableError) as e:
        found.add("attestation_invalid", shown, f"cannot be read: {_reason(e)}; attest the bundle on this host again")
        found.stop(e)
        raise
    try:
        if policy.mode == "require":
            resources = {text.name: hashlib.sha256(raw).hexdigest()}
            verify_signature(read_bounded(signature, MAX_SIGNATURE_BYTES), resources, policy.keys)
    except (OSError, UnreadableError, SignatureError) as e:
        found.add(
            "attestation_invalid",
            f"../{text.parent.name}/{signature.name}",
            f"does not verify, and a signature is required: {_reason(e)}; attest with --private-key",
        )
    try:
        attested = parse_attestation(raw, manifest, goldens, here)
    except AttestationFormatError as e:
        found.add("attestation_invalid", shown, f"{short(e)}; attest the bundle on this host again")
        found.stop(e)
        raise
    found.stop()
    return attested


def _reason(error: Exception) -> str:
    return str(error.strerror) if isinstance(error, OSError) else short(error)


def attestation_text(manifest: Manifest, host: str, expected: Mapping[int, Expectation]) -> bytes:
    """The file's bytes, one golden a line. The same values give the same bytes."""
    head = {"format": FORMAT, "bundle": manifest.digest, "host_class": host, "runtime": manifest.release}
    lines = (
        dump_line({"golden": index, **score_fields(expected[index], manifest.heads)}).strip()
        for index in sorted(expected)
    )
    return dump_line(head).strip()[:-1] + b', "goldens": [\n' + b",\n".join(lines) + b"\n]}\n"


def parse_attestation(raw: bytes, manifest: Manifest, goldens: Sequence[Golden], here: str) -> dict[int, Expectation]:
    """The attested expectations by the golden's index.

    Raises:
        AttestationFormatError: if the text, a field, or the list of goldens is not as the contract says.
    """
    try:
        document = parse_json(raw)
    except JsonError as e:
        raise AttestationFormatError(f"is not the JSON that the contract allows: {e}") from e
    fields = _fields(document, _FIELDS, "the attestation")
    if fields["format"] is True or fields["format"] != FORMAT or not isinstance(fields["format"], int):
        raise AttestationFormatError(f"format is {fields['format']!r}; this reader knows {FORMAT}")
    for name, wanted in (("bundle", manifest.digest), ("host_class", here), ("runtime", manifest.release)):
        if fields[name] != wanted:
            raise AttestationFormatError(f"{name} is {fields[name]!r}; here it is {wanted!r}")
    entries = fields["goldens"]
    scored = [index for index, golden in enumerate(goldens) if golden.expected.n > 0]
    if not isinstance(entries, list) or len(entries) != len(scored):
        raise AttestationFormatError(f"goldens is no array of the {len(scored)} that have candidates")
    found: dict[int, Expectation] = {}
    for index, entry in zip(scored, entries, strict=True):
        values = _fields(entry, _GOLDEN_FIELDS, f"the entry of golden {index}")
        if isinstance(values["golden"], bool) or not isinstance(values["golden"], int) or values["golden"] != index:
            raise AttestationFormatError(f"has golden {values['golden']!r} where {index} belongs")
        try:
            found[index] = read_scores(values, goldens[index].expected.n, manifest)
        except GoldenFormatError as e:
            raise AttestationFormatError(f"golden {index}: {e}") from e
    return found


def _fields(value: Json, names: frozenset[str], what: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise AttestationFormatError(f"{what} is no object")
    fields: dict[str, Json] = without_extensions(value)
    if set(fields) != names:
        raise AttestationFormatError(f"{what} has the fields {sorted(fields)}; expected {sorted(names)}")
    return fields
