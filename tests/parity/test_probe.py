"""The probe's batches and graphs, against itself and against Python's runtime."""

from pathlib import Path

import numpy as np
import onnx

from twinrank.bridge import RouteError, RouteOptions, RouteScores
from twinrank.bridge._plain import PlainModel
from twinrank.bridge._scorer import packed_digest
from twinrank.bridge.routes import probe
from twinrank.export.bundle import SessionSettings


def test_java_answers_a_batch_as_it_answers_its_requests(tiny: Path) -> None:
    """Every golden of tiny, refused ones among them, with rubbish in between."""
    raws = (tiny / "goldens" / "requests.jsonl").read_bytes().splitlines()
    raws[3:3] = [b"", b"{", b'{"context": {"nobody": 1}, "candidates": []}']
    with probe.ROUTE.open(tiny, RouteOptions()) as scorer:
        batch = scorer.score_batch(raws)
        for raw, scored in zip(raws, batch, strict=True):
            alone = scorer.score(raw)
            if isinstance(alone, RouteError):
                assert (scored.answer, scored.packed) == (alone, None)
                continue
            assert isinstance(scored.answer, RouteScores)
            assert (scored.answer.n, scored.answer.order, scored.answer.dropped) == (
                alone.n,
                alone.order,
                alone.dropped,
            )
            for column, values in alone.outputs.items():
                assert scored.answer.outputs[column].tobytes() == values.tobytes()
            blocks = scorer.pack(raw)
            assert blocks is not None
            assert not isinstance(blocks, RouteError)
            assert scored.packed == packed_digest(blocks)


def test_java_runs_the_bundles_graph_with_every_value_tapped(tiny: Path) -> None:
    """Every value between two nodes has the bits that Python's runtime gives."""
    raws = (tiny / "goldens" / "requests.jsonl").read_bytes().splitlines()
    file = tiny / "model.onnx"
    taps = [name for node in onnx.load(file).graph.node for name in node.output if name]
    python = PlainModel(file, SessionSettings(), taps)
    with probe.ROUTE.open(tiny, RouteOptions()) as scorer:
        compared = 0
        for raw in raws:
            blocks = scorer.pack(raw)
            if blocks is None or isinstance(blocks, RouteError) or any(0 in block.shape for block in blocks.values()):
                continue
            theirs = scorer.run_graph(file, SessionSettings(), taps, blocks)
            assert theirs is not None
            for name, ours in python.run(blocks).items():
                if isinstance(ours, np.ndarray) and ours.dtype != object:
                    assert theirs[name].tobytes() == ours.tobytes(), name
                    compared += 1
        assert compared > len(taps)
