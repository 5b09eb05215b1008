"""A forest with one thing wrong is refused, with the place."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from forests import chain, hand_made

from twinrank.export.trees import Column, Forest, Rule, TreeModelError, categories_of, check_forest

Edit = Callable[[Forest], Forest]


def at(name: str, index: int, value: Any) -> Edit:
    def edited(forest: Forest) -> Forest:
        array = np.array(getattr(forest, name))
        array[index] = value
        return replace(forest, **{name: array})

    return edited


def to(**values: Any) -> Edit:
    return lambda forest: replace(forest, **values)


EDITS: list[tuple[str, Edit, str, str]] = [
    ("no child", at("trues", 3, 7), "tree 1, split 1", "a child in trues that does not exist"),
    ("no leaf", at("falses", 0, ~12), "tree 0, split 0", "a child in falses that does not exist"),
    ("a circle", at("trues", 0, 0), "tree 0, split 0", "not exactly one parent"),
    ("two parents", at("trues", 5, ~6), "leaf 6", "2 parents, it needs one"),
    ("a split in two trees", at("trues", 2, 1), "tree 0, split 1", "not exactly one parent"),
    ("no root", at("roots", 1, 9), "tree 1", "root 9 does not exist"),
    ("NaN", at("thresholds", 1, np.nan), "tree 0, split 1", "a threshold that is NaN"),
    ("a leaf that is inf", at("leaves", 5, np.inf), "leaf 5", "inf is no finite number"),
    ("a base that is NaN", at("base", 1, np.nan), "base 1", "nan is no finite number"),
    ("mode", at("split_modes", 2, 4), "tree 1, split 0", "a mode that does not exist"),
    ("column", at("split_columns", 2, 4), "tree 1, split 0", "a column outside 0 to 3"),
    ("target", at("tree_targets", 4, 2), "tree 4", "target 2 of 2"),
    ("a set on a number", at("split_columns", 0, 2), "tree 0, split 0", "a set on a number, or a threshold"),
    ("a number on a category", at("split_columns", 2, 0), "tree 1, split 0", "a set on a number, or a threshold"),
    ("a threshold beside a set", at("thresholds", 0, 1.0), "tree 0, split 0", "a threshold beside a set"),
    ("members", at("members", 4, 2), "tree 3, split 1", "do not ascend"),
    ("a negative member", at("members", 0, -1), "tree 0, split 0", "are no categories"),
    ("a huge member", at("members", 6, 2**31), "tree 4, split 0", "are no categories"),
    ("starts", at("member_starts", 1, 3), "member_starts", "not ascending"),
    ("a member nobody named", at("members", 6, 66), "categories of 'a'", "6 are stated, the sets name 6"),
    ("names", to(features=("a", "b", "a")), "feature 2", "comes twice"),
    ("no name", to(features=("a", "", "c")), "feature 1", "is empty"),
    ("feature", to(columns=(*hand_made().columns[:3], Column(3, Rule.PLAIN))), "column 3", "feature 3 of 3"),
    ("columns", to(columns=(*hand_made().columns[:3], Column(2, Rule.PLAIN))), "columns", "one comes twice"),
    ("dtype", to(thresholds=np.zeros(7, np.float32)), "thresholds", "float32 of shape [7], expected float64"),
    ("length", to(trues=np.zeros(6, np.int32)), "trues", "int32 of shape [6], expected int32 of shape [7]"),
    ("targets", to(targets=0), "targets", "at least 1"),
    ("base", to(base=np.zeros(3)), "base", "expected float64 of shape [2]"),
    ("categories", to(categories=((),)), "categories", "1 entries for 3 features"),
]


@pytest.mark.parametrize(("edit", "where", "detail"), [pytest.param(*rest, id=name) for name, *rest in EDITS])
def test_one_thing_wrong_is_refused_with_its_place(edit: Edit, where: str, detail: str) -> None:
    check_forest(hand_made())
    with pytest.raises(TreeModelError) as caught:
        check_forest(edit(hand_made()))
    assert (caught.value.code, caught.value.where) == ("tree_model_invalid", where)
    assert detail in caught.value.detail


def test_splits_on_a_circle_of_their_own_are_found_though_each_has_one_parent() -> None:
    forest = chain(4)
    alone = replace(
        forest,
        roots=np.array([0], np.int32),
        trues=np.array([~0, 2, 3, 1], np.int32),
        falses=np.array([~1, ~2, ~3, ~4], np.int32),
    )
    with pytest.raises(TreeModelError, match="3 splits are reached from no root: they form a circle"):
        check_forest(alone)


def test_a_deeper_tree_than_onnx_runtime_can_load_is_too_large() -> None:
    with pytest.raises(TreeModelError) as caught:
        check_forest(chain(1001))
    assert (caught.value.code, caught.value.where) == ("tree_model_too_large", "the forest")


def test_a_million_splits_are_too_large() -> None:
    with pytest.raises(TreeModelError) as caught:
        check_forest(chain(1_000_000))
    assert caught.value.code == "tree_model_too_large"
    assert "1000000 splits" in caught.value.detail


def test_a_base_of_negative_zero_is_refused_only_where_a_score_could_be_it() -> None:
    minus = np.array([-0.0, 0.25])
    assert check_forest(replace(hand_made(), base=minus)) == 2
    leaves = hand_made().leaves.copy()
    leaves[[0, 3, 10]] = -0.0
    with pytest.raises(TreeModelError) as caught:
        check_forest(replace(hand_made(), base=minus, leaves=leaves))
    assert (caught.value.code, caught.value.where) == ("tree_model_unsupported", "target 0")
    leaves[10] = 0.0
    check_forest(replace(hand_made(), base=minus, leaves=leaves))


def test_no_tree_and_no_base_is_no_model() -> None:
    none = np.zeros(0, np.int32)
    empty = replace(
        chain(0), roots=none, tree_targets=none, columns=(), leaves=np.zeros(0), trues=none, falses=none, base=None
    )
    with pytest.raises(TreeModelError, match="holds no tree"):
        check_forest(empty)
    assert check_forest(replace(empty, base=np.ones(1))) == 0


def test_categories_are_those_that_the_sets_name() -> None:
    forest = hand_made()
    found = categories_of(3, forest.columns, forest.split_columns, forest.member_starts, forest.members)
    assert found == ((0, 1, 2, 40, 65, 70), (), ())
