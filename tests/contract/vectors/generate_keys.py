"""Make keys.json: strings and their keys. Referee: python-xxhash, which wraps the reference C of XXH3.

Before it is believed, the referee itself must give the values that xxHash publishes.
"""

from importlib.metadata import version

import xxhash
from _vectors import finish

# XXH3 takes another path at each of these lengths, and another number of 64-byte stripes between them.
LENGTHS = [
    *range(1, 34), 48, 63, 64, 65, 80, 95, 96, 97, 111, 112, 113, 127, 128, 129, 130, 143, 144, 145, 159, 160, 161, 176,
    192, 208, 224, 239, 240, 241, 242, 255, 256, 257, 300, 320, 383, 384, 385, 500, 511, 512, 513, 640, 700, 768, 850,
    900, 999, 1000, 1023, 1024, 1025, 1026, 1087, 1088, 1089, 2047, 2048, 2049, 3000,
]  # fmt: skip
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-"
BY_HAND = [
    ("empty", ""),
    ("one letter", "a"),
    ("a title", "Toy Story (1995)"),
    ("a number as text", "196"),
    ("upper and lower case differ: lower", "comedy"),
    ("upper and lower case differ: upper", "Comedy"),
    ("white space is kept", "  a\t\n"),
    ("U+0000 alone", "\0"),
    ("U+0000 inside", "a\0b"),
    ("U+0000 at the end", "a\0"),
    ("e with acute, composed", "caf\u00e9"),
    ("e with acute, combining mark: not normalised", "cafe\u0301"),
    ("Angstrom sign: not normalised", "\u212b"),
    ("A with ring", "\u00c5"),
    ("dotted capital I", "\u0130STANBUL"),
    ("Greek with a final sigma", "\u03a3\u0391\u03a3 \u03c3\u03b1\u03c2"),
    ("Chinese", "\u4f60\u597d"),
    ("Hangul syllable", "\uac00"),
    ("Hangul jamo: not normalised", "\u1100\u1161"),
    ("Arabic with marks", "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f"),
    ("Thai", "\u0e19\u0e49\u0e33"),
    ("emoji, four bytes", "\U0001f600"),
    ("emoji with skin tone and joiner", "\U0001f469\U0001f3fd\u200d\U0001f4bb"),
    ("flag", "\U0001f1e9\U0001f1ea"),
    ("variation selector", "\u2764\ufe0f"),
    ("rare CJK beyond the basic plane", "\U00020bb7\u91ce\u5bb6"),
    ("last code point of one byte", "\x7f"),
    ("first and last of two bytes", "\x80\u07ff"),
    ("first and last of three bytes", "\u0800\uffff"),
    ("first and last of four bytes", "\U00010000\U0010ffff"),
    ("around the surrogates", "\ud7ff\ue000"),
    ("byte order mark as a value", "\ufeffx"),
    ("line and paragraph separators", "\u2028\u2029"),
    ("right to left override", "\u202eabc"),
    ("U+0000 beside an emoji", "\0\U0001f600\0"),
    ("emoji over 16 bytes", "\U0001f600" * 5),
    ("emoji over 128 bytes", "\U0001f600" * 33),
    ("emoji over 240 bytes", "\U0001f600" * 61),
    ("U+0000 repeated over 240 bytes", "\0" * 300),
]


# xxHash, cli/xsum_sanity_check.c (0.8.2): XXH3_64bits without seed of so many bytes of its test buffer.
OFFICIAL = {
    0: 0x2D06800538D394C2,
    1: 0xC44BDFF4074EECDB,
    6: 0x27B56A84CD2D7325,
    12: 0xA713DAF0DFBB77E7,
    24: 0xA3FE70BF9D3510EB,
    48: 0x397DA259ECBA1F11,
    80: 0xBCDEFBBB2C47C90A,
    195: 0xCD94217EE362EC3A,
    403: 0xCDEB804D65C6DEA4,
    512: 0x617E49599013CB6B,
    2048: 0xDD59E2C3A5F038E0,
    2240: 0x6E73A90539CF2948,
    2367: 0xCB37AEB9E5D361ED,
}
PREFIXES = 1000


def official_buffer(length: int) -> bytes:
    """The first bytes of xxHash's test buffer (`XSUM_fillTestBuffer`)."""
    made, state = bytearray(), 2654435761
    for _ in range(length):
        made.append(state >> 56)
        state = state * 11400714785074694797 % 2**64
    return bytes(made)


def check_referee() -> None:
    """Raise unless the installed library agrees with every published value."""
    for length, digest in OFFICIAL.items():
        found = xxhash.xxh3_64_intdigest(official_buffer(length))
        if found != digest:
            raise ValueError(f"python-xxhash gives {found:#x} for {length} bytes; xxHash publishes {digest:#x}")


def pattern(length: int) -> str:
    """ASCII text of that many bytes; every length begins elsewhere in the alphabet."""
    return "".join(ALPHABET[(length * 7 + position * 11) % len(ALPHABET)] for position in range(length))


def key_of(data: bytes) -> str:
    """The unsigned digest, read as a signed int64, in decimal."""
    return str(int.from_bytes(xxhash.xxh3_64_digest(data), "big", signed=True))


def case(name: str, text: str) -> dict[str, str | int]:
    """One vector."""
    data = text.encode("utf-8")
    return {"name": name, "text": text, "utf8_bytes": len(data), "key": key_of(data)}


def main() -> int:
    """Write or check the file."""
    check_referee()
    cases = [case(name, text) for name, text in BY_HAND]
    cases += [case(f"{length} bytes", pattern(length)) for length in LENGTHS]
    text = pattern(PREFIXES)
    prefixes = {"text": text, "keys": [key_of(text[:length].encode()) for length in range(1, PREFIXES + 1)]}
    about = (
        "Keys of strings: XXH3-64, seed 0, default secret, of the UTF-8 bytes, as signed int64 in decimal. "
        "prefixes.keys[i] is the key of the first i + 1 characters of prefixes.text, which is ASCII: every length."
    )
    # The library's major version only: its results are fixed by the algorithm since XXH3 was frozen in 0.8.0.
    major = version("xxhash").split(".")[0]
    provenance = (
        f"generate_keys.py with python-xxhash {major}, which wraps the reference C code, after it gave the published "
        "values of xxHash's own cli/xsum_sanity_check.c"
    )
    return finish("keys.json", {"about": about, "provenance": provenance, "cases": cases, "prefixes": prefixes})


if __name__ == "__main__":
    raise SystemExit(main())
