"""Every transform against a naive reference in plain Python, over random requests: the bits must be equal.

The reference knows nothing of blocks, states or ONNX: it starts from the values of the request. Log1p alone is compared
with a tolerance (2 units in the last place), because its logarithm belongs to the runtime.
"""

import bisect
import calendar
import datetime
import json
import math
import struct
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinrank.training.schema import Feature, ListSpec, Packing, Policy, Schema, VectorSpec, pack, read_request
from twinrank.training.transforms import (
    Bucketize,
    Clip,
    Cross,
    CyclicTime,
    Elapsed,
    FrontGraph,
    HashBuckets,
    Log1p,
    Lookup,
    Number,
    SequenceLength,
    SequenceMask,
    Standardise,
    State,
    TimePart,
    Vector,
    Vocabulary,
)
from twinrank.training.transforms._calendar import circle

MIN, MAX = -(2**63), 2**63 - 1
PARTS: tuple[Any, ...] = ("hour_of_day", "minute_of_day", "day_of_week", "day_of_year")
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
        Feature("shop", "context", "int64", missing=OWN, invalid=Policy("default", 9), unseen=Policy("error")),
        Feature("brand", "candidate", "string", missing=Policy("default", "c"), invalid=OWN, unseen=Policy("error")),
        Feature("kind", "candidate", "string", missing=OWN, unseen=Policy("default", "")),
        Feature(
            "kinds",
            "candidate",
            "int64",
            ListSpec(3, "last"),
            missing=Policy("default", ()),
            invalid=Policy("default", ()),
            unseen=Policy("error"),
        ),
        Feature("words", "context", "string", THREE, "history", unseen=Policy("default", "b")),
        Feature(
            "face",
            "candidate",
            "float32",
            vector=VectorSpec(3),
            missing=Policy("default", (0.1, -1, 7)),
            invalid=Policy("default", (1e-45, 0, -0.0)),
        ),
        Feature(
            "wide", "context", "float64", vector=VectorSpec(2), nonfinite=True, missing=Policy("default", (1, "NaN"))
        ),
        Feature("ints", "candidate", "int64", vector=VectorSpec(2)),
    )
)
WORDS = ["a", "b", "c", "", "a\0", "\U0001f600", "e\u0301", "\u00e9"]
ITEMS = Vocabulary("item", "string", ("b", "", "\U0001f600", "a\0"))
USERS = Vocabulary("user", "string", ("u1", "u2"))
CODES = Vocabulary("code", "int64", (0, MIN, MAX, -1, 5))
SHOPS = Vocabulary("shop", "int64", (9, -4, MAX), 5)
FEW = Vocabulary("few", "string", ("a", "b"))
MORE = Vocabulary("more", "string", ("b", "c", "", "\U0001f600"), 3)
ONES = Vocabulary("ones", "int64", (1, 2, 3), 1)
BIG = 3.4028234663852886e38
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
    TimePart("hour", "now", "hour_of_day"),
    TimePart("made_hour", "made", "hour_of_day"),
    TimePart("seen_hour", "seen_at", "hour_of_day"),
    TimePart("day", "now", "day_of_week"),
    TimePart("made_day", "made", "day_of_week"),
    SequenceMask("seen_mask", "stars"),
    SequenceMask("tags_mask", "tags"),
    SequenceLength("seen_length", "seen"),
    SequenceLength("codes_length", "codes"),
    State("item_state", "item"),
    State("tags_state", "tags"),
    State("face_state", "face"),
    Lookup("shop", "shop", SHOPS),
    Lookup("brand", "brand", FEW),
    Lookup("brand_again", "brand", MORE),
    Lookup("brand_twice", "brand", MORE),
    Lookup("kind", "kind", MORE),
    Lookup("kinds", "kinds", ONES),
    Lookup("words", "words", FEW),
    Number("price_n", "price", "float32"),
    Number("price_w", "price", "float64"),
    Number("size_n", "size", "float64"),
    Number("stars_n", "stars", "float64"),
    Number("code_n", "code", "int64"),
    Number("seen_at_n", "seen_at", "int64"),
    Number("new_n", "new", "int64"),
    Vector("face", "face"),
    Vector("face_s", "face", (0.5, -1.0, 0.0), (2.0, 1e-3, 3.0), (-10.0, 10.0)),
    Vector("face_c", "face", clip=(-0.5, 1.0)),
    Vector("wide", "wide"),
    Vector("wide_s", "wide", (0.1, 0.2), (0.3, 0.7), (-10.0, 10.0)),
    Vector("ints", "ints"),
    *(TimePart(f"now_{part}", "now", part) for part in PARTS),
    *(TimePart(f"made_{part}", "made", part, 345) for part in PARTS),
    *(TimePart(f"seen_{part}", "seen_at", part, -720) for part in PARTS),
    *(CyclicTime(f"now_{part}_c", "now", part, 1080) for part in PARTS),
    *(CyclicTime(f"made_{part}_c", "made", part) for part in PARTS),
)
FRONT = FrontGraph(SCHEMA, TRANSFORMS)
COUNTER = ort.InferenceSession(FRONT.to_onnx().SerializeToString(), providers=["CPUExecutionProvider"])
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


