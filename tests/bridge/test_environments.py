"""Environments with another runtime: whole or not at all, used again, and errors that say what to do."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import venv
import zipfile
from pathlib import Path

import pytest

from twinrank.bridge import _environments
from twinrank.bridge._environments import Environment, default_folder, make_environment
from twinrank.bridge._errors import UserError

RELEASE = "1.99.0"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of one small wheel that calls itself onnxruntime."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel(folder, RELEASE)
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(_environments, "_pins", lambda release: {"onnxruntime": release})
    return folder


def wheel(folder: Path, version: str, source: str | None = None) -> None:
    info = f"onnxruntime-{version}.dist-info"
    files = {
        "onnxruntime/__init__.py": source or f"__version__ = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: onnxruntime\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"onnxruntime-{version}-py3-none-any.whl", "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is written instead of installed: what pip takes two seconds for is not what is tested then."""

    def install(folder: Path, release: str, pins: dict[str, str]) -> None:
        del pins
        venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
        root = _environments._site_packages(folder)
        (root / "onnxruntime").mkdir()
        (root / "onnxruntime" / "__init__.py").write_text(f"__version__ = '{release}'\n", encoding="utf-8")

    monkeypatch.setattr(_environments, "_pins", lambda release: {"onnxruntime": release})
    monkeypatch.setattr(_environments, "_install", install)


@pytest.fixture
def made(quick: None, tmp_path: Path) -> Environment:
    del quick
    return make_environment(RELEASE, tmp_path / "environments")


def refused(release: str, folder: Path) -> UserError:
    with pytest.raises(UserError) as error:
        make_environment(release, folder)
    assert not folder.exists() or list(folder.iterdir()) == []
    return error.value


def test_an_environment_holds_the_release_and_a_digest_of_everything_installed(index: Path, tmp_path: Path) -> None:
    del index
    made = make_environment(RELEASE, tmp_path / "environments")
    command = [*made.python, "-c", "import onnxruntime; print(onnxruntime.__version__)"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == RELEASE
    assert made.packages == {"onnxruntime": RELEASE}
    assert not made.reused
    root = next(made.folder.rglob("site-packages"))
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        digest.update(f"{path.relative_to(root)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    assert made.digest == digest.hexdigest()
    assert [path.name for path in made.folder.parent.iterdir()] == [made.folder.name]


def test_a_complete_one_is_used_again_without_an_index(made: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_environments, "_install", lambda *_: pytest.fail("nothing is to be installed"))
    again = make_environment(RELEASE, made.folder.parent)
    assert again.reused
    assert (again.folder, again.digest, again.packages) == (made.folder, made.digest, made.packages)


@pytest.mark.parametrize("harm", ["a changed file", "a missing file", "another file", "no note", "a cut note"])
def test_one_that_is_not_as_it_was_installed_is_made_anew(made: Environment, harm: str) -> None:
    package = next(made.folder.rglob("onnxruntime"))
    note = made.folder / "twinrank-environment.json"
    {
        "a changed file": lambda: (package / "__init__.py").write_text("__version__ = 'evil'\n", encoding="utf-8"),
        "a missing file": lambda: (package / "__init__.py").unlink(),
        "another file": lambda: (package / "more.py").write_text("", encoding="utf-8"),
        "no note": note.unlink,
        "a cut note": lambda: note.write_bytes(note.read_bytes()[:-20]),
    }[harm]()
    told: list[str] = []
    again = make_environment(RELEASE, made.folder.parent, tell=told.append)
    assert not again.reused
    assert again.digest == made.digest
    assert "not as it was installed" in told[0]
    assert [path.name for path in made.folder.parent.iterdir()] == [made.folder.name]


def test_a_release_that_does_not_exist_is_told_with_those_that_do(index: Path, tmp_path: Path) -> None:
    del index
    error = refused("9.9.9", tmp_path / "environments")
    assert error.code == "release_not_found"
    assert RELEASE in error.problem
    assert error.exit_code == 2


def test_an_index_that_gives_nothing_is_told(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (index / f"onnxruntime-{RELEASE}-py3-none-any.whl").unlink()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_TIMEOUT", "2")
    error = refused(RELEASE, tmp_path / "environments")
    assert error.code == "index_unreachable"
    assert "PIP_INDEX_URL" in error.remedy


def test_a_runtime_that_does_not_start_leaves_nothing(index: Path, tmp_path: Path) -> None:
    wheel(index, "1.98.0", "raise ImportError('GLIBC_9.99 not found')\n")
    error = refused("1.98.0", tmp_path / "environments")
    assert error.code == "install_failed"
    assert "GLIBC_9.99 not found" in error.problem


@pytest.mark.parametrize(
    ("release", "code"),
    [
        ("1.18.1", "release_too_old"),
        ("latest", "bad_release"),
        ("1.23", "bad_release"),
        ("1.23.2rc1", "bad_release"),
        ("1.23.2; rm", "bad_release"),
        ("../1.23.2", "bad_release"),
        ("1.23.2\n", "bad_release"),
        ("01.23.2", "bad_release"),
        ("\u0661.\u0662\u0663.\u0662", "bad_release"),  # digits, but no index spells a release in them
    ],
)
def test_what_is_no_release_is_refused_before_anything_is_made(tmp_path: Path, release: str, code: str) -> None:
    assert refused(release, tmp_path / "environments").code == code


KILLED = """
import sys, time
from pathlib import Path
from twinrank.bridge import _environments
_environments._pins = lambda release: {"onnxruntime": release}
def install(folder, release, pins):
    (folder / "half").write_bytes(b"half an environment")
    print("installing", flush=True)
    time.sleep(600)
_environments._install = install
_environments.make_environment(sys.argv[1], Path(sys.argv[2]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_install_leaves_nothing_that_looks_whole(quick: None, tmp_path: Path, number: signal.Signals) -> None:
    del quick
    folder = tmp_path / "environments"
    command = [sys.executable, "-c", KILLED, RELEASE, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "installing\n"
        (half,) = folder.iterdir()
        assert half.name.startswith(".partial-")
        # One that is being made is nobody else's to remove.
        _environments._sweep(folder)
        assert half.exists()
        child.send_signal(number)
    assert half.exists() == (number == signal.SIGKILL)
    made = make_environment(RELEASE, folder)
    assert [path.name for path in folder.iterdir()] == [made.folder.name]


def test_two_that_ask_at_once_get_the_same_environment(quick: None, tmp_path: Path) -> None:
    del quick
    got: list[Environment] = []
    ready = threading.Barrier(2)

    def ask() -> None:
        ready.wait()
        got.append(make_environment(RELEASE, tmp_path / "environments"))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(each.folder, each.digest) for each in got}) == 1
    assert len(got) == 2
    assert len(list((tmp_path / "environments").iterdir())) == 1


def test_environments_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "twinrank" / "environments"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache" / "twinrank" / "environments"


def test_pins_are_the_base_installs_and_no_extras() -> None:
    pins = _environments._pins("1.23.2")
    assert pins["onnxruntime"] == "1.23.2"
    assert {"numpy", "onnx", "xxhash"} <= set(pins)
    assert not {"torch", "httpx", "jpype1"} & set(pins)
