"""Frames of pandas and polars: the decisions and bits of the same rows as JSON and as mappings."""

import datetime
import json
import math
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _schemas import WORDS, documents, schemas
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinrank.training.schema import (
    Feature,
    ListSpec,
    Packing,
    Policy,
    Request,
    Schema,
    ScoringError,
    VectorSpec,
    pack,
    read_request,
    request_from_frame,
    request_from_mapping,
)

POLARS = {
    "float32": pl.Float64,
    "float64": pl.Float64,
    "int64": pl.Int64,
    "timestamp": pl.Int64,
    "bool": pl.Boolean,
    "string": pl.String,
}
NULLABLE = {"int64": "Int64", "timestamp": "Int64", "bool": "boolean", "string": "string"}


def in_pandas(columns: dict[str, list[Any]], schema: Schema) -> pd.DataFrame:
    """Nullable columns where pandas has them, else objects."""
    made: dict[str, Any] = {}
    for name, values in columns.items():
        feature = schema.feature(name)
        if feature.list is not None or feature.vector is not None:
            made[name] = pd.Series(values, dtype=object)
        elif feature.dtype.startswith("float"):
            # By hand, because pandas' own constructor makes NaN missing.
            absent = np.array([value is None for value in values], dtype=bool)
            numbers = np.array([0.0 if value is None else value for value in values], dtype=np.float64)
            made[name] = pd.Series(pd.arrays.FloatingArray(numbers, absent))
        else:
            made[name] = pd.Series(values, dtype=NULLABLE[feature.dtype])
    return pd.DataFrame(made, index=range(len(next(iter(columns.values()))))) if columns else pd.DataFrame()


def in_polars(columns: dict[str, list[Any]], schema: Schema) -> pl.DataFrame:
    made = []
    for name, values in columns.items():
        feature = schema.feature(name)
        kind: Any = POLARS[feature.dtype]
        made.append(pl.Series(name, values, pl.List(kind) if feature.list or feature.vector else kind))
    return pl.DataFrame(made)


def number(feature: Feature, value: Any) -> Any:
    """Floats as a frame has them: no words, no integers."""
    if isinstance(value, list):
        return [number(feature, element) for element in value]
    return float(WORDS.get(value, value)) if value is not None and feature.dtype.startswith("float") else value