def day_of_year(days: int) -> int:
    """By counting: whole cycles of 400 years away, then year by year with the calendar module's leap years."""
    days = (days + 719_162) % 146_097  # since 0001-01-01, from which 400 years repeat
    year = 1
    while days >= 365 + calendar.isleap(year):
        days -= 365 + calendar.isleap(year)
        year += 1
    return days


def time_part(transform: Any, time: int) -> int:
    """Floor division of Python's unbounded integers, on local time."""
    local = time + transform.offset_minutes * 60_000
    days, within = divmod(local, 86_400_000)
    if transform.part == "day_of_week":
        return (days + 3) % 7
    if transform.part == "day_of_year":
        return day_of_year(days)
    return within // {"hour_of_day": 3_600_000, "minute_of_day": 60_000}[transform.part]


def point(transform: Any, time: int) -> list[float]:
    """Sine and cosine by the C library; compared with a tolerance, the table itself has a test of its own."""
    period = {"hour_of_day": 24, "minute_of_day": 1440, "day_of_week": 7, "day_of_year": 366}[transform.part]
    angle = 2 * math.pi * time_part(transform, time) / period
    return [math.sin(angle), math.cos(angle)]


def vector_of(transform: Any, feature: Feature, row: dict[str, Any]) -> list[float]:
    given_ = row.get(feature.name)
    policy = feature.missing if given_ is None else feature.invalid if given_ is BAD else None
    numbers = [typed(feature, value) for value in (given_ if policy is None else policy.value)]  # type: ignore[union-attr]
    low, high = transform.clip
    out = []
    for index, number in enumerate(map(float, numbers)):
        if transform.mean:
            number = (number - transform.mean[index]) / transform.scale[index]
        number = low if number < low else high if number > high else number
        out.append(0.0 if math.isnan(number) else single(number))
    return out


def operand(feature: Feature, row: dict[str, Any]) -> Any:
    """A list of typed values, a typed value, or the word `missing` or `invalid` where that has a row of its own."""
    given_ = row.get(feature.name)
    if feature.list is not None:
        limit = feature.list.max_length
        elements = [] if given_ is None or given_ is BAD else given_
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
    if isinstance(transform, TimePart):
        return time_part(transform, values[0])
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
        spread = transform.vocabulary.oov_buckets
        first = spread
        for word, policies in (("missing", [f.missing for f in sharing]), ("invalid", [f.invalid for f in sharing])):
            if any(policy.policy == "own_row" for policy in policies):
                if values[0] == word:
                    return first
                first += 1
        keys = [typed(features[0], entry) for entry in transform.vocabulary.entries]
        unseen = features[0].unseen
        if values[0] not in keys and unseen.policy == "default":
            return first + keys.index(typed(features[0], unseen.value))
        return first + keys.index(values[0]) if values[0] in keys else mix(values[0] % 2**64) % spread
    number = isinstance(transform, Standardise | Clip | Log1p | Number)
    row = 0
    for word, policies in (("missing", [f.missing for f in features]), ("invalid", [f.invalid for f in features])):
        if any(policy.policy == "own_row" for policy in policies):
            if word in values:
                return 0.0 if number else row
            row += 1
    if isinstance(transform, Number):
        return values[0]
    if not isinstance(transform, HashBuckets | Cross | Elapsed | TimePart) and features[0].nonfinite:
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
    if isinstance(transform, Vector):
        return vector_of(transform, features[0], rows[0])
    if isinstance(transform, CyclicTime):
        time = operand(features[0], rows[0])
        return [0.0, 0.0] if isinstance(time, str) else point(transform, time)
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


