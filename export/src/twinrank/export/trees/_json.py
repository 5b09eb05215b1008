"""A model file's bytes, and JSON in it, read strictly and bounded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twinrank.export.trees._errors import TreeModelError

FILE_BYTES = 256 * 2**20
"""A model of 1,000,000 splits has about 150 MB as XGBoost's JSON, which is the longest of all."""


def read_bytes(source: Path | str | bytes | bytearray) -> bytes:
    """Return a file's bytes, or those given.

    Raises:
        TreeModelError: ``tree_model_too_large`` before more than `FILE_BYTES` are read.
        OSError: if the file cannot be read.
    """
    if isinstance(source, bytes | bytearray):
        data, where = bytes(source), "the model"
    else:
        where = str(source)
        with Path(source).open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    if len(data) > FILE_BYTES:
        raise TreeModelError(
            "tree_model_too_large", where, f"more than {FILE_BYTES:,} bytes", "Train fewer or smaller trees"
        )
    return data


def read_json(data: bytes, remedy: str, parse_float: Callable[[str], float] = float) -> Any:
    """Return what JSON text says; NaN and Infinity are read, as the libraries write them.

    Raises:
        TreeModelError: ``tree_model_invalid`` for what is no JSON, for a key that an object has twice, and for nesting
            beyond any model's.
    """
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_float=parse_float)
    except RecursionError:
        detail, where = "nested deeper than any model", "the file"
    except UnicodeDecodeError as error:
        detail, where = "the file is not UTF-8", f"byte {error.start}"
    except json.JSONDecodeError as error:
        detail, where = f"no JSON: {error.msg}", f"line {error.lineno}, column {error.colno}"
    except ValueError as error:
        detail, where = f"no JSON: {error}", "the file"
    raise TreeModelError("tree_model_invalid", where, detail, remedy)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:80]!r} comes twice")
    return members
