"""A small deterministic writer of ONNX nodes: names are numbered in the order of writing, constants are shared."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET = 20
ML_OPSET = 4
IR_VERSION = 10
ML_DOMAIN = "ai.onnx.ml"


class GraphBuilder:
    """Collects nodes and initializers. The same calls give the same names, and so the same bytes."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self._prefix = prefix
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """Returns the name of an initializer that holds the value; equal ones are stored once."""
        array = np.asarray(value, dtype=dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"{self._prefix}.const.{len(self.initializers)}"
            self._constants[key] = name
            self.initializers.append(numpy_helper.from_array(array, name))
        return self._constants[key]

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Adds a node with one output and returns the output's name."""
        name = f"{self._prefix}.{len(self.nodes)}.{kind}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def rename(self, tensor: str, name: str) -> None:
        """Gives a tensor its public name."""
        self.nodes.append(helper.make_node("Identity", [tensor], [name], name=f"{name}.name"))

    def cast(self, tensor: str, to: int) -> str:
        """Adds a Cast to a TensorProto element type."""
        return self.op("Cast", tensor, to=to)

    def unsqueeze(self, tensor: str, axis: int) -> str:
        """Adds an Unsqueeze of one axis."""
        return self.op("Unsqueeze", tensor, self.constant([axis], np.int64))

    def where(self, condition: str, chosen: str, otherwise: str) -> str:
        """Adds a Where."""
        return self.op("Where", condition, chosen, otherwise)
