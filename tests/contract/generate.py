"""Run every contract generator: `--check` regenerates in memory and compares bytes, `--update` rewrites.

A generator is a file `generate*.py` below this folder that takes `--check` (exit 1 and a list of differing files) and
writes its files when called without it.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run all generators and return 0 when every one succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="compare, change nothing")
    mode.add_argument("--update", action="store_true", help="rewrite the files")
    check = parser.parse_args().check
    generators = sorted(path for path in HERE.rglob("generate*.py") if path != HERE / "generate.py")
    if not generators:
        print("no generator found: the contract has lost its vectors", file=sys.stderr)
        return 1
    failed = 0
    for path in generators:
        done = subprocess.run([sys.executable, str(path), *(["--check"] if check else [])], check=False)
        print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {path.relative_to(HERE)}", flush=True)
        failed += done.returncode != 0
    print(f"{len(generators) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
