"""A slate graph in a session with the options of the contract: blocks in, outputs and counts out."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from twinrank.export.bundle import Array, FloatArray, Runner, SessionSettings
from twinrank.export.graph._errors import ExportError
from twinrank.export.graph._slates import Blocks
from twinrank.export.graph._tables import Tables


class Executor:
    """Runs a slate graph.

    Args:
        model: heads and score first, then the counts of unseen values.
        outputs: the heads, the score last.
        tables: where large weights lie.

    Raises:
        ExportError: ``graph_refused`` if ONNX Runtime does not take the graph.
    """

    def __init__(self, model: onnx.ModelProto, outputs: Sequence[str], tables: Tables) -> None:
        self._outputs = tuple(outputs)
        self._dtypes = [
            onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type) for value in model.graph.output
        ]
        try:
            self._runner = Runner(model.SerializeToString(deterministic=True), SessionSettings(), tables.folder)
        except Exception as e:  # the runtime raises many types, none of them documented
            raise ExportError(
                "graph_refused", f"ONNX Runtime refuses the graph: {e}", "Report it with the model"
            ) from e

    def __call__(self, blocks: Blocks) -> Sequence[FloatArray]:
        """The outputs, each [n], the score last.

        Raises:
            ExportError: ``shape_baked_in`` if the graph fails on the blocks, ``outputs_differ_from_heads`` if it gives
                another type.
        """
        found = self._run(blocks)[: len(self._outputs)]
        for name, values, dtype in zip(self._outputs, found, self._dtypes, strict=False):
            if values.dtype != dtype:
                raise ExportError("outputs_differ_from_heads", f"output {name!r} is {values.dtype}", f"Return {dtype}")
        return found

    def unseen(self, blocks: Blocks) -> Sequence[Array]:
        """The ``unseen.*`` outputs, in the graph's order; none without such a feature."""
        return self._run(blocks)[len(self._outputs) :] if len(self._runner.outputs) > len(self._outputs) else ()

    def _run(self, blocks: Blocks) -> list[Array]:
        try:
            return self._runner.run(blocks)
        except Exception as e:  # the runtime raises many types, none of them documented
            shapes = {name: array.shape for name, array in blocks.items()}
            raise ExportError(
                "shape_baked_in",
                f"the graph fails on blocks of shapes {shapes}: {e}",
                "Keep sizes symbolic: x.shape[0] and not len(x), no int(), item() or Python branch on n",
            ) from e
