"""The probe protocol's frames (contract, section 12): a length, a JSON header, a length, a body."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

LIMIT = 64 * 1024 * 1024
"""Most bytes of a header, and of a body."""

Part = TypeVar("Part", bytes, memoryview)

_LENGTH = struct.Struct("<I")


class FrameError(ValueError):
    """Bytes that are no frame; the message says which part."""


def encode(header: Mapping[str, Any], body: bytes | memoryview = b"") -> bytes:
    """Return one frame.

    Raises:
        FrameError: if header or body exceed 64 MiB.
    """
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
    for name, part in (("header", text), ("body", body)):
        if len(part) > LIMIT:
            raise FrameError(f"the frame's {name} has {len(part)} bytes; the protocol allows {LIMIT}")
    return b"".join((_LENGTH.pack(len(text)), text, _LENGTH.pack(len(body)), body))


def decode(frame: Part) -> tuple[dict[str, Any], Part]:
    """Return header and body of exactly one frame; of a view's, the body is a view too.

    Raises:
        FrameError: if the bytes are cut off, too long, or the header is no JSON object.
    """
    position = 0

    def take(count: int) -> Part:
        nonlocal position
        if position + count > len(frame):
            raise FrameError(f"the frame ends after {len(frame)} bytes; {position + count} were announced")
        position += count
        return frame[position - count : position]

    header, body = read(take)
    if position != len(frame):
        raise FrameError(f"{len(frame) - position} bytes follow the frame")
    return header, body


def read(take: Callable[[int], Part]) -> tuple[dict[str, Any], Part]:
    """Read one frame from a source that returns exactly as many bytes as it is asked for.

    Raises:
        FrameError: if a length exceeds 64 MiB or the header is no JSON object. Whatever `take` raises passes through.
    """
    text = take(_part(take, "header"))
    body = take(_part(take, "body"))
    try:
        header = json.loads(str(text, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError(
            f"the frame's header is no JSON in UTF-8: {error}; it begins with {bytes(text[:80])!r}"
        ) from error
    if not isinstance(header, dict):
        raise FrameError(f"the frame's header must be a JSON object, but it is {type(header).__name__}")
    return header, body


def _part(take: Callable[[int], Part], name: str) -> int:
    prefix = take(_LENGTH.size)
    length = int(_LENGTH.unpack(prefix)[0])
    if length > LIMIT:
        raise FrameError(
            f"the {name} announces {length} bytes; the protocol allows {LIMIT}. "
            f"The prefix is {bytes(prefix)!r}: something other than frames was written to stdout."
        )
    return length
