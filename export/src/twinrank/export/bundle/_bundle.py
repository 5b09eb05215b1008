"""A bundle that has proved itself: opening in phases, and scoring."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twinrank.export.bundle._attestation import read_attestation
from twinrank.export.bundle._bits import FloatArray, order_of
from twinrank.export.bundle._goldens import Golden, read_goldens
from twinrank.export.bundle._graph import read_graph
from twinrank.export.bundle._host import host_class
from twinrank.export.bundle._installation import Installation, InstallationPolicy, InstallationState
from twinrank.export.bundle._layout import Watched, read_files, read_listed_manifest, scan
from twinrank.export.bundle._manifest import MANIFEST, MODEL, MODEL_DATA, RANKINGS, Head, Manifest, UnseenOutput
from twinrank.export.bundle._problems import Findings
from twinrank.export.bundle._replay import differs
from twinrank.export.bundle._session import Runner, runtime_release
from twinrank.export.bundle._signature import NO_SIGNATURE, SignaturePolicy, SignatureState, check_signature
from twinrank.export.bundle._tensors import Array
from twinrank.training.schema import Request, Schema, ScoringError, pack, read_request

Require = Literal["bits", "reference"]
"""What a caller insists on: ``verified-bits``, or at least ``verified-reference``."""

VERIFIED_BITS = "verified-bits"
VERIFIED_REFERENCE = "verified-reference"
UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Scores:
    """The answer to one request.

    Attributes:
        n: number of candidates.
        heads: head name to its values, shape [n], float32 or float64 as declared; in the manifest's order.
        score: shape [n]; what orders the slate.
        order: int64, the candidates with a score, best first, cut by the request's ``k``.
        dropped: int64, the candidates whose score is NaN, ascending.
    """

    n: int
    heads: Mapping[str, FloatArray]
    score: FloatArray
    order: NDArray[np.int64]
    dropped: NDArray[np.int64]


class Bundle:
    """An opened and verified bundle; made by ``open_bundle``. Thread-safe.

    Attributes:
        path: the bundle's directory.
        manifest: the checked manifest.
        verification: ``verified-bits`` or ``verified-reference``; ``open_bundle`` never returns the ``unverified`` of
            `open_under_other_release`.
        attested: whether ``verified-bits`` was earned by an attestation of this host's class (contract section 15).
        signature: ``unchecked``, ``missing``, ``invalid`` or ``valid`` (contract section 14).
        signature_detail: why the signature is invalid; empty otherwise.
        installation: ``digested``, ``recorded`` (a record of a verified installation was trusted) or
            ``no external data``.
        goldens: the stored requests and what they give, all replayed.
    """

    def __init__(self, path: Path, manifest: Manifest, runner: Runner) -> None:
        self.path = path
        self.manifest = manifest
        self.verification = ""
        self.attested = False
        self.signature: SignatureState = "unchecked"
        self.signature_detail = ""
        self.installation: InstallationState = "no external data"
        self.goldens: tuple[Golden, ...] = ()
        self._runner = runner

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.name

    @property
    def version(self) -> int | None:
        """The directory's name as a version, None if it is no positive decimal integer without leading zeros."""
        text = os.path.basename(os.path.abspath(self.path))  # of "." too, and links are not followed
        return int(text) if text.isascii() and text.isdigit() and not text.startswith("0") and len(text) <= 18 else None

    @property
    def digest(self) -> str:
        """``sha256:`` and the digest of the manifest, which covers every other file."""
        return self.manifest.digest

    @property
    def schema(self) -> Schema:
        """The raw inputs."""
        return self.manifest.schema

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads in order, without the score."""
        return self.manifest.heads

    def read(self, raw: bytes) -> Request:
        """The checked request.

        Raises:
            TypeError: if ``raw`` is no bytes.
            ScoringError: with the contract's code for the first problem in document order.
        """
        _check_raw(raw)
        return read_request(raw, self.manifest.schema, max_candidates=self.manifest.max_candidates)

    def pack(self, raw: bytes) -> dict[str, Array]:
        """The blocks of a raw request by name, in packing order.

        Raises:
            ScoringError: as for ``read``.
        """
        return pack(self.read(raw), self.manifest.packing)

    def score(self, raw: bytes) -> Scores:
        """Scores a raw JSON request; for typed values and frames see `score_request`.

        Raises:
            TypeError: if ``raw`` is no bytes.
            ScoringError: with the contract's code for the first problem in document order; ``scoring_failed`` if the
                runtime failed.
        """
        return self.score_request(self.read(raw))

    def score_request(self, request: Request) -> Scores:
        """Scores a checked request: of `read`, or of `request_from_frame` and `request_from_mapping` (bundle.schema).

        Raises:
            ScoringError: ``scoring_failed`` if the runtime failed.
        """
        outputs = self.run(pack(request, self.manifest.packing), request.n)
        order, dropped = order_of(outputs[-1])
        heads = {head.name: output for head, output in zip(self.manifest.heads, outputs, strict=False)}
        return Scores(request.n, heads, outputs[-1], order[: request.k], dropped)

    def run(self, blocks: Mapping[str, Array], n: int) -> tuple[FloatArray, ...]:
        """The outputs for packed blocks of ``n`` candidates: per head, the score last, each of shape [n].

        Raises:
            ScoringError: ``scoring_failed`` if the runtime failed, or an output has not the declared shape and dtype;
                ``unseen_value`` if the graph counted a value that its vocabulary does not hold, for a feature whose
                policy refuses such.
        """
        declared = self.manifest.outputs
        if n == 0:
            return tuple(np.zeros(0, dtype=head.dtype) for head in declared)
        try:
            outputs = self._runner.run(dict(blocks))
        except Exception as e:  # the runtime raises many types, none of them documented
            raise ScoringError("scoring_failed", f"the runtime failed on a valid request of {n} candidates: {e}") from e
        counts = self.manifest.unseen
        expected: list[tuple[str, str, tuple[int, ...]]] = [(head.output, head.dtype, (n,)) for head in declared]
        expected += [(each.output, "int64", (n if each.shape[0] == -1 else 1, each.shape[1])) for each in counts]
        for (name, dtype, shape), output in zip(expected, outputs, strict=True):
            if output.dtype.name != dtype or output.shape != shape:
                found = f"{output.dtype.name} {list(output.shape)}"
                raise ScoringError(
                    "scoring_failed",
                    f"output {name} is {found} instead of {dtype} {list(shape)}; export the model again",
                )
        for unseen, output in zip(counts, outputs[len(declared) :], strict=True):
            _refuse_unseen(unseen, output)
        return tuple(outputs[: len(declared)])


def _check_raw(raw: object) -> None:
    if isinstance(raw, bytes):
        return
    if isinstance(raw, Request):
        remedy = "call score_request(request)"
    elif isinstance(raw, str):
        remedy = "pass its UTF-8 bytes, text.encode()"
    elif isinstance(raw, Mapping):
        remedy = "pass json.dumps(...).encode(), or score_request(request_from_mapping(...))"
    else:
        remedy = "pass the JSON body as bytes; for a frame, score_request(request_from_frame(...))"
    raise TypeError(f"a raw request is bytes, and this is a {type(raw).__name__}: {remedy}")


def _refuse_unseen(unseen: UnseenOutput, counts: Array) -> None:
    """Raises ``unseen_value`` for the first count that is not 0: candidates ascending, then features."""
    where = np.argwhere(counts != 0)
    if not where.size:
        return
    row, column = (int(i) for i in where[0])
    feature, count = unseen.features[column], int(counts[row, column])
    candidate = row if unseen.placement == "candidate" else None
    place = "context" if candidate is None else f"candidates[{candidate}]"
    raise ScoringError(
        "unseen_value",
        f"{place}.{feature} holds {count} {'value' if count == 1 else 'values'} that the vocabulary does not hold, and "
        "its policy refuses such; send values that the model was trained with",
        feature,
        candidate,
    )


def open_bundle(
    path: Path | str,
    *,
    require: Require = "bits",
    signature: SignaturePolicy = NO_SIGNATURE,
    installation: InstallationPolicy = "always",
) -> Bundle:
    """Opens a bundle, checks everything that it will use, and replays its goldens.

    Args:
        path: ``<models>/<name>/<version>``.
        require: ``bits`` refuses a bundle whose evidence is from another host class; ``reference`` accepts it within
            the tolerance that its export measured.
        signature: what is asked of ``model.sig``, and the public keys for it.
        installation: ``always`` digests every file; ``trust_record`` leaves out the external weights where a record
            of a verified installation still describes them.

    Raises:
        BundleError: with every problem of the first phase that failed (contract section 10).
        ValueError: if ``require`` or ``installation`` is neither of its two.
    """
    if require not in ("bits", "reference"):
        raise ValueError(f"require is {require!r}; allowed: bits, reference")
    if installation not in ("always", "trust_record"):
        raise ValueError(f"installation is {installation!r}; allowed: always, trust_record")
    return _open(Path(path), require, signature, installation, attestations=True)


def open_for_attestation(path: Path) -> Bundle:
    """The bundle at reference level, whatever signature or attestation lies there: what an attestation is made from.

    Raises:
        BundleError: as ``open_bundle``.
    """
    return _open(path, "reference", NO_SIGNATURE, "always", attestations=False)


@dataclass(frozen=True, slots=True)
class OtherRelease:
    """A bundle under a release of ONNX Runtime that is not its own: read and checked, and proven nothing.

    Attributes:
        bundle: its ``verification`` is ``unverified``.
        to_the_bit: how many goldens gave their stored bits all the same.
        differing: for every other golden its index, and what differs first.
    """

    bundle: Bundle
    to_the_bit: int
    differing: Mapping[int, str]


def open_under_other_release(path: Path) -> OtherRelease:
    """A bundle under this process's release, which is not the one that it names: to compare releases, never to serve.

    Every check of ``open_bundle`` is made but one, ``runtime_mismatch``. What the goldens give is told instead of
    judged: another release computes other bits by right. This is no part of the package's interface, so that no
    service can ask for it; every reader refuses another release.

    Raises:
        BundleError: as ``open_bundle`` before it replays the goldens.
    """
    bundle, _, _ = _read(path, NO_SIGNATURE, "always", any_release=True)
    told = ((index, differs(bundle, golden, exact=True, attested=None)) for index, golden in enumerate(bundle.goldens))
    differing = {index: detail for index, detail in told if detail is not None}
    bundle.verification = UNVERIFIED
    return OtherRelease(bundle, len(bundle.goldens) - len(differing), differing)


def _open(
    root: Path, require: Require, signature: SignaturePolicy, installation: InstallationPolicy, *, attestations: bool
) -> Bundle:
    bundle, record, watched = _read(root, signature, installation)
    manifest = bundle.manifest
    found = Findings()
    here, there = host_class(), manifest.host_class
    attested = None
    if here != there:
        if attestations:
            attested = read_attestation(root, manifest, bundle.goldens, here, signature)
        if attested is None and require == "bits":
            found.add(
                "host_class_mismatch",
                f"{MANIFEST}#/evidence/host_class",
                f"is {there}, this host's is {here}: its kernels compute other bits. Export here, attest the bundle "
                "here (twinrank attest), or require=reference",
            )
            found.stop()
    for index, golden in enumerate(bundle.goldens):
        detail = differs(bundle, golden, exact=here == there, attested=attested.get(index) if attested else None)
        if detail is not None:
            found.add("golden_mismatch", f"{RANKINGS}:{index + 1}", detail)
    found.stop()
    bundle.verification = VERIFIED_BITS if here == there or attested is not None else VERIFIED_REFERENCE
    bundle.attested = attested is not None
    if record is not None and watched is not None and watched.digested:
        record.write(watched.facts)
    return bundle


def _read(
    root: Path, signature: SignaturePolicy, installation: InstallationPolicy, *, any_release: bool = False
) -> tuple[Bundle, Installation | None, Watched | None]:
    """The bundle with its session open and its goldens read, none of them replayed yet."""
    tree = scan(root)
    manifest = read_listed_manifest(root, tree)
    record = None
    if installation == "trust_record" and MODEL_DATA in manifest.files:
        record = Installation(root, manifest.digest, host_class(), runtime_release())
    contents, watched = read_files(root, manifest.files, record.describes if record else None)
    signature_state, signature_detail = check_signature(root, tree.files, manifest, signature)
    read_graph(contents[MODEL], manifest)
    found = Findings()
    if manifest.release != runtime_release() and not any_release:
        found.add(
            "runtime_mismatch",
            f"{MANIFEST}#/runtime/release",
            f"is {manifest.release}, this process runs {runtime_release()}; install that release, or export again",
        )
        found.stop()
    runner = _open_session(contents[MODEL], manifest, root, watched)
    bundle = Bundle(root, manifest, runner)
    bundle.signature, bundle.signature_detail = signature_state, signature_detail
    if watched is not None:
        bundle.installation = "digested" if watched.digested else "recorded"
    bundle.goldens = read_goldens(contents, manifest)
    return bundle, record, watched


def _open_session(model: bytes, manifest: Manifest, root: Path, watched: Watched | None) -> Runner:
    """The session over the digested bytes; the external weights are compared again once it exists."""
    found = Findings()
    try:
        runner = Runner(model, manifest.session, root if watched else None)
    except Exception as e:  # the runtime raises many types, none of them documented
        found.add("session_failed", MODEL, f"the runtime refused it: {e}")
        found.stop(e)
        raise
    if watched is not None and watched.changed():
        found.add("digest_mismatch", MODEL_DATA, "changed while it was opened; nothing in a bundle may change")
    found.stop()
    return runner
