"""A front graph written by hand: features and transforms in one YAML file. What the keys mean: training/README.md."""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from twinrank.training.schema import Schema, SchemaError
from twinrank.training.transforms._calendar import CyclicTime, TimePart
from twinrank.training.transforms._categorical import Cross, HashBuckets, Lookup
from twinrank.training.transforms._errors import TransformError
from twinrank.training.transforms._front import FrontGraph
from twinrank.training.transforms._matrix import Matrix
from twinrank.training.transforms._numeric import FLOAT32_MAX, Bucketize, Clip, Log1p, Standardise
from twinrank.training.transforms._plain import Number, Vector
from twinrank.training.transforms._problems import front_problems
from twinrank.training.transforms._scope import Transform
from twinrank.training.transforms._sequence import SequenceLength, SequenceMask, State
from twinrank.training.transforms._time import Elapsed
from twinrank.training.transforms._vocabulary import Vocabulary

KINDS: dict[str, type[Any]] = {
    "bucketize": Bucketize,
    "clip": Clip,
    "cross": Cross,
    "cyclic_time": CyclicTime,
    "elapsed": Elapsed,
    "hash": HashBuckets,
    "log1p": Log1p,
    "lookup": Lookup,
    "matrix": Matrix,
    "number": Number,
    "sequence_length": SequenceLength,
    "sequence_mask": SequenceMask,
    "standardise": Standardise,
    "state": State,
    "time_part": TimePart,
    "vector": Vector,
}
"""What `kind` may be, and the transform whose fields are the other keys."""

_TOP = ("features", "transforms", "vocabularies")
_VOCABULARY = ("dtype", "entries", "file", "oov_buckets")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def read_front_yaml(source: Path | str, *, base: Path | None = None) -> FrontGraph:
    """Returns the front graph that a YAML file describes, every number given: nothing is fitted here.

    Args:
        source: Path of the file; a str is the text itself.
        base: Folder that vocabulary files are relative to; the file's own by default, and required for a text that
            names files.

    Raises:
        TransformError: listing every problem with its place, such as `features[3].unseen.policy`. How features are read
            is looked at once everything has its shape.
        OSError: if the file itself cannot be read.
    """
    # Here, because transforms are run where no YAML is read, and so without a YAML library.
    from twinrank.training.config import ConfigError, load_yaml

    if isinstance(source, Path):
        base = source.parent if base is None else base
        try:
            text = source.read_bytes().decode("utf-8", "strict")
        except UnicodeDecodeError as error:
            raise TransformError([f"{source.name} is not UTF-8: {error}"]) from error
    else:
        text = source
    try:
        document = load_yaml(text)
    except ConfigError as error:
        raise TransformError(error.problems) from error
    reader = _Reader(base)
    schema, transforms = reader.read(document)
    if reader.problems or schema is None:
        raise TransformError(reader.problems)
    found = [
        f"transforms[{problem.transform}] ({problem.label}): {problem.detail}"
        if problem.transform is not None
        else f"features[{problem.feature}] ({problem.label.removeprefix('feature ')}): {problem.detail}"
        for problem in front_problems(schema, transforms)
    ]
    if found:
        raise TransformError(found)
    return FrontGraph(schema, transforms)


