"""The mutator of tests/contract/hostile/README.md: a fresh copy of the base, spoiled as a case says."""

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twinrank.export.bundle import SignaturePolicy, host_class, load_private_key
from twinrank.export.bundle._sign import signature_text

HOSTILE = Path(__file__).resolve().parents[1] / "contract" / "hostile"
NO_HOST = "0" * 64
HERE = "{host_class}"
UNLISTED = ("manifest.json", "manifest.sha256", "model.sig")


def known_failing() -> dict[str, str]:
    """The hostile cases that the Python reader is known to fail, with the reason."""
    listed = json.loads((HOSTILE.parent / "known-failing.json").read_bytes())["python"]
    return {entry["case"]: entry["why"] for entry in listed if entry["suite"] == "hostile"}


def load_cases() -> tuple[Path, list[dict[str, Any]]]:
    document = json.loads((HOSTILE / "cases.json").read_bytes())
    return (HOSTILE / document["base"]).resolve(), document["cases"]


def make_bundle(base: Path, case: dict[str, Any], temporary: Path) -> Path:
    root = temporary / "tiny" / "1"
    shutil.copytree(base, root)
    manifest = root / "manifest.json"
    if case["rehost"]:
        text = manifest.read_text(encoding="utf-8")
        if text.count(NO_HOST) != 1:
            raise ValueError("the base must name the class of zeros exactly once")
        manifest.write_bytes(text.replace(NO_HOST, host_class()).encode())
    apply(root, case["ops"])
    for step in ("list", "files"):
        if step in case["reseal"]:
            reseal(root, rewrite=step == "list")
    if "manifest" in case["reseal"]:
        seal(root)
    apply(root, case.get("after", []))
    return root


def seal(root: Path) -> None:
    digest = hashlib.sha256((root / "manifest.json").read_bytes()).hexdigest()
    (root / "manifest.sha256").write_text(digest + "\n", encoding="utf-8", newline="\n")


def apply(root: Path, ops: list[dict[str, Any]]) -> None:
    for op in ops:
        placed = {key: op[key].replace(HERE, host_class()) for key in ("path", "to", "target") if key in op}
        OPERATIONS[op["op"]](root, op | placed)


def policy_of(case: dict[str, Any]) -> SignaturePolicy:
    asked = case.get("signature", {"policy": "none", "keys": []})
    return SignaturePolicy(asked["policy"], tuple((HOSTILE / key).read_bytes() for key in asked["keys"]))


def reseal(root: Path, *, rewrite: bool) -> None:
    document = json.loads((root / "manifest.json").read_bytes())
    if rewrite:
        paths = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file()]
        document["files"] = {path: {} for path in paths if path not in UNLISTED}
    for path, entry in document["files"].items():
        if (root / path).is_file():
            content = (root / path).read_bytes()
            entry |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    write_json(root / "manifest.json", document)


def write_json(path: Path, document: object) -> None:
    path.write_bytes((json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())


def content_of(op: dict[str, Any]) -> bytes:
    return base64.b64decode(op["base64"], validate=True) if "base64" in op else op["text"].encode()


def delete(root: Path, op: dict[str, Any]) -> None:
    path = root / op["path"]
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def write(root: Path, op: dict[str, Any]) -> None:
    path = root / op["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content_of(op))


def append(root: Path, op: dict[str, Any]) -> None:
    path = root / op["path"]
    path.write_bytes(path.read_bytes() + content_of(op))


def copy(root: Path, op: dict[str, Any]) -> None:
    shutil.copyfile(HOSTILE / op["from"], root / op["path"])


def fill(root: Path, op: dict[str, Any]) -> None:
    text = (HOSTILE / op["from"]).read_text(encoding="utf-8")
    digest = "sha256:" + hashlib.sha256((root / "manifest.json").read_bytes()).hexdigest()
    path = root / op["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace(HERE, host_class()).replace("{bundle}", digest).encode())


def sign(root: Path, op: dict[str, Any]) -> None:
    resources = op["resources"]
    if resources == "all":
        listed = json.loads((root / "manifest.json").read_bytes())["files"]
        resources = [{"name": path, "path": path} for path in ("manifest.json", "manifest.sha256", *listed)]
    digests = {}
    for resource in resources:
        content = (root / resource["path"].replace(HERE, host_class())).read_bytes()
        digests[resource["name"].replace(HERE, host_class())] = hashlib.sha256(content).hexdigest()
    key = load_private_key((HOSTILE / op["key"]).read_bytes(), None)
    (root / op["path"]).write_bytes(signature_text(key, "tiny", digests))


def extend(root: Path, op: dict[str, Any]) -> None:
    path = root / op["path"]
    path.write_bytes(path.read_bytes().ljust(op["size"]))


def rename(root: Path, op: dict[str, Any]) -> None:
    (root / op["path"]).rename(root / op["to"])


def truncate(root: Path, op: dict[str, Any]) -> None:
    path = root / op["path"]
    content = path.read_bytes()
    kept = op["size"] if op["size"] >= 0 else len(content) + op["size"]
    if not 0 <= kept < len(content):
        raise ValueError(f"{op['path']} has {len(content)} bytes, not cut by {op['size']}")
    path.write_bytes(content[:kept])


def flip_bit(root: Path, op: dict[str, Any]) -> None:
    path = root / op["path"]
    content = bytearray(path.read_bytes())
    content[op["byte"]] ^= 1 << op["bit"]
    path.write_bytes(content)


def replace(root: Path, op: dict[str, Any]) -> None:
    path = root / op["path"]
    content = path.read_bytes()
    if op["find"].encode() not in content:
        raise ValueError(f"{op['path']} does not hold {op['find']!r}")
    path.write_bytes(content.replace(op["find"].encode(), op["with"].encode(), 1))


def target_of(document: Any, pointer: str) -> tuple[Any, Any]:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in parts[:-1]:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document, int(parts[-1]) if isinstance(document, list) and parts[-1] != "-" else parts[-1]


def set_json(root: Path, op: dict[str, Any]) -> None:
    document = json.loads((root / op["path"]).read_bytes())
    parent, key = target_of(document, op["pointer"])
    if key == "-" and isinstance(parent, list):
        parent.append(op["value"])
    else:
        parent[key] = op["value"]
    write_json(root / op["path"], document)


def remove_json(root: Path, op: dict[str, Any]) -> None:
    document = json.loads((root / op["path"]).read_bytes())
    parent, key = target_of(document, op["pointer"])
    del parent[key]
    write_json(root / op["path"], document)


def mkdir(root: Path, op: dict[str, Any]) -> None:
    (root / op["path"]).mkdir(parents=True)


def symlink(root: Path, op: dict[str, Any]) -> None:
    (root / op["path"]).symlink_to(op["target"])


def hardlink(root: Path, op: dict[str, Any]) -> None:
    os.link(root / op["target"], root / op["path"])


OPERATIONS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    "delete": delete,
    "write": write,
    "append": append,
    "copy": copy,
    "fill": fill,
    "sign": sign,
    "extend": extend,
    "rename": rename,
    "truncate": truncate,
    "flip_bit": flip_bit,
    "replace": replace,
    "set_json": set_json,
    "remove_json": remove_json,
    "mkdir": mkdir,
    "symlink": symlink,
    "hardlink": hardlink,
}
