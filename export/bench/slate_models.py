"""Rankers as people write them in torch, and the graphs that are made of them: as slates, and as flat rows."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

OPSET = 20
_TRACED = 7
_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Input:
    """One encoded tensor: ids below ``rows``, or numbers where that is 0.

    Attributes:
        name: begins with ``context.`` or ``candidate.``.
        shape: behind the leading axis.
        rows: of the table that the ids index.
    """

    name: str
    shape: tuple[int, ...] = ()
    rows: int = 0

    def draw(self, leading: int, random: np.random.Generator) -> NDArray[np.generic]:
        """A random tensor; a mask has its first three quarters set."""
        shape = (leading, *self.shape)
        if self.rows:
            return random.integers(0, self.rows, shape)
        if self.name.endswith("mask"):
            return np.broadcast_to(np.arange(shape[-1]) < 0.75 * shape[-1], shape).astype(np.float32)
        return random.standard_normal(shape, np.float32)


class _Ranker(nn.Module):
    """Reads its encoded tensors by position, in the order of ``inputs``."""

    inputs: tuple[Input, ...]


class _Fields(_Ranker):
    """Ids embedded and numbers, side by side; the context's repeated for each candidate.

    Args:
        width: of an embedding.
        numbers: floats of context and candidate.
    """

    def __init__(self, width: int, numbers: tuple[int, int]) -> None:
        super().__init__()
        sides = (("context", 8, numbers[0]), ("candidate", 12, numbers[1]))
        self.inputs = tuple(
            entry
            for side, fields, floats in sides
            for entry in (*(Input(f"{side}.{i}", (), _ROWS) for i in range(fields)), Input(f"{side}.f32", (floats,)))
        )
        self.tables = nn.ModuleList([nn.Embedding(_ROWS, width) for _ in range(20)])
        self.width = 20 * width + sum(numbers)

    def row(self, tensors: tuple[Tensor, ...]) -> Tensor:
        """What is known of each candidate and its context, shape [n, width]."""
        context = torch.cat([*(self.tables[i](tensors[i]) for i in range(8)), tensors[8]], dim=-1)
        rows = [self.tables[i - 1](tensors[i]) for i in range(9, 21)]
        candidate = torch.cat([*rows, tensors[21]], dim=-1)
        return torch.cat([context.expand(candidate.shape[0], -1), candidate], dim=-1)


class EmbeddingMlp(_Fields):
    """Embeddings and a multi-layer perceptron, 40 % of whose input is the context's."""

    def __init__(self, width: int = 16) -> None:
        super().__init__(width, (3 * width // 8, 9 * width // 16))
        self.mlp = _mlp(self.width, 256, 128)

    def forward(self, *tensors: Tensor) -> Tensor:
        """The scores, shape [n]."""
        score: Tensor = self.mlp(self.row(tensors)).squeeze(-1)
        return score


class Dcn(_Fields):
    """Three full-rank cross layers before the perceptron (Wang et al., "DCN V2", WWW 2021)."""

    def __init__(self) -> None:
        super().__init__(16, (6, 9))
        self.cross = nn.ModuleList([nn.Linear(self.width, self.width) for _ in range(3)])
        self.mlp = _mlp(self.width, 256, 128)

    def forward(self, *tensors: Tensor) -> Tensor:
        """The scores, shape [n]."""
        first = self.row(tensors)
        crossed = first
        for layer in self.cross:
            crossed = first * layer(crossed) + crossed
        score: Tensor = self.mlp(crossed).squeeze(-1)
        return score


class Din(_Ranker):
    """A transformer over the history, attended to by each candidate (Zhou et al., "DIN", KDD 2018)."""

    def __init__(self, width: int = 32, length: int = 50) -> None:
        super().__init__()
        self.inputs = (
            Input("context.history", (length,), 2 * _ROWS),
            Input("context.mask", (length,)),
            Input("context.f32", (4,)),
            Input("candidate.item", (), 2 * _ROWS),
        )
        self.items = nn.Embedding(2 * _ROWS, width)
        self.places = nn.Embedding(length, width)
        block = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.attention = nn.Sequential(nn.Linear(4 * width, 64), nn.Sigmoid(), nn.Linear(64, 1))
        self.mlp = _mlp(3 * width + 4, 128, 64)

    def forward(self, *tensors: Tensor) -> Tensor:
        """The scores, shape [n]."""
        history, mask, numbers, item = tensors
        events = self.encoder(self.items(history) + self.places.weight, src_key_padding_mask=mask < 0.5)
        target = self.items(item)
        shape = (target.shape[0], *events.shape[1:])
        wide, events = target.unsqueeze(1).expand(shape), events.expand(shape)
        pairs = torch.cat([wide, events, wide - events, wide * events], dim=-1)  # [n, L, 4 width]
        weights = self.attention(pairs).squeeze(-1) * mask
        interest = (weights.unsqueeze(1) @ events).squeeze(1)
        row = torch.cat([interest, target, interest * target, numbers.expand(target.shape[0], -1)], dim=-1)
        score: Tensor = self.mlp(row).squeeze(-1)
        return score


MODELS: dict[str, Callable[[], _Ranker]] = {
    "embedding + MLP": EmbeddingMlp,
    "the same, twice as wide": lambda: EmbeddingMlp(32),
    "DCNv2, 3 cross layers": Dcn,
    "DIN + transformer": Din,
}
"""The rankers by name, with weights that depend on nothing but a seed."""


def make(name: str) -> _Ranker:
    """The ranker in eval mode; the same weights every time."""
    torch.manual_seed(7)
    return MODELS[name]().eval()


def export(ranker: _Ranker, *, flat: bool = False, outputs: Sequence[str] = ("score",)) -> onnx.ModelProto:
    """The ranker as a slate graph with the names that `twinrank.export.graph` composes.

    Args:
        ranker: in eval mode.
        flat: every input has n rows, the context's too, and so nothing is known to be the same for all.
        outputs: what the ranker returns, by name.
    """
    random = np.random.Generator(np.random.PCG64(7))
    varies = [flat or entry.name.startswith("candidate.") for entry in ranker.inputs]
    example = [entry.draw(_TRACED if many else 1, random) for entry, many in zip(ranker.inputs, varies, strict=True)]
    axis = torch.export.Dim("n", min=2)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.inference_mode():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            ranker,
            tuple(torch.from_numpy(values) for values in example),
            dynamo=True,
            dynamic_shapes=(tuple({0: axis} if many else None for many in varies),),
            input_names=[entry.name for entry in ranker.inputs],
            output_names=list(outputs),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    del model.graph.value_info[:]
    for index, node in enumerate(model.graph.node):
        node.name = f"back.{index}.{node.op_type}"
        del node.metadata_props[:]
    return model


def slate(ranker: _Ranker, n: int, seed: int = 7) -> dict[str, NDArray[np.generic]]:
    """One context and n candidates."""
    random = np.random.Generator(np.random.PCG64(seed))
    return {entry.name: entry.draw(n if entry.name.startswith("candidate.") else 1, random) for entry in ranker.inputs}


def flat_rows(blocks: dict[str, NDArray[np.generic]], n: int) -> dict[str, NDArray[np.generic]]:
    """The slate with its context repeated for each candidate."""
    return {
        name: values if name.startswith("candidate.") else np.ascontiguousarray(np.repeat(values, n, axis=0))
        for name, values in blocks.items()
    }


def _mlp(width: int, first: int, second: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 1))
