"""The rules of the house that no linter keeps: public surface, torch-free rooms, locks, readable files."""

import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("training", "export", "bridge")


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def public_modules() -> list[str]:
    names: list[str] = []
    for room in ROOMS:
        top = f"twinrank.{room}"
        package = importlib.import_module(top)
        names.append(top)
        names += [
            found.name
            for found in pkgutil.walk_packages(package.__path__, prefix=f"{top}.")
            if not any(part.startswith("_") for part in found.name.split("."))
        ]
    return names


PUBLIC = public_modules()


def test_no_runtime_of_ours_leaves_telemetry_behind(tmp_path: Path) -> None:
    # ONNX Runtime 1.29 makes the folder when it starts, long before a call could switch it off.
    model = ROOT / "tests/contract/vectors/bundles/tiny/1/model.onnx"
    code = f"import twinrank.export.bundle, onnxruntime; onnxruntime.InferenceSession({str(model)!r})"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}

    subprocess.run([sys.executable, "-c", code], env=environment | {"HOME": str(tmp_path)}, check=True)

    assert [
        str(found.relative_to(tmp_path)) for found in tmp_path.rglob("*") if "microsoft" in str(found).lower()
    ] == []


def test_every_room_has_public_modules() -> None:
    for room in ROOMS:
        assert [name for name in PUBLIC if name.startswith(f"twinrank.{room}.")], f"room {room} has no public module"


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_module_lists_its_surface(name: str) -> None:
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", None)
    assert listed is not None, f"{name} has no __all__; list its public names, or begin the module's name with _"
    assert len(set(listed)) == len(listed)
    for member in listed:
        assert hasattr(module, member), f"{name}.__all__ names {member!r}, which does not exist"
        assert not member.startswith("_"), f"{name}.__all__ names the private {member!r}"
    own = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == name and (callable(value))
    }
    assert own <= set(listed), (
        f"{name} defines {sorted(own - set(listed))} publicly without listing them: add to __all__ or prefix _"
    )


def test_no_room_hides_the_others() -> None:
    strays = [room for room in ROOMS if (ROOT / room / "src/twinrank/__init__.py").exists()]
    assert not strays, f"twinrank is a namespace: delete {strays}/src/twinrank/__init__.py"


@pytest.mark.parametrize(
    "module",
    [
        "twinrank.training",
        "twinrank.training.schema",
        "twinrank.training.transforms",
        "twinrank.export",
        "twinrank.export.bundle",
        "twinrank.bridge",
        "twinrank.bridge.cli",
    ],
)
def test_imports_without_torch(module: str) -> None:
    code = f"import {module}, sys; print(json.dumps(sorted(sys.modules)))".replace("import ", "import json, ", 1)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "onnxscript", "matplotlib", "jpype"} & set(json.loads(done.stdout))
    assert not heavy, f"importing {module} pulled in {sorted(heavy)}"


def test_the_runtime_is_pinned_to_one_release_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    [python] = [line.split("==")[1] for line in project["dependencies"] if line.startswith("onnxruntime==")]
    [locked] = re.findall(r"^onnxruntime==(\S+)", (ROOT / "requirements/dev.txt").read_text("utf-8"), re.M)
    [java] = re.findall(r"<onnxruntime\.version>(.+?)<", (ROOT / "java-serving/pom.xml").read_text("utf-8"))
    assert python == locked == java


def test_python_and_java_carry_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    pom = (ROOT / "java-serving/pom.xml").read_text("utf-8")
    found = re.search(r"<artifactId>twinrank[^<]*</artifactId>\s*<version>([^<]+)</version>", pom)
    assert found is not None
    assert found.group(1) == project


@pytest.mark.parametrize("lock", ["dev.txt", "bootstrap.txt"])
def test_a_lock_pins_every_package_by_hash_and_names_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text("utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=[a-z0-9])", "\n" + text)[1:]
    assert entries
    for entry in entries:
        assert "==" in entry.splitlines()[0], entry.splitlines()[0]
        assert "--hash=sha256:" in entry, f"no hash for {entry.splitlines()[0]}"


def test_no_tracked_file_names_a_registry_or_a_machine() -> None:
    # Spelt in pieces so that this file does not find itself.
    words = ["py" + "pi.org", "pythonhosted" + ".org", "maven" + ".org/maven2", "/wo" + "rk/", "/ro" + "ot/"]
    offenders: list[str] = []
    for path in tracked_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        offenders += [f"{path.relative_to(ROOT)}: {word}" for word in words if word in text]
    assert not offenders, offenders


def test_no_large_or_binary_data_is_tracked() -> None:
    offenders = [f"{p.relative_to(ROOT)}: {p.stat().st_size}" for p in tracked_files() if p.stat().st_size > 400_000]
    assert not offenders, offenders


def test_source_files_stay_readable() -> None:
    sources = [path for path in tracked_files() if path.suffix in {".py", ".java"}]
    assert sources
    long = [f"{p.relative_to(ROOT)}: {n}" for p in sources if (n := len(p.read_text("utf-8").splitlines())) > 600]
    assert not long, f"split these, or say why in the room's RATIONALE.md: {long}"


@pytest.mark.parametrize("room", ["training", "export", "java-serving", "bridge"])
def test_a_room_explains_itself(room: str) -> None:
    for name in ("README.md", "RATIONALE.md"):
        text = (ROOT / room / name).read_text("utf-8")
        assert len(text.split()) > 80, f"{room}/{name} says too little"
