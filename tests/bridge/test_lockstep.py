"""The engine: routes side by side in chunks, what fails by itself, what readers refuse, and what it leaves behind."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import twinrank.bridge
from twinrank.bridge import (
    Facts,
    Route,
    RouteFailedError,
    RouteOptions,
    RouteScores,
    Scored,
    Scorer,
    ScorerBase,
    _api,
    _process,
)
from twinrank.bridge._api import prepare
from twinrank.bridge._cases import Case, Requests, Source, collect, listed
from twinrank.bridge._errors import UserError
from twinrank.bridge._goldens import GOLDENS
from twinrank.bridge._lockstep import Plan, compare
from twinrank.bridge._parity import RouteTally
from twinrank.bridge._verify import ParityRun, Silent, bundle_facts
from twinrank.bridge.routes import probe, route

Fake = Callable[[str], Route]
Parity = Callable[..., ParityRun]


class _Wrapped(ScorerBase):
    """The Python reader behind a function that sees every batch first."""

    def __init__(self, inner: object, seen: Callable[[Sequence[bytes]], None]) -> None:
        self._inner = inner
        self._seen = seen

    def facts(self) -> Facts:
        return self._inner.facts()  # type: ignore[attr-defined,no-any-return]

    def score_batch(self, raws: Sequence[bytes]) -> Sequence[Scored]:
        self._seen(raws)
        return self._inner.score_batch(raws)  # type: ignore[attr-defined,no-any-return]

    def __enter__(self) -> "_Wrapped":
        return self

    def __exit__(self, *_: object) -> None:
        return


def wrapped(name: str, seen: Callable[[Sequence[bytes]], None]) -> Route:
    base = route("ort")
    return replace(base, name=name, open=lambda path, options: _Wrapped(base.open(path, options), seen))


def many(tiny: Path, count: int) -> Requests:
    raw = collect(tiny).sources[0].read().__next__().raw
    return Requests((Source("file", count, lambda: (Case("file", line, raw) for line in range(1, count + 1))),))


def ran(tiny: Path, *routes: Route, requests: Requests | None = None, **more: object) -> ParityRun:
    plan = Plan(bundle_facts(tiny), requests or collect(tiny), routes, route("ort"), RouteOptions())
    return compare(replace(plan, **more), Silent())  # type: ignore[arg-type]


# ---- chunks, threads, memory


def test_all_routes_are_asked_at_the_same_time(tiny: Path) -> None:
    # Each waits inside its first batch for the other one: one after another, they would never meet.
    meet = threading.Barrier(2, timeout=30)
    first = {name: True for name in ("one", "two")}

    def seen(name: str) -> Callable[[Sequence[bytes]], None]:
        def wait(_: Sequence[bytes]) -> None:
            if first[name]:
                first[name] = False
                meet.wait()

        return wait

    assert ran(tiny, wrapped("one", seen("one")), wrapped("two", seen("two"))).verdict == "equal"


def test_requests_are_read_no_further_than_a_few_chunks_ahead(tiny: Path) -> None:
    raw = next(iter(collect(tiny))).raw
    read = answered = 0
    furthest = 0

    def stream():  # type: ignore[no-untyped-def]
        nonlocal read, furthest
        for line in range(1, 2_001):
            read += 1
            furthest = max(furthest, read - answered)
            yield Case("file", line, raw)

    def seen(raws: Sequence[bytes]) -> None:
        nonlocal answered
        answered += len(raws)

    done = ran(tiny, wrapped("slow", seen), requests=Requests((Source("file", 2_000, stream),)))
    assert done.verdict == "equal"
    assert done.routes[0].requests == 2_000
    assert furthest <= 4 * 256, "two chunks under way, one answered and compared, one being read"


def test_samples_are_bounded_and_evenly_spread() -> None:
    tally = RouteTally(route("ort"), "bits", {"score": "float32"}, {"score": 1e-6})
    for start in range(0, 40_000, 100):
        values = np.arange(start, start + 100, dtype=np.float32)
        answer = Scored(RouteScores(100, {"score": values}, tuple(range(100)), (), np.ones(100, np.bool_)))
        tally.add(Case("file", start, b""), answer, answer)
    expected, actual = tally.samples()
    assert np.array_equal(expected, actual)
    assert 700 <= len(expected) <= 1_500
    steps = np.diff(expected)
    assert steps.min() > 0
    assert steps.max() <= 3 * steps.min(), "evenly over all rows"


# ---- routes that fail


def test_the_request_that_ends_a_testee_is_named_and_the_others_go_on(tiny: Path) -> None:
    killer = b'{"kills": true}'
    source = [Case("file", line, killer if line == 300 else raw.raw) for line, raw in enumerate(many(tiny, 600), 1)]

    def seen(raws: Sequence[bytes]) -> None:
        if killer in raws:
            raise RouteFailedError("mortal", "crashed", "planted")

    requests = Requests((Source("file", 600, lambda: iter(source)),))
    done = ran(tiny, wrapped("mortal", seen), wrapped("sound", lambda _: None), requests=requests)
    mortal, sound = done.routes
    assert (done.verdict, done.exit_code) == ("unknown", 2)
    assert mortal.failure is not None
    assert mortal.failure.reason == "crashed"
    assert "asked for file 257-512: a restarted one did not survive file 300 alone" in mortal.failure.detail
    assert mortal.requests == 299, "what it answered before is compared"
    assert (sound.status, sound.requests) == ("equal", 600)


def test_a_crash_that_does_not_show_again_is_said_to_be_one(tiny: Path) -> None:
    crashed = []

    def seen(raws: Sequence[bytes]) -> None:
        if not crashed:
            crashed.append(raws)
            raise RouteFailedError("moody", "crashed", "planted")

    (tally,) = ran(tiny, wrapped("moody", seen)).routes
    assert tally.failure is not None
    assert "it answered each of them alone after a restart" in tally.failure.detail
    assert tally.status == "unknown"


def test_a_baseline_that_fails_proves_nothing(tiny: Path) -> None:
    def seen(_: Sequence[bytes]) -> None:
        raise RouteFailedError("base", "hung", "planted")

    plan = Plan(bundle_facts(tiny), collect(tiny), (route("ort"),), wrapped("base", seen), RouteOptions())
    done = compare(plan, Silent())
    assert (done.verdict, done.exit_code) == ("unknown", 2)
    failure = done.routes[0].failure
    assert failure is not None
    assert "nothing to compare it with from golden 1-25 on: the baseline base hung: planted" in failure.detail


def test_too_few_answers_are_a_breach(tiny: Path) -> None:
    class Short(_Wrapped):
        def score_batch(self, raws: Sequence[bytes]) -> Sequence[Scored]:
            return super().score_batch(raws)[:-1]

    base = route("ort")
    short = replace(base, name="short", open=lambda path, given: Short(base.open(path, given), lambda _: None))
    (tally,) = ran(tiny, short).routes
    assert tally.failure is not None
    assert (tally.failure.reason, tally.status) == ("protocol", "unknown")


# ---- bundles that readers refuse


def broken(tiny: Path, folder: Path) -> Path:
    bundle = folder / "tiny" / "1"
    shutil.copytree(tiny, bundle)
    with (bundle / "model.onnx").open("ab") as file:
        file.write(b"\x00")
    return bundle


def test_a_bundle_that_all_refuse_alike_is_one_line(fake: Fake, tiny: Path, tmp_path: Path) -> None:
    bundle = broken(tiny, tmp_path)
    with pytest.raises(UserError) as caught:
        ran(bundle, fake("none"))
    assert (caught.value.code, caught.value.exit_code) == ("size_mismatch", 1)
    assert "(ort, none)" in caught.value.problem
    assert "\n" not in caught.value.problem


def accepting(name: str, bundle: Path) -> Route:
    """A reader that opens this bundle, whatever it is told to open."""
    base = route("ort")
    return replace(base, name=name, open=lambda _, options: base.open(bundle, options))


def test_a_bundle_that_one_serves_and_another_refuses_is_the_worst_finding(
    fake: Fake, tiny: Path, tmp_path: Path
) -> None:
    bundle = broken(tiny, tmp_path)
    done = ran(bundle, fake("none"), accepting("lenient", tiny))
    assert (done.verdict, done.exit_code) == ("differs", 1)
    assert done.split is not None
    assert done.split.serves == ("lenient",)
    assert {name: told.split(":")[0] for name, told in done.split.refuses.items()} == {
        "ort": "size_mismatch",
        "none": "size_mismatch",
    }


def test_readers_that_refuse_for_different_reasons_are_split_too(fake: Fake, tiny: Path, tmp_path: Path) -> None:
    done = ran(broken(tiny, tmp_path), fake("refuses"))
    assert done.exit_code == 1
    assert done.split is not None
    assert done.split.serves == ()
    assert {told.split(":")[0] for told in done.split.refuses.values()} == {"size_mismatch", "digest_mismatch"}


def test_a_bundle_without_a_manifest_is_asked_of_every_reader(tmp_path: Path) -> None:
    (tmp_path / "tiny" / "1").mkdir(parents=True)
    with pytest.raises(UserError, match="ort, probe") as caught:
        twinrank.bridge.verify(tmp_path / "tiny" / "1", routes=["probe"])
    assert caught.value.code == "file_missing"


# ---- baselines, pairs, levels


def test_goldens_judge_every_route_the_python_reader_too(fake: Fake, tiny: Path) -> None:
    plan = Plan(bundle_facts(tiny), collect(tiny), (route("ort"), fake("none")), GOLDENS, RouteOptions())
    done = compare(plan, Silent())
    assert (done.verdict, done.baseline_route) == ("equal", "goldens")
    for tally in done.routes:
        assert (tally.rows, tally.orders_equal, tally.errors_agreed) == (26, 8, 17)
        assert tally.packed == tally.packed_equal > 0


def test_a_golden_that_was_sealed_otherwise_differs(tiny: Path, fake: Fake) -> None:
    plan = Plan(bundle_facts(tiny), collect(tiny), (fake("flipped_bit"), fake("reversed_order")), GOLDENS)
    done = compare(plan, Silent())
    assert [tally.first.kind for tally in done.routes if tally.first] == ["value", "order"]
    assert done.exit_code == 1


def test_any_route_can_be_the_baseline(fake: Fake, tiny: Path) -> None:
    done = compare(Plan(bundle_facts(tiny), collect(tiny), (route("ort"), fake("none")), fake("flipped_bit")), Silent())
    assert done.baseline_route == "flipped_bit"
    assert [tally.status for tally in done.routes] == ["differs", "differs"], "the odd one out judges all others"


def test_every_pair_is_compared(fake: Fake, tiny: Path) -> None:
    done = ran(tiny, fake("none"), fake("flipped_bit"), fake("wrong_code"), pairwise=True)
    found = {(pair.one, pair.other): pair for pair in done.pairs}
    assert len(found) == 6
    for (one, other), pair in found.items():
        assert pair.requests == 25
        assert pair.rows == 26
        # One row in each of six goldens has one flipped bit; all 17 refusals have another code.
        assert pair.differing_rows == pair.differing_bits == (6 if "flipped_bit" in (one, other) else 0)
        assert pair.disagreed == (17 if "wrong_code" in (one, other) else 0)


def test_two_routes_that_are_wrong_alike_equal_each_other(fake: Fake, tiny: Path) -> None:
    again = replace(fake("flipped_bit"), name="again")
    done = ran(tiny, fake("flipped_bit"), again, pairwise=True)
    found = {(pair.one, pair.other): pair.differing_rows for pair in done.pairs}
    assert found == {("ort", "flipped_bit"): 6, ("ort", "again"): 6, ("flipped_bit", "again"): 0}


@pytest.mark.parametrize(
    ("fault", "level", "verdict"),
    [
        # One unit in the last place is inside the bundle's tolerance of 1e-6 nowhere: tiny's first head is above 8.
        ("flipped_bit", "bits", "differs"),
        ("flipped_bit", "order", "equal"),
        ("reversed_order", "order", "differs"),
        ("wrong_code", "order", "differs"),
        ("none", "order", "equal"),
    ],
)
def test_the_weakest_level_that_counts_as_equal(fake: Fake, tiny: Path, fault: str, level: str, verdict: str) -> None:
    done = ran(tiny, fake(fault), level=level)
    assert done.verdict == verdict
    assert done.routes[0].level == level


def test_what_is_deployed_is_compared_with_what_was_exported(fake: Fake, tiny: Path, tmp_path: Path) -> None:
    deployed = tmp_path / "tiny" / "2"
    shutil.copytree(tiny, deployed)
    done = ran(tiny, fake("none"), deployed=bundle_facts(deployed))
    assert done.verdict == "equal"
    other = ran(tiny, fake("other_bundle"), deployed=bundle_facts(deployed))
    assert (other.exit_code, other.split) == (1, None), "another bundle is no refusal"
    assert other.routes[0].failure is not None


# ---- arguments


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"baseline": "goldens", "requests": Path("x")}, "goldens know their own requests only"),
        ({"baseline": "goldens", "fuzz": 3}, "goldens know their own requests only"),
        ({"baseline": "ort", "routes": ["ort"]}, "it equals itself"),
        ({"seed": 3}, "--seed is given without --fuzz"),
        ({"max_requests": 3}, "nothing"),
        ({"routes": ["probe"], "against": "127.0.0.1:9"}, "--against is given"),
        ({"routes": ["probe"], "gateway": Path("x")}, "--gateway is given"),
        ({"deployed": Path("/nowhere")}, "is no directory"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(arguments: dict[str, object], told: str, tiny: Path) -> None:
    options = RouteOptions(
        against=arguments.pop("against", None),  # type: ignore[arg-type]
        gateway=arguments.pop("gateway", None),  # type: ignore[arg-type]
    )
    with pytest.raises(UserError) as caught:
        prepare(tiny, options, **arguments)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    assert told in caught.value.problem or told == "nothing"


def test_an_unknown_baseline_lists_the_known_ones(tiny: Path) -> None:
    with pytest.raises(UserError, match="choose from ort") as caught:
        prepare(tiny, RouteOptions(), baseline="oracle")
    assert caught.value.code == "unknown_baseline"


def test_generated_requests_join_and_are_the_same_for_a_seed(tiny: Path) -> None:
    plans = [prepare(tiny, RouteOptions(), routes=["probe"], fuzz=50, seed=seed) for seed in (1, 1, 2)]
    made = [[case.raw for case in plan.requests if case.source == "fuzz"] for plan in plans]
    assert [len(each) for each in made] == [50, 50, 50]
    assert made[0] == made[1] != made[2]
    assert plans[0].requests.by_source == {"golden": 25, "fuzz": 50}
    drawn = prepare(tiny, RouteOptions(), routes=["probe"], fuzz=5)
    assert drawn.seed is not None, "a run that nobody seeded can be made again all the same"


def test_the_library_prints_nothing_and_leaves_signals_alone(
    tiny: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import twinrank.bridge.routes as catalogue

    real = catalogue.route
    monkeypatch.setattr(catalogue, "names", lambda: ("ort", "none"))
    monkeypatch.setattr(catalogue, "route", lambda name: fake(name) if name == "none" else real(name))
    before = signal.getsignal(signal.SIGTERM)
    done = twinrank.bridge.verify(str(tiny), routes=["none"], fuzz=100, seed=3)
    assert (done.verdict, done.requests) == ("equal", {"golden": 25, "fuzz": 100})
    assert signal.getsignal(signal.SIGTERM) is before
    assert capfd.readouterr() == ("", "")


def test_a_difference_is_explained_and_shrunk(tiny: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr("twinrank.bridge._looks.SHRINK_SECONDS", 2.0)
    plan = Plan(bundle_facts(tiny), collect(tiny), (fake("flipped_bit"),), route("ort"), RouteOptions())
    (tally,) = _api.compare(plan, Silent()).routes
    assert tally.finding is not None
    assert tally.finding.shrunk is not None
    assert tally.first is not None
    assert len(tally.finding.shrunk.raw) <= len(tally.first.case.raw)

    def broken_down(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    for what in ("twinrank.bridge.explain.explain", "twinrank.bridge.fuzz.shrink"):
        with monkeypatch.context() as patched:
            patched.setattr(what, broken_down)
            (tally,) = _api.compare(plan, Silent()).routes
        assert tally.status == "differs"
        assert tally.finding is not None
        assert any("RuntimeError: planted" in cause.said for cause in tally.finding.causes)


class _Varying(_Wrapped):
    """Gives a candidate that is alone another bit."""

    def score_batch(self, raws: Sequence[bytes]) -> Sequence[Scored]:
        scored = super().score_batch(raws)
        for one in scored:
            if isinstance(one.answer, RouteScores) and one.answer.n == 1:
                one.answer.outputs["watched"].view(np.uint32)[0] ^= 1
        return scored


def varying(name: str) -> Route:
    base = route("ort")
    return replace(base, name=name, open=lambda path, options: _Varying(base.open(path, options), lambda _: None))


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        (varying("ort"), "the bundle's own graph, also on ort, gives a candidate other bits in another slate"),
        (wrapped("ort", lambda _: None), "odd gives a candidate other bits in another slate"),
    ],
    ids=["the baseline too", "the route alone"],
)
def test_who_depends_on_the_slate_is_told(baseline: Route, said: str, tiny: Path) -> None:
    with route("ort").open(tiny, RouteOptions()) as scorer:
        answers = [(case, scorer.score(case.raw)) for case in collect(tiny)]
    requests = listed([case for case, one in answers if isinstance(one, RouteScores) and one.n > 1])
    plan = Plan(bundle_facts(tiny), requests, (varying("odd"),), baseline)
    (tally,) = _api.compare(plan, Silent(), invariance=True, explain=False).routes
    assert tally.finding is not None
    assert tally.finding.causes[0].said == said
    assert tally.status == "differs"


@pytest.mark.parametrize(("code", "asked"), [("golden_mismatch", True), ("digest_mismatch", False)])
def test_a_runtime_that_refuses_is_asked_where_it_departs(
    code: str, asked: bool, fake: Fake, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(path: Path, options: RouteOptions) -> Scorer:
        del path, options
        raise RouteFailedError("probe", "refused", f"load was refused [bundle: {code}]: planted", code=code)

    started = []

    def transport() -> probe.Pipe:
        started.append(probe.Pipe([sys.executable, str(Path(__file__).parent / "fake_testee.py"), "none"]))
        return started[-1]

    monkeypatch.setattr(probe, "transport", transport)
    plan = Plan(bundle_facts(tiny), collect(tiny), (fake("none"), Route("probe", "", "bits", refusing)), route("ort"))
    tally = _api.compare(plan, Silent()).routes[1]
    assert tally.finding is not None
    assert any(code in line for line in tally.finding.causes[0].evidence)
    assert [pipe._child.process.poll() is not None for pipe in started] == [True] * asked


# ---- what is left behind


def test_requests_that_break_off_end_the_run_and_every_testee(fake: Fake, tiny: Path) -> None:
    # The file went away in the middle, and a testee hangs: it is ended, and not opened again to search for the request.
    opened = []

    def breaks_off() -> Iterator[Case]:
        yield from list(collect(tiny)) * 12  # more than one chunk
        raise FileNotFoundError(2, "No such file or directory", "requests.jsonl")

    def opening(path: Path, options: RouteOptions) -> Scorer:
        opened.append(path)
        return fake("hang").open(path, options)

    with pytest.raises(FileNotFoundError):
        ran(tiny, replace(fake("hang"), open=opening), requests=Requests((Source("file", 300, breaks_off),)))
    assert len(opened) == 1
    assert not [child for child in _process._LIVING if child.process.poll() is None]


def test_a_program_that_reads_nothing_is_closed_while_a_thread_writes_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_process, "_POLITE_SECONDS", 0.2)
    child = _process.Child([sys.executable, "-c", "import time; time.sleep(600)"], stdin=True, stdout=True)
    stdin = child.process.stdin
    assert stdin is not None

    def write() -> None:
        with contextlib.suppress(OSError, ValueError):
            stdin.write(b"x" * 10_000_000)

    threading.Thread(target=write, daemon=True).start()
    # A pipe that is full is not writable any more: from then on the thread holds the stream.
    while select.select([], [stdin.fileno()], [], 0)[1]:
        pass
    closing = threading.Thread(target=child.close, daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()
    assert child.process.poll() is not None


SHARED = Path("/dev/shm")  # noqa: S108 - looked at, never written

VERIFY = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
import twinrank.bridge.routes as catalogue
from twinrank.bridge import Route
from twinrank.bridge.routes import probe
from twinrank.bridge.cli import main
real = catalogue.route
def fake(name):
    command = [sys.executable, sys.argv[2] + "/fake_testee.py", name]
    return Route(name, "", "bits", lambda path, given: probe.open_command(command, path, given))
catalogue.names = lambda: ("ort", "none", "hang")
catalogue.route = lambda name: fake(name) if name in ("none", "hang") else real(name)
main(["verify", sys.argv[1], "--report", sys.argv[3]])
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_every_child_and_leaves_nothing(number: int, code: int, tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    shared = set(SHARED.iterdir())
    command = [sys.executable, "-c", VERIFY, str(tiny), str(Path(__file__).parent), str(tmp_path / "report")]
    environ = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environ, start_new_session=True, text=True
    ) as process:
        assert process.stderr is not None
        # The honest route ends only with the run, and the run waits for the one that hangs.
        children: list[int] = []
        deadline = time.monotonic() + 60
        while len(children) < 2:
            assert time.monotonic() < deadline
            listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, check=False)
            children = [int(pid) for pid in listed.stdout.split()]
            time.sleep(0.05)
        for line in process.stderr:
            if "opening" in line and "hang" in line:
                break
        process.send_signal(number)
        told = process.stderr.read()
        assert process.wait(timeout=60) == code, told
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    # ONNX Runtime itself leaves its telemetry's log; nothing of ours may stay.
    assert list(folder.glob("twinrank*")) == []
    assert set(SHARED.iterdir()) <= shared
    assert not (tmp_path / "report").exists()
    assert "Traceback" not in told
