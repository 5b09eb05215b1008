"""From a trained run to a bundle that has proved itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from twinrank.export.bundle import (
    BundleError,
    Content,
    Draft,
    Evidence,
    FloatArray,
    Head,
    HistogramBuilder,
    Histograms,
    Runner,
    SessionSettings,
    bundle_files,
    host_class,
    lookups_of,
    open_bundle,
    operators,
    read_manifest,
    runtime_release,
    versions_of,
    write_bundle,
)
from twinrank.export.graph._compose import SCORE, compose, forbidden_operators, output_name
from twinrank.export.graph._errors import ExportError
from twinrank.export.graph._goldens import GoldenMaker, choose_goldens
from twinrank.export.graph._invariance import check_invariance
from twinrank.export.graph._reference import measure_reference
from twinrank.export.graph._slates import Blocks, size_of, take
from twinrank.export.graph._source import source_digest, tool_versions
from twinrank.export.graph._tables import Tables
from twinrank.export.graph._summary import transforms_summary
from twinrank.export.graph._trace import TRACED_CANDIDATES, trace
from twinrank.training.schema import Packing, ScoringError, pack, read_request

if TYPE_CHECKING:
    from twinrank.training.run import TrainedRun

Progress = Callable[[str], None]
"""Told what an export does next."""


def export_run(
    run: TrainedRun, models_dir: Path | str, *, version: int | None = None, progress: Progress | None = None
) -> Path:
    """Exports a trained run, proves it, and writes it as ``<models_dir>/<name>/<version>``.

    The same run on one host class gives the same bytes. If the newest version was made from exactly this run, by this
    code and these libraries on this host class, it is opened again and no version is added.

    Args:
        run: what training left.
        models_dir: the folder of all models; made if it does not exist.
        version: a version that does not exist yet; None takes the next one.
        progress: told each step.

    Returns:
        The bundle's directory; it opens as ``verified-bits`` on this host.

    Raises:
        ExportError: if the run cannot become a bundle; nothing was written.
        FileExistsError: if ``version`` exists with other content.
        BundleError: if what was made does not open; nothing was left behind.
    """
    tell = progress or _silent
    models = Path(models_dir)
    existing = versions_of(models / run.name)
    number = version if version is not None else (existing[-1] + 1 if existing else 1)
    candidate = models / run.name / str(version if version is not None else number - 1)
    source = source_digest(run)
    if _made_from(candidate, source):
        tell(f"version {candidate.name} was made from exactly this run: opening it again")
        open_bundle(candidate)
        return candidate
    if number in existing:
        raise FileExistsError(f"{models / run.name / str(number)} exists, and nothing in a bundle changes")
    files = build_files(run, source=source, progress=tell, scratch=models / run.name)
    tell("writing, and opening what was written")
    return write_bundle(models, run.name, number, files, verify=open_bundle)


def build_files(run: TrainedRun, *, source: str, progress: Progress, scratch: Path | None = None) -> dict[str, Content]:
    """Every file of the run's bundle by relative path, its evidence measured on this host.

    Args:
        run: what training left.
        source: its ``source_digest``.
        progress: told each step.
        scratch: where a temporary copy of large weights may lie; None takes the system's temporary folder.

    Raises:
        ExportError: if the run cannot become a bundle.
    """
    with Tables(scratch) as tables:
        return bundle_files(_draft(run, source, progress, tables))


def _draft(run: TrainedRun, source: str, progress: Progress, tables: Tables) -> Draft:
    packing = Packing.of(run.schema)
    outputs = (*run.heads, SCORE)
    progress("reading the run's requests")
    slates, seen = _slates(run, packing)
    progress(f"tracing the module at {TRACED_CANDIDATES} candidates")
    model = build_graph(run, slates[0], packing, tables)
    progress("opening the graph")
    execute = _executor(model, outputs, tables)
    progress("comparing with the torch module")
    reference = measure_reference(execute, run.module, run.front, slates, outputs)
    progress("proving batch invariance")
    invariance = check_invariance(execute, model, packing, slates, outputs, run.max_candidates, tables.folder)
    progress("choosing goldens")
    maker = GoldenMaker(execute, run.schema, run.max_candidates, [reference.scales[name] for name in outputs])
    goldens = choose_goldens(maker, run.requests, run.schema, run.max_candidates)
    return Draft(
        name=run.name,
        schema=run.schema,
        heads=tuple(Head(name, output_name(name), "float32") for name in run.heads),
        score=Head(SCORE, output_name(SCORE), "float32"),
        model=model,
        goldens=goldens,
        evidence=Evidence(host_class(), reference.rows, reference.tolerances, invariance.sizes, invariance.compared),
        provenance={
            **run.provenance,
            "export": {
                "source": source,
                "traced_candidates": TRACED_CANDIDATES,
                "transforms": transforms_summary(run.front.transforms, run.front.outputs),
                "versions": tool_versions(),
            },
        },
        max_candidates=run.max_candidates,
        release=runtime_release(),
        weights=tables.weights_of(model),
        statistics=seen.to_bytes(),
    )


def build_graph(run: TrainedRun, slate: Blocks, packing: Packing, tables: Tables | None = None) -> onnx.ModelProto:
    """The run's slate graph: blocks in, ``head.<name>`` and ``score`` out.

    Args:
        run: what training left.
        slate: a real slate, which the module is traced with.
        packing: the graph's inputs.
        tables: keeps large weights outside; None leaves them in the graph, which protobuf limits to 2 GiB.

    Raises:
        ExportError: ``shape_baked_in``, ``operator_forbidden``, ``graph_refused``, ``outputs_differ_from_heads``.
    """
    if run.module.training:
        raise ExportError("graph_refused", "the module is in training mode", "Call eval() before exporting")
    outputs = (*run.heads, SCORE)
    rows = np.arange(TRACED_CANDIDATES, dtype=np.int64) % size_of(slate, packing)
    specs = run.front.outputs
    back = trace(run.module, specs, run.front.encode(take(slate, rows, packing)), outputs, tables)
    model = compose(run.front.to_onnx(), back, packing, specs, outputs)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    permitted = [key for key in operators().allowed if operators().permits(*key, opsets.get(key[0], 0))]
    forbidden = forbidden_operators(model, permitted)
    if forbidden:
        raise ExportError(
            "operator_forbidden",
            f"the graph needs {', '.join(forbidden)}, which tests/contract/vectors/operators.json does not list",
            "Write the module with operators that work in bounded time and on numbers only",
        )
    return model


def _executor(
    model: onnx.ModelProto, outputs: Sequence[str], tables: Tables
) -> Callable[[Blocks], Sequence[FloatArray]]:
    try:
        runner = Runner(model.SerializeToString(deterministic=True), SessionSettings(), tables.folder)
    except Exception as e:  # the runtime raises many types, none of them documented
        raise ExportError("graph_refused", f"ONNX Runtime refuses the graph: {e}", "Report it with the run") from e

    def execute(blocks: Blocks) -> Sequence[FloatArray]:
        try:
            found = runner.run(blocks)
        except Exception as e:  # as above
            raise ExportError(
                "shape_baked_in",
                f"the graph fails on blocks of shapes { {name: array.shape for name, array in blocks.items()} }: {e}",
                "Keep sizes symbolic: no int(), item() or Python branch on n",
            ) from e
        for name, values in zip(outputs, found, strict=True):
            if values.dtype != np.float32:
                raise ExportError("outputs_differ_from_heads", f"output {name!r} is {values.dtype}", "Return float32")
        return found

    return execute


def _slates(run: TrainedRun, packing: Packing) -> tuple[list[Blocks], Histograms]:
    """The run's requests as blocks, those without candidates left out, and how the features are distributed in all."""
    slates = []
    looked_up = {name for lookup in lookups_of(run.front.to_onnx(), packing) for name in lookup.features}
    histograms = HistogramBuilder(run.schema, looked_up)
    for index, raw in enumerate(run.requests):
        try:
            request = read_request(raw, run.schema, max_candidates=run.max_candidates)
        except ScoringError as e:
            raise ExportError("no_request", f"request {index} is refused: {e.code}: {e.message}", "Train again") from e
        blocks = pack(request, packing)
        histograms.add(raw, request, blocks)
        if request.n:
            slates.append(blocks)
    if not slates:
        raise ExportError("no_request", "the run holds no request with a candidate", "Train again with sample requests")
    return slates, histograms.build()


def _silent(step: str) -> None:
    del step


def _made_from(path: Path, source: str) -> bool:
    """Whether a bundle lies at ``path`` whose provenance names this source; a damaged one does not count."""
    try:
        provenance = read_manifest(path).document["provenance"]
    except BundleError:
        return False
    export = provenance.get("export")
    return isinstance(export, dict) and export.get("source") == source