def worded(value: Any) -> Any:
    """The JSON form of what a frame has."""
    if isinstance(value, list):
        return [worded(element) for element in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def outcome(make: Any, schema: Schema) -> Any:
    """The blocks' bytes, or the code with its fields."""
    try:
        request: Request = make()
    except ScoringError as error:
        return error.code, error.feature, error.candidate
    blocks = pack(request, Packing.of(schema))
    return request.n, request.k, {name: (block.shape, block.tobytes()) for name, block in blocks.items()}


@st.composite
def spoilt(draw: st.DrawFn, schema: Schema, document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Rows of both placements with every column in every row, some values gone or worse, all of a column's type."""
    placed: dict[str, list[dict[str, Any]]] = {}
    for placement, rows in (("context", [document["context"]]), ("candidate", document["candidates"])):
        features = [feature for feature in schema.features if feature.placement == placement]
        order = draw(st.permutations(features))
        placed[placement] = [{f.name: number(f, row.get(f.name)) for f in order} for row in rows]
        for feature in features:
            for row in placed[placement]:
                worse: list[Any] = [None]
                if feature.dtype.startswith("float"):
                    worse += [math.nan, math.inf, 1e39, -3.5e38]
                if feature.list or feature.vector:
                    worse = [
                        None,
                        [],
                        [element for element in worse if element is not None] * 2,
                        (row[feature.name] or []) * 2,
                    ]
                if draw(st.integers(0, 15)) == 0:
                    row[feature.name] = draw(st.sampled_from(worse))
    return placed


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(st.data())
def test_a_frame_is_decided_and_packed_as_its_rows(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    placed = data.draw(spoilt(schema, data.draw(documents(schema))))
    k = data.draw(st.none() | st.integers(0, 5))
    bound = data.draw(st.integers(1, 4))
    [context], candidates = placed["context"], placed["candidate"]
    document = {"context": context, "candidates": candidates, "k": k}
    raw = json.dumps(
        {
            "context": {name: worded(value) for name, value in context.items()},
            "candidates": [{name: worded(value) for name, value in row.items()} for row in candidates],
            "k": k,
        }
    ).encode()
    expected = outcome(lambda: read_request(raw, schema, max_candidates=bound), schema)
    assert outcome(lambda: request_from_mapping(document, schema, max_candidates=bound), schema) == expected
    names = {p: [f.name for f in schema.features if f.placement == p] for p in ("context", "candidate")}
    order = {p: list(rows[0]) if rows else names[p] for p, rows in placed.items()}
    columns = {p: {name: [row[name] for row in rows] for name in order[p]} for p, rows in placed.items()}
    for build in (in_pandas, in_polars):
        frame = build(columns["candidate"], schema)
        contexts = [context, build(columns["context"], schema)] if context else [context]
        for given_ in contexts:
            make = partial(request_from_frame, given_, frame, schema, max_candidates=bound, k=k)
            assert outcome(make, schema) == expected, build


NUMBER = Schema((Feature("x", "candidate", "float32", missing=Policy("own_row")),))
LEGAL = Schema((Feature("x", "candidate", "float64", nonfinite=True, missing=Policy("own_row")),))
CODE = Schema((Feature("x", "candidate", "int64", missing=Policy("own_row")),))
TEXT = Schema((Feature("x", "candidate", "string", missing=Policy("own_row")),))
WHEN = Schema((Feature("x", "candidate", "timestamp", missing=Policy("own_row")),))
MANY = Schema((Feature("x", "candidate", "float32", vector=VectorSpec(2), missing=Policy("default", (0, 0))),))


def read(frame: Any, schema: Schema, **more: Any) -> Request:
    return request_from_frame({}, frame, schema, **({"max_candidates": 10} | more))


def column(values: Any, dtype: Any = None) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Series(values, dtype=dtype)})


@pytest.mark.parametrize(
    ("frame", "schema", "values"),
    [
        (column([0.5, None], "Float64"), NUMBER, (0.5, None)),
        (column([7, None], "Int64"), CODE, (7, None)),
        (column([7, -1], "int8"), CODE, (7, -1)),
        (column([7, -1]), NUMBER, (7.0, -1.0)),
        (column([0.1], "float32"), NUMBER, (0.10000000149011612,)),
        (column([0.1], "float32"), LEGAL, (0.10000000149011612,)),
        (column(["a", None]), TEXT, ("a", None)),
        (column(["a", None, pd.NA, pd.NaT], object), TEXT, ("a", None, None, None)),
        (column(["a", None], "string"), TEXT, ("a", None)),
        (column(["a", None, "a"], "category"), TEXT, ("a", None, "a")),
        (column([5, None, pd.NA], object), CODE, (5, None, None)),
        (column([[1.5, 2], None, (3, 4), np.array([5, 6], np.int8)], object), MANY, ((1.5, 2.0), None, (3, 4), (5, 6))),
        (pl.DataFrame({"x": [1, None]}, {"x": pl.UInt8}), CODE, (1, None)),
        (pl.DataFrame({"x": [0.1, None]}, {"x": pl.Float32}), NUMBER, (0.10000000149011612, None)),
        (pl.DataFrame({"x": [None, None]}), TEXT, (None, None)),
        (pl.DataFrame({"x": ["a", None]}, {"x": pl.Categorical}), TEXT, ("a", None)),
        (pl.DataFrame({"x": ["a", None]}, {"x": pl.Enum(["b", "a"])}), TEXT, ("a", None)),
        (pl.DataFrame({"x": [[1, 2], None]}, {"x": pl.Array(pl.Float32, 2)}), MANY, ((1.0, 2.0), None)),
        (pl.DataFrame({"x": [[1, 2]]}, {"x": pl.List(pl.Int8)}), MANY, ((1.0, 2.0),)),
    ],
)
def test_columns_of_many_types_are_read(frame: Any, schema: Schema, values: Any) -> None:
    assert read(frame, schema).values("x") == values


@pytest.mark.parametrize(
    ("frame", "schema", "code", "row"),
    [
        (column([0.5, None]), NUMBER, "non_finite", 1),
        (column([0.5, math.nan]), NUMBER, "non_finite", 1),
        (column([5, None]), CODE, "wrong_type", 0),
        (column(["a", math.nan], object), TEXT, "wrong_type", 1),
        (column([0.5, math.nan], object), NUMBER, "non_finite", 1),
        (pl.DataFrame({"x": [0.5, math.nan]}), NUMBER, "non_finite", 1),
        (column([True]), CODE, "wrong_type", 0),
        (column([1]), TEXT, "wrong_type", 0),
        (column([2**63], "uint64"), CODE, "out_of_range", 0),
        (column([1e39]), NUMBER, "out_of_range", 0),
        (column([["a"]], object), TEXT, "wrong_type", 0),
        (column([[1, 2], [1]], object), MANY, "wrong_length", 1),
        (column([[1, None]], object), MANY, "wrong_type", 0),
        (column([[1, pd.NA]], object), MANY, "wrong_type", 0),
        (column([np.ones((1, 2))], object), MANY, "wrong_type", 0),
        (pl.DataFrame({"x": [[1.0, None]]}), MANY, "wrong_type", 0),
        (pl.DataFrame({"x": [[1, 2, 3]]}, {"x": pl.Array(pl.Int8, 3)}), MANY, "wrong_length", 0),
        (pl.DataFrame({"x": [b"a"]}), TEXT, "wrong_type", 0),
        (pl.DataFrame({"x": [{"a": 1}]}), TEXT, "wrong_type", 0),
        (pd.DataFrame({"y": [1]}), CODE, "unknown_feature", 0),
        (pd.DataFrame([[1]]), CODE, "unknown_feature", 0),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), CODE, "invalid_request", None),
        (pd.DataFrame({"x": range(11)}), CODE, "too_many_candidates", 10),
        (pd.DataFrame({"x": ["a", *range(11)]}), CODE, "wrong_type", 0),
    ],
)
def test_nothing_is_coerced(frame: Any, schema: Schema, code: str, row: int | None) -> None:
    with pytest.raises(ScoringError) as caught:
        read(frame, schema)
    assert (caught.value.code, caught.value.candidate) == (code, row)
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "feature",
    [
        Feature("x", "candidate", "float32", vector=VectorSpec(2), missing=Policy("default", (0.0, 0.0))),
        Feature("x", "candidate", "float32", list=ListSpec(2, "first"), missing=Policy("default", ())),
    ],
)
def test_nan_between_vectors_or_lists_is_told_to_be_no_gap(feature: Feature) -> None:
    schema = Schema((feature,))
    frame = pd.DataFrame({"x": pd.Series([[1.0, 2.0], math.nan], dtype=object)})
    with pytest.raises(ScoringError, match="not missing: put None where a value is missing") as caught:
        request_from_frame({}, frame, schema, max_candidates=9)
    assert (caught.value.code, caught.value.candidate) == ("wrong_type", 1)
    assert "single value" not in caught.value.message
    frame = pd.DataFrame({"x": pd.Series([[1.0, 2.0], None], dtype=object)})
    assert request_from_frame({}, frame, schema, max_candidates=9).states("x") == (1, 0)


