"""What an export costs, and what a large table costs when it is loaded.

    .venv/bin/python export/bench/export.py [--run build/runs/ml100k] [--rows 10000000]

Every part runs in a process of its own, so that its peak of memory is its own. Anonymous memory is what a process
really holds; pages of mapped files belong to the page cache and are shared. Files go to a temporary folder beside the
run and are removed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

MB = 1e6
_ROUNDS = 300
_LOADS = 3
_ENTRIES = (20_000, 220_000)
_SETTLED = 2.1


def memory() -> dict[str, float]:
    """MB of this process: anonymous, and mapped from files."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return {key: int(lines[key].split()[0]) * 1024 / MB for key in ("RssAnon", "RssFile")}


@contextmanager
def peak() -> Iterator[dict[str, float]]:
    """The peak of anonymous memory over what there was before, looked at every 5 ms; filled in at the end."""
    found = {"before": memory()["RssAnon"], "peak": 0.0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            found["peak"] = max(found["peak"], memory()["RssAnon"])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def part_export(kind: str, models: str, rows: str) -> dict[str, Any]:
    """Exports the demo's run (``kind`` is its path), the large one (``large``), or that with int8 tables (``int8``)."""
    from large import large_run

    from twinrank.export.graph import export_source, quantise_tables, source_of_run
    from twinrank.training.run import load_run

    source = source_of_run(large_run(int(rows)) if kind in ("large", "int8") else load_run(Path(kind)))
    steps: list[tuple[float, str]] = []
    with peak() as seen:
        began = time.perf_counter()
        if kind == "int8":
            source = quantise_tables(source)
        path = export_source(
            source, models, progress=lambda step: steps.append((time.perf_counter() - began, step.splitlines()[0]))
        )
        seconds = time.perf_counter() - began
    ends = [*(at for at, _ in steps[1:]), seconds]
    return {
        "path": str(path),
        "seconds": seconds,
        "steps": [(step, end - at) for (at, step), end in zip(steps, ends, strict=True) if end - at >= 0.5],
        "size": sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        "memory": seen,
        "quantisation": source.provenance.get("quantisation"),
    }


def part_load(path: str) -> dict[str, Any]:
    """Opens a bundle: warm and cold, with and without the record, and the session alone."""
    from twinrank.export.bundle import MODEL_DATA, Runner, host_class, open_bundle, read_manifest

    host_class()
    root = Path(path)
    data = root / MODEL_DATA

    def timed(act: Callable[[], Any], *, cold: bool = False) -> float:
        times = []
        for _ in range(_LOADS):
            if cold:
                descriptor = os.open(data, os.O_RDONLY)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)
            began = time.perf_counter()
            act()
            times.append(time.perf_counter() - began)
        return float(np.median(times))

    before = memory()
    bundle = open_bundle(root)
    opened = memory()
    bundle.score(_request(100))
    scored = memory()
    settings, model = read_manifest(root).session, (root / "model.onnx").read_bytes()
    time.sleep(max(0.0, data.stat().st_ctime + _SETTLED - time.time()))
    open_bundle(root, installation="trust_record")
    recorded = open_bundle(root, installation="trust_record").installation
    return {
        "size": data.stat().st_size,
        "memory": {"before": before, "opened": opened, "scored": scored},
        "always": timed(lambda: open_bundle(root)),
        "always_cold": timed(lambda: open_bundle(root), cold=True),
        "recorded": recorded,
        "trust_record": timed(lambda: open_bundle(root, installation="trust_record")),
        "trust_record_cold": timed(lambda: open_bundle(root, installation="trust_record"), cold=True),
        "session": timed(lambda: Runner(model, settings, root)),
    }


def _request(candidates: int) -> bytes:
    """Random items, none of them in a golden."""
    items = np.random.Generator(np.random.PCG64(99)).integers(1 << 60, size=candidates).tolist()
    return json.dumps({"context": {"user": 1}, "candidates": [{"item": i, "price": 1.5} for i in items]}).encode()


def part_vocabulary(models: str) -> dict[str, Any]:
    """Two exports that differ in the size of one string vocabulary."""
    from twenty import twenty_run

    from twinrank.export.graph import export_run

    paths = [export_run(twenty_run({"user": entries}), Path(models) / str(entries)) for entries in _ENTRIES]
    few, many = (sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) for path in paths)
    return {"path": str(paths[0]), "bytes": (many - few) / (_ENTRIES[1] - _ENTRIES[0])}


