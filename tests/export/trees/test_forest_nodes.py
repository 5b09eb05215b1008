"""What is emitted, against sums made by hand."""

import threading
from dataclasses import replace

import numpy as np
import onnx
import pytest
from forests import chain, differing, hand_made, scores

from twinrank.export.trees import Column, Forest, Link, Rule, check_forest, forest_model, forest_nodes

NAN, INF = np.nan, np.inf
TINY = float(np.float32(1e-35))
# Rows, and the leaves that they end in: read off the trees as `hand_made` draws them.
BY_HAND = [
    ([0, NAN, NAN], 0.5 + 1 + 32 + 2048, 0.25 + 128 + 512),
    ([-0.5, 1, 0.0], 0.5 + 2 + 16 + 2048, 0.25 + 128 + 512),
    ([-0.0, -1, -0.0], 0.5 + 1 + 16 + 2048, 0.25 + 128 + 512),
    ([1.99, TINY, 1e-300], 0.5 + 1 + 8 + 2048, 0.25 + 128 + 256),
    ([1, np.nextafter(TINY, 1), -1], 0.5 + 2 + 16 + 2048, 0.25 + 128 + 256),
    ([1, -0.0, -1], 0.5 + 1 + 16 + 2048, 0.25 + 128 + 256),
    ([NAN, 0, -1], 0.5 + 4 + 16 + 2048, 0.25 + 128 + 512),
    ([-1, 0, -INF], 0.5 + 4 + 16 + 2048, 0.25 + 128 + 512),
    ([-INF, INF, -INF], 0.5 + 4 + 16 + 2048, 0.25 + 128 + 512),
    ([INF, 0, INF], 0.5 + 4 + 8 + 2048, 0.25 + 128 + 512),
    ([1e10, 0, -1], 0.5 + 4 + 16 + 2048, 0.25 + 128 + 512),
    ([2.0**32 + 1, 0, -1], 0.5 + 4 + 16 + 2048, 0.25 + 128 + 512),
    ([65.9, 0, -1], 0.5 + 4 + 16 + 1024, 0.25 + 128 + 512),
    ([40, 0, -1], 0.5 + 4 + 16 + 2048, 0.25 + 128 + 256),
]


def test_every_rule_sends_a_row_where_the_trees_say() -> None:
    check_forest(hand_made())
    found = scores(hand_made(), np.array([row for row, _, _ in BY_HAND], np.float64))
    assert found.tolist() == [[first, second] for _, first, second in BY_HAND]


def test_a_row_alone_scores_as_among_many() -> None:
    rows = np.array([row for row, _, _ in BY_HAND], np.float64)
    alone = np.concatenate([scores(hand_made(), rows[i : i + 1]) for i in range(len(rows))])
    many = scores(hand_made(), np.tile(rows, (500, 1)))
    assert differing(np.tile(alone, (500, 1)), many) == 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_base_is_added_first_and_then_the_trees_in_order(dtype: str) -> None:
    forest = _leaves_only(np.array([-1e17, 1.0, 2.0], dtype), np.array([1e17], dtype))
    # (1e17 - 1e17) + 1 + 2; with the base last, or from the last tree to the first, it would be 0.
    assert scores(forest, np.zeros((3, 1))).ravel().tolist() == [3.0] * 3


def test_targets_sum_each_in_its_own_order() -> None:
    generator = np.random.default_rng(3)
    leaves = generator.normal(size=600) * 10.0 ** generator.integers(-9, 9, 600)
    forest = replace(_leaves_only(leaves, np.array([1.5, -2.5, 0.125])), tree_targets=_rotating(600, 3), targets=3)
    check_forest(forest)
    due = np.array([1.5, -2.5, 0.125])
    for tree, leaf in enumerate(leaves):
        due[tree % 3] += leaf
    for rows in (1, 2, 300):
        assert differing(scores(forest, np.zeros((rows, 1))), np.tile(due, (rows, 1))) == 0


def test_two_threads_may_sum_in_another_order_so_one_is_stated() -> None:
    generator = np.random.default_rng(5)
    forest = _leaves_only(generator.normal(size=600) * 10.0 ** generator.integers(-9, 9, 600), np.zeros(1))
    rows = np.zeros((500, 1))
    assert differing(scores(forest, rows, threads=2), scores(forest, rows)) > 0


@pytest.mark.parametrize("count", [1, 30, 31, 32, 64, 65, 3000])
@pytest.mark.parametrize("first", [0, 1, 1000])
@pytest.mark.parametrize(("dtype", "rule"), [("float64", Rule.TRUNCATED), ("float32", Rule.FLOORED)])
def test_sets_of_every_size_hold_their_members_and_no_more(count: int, first: int, dtype: str, rule: Rule) -> None:
    members = np.sort(np.random.default_rng(count).choice(2 * count, count, replace=False)) + first
    for missing in (False, True):
        forest = replace(
            hand_made(),
            dtype=dtype,
            features=("a",),
            columns=(Column(0, rule),),
            categories=(tuple(members.tolist()),),
            targets=1,
            roots=np.zeros(1, np.int32),
            tree_targets=np.zeros(1, np.int32),
            split_columns=np.zeros(1, np.int32),
            split_modes=np.full(1, 6, np.uint8),
            thresholds=np.zeros(1, dtype),
            trues=np.array([~0], np.int32),
            falses=np.array([~1], np.int32),
            missing_true=np.array([missing]),
            member_starts=np.array([0, count], np.int64),
            members=members.astype(np.int64),
            leaves=np.array([1, 0], dtype),
            base=None,
        )
        check_forest(forest)
        asked = np.arange(-2, 2 * count + first + 40).astype(np.float64)
        inside = np.isin(asked, members)
        assert scores(forest, asked[:, None]).ravel().tolist() == inside.astype(float).tolist()
        assert scores(forest, (asked[asked >= 0] + 0.5)[:, None]).ravel().tolist() == inside[asked >= 0].tolist()
        odd = np.array([[-0.0], [-INF], [INF], [1e30], [NAN]])
        # Only XGBoost's categories can be missing; LightGBM's NaN is in no set.
        at_nan = missing and rule is Rule.FLOORED
        assert scores(forest, odd).ravel().tolist() == [0 in members, 0, 0, 0, at_nan]


