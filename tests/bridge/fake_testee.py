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

from twinrank.bridge._scorer import packed_digest
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

BATCH_FAULTS = {
    "batch_none": "answers batches honestly",
    "batch_flipped_bit": "flips the last bit of the first value of the first batch",
    "batch_wrong_pack": "tells another digest of the first request's packed blocks",
    "batch_swapped": "tells the digests of the packed blocks in reverse",
    "batch_few_counts": "counts one request too few",
    "batch_nan_count": "says NaN for the first count",
    "batch_float_count": "says counts as floats",
    "batch_negative_count": "says -2 for the first count",
    "batch_huge_count": "says 2^31 for the first count",
    "batch_negative_ranked": "says that -1 candidates are ranked",
    "batch_all_dropped": "drops every candidate that it ranks, too",
    "batch_short_body": "sends one byte too few",
    "batch_long_body": "sends one byte too many",
    "batch_no_body": "sends no body",
    "batch_error_outside": "names an error of a request that was not sent",
    "batch_error_twice": "names the first error twice",
    "batch_error_missing": "leaves the last error out",
    "batch_errors_reordered": "names the errors in reverse",
    "batch_error_untyped": "says a number as an error's code",
    "batch_order_outside": "ranks a candidate that there is not",
    "batch_refused": "says that it cannot",
    "batch_deep": "answers with a header of 100,000 nested lists",
}
"""A testee with one of these lists score_batch among its operations."""


DEEP = "deep"
"""Stands for lists that json cannot write."""


def take(count: int) -> bytes:
    data = sys.stdin.buffer.read(count)
    if len(data) != count:
        sys.exit(0)
    return data


def receive() -> tuple[dict, bytes]:
    header = json.loads(take(struct.unpack("<I", take(4))[0]))
    return header, take(struct.unpack("<I", take(4))[0])


def send(header: dict, body: bytes = b"") -> None:
    text = json.dumps(header).replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000).encode()
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
                if fault in BATCH_FAULTS:
                    facts["ops"] = ["hello", "load", "score", "score_batch", "pack", "bye"]
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
            case "score_batch":
                told, data = spoiled(fault, *batch(bundle, body))
                send(told, data)
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


def batch(bundle, body: bytes) -> tuple[dict, bytes]:
    """The honest answer to a batch."""
    told: dict = {"ok": True, "n": [], "ranked": [], "dropped": [], "errors": []}
    columns: list[list[bytes]] = [[] for _ in range(len(bundle.heads) + 1)]
    orders, drops, digests = b"", b"", b""
    at = 0
    while at < len(body):
        (length,) = struct.unpack_from("<I", body, at)
        raw = body[at + 4 : at + 4 + length]
        at += 4 + length
        try:
            answer = bundle.score(raw)
        except ScoringError as error:
            entry = {name: value for name, value in refusal(error).items() if name in ("code", "feature", "candidate")}
            told["errors"].append({"request": len(told["n"]), **entry})
            n, order, dropped, digest = -1, (), (), 0
        else:
            n, order, dropped, digest = answer.n, answer.order, answer.dropped, packed_digest(bundle.pack(raw))
            for column, values in zip(columns, (*answer.heads.values(), answer.score), strict=True):
                column.append(np.array(values).tobytes())
        told["n"].append(n)
        told["ranked"].append(len(order))
        told["dropped"].append(len(dropped))
        orders += np.array(order, "<i4").tobytes()
        drops += np.array(dropped, "<i4").tobytes()
        digests += struct.pack("<Q", digest)
    return told, b"".join(b"".join(column) for column in columns) + orders + drops + digests


def spoiled(fault: str, told: dict, data: bytes) -> tuple[dict, bytes]:
    """An honest answer to a batch with the fault planted."""
    n, ranked, dropped, errors = told["n"], told["ranked"], told["dropped"], told["errors"]
    indices = 4 * (sum(ranked) + sum(dropped))
    digests = len(data) - 8 * len(n)
    match fault:
        case "batch_flipped_bit":
            data = bytes([data[0] ^ 1]) + data[1:]
        case "batch_wrong_pack":
            first = digests + 8 * next(index for index, size in enumerate(n) if size >= 0)
            data = data[:first] + bytes([data[first] ^ 1]) + data[first + 1 :]
        case "batch_swapped":
            data = data[:digests] + np.frombuffer(data, "<u8", offset=digests)[::-1].tobytes()
        case "batch_few_counts":
            told["n"] = n[:-1]
        case "batch_nan_count":
            n[0] = float("nan")
        case "batch_float_count":
            told["n"] = [float(size) for size in n]
        case "batch_negative_count":
            n[0] = -2
        case "batch_huge_count":
            n[0] = 2**31
        case "batch_negative_ranked":
            ranked[0] = -1
        case "batch_all_dropped":
            told["dropped"] = [size + 1 for size in ranked]
        case "batch_short_body":
            data = data[:-1]
        case "batch_long_body":
            data += b"\0"
        case "batch_no_body":
            data = b""
        case "batch_error_outside" if errors:
            errors[0]["request"] = len(n)
        case "batch_error_twice" if errors:
            errors.insert(0, errors[0])
        case "batch_error_missing" if errors:
            errors.pop()
        case "batch_errors_reordered":
            errors.reverse()
        case "batch_error_untyped" if errors:
            errors[0]["code"] = 7
        case "batch_order_outside":
            data = data[: digests - indices] + struct.pack("<i", 10**6) + data[digests - indices + 4 :]
        case "batch_refused":
            return {"ok": False, "family": "protocol", "code": "internal_error", "message": "planted"}, b""
        case "batch_deep":
            return {"ok": True, "n": DEEP}, b""
    return told, data


if __name__ == "__main__":
    main(sys.argv[1])
