"""The phase graph of reading: a bounded walk over the model, before native code sees it.

Decisions are those of Java's ``ModelWalk``; tests/contract/hostile/README.md lists them.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import zip_longest

from twinrank.export.bundle._manifest import MODEL, MODEL_DATA, Manifest
from twinrank.export.bundle._problems import Findings
from twinrank.export.bundle._tensors import proto_dtype
from twinrank.export.bundle._wire import Message, WireError, read_message

MAX_NODES = 100_000
MAX_NESTING = 8
_MAX_REPORTED = 20
_EXTERNAL_KEYS = frozenset({"location", "offset", "length"})
_EXTERNAL = 1
_NO_TENSOR = 0
# Where a TensorProto can hold its values; two of them at once leave open which one counts.
_INLINE = ("raw_data", "float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


@dataclass(frozen=True, slots=True)
class Signature:
    """An input or output of the graph.

    Attributes:
        name: its name.
        dtype: ONNX's number of its element type; 0 for what is no tensor.
        shape: its dimensions, -1 for one that varies.
    """

    name: str
    dtype: int
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name!r} of type {self.dtype} and shape {list(self.shape)}"


@dataclass(frozen=True, slots=True)
class GraphRules:
    """What the manifest says of the graph.

    Attributes:
        ir_version: its IR version.
        opsets: the operator sets that it imports, by domain.
        inputs: its inputs in order.
        outputs: its outputs in order: the heads, the score, and what the schema adds.
        external_size: bytes of ``model.onnx.data``, None if the manifest lists no such file.
    """

    ir_version: int
    opsets: Mapping[str, int]
    inputs: tuple[Signature, ...]
    outputs: tuple[Signature, ...]
    external_size: int | None


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

    def __init__(self, rules: GraphRules) -> None:
        self.found = Findings()
        self._rules = rules
        self._imports: dict[str, int] = {}
        self._nodes = 0
        self._reported: Counter[str] = Counter()

    def _invalid(self, where: str, detail: str) -> None:
        self._report("graph_invalid", where, detail)

    def _forbidden(self, where: str, detail: str) -> None:
        self._report("graph_forbidden", where, detail)

    def _report(self, code: str, where: str, detail: str) -> None:
        self._reported[code] += 1
        if self._reported[code] <= _MAX_REPORTED:
            self.found.add(code, f"{MODEL}#{where}", detail)

    def model(self, raw: bytes) -> None:
        try:
            model = read_message("ModelProto", raw)
        except WireError as e:
            self._invalid("", f"is no ONNX model: {e}")
            return
        graph = model.one("graph", None)
        if graph is None:
            self._invalid("", "is no ONNX model: it has no graph")
            return
        self._versions(model)
        if model.all("functions") or model.all("training_info"):
            self._forbidden("", "has local functions or training graphs; export the model without them")
        self._graph(graph, "", 0)
        self._interface(graph)

    def _versions(self, model: Message) -> None:
        known, rules = operators(), self._rules
        ir_version, imported = model.one("ir_version", 0), model.all("opset_import")
        self._imports = {entry.one("domain", ""): entry.one("version", 0) for entry in imported}
        if ir_version != rules.ir_version:
            self._invalid("", f"has IR version {ir_version}, the manifest says {rules.ir_version}")
        if len(self._imports) != len(imported) or self._imports != rules.opsets:
            twice = "" if len(self._imports) == len(imported) else " with a domain twice"
            self._invalid("", f"imports {self._imports}{twice}, the manifest says {dict(rules.opsets)}")
        if ir_version not in known.ir_versions:
            self._forbidden("", f"has IR version {ir_version}; allowed are {sorted(known.ir_versions)}")
        for domain, version in self._imports.items():
            low, high = known.opsets.get(domain, (1, 0))
            if not low <= version <= high:
                self._forbidden("", f"imports {domain or 'ai.onnx'} {version}; allowed are {known.opsets}")

    def _graph(self, graph: Message, where: str, depth: int) -> None:
        if depth > MAX_NESTING:
            self._invalid(where, f"has subgraphs deeper than {MAX_NESTING}")
            return
        nodes = graph.all("node")
        self._nodes += len(nodes)
        if self._nodes > MAX_NODES:
            self._invalid(where, f"has more than {MAX_NODES} nodes")
            return
        if graph.all("sparse_initializer"):
            self._forbidden(where, "has a sparse initialiser; export it as a dense one")
        self._names(graph, where)
        for tensor in graph.all("initializer"):
            self._tensor(tensor, f"{where}/{tensor.one('name', '')}", external=depth == 0)
        for node in nodes:
            self._node(node, where, depth)

    def _names(self, graph: Message, where: str) -> None:
        """Every tensor of a graph is made in one place: two would leave open which one counts."""
        made: set[str] = set()
        names = [value.one("name", "") for value in (*graph.all("input"), *graph.all("initializer"))]
        names += [name for node in graph.all("node") for name in node.all("output") if name]
        for name in names:
            if name in made:
                self._invalid(where, f"makes {name!r} more than once, as an input, an initialiser or a node's output")
            made.add(name)

    def _node(self, node: Message, where: str, depth: int) -> None:
        operator, domain = node.one("op_type", ""), node.one("domain", "")
        here = f"{where}/{node.one('name', '') or operator}"
        if not operators().permits(domain, operator, self._imports.get(domain, 0)):
            self._forbidden(here, f"is of the operator {domain or 'ai.onnx'}:{operator}, which is not on the list")
        if node.one("overload", ""):
            self._forbidden(here, "names an overload, which only a local function can have")
        names = [attribute.one("name", "") for attribute in node.all("attribute")]
        if len(set(names)) != len(names):
            self._invalid(here, f"has an attribute twice: {sorted(names)}")
        for attribute in node.all("attribute"):
            self._attribute(attribute, here, depth)

    def _attribute(self, attribute: Message, where: str, depth: int) -> None:
        if attribute.one("ref_attr_name", ""):
            self._forbidden(where, "refers to the attribute of a function")
        if attribute.all("sparse_tensor") or attribute.all("sparse_tensors"):
            self._forbidden(where, "has a sparse tensor; export it as a dense one")
        for tensor in (*attribute.all("t"), *attribute.all("tensors")):
            self._tensor(tensor, where, external=False)
        for graph in (*attribute.all("g"), *attribute.all("graphs")):
            self._graph(graph, where, depth + 1)

    def _tensor(self, tensor: Message, where: str, *, external: bool) -> None:
        """Checks where a tensor keeps its values."""
        inline = [name for name in _INLINE if any(_holds(value) for value in tensor.all(name))]
        outside = tensor.one("data_location", 0) == _EXTERNAL or bool(tensor.all("external_data"))
        if len(inline) + outside > 1:
            self._invalid(where, f"holds values in {[*inline, *(['external_data'] if outside else [])]} at once")
        if tensor.all("segment"):
            self._forbidden(where, "is a segment of a tensor; export it whole")
        if outside:
            self._external(tensor, where, external)

    def _external(self, tensor: Message, where: str, allowed: bool) -> None:
        listed = [(entry.one("key", ""), entry.one("value", "")) for entry in tensor.all("external_data")]
        entries, size = dict(listed), self._rules.external_size
        location = entries.get("location", "")
        if not allowed or location != MODEL_DATA or size is None:
            self._forbidden(
                where,
                f"keeps its values in {location!r}; only initialisers may, in {MODEL_DATA} as the manifest lists it",
            )
            return
        numbers = [entries.get(key, "0") for key in ("offset", "length")]
        if (
            len(entries) != len(listed)
            or not set(entries) <= _EXTERNAL_KEYS
            or not all(_is_size(number) for number in numbers)
        ):
            self._forbidden(where, f"describes its values by {sorted(entries)}; allowed are {sorted(_EXTERNAL_KEYS)}")
            return
        end = sum(int(number) for number in numbers)
        if end > size:
            self._invalid(where, f"ends at {end}, {MODEL_DATA} has {size} bytes")

    def _interface(self, graph: Message) -> None:
        for what, expected in (("input", self._rules.inputs), ("output", self._rules.outputs)):
            for should, value in zip_longest(expected, graph.all(what)):
                actual = None if value is None else self._signature(value)
                if actual != should:
                    self._invalid("", f"differs from the manifest in its {what}s: {actual} instead of {should}")

    def _signature(self, value: Message) -> Signature:
        name = value.one("name", "")
        tensor = value.one("type", Message("TypeProto")).one("tensor_type", None)
        if tensor is None:
            return Signature(name, _NO_TENSOR, ())
        shape = []
        for dim in tensor.one("shape", Message("TensorShapeProto")).all("dim"):
            size = dim.one("dim_value", None)
            if size is not None and size < 0:
                self._invalid("", f"has a dimension of size {size} in {name!r}; one that varies has no size")
            shape.append(-1 if size is None else size)
        return Signature(name, tensor.one("elem_type", 0), tuple(shape))


def _holds(value: object) -> bool:
    """Whether an occurrence of a value field holds anything: the span of some bytes, or a run of numbers."""
    return value[1] > value[0] if isinstance(value, tuple) else bool(value)


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def check_graph(raw: bytes, rules: GraphRules) -> Findings:
    """What the contract does not allow in a model, at most twenty problems of each code."""
    walk = _Walk(rules)
    walk.model(raw)
    return walk.found


def read_graph(raw: bytes, manifest: Manifest) -> None:
    """Checks the model's bytes: the phase graph.

    Raises:
        BundleError: ``graph_invalid``, ``graph_forbidden``.
    """
    data = manifest.files.get(MODEL_DATA)
    outputs = [Signature(head.output, proto_dtype(head.dtype), (-1,)) for head in manifest.outputs]
    outputs += [Signature(unseen.output, proto_dtype("int64"), unseen.shape) for unseen in manifest.unseen]
    rules = GraphRules(
        manifest.ir_version,
        manifest.opsets,
        tuple(Signature(b.name, proto_dtype(b.dtype), tuple(b.shape)) for b in manifest.packing.blocks),
        tuple(outputs),
        data.size if data else None,
    )
    check_graph(raw, rules).stop()
