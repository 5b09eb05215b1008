"""Ready-made tests: one for each bundle and route, without a line of the suite's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from twinrank.bridge._errors import UserError
from twinrank.bridge._parity import RouteTally
from twinrank.bridge._pytest_run import (
    DifferenceError,
    NoAnswerError,
    Settings,
    choose,
    explained,
    labels,
    note,
    report_name,
    run,
    settings,
)
from twinrank.bridge._pytest_text import told
from twinrank.bridge._scorer import Route
from twinrank.bridge._verify import ParityRun
from twinrank.export.bundle import BundleError


def collect(session: pytest.Session) -> list[pytest.Item]:
    """Return a test for every bundle over every route.

    Raises:
        pytest.UsageError: if there is no bundle, a name is no route, or a bundle has no route.
    """
    given = settings(session.config)
    if not given.bundles:
        raise pytest.UsageError(
            "twinrank: --twinrank-verify (or twinrank_collect) without a bundle; add --twinrank-bundle PATH"
        )
    made: list[pytest.Item] = []
    for bundle, label in labels(given.bundles).items():
        folder = BundleTests.from_parent(session, name=label, nodeid=f"twinrank::{label}")
        folder.prepare(given, bundle)
        made += folder.collect()
    return made


class BundleTests(pytest.Collector):
    """One bundle; it is verified once, over all routes that were not deselected."""

    def prepare(self, given: Settings, bundle: Path) -> None:
        """Choose the routes; a bundle whose manifest cannot be read becomes one test that says so."""
        self.bundle = bundle
        self._given = given
        self._left_out: Mapping[str, str] = {}
        self._routes: Sequence[Route | None]
        self._result: ParityRun | NoAnswerError | None = None
        try:
            self._routes, self._left_out = choose(self.config, given, bundle)
        except BundleError:
            self._routes = [None]
        if not self._routes:
            raise pytest.UsageError(f"twinrank: no route takes {bundle}: {dict(self._left_out)}")

    def collect(self) -> list[RouteTest]:
        """Return a test for each route."""
        return [
            RouteTest.from_parent(self, name="opens" if route is None else f"over {route.name}", route=route)
            for route in self._routes
        ]

    def result(self) -> ParityRun:
        """Verify the bundle, once, over the routes of all tests that run.

        Raises:
            NoAnswerError: if the baseline's reader refuses it, or requests cannot be read.
        """
        if self._result is None:
            running = [item.route for item in self.session.items if isinstance(item, RouteTest) and item.parent is self]
            try:
                routes = [route for route in running if route is not None]
                self._result = run(self._given, self.bundle, routes, left_out=self._left_out, report=self.report())
                note(self.config, self._result)
            except (BundleError, UserError) as error:
                self._result = NoAnswerError(explained(error))
        if isinstance(self._result, NoAnswerError):
            raise self._result
        return self._result

    def report(self) -> Path | None:
        """Return the folder of this bundle's report."""
        return None if self._given.report is None else self._given.report / report_name(self._given, self.bundle)


class RouteTest(pytest.Item):
    """`ml100k/1 over probe`: an error where the route could not be heard, a failure where it differs."""

    parent: BundleTests

    def __init__(self, *, route: Route | None, **given: Any) -> None:
        """Remember the route; None stands for a bundle whose routes cannot be told."""
        super().__init__(**given)
        self.route = route

    def setup(self) -> None:
        """Verify the bundle; what did not run is an error of the set-up, and no failed comparison."""
        try:
            run, tally = self._tally()
        except NoAnswerError as error:
            pytest.fail(str(error), pytrace=False)
        self.user_properties += [("twinrank_rows", tally.rows), ("twinrank_requests", tally.requests)]
        if tally.status == "unknown":
            pytest.fail(told(run, tally, self.parent.report()), pytrace=False)

    def runtest(self) -> None:
        """Fail where anything differs.

        Raises:
            DifferenceError: with the finding.
        """
        run, tally = self._tally()
        if tally.status != "equal":
            raise DifferenceError(told(run, tally, self.parent.report()))

    def _tally(self) -> tuple[ParityRun, RouteTally]:
        result = self.parent.result()
        [tally] = [tally for tally in result.routes if self.route is not None and tally.route == self.route.name]
        return result, tally

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the finding alone: our own frames tell nobody anything."""
        if isinstance(excinfo.value, DifferenceError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return where this test comes from: the bundle."""
        return self.parent.bundle, None, f"twinrank: {self.parent.name} {self.name}"
