"""A reader that speaks the probe protocol honestly, except for the one fault that its argument names.

Usage: fake_testee.py FAULT, where FAULT is one of the keys of FAULTS or `none`. It answers through the Python reader,
so that whatever a parity run reports about it is the planted fault and nothing else.
"""

import json
import os
import struct
import sys
import time

import numpy as np

from twinrank.export.bundle import BundleError, host_class, open_bundle
from twinrank.training.schema import ScoringError

FAULTS = {
    "crash": "exits with 7 at the third score",
    "signal": "kills itself at the third score",
    "hang": "never answers the third score",
    "deaf": "never reads its input",
    "chatter": "prints a line to stdout among the frames",
    "cut": "leaves in the middle of an answer",
    "short_body": "sends one value too few",
    "wrong_code": "reports another error code",
    "wrong_candidate": "reports another candidate of an error",
    "flipped_bit": "flips the last bit of one value of the first head",
    "reversed_order": "turns rankings round",
    "wrong_pack": "packs one number differently",
    "refuses": "refuses the bundle",
    "other_bundle": "loads a bundle with another digest",
    "old_protocol": "speaks protocol 0",
}


def take(count: int) -> bytes:
    data = sys.stdin.buffer.read(count)
    if len(data) != count:
        sys.exit(0)
    return data


def receive() -> tuple[dict, bytes]:
    header = json.loads(take(struct.unpack("<I", take(4))[0]))
    return header, take(struct.unpack("<I", take(4))[0])


def send(header: dict, body: bytes = b"") -> None:
    text = json.dumps(header).encode()
    sys.stdout.buffer.write(struct.pack("<I", len(text)) + text + struct.pack("<I", len(body)) + body)
    sys.stdout.buffer.flush()


def refusal(error: ScoringError) -> dict:
    told = {"ok": False, "family": "scoring", "code": error.code, "message": error.message}
    told |= {} if error.feature is None else {"feature": error.feature}
    return told | ({} if error.candidate is None else {"candidate": error.candidate})


def main(fault: str) -> None:
    if fault == "deaf":
        time.sleep(3600)
    bundle = None
    scores = 0
    while True:
        header, body = receive()
        match header["op"]:
            case "hello":
                facts = {
                    "protocol": 0 if fault == "old_protocol" else 1,
                    "implementation": "fake/1",
                    "runtime": "onnxruntime 1.29.0",
                }
                send({"ok": True, **facts, "host_class": host_class(), "facts": {"python": sys.version.split()[0]}})
            case "load":
                if fault == "refuses":
                    problems = [{"code": "digest_mismatch", "path": "model.onnx", "detail": "planted"}]
                    send(
                        {
                            "ok": False,
                            "family": "bundle",
                            "code": "digest_mismatch",
                            "message": "planted",
                            "problems": problems,
                        }
                    )
                    continue
                try:
                    bundle = open_bundle(header["bundle"], require=header["require"])
                except BundleError as error:
                    send({"ok": False, "family": "bundle", "code": error.code, "message": str(error), "problems": []})
                    continue
                digest = "sha256:" + "0" * 64 if fault == "other_bundle" else bundle.digest
                heads = [{"name": head.name, "dtype": head.dtype} for head in bundle.heads]
                told = {"model": bundle.name, "bundle": digest, "verification": bundle.verification, "heads": heads}
                send({"ok": True, **told, "score": {"dtype": bundle.manifest.score.dtype}})
            case "score":
                scores += 1
                score(bundle, body, fault, scores)
            case "pack":
                pack(bundle, body, fault)
            case "bye":
                send({"ok": True})
                return


def score(bundle, body: bytes, fault: str, scores: int) -> None:
    if scores == 3:
        if fault == "crash":
            print("planted: the testee leaves", file=sys.stderr, flush=True)
            os._exit(7)
        if fault == "signal":
            os.kill(os.getpid(), 9)
        if fault == "hang":
            time.sleep(3600)
        if fault == "chatter":
            print("INFO an innocent line of a library", flush=True)
        if fault == "cut":
            sys.stdout.buffer.write(struct.pack("<I", 1000) + b'{"ok"')
            sys.stdout.buffer.flush()
            os._exit(0)
    try:
        answer = bundle.score(body)
    except ScoringError as error:
        told = refusal(error)
        if fault == "wrong_code":
            told["code"] = "invalid_request" if told["code"] != "invalid_request" else "invalid_json"
        if fault == "wrong_candidate":
            told["candidate"] = 12345
        send(told)
        return
    columns = [np.array(values) for values in (*answer.heads.values(), answer.score)]
    if fault == "flipped_bit" and answer.n:
        columns[0].view(f"u{columns[0].dtype.itemsize}")[answer.n - 1] ^= 1
    data = b"".join(column.tobytes() for column in columns)
    order = [int(index) for index in answer.order]
    if fault == "reversed_order":
        order.reverse()
    if fault == "short_body" and answer.n:
        data = data[:-4]
    send({"ok": True, "n": answer.n, "order": order, "dropped": [int(index) for index in answer.dropped]}, data)


def pack(bundle, body: bytes, fault: str) -> None:
    try:
        blocks = {name: np.array(block) for name, block in bundle.pack(body).items()}
    except ScoringError as error:
        send(refusal(error))
        return
    if fault == "wrong_pack":
        first = next(iter(blocks.values()))
        first.flat[0] = first.flat[0] + 1
    inputs = [{"name": name, "dtype": block.dtype.name, "shape": list(block.shape)} for name, block in blocks.items()]
    send({"ok": True, "n": 0, "inputs": inputs}, b"".join(block.tobytes() for block in blocks.values()))


if __name__ == "__main__":
    main(sys.argv[1])
