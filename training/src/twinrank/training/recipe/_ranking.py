"""Ranking files as a run: what was read, a schema of their columns, their measures and sample requests."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinrank.training.config import RankingDataConfig, RankingFileConfig
from twinrank.training.data import file_sha256
from twinrank.training.schema import Feature, Policy, Schema
from twinrank.training.transforms import FrontGraph, Matrix
from twinrank.training.trees import Queries, TreesError, read_numbers, read_ranking_file


@dataclass(frozen=True)
class RankingData:
    """Queries by purpose, and digests of the files by path."""

    training: Queries
    validation: Queries
    test: Queries | None
    digests: dict[str, str]

    @property
    def periods(self) -> dict[str, Queries]:
        """What is measured, by name."""
        return {"validation": self.validation} | ({} if self.test is None else {"test": self.test})

    def describe(self) -> dict[str, Any]:
        """What data.json holds."""
        return {
            "files": self.digests,
            "columns": self.training.x.shape[1],
            "rows": len(self.training.x),
            "queries": len(self.training.sizes),
        }


def load_ranking(config: RankingDataConfig) -> RankingData:
    """Reads the files; all have the training file's columns.

    Raises:
        TreesError: if a file is absent or wrong.
    """
    files = config.svmlight
    digests: dict[str, str] = {}
    training = _load(files.training, None, digests)
    columns = training.x.shape[1]
    validation = _load(files.validation, columns, digests)
    test = None if files.test is None else _load(files.test, columns, digests)
    return RankingData(training, validation, test, digests)


def _load(config: RankingFileConfig, columns: int | None, digests: dict[str, str]) -> Queries:
    read = read_ranking_file(
        Path(config.rows), None if config.queries is None else Path(config.queries), columns=columns
    )
    positions = None if config.positions is None else read_numbers(Path(config.positions))
    if positions is not None and len(positions) != len(read.x):
        raise TreesError(f"{config.positions} has {len(positions)} positions for {len(read.x)} rows")
    for file in (config.rows, config.queries, config.positions):
        if file is not None:
            digests[file] = file_sha256(Path(file))
    return Queries(read.x, read.grade, read.sizes, positions)


def ranking_front(data: RankingData) -> FrontGraph:
    """A schema of one float64 candidate feature a column, `column_0` on, and the matrix of all.

    What a line leaves out is 0, so a feature that a request leaves out is 0.
    """
    names = _names(data)
    features = [Feature(name, "candidate", "float64", missing=Policy("default", 0.0), nonfinite=True) for name in names]
    return FrontGraph(Schema(tuple(features)), [Matrix("columns", names)])


def ranking_samples(data: RankingData, count: int, *, max_candidates: int) -> tuple[bytes, ...]:
    """The first queries that are measured last, as requests; zeros are left out, as in the file."""
    queries = data.validation if data.test is None else data.test
    names = _names(data)
    requests = []
    for rows in np.split(np.arange(len(queries.x)), np.cumsum(queries.sizes)[:-1])[:count]:
        candidates = [
            {names[column]: _raw(value) for column, value in enumerate(queries.x[row].tolist()) if value != 0.0}
            for row in rows[:max_candidates]
        ]
        document = {"context": {}, "candidates": candidates}
        requests.append(json.dumps(document, separators=(",", ":"), allow_nan=False).encode())
    return tuple(requests)


def measure_ranking(
    queries: Queries, scores: NDArray[np.floating[Any]], label_gain: tuple[float, ...], cuts: tuple[int, ...]
) -> dict[str, float]:
    """Mean nDCG at each cut; a query without a relevant row counts 1, as in LightGBM; ties go by input index.

    Args:
        queries: with n rows.
        scores: shape [n].
        label_gain: gain by grade.
        cuts: k.
    """
    gains = np.array(label_gain)
    ends = np.cumsum(queries.sizes)[:-1]
    totals = {k: 0.0 for k in cuts}
    for own, grades in zip(np.split(scores, ends), np.split(queries.grade, ends), strict=True):
        ranked = gains[grades[np.argsort(-own, kind="stable")]]
        ideal = np.sort(gains[grades])[::-1]
        discount = 1.0 / np.log2(np.arange(2, len(ranked) + 2))
        for k in cuts:
            best = float(ideal[:k] @ discount[:k])
            totals[k] += float(ranked[:k] @ discount[:k]) / best if best > 0 else 1.0
    return {f"ndcg@{k}": total / len(queries.sizes) for k, total in totals.items()} | {"requests": len(queries.sizes)}


def _names(data: RankingData) -> tuple[str, ...]:
    return tuple(f"column_{column}" for column in range(data.training.x.shape[1]))


def _raw(value: float) -> float | str:
    return "NaN" if np.isnan(value) else value
