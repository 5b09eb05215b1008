"""`tools/server_reliability.sh`: what the service promises under change, stop and kill, each with its figure.

    python -m tools.service full               1,000 reloads, 200 SIGTERMs, 100 kills, 100,000 counted, an hour of soak
    python -m tools.service ci                 20, 5, 5, 10,000, a minute
    python -m tools.service full reload kill   these alone
    python -m tools.service soak 600           a soak of ten minutes

Exit code 0: every promise was kept; 1: one was not; 2: could not tell.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from tools.service import counts, death, reloads, soak
from tools.service.stage import CannotTellError, Stage, Verdict

_PARTS = ("reload", "sigterm", "kill", "metrics", "soak")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of each."""

    reloads: int
    sigterms: int
    kills: int
    requests: int
    soak: int


SIZES = {"full": Size(1000, 200, 100, 100_000, 3600), "ci": Size(20, 5, 5, 10_000, 60)}


def main() -> int:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(
        prog="server_reliability.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("size", choices=[*SIZES, "soak"])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(_PARTS)}; after soak: seconds (3600)")
    asked = parser.parse_args()
    if asked.size == "soak":
        seconds = int(asked.parts[0]) if asked.parts else SIZES["full"].soak
        return run({"soak": lambda stage: soak.run(stage, seconds)})
    unknown = [part for part in asked.parts if part not in _PARTS]
    if unknown:
        parser.error(f"{unknown[0]} is none of {', '.join(_PARTS)}")
    size = SIZES[asked.size]
    every: dict[str, Callable[[Stage], Verdict]] = {
        "reload": lambda stage: reloads.run(stage, size.reloads),
        "sigterm": lambda stage: death.sigterms(stage, size.sigterms),
        "kill": lambda stage: death.kills(stage, size.kills),
        "metrics": lambda stage: counts.run(stage, size.requests),
        "soak": lambda stage: soak.run(stage, size.soak),
    }
    return run({name: part for name, part in every.items() if not asked.parts or name in asked.parts})


def run(parts: dict[str, Callable[[Stage], Verdict]]) -> int:
    """Runs the parts, one line each; the exit code."""
    status = 0
    for name, part in parts.items():
        began = time.monotonic()
        try:
            with Stage(name) as stage:
                verdict = part(stage)
        except CannotTellError as e:
            sys.stdout.write(f"reliability: {name}: COULD NOT TELL: {e}\n")
            status = max(status, 2)
            continue
        word = "kept" if verdict.kept else "BROKEN"
        seconds, load = time.monotonic() - began, os.getloadavg()[0]
        sys.stdout.write(f"reliability: {name}: {word}: {verdict.figures} ({seconds:.0f} s, load {load:.1f})\n")
        for line in verdict.wrong:
            sys.stdout.write(f"  {line}\n")
        sys.stdout.flush()
        status = status if verdict.kept else 1
    return status


if __name__ == "__main__":
    sys.exit(main())