def test_a_feature_of_float32_meets_its_threshold_after_rounding() -> None:
    forest = replace(chain(2), columns=(Column(0, Rule.FLOAT32),))
    check_forest(forest)
    just_above = 1 + 2.0**-30
    assert scores(forest, np.array([[just_above], [1 + 2.0**-23], [1e300], [NAN]])).ravel().tolist() == [0, 1, 2, 2]
    assert scores(chain(2), np.array([[just_above]])).ravel().tolist() == [1]


def test_a_tree_of_the_greatest_depth_loads_on_a_thread_of_one_mebibyte() -> None:
    assert check_forest(chain(1000)) == 1000
    found: list[list[float]] = []
    before = threading.stack_size(2**20)
    try:
        one = threading.Thread(
            target=lambda: found.append(scores(chain(1000), np.array([[0.5], [500.5], [2000.0]])).ravel().tolist())
        )
        one.start()
        one.join()
    finally:
        threading.stack_size(before)
    assert found == [[0, 500, 1000]]


def test_the_vocabulary_is_the_one_that_the_module_states() -> None:
    nodes, constants = forest_nodes(hand_made(), "in", "out", "p")
    assert [node.op_type for node in nodes] == [
        "Gather",
        "Abs",
        "LessOrEqual",
        "Where",
        "Gather",
        "Greater",
        "Max",
        "Floor",
        "Where",
        "Concat",
        "TreeEnsemble",
    ]
    names = [name for node in nodes for name in [*node.input, *node.output, node.name]] + [c.name for c in constants]
    assert {name for name in names if not name.startswith("p/")} == {"in", "out"}
    plain, none = forest_nodes(chain(2), "in", "out", "p")
    assert [node.op_type for node in plain] == ["TreeEnsemble"]
    assert not none


def test_the_same_forest_gives_the_same_bytes_and_a_model_that_onnx_accepts() -> None:
    first, second = forest_model(hand_made()), forest_model(hand_made())
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)
    onnx.checker.check_model(first, full_check=True)


def _rotating(trees: int, targets: int) -> np.ndarray:
    return (np.arange(trees) % targets).astype(np.int32)


def _leaves_only(leaves: np.ndarray, base: np.ndarray) -> Forest:
    """As many trees of one leaf."""
    none = np.zeros(0, np.int32)
    return replace(
        hand_made(),
        dtype=leaves.dtype.name,
        features=("a",),
        columns=(),
        categories=((),),
        targets=len(base),
        roots=~np.arange(len(leaves)).astype(np.int32),
        tree_targets=np.zeros(len(leaves), np.int32),
        split_columns=none,
        split_modes=np.zeros(0, np.uint8),
        thresholds=np.zeros(0, leaves.dtype),
        trues=none,
        falses=none,
        missing_true=np.zeros(0, np.bool_),
        member_starts=np.zeros(1, np.int64),
        members=np.zeros(0, np.int64),
        leaves=leaves,
        base=base,
    )


@pytest.mark.parametrize("missing", [flags for flags in np.ndindex(2, 2, 2)])
def test_sets_below_one_another_with_leaves_alike_keep_each_its_word_on_what_is_missing(
    missing: tuple[int, int, int],
) -> None:
    # ONNX Runtime makes one set of such, with the first's flag.
    forest = Forest(
        source="xgboost",
        source_version="",
        dtype="float32",
        features=("genre",),
        columns=(Column(0, Rule.FLOORED),),
        categories=((1, 2, 5),),
        targets=1,
        roots=np.array([0], np.int32),
        tree_targets=np.array([0], np.int32),
        split_columns=np.zeros(3, np.int32),
        split_modes=np.full(3, 6, np.uint8),
        thresholds=np.zeros(3, np.float32),
        trues=np.array([-1, -2, -3], np.int32),
        falses=np.array([1, 2, -4], np.int32),
        missing_true=np.array(missing, np.bool_),
        member_starts=np.arange(4),
        members=np.array([1, 2, 5]),
        leaves=np.array([5, 5, 5, 7], np.float32),
        base=None,
        link=Link("identity"),
        objective="",
    )
    check_forest(forest)
    found = scores(forest, np.array([[1.0], [2], [5], [3], [NAN]]))
    assert found.ravel().tolist() == [5, 5, 5, 7, 5 if any(missing) else 7]
