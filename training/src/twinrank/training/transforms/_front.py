"""The front graph: blocks in, encoded tensors out, as ONNX that training and serving both run."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnx import ModelProto, ValueInfoProto, helper

from twinrank.training.schema import Packing, Placement, Schema, SchemaError
from twinrank.training.transforms._builder import IR_VERSION, ML_DOMAIN, ML_OPSET, OPSET, GraphBuilder
from twinrank.training.transforms._categorical import Lookup
from twinrank.training.transforms._errors import TransformError
from twinrank.training.transforms._problems import front_problems
from twinrank.training.transforms._scope import Encoded, EncodedSpec, Scope, Transform, is_mixed
from twinrank.training.transforms._store import read_front, write_front
from twinrank.training.transforms._unseen import Counted, emit_unseen

Array = npt.NDArray[Any]

_LEADING: dict[Placement, str] = {"context": "contexts", "candidate": "candidates"}


class FrontGraph:
    """The transforms of a schema as one ONNX graph. Immutable; may be shared between threads.

    Args:
        schema: The features. Every feature must be read by a transform.
        transforms: What to encode, in the order of `outputs`; names are unique.

    Raises:
        TransformError: listing everything that speaks against the combination.
    """

    def __init__(self, schema: Schema, transforms: Sequence[Transform]) -> None:
        self.schema = schema
        self.transforms = tuple(transforms)
        self.packing = Packing.of(schema)
        problems = [*front_problems(schema, self.transforms)]
        if problems:
            raise TransformError(str(problem) for problem in problems)
        self._mixed = [transform.name for transform in self.transforms if is_mixed(schema, transform.inputs)]
        builder, encoded, counted = self._build()
        self.outputs: tuple[EncodedSpec, ...] = tuple(item.spec for item in encoded)
        self.unseen_outputs: tuple[str, ...] = tuple(item.output for item in counted)
        """Names of the outputs that count unseen values: none, `unseen.context`, `unseen.candidate`, or both."""
        self._model = self._to_model(builder, encoded, counted)
        self._session: ort.InferenceSession | None = None
        self._lock = threading.Lock()

    def to_onnx(self) -> ModelProto:
        """Returns the graph: inputs are the packing's blocks, outputs `encoded.<name>`; the same bytes every time.

        After them, where features have the unseen policy `error`, come `unseen.context` and `unseen.candidate`: int64
        [r, U], how many of a row's values are unseen, one column a feature in schema order (contract, section 4).

        Opset 20, ai.onnx.ml 4, IR 10. The leading axis is symbolic: `contexts` for context tensors, `candidates` for
        candidate tensors. The caller owns the copy.
        """
        model = ModelProto()
        model.CopyFrom(self._model)
        return model

    def encode(self, blocks: Mapping[str, Array], *, aligned: bool = False) -> dict[str, Array]:
        """Runs the graph with the session options of the contract and returns the encoded tensors by name, no prefix.

        Training data may hold unseen values whatever the policy: they are encoded, and counted nowhere.

        Args:
            blocks: All blocks of the packing. Context and candidate blocks may have any number of rows, 0 included.
            aligned: States that candidate row i belongs to context row i. Needed only if a transform combines both
                placements and there are several contexts.

        Raises:
            ValueError: if blocks are absent, unknown or of another dtype or shape; if a transform combines both
                placements while there are several contexts that are not declared aligned.
        """
        rows = self._check_blocks(blocks)
        joined = rows["context"] == 1 or rows["candidate"] == 0 or (aligned and rows["context"] == rows["candidate"])
        if self._mixed and not joined:
            raise ValueError(
                f"transforms {self._mixed} combine context and candidate, and there are {rows['context']} contexts and "
                f"{rows['candidate']} candidates; encode one context at a time, or repeat the context for every "
                "candidate and pass aligned=True"
            )
        # ReduceSum of 1.29.0 keeps the reduced axis of an empty tensor, so no rows run as one row that is cut off.
        feeds = {
            name: array if len(array) else np.zeros((1, *array.shape[1:]), array.dtype)
            for name, array in blocks.items()
        }
        results = self._open().run([f"encoded.{spec.name}" for spec in self.outputs], feeds)
        return {
            spec.name: result if rows[spec.placement] else result[:0]
            for spec, result in zip(self.outputs, results, strict=True)
        }

    def save(self, path: Path) -> None:
        """Writes the directory `path`: front.json and one JSON file per vocabulary; the same bytes every time.

        Raises:
            FileExistsError: if the directory exists.
        """
        write_front(path, self.schema, self.transforms)

    @classmethod
    def load(cls, path: Path) -> FrontGraph:
        """Returns the front graph that `save` wrote.

        Raises:
            TransformError: if the files are not what `save` writes, or contradict each other.
            OSError: if a file cannot be read.
        """
        try:
            return cls(*read_front(path))
        except SchemaError as error:
            raise TransformError([f"{path.name}/front.json, schema: {error}"]) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise TransformError([f"{path.name}/front.json is not what save writes: {error!r}"]) from error

    def _build(self) -> tuple[GraphBuilder, list[Encoded], list[Counted]]:
        own_rows: dict[str, tuple[bool, bool]] = {}
        for transform in self.transforms:
            if isinstance(transform, Lookup):
                feature = self.schema.feature(transform.feature)
                missing, invalid = own_rows.get(transform.vocabulary.name, (False, False))
                own_rows[transform.vocabulary.name] = (
                    missing or feature.missing.policy == "own_row",
                    invalid or feature.invalid.policy == "own_row",
                )
        builder = GraphBuilder("front")
        scope = Scope(builder, self.packing, own_rows)
        encoded = [transform.emit(scope) for transform in self.transforms]
        for item in encoded:
            builder.rename(item.tensor, f"encoded.{item.spec.name}")
        counted = emit_unseen(scope)
        for count in counted:
            builder.rename(count.tensor, count.output)
        return builder, encoded, counted

    def _to_model(self, builder: GraphBuilder, encoded: Iterable[Encoded], counted: Iterable[Counted]) -> ModelProto:
        inputs = [_value(block.name, block.dtype, block.placement, block.shape) for block in self.packing.blocks]
        outputs = [
            _value(f"encoded.{item.spec.name}", item.spec.dtype, item.spec.placement, item.spec.shape)
            for item in encoded
        ]
        outputs += [_value(count.output, "int64", count.placement, (-1, count.width)) for count in counted]
        graph = helper.make_graph(builder.nodes, "front", inputs, outputs, builder.initializers)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)],
            ir_version=IR_VERSION,
            producer_name="twinrank",
        )

    def _check_blocks(self, blocks: Mapping[str, Array]) -> dict[Placement, int]:
        names = [block.name for block in self.packing.blocks]
        if set(blocks) != set(names):
            raise ValueError(f"blocks are {sorted(blocks)}; exactly {sorted(names)} are required")
        rows: dict[Placement, int] = {}
        for block in self.packing.blocks:
            array = blocks[block.name]
            if array.dtype != np.dtype(block.dtype) or array.shape[1:] != block.shape[1:]:
                required = f"{block.dtype} [rows, {', '.join(map(str, block.shape[1:]))}] is required"
                raise ValueError(f"block {block.name!r} is {array.dtype} {array.shape}; {required}")
            if rows.setdefault(block.placement, array.shape[0]) != array.shape[0]:
                have = f"{array.shape[0]} and {rows[block.placement]}"
                raise ValueError(f"the {block.placement} blocks have {have} rows; they must have the same number")
        # Without context features nothing can be combined with the context.
        rows.setdefault("context", 1)
        return rows

    def _open(self) -> ort.InferenceSession:
        with self._lock:
            if self._session is None:
                options = ort.SessionOptions()
                options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
                options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
                options.intra_op_num_threads = 1
                options.inter_op_num_threads = 1
                options.enable_cpu_mem_arena = True
                options.enable_mem_pattern = True
                model = self._model.SerializeToString(deterministic=True)
                self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            return self._session


def _value(name: str, dtype: str, placement: Placement, shape: tuple[int, ...]) -> ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element, [_LEADING[placement], *shape[1:]])
