"""The Python testee whose reader lower-cases every string, once it has loaded: goldens would betray it before."""

import sys
from typing import Any

from twinrank.bridge import _answering, testee
from twinrank.bridge.explain._requests import dump, on_strings, parse, transformed
from twinrank.export.bundle import _bundle, open_bundle
from twinrank.training.schema import Request, Schema, read_request

loaded: list[object] = []


def opening(*given: Any, **options: Any) -> Any:
    loaded.append(open_bundle(*given, **options))
    return loaded[-1]


def lowering(raw: bytes, schema: Schema, *, max_candidates: int) -> Request:
    if not loaded:
        return read_request(raw, schema, max_candidates=max_candidates)
    names = [feature.name for feature in schema.features if feature.dtype == "string"]
    return read_request(
        dump(transformed(parse(raw), names, on_strings(str.lower))), schema, max_candidates=max_candidates
    )


if __name__ == "__main__":
    _bundle.read_request = lowering
    _answering.open_bundle = opening
    sys.exit(testee.main(sys.argv[1:]))