class _Reader:
    """Reads one document and collects its problems; what could not be read is left out."""

    def __init__(self, base: Path | None) -> None:
        self.problems: list[str] = []
        self._base = base
        self._vocabularies: dict[str, Vocabulary | None] = {}
        self._dtypes: dict[str, object] = {}

    def read(self, document: object) -> tuple[Schema | None, tuple[Transform, ...]]:
        top = self._mapping(document, "the document", _TOP, ("features", "transforms"))
        features = self._list(top.get("features", []), "features")
        schema = self._schema(features) if isinstance(top.get("features"), list) else None
        # For vocabularies that do not say it themselves.
        self._dtypes = {str(f.get("name")): f.get("dtype") for f in features if isinstance(f, Mapping)}
        shared = top.get("vocabularies", {})
        for name, spec in self._mapping(shared, "vocabularies", None, ()).items():
            self._vocabularies[name] = self._vocabulary(name, spec, f"vocabularies.{name}", None)
        items = self._list(top.get("transforms", []), "transforms")
        read = [self._transform(item, f"transforms[{place}]") for place, item in enumerate(items)]
        for kind, listed in (("features", features), ("transforms", items)):
            self._name(kind, listed)
        return schema, tuple(transform for transform in read if transform is not None)

    def _name(self, kind: str, items: list[Any]) -> None:
        """Adds its name to what is wrong with a feature or transform as a whole: nobody counts to its position."""
        names = {f"{kind}[{i}]": item.get("name") for i, item in enumerate(items) if isinstance(item, Mapping)}
        for index, problem in enumerate(self.problems):
            path, _, detail = problem.partition(": ")
            if isinstance(names.get(path), str):
                self.problems[index] = f"{path} ({_shown(names[path])}): {detail}"

    def _schema(self, features: list[Any]) -> Schema | None:
        error = {"policy": "error"}
        parts = [{"missing": error, "invalid": error} | f if isinstance(f, dict) else f for f in features]
        try:
            return Schema.from_json({"features": parts})
        except SchemaError as problem:
            self.problems += [f"{path}: {detail}" for path, detail in problem.problems]
            return None

    def _transform(self, item: object, path: str) -> Transform | None:
        before = len(self.problems)
        if not isinstance(item, Mapping) or not isinstance(item.get("kind"), str) or item["kind"] not in KINDS:
            given = item.get("kind") if isinstance(item, Mapping) else item
            near = difflib.get_close_matches(str(given), KINDS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            self._add(path, f"must be a mapping whose kind is one of {', '.join(KINDS)}, not {_shown(given)}{hint}")
            return None
        kind = KINDS[item["kind"]]
        fields = {field.name: field for field in dataclasses.fields(kind)}
        required = [name for name, field in fields.items() if field.default is dataclasses.MISSING]
        given = self._mapping(item, path, ("kind", *fields), required)
        hints = typing.get_type_hints(kind)
        values: dict[str, Any] = {}
        for name in fields:
            if name not in given:
                continue
            if hints[name] is Vocabulary:
                values[name] = self._reference(given, f"{path}.{name}")
            else:
                values[name] = self._value(hints[name], given[name], f"{path}.{name}")
        if kind is Standardise:
            # What is not written does not happen: the class's own default, for fitted numbers, clips to 10 deviations.
            values.setdefault("clip", (-FLOAT32_MAX, FLOAT32_MAX))
        return None if len(self.problems) > before else kind(**values)

    def _reference(self, given: Mapping[str, Any], path: str) -> Vocabulary | None:
        named = given["vocabulary"]
        if isinstance(named, str):
            if named not in self._vocabularies:
                known = ", ".join(self._vocabularies) or "none"
                self._add(path, f"there is no vocabulary {named!r} under `vocabularies`; there are: {known}")
                return None
            vocabulary = self._vocabularies[named]
            if vocabulary is None:
                self._add(path, f"vocabulary {named!r} could not be read")
            return vocabulary
        return self._vocabulary(str(given.get("name")), named, path, self._dtypes.get(str(given.get("feature"))))

    def _vocabulary(self, name: str, spec: object, path: str, feature_dtype: object) -> Vocabulary | None:
        before = len(self.problems)
        given = self._mapping(spec, path, _VOCABULARY, () if feature_dtype is not None else ("dtype",))
        dtype = given.get("dtype", feature_dtype)
        if not isinstance(spec, Mapping) or dtype is None:
            return None
        if dtype not in ("string", "int64"):
            self._add(f"{path}.dtype", f"is {_shown(dtype)}; allowed: string, int64")
        if ("entries" in given) == ("file" in given):
            self._add(path, "give either entries, a list, or file, one entry a line")
        elif "file" in given:
            entries = self._file(given["file"], str(dtype), f"{path}.file")
        else:
            # The vocabulary itself checks their types, with the entry in its message.
            entries = tuple(self._list(given["entries"], f"{path}.entries"))
        if len(self.problems) > before:
            return None
        try:
            return Vocabulary(name, typing.cast(Any, dtype), entries, given.get("oov_buckets", 1))
        except TransformError as error:
            self.problems += [f"{path}: {problem}" for problem in error.problems]
            return None

    def _file(self, named: object, dtype: str, path: str) -> tuple[str, ...] | tuple[int, ...]:
        if not isinstance(named, str) or not named or Path(named).is_absolute():
            self._add(path, f"is {_shown(named)}; a path relative to the YAML file is required")
            return ()
        if self._base is None:
            self._add(path, "is given in a text that has no folder of its own; pass `base`")
            return ()
        try:
            text = (self._base / named).read_bytes().decode("utf-8", "strict")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self._add(path, f"{named} cannot be read: {reason}")
            return ()
        lines = text.removesuffix("\n").split("\n")
        for place, line in enumerate(lines, start=1):
            wrong = _line_problem(line, dtype, first=place == 1)
            if wrong:
                self._add(path, f"{named}, line {place}: {wrong}")
                return ()
        return tuple(map(int, lines)) if dtype == "int64" else tuple(lines)

    def _value(self, wanted: Any, value: object, path: str) -> Any:
        origin, options = typing.get_origin(wanted), typing.get_args(wanted)
        if origin is typing.Literal:
            if value not in options:
                self._add(path, f"is {_shown(value)}; allowed: {', '.join(map(str, options))}")
            return value
        if origin in (typing.Union, types.UnionType):  # tuple[int, ...] | tuple[float, ...]: as the numbers are written
            return self._tuple(None, value, path)
        if origin is tuple:
            if len(options) == 2 and options[1] is not Ellipsis and isinstance(value, list) and len(value) != 2:
                self._add(path, f"has {len(value)} elements; two are required")
                return ()
            return self._tuple(options[0], value, path)
        return self._scalar(wanted, value, path)

    def _tuple(self, element: Any, value: object, path: str) -> tuple[Any, ...]:
        items = self._list(value, path)
        return tuple(self._scalar(element, item, f"{path}[{place}]") for place, item in enumerate(items))

    def _scalar(self, wanted: Any, value: object, path: str) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if wanted is None and number:
            return value
        if wanted is float and number:
            try:
                return float(typing.cast(float, value))
            except OverflowError:
                self._add(path, "is beyond float64")
                return 0.0
        if wanted not in (None, float) and type(value) is wanted:
            return value
        kind = {str: "text (quote it)", int: "an integer", float: "a number", None: "a number"}[wanted]
        self._add(path, f"is {_shown(value)}; {kind} is required")
        return value

    def _mapping(
        self, value: object, path: str, known: tuple[str, ...] | None, required: Iterable[str]
    ) -> Mapping[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            self._add(path, f"is {_shown(value)}; a mapping with text as keys is required")
            return {}
        if known is not None:
            for key in value:
                if key not in known:
                    near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
                    self._add(path, f"has the unknown key {key!r}; did you mean {near[0]!r}?")
        for key in required:
            if key not in value:
                self._add(path, f"lacks the key {key!r}")
        return value

    def _list(self, value: object, path: str) -> list[Any]:
        if isinstance(value, list):
            return value
        self._add(path, f"is {_shown(value)}; a list is required")
        return []

    def _add(self, path: str, detail: str) -> None:
        self.problems.append(f"{path}: {detail}")


def _line_problem(line: str, dtype: str, *, first: bool) -> str | None:
    if first and line.startswith("\ufeff"):
        return "begins with a byte order mark, which would become part of the entry"
    if line.endswith("\r"):
        return "ends with a carriage return, which would become part of the entry; end lines with a line feed only"
    if not line:
        return "is empty; an empty entry can only be given inline, under entries"
    if dtype == "int64" and not _INTEGER.fullmatch(line):
        return f"{_shown(line)} is no integer"
    return None


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
