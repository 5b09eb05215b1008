"""A network and trees in one graph: side by side, or the trees over what the network says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import onnx
from onnx import helper

from twinrank.export.bundle import FloatArray, ReferenceSource
from twinrank.export.graph._back import Back, FloatName, Part, Tensors
from twinrank.export.graph._compose import SCORE, all_nodes, rename
from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._tables import Tables
from twinrank.export.graph._trees_back import TreesBack
from twinrank.training.transforms import EncodedSpec

_NETWORK = "network/"


class StackBack:
    """A network whose outputs are heads, and trees whose raw scores are heads beside them.

    Args:
        network: its heads keep their names, and are float32.
        network_heads: their names; the network's own score is ``network_score``.
        trees: made with the network's outputs beside it; columns may be called as they are.
        trees_heads: names of its raw scores as heads.
        score: which of all heads orders the slate.

    Raises:
        ExportError: ``outputs_differ_from_heads`` for two heads of one name, or a score that is none of them.
    """

    def __init__(
        self,
        network: Back,
        network_heads: Sequence[str],
        trees: TreesBack,
        trees_heads: Sequence[str],
        score: str,
    ) -> None:
        self._network, self._trees, self._score = network, trees, score
        self._network_heads, self._trees_heads = tuple(network_heads), tuple(trees_heads)
        self.heads = (*self._network_heads, *self._trees_heads)
        if len(set(self.heads)) < len(self.heads) or SCORE in self.heads or score not in self.heads:
            raise ExportError(
                "outputs_differ_from_heads",
                f"the heads would be {', '.join(self.heads)}, and the score {score!r}",
                "Give each a name of its own (--heads), and say which is the score (--score)",
            )

    @property
    def kind(self) -> ReferenceSource:
        """What the network is compared with; the trees are compared with their library besides."""
        return self._network.kind

    @property
    def exact(self) -> frozenset[str]:
        """The trees' raw scores, given what the network says in the graph."""
        exact = set(self._trees_heads)
        return frozenset(exact | ({SCORE} if self._score in exact else set()))

    @property
    def notes(self) -> Sequence[str]:
        """Those of both, and what the trees read of the network."""
        read = [name for name in self._network_heads if name in self._trees.reads]
        told = f"the trees read {', '.join(read)} of the network" if read else "the trees read nothing of the network"
        return (*self._network.notes, *self._trees.notes, told)

    def dtype_of(self, output: str) -> FloatName:
        """Float32 of the network's, that of the library's sums of the trees'."""
        name = self._score if output == SCORE else output
        return self._trees.dtype if name in self._trees_heads else self._network.dtype_of(name)

    def findings(self) -> list[Finding]:
        """Those of both."""
        return [*self._network.findings(), *self._trees.findings()]

    def provenance(self) -> dict[str, object]:
        """What a bundle says of the trees."""
        return self._trees.provenance()

    def prove(self, model: onnx.ModelProto) -> int:
        """Compares the trees with their library at all their boundaries; how many rows."""
        return self._trees.prove(model)

    def graph(
        self, specs: Sequence[EncodedSpec], example: Tensors, outputs: Sequence[str], tables: Tables | None
    ) -> onnx.ModelProto:
        """The network's nodes, then the trees' with the network's outputs among their inputs."""
        network = self._network.graph(specs, example, self._network_outputs(), tables)
        made = onnx.ModelProto()
        made.CopyFrom(network)
        own = dict(zip(self._network_heads, _prefixed(made.graph), strict=True))
        # Halves name their inputs as they have to; by position they are the encoded tensors.
        inputs = dict(zip((spec.name for spec in specs), (value.name for value in made.graph.input), strict=True))
        beside = [EncodedSpec(name, "candidate", "float32", (-1,), None) for name in self._network_heads]
        trees = self._trees.graph([*specs, *beside], example, self._trees_outputs(), tables)
        for node in trees.graph.node:
            rename(node, {**inputs, **own})
            made.graph.node.append(node)
        made.graph.initializer.extend(trees.graph.initializer)
        raw = dict(zip(self._trees_heads, (value.name for value in trees.graph.output), strict=True))
        types = {
            **dict(zip(self._network_heads, network.graph.output, strict=True)),
            **dict(zip(self._trees_heads, trees.graph.output, strict=True)),
        }
        del made.graph.output[:]
        for name in outputs:
            head = self._score if name == SCORE else name
            made.graph.node.append(helper.make_node("Identity", [{**own, **raw}[head]], [f"stack/{name}"]))
            made.graph.output.append(
                helper.make_tensor_value_info(f"stack/{name}", types[head].type.tensor_type.elem_type, ["n"])
            )
        known = {entry.domain for entry in made.opset_import}
        made.opset_import.extend(entry for entry in trees.opset_import if entry.domain not in known)
        return made

    def run(
        self, encoded: Tensors, outputs: Sequence[str], found: Mapping[str, FloatArray] | None = None
    ) -> dict[str, FloatArray]:
        """The network's reference, and what the library says of its columns: of the graph's own, where it is given."""
        network = self._network.run(encoded, self._network_outputs())
        given = {
            head: network[output] for head, output in zip(self._network_heads, self._network_outputs(), strict=True)
        }
        columns = given if found is None else {name: found[name] for name in self._network_heads}
        trees = self._trees.run({**encoded, **columns}, self._trees_outputs())
        given |= {head: trees[output] for head, output in zip(self._trees_heads, self._trees_outputs(), strict=True)}
        return {name: given[self._score if name == SCORE else name] for name in outputs}

    def parts(self) -> Iterator[Part]:
        """Everything of both."""
        for name, content in self._network.parts():
            yield f"network {name}", content
        for name, content in self._trees.parts():
            yield f"trees {name}", content
        yield "stack", json.dumps([self._network_heads, self._trees_heads, self._score]).encode()

    def _network_outputs(self) -> tuple[str, ...]:
        return (*self._network_heads[:-1], SCORE)

    def _trees_outputs(self) -> tuple[str, ...]:
        return self._trees.names or (SCORE,)


def _prefixed(graph: onnx.GraphProto) -> list[str]:
    """Gives every tensor but the inputs a name of the network's own; returns those of the outputs."""
    own = {tensor.name for tensor in graph.initializer} | {name for node in all_nodes(graph) for name in node.output}
    names = {name: _NETWORK + name for name in own if name}
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    for node in graph.node:
        rename(node, names)
        node.name = _NETWORK + node.name
    del graph.value_info[:]
    return [names.get(value.name, value.name) for value in graph.output]
