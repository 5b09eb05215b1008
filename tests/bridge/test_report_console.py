import io
import json
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from twinrank.bridge._console import show
from twinrank.bridge._outcomes import PairTally
from twinrank.bridge._progress import LineProgress, LiveProgress, clock, progress_for
from twinrank.bridge._report import to_json

sys.path.insert(0, str(Path(__file__).parent))
import report_runs

GOLDEN = Path(__file__).parent / "report_golden"


def shown(name: str, width: int, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    show(report_runs.RUNS[name](), Console(file=stream, width=width, highlight=False, force_terminal=False))
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


def told_as_golden(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.mark.parametrize(("name", "width"), [("explained", 80), ("explained", 120), ("equal", 80), ("split", 120)])
def test_the_terminal_shows_what_was_agreed_on(name: str, width: int) -> None:
    """The golden files were read by a person; `python tests/bridge/test_report_console.py` writes them anew."""
    golden = (GOLDEN / f"{name}-{width}.txt").read_text(encoding="utf-8")
    assert told_as_golden(shown(name, width)) == golden


@pytest.mark.parametrize("name", report_runs.RUNS)
@pytest.mark.parametrize("width", [80, 120])
def test_no_number_is_ever_cut_and_the_table_fits(name: str, width: int) -> None:
    text = shown(name, width)
    table = [line.rstrip() for line in text[: text.index("\n  ort: ")].splitlines() if line.strip()]
    assert max(map(len, table)) <= width
    wanted = {"diff bits", "max ULP", "max abs", "order", "errors", "host"}
    assert wanted <= {word for word in wanted if word in table[0]}
    for line in table[2:]:
        for word in line.split():
            assert "…" not in word or not any(digit.isdigit() for digit in word.split("…")[0]), f"{word} was cut"


@pytest.mark.parametrize("name", report_runs.RUNS)
def test_an_ascii_terminal_loses_nothing(name: str) -> None:
    text = shown(name, 100, "ascii")
    assert text.isascii()
    assert "\\u2713" not in text, "our own signs have words in ASCII"
    assert ("x probe" in text) == (name in {"explained", "split", "variant"})
    if name != "explained":
        assert "\\u" not in text, "nothing of ours is left to be escaped"


def test_large_numbers_are_whole_where_there_is_no_room_for_them() -> None:
    made = report_runs.equal()
    for tally in made.routes:
        tally.orders = tally.orders_equal = 1_234_567
        for head in tally.heads.values():
            head.rows = 12_345_678
    stream = io.StringIO()
    show(made, Console(file=stream, width=64))
    table = stream.getvalue()[: stream.getvalue().index("\n  ort: ")]
    assert table.count("12,345,678") == 15
    assert table.count("all 1,234,567") == 5


def test_a_bundle_that_the_baseline_refuses_and_another_serves_says_so_last() -> None:
    assert shown("refusing_baseline", 100).splitlines()[-1] == "DIFFERS  probe would serve this bundle, ort would not"


def test_nothing_foreign_is_obeyed() -> None:
    text = shown("explained", 120)
    assert not [c for c in text if not c.isprintable() and c != "\n"]


def test_a_command_stays_on_one_line_to_be_copied() -> None:
    lines = shown("explained", 80).splitlines()
    command = report_runs.finding("probe").command
    assert any(line.endswith(command) for line in lines)


def test_the_readers_that_disagree_have_their_own_line_above_the_verdict() -> None:
    lines = shown("split", 100).splitlines()
    assert lines[-2].startswith("SPLIT  ort, jpype would serve this bundle, probe would not")
    assert lines[-1] == "DIFFERS  probe (refuses the bundle) from ort"


def test_routes_that_owe_less_than_every_bit_are_no_pair_that_differs() -> None:
    made = report_runs.equal()
    pairs = (PairTally("ort", "jpype", 10, 0, 0, 1, 0), PairTally("jpype", "torch", 10, 9, 90, 1, 1))
    stream = io.StringIO()
    show(replace(made, pairs=pairs), Console(file=stream, width=100))
    assert "pairwise: 1 pair at level bits, 0 differ; 1 more at a weaker level" in stream.getvalue()
    told = to_json(replace(made, pairs=pairs))["pairs"]
    assert [pair["level"] for pair in told] == ["bits", "reference"]


def test_what_follows_from_a_difference_does_not_fill_the_screen() -> None:
    text = shown("variant", 100)
    assert text.count("other slates do not give") == 1, "evidence is not told again as a note"
    assert "and 3 more, in the report" in text
    assert "(bf000000 / be800000)" in text, "where no distance is known, none is told"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines_of(progress: LineProgress, stream: io.StringIO) -> list[str]:
    del progress
    return [line.strip() for line in stream.getvalue().splitlines()]


def test_a_heartbeat_sums_up_every_route_that_still_works() -> None:
    stream, time = io.StringIO(), Clock()
    progress = LineProgress(Console(file=stream, width=200), now=time)
    progress.start("probe", 1_000)
    progress.start("http", 1_000)
    progress.beat()
    time.now += 10
    progress.advance("probe", 500, 12_500)
    progress.advance("http", 100, 2_500)
    progress.beat()
    progress.finish("probe", "crashed")
    progress.beat()
    progress.finish("http", "equal")
    progress.beat()
    assert lines_of(progress, stream) == [
        "probe  opening, 1,000 requests to come",
        "http   opening, 1,000 requests to come",
        "0:00 waiting for the first answers of probe, http",
        # 900 of http's 1,000 requests are left at 10 a second.
        "0:10 600 of 2,000 answers, 1,500 rows/s, 1:30 left: probe 50%, http 10%",
        "probe  crashed (10.0 s)",
        "0:10 600 of 2,000 answers, 1,500 rows/s, 1:30 left: http 10%",
        "http   equal (10.0 s)",
    ]


def test_a_log_hears_a_heartbeat_though_no_route_answers() -> None:
    beaten = threading.Event()

    class Listening(LineProgress):
        def beat(self) -> None:
            beaten.set()

        def pause(self) -> float:
            return 0.0

    stream, time = io.StringIO(), Clock()
    progress = Listening(Console(file=stream), now=time)
    with progress:
        assert beaten.wait(30)


def test_many_threads_lose_no_answer() -> None:
    stream = io.StringIO()
    with LineProgress(Console(file=stream, width=200)) as progress:
        for name in "abcd":
            progress.start(name, 500)

        def work(name: str) -> None:
            for _ in range(500):
                progress.advance(name, 1, 2)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        progress.beat()
    assert "2,000 of 2,000 answers" in stream.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_bars_of_all_routes_fit_and_have_a_sum(width: int) -> None:
    stream = io.StringIO()
    terminal = Console(file=stream, width=width, force_terminal=True, color_system=None, legacy_windows=False)
    with LiveProgress(terminal) as progress:
        for name in ("ort", "probe", "jpype"):
            progress.start(name, 1_000)
        progress.advance("ort", 500, 10_000)
        progress.advance("probe", 250, 5_000)
        progress.finish("jpype", "crashed")
    last = stream.getvalue().rpartition("all ")[2]
    assert "750/2,000" in last, "what a crashed route does not answer is nothing to wait for"
    assert "crashed" in last
    plain = [line for line in stream.getvalue().replace("\r", "\n").split("\n") if "%" in line and "\x1b" not in line]
    assert max(map(len, plain)) <= width


def test_a_terminal_has_bars_and_a_log_has_lines() -> None:
    assert isinstance(progress_for(Console(force_terminal=True)), LiveProgress)
    assert isinstance(progress_for(Console(file=io.StringIO())), LineProgress)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (3_723, "1:02:03")])
def test_durations_are_read_as_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize("name", ["explained", "split"])
def test_the_json_is_what_was_agreed_on(name: str) -> None:
    assert to_json(report_runs.RUNS[name]()) == json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, width in [("explained", 80), ("explained", 120), ("equal", 80), ("split", 120)]:
        (GOLDEN / f"{name}-{width}.txt").write_text(told_as_golden(shown(name, width)), encoding="utf-8")
    for name in ("explained", "split"):
        text = json.dumps(to_json(report_runs.RUNS[name]()), indent=2, ensure_ascii=False)
        (GOLDEN / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
