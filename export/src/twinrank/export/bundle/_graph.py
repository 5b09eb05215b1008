"""Phase 4 of reading: a bounded walk over the model, before native code sees it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

import onnx

from twinrank.export.bundle._manifest import MODEL, MODEL_DATA, Manifest
from twinrank.export.bundle._problems import Findings
from twinrank.export.bundle._tensors import proto_dtype

MAX_NODES = 100_000
MAX_NESTING = 8
_MAX_REPORTED = 20
_EXTERNAL_KEYS = frozenset({"location", "offset", "length"})
_Signature = tuple[str, int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Operators:
    """The contract's allow-list (vectors/operators.json).

    Attributes:
        ir_versions: allowed IR versions.
        opsets: domain to the inclusive range of versions that a model may import.
        allowed: (domain, operator) to the inclusive range of opsets under which it is allowed.
    """

    ir_versions: frozenset[int]
    opsets: dict[str, tuple[int, int]]
    allowed: dict[tuple[str, str], tuple[int, int]]

    def permits(self, domain: str, name: str, opset: int) -> bool:
        """Whether a node of that operator is allowed where its domain is imported at ``opset``."""
        low, high = self.allowed.get((domain, name), (1, 0))
        return low <= opset <= high


@cache
def operators() -> Operators:
    """The allow-list that this reader ships."""
    raw = json.loads(resources.files("twinrank.export.bundle").joinpath("_data/operators.json").read_bytes())
    return Operators(
        frozenset(raw["ir_versions"]),
        {domain: (low, high) for domain, (low, high) in raw["opsets"].items()},
        {(entry["domain"], entry["name"]): (entry["opsets"][0], entry["opsets"][1]) for entry in raw["operators"]},
    )


class _Walk:
    """One walk over one model; of each code the first twenty problems are listed."""

    def __init__(self, opsets: dict[str, int], external_size: int | None) -> None:
        self.found = Findings()
        self.opsets = opsets
        self.external_size = external_size
        self.nodes = 0
        self._reported: Counter[str] = Counter()

    def report(self, code: str, where: str, detail: str) -> None:
        self._reported[code] += 1
        if self._reported[code] <= _MAX_REPORTED:
            self.found.add(code, f"{MODEL}#{where}", detail)

    def graph(self, graph: onnx.GraphProto, where: str, depth: int) -> None:
        if depth > MAX_NESTING:
            self.report("graph_invalid", where, f"subgraphs nest deeper than {MAX_NESTING}")
            return
        self.nodes += len(graph.node)
        if self.nodes > MAX_NODES:
            self.report("graph_invalid", where, f"has more than {MAX_NODES} nodes")
            return
        if graph.sparse_initializer:
            self.report("graph_forbidden", where, "has sparse initialisers")
        for tensor in graph.initializer:
            self.tensor(tensor, f"{where}/{tensor.name}", external=depth == 0)
        for node in graph.node:
            self.node(node, f"{where}/{node.name or node.op_type}", depth)

    def node(self, node: onnx.NodeProto, where: str, depth: int) -> None:
        if not operators().permits(node.domain, node.op_type, self.opsets.get(node.domain, 0)):
            self.report(
                "graph_forbidden",
                where,
                f"operator {node.domain or 'ai.onnx'}:{node.op_type} is not on the contract's list",
            )
        if node.overload:
            self.report("graph_forbidden", where, "names an overload, which only a local function can have")
        for attribute in node.attribute:
            at = f"{where}.{attribute.name}"
            if attribute.ref_attr_name:
                self.report("graph_forbidden", at, "refers to the attribute of a function")
            if attribute.sparse_tensor.dims or attribute.sparse_tensors:
                self.report("graph_forbidden", at, "is a sparse tensor")
            for tensor in (attribute.t, *attribute.tensors):
                self.tensor(tensor, at, external=False)
            subgraphs = [*attribute.graphs]
            if attribute.HasField("g"):
                subgraphs.append(attribute.g)
            for subgraph in subgraphs:
                self.graph(subgraph, at, depth + 1)

    def tensor(self, tensor: onnx.TensorProto, where: str, *, external: bool) -> None:
        if tensor.data_location != onnx.TensorProto.EXTERNAL and not tensor.external_data:
            return
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location")
        if not external or location != MODEL_DATA or self.external_size is None:
            self.report(
                "graph_forbidden",
                where,
                f"keeps its values in {location!r}; only initialisers may, in {MODEL_DATA} as the manifest lists it",
            )
            return
        numbers = [entries.get(key, "0") for key in ("offset", "length")]
        if (
            len(entries) != len(tensor.external_data)
            or not set(entries) <= _EXTERNAL_KEYS
            or not all(_is_size(n) for n in numbers)
        ):
            self.report(
                "graph_forbidden",
                where,
                f"describes its external data by {sorted(entries)}; allowed are {sorted(_EXTERNAL_KEYS)}",
            )
            return
        offset, length = (int(n) for n in numbers)
        if offset + length > self.external_size:
            self.report(
                "graph_invalid", where, f"ends at {offset + length}, {MODEL_DATA} has {self.external_size} bytes"
            )


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def read_graph(raw: bytes, manifest: Manifest) -> onnx.ModelProto:
    """The parsed model, after every check of the graph phase.

    Raises:
        BundleError: ``graph_invalid``, ``graph_forbidden``.
    """
    found = Findings()
    model = onnx.ModelProto()
    try:
        model.ParseFromString(raw)
    except Exception as e:  # protobuf's DecodeError has another home in every implementation
        found.add("graph_invalid", MODEL, f"is no ONNX model: {e}")
        found.stop(e)
    if not model.HasField("graph"):
        found.add("graph_invalid", MODEL, "is no ONNX model: it has no graph")
        found.stop()
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    data = manifest.files.get(MODEL_DATA)
    walk = _Walk(opsets, data.size if data else None)
    _check_versions(model, opsets, manifest, walk)
    if model.functions or model.training_info:
        walk.report("graph_forbidden", "", "has local functions or training graphs")
    walk.graph(model.graph, "", 0)
    _check_interface(model.graph, manifest, walk)
    walk.found.stop()
    return model


def _check_versions(model: onnx.ModelProto, opsets: dict[str, int], manifest: Manifest, walk: _Walk) -> None:
    known = operators()
    if model.ir_version != manifest.ir_version:
        walk.report("graph_invalid", "", f"has IR version {model.ir_version}, the manifest says {manifest.ir_version}")
    if len(opsets) != len(model.opset_import) or opsets != manifest.opsets:
        walk.report("graph_invalid", "", f"imports {opsets}, the manifest says {dict(manifest.opsets)}")
    if model.ir_version not in known.ir_versions:
        walk.report("graph_forbidden", "", f"has IR version {model.ir_version}; allowed: {sorted(known.ir_versions)}")
    for domain, version in opsets.items():
        low, high = known.opsets.get(domain, (1, 0))
        if not low <= version <= high:
            walk.report("graph_forbidden", "", f"imports {domain or 'ai.onnx'} {version}; allowed: {known.opsets}")


def _check_interface(graph: onnx.GraphProto, manifest: Manifest, walk: _Walk) -> None:
    inputs = [(block.name, proto_dtype(block.dtype), tuple(block.shape)) for block in manifest.packing.blocks]
    outputs: list[_Signature] = [(head.output, proto_dtype(head.dtype), (-1,)) for head in manifest.outputs]
    for what, expected, given in (("inputs", inputs, graph.input), ("outputs", outputs, graph.output)):
        actual = [_signature(value) for value in given]
        if actual != expected:
            differing = [f"{_show(a)} instead of {_show(e)}" for e, a in _pairs(expected, actual) if e != a]
            walk.report("graph_invalid", "", f"{what} differ from the manifest: {'; '.join(differing[:5])}")
    overridden = {tensor.name for tensor in graph.initializer} & {value.name for value in graph.input}
    if overridden:
        walk.report("graph_invalid", "", f"inputs {sorted(overridden)} are initialisers too")


def _pairs(
    expected: list[_Signature], actual: Iterable[_Signature]
) -> Iterator[tuple[_Signature | None, _Signature | None]]:
    left: list[_Signature | None] = list(expected)
    right: list[_Signature | None] = list(actual)
    length = max(len(left), len(right))
    yield from zip(left + [None] * (length - len(left)), right + [None] * (length - len(right)), strict=True)


def _signature(value: onnx.ValueInfoProto) -> _Signature:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        return value.name, 0, ()
    dims = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim)
    return value.name, kind.elem_type, dims


def _show(signature: _Signature | None) -> str:
    if signature is None:
        return "none"
    name, dtype, dims = signature
    kind = onnx.TensorProto.DataType.Name(dtype) if dtype in onnx.TensorProto.DataType.values() else str(dtype)
    return f"{name} {kind} {list(dims)}"
