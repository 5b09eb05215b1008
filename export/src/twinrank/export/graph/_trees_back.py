"""A model of trees as the back half: encoded columns to raw scores, compared with the library that trained it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from twinrank.export.bundle import FloatArray, ReferenceSource, SessionSettings, session_options
from twinrank.export.graph._back import FloatName, Part, Tensors
from twinrank.export.graph._compose import SCORE
from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._tables import Tables
from twinrank.export.trees import (
    ML_DOMAIN,
    ML_OPSET,
    Forest,
    TreeModelError,
    forest_nodes,
    open_native,
    probe_rows,
    version_of,
)
from twinrank.training.transforms import EncodedSpec, FrontGraph, Lookup, Matrix, Number

PROVED_ROWS = 100_000
"""Rows at the boundaries of a forest that every export compares, at least."""
_CHUNK = 10_000
_SEED = 8
_OPSET, _IR = 20, 10
_NOT_A_NAME = re.compile("[^A-Za-z0-9_]")
_LONGEST = 64
_TYPES = {"float64": TensorProto.DOUBLE, "float32": TensorProto.FLOAT}


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a model's column comes from.

    Attributes:
        tensor: the encoded tensor.
        column: of a matrix; None of a tensor of one axis.
        first: of ids, the row of the first entry, which is code 0; rows before it are NaN. None of numbers.
    """

    tensor: str
    column: int | None
    first: int | None


def feature_names(names: Sequence[str]) -> tuple[str, ...]:
    """A model's feature names as a schema can have them: letters, digits and _, at most 64, no digit first.

    Names that would become one get a number, in the order of the model; a name that needs no change keeps itself.
    """
    plain = [_plain(name) for name in names]
    taken = {name for name, made in zip(names, plain, strict=True) if name == made}
    found = []
    for name, made in zip(names, plain, strict=True):
        chosen, number = made, 1
        while name != made and chosen in taken:
            number += 1
            chosen = f"{made[: _LONGEST - len(str(number)) - 1]}_{number}"
        taken.add(chosen)
        found.append(chosen)
    return tuple(found)


def _plain(name: str) -> str:
    made = _NOT_A_NAME.sub("_", name)[:_LONGEST]
    return made if made and not made[0].isdigit() else f"_{made}"[:_LONGEST]


