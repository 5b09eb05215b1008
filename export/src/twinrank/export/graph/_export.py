"""From a source to a bundle that has proved itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from twinrank.export.bundle import (
    BundleError,
    Content,
    Draft,
    Evidence,
    Head,
    bundle_files,
    host_class,
    open_bundle,
    read_manifest,
    runtime_release,
    sweep,
    versions_of,
    write_bundle,
)
from twinrank.export.graph import _edges as edges
from twinrank.export.graph._compose import SCORE, compose, output_name
from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._executor import Executor
from twinrank.export.graph._extremes import failing_extremes, measure_extremes
from twinrank.export.graph._goldens import GoldenMaker, choose_goldens, fullest
from twinrank.export.graph._invariance import check_invariance
from twinrank.export.graph._lint import few_requests, judge, lint
from twinrank.export.graph._reference import covering, inexact, measure_reference
from twinrank.export.graph._requests import Samples, read_samples
from twinrank.export.graph._rewriting import rewritten
from twinrank.export.graph._slates import Blocks, size_of, take
from twinrank.export.graph._source import ExportSource, code_revision, source_digest, source_of_run, tool_versions
from twinrank.export.graph._stack_back import StackBack
from twinrank.export.graph._summary import transforms_summary
from twinrank.export.graph._tables import Tables
from twinrank.export.graph._trace import TRACED_CANDIDATES
from twinrank.export.graph._trees_back import TreesBack
from twinrank.training.schema import Packing, pack, read_request

if TYPE_CHECKING:
    from twinrank.training.run import TrainedRun

Progress = Callable[[str], None]
"""Told what an export does next."""


def export_run(
    run: TrainedRun,
    models_dir: Path | str,
    *,
    version: int | None = None,
    progress: Progress | None = None,
    allow: Mapping[str, str] | None = None,
) -> Path:
    """Exports a trained run; see `export_source`."""
    return export_source(source_of_run(run, allow), models_dir, version=version, progress=progress)


def export_source(
    source: ExportSource, models_dir: Path | str, *, version: int | None = None, progress: Progress | None = None
) -> Path:
    """Exports a model, proves it, and writes it as ``<models_dir>/<name>/<version>``.

    The same source on one host class gives the same bytes. If the newest version was made from exactly this source, by
    this code and these libraries on this host class, it is opened again and no version is added.

    Args:
        source: schema, transforms, module or file, and sample requests.
        models_dir: the folder of all models; made if it does not exist.
        version: a version that does not exist yet; None takes the next one.
        progress: told each step, and what a person should know.

    Returns:
        The bundle's directory; it opens as ``verified-bits`` on this host.

    Raises:
        ExportError: with everything found, if the source cannot become a bundle; nothing was written.
        FileExistsError: if ``version`` exists with other content.
        BundleError: if what was made does not open; nothing was left behind.
    """
    tell = progress or _silent
    models = Path(models_dir)
    existing = versions_of(models / source.name)
    number = version if version is not None else (existing[-1] + 1 if existing else 1)
    candidate = models / source.name / str(version if version is not None else number - 1)
    digest = source_digest(source)
    if _made_from(candidate, digest):
        tell(f"version {candidate.name} was made from exactly this {_word(source)}: opening it again")
        sweep(candidate.parent)
        open_bundle(candidate)
        return candidate
    if number in existing:
        raise FileExistsError(f"{models / source.name / str(number)} exists, and nothing in a bundle changes")
    files = build_files(source, digest=digest, progress=tell, scratch=models / source.name)
    tell("writing, and opening what was written")
    while True:
        try:
            return write_bundle(models, source.name, number, files, verify=open_bundle)
        except FileExistsError:
            # Another export was faster; unless a version was asked for, the next one is as good.
            if version is not None:
                raise
            if _made_from(models / source.name / str(number), digest):
                open_bundle(models / source.name / str(number))
                return models / source.name / str(number)
            number += 1


def build_files(
    source: ExportSource, *, digest: str, progress: Progress, scratch: Path | None = None
) -> dict[str, Content]:
    """Every file of the source's bundle by relative path, its evidence measured on this host.

    Args:
        source: what to export.
        digest: its ``source_digest``.
        progress: told each step.
        scratch: where a temporary copy of large weights may lie; None takes the system's temporary folder.

    Raises:
        ExportError: with everything found, if it cannot become a bundle.
    """
    with Tables(scratch) as tables:
        return bundle_files(_draft(source, digest, progress, tables))


def _draft(source: ExportSource, digest: str, progress: Progress, tables: Tables) -> Draft:
    packing = Packing.of(source.schema)
    outputs = (*source.heads, SCORE)
    for note in source.back.notes:
        progress(note)
    progress("reading the sample requests")
    samples = read_samples(source.requests, source.front, source.max_candidates, strict=source.strict, tell=progress)
    findings = few_requests(samples.slates, packing)
    try:
        progress("tracing the module" if source.back.kind == "torch" else "fitting the graph to the schema")
        plain = build_graph(source, samples.slates[0], tables)
        findings += lint(plain)
        # What cannot run need not be measured.
        if any(finding.name in ("operator_forbidden", "training_mode") for finding in findings):
            raise ExportError.of(findings)
        progress("rewriting what depends on the number of candidates")
        model, applied = rewritten(plain, packing, samples.slates, outputs, tables, progress)
        for name, count in Counter(entry.rewrite for entry in applied).items():
            progress(f"  {name}: {count} {'node' if count == 1 else 'nodes'}, listed in the provenance")
        execute = Executor(model, outputs, tables)
        extremes = _extreme_slates(samples, source, packing)
        if failing := failing_extremes(execute, extremes):
            raise ExportError.of((*findings, *failing))
        progress("proving batch invariance")
        invariance = check_invariance(
            execute,
            model,
            packing,
            samples.slates,
            outputs,
            source.max_candidates,
            tables.folder,
            company=[slate for _, slate in extremes],
        )
        # A score that depends on the slate means something for the slate as it is only.
        whole = bool(invariance.findings)
        proved = _proved(source, model, progress)
        progress(f"comparing with {_COMPARED.get(source.back.kind, f'{source.back.kind} itself')}")
        reference = measure_reference(
            execute,
            source.back,
            source.front,
            samples.slates,
            outputs,
            edges=_edge_slates(samples, source, packing),
            max_candidates=source.max_candidates,
            whole=whole,
        )
        findings += inexact(reference, source.back.exact, source.back.kind)
        different = measure_extremes(
            execute, source.back, source.front, extremes, outputs, reference.units, reference.tolerances, whole=whole
        )
    except ExportError as e:
        raise (e.after(findings) if findings and e.findings[: len(findings)] != tuple(findings) else e) from e
    for note in reference.notes:
        progress(f"  {note}")
    allowed = judge((*findings, *reference.findings, *different, *invariance.findings), source.allow, progress)
    progress("choosing goldens")
    maker = GoldenMaker(execute, source.schema, source.max_candidates, [reference.scales[name] for name in outputs])
    goldens = choose_goldens(maker, samples.requests, source.schema, source.max_candidates, _edge_groups(source))
    tolerances = covering(reference.tolerances, goldens, source.back, source.front, outputs, whole=whole)
    return Draft(
        name=source.name,
        schema=source.schema,
        heads=tuple(Head(name, output_name(name), source.back.dtype_of(name)) for name in source.heads),
        score=Head(SCORE, output_name(SCORE), source.back.dtype_of(SCORE)),
        model=model,
        goldens=goldens,
        evidence=Evidence(
            host_class(),
            reference.rows + proved,
            tolerances,
            invariance.sizes,
            invariance.compared,
            source=source.back.kind,
            differing=invariance.differing,
            allowed=allowed,
        ),
        provenance={
            **source.provenance,
            "export": {
                "source": digest,
                "traced_candidates": TRACED_CANDIDATES,
                "largest_golden": max(golden.expected.n for golden in goldens),
                "requests": {"given": len(source.requests), "refused": samples.refused},
                "rewrites": [entry.to_json() for entry in applied],
                "transforms": transforms_summary(source.front.transforms, source.front.outputs),
                "code": code_revision(),
                "versions": tool_versions(),
            },
        },
        max_candidates=source.max_candidates,
        release=runtime_release(),
        weights=tables.weights_of(model),
        statistics=samples.histograms.to_bytes(),
    )


def build_graph(source: ExportSource, slate: Blocks, tables: Tables | None = None) -> onnx.ModelProto:
    """The source's slate graph before any rewrite: blocks in, ``head.<name>``, ``score`` and ``unseen.*`` out.

    Args:
        source: what to export.
        slate: a real slate, which a module is traced with.
        tables: keeps large weights outside; None leaves them in the graph, which protobuf limits to 2 GiB.

    Raises:
        ExportError: ``training_mode``, ``shape_baked_in``, ``graph_refused``, ``outputs_differ_from_heads``,
            ``operator_forbidden``.
    """
    problems: Sequence[Finding] = source.back.findings()
    if problems:
        raise ExportError.of(problems)
    outputs = (*source.heads, SCORE)
    packing = Packing.of(source.schema)
    rows = np.arange(TRACED_CANDIDATES, dtype=np.int64) % size_of(slate, packing)
    specs = source.front.outputs
    back = source.back.graph(specs, source.front.encode(take(slate, rows, packing)), outputs, tables)
    return compose(source.front.to_onnx(), back, packing, specs, outputs)


_FOREST_EDGES = 32
_COMPARED = {"torch": "the torch module", "onnx": "the original file"}


def _proved(source: ExportSource, model: onnx.ModelProto, progress: Progress) -> int:
    """How many rows beside the samples were compared with the reference: a forest is asked at all its boundaries.

    Raises:
        ExportError: ``tree_bits_differ``.
    """
    if not isinstance(source.back, TreesBack | StackBack):
        return 0
    progress("comparing rows on both sides of every threshold with the library, bit by bit")
    rows = source.back.prove(model)
    progress(f"  {rows:,} rows, 0 differing bits")
    # Of a stack the evidence names what the network was compared with, and these rows never met it.
    return rows if isinstance(source.back, TreesBack) else 0


def _edge_slates(samples: Samples, source: ExportSource, packing: Packing) -> list[Blocks]:
    """Slates with empty, full and longer lists: the lengths at which what was traced may differ."""
    base = fullest(samples.requests)
    return [
        pack(read_request(edges.dump(request), source.schema, max_candidates=source.max_candidates), packing)
        for _, request in edges.list_requests(base, source.schema)
    ]


def _extreme_slates(samples: Samples, source: ExportSource, packing: Packing) -> list[tuple[str, Blocks]]:
    """Legal slates with what no sample need hold: unseen, absent, extreme, not finite; each with what that is."""
    base = fullest(samples.requests)
    slates = []
    for edge in edges.edge_requests(base, source.schema, _edge_groups(source)):
        request = read_request(edges.dump(edge.request), source.schema, max_candidates=source.max_candidates)
        if request.n:
            slates.append((edge.label, pack(request, packing)))
    return slates


def _edge_groups(source: ExportSource) -> int | None:
    """How many requests of a kind of edge are enough.

    A forest may have a thousand features, and one of them at an edge cannot hide what another does: no value of one
    makes every score NaN, and every threshold of each is asked on both sides by itself (`TreesBack.prove`). A network's
    features are asked one by one.
    """
    return _FOREST_EDGES if isinstance(source.back, TreesBack) else None


def _silent(step: str) -> None:
    del step


def _word(source: ExportSource) -> str:
    return "run" if source.strict else "source"


def _made_from(path: Path, digest: str) -> bool:
    """Whether a bundle lies at ``path`` whose provenance names this source; a damaged one does not count."""
    try:
        provenance = read_manifest(path).document["provenance"]
    except BundleError:
        return False
    export = provenance.get("export")
    return isinstance(export, dict) and export.get("source") == digest
