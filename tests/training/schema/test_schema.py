"""The schema as a value: all problems at once, both forms, lookups."""

import json

import pytest

from twinrank.training.schema import Feature, ListSpec, Packing, Policy, Schema, SchemaError, VectorSpec

GOOD = Schema(
    (
        Feature("user", "context", "string"),
        Feature("seen", "context", "string", ListSpec(50, "last"), "history"),
        Feature("age", "context", "float32", missing=Policy("own_row"), invalid=Policy("default", 0.1)),
        Feature("rated", "context", "timestamp", ListSpec(50, "last"), "history", invalid=Policy("default", ())),
        Feature("price", "candidate", "float64", nonfinite=True, missing=Policy("default", "NaN")),
    )
)


def test_a_schema_survives_its_manifest_form() -> None:
    document = json.loads(json.dumps(GOOD.to_json()))
    assert Schema.from_json(document) == GOOD
    assert document["features"][3] == {
        "name": "rated",
        "placement": "context",
        "dtype": "timestamp",
        "list": {"max_length": 50, "keep": "last"},
        "group": "history",
        "missing": {"policy": "error"},
        "invalid": {"policy": "default", "value": []},
    }


def test_a_schema_finds_its_parts() -> None:
    assert [feature.name for feature in GOOD.context] == ["user", "seen", "age", "rated"]
    assert [feature.name for feature in GOOD.candidate] == ["price"]
    assert [member.name for member in GOOD.groups("context")["history"]] == ["seen", "rated"]
    assert GOOD.groups("candidate") == {}
    assert GOOD.feature("age").has_state
    assert not GOOD.feature("user").has_state
    assert GOOD.feature("age").default_of(GOOD.feature("age").invalid) == 0.10000000149011612
    with pytest.raises(KeyError, match="no feature"):
        GOOD.feature("nobody")


def test_a_packing_finds_its_blocks() -> None:
    assert Packing.of(GOOD).block("context.history.i64").shape == (1, 50, 2)
    with pytest.raises(KeyError, match="no block"):
        Packing.of(GOOD).block("context.f64")


def test_all_problems_are_listed_with_their_paths() -> None:
    with pytest.raises(SchemaError) as caught:
        Schema(
            (
                Feature("1st", "context", "int32", missing=Policy("default", 5)),  # type: ignore[arg-type]
                Feature("a", "somewhere", "int64", ListSpec(0, "middle")),  # type: ignore[arg-type]
                Feature("a", "context", "string", nonfinite=True, invalid=Policy("own_row", "x")),
            )
        )
    assert [problem.path for problem in caught.value.problems] == [
        "features[0].name",
        "features[0].dtype",
        "features[1].placement",
        "features[1].list.max_length",
        "features[1].list.keep",
        "features[2].nonfinite",
        "features[2].invalid.value",
        "features[2].name",
        "features",
    ]
    text = str(caught.value)
    assert "features[1].list.max_length: is 0; an integer from 1 to 4096 is required" in text


def test_all_problems_of_the_manifest_form_are_listed() -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.from_json({"features": [5, {"name": 3, "placement": "context", "unit": "m"}], "more": 1})
    assert [problem.path for problem in caught.value.problems] == [
        "schema",
        "features[0]",
        "features[1]",
        "features[1]",
        "features[1]",
        "features[1]",
        "features[1].name",
    ]


def test_vectors_and_unseen_policies_survive_the_manifest_form() -> None:
    schema = Schema(
        (
            Feature("face", "candidate", "float32", vector=VectorSpec(2), missing=Policy("default", (0.1, 7))),
            Feature(
                "wide",
                "candidate",
                "float64",
                nonfinite=True,
                vector=VectorSpec(1),
                invalid=Policy("default", ("NaN",)),
            ),
            Feature("item", "candidate", "string", unseen=Policy("error")),
            Feature("tags", "candidate", "int64", ListSpec(2, "last"), unseen=Policy("default", -5)),
        )
    )
    document = json.loads(json.dumps(schema.to_json()))
    assert Schema.from_json(document) == schema
    assert document["features"][0] == {
        "name": "face",
        "placement": "candidate",
        "dtype": "float32",
        "vector": {"length": 2},
        "missing": {"policy": "default", "value": [0.1, 7]},
        "invalid": {"policy": "error"},
    }
    assert [feature.get("unseen") for feature in document["features"]] == [
        None,
        None,
        {"policy": "error"},
        {"policy": "default", "value": -5},
    ]
    # float32 rounds each component; an unseen value is one element, of a list too.
    face, _, _, tags = schema.features
    assert face.default_of(face.missing) == (0.10000000149011612, 7.0)
    assert tags.default_of(tags.unseen) == -5


def test_what_says_nothing_is_read_and_not_written() -> None:
    feature = {
        "name": "x",
        "placement": "candidate",
        "dtype": "float32",
        "missing": {"policy": "error"},
        "invalid": {"policy": "error"},
    }
    schema = Schema.from_json({"features": [feature | {"unseen": {"policy": "own_row"}, "nonfinite": False}]})
    assert schema.to_json() == {"features": [feature]}
    assert schema.features[0].unseen == Policy("own_row") == Feature("y", "candidate", "string").unseen


def test_a_default_that_is_not_finite_is_written_as_its_word() -> None:
    for value, word in ((float("nan"), "NaN"), (float("inf"), "Infinity"), (float("-inf"), "-Infinity")):
        assert Policy("default", value).to_json()["value"] == word
        assert Policy("default", (value, 1)).to_json()["value"] == [word, 1]


def test_problems_of_vectors_and_unseen_policies_have_their_paths() -> None:
    with pytest.raises(SchemaError) as caught:
        Schema(
            (
                Feature("a", "candidate", "string", vector=VectorSpec(0), unseen=Policy("default")),
                Feature(
                    "b", "candidate", "int64", ListSpec(2, "last"), "g", vector=VectorSpec(2), unseen=Policy("drop")
                ),  # type: ignore[arg-type]
                Feature("c", "candidate", "float32", vector=VectorSpec(2), missing=Policy("default", (1, "x", 1e39))),
                Feature("d", "candidate", "float32", vector=VectorSpec(3), missing=Policy("default", (1, "x", 1e39))),
                Feature("e", "candidate", "float32", vector=VectorSpec(3), invalid=Policy("own_row"), unseen=Policy()),
                Feature("f", "candidate", "int64", unseen=Policy("error", 5)),
            )
        )
    assert [problem.path for problem in caught.value.problems] == [
        "features[0].vector.length",
        "features[0].vector",
        "features[0].unseen.value",
        "features[1].vector",
        "features[1].unseen.policy",
        "features[2].missing.value",
        "features[3].missing.value[1]",
        "features[3].missing.value[2]",
        "features[4].invalid.policy",
        "features[4].unseen.policy",
        "features[5].unseen.value",
    ]
