"""Make requests.json: raw requests with the blocks, or the error, that must come of them."""

import _requests_lists
import _requests_order
import _requests_text
import _requests_values
from _vectors import finish

ABOUT = (
    "Raw requests (request: the text, request_base64: bytes that are no UTF-8) and what must come of them. Either "
    "error: code, feature and candidate, where a field that is absent here must be absent there; or n, k (null for "
    "all, else min(k, n)) and all blocks in packing order, whose hex is the row-major little-endian content."
)
PROVENANCE = (
    "generate_requests.py: codes, fields and blocks are written by hand from sections 4 to 6 of the contract; no "
    "implementation of twinrank takes part. Keys come from python-xxhash, as in keys.json."
)


def main() -> int:
    """Write or check the file."""
    modules = (_requests_text, _requests_order, _requests_values, _requests_lists)
    cases = [case for module in modules for case in module.cases()]
    names = [case.name for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"case names must be unique: {sorted(twice)}")
    return finish(
        "requests.json", {"about": ABOUT, "provenance": PROVENANCE, "cases": [case.to_json() for case in cases]}
    )


if __name__ == "__main__":
    raise SystemExit(main())