@pytest.mark.parametrize("moment", [pd.Timestamp("2024-01-01T00:00Z"), np.datetime64("2024-01-01", "ms")])
def test_a_moment_in_a_mapping_is_told_both_ways_out(moment: object) -> None:
    schema = Schema((Feature("now", "context", "timestamp"), Feature("x", "candidate", "int64")))
    frame = pd.DataFrame({"x": [1]})
    with pytest.raises(ScoringError, match="as an int, or the context as a frame of one row") as caught:
        request_from_frame({"now": moment}, frame, schema, max_candidates=9)
    assert (caught.value.code, caught.value.feature) == ("wrong_type", "now")
    context = pd.DataFrame({"now": pd.to_datetime(["2024-01-01T00:00Z"])})
    # 2024-01-01 is 19,723 days after 1970-01-01.
    got = request_from_frame(context, frame, schema, max_candidates=9)
    assert got.values("now") == (19_723 * 86_400_000,)


@pytest.mark.parametrize("values", [[0.5, None], [0.5, math.nan]])
def test_a_plain_float_column_of_pandas_is_told_from_missing(values: list[Any]) -> None:
    with pytest.raises(ScoringError, match=r"cannot tell NaN from missing: .* nullable dtype \(Float64, Int64\)"):
        read(column(values), NUMBER)
    with pytest.raises(ScoringError, match="cannot tell NaN from missing"):
        read(column([5, None]), CODE)
    with pytest.raises(ScoringError) as caught:
        read(pl.DataFrame({"x": [0.5, math.nan]}), NUMBER)
    assert "pandas" not in caught.value.message
    got = read(column(values), LEGAL)
    assert got.states("x") == (1, 1)
    assert math.isnan(got.values("x")[1])  # type: ignore[arg-type]


