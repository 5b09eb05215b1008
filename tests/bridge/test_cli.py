import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import twinrank.bridge.routes as catalogue
from twinrank.bridge import Route
from twinrank.bridge._errors import UserError, explain, explain_usage
from twinrank.bridge.cli import main
from twinrank.export.bundle import BundleError, Problem
from twinrank.training.run import RunError

SIGNATURES = Path(__file__).resolve().parents[1] / "contract" / "hostile" / "signatures"
COMMANDS = (
    "data",
    "train",
    "schema",
    "export",
    "inspect",
    "diff",
    "sign",
    "attest",
    "verify",
    "rank",
    "serve",
    "activate",
)


def call(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin, prog_name="twinrank")


def loaded_by(*arguments: str) -> set[str]:
    code = (
        "import json, sys\nfrom twinrank.bridge.cli import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_folder_of_bundles_is_told_from_a_bundle_before_any_route_starts() -> None:
    bundles = Path(__file__).resolve().parents[1] / "contract" / "vectors" / "bundles"
    for folder in (bundles, bundles / "tiny"):
        result = call("verify", folder)
        assert result.exit_code == 2
        assert result.stderr.splitlines() == [
            f"error [file_missing] {folder} holds bundles and is none",
            f"  to do: name one of them: {bundles / 'tiny' / '1'}",
        ]


# ---- the group


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    result = call("--help")
    assert result.exit_code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in result.output
    heavy = {"torch", "onnx", "onnxruntime", "jpype", "py4j", "matplotlib", "jinja2", "rich"}
    assert not heavy & loaded_by("--help")


def test_verify_never_loads_torch() -> None:
    assert "torch" not in loaded_by("verify", "--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: main {command}") or "Usage:" in result.output


@pytest.mark.parametrize("command", ["verify", "rank", "serve"])
def test_help_shows_examples(command: str) -> None:
    assert f"  twinrank {command} build/models" in call(command, "--help").output


def test_version_is_the_package_version() -> None:
    assert call("--version").output == "twinrank, version 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "first", "todo"),
    [
        (("verfy",), "error [usage] No such command 'verfy'. Did you mean 'verify' or 'certify'?", "twinrank --help"),
        (("inspct", "x"), "error [usage] No such command 'inspct'. Did you mean 'inspect'?", "twinrank --help"),
        (("zzz",), "error [usage] No such command 'zzz'.", "twinrank --help"),
        (("diff",), "error [usage] Missing argument 'LEFT'.", "twinrank diff --help"),
        (
            ("inspect", "/nope"),
            "error [usage] Invalid value for 'BUNDLE': Directory '/nope'",
            "twinrank inspect --help",
        ),
        (("rank", "/", "--wrong"), "error [usage] No such option", "twinrank rank --help"),
    ],
)
def test_a_usage_error_looks_like_every_other(arguments: tuple[str, ...], first: str, todo: str) -> None:
    result = call(*arguments)
    lines = result.stderr.splitlines()
    assert result.exit_code == 2
    assert result.stdout == ""
    assert lines[0].startswith(first)
    assert lines[1].startswith("  Usage: twinrank")
    assert lines[-1] == f"  to do: {todo}"


def test_no_command_at_all_is_the_help() -> None:
    assert "Commands:" in call().output


def test_an_error_that_a_room_turned_into_click_s_keeps_its_code() -> None:
    cause = RunError("holds no finished run")
    error = click.ClickException("whatever")
    error.__cause__ = cause
    assert explain_usage(error) == (["error [run_error] holds no finished run"], 1)
    assert explain_usage(click.ClickException("a\nb")) == (["error [refused] a", "  b"], 1)


def test_a_click_error_with_a_code_speaks_for_itself() -> None:
    class Refused(click.ClickException):
        code = "few_requests"

    error = Refused("nothing was written; 2 findings above")
    error.__cause__ = RunError("the first of them, again")
    assert explain_usage(error) == (["error [few_requests] nothing was written; 2 findings above"], 1)


def test_a_version_that_exists_is_no_fault_of_ours() -> None:
    assert explain(FileExistsError("models/m/1 exists")) == (["error [file_exists] models/m/1 exists"], 1)


