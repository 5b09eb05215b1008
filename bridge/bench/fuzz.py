"""How quickly requests are made, and how many of them score: `python bridge/bench/fuzz.py BUNDLE... [--count N]`."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from itertools import islice
from pathlib import Path

from twinrank.bridge.fuzz import bundle_cases
from twinrank.export.bundle import read_manifest
from twinrank.training.schema import ScoringError, read_request


def main() -> None:
    """Print one line a bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=40_960)
    arguments = parser.parse_args()
    for bundle in arguments.bundles:
        manifest = read_manifest(bundle)
        # The first block pays for sorting the atoms and reading the graph's vocabulary.
        cases = bundle_cases(bundle, 2048 + arguments.count, 1)
        first = list(islice(cases, 2048))
        began = time.process_time()
        size = sum(len(case.raw) for case in cases)
        seconds = time.process_time() - began
        decided = Counter[str]()
        for case in first:
            try:
                read_request(case.raw, manifest.schema, max_candidates=manifest.max_candidates)
                decided["scores"] += 1
            except ScoringError as error:
                decided[error.code] += 1
        share = ", ".join(f"{code} {count / len(first):.1%}" for code, count in decided.most_common())
        rate = arguments.count / seconds
        print(f"{manifest.name}: {rate:,.0f} requests/s of one core, {size / arguments.count:,.0f} bytes each; {share}")


if __name__ == "__main__":
    main()
