"""Finds what the Java routes need: a Java of 17 or newer, and the jars that `make jar` builds."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MINIMUM = 17
JARS_VARIABLE = "TWINRANK_JARS"

_NATIVE_ACCESS_SINCE = 22
"""From this release on, a JVM warns about native code (ONNX Runtime's JNI library) unless it was allowed."""


class JavaMissingError(Exception):
    """Java or a jar is not there; the message is one line that says what to install or to run."""


@dataclass(frozen=True)
class Java:
    """A usable Java launcher.

    Attributes:
        command: path of the `java` program.
        major: feature release, 17 or more.
        version: full version as the launcher prints it.
    """

    command: Path
    major: int
    version: str

    def run_jar(self, jar: Path, *arguments: str) -> list[str]:
        """Return the command line that runs an executable jar."""
        return [str(self.command), *self.flags(), "-jar", str(jar), *arguments]

    def flags(self) -> tuple[str, ...]:
        """Return the flags that every JVM of ours gets."""
        return ("--enable-native-access=ALL-UNNAMED",) if self.major >= _NATIVE_ACCESS_SINCE else ()

    def library(self) -> Path:
        """Return the JVM's shared library, for a JVM inside this process.

        Raises:
            JavaMissingError: if this installation has none (a stripped image).
        """
        home = self.command.resolve().parent.parent
        for name in ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll"):
            if (home / name).is_file():
                return home / name
        raise JavaMissingError(
            f"{home} has no lib/server/libjvm: install a complete JDK {MINIMUM} or newer, or set JAVA_HOME"
        )


def find_java() -> Java:
    """Return the Java of JAVA_HOME, else of PATH.

    Raises:
        JavaMissingError: if there is none, it does not start, or it is older than 17.
    """
    home = os.environ.get("JAVA_HOME")
    command = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if command is None:
        where = f"JAVA_HOME={home} holds no bin/java" if home else "no java on PATH"
        raise JavaMissingError(
            f"{where}: install a JDK {MINIMUM} or newer (Debian: openjdk-17-jdk-headless), or set JAVA_HOME"
        )
    return _inspect(command)


@functools.cache
def _inspect(command: str) -> Java:
    try:
        shown = subprocess.run(  # noqa: S603  the launcher that the user's own JAVA_HOME or PATH names
            [command, "-version"],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=True,
        ).stderr
    except (OSError, subprocess.SubprocessError) as error:
        raise JavaMissingError(
            f"{command} does not start ({error}): install a JDK {MINIMUM} or newer, or set JAVA_HOME"
        ) from error
    match = re.search(r'version "((?:1\.)?(\d+)[^"]*)"', shown)
    major = int(match.group(2)) if match else 0
    if match is None or major < MINIMUM:
        found = match.group(1) if match else shown.strip().splitlines()[:1]
        raise JavaMissingError(f"{command} is version {found}: install a JDK {MINIMUM} or newer, or set JAVA_HOME")
    return Java(Path(command), major, match.group(1))


def find_jar(artifact: str) -> Path:
    """Return the runnable jar of one artifact (`probe`, `server`, `gateway`), from TWINRANK_JARS or the checkout.

    Raises:
        JavaMissingError: if there is none or more than one.
    """
    pattern = f"twinrank-{artifact}-*-all.jar"
    folder = os.environ.get(JARS_VARIABLE)
    if folder:
        where, found = f"{JARS_VARIABLE}={folder}", sorted(Path(folder).glob(pattern))
    else:
        target = _checkout() / "java-serving" / artifact / "target"
        where, found = str(target), sorted(target.glob(pattern))
    if not found:
        raise JavaMissingError(
            f"no {pattern} in {where}: run `make jar` in the checkout, or set {JARS_VARIABLE} to a folder with the jars"
        )
    if len(found) > 1:
        raise JavaMissingError(
            f"{where} holds {len(found)} jars {', '.join(jar.name for jar in found)}: keep one, or run `make clean jar`"
        )
    return found[0]


def _checkout() -> Path:
    return Path(__file__).resolve().parents[4]
