"""The key: the int64 that stands for a string. The only primitive that every language implements itself."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import xxhash

from twinrank.training.schema._errors import ScoringError, shown


def string_key(text: str) -> int:
    """Returns the XXH3-64 (seed 0, default secret) of the string's UTF-8 bytes, read as a signed int64.

    The string is not normalised; the empty string and U+0000 are legal.

    Raises:
        ScoringError: `invalid_string` if the string holds a lone surrogate, which has no UTF-8 form.
    """
    unsigned = xxhash.xxh3_64_intdigest(utf8(text))
    return unsigned - (1 << 64) if unsigned >> 63 else unsigned


def string_keys(texts: Iterable[str]) -> npt.NDArray[np.int64]:
    """Returns the keys of many strings: int64, shape [len(texts)], same order.

    Raises:
        ScoringError: `invalid_string` as `string_key`.
    """
    digest = xxhash.xxh3_64_intdigest
    try:
        unsigned = [digest(text.encode()) for text in texts]
    except UnicodeEncodeError as error:
        raise _lone_surrogate(error.object) from error
    return np.array(unsigned, dtype=np.uint64).view(np.int64)


def utf8(text: str) -> bytes:
    """Returns the string's UTF-8 bytes; raises `ScoringError` (`invalid_string`) on a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _lone_surrogate(text) from error


def has_lone_surrogate(text: str) -> bool:
    """Returns whether the string holds a code point U+D800 to U+DFFF."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _lone_surrogate(text: str) -> ScoringError:
    return ScoringError(
        "invalid_string",
        f"the string {shown(text)} holds a lone surrogate, which has no UTF-8 form and so no key; "
        "send Unicode scalar values only (a surrogate pair must be complete)",
    )
