from pathlib import Path

import pytest

from twinrank.bridge import RouteFailedError, RouteOptions, _java
from twinrank.bridge.routes import route


def launcher(folder: Path, *, version: str, status: int = 0) -> Path:
    """A `java` that prints what a real one prints for -version."""
    command = folder / "bin" / "java"
    command.parent.mkdir(parents=True)
    command.write_text(
        f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-20' >&2\nexit {status}\n", encoding="ascii"
    )
    command.chmod(0o755)
    return folder


def test_java_home_goes_before_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(launcher(tmp_path / "path", version="21.0.1") / "bin"))
    monkeypatch.setenv("JAVA_HOME", str(launcher(tmp_path / "home", version="17.0.15")))
    assert _java.find_java().version == "17.0.15"
    monkeypatch.delenv("JAVA_HOME")
    assert (_java.find_java().version, _java.find_java().major) == ("21.0.1", 21)


def test_a_missing_java_gets_one_line_that_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(_java.JavaMissingError) as caught:
        _java.find_java()
    message = "no java on PATH: install a JDK 17 or newer (Debian: openjdk-17-jdk-headless), or set JAVA_HOME"
    assert str(caught.value) == message


@pytest.mark.parametrize("version", ["11.0.22", "1.8.0_402"])
def test_an_old_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("JAVA_HOME", str(launcher(tmp_path, version=version)))
    with pytest.raises(_java.JavaMissingError, match=f"is version {version}: install a JDK 17"):
        _java.find_java()


def test_a_java_that_does_not_start_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(launcher(tmp_path, version="17", status=1)))
    with pytest.raises(_java.JavaMissingError, match="does not start"):
        _java.find_java()


def test_native_access_is_allowed_where_the_jvm_would_warn() -> None:
    assert _java.Java(Path("java"), 17, "17").flags() == ()
    assert _java.Java(Path("java"), 25, "25").run_jar(Path("a.jar"), "x") == [
        "java",
        "--enable-native-access=ALL-UNNAMED",
        "-jar",
        "a.jar",
        "x",
    ]


def test_jars_come_from_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINRANK_JARS", str(tmp_path))
    with pytest.raises(_java.JavaMissingError, match="make jar"):
        _java.find_jar("probe")
    jar = tmp_path / "twinrank-probe-0.1.0-all.jar"
    jar.touch()
    (tmp_path / "twinrank-probe-0.1.0.jar").touch()
    (tmp_path / "twinrank-server-0.1.0-all.jar").touch()
    assert _java.find_jar("probe") == jar
    (tmp_path / "twinrank-probe-0.2.0-all.jar").touch()
    with pytest.raises(_java.JavaMissingError, match="2 jars"):
        _java.find_jar("probe")


@pytest.mark.parametrize("name", ["probe", "jpype", "py4j", "http"])
def test_a_java_route_without_jars_is_unavailable_and_says_what_to_run(
    name: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(launcher(tmp_path / "home", version="17.0.15")))
    monkeypatch.setenv("TWINRANK_JARS", str(tmp_path))
    with pytest.raises(RouteFailedError, match=r"make jar|no lib/server/libjvm") as caught:
        route(name).open(tiny, RouteOptions())
    assert caught.value.reason == "unavailable"
