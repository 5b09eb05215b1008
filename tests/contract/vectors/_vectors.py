"""What the vector generators share: writing one JSON file, or comparing it, always in the same bytes."""

import argparse
import json
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def finish(name: str, document: dict[str, Any]) -> int:
    """Write `name`, or with `--check` compare it; the process's exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    check = parser.parse_args().check
    # ASCII only: editors and diffs cannot change what they cannot show.
    data = (json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()
    path = HERE / name
    if not check:
        path.write_bytes(data)
        return 0
    if not path.is_file() or path.read_bytes() != data:
        print(f"{name} differs from what its generator makes; run tests/contract/generate.py --update", file=sys.stderr)
        return 1
    return 0


def tensor(dtype: str, shape: Sequence[int], values: Sequence[int | float | str]) -> dict[str, Any]:
    """One block: row-major, little-endian; a value given as text is the hex of its bits, sign first."""
    code, width = {"int64": ("<q", 16), "float32": ("<f", 8), "float64": ("<d", 16)}[dtype]
    size = 1
    for extent in shape:
        size *= extent
    if len(values) != size:
        raise ValueError(f"shape {list(shape)} needs {size} values, got {len(values)}")
    parts = []
    for value in values:
        if isinstance(value, str):
            if len(value) != width:
                raise ValueError(f"{value!r} is not the bits of a {dtype}")
            parts.append(bytes.fromhex(value)[::-1])
        else:
            parts.append(struct.pack(code, value))
    return {"dtype": dtype, "shape": list(shape), "hex": b"".join(parts).hex()}