def moments(unit: str, *ticks: int, zone: str | None = "UTC") -> pd.DataFrame:
    made = pd.Series(np.array(ticks, dtype=f"datetime64[{unit}]"))
    return pd.DataFrame({"x": made.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else made})


def test_datetimes_with_a_zone_are_timestamps() -> None:
    assert read(moments("s", -1, 10**12), WHEN).values("x") == (-1000, 10**15)
    assert read(moments("ms", -1, 1), WHEN).values("x") == (-1, 1)
    assert read(moments("us", -3000, zone="Asia/Kolkata"), WHEN).values("x") == (-3,)
    assert read(moments("ns", 1_700_000_000_001_000_000, zone="Europe/Paris"), WHEN).values("x") == (1_700_000_000_001,)
    with_gap = pd.DataFrame({"x": pd.to_datetime(["1969-12-31T23:59:59.999Z", None])})
    assert read(with_gap, WHEN).values("x") == (-1, None)
    for unit in ("ms", "us", "ns"):
        start = datetime.datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=datetime.UTC)
        frame = pl.DataFrame({"x": [start, None]}, {"x": pl.Datetime(unit, "America/New_York")})  # type: ignore[arg-type]
        assert read(frame, WHEN).values("x") == (-1, None)
    one = pl.DataFrame({"now": [start]})
    schema = Schema((Feature("now", "context", "timestamp"), *CODE.features))
    assert request_from_frame(one, column([1]), schema, max_candidates=1).values("now") == (-1,)


@pytest.mark.parametrize(
    "frame",
    [
        moments("ms", 5, zone=None),
        moments("us", 5),
        moments("ns", -1),
        moments("s", 2**54),
        pl.DataFrame({"x": [datetime.datetime(2020, 1, 1)]}),  # noqa: DTZ001
        pl.DataFrame({"x": [datetime.date(2020, 1, 1)]}),
        pl.DataFrame({"x": [datetime.timedelta(1)]}),
        column([datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)], object),
        column([pd.Timedelta(1)]),
    ],
)
def test_other_times_are_of_a_wrong_type(frame: Any) -> None:
    with pytest.raises(ScoringError) as caught:
        read(frame, WHEN)
    assert (caught.value.code, caught.value.candidate) == ("wrong_type", 0)


def test_a_datetime_is_no_number() -> None:
    for schema in (CODE, NUMBER, TEXT):
        with pytest.raises(ScoringError, match=r"wrong_type.* is a datetime"):
            read(moments("ms", 5), schema)


def test_an_inexact_moment_may_be_absorbed() -> None:
    schema = Schema((Feature("x", "candidate", "timestamp", invalid=Policy("own_row")),))
    assert read(moments("us", 5, 5000), schema).states("x") == (2, 1)


def test_the_shape_of_a_frame_is_the_shape_of_a_request() -> None:
    lists = Schema((Feature("u", "context", "int64"), Feature("x", "candidate", "int64", ListSpec(2, "last"))))
    frame = pl.DataFrame({"x": [[1, 2, 3], []]})
    request = request_from_frame({"u": np.int64(5)}, frame, lists, max_candidates=2, k=1)
    assert (request.n, request.k, request.values("u"), request.values("x")) == (2, 1, (5,), ((2, 3), ()))
    for rows in (0, 2):
        with pytest.raises(ScoringError, match=f"invalid_request.*has {rows} rows"):
            request_from_frame(pl.DataFrame({"u": [1] * rows}, {"u": pl.Int64}), frame, lists, max_candidates=2)
    assert read(column([], "int64"), CODE).n == 0
    with pytest.raises(ScoringError, match="has 50 candidates; this model takes at most 10"):
        read(column(range(50)), CODE)
    assert read(pd.DataFrame(index=range(3)), CODE).states("x") == (0, 0, 0)
    with pytest.raises(ScoringError, match="invalid_request"):
        read(column([1]), CODE, k=-1)
    for frame_ in (pl.LazyFrame({"x": [1]}), [{"x": 1}], None, pl.Series("x", [1])):
        with pytest.raises(TypeError, match="an eager frame is required"):
            read(frame_, CODE)


def test_frames_are_no_load_where_none_are_read() -> None:
    program = (
        "import sys, twinrank.training.schema; print([m for m in ('narwhals', 'pandas', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
