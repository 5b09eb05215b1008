"""Schema, feature sources and front graph from their configuration; fitting looks at training events only."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from twinrank.training import transforms
from twinrank.training.config import ConfigError, SourceConfig, VocabularyConfig, read_strictly
from twinrank.training.data import FeatureData, FeatureSource, Requests
from twinrank.training.schema import Schema, SchemaError
from twinrank.training.transforms import Bucketize, FrontGraph, Standardise, Transform, TransformError, Vocabulary

_DAY_MS = 86_400_000
_KINDS: dict[str, type[Any]] = {
    name: getattr(transforms, name)
    for name in transforms.__all__
    if dataclasses.is_dataclass(getattr(transforms, name)) and hasattr(getattr(transforms, name), "emit")
}


def build_schema(features: tuple[object, ...]) -> tuple[Schema, dict[str, FeatureSource]]:
    """Splits each configured feature into its schema part and its source.

    Raises:
        ConfigError: if a feature has no source, or the schema contradicts the contract.
    """
    problems: list[str] = []
    parts: list[dict[str, Any]] = []
    sources: dict[str, FeatureSource] = {}
    for place, feature in enumerate(features):
        where = f"run.features[{place}]"
        if not isinstance(feature, Mapping) or "source" not in feature:
            problems.append(f"{where}: must be a mapping with a `source`")
            continue
        part = {key: value for key, value in feature.items() if key != "source"}
        part.setdefault("missing", {"policy": "error"})
        part.setdefault("invalid", {"policy": "error"})
        parts.append(part)
        try:
            source = read_strictly(SourceConfig, feature["source"], where=f"{where}.source")
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        window = None if source.window_days is None else source.window_days * _DAY_MS
        # SourceConfig has checked that the kind is one of FeatureSource's.
        kind: Any = source.kind
        sources[str(part.get("name"))] = FeatureSource(
            kind, source.column, source.separator, frozenset(source.absent), window
        )
    try:
        schema = Schema.from_json({"features": parts})
    except SchemaError as error:
        problems.append(f"run.features: {error}")
    if problems:
        raise ConfigError(problems)
    return schema, sources


def build_front(
    schema: Schema,
    data: FeatureData,
    population: Requests,
    *,
    vocabularies: Mapping[str, VocabularyConfig],
    transforms: tuple[object, ...],
) -> FrontGraph:
    """Builds and fits the transforms.

    A transform's fields are its configuration. `vocabulary` names one of `vocabularies`. Bucketize takes `buckets`
    instead of `boundaries`, and Standardise leaves out `mean` and `scale`: both are then fitted.

    Args:
        schema: the features.
        data: their values.
        population: what is fitted on: requests whose labels are the training events, each once.
        vocabularies: by name.
        transforms: one mapping each, with `kind`.

    Raises:
        ConfigError: listing every transform that cannot be built.
    """
    problems: list[str] = []
    tables: dict[str, Vocabulary] = {}
    built: list[Transform] = []
    for name, vocabulary in vocabularies.items():
        try:
            tables[name] = _fit_vocabulary(name, vocabulary, data, population)
        except (KeyError, TransformError) as error:
            problems.append(f"run.vocabularies.{name}: {error}")
    for place, transform in enumerate(transforms):
        try:
            built.append(_build_transform(transform, tables, data, population))
        except (KeyError, ValueError, TransformError) as error:
            problems.append(f"run.transforms[{place}]: {error}")
    if not problems:
        try:
            return FrontGraph(schema, built)
        except TransformError as error:
            problems.append(f"run.transforms: {error}")
    raise ConfigError(problems)


def _fit_vocabulary(name: str, config: VocabularyConfig, data: FeatureData, population: Requests) -> Vocabulary:
    values = [value for feature in config.features for value in data.observed(feature, population)]
    dtype: Any = config.dtype
    return Vocabulary.fit(
        name,
        dtype,
        values,
        min_count=config.min_count,
        max_size=config.max_size,
        oov_buckets=config.oov_buckets,
    )


def _build_transform(
    config: object, tables: Mapping[str, Vocabulary], data: FeatureData, population: Requests
) -> Transform:
    if not isinstance(config, Mapping) or config.get("kind") not in _KINDS:
        raise ValueError(f"must be a mapping whose kind is one of {sorted(_KINDS)}, not {config!r}")
    kind = _KINDS[config["kind"]]
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in config.items() if key != "kind"}
    if "vocabulary" in fields:
        if fields["vocabulary"] not in tables:
            raise ValueError(f"there is no vocabulary {fields['vocabulary']!r}; there are {sorted(tables)}")
        fields["vocabulary"] = tables[fields["vocabulary"]]
    if kind is Bucketize and "buckets" in fields and "boundaries" not in fields:
        _check_fields({"name", "feature", "buckets"}, set(fields))
        values = data.observed(fields["feature"], population)
        return Bucketize.fit(fields["name"], fields["feature"], values, buckets=fields["buckets"])
    if kind is Standardise and not {"mean", "scale"} & set(fields):
        _check_fields({"name", "feature", "clip"}, set(fields), optional={"clip"})
        return Standardise.fit(values=data.observed(fields["feature"], population), **fields)
    known = {field.name: field for field in dataclasses.fields(kind)}
    optional = {name for name, field in known.items() if field.default is not dataclasses.MISSING}
    _check_fields(set(known), set(fields), optional=optional)
    built: Transform = kind(**fields)
    return built


def _check_fields(known: set[str], given: set[str], *, optional: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    for name in sorted(given - known):
        near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.0)
        raise ValueError(f"unknown key {name!r}; did you mean {near[0]!r}?")
    absent = sorted(known - given - optional)
    if absent:
        raise ValueError(f"required keys {absent} are absent")
