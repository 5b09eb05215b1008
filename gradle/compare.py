"""Compares what RankWithGradle printed with a bundle's goldens, bit for bit."""

import json
import sys
from pathlib import Path


def say(line: str) -> None:
    """Write a line to stdout."""
    sys.stdout.write(line + "\n")


def expected_line(golden: dict[str, object], request: bytes) -> dict[str, object]:
    """Return the line that the program prints for a golden: without its data set, `order` cut by the request's `k`."""
    line = {name: value for name, value in golden.items() if name != "data_set"}
    order = line.get("order")
    if isinstance(order, list):
        k = json.loads(request).get("k")
        line["order"] = order if k is None else order[:k]
    return line


def main(bundle: Path, printed: Path) -> int:
    """Print each difference and one line of totals, and return the exit status."""
    requests = (bundle / "goldens/requests.jsonl").read_bytes().removesuffix(b"\n").split(b"\n")
    goldens = [json.loads(line) for line in (bundle / "goldens/rankings.jsonl").read_text("utf-8").splitlines()]
    lines = [json.loads(line) for line in printed.read_text("utf-8").splitlines()]
    if not goldens or not len(requests) == len(goldens) == len(lines):
        say(f"{len(requests)} requests, {len(goldens)} goldens and {len(lines)} printed lines must be one number > 0")
        return 1
    failed = 0
    for golden, request, line in zip(goldens, requests, lines, strict=True):
        expected = expected_line(golden, request)
        if expected != line:
            failed += 1
            say(f"golden {golden['golden']} differs\n  expected {json.dumps(expected)}\n  printed  {json.dumps(line)}")
    say(f"{len(goldens) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
