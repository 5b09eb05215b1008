"""The comparison's Python: ONNX Runtime from dicts of lists, as a team that knows numpy would serve it.

Speaks the protocol of ``Worker``: lines of JSON on standard input and output.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from twinrank.export.bundle import Runner, SessionSettings

_K = 10
Scores = np.ndarray[Any, np.dtype[np.float32]]


class Peer:
    """One model."""

    def __init__(self, folder: Path) -> None:
        self._runner = Runner((folder / "1/model.onnx").read_bytes(), SessionSettings(), folder / "1")
        self._blocks = [
            (block["name"], block["dtype"] == "int64", block["placement"] == "context", block["columns"])
            for block in json.loads((folder / "packing.json").read_text())
        ]

    def score(self, request: dict[str, Any]) -> tuple[Scores, Any]:
        """Typed values to scores and the best."""
        feeds = {}
        for name, keys, context, columns in self._blocks:
            rows = 1 if context else request["n"]
            values = request["context" if context else "candidates"]
            width = sum(column["width"] for column in columns)
            block = np.zeros((rows, width), np.int64 if keys else np.float32)
            for column in columns:
                self._fill(block, column, values[column["feature"]], context=context, keys=keys)
            feeds[name] = block
        (scores,) = self._runner.run(feeds)
        return scores, np.argsort(-scores, kind="stable")[:_K]

    @staticmethod
    def _fill(block: Any, column: dict[str, Any], value: Any, *, context: bool, keys: bool) -> None:
        at = column["offset"]
        if column["role"] == "length":
            block[0, at] = len(value)
            return
        if keys:
            texts = [value] if isinstance(value, str) else value
            found = np.array([xxhash.xxh3_64_intdigest(text.encode()) for text in texts], np.uint64).view(np.int64)
            if column["role"] == "values":
                block[0, at : at + len(found)] = found
            else:
                block[:, at] = found
        elif context:
            block[0, at] = value
        else:
            block[:, at] = value


class Worker:
    """Does what the driver asks."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self._peers: dict[str, Peer] = {}
        self._pools: dict[tuple[str, int], list[dict[str, Any]]] = {}

    def answer(self, command: dict[str, Any]) -> Any:
        """One command's answer."""
        if command["do"] == "facts":
            return {"python": sys.version.split()[0], "xxhash": xxhash.VERSION, "numpy": np.__version__}
        if command["do"] == "drop":
            self._peers.clear()
            self._pools.clear()
            return {}
        name, n = command["model"], command["n"]
        if name not in self._peers:
            self._peers[name] = Peer(self._models / name)
        if (name, n) not in self._pools:
            self._pools[name, n] = json.loads((self._models / name / f"requests-{n}.json").read_text())
        return self._work(command, self._peers[name], self._pools[name, n])

    @staticmethod
    def _work(command: dict[str, Any], peer: Peer, pool: list[dict[str, Any]]) -> Any:
        if command["do"] == "scores":
            answers = (peer.score(request) for request in pool)
            return [{"bits": scores.view(np.int32).tolist(), "best": best.tolist()} for scores, best in answers]
        cpu = time.thread_time_ns()
        begin = time.perf_counter_ns()
        calls = 0
        while (now := time.perf_counter_ns()) - begin < command["nanos"] or not calls:
            peer.score(pool[calls % len(pool)])
            calls += 1
        return {
            "calls": calls,
            "ns": (now - begin) / calls,
            "cpu": (time.thread_time_ns() - cpu) / calls,
            "bytes": None,
        }


def main() -> None:
    """Serves the driver."""
    worker = Worker(Path(sys.argv[1]))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
