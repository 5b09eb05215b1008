"""Makes bits.json and order.json: when two values are equal, how far apart they are, and how a slate is ordered.

Expected values come from the definitions, never from a reader's own code: the value of a bit pattern as an exact
rational from its fields, distances by counting steps on the line of all values, order by sorting exact values.
``--check`` compares instead of writing.
"""

import argparse
import json
import sys
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).resolve().parent
FORMATS = {"float32": (8, 23), "float64": (11, 52)}
NAN = "nan"


def exact(bits: int, dtype: str) -> Fraction | float | str:
    """The value of a bit pattern: a rational, an infinity, or "nan"."""
    exponent_bits, fraction_bits = FORMATS[dtype]
    fraction = bits & ((1 << fraction_bits) - 1)
    exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1)
    sign = -1 if bits >> (exponent_bits + fraction_bits) else 1
    bias = (1 << (exponent_bits - 1)) - 1
    if exponent == (1 << exponent_bits) - 1:
        return NAN if fraction else sign * float("inf")
    if exponent == 0:
        return sign * Fraction(fraction, 1 << fraction_bits) * Fraction(2) ** (1 - bias)
    return sign * (1 + Fraction(fraction, 1 << fraction_bits)) * Fraction(2) ** (exponent - bias)


def place(bits: int, dtype: str) -> int:
    """Where a number stands on the line from -infinity to infinity; both zeros stand at 0."""
    width = sum(FORMATS[dtype])
    magnitude = bits & ((1 << width) - 1)
    return -magnitude if bits >> width else magnitude


def comparison(name: str, dtype: str, left: str, right: str) -> dict[str, object]:
    """One pair: equal by the contract's rule, and its distance in ULPs; null where a NaN meets a number."""
    a, b = int(left, 16), int(right, 16)
    nan_a, nan_b = exact(a, dtype) == NAN, exact(b, dtype) == NAN
    equal = (nan_a and nan_b) or a == b
    ulp = 0 if nan_a and nan_b else None if nan_a or nan_b else abs(place(a, dtype) - place(b, dtype))
    return {"name": name, "dtype": dtype, "left": left, "right": right, "equal": equal, "ulp": ulp}


PAIRS = (
    ("the same number", "float32", "3f800000", "3f800000"),
    ("neighbours", "float32", "3f800000", "3f800001"),
    ("neighbours across a power of two", "float32", "3f7fffff", "3f800000"),
    ("the two zeros are two values", "float32", "00000000", "80000000"),
    ("smallest denormals on both sides", "float32", "00000001", "80000001"),
    ("largest denormal and smallest normal", "float32", "007fffff", "00800000"),
    ("opposite numbers", "float32", "3f800000", "bf800000"),
    ("the infinities", "float32", "7f800000", "ff800000"),
    ("largest number and infinity", "float32", "7f7fffff", "7f800000"),
    ("two NaNs", "float32", "7fc00000", "7fc00000"),
    ("NaNs of other payload, sign and kind", "float32", "ffc12345", "7f800001"),
    ("NaN and a number", "float32", "7fc00000", "3f800000"),
    ("NaN and infinity", "float32", "7f800000", "7fc00000"),
    ("the same number", "float64", "3ff0000000000000", "3ff0000000000000"),
    ("neighbours", "float64", "3ff0000000000000", "3ff0000000000001"),
    ("the two zeros are two values", "float64", "8000000000000000", "0000000000000000"),
    ("smallest denormals on both sides", "float64", "0000000000000001", "8000000000000001"),
    ("the infinities", "float64", "7ff0000000000000", "fff0000000000000"),
    ("two NaNs", "float64", "fff8000000000001", "7ff0000000000001"),
    ("NaN and a number", "float64", "0000000000000000", "7ff8000000000000"),
)

SLATES = (
    ("nobody", "float32", ()),
    ("one", "float32", ("3f800000",)),
    ("descending and ascending", "float32", ("3f800000", "40000000", "3f000000")),
    ("all tied", "float32", ("3f800000",) * 5),
    ("ties keep input order among others", "float32", ("3f000000", "3f800000", "3f000000", "3f800000", "00000000")),
    ("minus zero ties with zero", "float32", ("80000000", "00000000", "80000000", "00000001", "80000001")),
    ("infinities are numbers", "float32", ("ff800000", "7f7fffff", "7f800000", "ff7fffff")),
    ("NaNs are dropped, whatever their bits", "float32", ("7fc00000", "3f800000", "ffc00001", "7f800001", "40000000")),
    ("nobody has a score", "float32", ("7fc00000", "ffc00000")),
    ("neighbours are no tie", "float32", ("3f800000", "3f800001", "3f7fffff", "3f800001")),
    ("float64 is not compared as float32", "float64", ("3ff0000000000000", "3ff0000000000001", "3ff0000000000000")),
    (
        "everything",
        "float64",
        (
            "7ff8000000000000",
            "8000000000000000",
            "0000000000000000",
            "fff0000000000000",
            "4000000000000000",
            "4000000000000000",
            "fff8000000000000",
            "7ff0000000000000",
        ),
    ),
    ("more than a sort's small case", "float32", tuple(f"{0x3F800000 + i * 7 % 5:08x}" for i in range(70))),
)


def slate(name: str, dtype: str, score: tuple[str, ...]) -> dict[str, object]:
    """One slate with its order and whom it drops."""
    values = [exact(int(bits, 16), dtype) for bits in score]
    ranked = sorted((i for i, value in enumerate(values) if value != NAN), key=lambda i: (-values[i], i))
    dropped = [i for i, value in enumerate(values) if value == NAN]
    return {"name": name, "dtype": dtype, "score": list(score), "order": ranked, "dropped": dropped}


def document(about: str, cases: list[dict[str, object]]) -> bytes:
    """A file of cases, one a line."""
    lines = ",\n    ".join(json.dumps(case) for case in cases)
    return f'{{\n  "about": {json.dumps(about)},\n  "cases": [\n    {lines}\n  ]\n}}\n'.encode()


def main() -> int:
    """Writes the files, or with ``--check`` says which differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    files = {
        "bits.json": document(
            "Pairs of values as IEEE bits: whether they are equal (section 7 of the contract), and their distance "
            "in units in the last place, null where a NaN meets a number.",
            [comparison(*pair) for pair in PAIRS],
        ),
        "order.json": document(
            "Scores of slates as IEEE bits, the ranking they give (section 7) and the candidates dropped for a NaN.",
            [slate(*one) for one in SLATES],
        ),
    }
    stale = 0
    for name, content in files.items():
        if not check:
            (HERE / name).write_bytes(content)
        elif not (HERE / name).exists() or (HERE / name).read_bytes() != content:
            print(f"{name} differs from its generator: run generate_order.py", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
