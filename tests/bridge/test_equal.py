"""The word "equal": expected values are worked out by hand from IEEE 754 and contract sections 7 and 9."""

import numpy as np
import pytest

from twinrank.bridge import Route, RouteError, RouteScores, Scored
from twinrank.bridge._cases import Case
from twinrank.bridge._parity import RouteTally, first_packed_difference, within_ties
from twinrank.bridge._values import hex_bits, measure
from twinrank.bridge._verify import level_for

INF, NAN = np.inf, np.nan
CASE = Case("golden", 1, b"{}")


def no_open(*_: object) -> None:
    raise AssertionError("these tests open nothing")


BITS = Route("r", "", "bits", no_open)  # type: ignore[arg-type]


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def answer(score: np.ndarray, order: tuple[int, ...], dropped: tuple[int, ...] = (), known: object = True) -> Scored:
    n = len(score)
    mask = np.full(n, known) if isinstance(known, bool) else np.asarray(known)
    return Scored(RouteScores(n, {"score": score}, order, dropped, mask))


def tally(level: str = "bits", a: float = 1e-6) -> RouteTally:
    return RouteTally(BITS, level, {"score": "float32"}, {"score": a})  # type: ignore[arg-type]


# ---- values


def test_bits_ulps_and_absolute_differences_row_by_row() -> None:
    one_up = np.nextafter(np.float32(1), np.float32(2))
    expected = f32(1, 1, -0.0, NAN, NAN, INF, INF)
    actual = f32(1, one_up, 0.0, NAN, 1, INF, -INF)
    found = measure(expected, actual)
    # 1 against its neighbour: the lowest bit. -0 against +0: the sign bit alone. NaN against NaN: equal.
    # NaN (7fc00000) against 1 (3f800000): 0x40400000, two bits. Infinity against -infinity: the sign.
    assert found.bits.tolist() == [0, 1, 1, 0, 2, 0, 1]
    assert found.ulp.tolist()[:4] == [0, 1, 0, 0]
    assert found.ulp[4] == 2**64 - 1
    assert found.absolute.tolist() == [0.0, 2.0**-23, 0.0, 0.0, INF, 0.0, INF]


def test_any_nan_equals_any_nan() -> None:
    other = np.array([0xFFC12345], np.uint32).view(np.float32)
    assert measure(f32(NAN), other).bits.tolist() == [0]


def test_a_float32_that_arrives_as_another_float64_differs() -> None:
    # 0.1 as float64 is not the widened float32 0.1: their difference is 1.49e-9.
    found = measure(f32(0.1), np.array([0.1]))
    assert found.bits[0] > 0
    assert found.absolute[0] == pytest.approx(1.4901161e-9)


def test_hex_bits_are_written_most_significant_first() -> None:
    assert hex_bits(np.float32(0.5)) == "3f000000"
    assert hex_bits(np.float64(-2.0)) == "c000000000000000"
    assert hex_bits(np.int64(-1)) == "ffffffffffffffff"


# ---- orders


def test_order_is_exact_at_level_bits() -> None:
    compared = tally()
    compared.add(CASE, answer(f32(1, 1), (0, 1)), answer(f32(1, 1), (1, 0)))
    assert compared.status == "differs"
    assert compared.first is not None
    assert compared.first.kind == "order"


