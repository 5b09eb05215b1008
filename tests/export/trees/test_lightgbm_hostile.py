"""Text models with one thing edited are refused with the code and the line, never read into other scores."""

import re
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from forests import differing, scores, trained

from twinrank.export.trees import Forest, TreeModelError, probe_rows, read_lightgbm

Edit = Callable[[str], str]


@pytest.fixture(scope="module")
def text() -> str:
    found: str = trained("lambdarank", "nan", rounds=4, num_leaves=7).model_to_string()
    assert "cat_threshold=" in found.split("Tree=1")[1].split("Tree=2")[0]
    return found


def sub(pattern: str, replacement: str, tree: int | None = None) -> Edit:
    """Replaces the first match, in a tree's lines or the whole text; sizes of trees are written anew."""

    def edited(text: str) -> str:
        start = 0 if tree is None else text.index(f"Tree={tree}\n")
        head, rest = text[:start], text[start:]
        changed, count = re.subn(pattern, replacement, rest, count=1, flags=re.MULTILINE)
        assert count == 1
        return resized(head + changed)

    return edited


def resized(text: str) -> str:
    """As an editor who knows of tree_sizes would leave it."""
    if "\nend of trees" not in text:
        return text
    trees = re.split(r"^(?=Tree=)", text[: text.index("end of trees")], flags=re.MULTILINE)[1:]
    return re.sub(
        r"^tree_sizes=.*$", "tree_sizes=" + " ".join(str(len(tree.encode())) for tree in trees), text, flags=re.M
    )


def cut_before(mark: str) -> Edit:
    return lambda text: text[: text.index(mark)]


