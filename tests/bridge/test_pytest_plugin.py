"""The pytest plugin as another team meets it: every run is a pytest of its own, in a folder of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from twinrank.bridge import RouteOptions, _pytest_run

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
SAMPLE = HERE / "samples" / "python_team"

FIVE_LINES = """
def test_all_is_equal(twinrank_parity, twinrank_bundle, twinrank_route):
    proof = twinrank_parity(twinrank_bundle, twinrank_route)
    assert proof.rows > 0
    print(f"saw {proof.bundle} {proof.route} {proof.level} {proof.requests} {proof.rows}")
"""


@pytest.fixture(autouse=True)
def alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a team that knows nothing of ours."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-config --import-mode=importlib\n")


@pytest.fixture
def run(pytester: pytest.Pytester):
    def start(*arguments: object) -> pytest.RunResult:
        given = [str(argument) for argument in arguments]
        plugin = () if installed() else ("-p", "twinrank.bridge.pytest_plugin")
        return pytester.runpytest_subprocess(*plugin, "-p", "no:cacheprovider", *given, timeout=100)

    return start


def installed() -> bool:
    """Whether this environment's metadata have the entry point; a checkout that was installed before has not."""
    from importlib.metadata import entry_points

    return any(found.value == "twinrank.bridge.pytest_plugin" for found in entry_points(group="pytest11"))


def plant(pytester: pytest.Pytester, *faults: str) -> None:
    """Gives the team routes of its own, each honest but for one fault."""
    pytester.makeconftest(
        "import sys\nfrom twinrank.bridge import Route\nfrom twinrank.bridge.routes import probe\n"
        "def route(fault):\n"
        f"    command = [sys.executable, {str(HERE / 'fake_testee.py')!r}, fault]\n"
        "    return Route(fault, 'planted', 'bits', lambda path, given: probe.open_command(command, path, given))\n"
        f"def pytest_twinrank_routes(config):\n    return [route(fault) for fault in {list(faults)!r}]\n"
    )


def chosen(*faults: str) -> list[str]:
    return [f"--twinrank-route={fault}" for fault in faults]


# ---- ready-made tests