@pytest.mark.parametrize(
    ("expected", "actual", "score", "same"),
    [
        ((0, 1), (1, 0), (1.0, 0.9), False),
        ((0, 1), (1, 0), (1.0, 0.99), True),
        # 0 > 1 > 2 by 0.015 each: neighbours may swap, the ends may not.
        ((0, 1, 2), (1, 0, 2), (0.03, 0.015, 0.0), True),
        ((0, 1, 2), (2, 1, 0), (0.03, 0.015, 0.0), False),
        # A chain of small steps must not carry a candidate far: 3 jumps over 0.045.
        ((0, 1, 2, 3), (3, 0, 1, 2), (0.045, 0.03, 0.015, 0.0), False),
        # Cut at two: candidate 2 may replace candidate 1 only inside the tie.
        ((0, 1), (0, 2), (1.0, 0.5, 0.49), True),
        ((0, 1), (0, 2), (1.0, 0.5, 0.4), False),
        ((0, 1), (0,), (1.0, 0.5), False),
        ((0, 1), (0, 0), (1.0, 1.0), False),
        ((), (), (), True),
        ((0, 1), (1, 0), (INF, INF), True),
        ((0, 1), (1, 0), (INF, 1.0), False),
        ((0, 1), (1, 0), (0.0, -INF), False),
    ],
)
def test_a_swap_is_allowed_inside_a_tie_only(
    expected: tuple[int, ...], actual: tuple[int, ...], score: tuple[float, ...], same: bool
) -> None:
    assert within_ties(expected, actual, np.array(score, np.float64), 0.02) is same


def test_a_ranked_nan_is_no_tie() -> None:
    assert within_ties((0, 1), (1, 0), np.array([NAN, 1.0]), 10.0) is False


def test_other_dropped_candidates_differ() -> None:
    compared = tally("reference")
    compared.add(CASE, answer(f32(1, NAN), (0,), (1,)), answer(f32(1, NAN), (0,), ()))
    assert compared.first is not None
    assert compared.first.kind == "dropped"


# ---- level reference


@pytest.mark.parametrize(("off", "status"), [(0.0, "equal"), (2.0**-20, "equal"), (2.0**-19, "differs")])
def test_reference_allows_a_and_no_more(off: float, status: str) -> None:
    compared = tally("reference", a=2.0**-20)
    compared.add(CASE, answer(f32(1), (0,)), answer(f32(1 + off), (0,)))
    assert compared.status == status


def test_a_nan_against_a_number_is_beyond_every_tolerance() -> None:
    compared = tally("reference", a=1e30)
    compared.add(CASE, answer(f32(1), (0,)), answer(f32(NAN), (0,)))
    assert compared.status == "differs"
    assert compared.heads["score"].max_abs == INF


def test_swaps_name_both_candidates_and_their_scores() -> None:
    compared = tally("reference", a=0.01)
    compared.add(CASE, answer(f32(0.5, 0.49), (0, 1)), answer(f32(0.494, 0.495), (1, 0)))
    assert compared.status == "equal"
    assert (compared.orders, compared.orders_equal, compared.orders_tied) == (1, 0, 1)
    (swap,) = compared.swaps
    assert (swap.rank, swap.first, swap.second, swap.allowed) == (1, 1, 0, True)
    assert (swap.first_score, swap.second_score) == (pytest.approx(0.49), 0.5)


def test_bits_are_promised_within_one_host_class_only() -> None:
    from twinrank.bridge import Facts, RouteOptions

    here, there, unknown = (Facts("", "", host_class=host) for host in ("a", "b", None))
    assert level_for(BITS, here, there, RouteOptions(require="reference")) == "reference"
    assert level_for(BITS, here, there, RouteOptions(require="bits")) == "bits"
    assert level_for(BITS, here, here, RouteOptions(require="reference")) == "bits"
    assert level_for(BITS, here, unknown, RouteOptions(require="reference")) == "bits"


# ---- what counts as compared


def test_only_rows_that_both_sides_show_are_compared() -> None:
    compared = tally()
    expected = answer(f32(3, 2, 1), (0,))
    compared.add(CASE, expected, answer(f32(3, 0, 0), (0,), known=[True, False, False]))
    assert compared.status == "equal"
    assert compared.rows == 1


def test_other_shapes_differ() -> None:
    compared = tally()
    compared.add(CASE, answer(f32(1), (0,)), answer(f32(1, 2), (1, 0)))
    assert compared.first is not None
    assert compared.first.kind == "shape"


