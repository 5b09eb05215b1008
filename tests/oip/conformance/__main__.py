"""Ask any server of the Open Inference Protocol whether it keeps to it.

    PYTHONPATH=tests/oip python -m conformance --http http://HOST:PORT --grpc HOST:PORT --model NAME [--request FILE]

It needs httpx, numpy and, for gRPC, tritonclient[grpc]. Without --request a request is made from the model's metadata;
where the model does not answer such a one, FILE holds the body of a JSON inference request that it answers. Exit
status: 0 if every `must` and every extension that the server claims is kept, 1 if not, 2 for a wrong command.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from conformance._model import Target
from conformance._run import failed, run, table


def main() -> int:
    """Run the suite, and print its table."""
    parser = argparse.ArgumentParser(prog="conformance", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--http", default="", metavar="URL", help="base URL of the HTTP service")
    parser.add_argument("--grpc", default="", metavar="HOST:PORT", help="address of the gRPC service")
    parser.add_argument("--model", required=True, help="the name of a model that is served")
    parser.add_argument("--request", type=Path, metavar="FILE", help="a JSON inference request that it answers")
    given = parser.parse_args()
    if not given.http and not given.grpc:
        parser.error("give --http, --grpc or both")
    body = json.loads(given.request.read_text(encoding="utf-8")) if given.request else {}
    target = Target(given.http.rstrip("/"), given.grpc, given.model, body.get("inputs", ()), body.get("parameters", {}))
    results = run(target)
    print(table(results))
    return int(failed(results))


if __name__ == "__main__":
    sys.exit(main())
