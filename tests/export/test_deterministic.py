"""The same run gives the same bytes of every file, whatever the process, folder, locale, time zone or hash seed."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CODE = """
import hashlib, json, pathlib, sys
sys.path.insert(0, sys.argv[2])
from small_run import small_run
from twinrank.export.graph import export_run
path = export_run(small_run(), pathlib.Path(sys.argv[1]))
files = sorted(e for e in path.rglob("*") if e.is_file())
print(json.dumps({e.relative_to(path).as_posix(): hashlib.sha256(e.read_bytes()).hexdigest() for e in files}))
"""


def exported_in(folder: Path, models: str, **environment: str) -> subprocess.Popen[str]:
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", CODE, models, str(HERE)]
    env = {**os.environ, **environment}
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)


def test_two_processes_export_the_same_bytes(tmp_path: Path) -> None:
    left = exported_in(tmp_path / "a", "models", PYTHONHASHSEED="1", TZ="Asia/Kathmandu", LANG="C", LC_ALL="C")
    right = exported_in(
        tmp_path / "b" / "deeper",
        str(tmp_path / "elsewhere"),
        PYTHONHASHSEED="4321",
        TZ="America/St_Johns",
        LANG="de_DE.UTF-8",
        LC_ALL="C.UTF-8",
        HOME=str(tmp_path),
        USER="somebody",
    )
    outputs = [process.communicate()[0] for process in (left, right)]
    assert (left.returncode, right.returncode) == (0, 0)
    first, second = (json.loads(output) for output in outputs)
    assert {"manifest.json", "model.onnx", "statistics/histograms.json"} <= set(first)
    assert first == second
