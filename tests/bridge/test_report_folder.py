import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from twinrank.bridge import _words as words
from twinrank.bridge import _writing
from twinrank.bridge._console import show
from twinrank.bridge._run_facts import host_facts, without_secrets
from twinrank.bridge._scorer import RouteFailedError
from twinrank.bridge._writing import write

sys.path.insert(0, str(Path(__file__).parent))
import report_runs


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_folder_holds_what_the_commands_refer_to(tmp_path: Path) -> None:
    run = report_runs.explained()
    paths = write(run, tmp_path / "report")
    assert [path.name for path in paths] == ["report.json", "junit.xml", "report.html"]
    assert names(tmp_path / "report") == {"report.json", "junit.xml", "report.html", "difference-probe.json"}
    shown = (tmp_path / "report" / "difference-probe.json").read_bytes()
    assert shown == report_runs.finding("probe").shrunk.raw + b"\n"
    told = json.loads(paths[0].read_text(encoding="utf-8"))
    assert told["routes"][0]["finding"]["files"] == ["difference-probe.json"]
    assert "difference-probe.json" in told["routes"][0]["command"]


def test_without_a_finding_the_first_request_that_differs_is_kept(tmp_path: Path) -> None:
    run = report_runs.wide()
    write(run, tmp_path)
    raw = (tmp_path / "difference-http.json").read_bytes()
    assert run.routes[3].first is not None
    assert raw == run.routes[3].first.case.raw + b"\n"
    # MADE's command was `twinrank verify build/models/shop/7 --run build/runs/shop --fuzz 2000 --seed 7`.
    assert words.command(run, run.routes[3]) == (
        "twinrank verify build/models/shop/7 --run build/runs/shop --route http "
        "--requests build/report/difference-http.json"
    )


def test_goldens_are_asked_again_without_a_file() -> None:
    made = replace(
        report_runs.MADE, baseline_kind="goldens", command=("twinrank", "verify", "b 1", "--baseline=goldens")
    )
    run = replace(report_runs.wide(), made=made)
    assert words.command(run, run.routes[3]) == "twinrank verify 'b 1' --baseline=goldens --route http"


@pytest.mark.parametrize(
    ("name", "kept"), [("http", "--against http://127.0.0.1:1"), ("py4j", "--gateway g.json"), ("probe", "")]
)
def test_an_address_is_kept_for_its_own_route(name: str, kept: str) -> None:
    about = report_runs.bundle()
    ran = "twinrank verify b --against http://127.0.0.1:1 --gateway g.json --route http --route=py4j --max-requests 9"
    made = replace(report_runs.MADE, command=tuple(ran.split()), report="r")
    run = report_runs.run(about, report_runs.compared(name, about, report_runs.off_by(1)), made=made)
    expected = f"twinrank verify b {kept} --route {name} --requests r/difference-{name}.json"
    assert words.command(run, run.routes[0]) == expected.replace("  ", " ")


@pytest.mark.parametrize("raw", [b'{"a":\n1}', b"", b" ", b'"\0"', b"\xef\xbb\xbf{}"])
def test_a_request_that_no_line_can_hold_has_a_file_and_no_command(raw: bytes, tmp_path: Path) -> None:
    about = report_runs.bundle()
    run = report_runs.run(about, report_runs.compared("probe", about, report_runs.off_by(1), raw=raw))
    write(run, tmp_path)
    assert (tmp_path / "difference-probe.json").read_bytes().startswith(raw)
    assert words.command(run, run.routes[0]) == ""


def test_differences_of_an_earlier_run_go_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write(report_runs.explained(), tmp_path)
    write(report_runs.equal(), tmp_path)
    assert names(tmp_path) == {"notes.txt", "report.json", "junit.xml", "report.html"}


def test_a_file_is_whole_or_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(report_runs.equal(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    real = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).name == "junit.xml":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write(report_runs.crashed(), tmp_path)
    monkeypatch.undo()
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(after) == set(before), "nothing half-written is left"
    assert after["junit.xml"] == before["junit.xml"]
    assert json.loads(after["report.json"])["verdict"] == "unknown"


@pytest.mark.parametrize("name", ["../escape.json", "report.json", "/x.json", "a/b", ".."])
def test_a_finding_writes_beside_the_report_only(name: str, tmp_path: Path) -> None:
    run = report_runs.explained()
    run.routes[0].finding = report_runs.finding("probe", files={name: b"{}"})
    with pytest.raises(ValueError, match="only plain names of its own"):
        write(run, tmp_path / "report")
    assert names(tmp_path / "report") == set()


def test_readers_of_the_group_can_read_every_file(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        write(report_runs.explained(), tmp_path / "report")
    finally:
        os.umask(old)
    for path in (tmp_path / "report").iterdir():
        assert path.stat().st_mode & 0o777 == 0o644


def test_the_cost_of_a_request_s_text_is_that_of_its_beginning() -> None:
    raw = b"\xf0\x9f\x98\x80" * 2_500_000
    assert words.request_text(raw) == "\U0001f600" * 2_000 + "… (10,000,000 bytes)"
    assert words.request_text(b"\xff{}") == "\\xff{}"
    assert words.request_text(b"{}") == "{}"


def test_a_testee_that_never_stops_talking_fills_no_disk(tmp_path: Path) -> None:
    about = report_runs.bundle()
    loud = report_runs.compared("probe", about, report_runs.off_by(1), requests=3, raw=b'"' + b"x" * 10_000_000 + b'"')
    loud.fail(RouteFailedError("probe", "crashed", "d" * 10_000_000, "e" * 10_000_000))
    made = report_runs.run(about, loud)
    for path in write(made, tmp_path):
        assert path.stat().st_size < 500_000, path.name
    assert (tmp_path / "difference-probe.json").stat().st_size == 10_000_003, "this one is whole"
    out = Console(file=io.StringIO(), width=100)
    show(made, out)
    assert len(out.file.getvalue()) < 20_000  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (("verify", "b", "--against", "http://me:pw@h:80/x?token=t"), "verify b --against http://***@h:80/x?***"),
        (("--against=https://u:p@h/",), "--against=https://***@h/"),
        (("--api-token", "abc", "--route", "http"), "--api-token *** --route http"),
        (("--password=abc",), "--password=***"),
        (("--python", "TOKEN=abc python3"), "--python TOKEN=*** python3"),
        (
            ("--public-key", "signer.pub.pem", "--gateway", "/run/g.json"),
            "--public-key signer.pub.pem --gateway /run/g.json",
        ),
        (("--against", "http://127.0.0.1:8080"), "--against http://127.0.0.1:8080"),
    ],
)
def test_a_command_is_shown_without_its_secrets(given: tuple[str, ...], shown: str) -> None:
    assert " ".join(without_secrets(given)) == shown


def test_facts_of_this_side_name_the_library_by_its_bytes() -> None:
    facts = host_facts()
    assert {"cpu", "cores", "os", "python", "numpy", "onnxruntime"} <= set(facts)
    assert all(facts.values())
    assert len(facts["onnxruntime library sha256"]) == 64


def test_when_it_was_is_in_the_report_and_nowhere_where_nobody_noted_it() -> None:
    from twinrank.bridge._report import to_json

    told = to_json(report_runs.equal())
    assert told["run"]["started"] == "2026-11-22T17:01:02.345+00:00"
    assert to_json(replace(report_runs.equal(), made=None))["run"] is None


def test_a_full_disk_is_no_reason_to_lose_the_old_folder(tmp_path: Path) -> None:
    assert _writing.further_files(report_runs.equal()) == {}
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"exists|directory"):
        write(report_runs.equal(), tmp_path / "file")