INVALID, UNSUPPORTED, LARGE = "tree_model_invalid", "tree_model_unsupported", "tree_model_too_large"
EDITS: list[tuple[str, Edit, str, str]] = [
    ("empty", lambda _: "\n", INVALID, "begins with 'tree'"),
    ("JSON", lambda _: '{"name":\n"tree"}', INVALID, "begins with 'tree'"),
    ("XGBoost's", lambda _: '{"learner":\n{}}', INVALID, "begins with 'tree'"),
    ("cut in the head", cut_before("tree_sizes"), INVALID, "before 'end of trees': it is cut off"),
    ("cut in a tree", cut_before("right_child"), INVALID, "before 'end of trees': it is cut off"),
    ("cut after a tree", cut_before("Tree=3"), INVALID, "before 'end of trees': it is cut off"),
    ("cut in the parameters", cut_before("[num_leaves"), INVALID, "among the parameters: it is cut off"),
    ("cut in the last word", cut_before("categorical:null"), INVALID, "'pandas_' follows the parameters"),
    ("something at the end", lambda text: text + "more\n", INVALID, "'more' follows the parameters"),
    ("Windows' lines", lambda text: text.replace("\n", "\r\n"), INVALID, "as in Windows"),
    ("version 2", sub("^version=v4", "version=v2"), UNSUPPORTED, "'v2'"),
    ("version 5", sub("^version=v4", "version=v5"), UNSUPPORTED, "'v5'"),
    ("no version", sub("^version=v4\n", ""), INVALID, "no 'version'"),
    ("a key that is new", sub("^label_index", "label_scale=2\nlabel_index"), UNSUPPORTED, "'label_scale'"),
    ("a key that is new in a tree", sub("^shrinkage", "leaf_scale=2\nshrinkage", 1), UNSUPPORTED, "'leaf_scale'"),
    ("a gain that is no number", sub("^split_gain=[^ ]*", "split_gain=x.1", 1), INVALID, "'x.1', no number"),
    ("a count that is no number", sub("^leaf_count=[^ ]*", "leaf_count=-", 1), INVALID, "'-', no number"),
    ("a shrinkage that is no number", sub("^shrinkage=.*", "shrinkage=x", 1), INVALID, "'x', no number"),
    ("an objective without a name", sub("^objective=.*", "objective="), INVALID, "objective is empty"),
    ("a key twice", sub("^(leaf_value=.*)$", r"\1\n\1", 1), INVALID, "'leaf_value' twice"),
    ("a line of no key", sub("^shrinkage=", "shrinkage", 2), INVALID, "no line 'key=value'"),
    ("average_output with a value", sub("^label_index", "average_output=1\nlabel_index"), INVALID, "no line"),
    ("one name too many", sub("^feature_names=", "feature_names=more "), INVALID, "7 names for the 6 features"),
    ("one feature less", sub("^max_feature_idx=5", "max_feature_idx=4"), INVALID, "6 names for the 5 features"),
    ("a name twice", sub("Column_1", "Column_0"), INVALID, "'Column_0' is empty or comes twice"),
    ("feature_infos", sub("^feature_infos=", "feature_infos=none "), INVALID, "not as many entries as features"),
    (
        "constraints",
        sub("^feature_infos", "monotone_constraints=1 0\nfeature_infos"),
        INVALID,
        "2 entries instead of 6",
    ),
    ("classes", sub("^num_class=1", "num_class=2"), INVALID, "num_class and num_tree_per_iteration differ"),
    (
        "trees an iteration",
        sub("^num_class=1\nnum_tree_per_iteration=1", "num_class=3\nnum_tree_per_iteration=3"),
        INVALID,
        "no multiple",
    ),
    ("no class", sub("^num_tree_per_iteration=1", "num_tree_per_iteration=0"), INVALID, "from 1"),
    ("sigmoid", sub("^objective=lambdarank", "objective=binary sigmoid:much"), INVALID, "sigmoid is 'much'"),
    (
        "a tree less",
        lambda text: text[: text.index("Tree=2")] + text[text.index("Tree=3") :],
        INVALID,
        "tree 2 should stand here",
    ),
    (
        "the last tree less",
        lambda text: text[: text.index("Tree=3")] + text[text.index("end of trees") :],
        INVALID,
        "3 trees stand before",
    ),
    (
        "trees swapped",
        lambda text: text.replace("Tree=1\n", "Tree=x\n").replace("Tree=2\n", "Tree=1\n"),
        INVALID,
        "tree 1 should stand here",
    ),
    ("sizes", lambda text: re.sub("^(tree_sizes=)[0-9]+", r"\g<1>99", text, flags=re.M), INVALID, "tree_sizes says 99"),
    (
        "a digit more, sizes as before",
        lambda text: re.sub("^(leaf_value=.*)$", r"\g<1>1", text, count=1, flags=re.M),
        INVALID,
        "it was edited",
    ),
    ("a leaf less", sub("^num_leaves=7", "num_leaves=6", 1), INVALID, "instead of"),
    ("no leaf", sub("^num_leaves=7", "num_leaves=0", 1), INVALID, "from 1"),
    ("leaves by letter", sub("^num_leaves=7", "num_leaves=seven", 1), INVALID, "'seven'"),
    ("leaves of another script", sub("^num_leaves=7", "num_leaves=٧", 1), INVALID, "num_leaves of tree 1"),
    ("a value less", sub("^(leaf_value=.*) [^ ]*$", r"\1", 1), INVALID, "leaf_value of tree 1 has 6 entries"),
    ("a threshold less", sub("^(threshold=.*) [^ ]*$", r"\1", 1), INVALID, "threshold of tree 1 has 5 entries"),
    ("a gain less", sub("^(split_gain=.*) [^ ]*$", r"\1", 1), INVALID, "split_gain of tree 1 has 5 entries"),
    ("a count less", sub("^(leaf_count=.*) [^ ]*$", r"\1", 1), INVALID, "leaf_count of tree 1 has 6 entries"),
    ("two spaces", sub("^(threshold=[^ ]*) ", r"\1  ", 1), INVALID, "threshold of tree 1 has 7 entries"),
    ("a threshold that is NaN", sub("^threshold=[^ ]*", "threshold=nan", 2), INVALID, "threshold 0 of tree 2 is NaN"),
    ("a threshold of words", sub("^threshold=[^ ]*", "threshold=big", 2), INVALID, "'big', no number"),
    ("a hexadecimal threshold", sub("^threshold=[^ ]*", "threshold=0x1p3", 2), INVALID, "no number"),
    ("a threshold with an underscore", sub("^threshold=[^ ]*", "threshold=1_0", 2), INVALID, "no number"),
    ("a threshold too large", sub("^threshold=[^ ]*", "threshold=1e999", 2), INVALID, "beyond all float64"),
    ("a comma for a point", sub("^leaf_value=[^ ]*", "leaf_value=0,5", 2), INVALID, "no number"),
    ("a leaf that is NaN", sub("^leaf_value=[^ ]*", "leaf_value=nan", 2), INVALID, "leaf 0 of tree 2 is nan"),
    ("a leaf that is infinite", sub("^leaf_value=[^ ]*", "leaf_value=-inf", 2), INVALID, "leaf 0 of tree 2 is -inf"),
    ("a feature too far", sub("^split_feature=[0-9]*", "split_feature=6", 2), INVALID, "holds 6; 0 to 5 exist"),
    ("a negative feature", sub("^split_feature=[0-9]*", "split_feature=-1", 2), INVALID, "holds -1"),
    ("a decision unknown", sub("^decision_type=[0-9]*", "decision_type=16", 2), INVALID, "holds 16; 0 to 15"),
    ("a missing type unknown", sub("^decision_type=[0-9]*", "decision_type=14", 2), INVALID, "no missing type known"),
    ("a child too far", sub("^left_child=[-0-9]*", "left_child=6", 2), INVALID, "holds 6"),
    ("a child twice", sub("^left_child=[-0-9]*", "left_child=-7", 2), INVALID, "parent"),
    ("a circle", sub("^left_child=[-0-9]*", "left_child=0", 2), INVALID, "parent"),
    ("a set too far", sub("^num_cat=[0-9]*", "num_cat=0", 1), INVALID, "names set 0; there are 0"),
    ("bounds of sets", sub("^cat_boundaries=0", "cat_boundaries=1", 1), INVALID, "do not ascend from 0"),
    ("a word of a set", sub("^cat_threshold=[0-9]*", "cat_threshold=4294967296", 1), INVALID, "holds 4294967296"),
    ("words of sets", sub("^(cat_threshold=.*)$", r"\1 1", 1), INVALID, "cat_threshold of tree 1 has"),
    ("linear", sub("^is_linear=0", "is_linear=1", 0), UNSUPPORTED, "linear models in its leaves"),
    ("linear by word", sub("^is_linear=0", "is_linear=yes", 0), INVALID, "'yes'"),
    ("leaves beyond all bounds", sub("^num_leaves=7", "num_leaves=2000000", 1), INVALID, "from 1 to"),
    ("categories no JSON", sub("^pandas_categorical:null", "pandas_categorical:[[1,"), INVALID, "no JSON"),
    ("categories no list", sub("^pandas_categorical:null", 'pandas_categorical:{"a": 1}'), INVALID, "neither null nor"),
]


