"""Make numbers.json: number literals and the bits they mean. Referee: exact rational rounding, written here.

No float arithmetic and no library parser takes part: a literal becomes an exact fraction, the fraction is rounded to
nearest, ties to even, first to binary64, then that value to binary32.
"""

import random
import re
from fractions import Fraction

from _vectors import finish

FORMATS = {"float64": (53, -1074, 1024), "float32": (24, -149, 128)}
LITERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def exact(text: str) -> tuple[bool, Fraction]:
    """The literal's sign and magnitude; magnitudes far outside binary64 are replaced by ones that round alike."""
    negative = text.startswith("-")
    mantissa, _, exponent = text.lower().lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = int(whole + fraction)
    power = int(exponent or "0") - len(fraction)
    if digits == 0:
        return negative, Fraction(0)
    # A thousand digits at most: beyond these powers the result is an infinity or a zero anyway.
    power = max(-3000, min(3000, power))
    return negative, digits * Fraction(10) ** power


def rounded(value: Fraction, name: str) -> Fraction | None:
    """The nearest number of the format, ties to even; None if that is an infinity."""
    precision, lowest, limit = FORMATS[name]
    if value == 0:
        return value
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if Fraction(2) ** exponent > value:
        exponent -= 1
    unit = Fraction(2) ** max(exponent - precision + 1, lowest)
    steps, rest = divmod(value, unit)
    if rest * 2 > unit or (rest * 2 == unit and steps % 2):
        steps += 1
    result = steps * unit
    return None if result >= Fraction(2) ** limit else result


def bits(negative: bool, value: Fraction | None, name: str) -> str:
    """The number's IEEE bits in hex, or the error code."""
    if value is None:
        return "out_of_range"
    precision, lowest, _ = FORMATS[name]
    width = 64 if name == "float64" else 32
    if value == 0:
        field = 0
    else:
        exponent = value.numerator.bit_length() - value.denominator.bit_length()
        if Fraction(2) ** exponent > value:
            exponent -= 1
        unit = max(exponent - precision + 1, lowest)
        steps = value / Fraction(2) ** unit
        if steps.denominator != 1:
            raise ValueError(f"{value} is no {name}")
        # The hidden bit of a normal number carries into the exponent field.
        field = steps.numerator + ((unit - lowest) << (precision - 1))
    return format(field | (negative << (width - 1)), f"0{width // 4}x")


def int64(text: str) -> str:
    """What an int64 feature makes of the literal: the value, or the error code."""
    match = LITERAL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no JSON number")
    if match.group(1) or match.group(2):
        return "wrong_type"
    return str(int(text)) if -(1 << 63) <= int(text) < 1 << 63 else "out_of_range"


def decimal(value: Fraction) -> str:
    """A dyadic fraction written out in full."""
    shift = value.denominator.bit_length() - 1
    digits = str(value.numerator * 5**shift).rjust(shift + 1, "0")
    return digits if shift == 0 else f"{digits[:-shift]}.{digits[-shift:]}"


def case(name: str, text: str) -> dict[str, str]:
    """One vector; `float32_direct` appears where a reader that skips float64 would be wrong."""
    if len(text) > 1000:
        raise ValueError(f"{name}: {len(text)} characters are more than a request may hold")
    negative, value = exact(text)
    wide = rounded(value, "float64")
    narrow = None if wide is None else rounded(wide, "float32")
    direct = bits(negative, rounded(value, "float32"), "float32")
    result = {
        "name": name,
        "text": text,
        "float64": bits(negative, wide, "float64"),
        "float32": bits(negative, narrow, "float32"),
        "int64": int64(text),
    }
    return result if direct == result["float32"] else result | {"float32_direct": direct}


