"""The schema file: the README's example, every kind of transform, and every problem with its place."""

import dataclasses
import re
import typing
from pathlib import Path
from typing import Any

import pytest
import yaml

from twinrank.training import transforms
from twinrank.training.schema import Policy, VectorSpec, pack, read_request
from twinrank.training.transforms import (
    Bucketize,
    CyclicTime,
    FrontGraph,
    Lookup,
    Number,
    TransformError,
    Vocabulary,
    _yaml,
    read_front_yaml,
)

README = Path(__file__).resolve().parents[3] / "training/README.md"


def example() -> str:
    found = re.search(r"```yaml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1)


def folder(path: Path, text: str | None = None) -> Path:
    (path / "items.txt").write_text("242\n302\n", "utf-8")
    (path / "schema.yaml").write_text(example() if text is None else text, "utf-8")
    return path / "schema.yaml"


def test_the_readmes_example_is_what_it_says(tmp_path: Path) -> None:
    front = read_front_yaml(folder(tmp_path))
    assert isinstance(front, FrontGraph)
    user, _, item, genres, _, picture = front.schema.features
    assert (user.missing, user.invalid, user.unseen) == (Policy("own_row"), Policy(), Policy("own_row"))
    assert (item.unseen, genres.unseen) == (Policy("error"), Policy("default", "other"))
    assert (picture.vector, picture.missing) == (VectorSpec(3), Policy("default", (0, 0, 0)))
    assert front.unseen_outputs == ("unseen.candidate",)
    named = {transform.name: transform for transform in front.transforms}
    assert named["item"] == Lookup("item", "item", Vocabulary("items", "string", ("242", "302")))
    assert named["user"] == Lookup("user", "user", Vocabulary("user", "string", ("u1", "u2"), 8))
    assert named["price_bucket"] == Bucketize("price_bucket", "price", (5, 9.99, 20))
    assert named["clock"] == CyclicTime("clock", "now", "minute_of_day", 60)
    shapes = {spec.name: (spec.dtype, spec.shape, spec.cardinality) for spec in front.outputs}
    assert shapes["picture"] == ("float32", (-1, 3), None)
    assert shapes["clock"] == ("float32", (-1, 2), None)
    assert shapes["user"] == ("int64", (-1,), 8 + 1 + 2)


def test_a_text_reads_its_files_from_the_folder_that_is_given(tmp_path: Path) -> None:
    path = folder(tmp_path)
    front = read_front_yaml(example(), base=tmp_path)
    assert front.to_onnx().SerializeToString() == read_front_yaml(path).to_onnx().SerializeToString()
    with pytest.raises(TransformError, match=r"vocabularies\.items\.file: .* pass `base`"):
        read_front_yaml(example())


def test_every_transform_has_a_kind_and_every_key_is_in_the_readme() -> None:
    emitting = {
        getattr(transforms, name)
        for name in transforms.__all__
        if dataclasses.is_dataclass(getattr(transforms, name)) and hasattr(getattr(transforms, name), "emit")
    }
    assert set(_yaml.KINDS.values()) == emitting
    text = README.read_text("utf-8")
    table = text[text.index("| `kind` |") :]
    for kind, transform in _yaml.KINDS.items():
        for word in (kind, *(field.name for field in dataclasses.fields(transform))):
            assert f"`{word}" in table, (kind, word)


VALUES: dict[str, Any] = {
    "name": "x",
    "features": ["day", "code"],
    "now": "day",
    "then": "days",
    "buckets": 7,
    "seed": 1,
    "boundaries": [1, 2],
    "part": "day_of_year",
    "offset_minutes": -60,
    "mean": 0.5,
    "scale": 2,
    "clip": [-1, 1],
    "low": 0,
    "high": 5,
    "dtype": "float64",
    "vocabulary": {"entries": [1, 5]},
}
READ = {
    "lookup": "code",
    "hash": "code",
    "bucketize": "code",
    "standardise": "size",
    "clip": "size",
    "log1p": "size",
    "number": "size",
    "vector": "parts",
    "sequence_mask": "days",
    "sequence_length": "days",
    "state": "size",
}
FEATURES = [
    {"name": "code", "placement": "candidate", "dtype": "int64"},
    {"name": "day", "placement": "candidate", "dtype": "timestamp"},
    {
        "name": "days",
        "placement": "candidate",
        "dtype": "timestamp",
        "list": {"max_length": 2, "keep": "last"},
    },
    {"name": "size", "placement": "candidate", "dtype": "float32", "missing": {"policy": "own_row"}},
    {"name": "parts", "placement": "candidate", "dtype": "float64", "vector": {"length": 2}},
]


@pytest.mark.parametrize("kind", list(_yaml.KINDS))
def test_every_kind_can_be_written_with_every_key(kind: str) -> None:
    keys = [field.name for field in dataclasses.fields(_yaml.KINDS[kind])]
    given = {key: VALUES.get(key, READ.get(kind, "day")) for key in keys}
    if kind == "vector":
        given |= {"mean": [0, 1.5], "scale": [1, 2]}
    if kind == "matrix":
        given["features"] = ["code"]
    rest = [
        {"kind": "hash", "name": "code", "feature": "code", "buckets": 5},
        {"kind": "time_part", "name": "day", "feature": "day", "part": "day_of_week"},
        {"kind": "time_part", "name": "days", "feature": "days", "part": "day_of_week"},
        {"kind": "state", "name": "size", "feature": "size"},
        {"kind": "vector", "name": "parts", "feature": "parts"},
    ]
    front = read_front_yaml(yaml.safe_dump({"features": FEATURES, "transforms": [*rest, {"kind": kind, **given}]}))
    built = front.transforms[-1]
    assert type(built) is _yaml.KINDS[kind]
    hints = typing.get_type_hints(type(built))
    for key in keys:
        got, wanted = getattr(built, key), given[key]
        if key == "vocabulary":
            assert got == Vocabulary("x", "int64", (1, 5))
        else:
            assert got == (tuple(wanted) if isinstance(wanted, list) else wanted)
            assert hints[key] is not float or type(got) is float


ITEM = "features: [{name: item, placement: candidate, dtype: string}]\n"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("5", ["the document: is 5"]),
        ("[", ["not YAML"]),
        ("features: []\nfeatures: []", ["line 1: the key 'features' is given twice"]),
        ("feature: []", ["the document: has the unknown key 'feature'; did you mean 'features'?", "lacks", "lacks"]),
        ("features: {}\ntransforms: 5", ["features: is a mapping", "transforms: is 5"]),
        (ITEM + "transforms: [lookup]", ["transforms[0]: must be a mapping whose kind is one of"]),
        (ITEM + "transforms: [{kind: lokup}]", ["did you mean 'lookup'?"]),
        (ITEM + "transforms: [{kind: [lookup]}]", ["not a list of 1"]),
        (
            ITEM + "transforms: [{kind: hash, feature: item, bucket: 7}]",
            ["unknown key 'bucket'; did you mean 'buckets'?", "lacks the key 'name'", "lacks the key 'buckets'"],
        ),
        (ITEM + "transforms: [{kind: hash, name: 5, feature: item, buckets: '7'}]", [".name: is 5; text", ".buckets:"]),
        (ITEM + "transforms: [{kind: hash, name: i, feature: item, buckets: true}]", ["buckets: is True; an integer"]),
        (
            ITEM + "transforms: [{kind: hash, name: i, feature: item, buckets: 0}]",
            ["transforms[0] (HashBuckets 'i'): buckets is 0"],
        ),
        (
            ITEM + "transforms: [{kind: hash, name: a b, feature: item, buckets: 1}]",
            ["transforms[0] (HashBuckets 'a b'): the name is"],
        ),
        (ITEM + "transforms: [{kind: lookup, name: i, feature: item, vocabulary: w}]", ["no vocabulary 'w'"]),
        (ITEM + "transforms: [{kind: lookup, name: i, feature: item, vocabulary: {}}]", ["give either entries"]),
        (ITEM + "transforms: [{kind: lookup, name: i, feature: item, vocabulary: [a]}]", ["is a list of 1; a mapping"]),
        (
            ITEM + "transforms: [{kind: lookup, name: i, feature: item, vocabulary: {entries: [no, 1, a, a]}}]",
            ["transforms[0].vocabulary: vocabulary 'i': entry False is no string", "entry 1 is no string"],
        ),
        (
            ITEM + "transforms: [{kind: lookup, name: i, feature: item, vocabulary: {entries: [a], oov_buckets: 0}}]",
            ["oov_buckets is 0"],
        ),
        (
            ITEM + "transforms: [{kind: lookup, name: i, feature: item, vocabulary: {dtype: int64, entries: [1]}}]",
            ["transforms[0] (Lookup 'i'): feature 'item' is string; this transform takes int64"],
        ),
        (
            ITEM + "vocabularies: {w: {entries: [a]}, v: {dtype: bool, entries: [true]}}\n"
            "transforms: [{kind: lookup, name: i, feature: item, vocabulary: w}]",
            ["vocabularies.w: lacks the key 'dtype'", "vocabularies.v.dtype: is 'bool'", "'w' could not be read"],
        ),
        (
            "features: [{name: x, placement: candidate, dtype: float32}]\n"
            "transforms: [{kind: clip, name: x, feature: x, low: a, high: 2},"
            " {kind: standardise, name: y, feature: x, mean: 0, scale: 1, clip: [1, 2, 3]},"
            " {kind: bucketize, name: z, feature: x, boundaries: [1, b]},"
            " {kind: number, name: w, feature: x, dtype: float16}]",
            [
                "transforms[0].low: is 'a'; a number is required",
                "transforms[1].clip: has 3 elements",
                "transforms[2].boundaries[1]: is 'b'",
                "transforms[3].dtype: is 'float16'; allowed: float32, float64, int64",
            ],
        ),
        (
            "features: [{name: x, placement: candidate, dtype: float32, unseen: {policy: error}},"
            " {name: y, placement: candidate, dtype: string, unseen: {policy: default}}]\ntransforms: [7]",
            ["features[1].unseen: lacks the field 'value'", "transforms[0]: must be"],
        ),
        (
            "features: [{name: x, placement: candidate, dtype: float32, unseen: {policy: error}}]\ntransforms: []",
            ["features[0].unseen.policy: is error for float32"],
        ),
        (
            "features: [{name: x, placement: candidate, dtype: int64, unseen: {policy: error}},"
            " {name: y, placement: context, dtype: bool}]\n"
            "transforms: [{kind: hash, name: x, feature: x, buckets: 3}]",
            [
                "features[0] ('x'): has the unseen policy error, but no Lookup",
                "features[1] ('y'): is read by no transform",
            ],
        ),
    ],
)
def test_problems_are_all_reported_with_their_places(text: str, problems: list[str]) -> None:
    with pytest.raises(TransformError) as caught:
        read_front_yaml(text)
    found = caught.value.problems
    assert len(found) == len(problems), found
    for expected, problem in zip(problems, found, strict=True):
        assert expected in problem, found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"242\r\n302\r\n", "line 1: ends with a carriage return"),
        (b"\xef\xbb\xbf242\n", "line 1: begins with a byte order mark"),
        (b"242\n\n302\n", "line 2: is empty"),
        (b"242\n\n", "line 2: is empty"),
        (b"", "line 1: is empty"),
        (b"\xff\n", "not UTF-8"),
        (b"242\n242\n", "share the key"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_vocabulary_file_is_read_strictly(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = folder(tmp_path)
    file = tmp_path / "items.txt"
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(TransformError, match=message):
        read_front_yaml(path)


def test_a_vocabulary_file_of_integers_holds_integers_only(tmp_path: Path) -> None:
    text = (
        "features: [{name: code, placement: candidate, dtype: int64}]\n"
        "transforms: [{kind: lookup, name: code, feature: code, vocabulary: {file: items.txt}}]"
    )
    path = folder(tmp_path, text)
    (tmp_path / "items.txt").write_text("-5\n0\n9223372036854775807", "utf-8")
    [lookup] = read_front_yaml(path).transforms
    assert isinstance(lookup, Lookup)
    assert lookup.vocabulary.entries == (-5, 0, 2**63 - 1)
    for line, message in (("1.0", "is no integer"), ("+1", "is no integer"), ("9223372036854775808", "is no int64")):
        (tmp_path / "items.txt").write_text(line, "utf-8")
        with pytest.raises(TransformError, match=message):
            read_front_yaml(path)
    path.write_text(text.replace("items.txt", "/items.txt"), "utf-8")
    with pytest.raises(TransformError, match="a path relative to the YAML file"):
        read_front_yaml(path)
    path.write_bytes(b"\xff")
    with pytest.raises(TransformError, match=r"schema\.yaml is not UTF-8"):
        read_front_yaml(path)


def test_a_number_is_refused_where_it_would_be_rounded() -> None:
    text = "features: [{name: x, placement: candidate, dtype: float64}]\ntransforms: "
    with pytest.raises(TransformError, match=r"'x' is float64; this transform takes float32"):
        read_front_yaml(text + "[{kind: number, name: x, feature: x, dtype: float32}]")
    front = read_front_yaml(text + "[{kind: number, name: x, feature: x, dtype: float64}]")
    assert front.transforms == (Number("x", "x", "float64"),)


@pytest.mark.parametrize(("clip", "expected"), [("", 249.5), (", clip: [-10, 10]", 10.0)])
def test_only_a_written_clip_clips(clip: str, expected: float) -> None:
    """(1000 - 2) / 4 = 249.5, by hand; Python's Standardise, whose numbers are fitted, clips at 10 by default."""
    front = read_front_yaml(
        "features: [{name: x, placement: candidate, dtype: float64}]\n"
        f"transforms: [{{kind: standardise, name: x, feature: x, mean: 2, scale: 4{clip}}}]"
    )
    request = read_request(b'{"context": {}, "candidates": [{"x": 1000}]}', front.schema, max_candidates=1)
    assert front.encode(pack(request, front.packing))["x"].tolist() == [expected]


def test_what_is_no_yaml_is_told_without_the_parsers_word_for_a_text() -> None:
    with pytest.raises(TransformError, match="not YAML") as caught:
        read_front_yaml("features: [\n  a: }")
    assert "unicode string" not in str(caught.value)
    assert "at line 2, column" in str(caught.value)