@pytest.mark.parametrize(("edit", "code", "detail"), [pytest.param(*rest, id=name) for name, *rest in EDITS])
def test_an_edit_is_refused_with_its_code_and_line(text: str, edit: Edit, code: str, detail: str) -> None:
    read_lightgbm(text)
    with pytest.raises(TreeModelError) as caught:
        read_lightgbm(edit(text))
    assert caught.value.code == code
    assert detail in caught.value.detail
    assert re.fullmatch(r"line \d+|feature 1|leaf \d+|tree \d+, split \d+", caught.value.where)
    assert caught.value.remedy


def test_the_line_named_is_the_one_edited(text: str) -> None:
    with pytest.raises(TreeModelError) as caught:
        read_lightgbm(sub("^threshold=[^ ]*", "threshold=nan", 2)(text))
    number = int(caught.value.where.removeprefix("line "))
    start = text[: text.index("Tree=2\n")].count("\n")
    assert text.split("\n")[number - 1].startswith("threshold=")
    assert start < number < start + 8


def test_every_truncation_among_the_trees_is_refused(text: str) -> None:
    end = text.index("end of trees") + len("end of trees")
    for length in range(6, end, 97):
        with pytest.raises(TreeModelError, match="tree_model_invalid"):
            read_lightgbm(text[:length])