def named() -> list[tuple[str, str]]:
    """The cases that somebody thought of."""
    two = Fraction(2)
    tie32 = 1 + two**-24  # between 1 and the next float32
    odd32 = 1 + 3 * two**-24
    top32 = two**128 - two**103  # between the largest float32 and 2^128
    top64 = two**1024 - two**970
    tiny = two**-80
    half32 = two**-150
    return [
        ("zero", "0"),
        ("minus zero as an integer literal", "-0"),
        ("minus zero", "-0.0"),
        ("zero with exponent", "0e5"),
        ("minus zero with exponent", "-0E-5"),
        ("zero with a huge exponent", "0e" + "9" * 900),
        ("one", "1"),
        ("one with a point", "1.0"),
        ("one with an exponent", "1e0"),
        ("upper case and plus", "1E+0"),
        ("tenth", "0.1"),
        ("minus tenth", "-0.1"),
        ("third", "0.3333333333333333"),
        ("pi", "3.141592653589793"),
        ("small exponent", "1e-5"),
        ("thousand as an exponent", "1e3"),
        ("ten to the 22", "1e22"),
        ("ten to the 23", "1e23"),
        ("2^53", "9007199254740992"),
        ("2^53 + 1: a tie, to even", "9007199254740993"),
        ("2^53 + 3: a tie, to even", "9007199254740995"),
        ("2^24 + 1: a tie in float32", "16777217"),
        ("2^24 + 3: a tie in float32", "16777219"),
        ("largest int64", "9223372036854775807"),
        ("largest int64 plus 1", "9223372036854775808"),
        ("smallest int64", "-9223372036854775808"),
        ("smallest int64 minus 1", "-9223372036854775809"),
        ("2^64", "18446744073709551616"),
        ("an integer of 100 digits", "1" + "0" * 99),
        ("an integer of 309 digits", "1" + "0" * 308),
        ("an integer of 310 digits", "1" + "0" * 309),
        ("an integer of 1000 digits", "9" * 1000),
        ("an integer of 20 digits that is no int64", "-" + "9" * 19),
        ("float32 tie between 1 and the next: to even, down", decimal(tie32)),
        ("just above that tie: float64 rounds onto it, and the tie then goes down", decimal(tie32 + tiny)),
        ("just below that tie", decimal(tie32 - tiny)),
        ("the same, negative", "-" + decimal(tie32 + tiny)),
        ("float32 tie whose even neighbour is above", decimal(odd32)),
        ("just below it: float64 rounds onto it, and the tie then goes up", decimal(odd32 - tiny)),
        ("just above it", decimal(odd32 + tiny)),
        ("the smallest step above the tie that float64 keeps", decimal(tie32 + two**-52)),
        ("half a step above the tie: a tie in float64 as well", decimal(tie32 + two**-53)),
        ("largest float32", decimal(two**128 - two**104)),
        ("above the largest float32", "3.4028235e38"),
        ("just below the float32 overflow threshold", decimal(top32 - two**75)),
        ("the float32 overflow threshold", decimal(top32)),
        ("its negative", "-" + decimal(top32)),
        ("below the threshold, but float64 rounds onto it", decimal(top32 - two**30)),
        ("above the largest float32, far", "1e39"),
        ("2^128", decimal(two**128)),
        ("largest float64", "1.7976931348623157e308"),
        ("above it, rounds down", "1.7976931348623158e308"),
        ("just below the float64 overflow threshold", decimal(top64 - 1)),
        ("the float64 overflow threshold", decimal(top64)),
        ("its negative", "-" + decimal(top64)),
        ("1e308", "1e308"),
        ("1e309", "1e309"),
        ("1e400", "1e400"),
        ("-1e400", "-1e400"),
        ("a huge exponent", "1e" + "9" * 900),
        ("a hugely negative exponent", "1e-" + "9" * 900),
        ("its negative is minus zero", "-1e-" + "9" * 900),
        ("a huge exponent undone by zeros", "0." + "0" * 400 + "1e401"),
        ("smallest normal float32", decimal(two**-126)),
        ("largest subnormal float32", decimal(two**-126 - two**-149)),
        ("smallest subnormal float32", "1.401298464324817e-45"),
        ("half of it: a tie, to zero", decimal(half32)),
        ("just above half", decimal(half32 + two**-180)),
        ("above half by less than float64 sees: onto the tie, to zero", decimal(half32 + two**-260)),
        ("three halves of it: a tie, to even", decimal(3 * half32)),
        ("float32 underflow", "1e-46"),
        ("float32 underflow keeps the sign", "-1e-46"),
        ("smallest normal float64", "2.2250738585072014e-308"),
        ("largest subnormal float64", "2.225073858507201e-308"),
        ("between subnormal and normal float64", "2.2250738585072011e-308"),
        ("smallest subnormal float64", "5e-324"),
        ("below half of it", "2.4703282292062327e-324"),
        ("above half of it", "2.4703282292062328e-324"),
        ("half of it exactly, 752 digits: a tie, to zero", f"{5**1075}e-1075"),
        ("1e-400", "1e-400"),
        ("-1e-400", "-1e-400"),
        ("a literal of 1000 characters", "0." + "3" * 998),
        ("a literal of 1000 characters with its sign", "-0." + "7" * 997),
        ("many digits after a float64 tie: above", "9007199254740993." + "0" * 900 + "1"),
        ("many digits after a float64 tie: at", "9007199254740993." + "0" * 901),
        ("many digits before a float64 tie: below", "9007199254740992." + "9" * 900),
        ("trailing zeros", "1." + "0" * 500),
        ("leading zeros of a fraction", "0." + "0" * 320 + "5"),
    ]


def drawn() -> list[tuple[str, str]]:
    """Literals drawn at random, many of them close to float32 ties."""
    source = random.Random(20240229)
    cases = []
    for index in range(120):
        digits = str(source.randrange(10 ** source.randrange(1, 25)))
        power = source.randrange(-60, 60)
        sign = source.choice(["", "-"])
        cases.append((f"drawn {index}", f"{sign}{digits}e{power}"))
    for index in range(80):
        # Midway between two float32 of a moderate exponent, moved by far less than float64 can see.
        steps = source.randrange(1 << 23, 1 << 24)
        middle = (2 * steps + 1) * Fraction(2) ** (source.randrange(-40, 20))
        moved = middle * (1 + source.choice([-1, 1]) * Fraction(2) ** -source.randrange(60, 90))
        cases.append((f"drawn near a float32 tie {index}", decimal(moved)))
    return cases


def main() -> int:
    """Write or check the file."""
    cases = [case(name, text) for name, text in [*named(), *drawn()]]
    about = (
        "Number literals. float64 and float32 are IEEE bits in hex (float32 by way of float64), int64 is decimal; or "
        "the error code. float32_direct, where present, is the wrong answer of a reader that skips float64."
    )
    provenance = "generate_numbers.py: exact rounding of fractions.Fraction; no float parser takes part"
    return finish("numbers.json", {"about": about, "provenance": provenance, "cases": cases})


if __name__ == "__main__":
    raise SystemExit(main())
