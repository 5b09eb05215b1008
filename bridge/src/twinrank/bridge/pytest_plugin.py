"""The pytest plugin: another team's suite proves its bundles over its routes, with no test of its own or five lines.

Options stand on the command line (`--twinrank-bundle`) or in the configuration file (`twinrank_bundle`); the command
line wins. README.md lists them. Every pytest run of an environment that has twinrank loads this module, so it imports
nothing but pytest; what works is loaded by the first test that asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinrank.bridge import _pytest_hooks

if TYPE_CHECKING:
    from twinrank.bridge import Route, Scorer
    from twinrank.bridge._pytest_run import Proof

__all__ = [
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_generate_tests",
    "pytest_terminal_summary",
    "twinrank_bundle",
    "twinrank_parity",
    "twinrank_route",
    "twinrank_scorer",
]

_BUNDLE, _ROUTE = "twinrank_bundle", "twinrank_route"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options, each on the command line and in the configuration file."""
    group = parser.getgroup("twinrank", "twinrank: prove bundles over every route")

    def both(name: str, said: str, ini: str = "string", **given: str) -> None:
        group.addoption(f"--twinrank-{name}", dest=f"twinrank_{name}", default=None, help=said, **given)
        # An ini option's default must be None: that is how a value that nobody gave is told from one that is empty.
        parser.addini(f"twinrank_{name}", said, type=ini, default=None)  # type: ignore[arg-type]

    both(
        "bundle",
        "a bundle, or a directory of models: the newest version of each; repeatable",
        "paths",
        action="append",
        metavar="PATH",
    )
    both("route", "verify this route only; repeatable", "args", action="append", metavar="NAME")
    both("against", "attach the http route to this running service", metavar="URL")
    both("gateway", "attach the py4j route to the JVM that wrote this connection file", metavar="FILE")
    both("requests", "raw requests, one a line, beside the bundle's goldens", metavar="FILE")
    both("fuzz", "this many requests more, made from each bundle's schema", metavar="N")
    both("seed", "what they are made from; 7 unless given", metavar="S")
    both("require", "what readers must reach on this host: bits (the default) or reference", metavar="LEVEL")
    both("timeout", "seconds until one request counts as hung; 60 unless given", metavar="SECONDS")
    both("report", "write report.html and report.json of every bundle below this folder", metavar="DIR")
    said = "add a test for every bundle over every route"
    group.addoption("--twinrank-verify", action="store_true", default=False, help=said)
    parser.addini("twinrank_collect", said, type="bool", default=False)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare `pytest_twinrank_routes`."""
    pluginmanager.add_hookspecs(_pytest_hooks)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise a test over bundles, over routes, or over both."""
    wanted = [name for name in (_BUNDLE, _ROUTE) if name in metafunc.fixturenames]
    if wanted:
        from twinrank.bridge import _pytest_run

        values, ids = _pytest_run.parameters(metafunc.config, wanted)
        metafunc.parametrize(",".join(wanted), values, ids=ids, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test for every bundle over every route where that was asked for; -k and -m choose among them too."""
    if config.getoption("twinrank_verify") or config.getini("twinrank_collect"):
        from twinrank.bridge import _pytest_items

        items += _pytest_items.collect(session)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was compared: a green dot does not tell how many rows it stands for."""
    from twinrank.bridge._pytest_log import LOG

    lines = config.stash.get(LOG, None)
    if lines:
        terminalreporter.write_sep("=", "twinrank")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def twinrank_bundle(request: pytest.FixtureRequest) -> Path:
    """A bundle's directory; the test runs once for each that was given."""
    from twinrank.bridge import _pytest_run

    return _pytest_run.given(request.param, Path)


@pytest.fixture(scope="session")
def twinrank_route(request: pytest.FixtureRequest) -> Route:
    """A route; the test runs once for each that was chosen."""
    from twinrank.bridge import Route, _pytest_run

    return _pytest_run.given(request.param, Route)


@pytest.fixture(scope="session")
def twinrank_scorer(twinrank_bundle: Path, twinrank_route: Route, pytestconfig: pytest.Config) -> Iterator[Scorer]:
    """The bundle, opened over the route; closed after the last test that uses it."""
    from twinrank.bridge import _pytest_run

    with _pytest_run.opened(pytestconfig, twinrank_bundle, twinrank_route) as scorer:
        yield scorer


@pytest.fixture(scope="session")
def twinrank_parity(pytestconfig: pytest.Config) -> Callable[..., Proof]:
    """Verify a bundle over a route: `twinrank_parity(bundle, route, requests=None)`.

    It takes a bundle's directory, a route or its name, and raw requests as bytes to send beside the goldens (instead
    of those of `--twinrank-requests`). It returns what was compared (`requests`, `rows`, `level`), raises
    AssertionError with the finding where a bit differs, and fails where the route gave no answer.
    """
    from twinrank.bridge import _pytest_run

    return _pytest_run.Parity(pytestconfig)