def test_a_test_for_each_route_says_what_it_found(pytester: pytest.Pytester, run, tiny: Path) -> None:
    plant(pytester, "none", "flipped_bit", "wrong_code", "crash", "refuses")
    faults = ("none", "flipped_bit", "wrong_code", "crash", "refuses")
    result = run("--twinrank-verify", f"--twinrank-bundle={tiny}", *chosen(*faults), "--twinrank-report=out", "-v")
    result.assert_outcomes(passed=1, failed=3, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of twinrank: tiny/1 over crash*",
            "tiny/1 over crash: COULD NOT TELL*",
            "  crashed: *exited with 7*",
            "    planted: the testee leaves",
            "_* twinrank: tiny/1 over flipped_bit _*",
            "tiny/1 over flipped_bit: DIFFERS; *",
            "  first difference (value): golden *, candidate *, head *",
            "    twinrank-python/* bits *",
            "    flipped_bit * bits *",
            "    1 ULP apart",
            "    request: {*",
            "  report: out?tiny-1?report.html",
            "tiny/1 over wrong_code: DIFFERS; *",
            "  first difference (error): golden *",
            "tiny/1 over refuses: DIFFERS; *",
            "  refused: *digest_mismatch*",
            "*= twinrank =*",
            "tiny/1 over none: equal; * rows of * requests, 0 differing bits",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    told = json.loads((pytester.path / "out" / "tiny-1" / "report.json").read_text(encoding="utf-8"))
    assert [side["status"] for side in told["routes"]] == ["equal", "differs", "differs", "unknown", "differs"]


def test_what_is_deselected_is_not_run(pytester: pytest.Pytester, run, tiny: Path) -> None:
    plant(pytester, "none", "hang")
    result = run(
        "--twinrank-verify", f"--twinrank-bundle={tiny}", *chosen("none", "hang"), "-k", "none", "--junit-xml=out.xml"
    )
    result.assert_outcomes(passed=1, deselected=1)
    assert 'name="twinrank_rows"' in (pytester.path / "out.xml").read_text(encoding="utf-8")


def test_a_route_that_hangs_is_an_error_in_time(pytester: pytest.Pytester, run, tiny: Path) -> None:
    plant(pytester, "hang")
    result = run("--twinrank-verify", f"--twinrank-bundle={tiny}", *chosen("hang"), "--twinrank-timeout=1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["  hung: no answer within 1 s, so it was killed*"])


def test_models_mean_the_newest_version_of_each(pytester: pytest.Pytester, run, tiny: Path) -> None:
    plant(pytester, "none")
    for place in ("tiny/2", "tiny/10", "other/1", ".hidden/1"):
        shutil.copytree(tiny, pytester.path / "models" / place)
    pytester.makeini("[pytest]\ntwinrank_bundle = models\ntwinrank_collect = true\ntwinrank_route = none\n")
    result = run("--collect-only", "-q")
    result.stdout.fnmatch_lines(["twinrank::other/1::over none", "twinrank::tiny/10::over none"])
    assert "tiny/2" not in result.stdout.str()
    assert "hidden" not in result.stdout.str()


def test_a_broken_bundle_is_an_error_with_its_code(pytester: pytest.Pytester, run, tiny: Path) -> None:
    plant(pytester, "none")
    for damaged in ("manifest.json", "model.onnx"):
        bundle = pytester.path / damaged.replace(".", "-") / "1"
        shutil.copytree(tiny, bundle)
        (bundle / damaged).write_bytes((bundle / damaged).read_bytes()[:-1] + b"x")
    result = run(
        "--twinrank-verify", "--twinrank-bundle=manifest-json/1", "--twinrank-bundle=model-onnx/1", *chosen("none")
    )
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines_random(["*manifest_digest_mismatch*", "*digest_mismatch*model.onnx*"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--twinrank-verify"], "*--twinrank-verify*without a bundle; add --twinrank-bundle PATH"),
        (["--twinrank-verify", "--twinrank-bundle=nowhere"], "*no directory nowhere; give a bundle*"),
        (["--twinrank-verify", "--twinrank-bundle=."], "*holds no bundle*"),
        (["--twinrank-verify", "--twinrank-bundle=TINY", "--twinrank-route=prob"], "*no route prob; choose from *"),
        (["--twinrank-verify", "--twinrank-bundle=TINY", "--twinrank-route=ort"], "*compared with"),
        (["--twinrank-verify", "--twinrank-bundle=TINY", "--twinrank-timeout=soon"], "*timeout is 'soon'*"),
        (["--twinrank-verify", "--twinrank-bundle=TINY", "--twinrank-fuzz=many"], "*fuzz is 'many'; give how many*"),
        (["--twinrank-verify", "--twinrank-bundle=TINY", "--twinrank-require=most"], "*'most'; give bits or*"),
    ],
)
def test_a_mistake_ends_the_run_in_one_line(run, tiny: Path, arguments: list[str], said: str) -> None:
    result = run(*(argument.replace("TINY", str(tiny)) for argument in arguments))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}"])
    assert "Traceback" not in result.stderr.str()


def test_a_route_of_a_name_that_exists_is_refused(pytester: pytest.Pytester, run, tiny: Path) -> None:
    plant(pytester, "probe")
    result = run("--twinrank-verify", f"--twinrank-bundle={tiny}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *'probe', which is a route already"])


def test_generated_requests_are_asked_too(pytester: pytest.Pytester, run, tiny: Path) -> None:
    plant(pytester, "none")
    result = run("--twinrank-verify", f"--twinrank-bundle={tiny}", *chosen("none"), "--twinrank-fuzz=40")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["tiny/1 over none: equal; * rows of 65 requests, 0 differing bits"])


def test_a_finding_is_told_with_its_cause_and_the_command_that_shows_it_again() -> None:
    from types import SimpleNamespace

    from twinrank.bridge._findings import Cause, Finding, Shrunk
    from twinrank.bridge._pytest_text import told

    cause = Cause("string_encoding", "the route lower-cases strings", True, ("ann",), "hand bytes on as they are")
    finding = Finding("films", (cause,), None, Shrunk(b'{"a":1}', 90, 4, True), "twinrank verify x --route films")
    bundle = SimpleNamespace(name="tiny", version="1")
    tally = SimpleNamespace(
        status="differs", level="bits", route="films", rows=2, requests=1, heads={}, failure=None, first=None
    )
    lines = told(SimpleNamespace(bundle=bundle), SimpleNamespace(**vars(tally), finding=finding), None).splitlines()
    assert lines == [
        "tiny/1 over films: DIFFERS; 2 rows of 1 requests, 0 differing bits",
        "  cause: the route lower-cases strings [string_encoding, proven]",
        "    to do: hand bytes on as they are",
        '  smallest request: {"a":1}',
        "  see it again: twinrank verify x --route films",
    ]


# ---- fixtures


def test_five_lines_prove_a_bundle_over_each_route(pytester: pytest.Pytester, run, tiny: Path) -> None:
    plant(pytester, "none", "reversed_order", "crash")
    pytester.makepyfile(FIVE_LINES)
    result = run(f"--twinrank-bundle={tiny}", *chosen("none", "reversed_order", "crash"), "-rP")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "saw tiny/1 none bits * *",
            "*DifferenceError: tiny/1 over reversed_order: DIFFERS; *",
            "*first difference (order): golden *",
            "tiny/1 over crash: COULD NOT TELL*",
        ]
    )


