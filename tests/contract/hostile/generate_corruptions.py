"""Makes corruptions.json: what proves that two languages make the same corruptions; --check compares."""

import argparse
import base64
import hashlib
import json
import sys
from pathlib import Path

from _corruptions import BYTES, corrupt, varint

HERE = Path(__file__).resolve().parent
SEED = 5
CASES = 400


def block(number: int, content: bytes) -> bytes:
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def little_bundle() -> dict[str, bytes]:
    """Files as a bundle has them, small, and of every kind that a corruption looks at."""
    node = block(1, b"a") + block(2, b"b") + block(4, b"Add") + block(5, b"\x15\0\0\x80?" + b"\xa0\x01\x01")
    tensor = b"\x08\x02\x10\x01" + block(8, b"w") + block(9, bytes(range(8))) + b"\x51" + bytes(8)
    graph = block(1, node) * 3 + block(2, b"graph") + block(5, tensor) + block(13, block(1, b"x"))
    files = {
        "model.onnx": b"\x08\x0a" + block(2, b"somebody") + block(7, graph) + block(8, b"\x10\x14"),
        "goldens/requests.jsonl": b'{"context": {"a": 1},\n "candidates": []}\n{"x": null}\n',
        "goldens/rankings.jsonl": b'{"golden": 0, "n": 2,\n "order": [1, 0]}\n',
        "goldens/test_data_set_0/input_0.pb": tensor,
        "goldens/test_data_set_0/output_0.pb": tensor,
        "statistics/empty.bin": b"",
    }
    listed = {
        path: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)} for path, content in files.items()
    }
    manifest = json.dumps({"name": "little", "heads": [1, 2.5, True, None], "files": listed}, indent=2, sort_keys=True)
    files["manifest.json"] = manifest.encode() + b"\n"
    files["manifest.sha256"] = hashlib.sha256(files["manifest.json"]).hexdigest().encode() + b"\n"
    return files


def text() -> str:
    """The file."""
    files = little_bundle()
    digests = [
        [corrupt(files, SEED, case, resealed=resealed).digest()[:16] for resealed in (False, True)]
        for case in range(CASES)
    ]
    document = {
        "about": "files: a little bundle in base64; digests: 16 digits of corruption i, without and with reseal",
        "seed": SEED,
        "files": {path: base64.b64encode(content).decode() for path, content in sorted(files.items())},
    }
    lines = ",\n".join(f"    {json.dumps(pair)}" for pair in digests)
    return json.dumps(document, indent=2)[:-2] + f',\n  "digests": [\n{lines}\n  ]\n}}\n'


def main() -> int:
    """Writes the file, or with ``--check`` says that it differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    path = HERE / "corruptions.json"
    if not parser.parse_args().check:
        path.write_text(text(), encoding="utf-8", newline="\n")
    elif path.read_text(encoding="utf-8") != text():
        print(f"{path.name} differs from its generator: run {Path(__file__).name}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
