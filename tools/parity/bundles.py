"""The bundles of the parity suite and their requests: made when needed, the same every time, kept by digest."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from tools.parity import rankers, traffic, trees
from tools.parity.models import words
from tools.parity.traffic import Draw, Market
from twinrank.export.bundle import host_class, versions_of
from twinrank.training.schema import Schema
from twinrank.training.transforms import FrontGraph, Lookup, read_front_yaml

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "parity"
RUN = ROOT / "build" / "runs" / "ml100k"
_MODELS = Path(__file__).resolve().parent / "models"
_SHOP = ROOT / "tests" / "export" / "architectures"
_CONFIG = ROOT / "training" / "configs" / "ml100k.yaml"
_MOST = 10_000
_SAMPLE = 4_000
_GOLDENS = 14
# What decides what a bundle holds, and what its requests are, beside the recipe itself.
_SOURCES = ("training/src", "export/src", "tools/parity", "tests/export/architectures")
_LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxruntime", "onnxscript", "torch", "xgboost-cpu")


@dataclass(frozen=True)
class Recipe:
    """One bundle of the suite.

    Attributes:
        name: the model's name, and the folder's.
        summary: what it is there for, in a few words.
        weight: its part of the suite's scores; cheap models get more.
        make: writes the bundle below a folder of models, and returns its directory.
        market: what requests are drawn from.
        run: the trainer's run that it was made from, for the route torch; None where there is none.
        library: the library whose model file it was made from, which is a route too; None where there is none.
    """

    name: str
    summary: str
    weight: float
    make: Callable[[Path], Path]
    market: Callable[[], Source]
    run: Path | None = None
    library: rankers.Library | None = None

    @property
    def native(self) -> Path | None:
        """The library's model file, there once the bundle is made; None where there is no library."""
        return None if self.library is None else BUILD / "sources" / self.name / rankers.FILES[self.library]


@dataclass(frozen=True)
class Source:
    """Where a bundle's requests come from.

    Attributes:
        schema: the features.
        contexts: contexts without end, as JSON.
        catalogue: the items, as JSON.
        real: requests that somebody really asked, before the drawn ones.
    """

    schema: Schema
    contexts: Callable[[Generator], Iterator[bytes]]
    catalogue: Callable[[Generator], Sequence[bytes]]
    real: Sequence[bytes] = field(default_factory=tuple)

    def requests(self, seed: int, scores: int) -> Iterator[bytes]:
        """The real requests, then drawn ones until so many candidates are ranked; about one in forty is refused."""
        random = np.random.Generator(np.random.PCG64(seed))
        for raw in self.real:
            document = json.loads(raw)
            n = len(document["candidates"])
            scores -= min(n, document.get("k", n))
            yield raw
        catalogue = self.catalogue(random)
        wrong = traffic.broken(self.schema, json.loads(catalogue[0]))
        yield from traffic.requests(random, self.contexts(random), catalogue, wrong, scores=scores, largest=_MOST)

    def samples(self, seed: int, scores: int) -> list[bytes]:
        """Small slates of the same traffic, none of them refused."""
        random = np.random.Generator(np.random.PCG64(seed))
        catalogue = self.catalogue(random)
        drawn = traffic.requests(
            random, self.contexts(random), catalogue, (), scores=scores, largest=_MOST, sizes=traffic.SMALL
        )
        return list(drawn)


def recipes() -> tuple[Recipe, ...]:
    """Every bundle of the suite."""
    return (
        Recipe("ml100k", "the demo, trained on ML-100K", 1.0, _demo, _films, RUN),
        Recipe("ml100k-int8", "the demo with tables of int8", 0.6, _demo_int8, _films, RUN),
        _module("encoder", "TransformerEncoder with a causal mask", 1.0, "tests.export.architectures.encoder", _SHOP),
        _module("attention", "MultiheadAttention with padding", 0.5, "tests.export.architectures.attention", _SHOP),
        _module("bags", "EmbeddingBag in its three modes", 0.3, "tests.export.architectures.bags", _SHOP),
        _module("rich", "every dtype, shape, policy and transform; NaN", 0.6, "tools.parity.models.rich", _MODELS),
        _module("interest", "DIN and DCN V2 on a wide context", 0.6, "tools.parity.models.interest", _MODELS),
        _module("words", "1,000 strings of all planes of Unicode", 1.4, "tools.parity.models.words", _MODELS),
        Recipe("trees", "TreeEnsemble, float64 thresholds and scores", 2.0, _trees(5), _orchard),
        Recipe("boosted", "TreeEnsembleRegressor, float64 thresholds", 2.0, _trees(4), _orchard),
        _ranker("lambdarank", "LightGBM's LambdaRank, with categories", 1.0, "lightgbm"),
        _ranker("rank-ndcg", "XGBoost's rank:ndcg, with categories", 1.0, "xgboost"),
    )