def test_a_test_without_a_bundle_is_an_error_and_no_skip(pytester: pytest.Pytester, run) -> None:
    pytester.makepyfile(FIVE_LINES)
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["twinrank: no bundle was given: add --twinrank-bundle PATH*"])


def test_a_test_over_an_unknown_route_is_an_error(pytester: pytest.Pytester, run, tiny: Path) -> None:
    pytester.makepyfile(FIVE_LINES)
    result = run(f"--twinrank-bundle={tiny}", "--twinrank-route=prob")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no route prob; choose from *"])


def test_a_scorer_is_opened_once_and_one_that_does_not_open_is_an_error(
    pytester: pytest.Pytester, run, tiny: Path
) -> None:
    plant(pytester, "none", "refuses")
    pytester.makepyfile(
        """
        seen = []

        def test_one(twinrank_scorer):
            seen.append(twinrank_scorer)
            assert twinrank_scorer.facts().implementation == "fake/1"
            assert twinrank_scorer.score(b"{").code == "invalid_json"

        def test_two(twinrank_scorer):
            assert seen == [twinrank_scorer]
        """
    )
    result = run(f"--twinrank-bundle={tiny}", *chosen("none", "refuses"))
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*digest_mismatch*"])


def test_a_run_that_compares_no_row_is_not_green(pytester: pytest.Pytester, run, tiny: Path) -> None:
    # Without goldens that score there is no bundle; an answer that shows no candidate is how it happens.
    pytester.makeconftest(
        """
        import numpy as np
        from twinrank.bridge import Facts, Route, RouteError, RouteScores, ScorerBase
        from twinrank.bridge.routes import ort

        class Mute(ScorerBase):
            def __init__(self, bundle, options):
                self.honest = ort.ROUTE.open(bundle, options)
            def facts(self):
                return Facts("mute/1", "none")
            def score(self, raw):
                told = self.honest.score(raw)
                if isinstance(told, RouteError):
                    return told
                return RouteScores(told.n, told.outputs, told.order, told.dropped, np.zeros(told.n, np.bool_))

        def pytest_twinrank_routes(config):
            return [Route("mute", "shows nothing", "bits", Mute)]
        """
    )
    result = run("--twinrank-verify", f"--twinrank-bundle={tiny}", "--twinrank-route=mute")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no row was compared: a run over nothing proves nothing*"])


# ---- another team's folder, and everybody else's


def test_the_sample_of_a_python_team_is_green_and_a_lie_in_it_red(pytester: pytest.Pytester, run, tiny: Path) -> None:
    shutil.copytree(SAMPLE, pytester.path, dirs_exist_ok=True)
    run(f"--twinrank-bundle={tiny}").assert_outcomes(passed=2)
    ranker = pytester.path / "ranker.py"
    honest = ranker.read_text(encoding="utf-8")
    lie = honest.replace("list(scores.order)", "list(scores.order)[::-1]")
    assert lie != honest
    ranker.write_text(lie, encoding="utf-8")
    run(f"--twinrank-bundle={tiny}").assert_outcomes(failed=2)


def test_a_suite_that_does_not_use_it_does_not_pay_for_it(pytester: pytest.Pytester, run) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            heavy = {"numpy", "onnx", "onnxruntime", "torch", "jpype", "py4j", "rich", "click", "httpx", "jinja2"}
            assert not heavy & set(sys.modules)
            ours = {name for name in sys.modules if name.startswith("twinrank")}
            assert ours - {"twinrank"} == {
                "twinrank.bridge", "twinrank.bridge.pytest_plugin", "twinrank.bridge._pytest_hooks",
            }
        """
    )
    run().assert_outcomes(passed=1)


def test_the_package_names_the_plugin_to_pytest() -> None:
    import tomllib

    project = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"twinrank": "twinrank.bridge.pytest_plugin"}


def test_importing_the_plugin_imports_pytest_alone() -> None:
    code = "import pytest, sys; before = set(sys.modules); import twinrank.bridge.pytest_plugin\n"
    code += "print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "numpy" not in done.stdout
    assert "onnx" not in done.stdout


def test_reports_of_bundles_that_share_a_name_do_not_share_a_folder(tmp_path: Path) -> None:
    one, other, third = (tmp_path / "a" / "tiny" / "1", tmp_path / "b é" / "tiny" / "1", tmp_path / "a" / "tiny" / "2")
    given = _pytest_run.Settings((one, other, third), (), None, tmp_path, RouteOptions(), 0, 7)
    names = [_pytest_run.report_name(given, bundle) for bundle in given.bundles]
    assert len(set(names)) == 3
    assert names[0].startswith("tiny-1-")
    assert names[2] == "tiny-2"
    assert _pytest_run.report_name(given, third, "probe") == "tiny-2-probe"