def test_a_thousand_problems_do_not_fill_the_screen() -> None:
    problems = [Problem("file_unexpected", f"f{i:04}", "is not listed") for i in range(1000)]
    told = explain(BundleError(problems))
    assert told is not None
    assert (len(told[0]), told[0][0], told[0][-1]) == (22, "error [file_unexpected] 1000 problems", "  and 980 more")


@pytest.mark.parametrize("command", ["train", "export"])
def test_a_line_is_printed_before_torch_loads(command: str, tmp_path: Path) -> None:
    """Loading it takes half a minute on a busy machine; here it ends the process."""
    (tmp_path / "config.yaml").write_text("name: x\n")
    arguments = {"train": ["config.yaml", "--out", "out"], "export": [".", "--models", "models"]}[command]
    code = (
        "import sys\nfrom twinrank.bridge.cli import main\n"
        "class Stop:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        "            print('TORCH', file=sys.stderr, flush=True); raise SystemExit(9)\n"
        f"sys.meta_path.insert(0, Stop())\nmain({[command, *arguments]!r})"
    )
    done = subprocess.run(
        [sys.executable, "-u", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 9, done.stdout
    said, _, _ = done.stdout.partition("TORCH")
    assert "loading" in said


@pytest.mark.parametrize("given", ["1", ""])
def test_serve_says_which_folder_it_wants(tiny: Path, tmp_path: Path, given: str) -> None:
    shutil.copytree(tiny, tmp_path / "models" / "tiny" / "1")
    result = call("serve", tmp_path / "models" / "tiny" / given)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0].startswith("error [no_models_folder]")
    assert result.stderr.splitlines()[1].endswith(f"twinrank serve {tmp_path / 'models'}")


# ---- errors


def test_a_user_error_is_two_lines_and_no_traceback(tiny: Path) -> None:
    result = call("verify", tiny, "--route", "grpc")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == "error [unknown_route] no route grpc"
    assert result.stderr.splitlines()[1].startswith("  to do: choose from ort, catboost, http, jpype")
    assert "Traceback" not in result.output


def test_a_refused_bundle_names_every_problem(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    result = call("verify", tmp_path / "1", "--route", "probe")
    assert result.exit_code == 1
    told = next(line for line in result.stderr.splitlines() if line.startswith("error"))
    assert told.startswith("error [file_missing] every reader that was asked refuses")
    assert "manifest.json" in told


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    assert explain(ValueError("a bug")) is None
    assert explain(KeyError("a bug")) is None


@pytest.mark.usefixtures("planted")
def test_a_report_that_cannot_be_written_is_one_line_and_no_verdict(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = call("verify", tiny, "--route", "none", "--report", tmp_path / "file" / "report")
    assert result.exit_code == 2
    assert f"error [file_system] {tmp_path / 'file' / 'report'}: Not a directory" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("planted")
def test_a_full_disk_is_one_line_and_leaves_nothing_unfinished(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    result = call("verify", tiny, "--route", "none", "--report", tmp_path / "report")
    assert (result.exit_code, "error [file_system] No space left on device" in result.stderr) == (2, True)
    assert list((tmp_path / "report").iterdir()) == []


def test_ctrl_c_is_130_and_never_a_verdict(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("twinrank.bridge._command_verify.run_parity", interrupted)
    result = call("verify", tiny, "--route", "probe")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (130, "interrupted")


def test_an_error_of_another_room_is_one_line() -> None:
    from twinrank.training.schema import ScoringError

    told = explain(ScoringError("wrong_type", "age is a string", "age", 3))
    assert told == (["error [wrong_type] age is a string (feature 'age', candidate 3)"], 1)


def test_a_command_whose_package_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("importlib.import_module", absent)
    result = call("train", "--help")
    assert result.exit_code == 2, "could not tell; 1 would say that a route differs"
    assert "[missing_package]" in result.output
    assert "to do: install twinrank[bridge,export]" in result.output


# ---- verify


@pytest.fixture
def planted(fake: Callable[[str], Route], monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every fault a route of the catalogue."""
    real_names, real_route = catalogue.names, catalogue.route
    faults = ("none", "flipped_bit", "crash")
    monkeypatch.setattr(catalogue, "names", lambda: (*real_names(), *faults))
    monkeypatch.setattr(catalogue, "route", lambda name: fake(name) if name in faults else real_route(name))


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize(
    ("routes", "exit_code", "word"),
    [
        (("none",), 0, "EQUAL  0 differing bits between ort and none in 26 rows"),
        (("none", "flipped_bit"), 1, "DIFFERS  flipped_bit (values) from ort"),
        (("none", "crash"), 2, "COULD NOT TELL  crash gave no proof"),
    ],
)
def test_verify_prints_a_table_a_verdict_and_where_the_report_is(
    routes: tuple[str, ...], exit_code: int, word: str, tiny: Path, tmp_path: Path
) -> None:
    flags = [flag for name in routes for flag in ("--route", name)]
    result = call("verify", tiny, *flags, "--report", tmp_path / "out")
    assert result.exit_code == exit_code, result.output
    assert word in result.stdout
    assert result.stdout.index("route") < result.stdout.index(word) < result.stdout.index("report.html")
    told = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert told["exit_code"] == exit_code
    written = {path.name for path in (tmp_path / "out").iterdir()}
    differing = {"difference-flipped_bit.json"} if "flipped_bit" in routes else set()
    assert written == {"report.html", "report.json", "junit.xml"} | differing
    assert "none   opening" in result.stderr, "progress goes to stderr"


@pytest.mark.usefixtures("planted")
def test_the_table_fits_eighty_columns(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = call("verify", tiny, "--route", "none", "--report", tmp_path)
    table = result.stdout[: result.stdout.index("EQUAL")]
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 80
    assert "…" not in table
    for column in ("route", "head", "rows", "diff bits", "max ULP", "max abs", "order", "errors", "host"):
        assert column in table


@pytest.mark.usefixtures("planted")
def test_requests_of_a_file_join_the_goldens(tiny: Path, tmp_path: Path) -> None:
    golden = (tiny / "goldens" / "requests.jsonl").read_bytes().split(b"\n")[1]
    requests = tmp_path / "requests.jsonl"
    requests.write_bytes(b"\n".join([golden] * 5))
    arguments = ("verify", tiny, "--route", "none", "--requests", requests, "--report", tmp_path)
    call(*arguments)
    assert report_of(tmp_path)["requests"] == {"count": 30, "by_source": {"golden": 25, "file": 5}}
    call(*arguments, "--max-requests", 2)
    assert report_of(tmp_path)["requests"]["by_source"]["file"] == 2


def report_of(folder: Path) -> dict[str, dict[str, object]]:
    told: dict[str, dict[str, object]] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return told


def test_an_empty_file_of_requests_is_refused(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    result = call("verify", tiny, "--route", "probe", "--requests", tmp_path / "empty")
    assert result.exit_code == 2
    assert "error [requests_empty]" in result.stderr


def test_torch_without_a_run_could_not_tell(tiny: Path, tmp_path: Path) -> None:
    result = call("verify", tiny, "--route", "torch", "--report", tmp_path)
    assert result.exit_code == 2
    assert "pass --run RUN" in result.stdout


# ---- rank


@pytest.fixture
def request_file(tiny: Path, tmp_path: Path) -> Path:
    path = tmp_path / "request.json"
    path.write_bytes((tiny / "goldens" / "requests.jsonl").read_bytes().split(b"\n")[0])
    return path


def test_rank_prints_the_contracts_response_with_exact_numbers(tiny: Path, request_file: Path) -> None:
    result = call("rank", tiny, "--request", request_file, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert list(told) == ["model", "version", "bundle", "verification", "candidates", "ranking", "dropped"]
    assert (told["model"], told["version"], told["verification"]) == ("tiny", 1, "verified-bits")
    expected = json.loads((tiny / "goldens" / "rankings.jsonl").read_bytes().split(b"\n")[0])
    assert [entry["index"] for entry in told["ranking"]] == expected["order"]
    # the first golden stores watched = 412c0000 = 10.75
    assert told["ranking"][0]["heads"]["watched"] == 10.75


def test_rank_prints_titles(tiny: Path, request_file: Path, tmp_path: Path) -> None:
    titles = tmp_path / "items.json"
    request = json.loads(request_file.read_bytes())
    request["candidates"][0]["item"] = "apple"
    titles.write_text(json.dumps({"apple": "An Apple (1996)"}), encoding="utf-8")
    result = call(
        "rank", tiny, "--request", "-", "--titles", titles, "--item", "item", stdin=json.dumps(request).encode() + b"\n"
    )
    assert result.exit_code == 0, result.output
    assert "An Apple (1996)" in result.stdout
    assert "tiny/1 verified-bits" in result.stdout


def test_where_no_feature_names_an_item_its_place_does(tiny: Path, request_file: Path) -> None:
    result = call("rank", tiny, "--request", request_file)
    assert result.exit_code == 0, result.output
    assert "None" not in result.stdout
    best = json.loads((tiny / "goldens" / "rankings.jsonl").read_bytes().split(b"\n")[0])["order"][0]
    assert f" candidate {best} " in result.stdout
    hints = [line for line in result.stdout.splitlines() if line.startswith("no candidate has item_id")]
    assert hints == [
        "no candidate has item_id, so its place in the request is shown; "
        "--item NAME shows item or stock or shelf or brand"
    ]
    request = json.loads(request_file.read_bytes())
    request["candidates"][0]["item"] = "apple"
    named = call("rank", tiny, "--request", "-", "--item", "item", stdin=json.dumps(request).encode())
    assert ("apple" in named.stdout, "no candidate has" in named.stdout) == (True, False)


def test_titles_are_text_and_no_markup(tiny: Path, request_file: Path, tmp_path: Path) -> None:
    request = json.loads(request_file.read_bytes())
    request["candidates"][0]["item"] = "a"
    titles = tmp_path / "items.json"
    titles.write_text(json.dumps({"a": "[/dim] [red]M\u001b[2J[b]"}), encoding="utf-8")
    arguments = ("rank", tiny, "--request", "-", "--titles", titles, "--item", "item")
    result = call(*arguments, stdin=json.dumps(request).encode())
    assert result.exit_code == 0, result.output
    assert "[/dim] [red]M\\x1b[2J[b]" in result.stdout


@pytest.fixture
def shouting(tiny: Path, tmp_path: Path) -> Path:
    """A bundle whose own text clears the terminal and looks like lines of ours."""
    bundle = tmp_path / "loud" / "1"
    shutil.copytree(tiny, bundle)
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    evil = "\u001b[2J\nEQUAL  \u009b31m\u202e<script>alert(1)</script>"
    manifest["evidence"]["allowed"] = [{"finding": "batch_variant", "detail": f"D{evil}", "reason": f"R{evil}"}]
    manifest["provenance"] = {f"P{evil}": f"V{evil}"}
    text = (json.dumps(manifest, ensure_ascii=False) + "\n").encode()
    (bundle / "manifest.json").write_bytes(text)
    (bundle / "manifest.sha256").write_text(hashlib.sha256(text).hexdigest() + "\n", encoding="ascii")
    return bundle


def obeyed(text: str) -> list[str]:
    return [c for c in text.replace("\n", "") if not c.isprintable()]


@pytest.mark.usefixtures("planted")
def test_what_was_allowed_is_shown_by_every_command_and_obeyed_by_no_terminal(
    shouting: Path, request_file: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    for arguments in (
        ("verify", shouting, "--route", "none", "--report", report),
        ("rank", shouting, "--request", request_file),
        ("inspect", shouting),
    ):
        result = call(*arguments)
        assert result.exit_code == 0, result.output
        told = "".join(result.output.split())
        for text in ("batch_variant", "D\\x1b[2J\\nEQUAL", "R\\x1b[2J\\nEQUAL"):
            assert text in told, (arguments[0], result.output)
        assert obeyed(result.output) == [], arguments[0]
        if arguments[0] == "verify":
            assert sum(line.startswith("EQUAL") for line in result.output.splitlines()) == 1
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "batch_variant" in page
    assert "D\\x1b[2J\\nEQUAL" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert obeyed(page) == []


def test_names_of_files_are_obeyed_by_no_terminal(shouting: Path, request_file: Path) -> None:
    (shouting / "\u001b[2Jfine\nerror [nothing]\u009b").touch()
    for arguments in (("rank", shouting, "--request", request_file), ("inspect", shouting)):
        result = call(*arguments)
        assert result.exit_code == 1
        assert "file_unexpected" in result.output
        assert "\\x1b[2Jfine\\nerror" in result.output.replace("\n", "")
        assert obeyed(result.output) == [], arguments[0]


def test_an_ascii_terminal_gets_escapes_instead_of_a_crash(tiny: Path, request_file: Path, tmp_path: Path) -> None:
    titles = tmp_path / "items.json"
    titles.write_text(json.dumps({"apple": "Am\u00e9lie"}), encoding="utf-8")
    request = json.loads(request_file.read_bytes())
    request["candidates"][0]["item"] = "apple"
    request_file.write_text(json.dumps(request), encoding="utf-8")
    arguments = ["rank", str(tiny), "--request", str(request_file), "--titles", str(titles), "--item", "item"]
    done = subprocess.run(
        [sys.executable, "-c", f"from twinrank.bridge.cli import main; main({arguments!r})"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Am\\xe9lie" in done.stdout


def test_rank_names_what_is_wrong_with_a_request(tiny: Path) -> None:
    result = call("rank", tiny, "--request", "-", stdin=b"[1")
    assert result.exit_code == 1
    assert result.stderr.startswith("error [invalid_json]")


def test_titles_that_are_no_object_are_refused(tiny: Path, request_file: Path, tmp_path: Path) -> None:
    (tmp_path / "titles").write_text("[]", encoding="utf-8")
    result = call("rank", tiny, "--request", request_file, "--titles", tmp_path / "titles")
    assert result.exit_code == 2
    assert "error [titles_unreadable]" in result.stderr


# ---- serve


def test_serve_without_a_jar_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, java_home: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home))
    monkeypatch.setenv("TWINRANK_JARS", str(tmp_path))
    result = call("serve", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith("error [java_missing] no twinrank-server-*-all.jar")
    assert "to do: run `make jar`" in result.stderr


def test_serve_lists_what_it_asks_of_signatures_and_installations() -> None:
    told = call("serve", "--help").stdout
    for option in ("--public-key FILE", "--signature [warn|require]", "--installation [always|trust_record]"):
        assert f"\n  {option}" in told


def test_serve_becomes_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, java_home: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home))
    monkeypatch.setenv("TWINRANK_JARS", str(tmp_path))
    jar = tmp_path / "twinrank-server-0.1.0-all.jar"
    jar.touch()
    seen: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, command: seen.append(command))
    result = call("serve", tmp_path, "--port", 0, "--max-body", 5)
    assert result.exit_code == 0, result.output
    options = ["--require", "bits", "--port", "0"]
    options += ["--signature", "none", "--installation", "always", "--max-body", "5"]
    assert seen == [[str(java_home / "bin" / "java"), "-jar", str(jar), "--models", str(tmp_path), *options]]


def test_serve_hands_over_whose_signatures_count_and_whether_to_trust_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, java_home: Path
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home))
    monkeypatch.setenv("TWINRANK_JARS", str(tmp_path))
    (tmp_path / "twinrank-server-0.1.0-all.jar").touch()
    seen: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, command: seen.append(command))
    keys = [SIGNATURES / f"{name}.pub.pem" for name in ("p256", "p384")]
    named = [word for key in keys for word in ("--public-key", str(key))]
    # Before the folder and after it: what the server alone knows must not be taken for the folder.
    for arguments, mode in ((named, "require"), ([*named, "--signature", "warn"], "warn")):
        for order in ([*arguments, tmp_path], [tmp_path, *arguments]):
            result = call("serve", *order, "--installation", "trust_record")
            assert result.exit_code == 0, result.output
            assert seen.pop()[-8:] == [*named, "--signature", mode, "--installation", "trust_record"]
    assert "error [key_missing]" in call("serve", tmp_path, "--signature", "require").stderr
    wrong = SIGNATURES / "p256.pem"
    told = call("serve", tmp_path, "--public-key", wrong).stderr
    assert told.startswith(f"error [key_invalid] the key file {wrong} holds PRIVATE KEY; expected one PUBLIC KEY")
    assert not seen


def test_user_errors_carry_their_facts() -> None:
    error = UserError("code", "what", "do", exit_code=1)
    assert (error.code, error.problem, error.remedy, error.exit_code) == ("code", "what", "do", 1)
    assert isinstance(main, click.Group)