class TreesBack:
    """A forest whose features are encoded tensors, matched by name.

    Args:
        forest: read from ``path``.
        path: the model file, which the library itself reads for the comparison.
        front: its transforms: a matrix's columns and numbers are features, a lookup is a category whose code is the
            position of its entry; unseen and absent ones are NaN, as in a pandas frame.
        score: the target that is the score; needed only where there are several.
        names: of the targets' heads where there are several.
        notes: what its reader noticed.
        link: whether the library's own predictions are heads too, within the tolerance that is measured.
        beside: outputs of a network in the same graph, which columns may be too; then not everything that is encoded
            must be the trees'.

    Raises:
        ExportError: ``link_unknown`` if the library's prediction is none of those that a graph can make here;
            ``input_unknown`` with every column that nothing encodes, and everything that no column reads;
            ``tree_native_missing`` if the library is not installed.
    """

    def __init__(
        self,
        forest: Forest,
        path: Path,
        front: FrontGraph,
        score: int = 0,
        names: Sequence[str] = (),
        notes: Sequence[str] = (),
        *,
        link: bool = False,
        beside: Sequence[EncodedSpec] = (),
    ) -> None:
        self._forest = forest
        self._bytes = path.read_bytes()
        try:
            self._library = open_native(forest.source, path)
            self._predictions = open_native(forest.source, path, link=True) if link else None
        except TreeModelError as e:
            raise ExportError.of((Finding(e.code, e.where, e.detail, e.remedy),)) from e
        self._specs = {spec.name: spec for spec in (*front.outputs, *beside)}
        self._sources = _match(forest, front, beside)
        self._score = score
        self.names = tuple(names)
        self._notes = tuple(notes)
        self.links = tuple(f"prediction_{name}" for name in self.names) if self.names else ("prediction",)
        self.links = self.links if link else ()
        if link:
            self._require_link()

    @property
    def heads(self) -> tuple[str, ...]:
        """All heads but the score."""
        return (*self.names, *self.links)

    @property
    def exact(self) -> frozenset[str]:
        """The raw scores."""
        return frozenset((*self.names, SCORE))

    @property
    def kind(self) -> ReferenceSource:
        """The library."""
        return self._forest.source

    @property
    def reads(self) -> frozenset[str]:
        """The tensors that columns come from."""
        return frozenset(source.tensor for source in self._sources)

    def dtype_of(self, output: str) -> FloatName:
        """That of the library's sums."""
        del output
        return self.dtype

    @property
    def dtype(self) -> FloatName:
        """That of the library's sums."""
        return self._forest.dtype

    @property
    def notes(self) -> Sequence[str]:
        """How large it is, and what was renamed."""
        forest = self._forest
        told = [
            f"{forest.source} {forest.source_version}, {forest.objective}: {len(forest.roots):,} trees, "
            f"{len(forest.split_columns):,} splits, {len(forest.features)} features"
        ]
        named = zip(forest.features, feature_names(forest.features), strict=True)
        told += [f"the model's feature {name!r} is {made!r} in requests" for name, made in named if made != name]
        return (*told, *self._notes)

    def provenance(self) -> dict[str, object]:
        """What a bundle says of the model that it was made of; JSON."""
        forest = self._forest
        return {
            "source": forest.source,
            "source_version": forest.source_version,
            "compared_with": version_of(forest.source),
            "objective": forest.objective,
            "model_sha256": hashlib.sha256(self._bytes).hexdigest(),
            "trees": len(forest.roots),
            "splits": len(forest.split_columns),
            "targets": forest.targets,
            "score_target": self._score,
            "raw_heads": {name: target for target, name in enumerate(self.names)},
            "links": {name: target for target, name in enumerate(self.links)},
            "features": list(forest.features),
            "columns": [
                {"tensor": source.tensor, "column": source.column, "first": source.first} for source in self._sources
            ],
            "probed_rows": PROVED_ROWS,
            "differing_bits": 0,
        }

    def findings(self) -> list[Finding]:
        """Nothing: the reader of the model file tells."""
        return []

    def graph(
        self, specs: Sequence[EncodedSpec], example: Tensors, outputs: Sequence[str], tables: Tables | None
    ) -> onnx.ModelProto:
        """The columns side by side, the trees, and an output a target."""
        del example, tables
        writer = _Writer()
        x = self._matrix(writer, specs)
        nodes, constants = forest_nodes(self._forest, x, "trees/scores", "trees")
        writer.nodes += nodes
        linked = writer.linked("trees/scores", self._forest) if self.links else ""
        for name in outputs:
            if name in self.links:
                index = writer.constant(f"target_{self.links.index(name)}", np.array(self.links.index(name), np.int64))
                writer.nodes.append(helper.make_node("Gather", [linked, index], [_result(name)], axis=1))
                continue
            target = self._score if name == SCORE else self.names.index(name)
            index = writer.constant(f"target_{target}", np.array(target, np.int64))
            writer.nodes.append(helper.make_node("Gather", ["trees/scores", index], [_result(name)], axis=1))
        graph = helper.make_graph(
            writer.nodes,
            "trees",
            [
                helper.make_tensor_value_info(
                    spec.name,
                    {"int64": TensorProto.INT64, **_TYPES}[spec.dtype],
                    ["n" if spec.placement == "candidate" else 1, *spec.shape[1:]],
                )
                for spec in specs
            ],
            [helper.make_tensor_value_info(_result(name), _TYPES[self.dtype], ["n"]) for name in outputs],
            [*writer.constants.values(), *constants],
        )
        imports = [helper.make_opsetid("", _OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
        return helper.make_model(graph, opset_imports=imports, ir_version=_IR, producer_name="twinrank")

    def run(
        self, encoded: Tensors, outputs: Sequence[str], found: Mapping[str, FloatArray] | None = None
    ) -> dict[str, FloatArray]:
        """What the library says of the encoded tensors, on one thread."""
        del found
        n = max(len(encoded[name]) for name, spec in self._specs.items() if spec.placement == "candidate")
        x = _columns(self._sources, encoded, n)
        scores = self._native(x)
        given: dict[str, FloatArray] = {}
        predictions = self._predictions(x) if self._predictions is not None else None
        for name in outputs:
            if predictions is not None and name in self.links:
                given[name] = predictions[:, self.links.index(name)].copy()
            else:
                given[name] = scores[:, self._score if name == SCORE else self.names.index(name)].copy()
        return given

    def prove(self, model: onnx.ModelProto) -> int:
        """Compares the trees with the library at all their boundaries.

        Args:
            model: the graph that will serve: its trees must be the ones that are asked here, in every attribute.

        Returns:
            How many rows.

        Raises:
            ExportError: ``tree_bits_differ`` with the first row that differs.
        """
        own, _ = forest_nodes(self._forest, "x", "scores", "trees")
        served = [node for node in model.graph.node if node.op_type == own[-1].op_type]
        if [_attributes(node) for node in served] != [_attributes(own[-1])]:
            raise ExportError(
                "tree_bits_differ", "the graph's trees are not the model's", "Report it with the model file"
            )
        session = self._open()
        rows = probe_rows(self._forest, PROVED_ROWS, _SEED)
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            with np.errstate(over="ignore"):
                found = session.run(None, {"x": chunk.astype(self.dtype)})[0]
            expected = self._native(chunk)
            apart = np.flatnonzero((found.view(_bits(self.dtype)) != expected.view(_bits(self.dtype))).any(axis=1))
            if apart.size:
                row = int(apart[0])
                raise ExportError(
                    "tree_bits_differ",
                    f"{apart.size} of {len(chunk)} rows differ; row {start + row} gives {found[row].tolist()} and by "
                    f"{self.kind} {expected[row].tolist()}: {chunk[row].tolist()}",
                    "Report it with the model file; until then these scores cannot be served",
                )
        return len(rows)

    def parts(self) -> Iterator[Part]:
        """The model file, and how it is read."""
        yield "model", self._bytes
        yield "heads", json.dumps([self._score, list(self.names), list(self.links)]).encode()

    def _require_link(self) -> None:
        link = self._forest.link
        if link.kind == "other" or (link.kind == "identity" and link.divisor == 1):
            why = "it is the raw score itself" if link.kind == "identity" else "no operator of ONNX makes it"
            raise ExportError(
                "link_unknown",
                f"the library's prediction for {self._forest.objective!r} cannot be a head of its own: {why}",
                "Leave --link out; raw scores order candidates as predictions do",
            )

    def _native(self, x: NDArray[np.float64]) -> NDArray[np.floating]:
        try:
            return self._library(x)
        except TreeModelError as e:
            raise ExportError.of((Finding(e.code, e.where, e.detail, e.remedy),)) from e

    def _open(self) -> ort.InferenceSession:
        nodes, constants = forest_nodes(self._forest, "x", "scores", "trees")
        graph = helper.make_graph(
            nodes,
            "forest",
            [helper.make_tensor_value_info("x", _TYPES[self.dtype], ["n", len(self._forest.features)])],
            [helper.make_tensor_value_info("scores", _TYPES[self.dtype], ["n", self._forest.targets])],
            constants,
        )
        imports = [helper.make_opsetid("", _OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=_IR)
        return ort.InferenceSession(
            model.SerializeToString(), session_options(SessionSettings()), providers=["CPUExecutionProvider"]
        )

    def _matrix(self, writer: _Writer, specs: Sequence[EncodedSpec]) -> str:
        """Every column in the model's order, in its type."""
        candidate = next(spec for spec in specs if spec.placement == "candidate")
        parts: list[str] = []
        places: dict[tuple[str, int | None], int] = {}
        width = 0
        for spec in specs:
            used = [source for source in self._sources if source.tensor == spec.name]
            if not used:
                continue
            part = writer.columns(spec, used[0].first)
            parts.append(writer.repeated(part, candidate.name) if spec.placement == "context" else part)
            for source in used:
                places[source.tensor, source.column] = width + (source.column or 0)
            width += spec.shape[1] if len(spec.shape) > 1 else 1
        x = parts[0] if len(parts) == 1 else writer.op("Concat", *parts, axis=1)
        order = [places[source.tensor, source.column] for source in self._sources]
        if order != list(range(width)):
            x = writer.op("Gather", x, writer.constant("order", np.array(order, np.int64)), axis=1)
        return x if self.dtype == "float64" else writer.op("Cast", x, to=TensorProto.FLOAT)


def _result(name: str) -> str:
    # An encoded tensor may be called as an output is.
    return f"result/{name}"


class _Writer:
    """Nodes and constants of the columns."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def op(self, kind: str, *inputs: str, **attributes: int) -> str:
        name = f"columns/{len(self.nodes)}.{kind}"
        node = helper.make_node(kind, list(inputs), [name])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return name

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        full = f"columns/{name}"
        self.constants.setdefault(full, numpy_helper.from_array(value, full))
        return full

    def columns(self, spec: EncodedSpec, first: int | None) -> str:
        """An encoded tensor as float64 [r, k]."""
        tensor = spec.name
        if first is not None:
            first_row = self.constant(f"first_{first}", np.array(first, np.int64))
            code = self.op("Cast", self.op("Sub", tensor, first_row), to=TensorProto.DOUBLE)
            absent = self.op("Less", tensor, first_row)
            tensor = self.op("Where", absent, self.constant("nan", np.array(np.nan)), code)
        elif spec.dtype != "float64":
            tensor = self.op("Cast", tensor, to=TensorProto.DOUBLE)
        if len(spec.shape) > 1:
            return tensor
        return self.op("Unsqueeze", tensor, self.constant("column", np.array([1], np.int64)))

    def linked(self, scores: str, forest: Forest) -> str:
        """From raw scores [n, K] to the library's predictions [n, K]."""
        link, targets, values = forest.link, forest.targets, scores
        if link.divisor != 1:
            values = self.op("Div", values, self.constant("divisor", np.array(link.divisor, np.float64)))
        if link.kind == "sigmoid" and link.scale != 1:
            values = self.op("Mul", values, self.constant("scale", np.array(link.scale, np.float64)))
        if link.kind == "softmax":
            # The operator's bits depend on where a row lies in the tensor, so it is made of what is steady.
            column = self.constant("last", np.array([1], np.int64))
            largest = self.op("ReduceMax", values, column, keepdims=1)
            powers = self.exponential(self.op("Sub", values, largest), targets)
            total = ""
            for target in range(targets):
                power = self.op("Gather", powers, self.constant(f"one_{target}", np.array([target], np.int64)), axis=1)
                total = self.op("Add", total, power) if total else power
            return self.op("Div", powers, total)
        if link.kind == "exp":
            return self.exponential(values, targets)
        if link.kind == "identity":
            return values
        # The operator Sigmoid takes another routine for the last few elements, as Exp does.
        one = self.constant("one_of_all", np.array(1, forest.dtype))
        return self.op("Div", one, self.op("Add", one, self.exponential(self.op("Neg", values), targets)))

    def exponential(self, values: str, targets: int) -> str:
        """Exp of [n, K], in vectors of 16 that are all full: the last few elements take another routine."""
        flat = self.op("Reshape", values, self.constant("flat", np.array([-1], np.int64)))
        count = self.op("Shape", flat)
        tail = self.op("Mod", self.op("Neg", count), self.constant("lanes", np.array([16], np.int64)))
        pads = self.op("Concat", self.constant("none", np.array([0], np.int64)), tail, axis=0)
        powers = self.op("Exp", self.op("Pad", flat, pads))
        powers = self.op("Slice", powers, self.constant("none", np.array([0], np.int64)), count)
        return self.op("Reshape", powers, self.constant("rows", np.array([-1, targets], np.int64)))

    def repeated(self, part: str, candidate: str) -> str:
        """A context's row for every candidate."""
        rows = f"columns/{len(self.nodes)}.Shape"
        self.nodes.append(helper.make_node("Shape", [candidate], [rows], start=0, end=1))
        shape = self.op("Concat", rows, self.constant("one", np.array([1], np.int64)), axis=0)
        return self.op("Expand", part, shape)


def _attributes(node: onnx.NodeProto) -> list[bytes]:
    return sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)


def _bits(dtype: str) -> type[np.int64] | type[np.int32]:
    return np.int64 if dtype == "float64" else np.int32


def _match(forest: Forest, front: FrontGraph, beside: Sequence[EncodedSpec]) -> tuple[_Source, ...]:
    """Where each of the model's columns comes from, by name."""
    found = {spec.name: _Source(spec.name, None, None) for spec in beside}
    for transform, spec in zip(front.transforms, front.outputs, strict=True):
        if isinstance(transform, Matrix):
            found.update({name: _Source(spec.name, index, None) for index, name in enumerate(transform.features)})
        elif isinstance(transform, Lookup) and len(spec.shape) == 1:
            rows = spec.cardinality or 0
            found[spec.name] = _Source(spec.name, None, rows - len(transform.vocabulary.entries))
        elif isinstance(transform, Number) and len(spec.shape) == 1:
            found[spec.name] = _Source(spec.name, None, None)
    names = feature_names(forest.features)
    absent = [name for name in names if name not in found]
    unread = [name for name in found if name not in names]
    other = [spec.name for spec in front.outputs if not any(each.tensor == spec.name for each in found.values())]
    if beside:
        # What the trees do not read, the network does.
        unread, other = [], []
    if absent or unread or other:
        raise ExportError(
            "input_unknown",
            f"the model's columns are {_few(names)}; nothing encodes {_few(absent)}; no column reads {_few(unread)}; "
            f"of these no column can be made: {_few(other)}",
            "Name matrix columns, numbers and lookups as the model's features, each once",
        )
    return tuple(found[name] for name in names)


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8]) or "none"
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def _columns(sources: Sequence[_Source], encoded: Mapping[str, NDArray[np.generic]], n: int) -> NDArray[np.float64]:
    """What the graph's columns are, by numpy."""
    x = np.empty((n, len(sources)), np.float64)
    for index, source in enumerate(sources):
        values = encoded[source.tensor]
        column = values if source.column is None else values[:, source.column]
        wide = column.astype(np.float64)
        if source.first is not None:
            rows = column.astype(np.int64) - source.first
            wide = np.where(rows < 0, np.nan, rows.astype(np.float64))
        x[:, index] = wide
    return x
