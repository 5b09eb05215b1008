"""What a rewrite is, and how one edits a graph: nodes replaced in place, constants added, what nobody reads removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from twinrank.export.bundle import Weights
from twinrank.export.graph._compose import prune
from twinrank.export.graph.rewrites._view import View


@dataclass(frozen=True, slots=True)
class Applied:
    """One change that a rewrite made.

    Attributes:
        rewrite: the rewrite's name.
        node: the node it replaced, by the name it had.
        detail: what it became.
    """

    rewrite: str
    node: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """As ``provenance.export.rewrites`` stores it."""
        return {"rewrite": self.rewrite, "node": self.node, "detail": self.detail}


class Rewrite(Protocol):
    """A change of the composed slate graph that keeps what it computes, within rounding."""

    @property
    def name(self) -> str:
        """A stable word, ``[a-z][a-z0-9_]*``."""

    @property
    def exact(self) -> bool:
        """Whether it promises every bit; it is undone if one differs. Otherwise rounding may differ."""

    def apply(self, model: onnx.ModelProto, view: View) -> list[Applied]:
        """Edits the graph in place and says what changed; an empty list means that nothing had to.

        The same graph must give the same bytes. What was changed must not match again. ``view`` was made before the
        first edit and does not follow it.
        """


class Editor:
    """Edits of one graph with new names that are functions of the old ones.

    Args:
        model: edited in place.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self._names = {name for node in self.graph.node for name in (*node.output, node.name)}
        self._names |= {tensor.name for tensor in self.graph.initializer}
        self._names |= {value.name for value in self.graph.input}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def fresh(self, hint: str) -> str:
        """A name that nothing has: ``hint``, or it with a number."""
        name, number = hint, 1
        while name in self._names:
            name, number = f"{hint}.{number}", number + 1
        self._names.add(name)
        return name

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """A constant by name; an equal one that this editor added before is used again."""
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self.fresh(f"rewrite.{_word(array)}")
            self.graph.initializer.append(numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
        """A new node of one output, to be placed by `replace`; node and output have the same name."""
        return helper.make_node(operator, list(inputs), [output], name=output, **attributes)

    def replace(self, old: onnx.NodeProto, new: Sequence[onnx.NodeProto]) -> None:
        """Puts nodes where a node was.

        The last of ``new`` should write what ``old`` wrote, under the same name.
        """
        position = next(i for i, node in enumerate(self.graph.node) if node is old or node.output == old.output)
        nodes = [_copy(node) for node in self.graph.node]
        nodes[position : position + 1] = [_copy(node) for node in new]
        del self.graph.node[:]
        self.graph.node.extend(nodes)


def run_rewrites(
    model: onnx.ModelProto,
    rewrites: Sequence[Rewrite],
    weights_of: Callable[[onnx.ModelProto], Weights] | None = None,
) -> list[Applied]:
    """Applies each rewrite in turn, in place, and removes what is read no more.

    Each sees a fresh view, and is asked again until it has nothing to do, so that what one made another may use.

    Args:
        model: edited in place.
        rewrites: in the order in which they are applied.
        weights_of: the values of a graph's initialisers that are kept outside it, by name.
    """
    done: list[Applied] = []
    for rewrite in rewrites:
        while applied := rewrite.apply(model, View(model, weights_of(model) if weights_of else None)):
            done += applied
            prune(model.graph)
    return done


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


def _word(array: npt.NDArray[Any]) -> str:
    """A readable name for a small constant."""
    if array.size > 4:
        return f"{array.dtype}.{'x'.join(map(str, array.shape))}"
    return f"{array.dtype}.{json.dumps(array.tolist(), separators=(',', ':'))}"