def is_made(recipe: Recipe) -> bool:
    """Whether the recipe's bundle is there, made from the very same sources on this host class."""
    return _noted(recipe) is not None


def made(recipe: Recipe) -> Path:
    """Returns the recipe's bundle, made now unless it is there."""
    noted = _noted(recipe)
    if noted is not None:
        return noted
    bundle = recipe.make(BUILD / "models")
    note = _note(recipe)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"key": _key(recipe), "bundle": str(bundle)}) + "\n", encoding="utf-8")
    return bundle


def _note(recipe: Recipe) -> Path:
    return BUILD / "made" / f"{recipe.name}.json"


def _noted(recipe: Recipe) -> Path | None:
    if not _note(recipe).is_file():
        return None
    told = json.loads(_note(recipe).read_text(encoding="utf-8"))
    bundle = Path(told["bundle"])
    there = (bundle / "manifest.json").is_file() and (recipe.native is None or recipe.native.is_file())
    return bundle if told["key"] == _key(recipe) and there else None


def request_file(recipe: Recipe, scores: int) -> Path:
    """Returns a file of requests with so many candidates, drawn now unless the very same one is there."""
    key = hashlib.sha256(f"{_key(recipe)} {scores}".encode()).hexdigest()[:16]
    path = BUILD / "requests" / f"{recipe.name}-{key}.jsonl"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        for raw in recipe.market().requests(_seed(recipe.name), scores):
            file.write(raw + b"\n")
    unfinished.replace(path)
    return path


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def _key(recipe: Recipe) -> str:
    """A digest of everything that the bundle is made of."""
    return hashlib.sha256(f"{recipe.name} {_sources()} {host_class()}".encode()).hexdigest()


