"""An XGBoost model file as an object of Python, and its fields, each asked for by its kind."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from twinrank.export.trees._errors import TreeModelError, refuse_pickle
from twinrank.export.trees._json import read_bytes, read_json
from twinrank.export.trees._ubjson import read_ubjson

SAVE = "Save it again with Booster.save_model as .ubj or .json"


class _Savable(Protocol):
    def save_raw(self, raw_format: str) -> bytearray: ...


class _Wrapper(Protocol):
    def get_booster(self) -> _Savable: ...


XgboostSource = Path | str | bytes | bytearray
"""A file's path, or a file's bytes as `Booster.save_raw` gives them; a Booster or an sklearn wrapper itself too."""


def bytes_of(source: object) -> bytes:
    """Return the bytes of a model: a file's, as given, or as a Booster saves itself."""
    if isinstance(source, str | Path | bytes | bytearray):
        return read_bytes(source)
    if hasattr(source, "get_booster"):
        return read_bytes(cast(_Wrapper, source).get_booster().save_raw("ubj"))
    if hasattr(source, "save_raw"):
        return read_bytes(cast(_Savable, source).save_raw("ubj"))
    raise TypeError(f"an XGBoost model is a path, bytes or a Booster, not {type(source).__name__}")


def parsed(data: bytes) -> Mapping[str, Any]:
    """Return the file's object: `{` and a letter is UBJSON (a key's length), `{` and a quote or white space is JSON."""
    refuse_pickle(data, 'booster.save_model("model.ubj"), or ranker.save_model("model.ubj")')
    if data[:5] == b"tree\n":
        raise TreeModelError("tree_model_invalid", "byte 0", "this is LightGBM's text", "Give it to --lightgbm")
    if data[:1] != b"{":
        raise invalid("byte 0", f"a model file begins with '{{', this one with {data[:4]!r}")
    text = data[1:2] in b'" \t\r\n'
    document = read_json(data, SAVE, float32_of) if text else read_ubjson(data)
    if "Model" in document and "Config" in document:
        raise invalid("the file", "this is a memory snapshot (pickle, Booster.serialize), not a saved model")
    return cast("Mapping[str, Any]", document)


def float32_of(text: str) -> float:
    """Return the float32 nearest to a decimal number, ties to even, as a Python float.

    Going through float64 alone rounds twice: it is wrong where the number lies next to the middle of two float32.
    """
    value = float(text)
    nearest = ctypes.c_float(value).value
    middle = int.from_bytes(ctypes.c_double(value), "little") & 0x1FFFFFFF == 0x10000000
    if not (middle or 0 < abs(value) < 2.0**-126) or value in (float("inf"), float("-inf")):
        return nearest
    exact = Fraction(text)
    if exact == value:
        return nearest
    # Rounding to odd keeps what the first rounding lost: 53 bits are more than 24 + 2.
    outer = float("inf") if exact > value else float("-inf")
    odd = int.from_bytes(ctypes.c_double(value), "little") & 1
    return ctypes.c_float(value if odd else float(np.nextafter(value, outer))).value


def object_of(parent: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """Return a member that must be an object."""
    found = parent.get(key)
    if not isinstance(found, dict):
        raise invalid(f"{where}.{key}", "missing" if found is None else "no object")
    return found


def text_of(parent: Mapping[str, Any], key: str, where: str) -> str:
    """Return a member that must be text."""
    found = parent.get(key)
    if not isinstance(found, str):
        raise invalid(f"{where}.{key}", "missing" if found is None else "no text")
    return found


def count_of(parent: Mapping[str, Any], key: str, where: str, otherwise: int | None = None) -> int:
    """Return a number that XGBoost writes as text."""
    if otherwise is not None and key not in parent:
        return otherwise
    text = text_of(parent, key, where)
    if not re.fullmatch(r"\d{1,10}", text, re.ASCII):
        raise invalid(f"{where}.{key}", f"{text[:80]!r} is no count")
    return int(text)


def list_of(parent: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """Return a member that must be a list, typed or not."""
    found = parent.get(key)
    values = found.tolist() if isinstance(found, np.ndarray) else found
    if not isinstance(values, list):
        raise invalid(f"{where}.{key}", "missing" if found is None else "no list")
    return values


def integers_of(parent: Mapping[str, Any], key: str, where: str) -> list[int]:
    """Return a member that must be a list of integers."""
    values = list_of(parent, key, where)
    if not all(type(value) is int for value in values):
        raise invalid(f"{where}.{key}", "an element is no integer")
    return values


def numbers_of(parent: Mapping[str, Any], key: str, where: str) -> list[int | float]:
    """Return a member that must be a list of numbers."""
    values = list_of(parent, key, where)
    if not all(type(value) in (int, float) for value in values):
        raise invalid(f"{where}.{key}", "an element is no number")
    return values


def invalid(where: str, detail: str) -> TreeModelError:
    """Return the error for a damaged file."""
    return TreeModelError("tree_model_invalid", where, detail, SAVE)


def unsupported(where: str, detail: str, remedy: str) -> TreeModelError:
    """Return the error for a sound file whose scores cannot be given to the bit."""
    return TreeModelError("tree_model_unsupported", where, detail, remedy)


def too_large(where: str, detail: str) -> TreeModelError:
    """Return the error for more than is read."""
    return TreeModelError("tree_model_too_large", where, detail, "Train fewer or smaller trees")
