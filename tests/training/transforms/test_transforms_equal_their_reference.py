"""Every transform against a naive reference in plain Python, over random requests: the bits must be equal.

The reference knows nothing of blocks, states or ONNX: it starts from the values of the request. Log1p alone is compared
with a tolerance (2 units in the last place), because its logarithm belongs to the runtime.
"""

import bisect
import datetime
import json
import math
import struct
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinrank.training.schema import Feature, ListSpec, Packing, Policy, Schema, pack, read_request
from twinrank.training.transforms import (
    Bucketize,
    Clip,
    Cross,
    DayOfWeek,
    Elapsed,
    FrontGraph,
    HashBuckets,
    HourOfDay,
    Log1p,
    Lookup,
    SequenceLength,
    SequenceMask,
    Standardise,
    State,
    Vocabulary,
)

MIN, MAX = -(2**63), 2**63 - 1
OWN, THREE = Policy("own_row"), ListSpec(3, "last")
SCHEMA = Schema(
    (
        Feature("now", "context", "timestamp", missing=OWN),
        Feature("user", "context", "string", missing=OWN, invalid=Policy("default", "u2")),
        Feature("seen", "context", "string", THREE, "history"),
        Feature("seen_at", "context", "timestamp", THREE, "history"),
        Feature("stars", "context", "float32", THREE, "history", nonfinite=True),
        Feature("item", "candidate", "string", missing=Policy("default", "b"), invalid=OWN),
        Feature("code", "candidate", "int64", missing=OWN, invalid=OWN),
        Feature("codes", "candidate", "int64", ListSpec(3, "first")),
        Feature("price", "candidate", "float32", nonfinite=True, missing=Policy("default", 1.5), invalid=OWN),
        Feature("size", "candidate", "float64", missing=OWN, invalid=Policy("default", -3)),
        Feature("sizes", "candidate", "float64", ListSpec(2, "last"), missing=Policy("default", ())),
        Feature("ratio", "candidate", "float64", nonfinite=True, missing=Policy("default", "NaN")),
        Feature("new", "candidate", "bool", missing=OWN),
        Feature("made", "candidate", "timestamp", invalid=OWN),
        Feature("tags", "candidate", "string", ListSpec(3, "first"), missing=Policy("default", ())),
    )
)
WORDS = ["a", "b", "c", "", "a\0", "\U0001f600", "e\u0301", "\u00e9"]
ITEMS = Vocabulary("item", "string", ("b", "", "\U0001f600", "a\0"))
USERS = Vocabulary("user", "string", ("u1", "u2"))
CODES = Vocabulary("code", "int64", (0, MIN, MAX, -1, 5))
WEEK = 7 * 86_400_000
TRANSFORMS = (
    Lookup("user", "user", USERS),
    Lookup("seen", "seen", ITEMS),
    Lookup("item", "item", ITEMS),
    Lookup("tags", "tags", ITEMS),
    Lookup("code", "code", CODES),
    Lookup("codes", "codes", CODES),
    HashBuckets("user_bucket", "user", 7),
    HashBuckets("code_bucket", "code", 1 << 31, seed=2**64 - 1),
    HashBuckets("codes_bucket", "codes", 1),
    HashBuckets("new_bucket", "new", 3, seed=9),
    HashBuckets("seen_bucket", "seen", 1000, seed=1),
    Cross("item_code", ("item", "code"), 1009),
    Cross("code_item", ("code", "item"), 1009),
    Cross("user_item", ("user", "item"), 100, seed=3),
    Cross("user_tags", ("user", "tags"), 100),
    Cross("seen_when", ("seen", "seen_at"), 50),
    Cross("now_code_new", ("now", "code", "new"), 50),
    Bucketize("price_b", "price", (-1.0, 0.1, 2, 1e30)),
    Bucketize("size_b", "size", (0.0, 1e-300, 5.5)),
    Bucketize("sizes_b", "sizes", (0.5,)),
    Bucketize("ratio_b", "ratio", (0.0,)),
    Bucketize("stars_b", "stars", (2.5, 3.5)),
    Bucketize("code_b", "code", (MIN, -1, 0, 2**53, 2**53 + 1, MAX)),
    Bucketize("codes_b", "codes", (2**53 + 1,)),
    Bucketize("new_b", "new", (1,)),
    Bucketize("made_b", "made", (0, 1_700_000_000_000)),
    Standardise("price_s", "price", 1.25, 3.0),
    Standardise("size_s", "size", -0.1, 1e-3, (-1e30, 1e30)),
    Standardise("code_s", "code", 3.0, 7.0, (-5.5, 0.0)),
    Standardise("new_s", "new", 0.5, 0.5),
    Standardise("stars_s", "stars", 3.0, 1.0),
    Clip("size_c", "size", 0.0, 1e30),
    Clip("ratio_c", "ratio", -1.0, 0.0),
    Clip("codes_c", "codes", -1e19, 1e19),
    Log1p("price_l", "price"),
    Log1p("size_l", "size"),
    Log1p("code_l", "code"),
    Log1p("sizes_l", "sizes"),
    Elapsed("seen_age", "now", "seen_at", (MIN, -1, 0, 1000, MAX)),
    Elapsed("item_age", "now", "made", (0, 86_400_000, MAX)),
    HourOfDay("hour", "now"),
    HourOfDay("made_hour", "made"),
    HourOfDay("seen_hour", "seen_at"),
    DayOfWeek("day", "now"),
    DayOfWeek("made_day", "made"),
    SequenceMask("seen_mask", "stars"),
    SequenceMask("tags_mask", "tags"),
    SequenceLength("seen_length", "seen"),
    SequenceLength("codes_length", "codes"),
    State("item_state", "item"),
    State("tags_state", "tags"),
)
FRONT = FrontGraph(SCHEMA, TRANSFORMS)
PACKING = Packing.of(SCHEMA)
BAD: dict[str, str] = {"no": "value"}
SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def single(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def typed(feature: Feature, value: Any) -> Any:
    if feature.dtype == "string":
        return int.from_bytes(xxhash.xxh3_64_digest(value.encode()), "big", signed=True)
    if feature.dtype.startswith("float"):
        number = float(SPECIAL.get(value, value))
        return single(number) if feature.dtype == "float32" else number
    return int(value)


def operand(feature: Feature, row: dict[str, Any]) -> Any:
    """A list of typed values, a typed value, or the word `missing` or `invalid` where that has a row of its own."""
    given_ = row.get(feature.name)
    if feature.list is not None:
        limit = feature.list.max_length
        elements = given_ or []
        cut = elements[:limit] if feature.list.keep == "first" else elements[max(0, len(elements) - limit) :]
        return [typed(feature, element) for element in cut]
    for word, policy, applies in (
        ("missing", feature.missing, given_ is None),
        ("invalid", feature.invalid, given_ is BAD),
    ):
        if applies:
            return word if policy.policy == "own_row" else typed(feature, policy.value)
    return typed(feature, given_)


def mix(state: int) -> int:
    """SplitMix64's next(), as in the reference C by Sebastiano Vigna, on Python integers."""
    mask = 2**64 - 1
    state = (state + 0x9E3779B97F4A7C15) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return state ^ (state >> 31)


def core(transform: Any, values: list[Any]) -> Any:
    """The transform of values that are all there."""
    if isinstance(transform, HashBuckets | Cross):
        state = transform.seed
        for value in values:
            state = mix(state ^ (value % 2**64))
        return state % transform.buckets
    if isinstance(transform, Bucketize):
        return bisect.bisect_right(transform.boundaries, values[0])
    if isinstance(transform, Elapsed):
        return bisect.bisect_right(transform.boundaries, min(MAX, max(MIN, values[0] - values[1])))
    if isinstance(transform, HourOfDay):
        return values[0] // 3_600_000 % 24
    if isinstance(transform, DayOfWeek):
        return (values[0] // 86_400_000 + 3) % 7
    number = float(values[0])
    if isinstance(transform, Standardise):
        number = (number - transform.mean) / transform.scale
        low, high = transform.clip
    elif isinstance(transform, Clip):
        low, high = transform.low, transform.high
    else:
        low, high = 0.0, 3.4028234663852886e38
    number = low if number < low else high if number > high else number
    return single(math.log(single(1 + single(number)))) if isinstance(transform, Log1p) else single(number)


def cell(transform: Any, values: list[Any]) -> Any:
    """One encoded number: rows for missing, invalid and NaN come first, and only where the features have them."""
    features = [SCHEMA.feature(name) for name in transform.inputs]
    if isinstance(transform, Lookup):
        sharing = [
            SCHEMA.feature(other.feature)
            for other in TRANSFORMS
            if isinstance(other, Lookup) and other.vocabulary == transform.vocabulary
        ]
        first = 1
        for word, policies in (("missing", [f.missing for f in sharing]), ("invalid", [f.invalid for f in sharing])):
            if any(policy.policy == "own_row" for policy in policies):
                if values[0] == word:
                    return first
                first += 1
        keys = [typed(features[0], entry) for entry in transform.vocabulary.entries]
        return first + keys.index(values[0]) if values[0] in keys else 0
    number = isinstance(transform, Standardise | Clip | Log1p)
    row = 0
    for word, policies in (("missing", [f.missing for f in features]), ("invalid", [f.invalid for f in features])):
        if any(policy.policy == "own_row" for policy in policies):
            if word in values:
                return 0.0 if number else row
            row += 1
    if not isinstance(transform, HashBuckets | Cross | Elapsed | HourOfDay | DayOfWeek) and features[0].nonfinite:
        if math.isnan(values[0]):
            return 0.0 if number else row
        row += 1
    return core(transform, values) if number else row + core(transform, values)


def encode(transform: Any, context: dict[str, Any], candidate: dict[str, Any]) -> Any:
    features = [SCHEMA.feature(name) for name in transform.inputs]
    rows = [context if feature.placement == "context" else candidate for feature in features]
    if isinstance(transform, State):
        given_ = rows[0].get(transform.feature)
        return 0 if given_ is None else 2 if given_ is BAD else 1
    operands = [operand(feature, row) for feature, row in zip(features, rows, strict=True)]
    if isinstance(transform, SequenceLength):
        return len(operands[0])
    lists = [
        (feature.list.max_length, value) for feature, value in zip(features, operands, strict=True) if feature.list
    ]
    if not lists:
        return cell(transform, operands)
    limit, elements = lists[0]
    if isinstance(transform, SequenceMask):
        return [1.0] * len(elements) + [0.0] * (limit - len(elements))
    cells = [
        cell(transform, [value[position] if isinstance(value, list) else value for value in operands])
        for position in range(len(elements))
    ]
    return cells + [0] * (limit - len(elements))


TIMES = st.integers(MIN, MAX) | st.integers(-2 * WEEK, 2 * WEEK) | st.sampled_from([MIN, MAX, -1, 0, 1000, 86_400_000])
INTS = st.integers(MIN, MAX) | st.sampled_from([MIN, MIN + 1, -1, 0, 1, 5, 2**53, 2**53 + 1, MAX - 1, MAX])
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [-0.0, 0.0, 0.1, 0.5, 5.5, -1.0, 1e-300, 5e-324]
)
SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([-0.0, -1.0, 2.0, 1e-45])
STRINGS = st.sampled_from(WORDS)


def values_of(feature: Feature) -> st.SearchStrategy[Any]:
    by_dtype = {
        "timestamp": TIMES,
        "int64": INTS,
        "float64": FLOATS,
        "float32": SINGLES,
        "bool": st.booleans(),
        "string": st.sampled_from(["u1", "u2", "u3"]) if feature.name == "user" else STRINGS,
    }
    values = by_dtype[feature.dtype]
    return values | st.sampled_from(list(SPECIAL)) if feature.nonfinite else values


@st.composite
def rows(draw: st.DrawFn, placement: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    length = draw(st.integers(0, 5))
    for feature in SCHEMA.features:
        if feature.placement != placement:
            continue
        value = values_of(feature)
        if feature.group is not None:
            row[feature.name] = draw(st.lists(value, min_size=length, max_size=length))
            continue
        choices = [st.lists(value, max_size=5) if feature.list else value]
        if feature.missing.policy != "error":
            choices.append(st.none())
        if feature.invalid.policy != "error":
            choices.append(st.just(BAD))
        row[feature.name] = draw(st.one_of(choices))
    return row


def blocks_of(context: dict[str, Any], candidates: list[dict[str, Any]]) -> dict[str, Any]:
    raw = json.dumps({"context": context, "candidates": candidates}).encode()
    return pack(read_request(raw, SCHEMA, max_candidates=100), PACKING)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(rows("context"), st.lists(rows("candidate"), min_size=0, max_size=4))
def test_the_graph_equals_the_reference(context: dict[str, Any], candidates: list[dict[str, Any]]) -> None:
    encoded = FRONT.encode(blocks_of(context, candidates))
    assert list(encoded) == [transform.name for transform in TRANSFORMS]
    for transform, spec in zip(TRANSFORMS, FRONT.outputs, strict=True):
        got = encoded[spec.name]
        over = candidates if spec.placement == "candidate" else [{}]
        expected = [encode(transform, context, candidate) for candidate in over]
        array = np.array(expected, dtype=spec.dtype).reshape(len(over), *spec.shape[1:])
        assert (got.dtype, got.shape) == (array.dtype, array.shape), spec
        if isinstance(transform, Log1p):
            np.testing.assert_array_max_ulp(got, array, maxulp=2)
        else:
            assert got.tobytes() == array.tobytes(), (spec, got, array)
        if spec.cardinality is not None and got.size:
            assert 0 <= got.min() <= got.max() < spec.cardinality


def test_mix_is_the_published_splitmix64() -> None:
    # The first outputs for seed 1234567 (the reference C; also listed at Rosetta Code, "Splitmix64").
    seeds = [(1234567 + step * 0x9E3779B97F4A7C15) % 2**64 for step in range(5)]
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert [mix(seed) for seed in seeds] == published
    schema = Schema((Feature("x", "candidate", "int64"),))
    front = FrontGraph(schema, [HashBuckets("x", "x", 1 << 31)])
    keys = np.array([[seed - 2**64 if seed >> 63 else seed] for seed in seeds], dtype=np.int64)
    assert front.encode({"candidate.i64": keys})["x"].tolist() == [value % 2**31 for value in published]


@pytest.mark.parametrize("seed", range(3))
def test_hours_and_weekdays_are_the_calendars(seed: int) -> None:
    schema = Schema((Feature("t", "candidate", "timestamp"),))
    front = FrontGraph(schema, [HourOfDay("hour", "t"), DayOfWeek("day", "t")])
    # Years 1 to 9999, so mostly before 1970.
    times = np.random.default_rng(seed).integers(-62_135_596_800_000, 253_402_300_799_999, size=(500, 1))
    encoded = front.encode({"candidate.i64": times})
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    moments = [epoch + datetime.timedelta(milliseconds=int(time)) for time in times[:, 0]]
    assert encoded["hour"].tolist() == [moment.hour for moment in moments]
    assert encoded["day"].tolist() == [moment.weekday() for moment in moments]
