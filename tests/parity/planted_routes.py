"""Routes with one planted fault each, honest otherwise: what planted.py compares with the honest baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from planted_bundles import other_graph

from twinrank.bridge import RouteError, RouteOptions, RouteScores, ScorerBase
from twinrank.bridge._plain import PlainModel
from twinrank.bridge._scorer import SCORE, Array, Facts
from twinrank.bridge.explain._requests import dump, on_strings, parse, transformed
from twinrank.bridge.routes import route
from twinrank.export.bundle import SessionSettings, order_of, read_manifest


class Faulty(ScorerBase):
    """The Python reader over a bundle, honest in all but what a subclass plants."""

    shows_packing = True
    runs_graphs = True

    def __init__(self, bundle: Path) -> None:
        self._bundle = bundle
        self._inner = route("ort").open(bundle, RouteOptions())

    def facts(self) -> Facts:
        return self._inner.facts()

    def read(self, raw: bytes) -> bytes:
        """What the faulty reader makes of the request."""
        return raw

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        return self._inner.pack(self.read(raw)) if self.shows_packing else None

    def score(self, raw: bytes) -> RouteScores | RouteError:
        answer = self._inner.score(self.read(raw))
        return answer if isinstance(answer, RouteError) else self.spoil(raw, answer)

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        """What the faulty route makes of an honest answer."""
        del raw
        return answer

    def run_graph(
        self, model: Path, settings: SessionSettings, taps: Sequence[str], blocks: Mapping[str, Array]
    ) -> Mapping[str, Array] | None:
        return self._inner.run_graph(model, settings, taps, blocks) if self.runs_graphs else None

    def outputs_of(self, values: Mapping[str, Array], answer: RouteScores) -> RouteScores:
        """The answer with a graph's outputs instead of its own."""
        names = {"score": SCORE} | {f"head.{name}": name for name in answer.outputs if name != SCORE}
        return reordered({names[name]: value for name, value in values.items()}, answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inner.__exit__(kind, value, trace)


def reordered(outputs: Mapping[str, Array], answer: RouteScores) -> RouteScores:
    """An answer with other outputs, ordered by them."""
    order, dropped = order_of(outputs[SCORE])
    kept = {name: outputs[name] for name in answer.outputs}
    ranking = tuple(map(int, order[: len(answer.order)])), tuple(map(int, dropped))
    return replace(answer, outputs=kept, order=ranking[0], dropped=ranking[1])


class Lowering(Faulty):
    """Lower-cases every string."""

    def read(self, raw: bytes) -> bytes:
        names = [feature.name for feature in read_manifest(self._bundle).schema.features if feature.dtype == "string"]
        return dump(transformed(parse(raw), names, on_strings(str.lower)))


class HiddenLowering(Lowering):
    """Lower-cases every string, and shows neither packing nor graphs, as a service does."""

    shows_packing = False
    runs_graphs = False


class Threads(Faulty):
    """Opens its live session with four intra-op threads, whatever the manifest says."""

    def __init__(self, bundle: Path) -> None:
        super().__init__(bundle)
        settings = replace(read_manifest(bundle).session, intra_op_num_threads=4)
        self._model = PlainModel(bundle / "model.onnx", settings)

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        blocks = self.pack(raw)
        assert blocks is not None
        assert not isinstance(blocks, RouteError)
        return self.outputs_of(self._model.run(blocks), answer)


class OneByOne(Faulty):
    """Scores one candidate at a time."""

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        document = parse(raw)
        parts = [self._inner.score(dump({**document, "candidates": [each]})) for each in document["candidates"]]
        whole = {
            name: np.concatenate([part.outputs[name] for part in parts if isinstance(part, RouteScores)])
            for name in answer.outputs
        }
        return reordered(whole, answer)


class Printing(Faulty):
    """Rounds the score through text of six significant digits."""

    runs_graphs = False

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        del raw
        score = answer.outputs[SCORE]
        text = np.array([float(f"{value:.6g}") for value in score]).astype(score.dtype)
        return reordered({**answer.outputs, SCORE: text}, answer)


class Ties(Faulty):
    """Puts the later of two equal candidates first."""

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        del raw
        score = answer.outputs[SCORE]
        order = sorted(range(answer.n), key=lambda i: (-score[i], -i))
        return replace(answer, order=tuple(order[: len(answer.order)]))


class Noisy(Faulty):
    """Changes one row of the score by some bits that no rule gives."""

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        del raw
        score = np.array(answer.outputs[SCORE])
        score.view(f"u{score.dtype.itemsize}")[answer.n // 2] ^= 0x2D
        return reordered({**answer.outputs, SCORE: score}, answer)


class Unstable(Faulty):
    """Answers otherwise each time."""

    _asked = 0

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        del raw
        self._asked += 1
        score = np.array(answer.outputs[SCORE])
        score.view(f"u{score.dtype.itemsize}")[0] ^= self._asked
        return reordered({**answer.outputs, SCORE: score}, answer)


class OtherBuild(Faulty):
    """Another build of the runtime, whose LayerNormalization computes otherwise, in graphs that it is given too."""

    release = "onnxruntime 1.29.0"
    host = ""

    def __init__(self, bundle: Path) -> None:
        super().__init__(bundle)
        self._altered = other_graph(bundle.parents[1] / "altered")
        self._other = route("ort").open(self._altered, RouteOptions())

    def facts(self) -> Facts:
        told = super().facts()
        return replace(told, runtime=self.release, host_class=self.host or told.host_class)

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        del answer
        other = self._other.score(raw)
        assert isinstance(other, RouteScores)
        return other

    def run_graph(
        self, model: Path, settings: SessionSettings, taps: Sequence[str], blocks: Mapping[str, Array]
    ) -> Mapping[str, Array] | None:
        del model
        return super().run_graph(self._altered / "model.onnx", settings, taps, blocks)


class OtherRelease(OtherBuild):
    """The same under another number."""

    release = "onnxruntime 1.27.0"


class OtherHost(OtherBuild):
    """The same on a host of another class."""

    host = "0" * 64


class Refusing(Faulty):
    """Refuses what the contract allows: a string beyond ASCII."""

    def score(self, raw: bytes) -> RouteScores | RouteError:
        country = parse(raw)["context"]["country"]
        return super().score(raw) if country.isascii() else RouteError("invalid_string", "country")


class Straight(Faulty):
    """Rounds decimals straight to float32: differs where the nearest float64 lies on a tie of float32."""

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        blocks = super().pack(raw)
        assert blocks is not None
        if isinstance(blocks, RouteError):
            return blocks
        changed = {name: np.array(block) for name, block in blocks.items()}
        tenure = changed["context.f32"]
        tenure[0, 0] = np.nextafter(tenure[0, 0], np.float32(np.inf))
        return changed

    def spoil(self, raw: bytes, answer: RouteScores) -> RouteScores:
        blocks = self.pack(raw)
        assert blocks is not None
        assert not isinstance(blocks, RouteError)
        return self.outputs_of(PlainModel(self._bundle / "model.onnx", SessionSettings()).run(blocks), answer)