@functools.cache
def _sources() -> str:
    digest = hashlib.sha256()
    files = [_CONFIG, *(file for folder in _SOURCES for file in (ROOT / folder).rglob("*"))]
    for file in sorted(files):
        if file.is_file() and file.suffix in (".py", ".yaml", ".jsonl", ".onnx"):
            digest.update(f"{file.relative_to(ROOT)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    for name in _LIBRARIES:
        digest.update(f"{name} {importlib.metadata.version(name)}\0".encode())
    return digest.hexdigest()


# ---- the demo


def _twinrank(*arguments: object) -> None:
    command = [str(Path(sys.executable).with_name("twinrank")), *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)


def _demo(models: Path) -> Path:
    """The very bundle of `make demo`, where that was run: training again gives the same one."""
    del models
    _twinrank("train", _CONFIG, "--out", RUN)
    return _exported(ROOT / "build" / "models", "ml100k")


def _demo_int8(models: Path) -> Path:
    del models
    _twinrank("train", _CONFIG, "--out", RUN)
    return _exported(ROOT / "build" / "models-int8", "ml100k", "--quantise-tables", "int8:100")


def _exported(models: Path, name: str, *options: str) -> Path:
    _twinrank("export", RUN, "--models", models, *options)
    return models / name / str(versions_of(models / name)[-1])


def _films() -> Source:
    """The run's own requests; then its users and its films in slates that nobody has asked for yet."""
    real = (RUN / "requests.jsonl").read_bytes().split(b"\n")[:-1]
    documents = [json.loads(raw) for raw in real]
    contexts = [traffic.as_json(document["context"]) for document in documents]
    films = sorted({traffic.as_json(film) for document in documents for film in document["candidates"]})
    schema = Schema.from_json(json.loads((RUN / "schema.json").read_bytes()))

    def again(random: Generator) -> Iterator[bytes]:
        while True:
            yield contexts[int(random.integers(len(contexts)))]

    return Source(schema, again, lambda _: films, real)


# ---- modules


def _module(name: str, summary: str, weight: float, module: str, folder: Path) -> Recipe:
    file = folder / ("schema.yaml" if folder == _SHOP else f"{name}.yaml")

    def make(models: Path) -> Path:
        from twinrank.export.graph import export_source, source_of_module

        shutil.rmtree(models / name, ignore_errors=True)
        inputs = BUILD / "sources" / name
        inputs.mkdir(parents=True, exist_ok=True)
        schema = inputs / "schema.yaml"
        schema.write_text(words.schema_text() if name == "words" else file.read_text("utf-8"), encoding="utf-8")
        (inputs / "requests.jsonl").write_bytes(b"\n".join(source().samples(1, _SAMPLE)) + b"\n")
        # The folder from which a factory is imported.
        before = Path.cwd()
        os.chdir(ROOT)
        try:
            heads = ["liked", "score"] if name == "bags" else None
            return export_source(
                source_of_module(
                    f"{module}:make", schema, inputs / "requests.jsonl", name=name, max_candidates=_MOST, heads=heads
                ),
                models,
            )
        finally:
            os.chdir(before)

    def source() -> Source:
        graph = read_front_yaml(words.schema_text() if name == "words" else file)
        return _drawn(Market(graph.schema, _known(graph), _DRAWS.get(name, {})))

    return Recipe(name, summary, weight, make, source)


def _known(graph: FrontGraph) -> Mapping[str, Sequence[Any]]:
    """What each feature's vocabulary holds."""
    return {each.feature: each.vocabulary.entries for each in graph.transforms if isinstance(each, Lookup)}


def _drawn(market: Market) -> Source:
    def contexts(random: Generator) -> Iterator[bytes]:
        while True:
            yield market.context(random)

    return Source(market.schema, contexts, market.catalogue)


_DRAWS: Mapping[str, Mapping[str, Draw]] = {
    "interest": {
        "user_id": lambda random: int(random.integers(10**12)),
        "item_id": lambda random: int(20_000 * random.random() ** 2),
        "history_item": lambda random: int(20_000 * random.random() ** 2),
        "country": lambda random: f"c{int(random.integers(60))}",
    }
}


# ---- trees


def _trees(opset: int) -> Callable[[Path], Path]:
    def make(models: Path) -> Path:
        name = "trees" if opset >= 5 else "boosted"
        shutil.rmtree(models / name, ignore_errors=True)
        return trees.make_bundle(models, name, opset, [*_orchard().samples(1, _SAMPLE)[:_GOLDENS], _NOBODY, _REFUSED])

    return make


_REFUSED = b'{"context":{"balance":1,"risk":0},"candidates":[{"price":1}]}'
_NOBODY = b'{"context":{"balance":1,"risk":"NaN"},"candidates":[]}'


def _orchard() -> Source:
    draws: dict[str, Draw] = {
        feature.name: trees.grid if feature.dtype == "float64" else lambda random: int(random.integers(0, 6))
        for feature in trees.SCHEMA.features
    }
    return _drawn(Market(trees.SCHEMA, draws=draws))


def _ranker(name: str, summary: str, weight: float, library: rankers.Library) -> Recipe:
    inputs = BUILD / "sources" / name

    def make(models: Path) -> Path:
        from twinrank.export.graph import export_source, source_of_trees

        shutil.rmtree(models / name, ignore_errors=True)
        model = inputs / rankers.FILES[library]
        rankers.train(library, model)
        (inputs / "requests.jsonl").write_bytes(b"\n".join(source().samples(1, _SAMPLE)) + b"\n")
        return export_source(
            source_of_trees(library, model, rankers.SCHEMA, inputs / "requests.jsonl", name=name, max_candidates=_MOST),
            models,
        )

    def source() -> Source:
        graph = read_front_yaml(rankers.SCHEMA)
        return _drawn(Market(graph.schema, _known(graph), rankers.DRAWS))

    return Recipe(name, summary, weight, make, source, library=library)
