"""Facts of this side of a parity run, for its report: the host, the libraries, and the command without its secrets."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_SECRET = re.compile(r"(?i)\b([\w-]*(?:token|password|passwd|secret|credential|api-?key)[\w-]*)(=|:\s*|\s+)(\S+)")
_HIDDEN = "***"


def host_facts() -> dict[str, str]:
    """Return CPU model, cores, operating system, Python, numpy and ONNX Runtime with its native library's sha256."""
    facts = {
        "cpu": _cpu(),
        "cores": str(_cores()),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": importlib.metadata.version("numpy"),
        "onnxruntime": importlib.metadata.version("onnxruntime"),
    }
    for library in _runtime_libraries():
        facts["onnxruntime library"] = library.name
        facts["onnxruntime library sha256"] = _sha256(library)
    return facts


def without_secrets(words: Sequence[str]) -> tuple[str, ...]:
    """Return a command's words with passwords in addresses, queries, and values of telling names hidden.

    Paths of key and token files stay: they say where a secret is, not what it is.
    """
    shown = [_SECRET.sub(rf"\1\2{_HIDDEN}", _address(word)) for word in words]
    for place, word in enumerate(words[:-1]):
        if _names_a_secret(word) and not shown[place + 1].startswith("-"):
            shown[place + 1] = _HIDDEN
    return tuple(shown)


def _names_a_secret(word: str) -> bool:
    return word.startswith("--") and "=" not in word and bool(_SECRET.match(f"{word[2:]}=x"))


def _address(word: str) -> str:
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if "://" not in value:
        return word
    try:
        parts = urlsplit(value)
    except ValueError:
        return f"{option}{equals}{_HIDDEN}"
    place = f"{_HIDDEN}@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc
    query = _HIDDEN if parts.query else ""
    return option + equals + urlunsplit((parts.scheme, place, parts.path, query, ""))


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _cores() -> int:
    # Those that this process may use: a container often has fewer than its machine.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _runtime_libraries() -> list[Path]:
    # Found beside the package, and not imported: a report about processes elsewhere needs no runtime here.
    package = importlib.util.find_spec("onnxruntime")
    folder = Path(package.origin).parent / "capi" if package is not None and package.origin is not None else None
    if folder is None or not folder.is_dir():
        return []
    kinds = ("libonnxruntime.so*", "libonnxruntime.*dylib", "onnxruntime.dll", "onnxruntime_pybind11_state*")
    return next((found for kind in kinds if (found := sorted(folder.glob(kind))[:1])), [])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