def part_transforms(path: str) -> dict[str, Any]:
    """A bundle's graph, and its two halves, at 200 candidates: in turn, on one thread.

    Args:
        path: the bundle of the run with 20 features.
    """
    from twenty import twenty_run

    from twinrank.export.bundle import Runner, open_bundle
    from twinrank.export.graph import source_of_run

    run = twenty_run()
    bundle = open_bundle(path)
    settings = bundle.manifest.session
    blocks = bundle.pack(run.requests[0])
    whole = Runner((bundle.path / "model.onnx").read_bytes(), settings, bundle.path)
    front = Runner(run.front.to_onnx().SerializeToString(), settings)
    encoded = {name: np.ascontiguousarray(values) for name, values in run.front.encode(blocks).items()}
    half = source_of_run(run).back.graph(run.front.outputs, encoded, (*run.heads, "score"), None)
    back = Runner(half.SerializeToString(), settings)
    acts: dict[str, Callable[[], object]] = {
        "whole": lambda: whole.run(blocks),
        "front": lambda: front.run(blocks),
        "back": lambda: back.run({f"encoded.{name}": values for name, values in encoded.items()}),
    }
    times: dict[str, list[float]] = {name: [] for name in acts}
    for turn in range(_ROUNDS):
        for name in sorted(acts, reverse=bool(turn % 2)):
            began = time.perf_counter()
            acts[name]()
            times[name].append(time.perf_counter() - began)
    warm = {name: np.array(values[_ROUNDS // 10 :]) for name, values in times.items()}
    return {
        "features": len(run.schema.features),
        "lookups": sum(node.op_type == "LabelEncoder" for node in run.front.to_onnx().graph.node),
        "candidates": len(next(iter(blocks[name] for name in blocks if name.startswith("candidate.")))),
        **{name: float(np.median(values)) for name, values in warm.items()},
        "shares": np.quantile(warm["front"] / warm["whole"], [0.25, 0.5, 0.75]).tolist(),
    }


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "export": part_export,
    "load": part_load,
    "transforms": part_transforms,
    "vocabulary": part_vocabulary,
}


def measured(part: str, *arguments: object) -> dict[str, Any]:
    """A part's result, from a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--part", part, *(str(argument) for argument in arguments)],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"part {part} {arguments} failed with {done.returncode}; what it said stands above")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def show_export(label: str, found: dict[str, Any]) -> None:
    """Seconds, size, memory, and the steps that took half a second or more."""
    seen = found["memory"]
    print(f"{label}: {found['seconds']:.1f} s, bundle {found['size'] / MB:,.1f} MB")
    print(
        f"  anonymous memory {seen['before']:,.0f} MB before (module and libraries), "
        f"at most {seen['peak'] - seen['before']:,.0f} MB more"
    )
    for step, seconds in found["steps"]:
        print(f"  {seconds:6.1f} s  {step}")


def show_load(label: str, found: dict[str, Any]) -> None:
    """Seconds an opening, and per 100 MB what of it depends on the size."""
    hundreds = found["size"] / (100 * MB)
    print(f"{label}, {found['size'] / MB:,.0f} MB of weights ({found['recorded']})")
    for key in ("always", "always_cold", "trust_record", "trust_record_cold", "session"):
        print(f"  {key:<18} {found[key]:7.3f} s")
    digest = (found["always"] - found["trust_record"]) / hundreds
    print(
        f"  per 100 MB: digest {digest:.3f} s, cold {(found['always_cold'] - found['trust_record']) / hundreds:.3f} s"
    )
    for key, seen in found["memory"].items():
        print(f"  memory {key:<7} anonymous {seen['RssAnon']:,.0f} MB, mapped {seen['RssFile']:,.0f} MB")


def main() -> None:
    """Prints every figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, default=Path("build/runs/ml100k"), help="the demo's trained run")
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the large table")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        name, *arguments = given.part
        print(json.dumps(PARTS[name](*arguments)))
        return
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=given.run.parent))
    try:
        show_export(f"demo ({given.run.name})", measured("export", given.run, folder / "demo", 0))
        float_run = measured("export", "large", folder / "float", given.rows)
        show_export(f"{given.rows:,} rows of 32, float32", float_run)
        show_load("loading float32", measured("load", float_run["path"]))
        shutil.rmtree(folder / "float")
        int8_run = measured("export", "int8", folder / "int8", given.rows)
        show_export(f"{given.rows:,} rows of 32, int8", int8_run)
        loss = int8_run["quantisation"]
        print(
            f"  {int8_run['size'] / float_run['size']:.3f} of the size; score differs by at most "
            f"{loss['score_max_abs']:.2e}, {loss['score_mean_abs']:.2e} on average; "
            f"top 10 kept {loss['top_10_kept']:.3f}, first kept {loss['first_kept']:.3f} ({loss['requests']} requests)"
        )
        show_load("loading int8", measured("load", int8_run["path"]))
        found = measured("vocabulary", folder / "vocabulary")
        print(f"a string vocabulary's entry: {found['bytes']:.1f} bytes of bundle, 64 of them its row of 16 float32")
        found = measured("transforms", found["path"])
        low, middle, high = found["shares"]
        print(
            f"transforms, {found['features']} features with {found['lookups']} lookups, n = {found['candidates']}: "
            f"graph {found['whole'] * 1e6:.0f} us, front half alone {found['front'] * 1e6:.0f} us, back half alone "
            f"{found['back'] * 1e6:.0f} us; front / graph {middle:.2f} [{low:.2f}, {high:.2f}]"
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
