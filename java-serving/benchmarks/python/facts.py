"""What a reader must know of the host to place a figure."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from workers import JAVA_SERVING, ROOT

from twinrank.export.bundle import host_class, runtime_release


def host_facts() -> dict[str, Any]:
    """Processor, kernel, load, and the releases of what is compared."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*:\s*(.+)", text)
    versions = (JAVA_SERVING / "pom.xml").read_text(encoding="utf-8")
    return {
        "processor": model[1] if model else platform.processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load": list(os.getloadavg()),
        "host_class": host_class(),
        "onnxruntime_python": runtime_release(),
        "commit": _commit(),
        **{
            name: found[1]
            for name in ("onnxruntime", "djl", "hash4j")
            if (found := re.search(f"<{name}.version>([^<]+)<", versions))
        },
    }


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"
