"""`twinrank verify`."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from twinrank.bridge import routes as catalogue
from twinrank.bridge._api import compare as run_parity
from twinrank.bridge._api import prepare
from twinrank.bridge._console import console, show
from twinrank.bridge._goldens import GOLDENS
from twinrank.bridge._outcomes import RunFacts
from twinrank.bridge._peers import split_command
from twinrank.bridge._progress import progress_for
from twinrank.bridge._run_facts import host_facts, without_secrets
from twinrank.bridge._scorer import CompareLevel, Level, RouteOptions
from twinrank.bridge._signals import leaving_in_order
from twinrank.bridge._signature import signature_options, signature_policy
from twinrank.bridge._text import printable
from twinrank.bridge._writing import write
from twinrank.export.bundle import SignatureMode


@click.command(
    epilog="""\b
Examples:
  twinrank verify build/models/ml100k/1
  twinrank verify build/models/ml100k/1 --run build/runs/ml100k --report build/report
  twinrank verify build/models/shop/1 --native model.txt
  twinrank verify build/models/ml100k/1 --public-key signer.pub.pem
  twinrank verify build/models/ml100k/1 --route http --against http://127.0.0.1:8080

Exit codes: 0 every route is equal, 1 a route differs or the bundle is refused,
2 could not tell (a route did not run, or nothing was compared)."""
)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--route",
    "asked",
    multiple=True,
    metavar="NAME",
    help=f"Compare this route only; repeatable. [{', '.join(catalogue.names())}]",
)
@click.option(
    "--run",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The trainer's run: adds the torch route or that of its tree library, and the run's requests.",
)
@click.option(
    "--native",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The model file that BUNDLE was made from: adds the route of its library (lightgbm, xgboost, catboost).",
)
@click.option(
    "--schema",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --native: the schema file that the model was exported with, if it was.",
)
@click.option(
    "--requests",
    type=click.Path(path_type=Path),
    help="Raw requests, one a line, instead of the run's.",
)
@click.option(
    "--max-requests", type=click.IntRange(min=0), help="At most this many requests beside the goldens, spread evenly."
)
@click.option("--fuzz", type=click.IntRange(0, 10**12), default=0, help="Add this many requests made from the schema.")
@click.option("--seed", type=click.IntRange(min=0), help="Make the same requests again.  [default: a new one, shown]")
@click.option(
    "--baseline",
    default=catalogue.BASELINE,
    metavar="NAME",
    show_default=True,
    help=f"Who says what is right: a route, or `{GOLDENS.name}` for what the bundle stores of its own goldens.",
)
@click.option("--pairwise", is_flag=True, help="Compare every two routes with each other too.")
@click.option(
    "--level",
    type=click.Choice(["bits", "trees", "reference", "order"]),
    default="bits",
    show_default=True,
    help="The weakest that counts as equal: every bit where a route promises bits; every bit of raw scores, as tree "
    "libraries promise; the bundle's tolerance; "
    "the ranking but for ties.",
)
@click.option("--invariance", is_flag=True, help="Ask again in other slates: a candidate's bits must not change.")
@click.option(
    "--deployed",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="What the routes open instead: compare what is deployed with BUNDLE.",
)
@click.option(
    "--explain/--no-explain", default=True, show_default=True, help="Look for where a difference begins, and why."
)
@click.option(
    "--against", metavar="ADDRESS", help="Attach the http route to this running service: a URL, or HOST:PORT."
)
@click.option(
    "--gateway",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Attach the py4j route to the JVM that wrote this connection file.",
)
@click.option(
    "--python",
    metavar="COMMAND",
    help="Compare this interpreter, which brings its own ONNX Runtime (its release may be another); quoted as for a "
    "shell, for example 'qemu-x86_64 -cpu Haswell python3'.",
)
@click.option(
    "--require",
    type=click.Choice(["bits", "reference"]),
    default="bits",
    show_default=True,
    help="What readers must reach on this host.",
)
@signature_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Seconds until one request counts as hung.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/report"),
    show_default=True,
    help="Where report.json, junit.xml and report.html go.",
)
def verify(
    bundle: Path,
    asked: tuple[str, ...],
    run: Path | None,
    native: Path | None,
    schema: Path | None,
    requests: Path | None,
    max_requests: int | None,
    fuzz: int,
    seed: int | None,
    baseline: str,
    pairwise: bool,
    level: CompareLevel,
    invariance: bool,
    deployed: Path | None,
    explain: bool,
    against: str | None,
    gateway: Path | None,
    python: str | None,
    require: Level,
    public_key: tuple[Path, ...],
    signature: SignatureMode | None,
    timeout: float,
    report: Path,
) -> None:
    """Prove that every route gives BUNDLE's scores, to the bit.

    Runs the bundle's goldens and the run's requests over each route (Java as a process, inside this process, over
    Py4J, over HTTP, and the torch module or the tree library that it was made with) and compares every head, every
    score, every order, every packed tensor and every refusal with ONNX Runtime in Python.
    """
    options = RouteOptions(
        require=require,
        run=run,
        native=native,
        schema=schema,
        against=against,
        gateway=gateway,
        python=None if python is None else split_command(python),
        score_timeout=timeout,
        signature=signature_policy(public_key, signature),
    )
    started = datetime.now(UTC)
    out, err = console(), Console(stderr=True, highlight=False)
    plan = prepare(
        bundle,
        options,
        routes=asked,
        requests=requests,
        max_requests=max_requests,
        fuzz=fuzz,
        seed=seed,
        baseline=baseline,
        pairwise=pairwise,
        level=level,
        deployed=deployed,
    )
    count = plan.requests.count
    counted = f"{count:,} {'request' if count == 1 else 'requests'}"
    if fuzz:
        counted += f" ({fuzz:,} made from seed {plan.seed})"
    facts = plan.bundle
    err.print(Text(f"{facts.name}/{facts.version}  {facts.digest[:19] or 'no manifest'}…  {counted}"), soft_wrap=True)
    with leaving_in_order(), progress_for(err) as progress:
        result = run_parity(plan, progress, invariance=invariance, explain=explain)
    made = RunFacts(
        started=started,
        ended=datetime.now(UTC),
        command=without_secrets(["twinrank", *sys.argv[1:]]),
        require=require,
        baseline_kind="goldens" if plan.baseline is GOLDENS else "route",
        fuzz=fuzz,
        seed=plan.seed,
        report=str(report),
        host=host_facts(),
    )
    result = replace(result, made=made)
    show(result, out)
    for path in write(result, report):
        out.print(Text(f"  {printable(path)}"), soft_wrap=True)
    raise SystemExit(result.exit_code)