def test_bytes_that_are_no_text_name_their_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_bytes(text.encode().replace(b"Tree=1", b"Tree=\xff", 1))
    with pytest.raises(TreeModelError) as caught:
        read_lightgbm(tmp_path / "model.txt")
    assert caught.value.where == f"line {text[: text.index('Tree=1')].count(chr(10)) + 1}"
    with pytest.raises(FileNotFoundError):
        read_lightgbm(tmp_path / "none.txt")


def test_a_model_of_a_million_splits_is_too_large(text: str) -> None:
    # 34 chains of 30,000 leaves: what a search for the deepest forest would leave behind.
    leaves = 30_000
    splits = leaves - 1
    lines = [
        f"num_leaves={leaves}",
        "num_cat=0",
        "split_feature=" + " ".join(["0"] * splits),
        "threshold=" + " ".join(["0.5"] * splits),
        "decision_type=" + " ".join(["2"] * splits),
        "left_child=" + " ".join([*(str(i) for i in range(1, splits)), "-1"]),
        "right_child=" + " ".join(str(-i) for i in range(2, leaves + 1)),
        "leaf_value=" + " ".join(["1"] * leaves),
        "shrinkage=1\n\n",
    ]
    body = "".join(f"Tree={tree}\n" + "\n".join(lines) + "\n" for tree in range(34))
    large = resized(text[: text.index("Tree=0")] + body + "end of trees\n")
    with pytest.raises(TreeModelError) as caught:
        read_lightgbm(large)
    assert caught.value.code == LARGE
    assert "splits up to tree 33" in caught.value.detail


def test_an_infinite_threshold_sends_only_nan_to_the_right_as_in_the_library(text: str) -> None:
    for word in ("inf", "-inf"):
        edited = sub("^threshold=[^ ]*", f"threshold={word}", 2)(text)
        against_the_library(edited)


def test_a_threshold_of_negative_zero_is_zero_as_in_the_library(text: str) -> None:
    for word in ("-0", "0", "-1e-36", "1e-36", "-9.9999999999999e-36", "1.0000000180025095e-35", "1.00000002e-35"):
        against_the_library(sub("^threshold=[^ ]*", f"threshold={word}", 2)(text))


def test_a_set_without_members_is_true_for_nothing_as_in_the_library(text: str) -> None:
    edited = re.sub("^cat_threshold=.*$", lambda m: re.sub("[0-9]+", "0", m[0]), text, flags=re.M)
    forest = against_the_library(resized(edited))
    assert not any(forest.categories)


@pytest.mark.parametrize("kind", [0, 2, 4, 6, 8, 10, 1, 3, 5, 9, 11])
def test_every_decision_known_goes_as_in_the_library(text: str, kind: int) -> None:
    against_the_library(
        sub("^(threshold=)[^ ]*(.*\ndecision_type=)[0-9]*", rf"\g<1>0\g<2>{kind}", 1)(
            sub("^num_cat=1", "num_cat=1", 1)(text)
        )
    )


def against_the_library(text: str) -> Forest:
    forest = read_lightgbm(text)
    x = probe_rows(forest, 3000, 4)
    native = lightgbm.Booster(model_str=text).predict(x, raw_score=True, num_threads=1)
    assert differing(scores(forest, x), np.asarray(native).reshape(len(x), -1)) == 0
    return forest


def test_an_xgboost_model_is_sent_to_its_own_option() -> None:
    with pytest.raises(TreeModelError) as caught:
        read_lightgbm('{"learner":\n{}}')
    assert caught.value.remedy.endswith("give it to --xgboost")