@pytest.mark.parametrize(
    ("left", "right", "agreed"),
    [
        (RouteError("wrong_type", "age"), RouteError("wrong_type", "age"), 1),
        (RouteError("wrong_type", "age"), RouteError("wrong_type", "sex"), 0),
        (RouteError("wrong_type", "age"), RouteError("wrong_type", "age", 0), 0),
        (RouteError("wrong_type"), RouteError("out_of_range"), 0),
    ],
)
def test_errors_agree_in_code_feature_and_candidate(left: RouteError, right: RouteError, agreed: int) -> None:
    compared = tally()
    compared.add(CASE, Scored(left), Scored(right))
    assert (compared.errors, compared.errors_agreed) == (1, agreed)
    assert compared.status == ("unknown" if agreed else "differs")


def test_an_error_against_scores_differs() -> None:
    compared = tally()
    compared.add(CASE, answer(f32(1), (0,)), Scored(RouteError("wrong_type")))
    assert compared.status == "differs"
    assert (compared.errors, compared.errors_agreed) == (1, 0)


def test_the_ulp_histogram_counts_every_row_once() -> None:
    compared = tally("reference", a=1.0)
    one = np.float32(1)
    actual = [
        one,
        np.nextafter(one, np.float32(2)),
        np.float32(1 + 3 * 2.0**-23),
        np.float32(1 + 5 * 2.0**-23),
        np.float32(NAN),
    ]
    compared.add(
        CASE, answer(f32(1, 1, 1, 1, 1), (0, 1, 2, 3, 4)), answer(np.array(actual, np.float32), (0, 1, 2, 3, 4))
    )
    # bins: 0, 1, 2-3, 4-7, …, and the open one, where a NaN against a number lies.
    assert compared.heads["score"].histogram == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1]


# ---- packed tensors


def test_packed_tensors_are_compared_by_name_shape_and_bits() -> None:
    block = np.array([[1, 2]], np.int64)
    assert first_packed_difference({"context.i64": block}, {"context.i64": block.copy()}) is None
    told = first_packed_difference({"context.i64": block}, {"context.i64": np.array([[1, 3]], np.int64)})
    assert told == ("context.i64[0, 1] = 2 (0000000000000002)", "context.i64[0, 1] = 3 (0000000000000003)")
    assert first_packed_difference({"context.i64": block}, {"candidate.i64": block}) is not None
    assert first_packed_difference({"context.i64": block}, {"context.i64": block.reshape(2, 1)}) is not None
    assert first_packed_difference({"context.i64": block}, {"context.i64": block.astype(np.float64)}) is not None
    zero, minus = np.array([0.0], np.float32), np.array([-0.0], np.float32)
    assert first_packed_difference({"b": zero}, {"b": minus}) is not None


# ---- generated requests at level reference


def test_numbers_of_generated_requests_are_counted_and_not_judged_by_a_tolerance() -> None:
    made = Case("fuzz", 1, b"{}")
    # 2.0 against 1.0 is far beyond a = 1e-6, and the orders differ outside every tie.
    sides = answer(f32(1, 3), (1, 0)), answer(f32(2, 1), (0, 1))
    reference = tally("reference")
    reference.add(made, *sides)
    assert reference.status == "equal"
    assert (reference.heads["score"].unjudged, reference.heads["score"].beyond) == (2, 0)
    assert reference.swaps == []
    # What a person sent is judged, and so is every bit where bits are promised.
    reference.add(CASE, *sides)
    assert reference.status == "differs"
    assert reference.heads["score"].beyond == 2
    bits = tally("bits")
    bits.add(made, *sides)
    assert bits.status == "differs"


def test_refusals_and_dropped_candidates_of_generated_requests_are_judged_at_level_reference() -> None:
    made = Case("fuzz", 1, b"{}")
    refused = tally("reference")
    refused.add(made, answer(f32(1), (0,)), Scored(RouteError("invalid_json")))
    assert refused.status == "differs"
    dropped = tally("reference")
    dropped.add(made, answer(f32(1), (0,)), answer(f32(NAN), (), (0,)))
    assert dropped.status == "differs"
