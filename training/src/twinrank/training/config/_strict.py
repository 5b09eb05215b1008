"""Reading a mapping into a dataclass: every key known, every value of its type, every problem reported at once."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class ConfigError(Exception):
    """A run's configuration is wrong.

    Attributes:
        problems: every problem found, each naming the place.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_strictly(cls: type[T], value: object, *, where: str) -> T:
    """Reads a mapping into a dataclass whose fields are annotated with plain types.

    Understood are bool, int, float (an int is a float too), str, `X | None`, tuple[X, ...], Mapping[str, X], object
    (taken as it is) and other dataclasses, whose __post_init__ may raise ValueError. Only int becomes float, and
    every float is finite.

    Raises:
        ConfigError: listing unknown keys with the nearest known one, absent keys, and values of the wrong type.
    """
    problems: list[str] = []
    result = _read(cls, value, where, problems)
    if problems:
        raise ConfigError(problems)
    return typing.cast(T, result)


def _read(wanted: Any, value: object, where: str, problems: list[str]) -> Any:
    origin = typing.get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        inner = [option for option in typing.get_args(wanted) if option is not type(None)]
        return None if value is None else _read(inner[0], value, where, problems)
    if dataclasses.is_dataclass(wanted):
        return _read_dataclass(typing.cast(type, wanted), value, where, problems)
    if origin is tuple:
        if not isinstance(value, list):
            return _refuse("a list", value, where, problems)
        element = typing.get_args(wanted)[0]
        return tuple(_read(element, each, f"{where}[{place}]", problems) for place, each in enumerate(value))
    if origin is not None:  # Mapping[str, X]
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            return _refuse("a mapping with string keys", value, where, problems)
        element = typing.get_args(wanted)[1]
        return {key: _read(element, each, f"{where}.{key}", problems) for key, each in value.items()}
    if wanted is object:
        return value
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = _widened(value)
    if type(value) is not wanted:
        return _refuse(f"of type {wanted.__name__}", value, where, problems)
    if isinstance(value, float) and not math.isfinite(value):
        return _refuse("a finite number", value, where, problems)
    return value


def _widened(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _read_dataclass(wanted: type, value: object, where: str, problems: list[str]) -> Any:
    if not isinstance(value, Mapping):
        return _refuse("a mapping", value, where, problems)
    before = len(problems)
    hints = typing.get_type_hints(wanted)
    fields = {field.name: field for field in dataclasses.fields(wanted)}
    given = {}
    for key, each in value.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.0)
            problems.append(f"{where}: unknown key {key!r}; did you mean {near[0]!r}?")
            continue
        given[key] = _read(hints[key], each, f"{where}.{key}", problems)
    absent = [
        name
        for name, field in fields.items()
        if name not in value and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    problems.extend(f"{where}: required key {key!r} is absent" for key in absent)
    if len(problems) > before:
        return None
    try:
        return wanted(**given)
    except ValueError as error:
        problems.append(f"{where}: {error}")
        return None


def _refuse(expected: str, value: object, where: str, problems: list[str]) -> None:
    problems.append(f"{where}: must be {expected}, not {value!r}")