def unseen_count(feature: Feature, row: dict[str, Any]) -> int:
    """How many kept values are missing from any vocabulary that reads the feature; nothing but what was sent counts."""
    given_ = row.get(feature.name)
    if given_ is None or given_ is BAD:
        return 0
    kept = operand(feature, row)
    vocabularies = [t.vocabulary for t in TRANSFORMS if isinstance(t, Lookup) and t.feature == feature.name]
    known = [{typed(feature, entry) for entry in vocabulary.entries} for vocabulary in vocabularies]
    return sum(any(value not in keys for keys in known) for value in (kept if isinstance(kept, list) else [kept]))


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
    if feature.name in ("shop", "kinds"):
        values = st.sampled_from([9, -4, MAX, 1, 2, 3, 7]) | INTS
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
        if feature.vector is not None:
            choices = [st.lists(value, min_size=feature.vector.length, max_size=feature.vector.length)]
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
    blocks = blocks_of(context, candidates)
    encoded = FRONT.encode(blocks)
    assert list(encoded) == [transform.name for transform in TRANSFORMS]
    for transform, spec in zip(TRANSFORMS, FRONT.outputs, strict=True):
        got = encoded[spec.name]
        over = candidates if spec.placement == "candidate" else [{}]
        expected = [encode(transform, context, candidate) for candidate in over]
        array = np.array(expected, dtype=spec.dtype).reshape(len(over), *spec.shape[1:])
        assert (got.dtype, got.shape) == (array.dtype, array.shape), spec
        if isinstance(transform, Log1p):
            np.testing.assert_array_max_ulp(got, array, maxulp=2)
        elif isinstance(transform, CyclicTime):
            np.testing.assert_allclose(got, array, rtol=0, atol=6e-8)
        elif isinstance(transform, Number) and spec.dtype != "int64":
            np.testing.assert_array_equal(got, array)
            assert np.array_equal(np.signbit(got), np.signbit(array) & ~np.isnan(array))
        else:
            assert got.tobytes() == array.tobytes(), (spec, got, array)
        if spec.cardinality is not None and got.size:
            assert 0 <= got.min() <= got.max() < spec.cardinality
    if not candidates:
        return  # the graph is not run on empty slates
    counted = dict(zip(FRONT.unseen_outputs, COUNTER.run(list(FRONT.unseen_outputs), blocks), strict=True))
    for placement, over in (("context", [context]), ("candidate", candidates)):
        features = [f for f in SCHEMA.features if f.placement == placement and f.unseen.policy == "error"]
        counts = counted[f"unseen.{placement}"]
        assert counts.dtype == np.int64
        assert counts.tolist() == [[unseen_count(feature, row) for feature in features] for row in over]


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
    front = FrontGraph(schema, [TimePart("hour", "t", "hour_of_day"), TimePart("day", "t", "day_of_week")])
    # Years 1 to 9999, so mostly before 1970.
    times = np.random.default_rng(seed).integers(-62_135_596_800_000, 253_402_300_799_999, size=(500, 1))
    encoded = front.encode({"candidate.i64": times})
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    moments = [epoch + datetime.timedelta(milliseconds=int(time)) for time in times[:, 0]]
    assert encoded["hour"].tolist() == [moment.hour for moment in moments]
    assert encoded["day"].tolist() == [moment.weekday() for moment in moments]


@pytest.mark.parametrize(("part", "offset"), [(part, offset) for part in PARTS for offset in (0, 90, -1080, 1080)])
def test_parts_of_a_time_are_the_calendars(part: Any, offset: int) -> None:
    schema = Schema((Feature("t", "candidate", "timestamp"),))
    front = FrontGraph(schema, [TimePart("t", "t", part, offset)])
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    days = [
        datetime.datetime(year, month, day, tzinfo=datetime.UTC)
        for year in (4, 1600, 1900, 1970, 2000, 2023, 2024)
        for month, day in ((1, 1), (2, 28), (3, 1), (12, 31))
    ]
    edges = [((day - epoch).days * 86_400_000 - offset * 60_000 + more) for day in days for more in (-1, 0, 1)]
    times = np.concatenate([np.random.default_rng(1).integers(-62_000_000_000_000, 253_000_000_000_000, 500), edges])
    zone = datetime.timezone(datetime.timedelta(minutes=offset))
    moments = [(epoch + datetime.timedelta(milliseconds=int(time))).astimezone(zone) for time in times]
    of: dict[str, Any] = {
        "hour_of_day": lambda moment: moment.hour,
        "minute_of_day": lambda moment: moment.hour * 60 + moment.minute,
        "day_of_week": lambda moment: moment.weekday(),
        "day_of_year": lambda moment: moment.timetuple().tm_yday - 1,
    }
    encoded = front.encode({"candidate.i64": times[:, None].astype(np.int64)})["t"]
    assert encoded.tolist() == [of[part](moment) for moment in moments]


@pytest.mark.parametrize("period", [7, 24, 366, 1440])
def test_the_table_of_the_circle_is_correctly_rounded(period: int) -> None:
    # numpy's long double has 64 bits of fraction on x86: enough to tell the nearest float32, if not a tie.
    angle = 2 * np.pi * np.arange(period, dtype=np.float64) / period
    table = np.array(circle(period), dtype=np.float32)
    assert np.abs(table[:, 0] - np.sin(angle)).max() < 3e-8
    assert np.abs(table[:, 1] - np.cos(angle)).max() < 3e-8
    assert np.abs(np.hypot(*table.astype(np.float64).T) - 1).max() < 6e-8
    # Symmetries of the circle hold to the bit: the second half mirrors the first, with the sine's sign turned.
    assert table[1:, 1].tolist() == table[:0:-1, 1].tolist()
    assert table[1:, 0].tolist() == (0.0 - table[:0:-1, 0]).tolist()
    if period % 4 == 0:
        quarters = table[:: period // 4].tolist()
        assert quarters == [[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]]
        assert not np.signbit(table[table == 0]).any()
    if period == 24:
        assert table[2].tolist() == [0.5, np.float32(math.sqrt(0.75))]
