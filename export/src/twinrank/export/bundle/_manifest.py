"""The manifest: its typed form and every check that needs nothing but its own text."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from twinrank.export.bundle import _fields as f
from twinrank.export.bundle._json import Json, JsonError, equal_json, parse_json
from twinrank.export.bundle._problems import Findings
from twinrank.training.schema import Packing, Placement, Schema, SchemaError

MANIFEST = "manifest.json"
MANIFEST_DIGEST = "manifest.sha256"
SIGNATURE = "model.sig"
MODEL = "model.onnx"
MODEL_DATA = "model.onnx.data"
REQUESTS = "goldens/requests.jsonl"
RANKINGS = "goldens/rankings.jsonl"
UNLISTED = frozenset({MANIFEST, MANIFEST_DIGEST, SIGNATURE})
FORMAT_MAJOR = 1
FORMAT_MINOR = 0
TREES_MINOR = 1
"""Of a bundle that was compared with a library of trees, which readers of minor 0 refuse by its name."""
MAX_MANIFEST_BYTES = 16 * 2**20
MAX_MODEL_BYTES = 2**31 - 1
TIE_POLICY = "input_index"
UNSEEN = "unseen."

NAME = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
HEAD = "[A-Za-z_][A-Za-z0-9_]{0,63}"
OUTPUT = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
# Without the bound on the length, one path of a hostile manifest has a million parents.
PATH = "(?!.{1025})[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*"
HEX = "[0-9a-f]{64}"
RELEASE = "(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)"
DOMAIN = "|[a-z][a-z0-9_.]{0,63}"

ReferenceSource = Literal["torch", "onnx", "lightgbm", "xgboost", "catboost"]
PLAIN_REFERENCES = ("torch", "onnx")
"""What a bundle of minor 0 can have been compared with."""

_DTYPE = f.one_of("float32", "float64")
_SESSION = f.closed(
    {
        "graph_optimization_level": f.one_of("none", "basic", "extended", "all"),
        "execution_mode": f.one_of("sequential", "parallel"),
        "intra_op_num_threads": f.integer(1, 64),
        "inter_op_num_threads": f.integer(1, 64),
        "cpu_mem_arena": f.boolean,
        "mem_pattern": f.boolean,
        "prepacking": f.boolean,
    }
)
_RUNTIME = f.closed(
    {
        "name": f.one_of("onnxruntime"),
        "release": f.text(RELEASE),
        "ir_version": f.integer(1, 2**31 - 1),
        "opsets": f.mapping(DOMAIN, f.integer(1, 2**31 - 1), 1, extensible=True),
        "session": _SESSION,
    }
)
_REFERENCE = f.closed(
    {
        "source": f.one_of(*get_args(ReferenceSource)),
        "rows": f.integer(1, 2**53),
        "outputs": f.mapping(
            HEAD,
            f.closed({"a": f.number(1e-6), "max_abs": f.number(0.0), "max_ulp": f.integer(0, 2**53)}),
            1,
            extensible=True,
        ),
    }
)
_INVARIANCE = f.closed(
    {
        "sizes": f.array(f.integer(1, 1_000_000), 1, 1000),
        "compared": f.integer(1, 2**53),
        "differing_values": f.integer(0, 2**53),
    }
)
_ALLOWED = f.closed(
    {
        "finding": f.text("[a-z][a-z0-9_]{0,63}"),
        "detail": f.text("(?s:.{0,4096})"),
        "reason": f.text(r"(?s:(?=.*[^ \t\n\r]).{1,4096})"),
    }
)
_MANIFEST = f.closed(
    {
        "format": f.closed({"major": f.integer(FORMAT_MAJOR, FORMAT_MAJOR), "minor": f.integer(0, 2**31 - 1)}),
        "name": f.text(NAME),
        "runtime": _RUNTIME,
        # The schema package owns the meaning of the schema, and through it of the packing.
        "schema": f.free_object,
        "packing": f.free_object,
        "heads": f.array(f.closed({"name": f.text(HEAD), "output": f.text(OUTPUT), "dtype": _DTYPE}), 0, 1000),
        "score": f.closed({"output": f.text(OUTPUT), "dtype": _DTYPE}),
        "max_candidates": f.integer(1, 1_000_000),
        "goldens": f.closed({"count": f.integer(1, 100_000), "data_sets": f.integer(1, 100_000)}),
        "files": f.mapping(
            PATH, f.closed({"sha256": f.text(HEX), "size": f.integer(0, 2**63 - 1)}), 1, extensible=False
        ),
        "evidence": f.closed(
            {
                "host_class": f.text(HEX),
                "tie_policy": f.one_of(TIE_POLICY),
                "reference": _REFERENCE,
                "invariance": _INVARIANCE,
                "allowed": f.array(_ALLOWED, 0, 100),
            }
        ),
        "provenance": f.free_object,
    }
)


@dataclass(frozen=True, slots=True)
class Head:
    """One named model output: the graph's output that holds it and its dtype, float32 or float64."""

    name: str
    output: str
    dtype: str


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The session options that every reader applies."""

    graph_optimization_level: str = "all"
    execution_mode: str = "sequential"
    intra_op_num_threads: int = 1
    inter_op_num_threads: int = 1
    cpu_mem_arena: bool = True
    mem_pattern: bool = True
    prepacking: bool = True

    def to_json(self) -> dict[str, Json]:
        """The manifest's form."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What the bundle and the torch module were seen to differ by at export, in one output.

    Attributes:
        a: the allowed absolute difference at reference level: four times ``max_abs``, at least 1e-6.
        max_abs: largest absolute difference seen.
        max_ulp: largest difference seen in units in the last place.
    """

    a: float
    max_abs: float
    max_ulp: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """A finding that the exporter would have refused and a person let pass.

    Attributes:
        finding: its name, ``batch_variant`` say.
        detail: what was found, where.
        reason: why it was allowed.
    """

    finding: str
    detail: str
    reason: str

    def to_json(self) -> dict[str, Json]:
        """The manifest's form."""
        return {"finding": self.finding, "detail": self.detail, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class UnseenOutput:
    """One more int64 output of the graph: how many values of each feature its vocabulary does not hold.

    Attributes:
        output: ``unseen.context`` or ``unseen.candidate``.
        placement: whose features are counted.
        features: the features whose unseen policy is ``error``, in schema order; one column each.
    """

    output: str
    placement: Placement
    features: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """[1, U] for the context, [-1, U] for the candidates, where -1 stands for their number."""
        return (1 if self.placement == "context" else -1, len(self.features))


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What the manifest says of a file: SHA-256 in lower-case hex, size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A checked manifest. ``document`` is the parsed JSON; the other fields are the parts that readers use."""

    document: Mapping[str, Json]
    digest: str
    name: str
    release: str
    ir_version: int
    opsets: Mapping[str, int]
    session: SessionSettings
    schema: Schema
    packing: Packing
    heads: tuple[Head, ...]
    score: Head
    max_candidates: int
    goldens: int
    data_sets: int
    files: Mapping[str, FileEntry]
    host_class: str
    tolerances: Mapping[str, Tolerance]
    allowed: tuple[Allowed, ...]
    unseen: tuple[UnseenOutput, ...]

    @property
    def outputs(self) -> tuple[Head, ...]:
        """The graph's float outputs in order: the heads, then the score (under the name ``score``).

        The ``unseen`` ones follow them in the graph, and are stored nowhere.
        """
        return (*self.heads, self.score)


def unseen_outputs(schema: Schema) -> tuple[UnseenOutput, ...]:
    """The ``unseen.*`` outputs that a schema asks of its graph, in the graph's order; none without such a feature."""
    placements: tuple[Placement, ...] = ("context", "candidate")
    found = []
    for placement in placements:
        names = tuple(
            feature.name
            for feature in schema.features
            if feature.placement == placement and feature.unseen.policy == "error"
        )
        if names:
            found.append(UnseenOutput(f"{UNSEEN}{placement}", placement, names))
    return tuple(found)


def golden_paths(data_sets: int, inputs: int, outputs: int) -> list[str]:
    """The paths of every golden tensor, in order."""
    paths = []
    for s in range(data_sets):
        paths += [f"goldens/test_data_set_{s}/input_{j}.pb" for j in range(inputs)]
        paths += [f"goldens/test_data_set_{s}/output_{j}.pb" for j in range(outputs)]
    return paths


def _check_contradictions(document: dict[str, Any], found: Findings) -> tuple[Schema, Packing]:
    """What no single field can say, once the fields themselves are right. Stops at a schema without meaning."""

    def report(at: str, detail: str) -> None:
        found.add("manifest_invalid", f"{MANIFEST}#{at}", detail)

    names = [head["name"] for head in document["heads"]]
    outputs = [head["output"] for head in document["heads"]] + [document["score"]["output"]]
    for index, name in enumerate(names):
        if name in names[:index]:
            report(f"/heads/{index}/name", f"{name!r} is already a head")
        if name == "score":
            report(f"/heads/{index}/name", "no head is named score; the score has a field of its own")
    for index, output in enumerate(outputs):
        if output in outputs[:index]:
            at = f"/heads/{index}/output" if index < len(names) else "/score/output"
            report(at, f"{output!r} is already the output of another head")
        if output.startswith(UNSEEN):
            at = f"/heads/{index}/output" if index < len(names) else "/score/output"
            report(at, f"{output!r} begins with {UNSEEN}, as only the counts of unseen values do")
    tolerances = {name for name in document["evidence"]["reference"]["outputs"] if not name.startswith("x-")}
    if tolerances != {*names, "score"}:
        report(
            "/evidence/reference/outputs",
            f"covers {sorted(tolerances)}; expected the heads and score: {sorted({*names, 'score'})}",
        )
    variant = any(entry["finding"] == "batch_variant" for entry in document["evidence"]["allowed"])
    if document["evidence"]["invariance"]["differing_values"] and not variant:
        report("/evidence/invariance/differing_values", "is not 0, and no batch_variant is in /evidence/allowed")
    if document["goldens"]["data_sets"] > document["goldens"]["count"]:
        report("/goldens/data_sets", "exceeds /goldens/count; each data set belongs to one golden")
    folded: dict[str, str] = {}
    for path in document["files"]:
        if path in UNLISTED:
            report(f"/files/{f.pointer_part(path)}", "is never listed")
        other = folded.setdefault(path.lower(), path)
        if other != path:
            report(f"/files/{f.pointer_part(path)}", f"differs from {other!r} only by case")
        if ".." in path.split("/"):
            report(f"/files/{f.pointer_part(path)}", "contains a .. segment")
    model = document["files"].get(MODEL)
    if model is not None and model["size"] > MAX_MODEL_BYTES:
        report(f"/files/{MODEL}/size", f"is {model['size']}; at most {MAX_MODEL_BYTES}")
    try:
        schema = Schema.from_json(f.without_extensions(document["schema"]))
    except SchemaError as e:
        for problem in e.problems:
            report("/schema", f"{problem.path}: {problem.detail}")
        found.stop(e)
        raise
    packing = Packing.of(schema)
    if not equal_json(f.without_extensions(document["packing"]), packing.to_json()):
        report("/packing", "is not what the schema gives (contract section 5)")
    taken = {block.name for block in packing.blocks} & set(outputs)
    if taken:
        report("/heads", f"outputs {sorted(taken)} have the names of inputs")
    return schema, packing


def parse_manifest(raw: bytes, digest_file: bytes) -> Manifest:
    """The checked manifest.

    Args:
        raw: the exact bytes of manifest.json.
        digest_file: the exact bytes of manifest.sha256.

    Raises:
        BundleError: ``manifest_digest_mismatch``, ``manifest_invalid_json``, ``format_unsupported``,
            ``manifest_invalid``.
    """
    found = Findings()
    if len(raw) > MAX_MANIFEST_BYTES:
        # What is beyond was not read, so that the digest says nothing.
        found.add("manifest_invalid_json", MANIFEST, f"has more than {MAX_MANIFEST_BYTES} bytes, the most allowed")
        found.stop()
    digest = hashlib.sha256(raw).hexdigest()
    if not re.fullmatch(rb"[0-9a-f]{64}\n", digest_file):
        found.add(
            "manifest_digest_mismatch", MANIFEST_DIGEST, "must hold 64 lower-case hex digits and LF, nothing else"
        )
    elif digest_file[:64].decode() != digest:
        found.add(
            "manifest_digest_mismatch",
            MANIFEST_DIGEST,
            f"says {digest_file[:64].decode()}, {MANIFEST} has {digest}; fetch the bundle again",
        )
    try:
        document = _parse_document(raw)
    except JsonError as e:
        found.add("manifest_invalid_json", MANIFEST, str(e))
        found.stop(e)
        raise
    major = _major(document)
    if major is not None and major != FORMAT_MAJOR:
        found.add(
            "format_unsupported",
            f"{MANIFEST}#/format/major",
            f"is {major}; this reader knows {FORMAT_MAJOR}. Use the twinrank that wrote it",
        )
        found.stop()
    _MANIFEST(document, "", lambda at, detail: found.add("manifest_invalid", f"{MANIFEST}#{at}", detail))
    found.stop()
    schema, packing = _check_contradictions(document, found)
    found.stop()
    return _typed(document, digest, schema, packing)


def _parse_document(raw: bytes) -> dict[str, Any]:
    document = parse_json(raw)
    if not isinstance(document, dict):
        raise JsonError("is not an object")
    return document


def _major(document: Mapping[str, Any]) -> int | None:
    stated = document.get("format")
    major = stated.get("major") if isinstance(stated, dict) else None
    return major if isinstance(major, int) and not isinstance(major, bool) and major >= 0 else None


def _typed(document: dict[str, Any], digest: str, schema: Schema, packing: Packing) -> Manifest:
    runtime, evidence = document["runtime"], document["evidence"]
    score = document["score"]
    return Manifest(
        document=document,
        digest=f"sha256:{digest}",
        name=document["name"],
        release=runtime["release"],
        ir_version=runtime["ir_version"],
        opsets={domain: version for domain, version in runtime["opsets"].items() if not domain.startswith("x-")},
        session=SessionSettings(**f.without_extensions(runtime["session"])),
        schema=schema,
        packing=packing,
        heads=tuple(Head(head["name"], head["output"], head["dtype"]) for head in document["heads"]),
        score=Head("score", score["output"], score["dtype"]),
        max_candidates=document["max_candidates"],
        goldens=document["goldens"]["count"],
        data_sets=document["goldens"]["data_sets"],
        files={path: FileEntry(entry["sha256"], entry["size"]) for path, entry in document["files"].items()},
        host_class=evidence["host_class"],
        tolerances={
            name: Tolerance(float(entry["a"]), float(entry["max_abs"]), entry["max_ulp"])
            for name, entry in evidence["reference"]["outputs"].items()
            if not name.startswith("x-")
        },
        allowed=tuple(Allowed(entry["finding"], entry["detail"], entry["reason"]) for entry in evidence["allowed"]),
        unseen=unseen_outputs(schema),
    )
