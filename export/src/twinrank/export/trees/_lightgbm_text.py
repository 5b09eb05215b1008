"""The lines of LightGBM's text model: a head and trees of known keys, each with the number of its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from twinrank.export.trees._errors import TreeModelError, refuse_pickle

MAX_BYTES = 2**29
"""A model of a million splits has about 200 MB."""
_AGAIN = "Save the model again with Booster.save_model, and do not edit it"
INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?|inf|nan)")
_HEAD_KEYS = frozenset(
    {
        "version",
        "num_class",
        "num_tree_per_iteration",
        "label_index",
        "max_feature_idx",
        "objective",
        "average_output",
        "feature_names",
        "monotone_constraints",
        "feature_infos",
        "tree_sizes",
    }
)
_BY_SPLIT = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
BY_SPLIT_MAYBE = ("internal_value", "internal_weight", "internal_count")
BY_LEAF_MAYBE = ("leaf_weight", "leaf_count")
_LINEAR = ("leaf_const", "num_features", "leaf_features", "leaf_coeff")
_TREE_KEYS = frozenset(
    {"num_leaves", "num_cat", "leaf_value", "cat_boundaries", "cat_threshold", "is_linear", "shrinkage"}
    | {*_BY_SPLIT, *BY_SPLIT_MAYBE, *BY_LEAF_MAYBE, *_LINEAR}
)


class _Booster(Protocol):
    def model_to_string(self) -> str: ...


LightGbmSource = Path | str | object
"""A file's path, the text that ``Booster.model_to_string()`` gives, a Booster, or a fitted estimator."""


@dataclass
class Block:
    """The lines of the head, or of one tree, by key; each with its line number."""

    name: str
    line: int
    values: dict[str, tuple[str, int]] = field(default_factory=dict)

    def text(self, key: str) -> str:
        if key not in self.values:
            raise invalid(self.line, f"{self.name} has no {key!r}")
        return self.values[key][0]

    def line_of(self, key: str) -> int:
        return self.values[key][1] if key in self.values else self.line

    def integer(self, key: str, low: int, high: int = 2**31 - 1) -> int:
        text = self.text(key)
        value = int(text) if INTEGER.fullmatch(text) else low - 1
        if not low <= value <= high:
            raise invalid(
                self.line_of(key), f"{key} of {self.name} is {text[:40]!r}; an integer from {low} to {high} is due"
            )
        return value

    def integers(self, key: str, count: int, low: int, high: int) -> NDArray[np.int64]:
        wide = [int(word) for word in self._words(key, count, INTEGER, "integer")]
        for value in wide:
            if not low <= value <= high:
                raise invalid(self.line_of(key), f"{key} of {self.name} holds {value}; {low} to {high} exist")
        return np.array(wide, np.int64)

    def numbers(self, key: str, count: int) -> NDArray[np.float64]:
        """Every number is the float64 nearest to its digits, as LightGBM reads it."""
        words = self._words(key, count, _NUMBER, "number")
        values = np.array([float(word) for word in words], np.float64)
        for index in np.flatnonzero(np.isinf(values)):
            if "inf" not in words[index]:
                raise invalid(self.line_of(key), f"{key} of {self.name} holds {words[index]}, beyond all float64")
        return values

    def words(self, key: str, count: int) -> list[str]:
        """Numbers that no score needs; LightGBM ends its process where one is none, and names no file."""
        return self._words(key, count, _NUMBER, "number")

    def count(self, key: str, count: int) -> list[str]:
        words = self.text(key).split(" ") if self.text(key) else []
        if len(words) != count:
            raise invalid(self.line_of(key), f"{key} of {self.name} has {len(words)} entries instead of {count}")
        return words

    def _words(self, key: str, count: int, form: re.Pattern[str], kind: str) -> list[str]:
        words = self.count(key, count)
        for word in words:
            if not form.fullmatch(word):
                raise invalid(self.line_of(key), f"{key} of {self.name} holds {word[:40]!r}, no {kind}")
        return words


def invalid(line: int, detail: str) -> TreeModelError:
    return TreeModelError("tree_model_invalid", f"line {line}", detail, _AGAIN)


def unsupported(where: str, detail: str, remedy: str) -> TreeModelError:
    return TreeModelError("tree_model_unsupported", where, detail, remedy)


def text_of(source: LightGbmSource) -> str:
    source = getattr(source, "booster_", source)
    if hasattr(source, "model_to_string"):
        return cast(_Booster, source).model_to_string()
    if isinstance(source, str) and "\n" in source:
        return source
    if not isinstance(source, str | Path):
        raise TypeError(f"a path, a text or a Booster of LightGBM is due, not {type(source).__name__}")
    path = Path(source)
    if path.stat().st_size > MAX_BYTES:
        raise TreeModelError(
            "tree_model_too_large", path.name, f"it has more than {MAX_BYTES:,} bytes", "Train fewer or smaller trees"
        )
    raw = path.read_bytes()
    refuse_pickle(raw, 'booster.save_model("model.txt"), or ranker.booster_.save_model("model.txt")')
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as e:
        line = raw.count(b"\n", 0, e.start) + 1
        raise invalid(line, "it is no UTF-8 text, so no text model of LightGBM") from e


def blocks(lines: list[str]) -> tuple[Block, list[Block], int]:
    """The head, the trees, and the number of the line that says that they end."""
    head = Block("the head", 1)
    trees: list[Block] = []
    block, known = head, _HEAD_KEYS
    for number, line in enumerate(lines[1:], start=2):
        if line == "end of trees":
            return head, trees, number
        if line == "":
            continue
        key, equals, value = line.partition("=")
        if key == "Tree":
            if value != str(len(trees)):
                raise invalid(number, f"tree {len(trees)} should stand here; there is {line[:40]!r}")
            block, known = Block(f"tree {value}", number), _TREE_KEYS
            trees.append(block)
        elif key in block.values:
            raise invalid(number, f"{block.name} has {key!r} twice")
        elif bool(equals) == (key == "average_output"):
            raise invalid(number, f"{line[:40]!r} is no line 'key=value'")
        elif key not in known:
            raise unsupported(
                f"line {number}",
                f"{block.name} has {key[:40]!r}, which releases 3 and 4 up to 4.7 do not write, and may change scores",
                "Check the file; if a newer LightGBM wrote it, train with one that is known, or ask for support",
            )
        else:
            block.values[key] = (value, number)
    raise invalid(len(lines), "the file ends before 'end of trees': it is cut off")
