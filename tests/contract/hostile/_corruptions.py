"""Random corruptions of a bundle, as corruptions.md says: the same ones in every language that follows it."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MASK = 2**64 - 1
MODEL, MANIFEST, DIGEST = "model.onnx", "manifest.json", "manifest.sha256"
TOKENS = (b"null", b"-1", b"0", b"1e999", b'"x"', b"[]", b"{}", b"true", b"01", b"9223372036854775808", b'"\\ud800"')
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
NESTING = 12

Field = tuple[int, int, int, int, int]
"""Where a field's tag, value and end are, its number and its wire type; bytes begin after their length."""


@dataclass
class Corruption:
    """What differs from the bundle: new bytes by path (None: removed), empty folders, links by path."""

    what: str = ""
    files: dict[str, bytes | None] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    symlinks: dict[str, str] = field(default_factory=dict)
    hardlinks: dict[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """SHA-256 over everything that differs."""
        digest = hashlib.sha256()

        def add(kind: str, path: str, content: bytes) -> None:
            digest.update(f"{kind} {path} {len(content)}\n".encode() + content)

        for path, content in sorted(self.files.items()):
            add("gone" if content is None else "file", path, content or b"")
        for path in self.folders:
            add("folder", path, b"")
        for kind, links in (("symlink", self.symlinks), ("hardlink", self.hardlinks)):
            for path, target in links.items():
                add(kind, path, target.encode())
        return digest.hexdigest()


class Random:
    """SplitMix64 (Steele, Lea, Flood 2014)."""

    def __init__(self, seed: int, case: int) -> None:
        self._state = (seed << 32 | case) & MASK

    def next(self) -> int:
        """64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & MASK
        z = self._state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return z ^ z >> 31

    def below(self, bound: int) -> int:
        """A number from 0 to ``bound`` - 1."""
        return (self.next() >> 1) % bound

    def bytes(self, count: int) -> bytes:
        """So many bytes, one draw each."""
        return bytes(self.next() & 0xFF for _ in range(count))


class Sandbox:
    """A copy of a bundle in a folder of its own; a corruption is applied to what differs only, and taken back."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        self.root = folder / bundle.parent.name / bundle.name
        self.files = {
            path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()
        }
        for path, content in self.files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(content)

    @contextmanager
    def applied(self, corruption: Corruption) -> Iterator[Path]:
        """The spoiled bundle."""
        for path, content in corruption.files.items():
            if content is None:
                (self.root / path).unlink()
            else:
                (self.root / path).write_bytes(content)
        for path in corruption.folders:
            (self.root / path).mkdir()
        for path, target in corruption.symlinks.items():
            (self.root / path).symlink_to(target)
        for path, target in corruption.hardlinks.items():
            os.link(self.root / target, self.root / path)
        try:
            yield self.root
        finally:
            self._restore(corruption)

    def _restore(self, corruption: Corruption) -> None:
        for path in corruption.folders:
            shutil.rmtree(self.root / path)
        for path in (*corruption.symlinks, *corruption.hardlinks):
            (self.root / path).unlink()
        for path in corruption.files:
            if path in self.files:
                (self.root / path).write_bytes(self.files[path])
            else:
                (self.root / path).unlink()


def corrupt(files: Mapping[str, bytes], seed: int, case: int, *, resealed: bool) -> Corruption:
    """Corruption number ``case``. With ``resealed`` the digests fit again, so that it reaches later phases."""
    random = Random(seed, case)
    paths = sorted(files)
    roll = random.below(10)
    if roll == 9:
        return _tree(random, files, paths)
    if roll < 4:
        path = MODEL
    elif roll < 6:
        path = MANIFEST
    elif roll < 8:
        path = paths[random.below(len(paths))]
    else:
        path = ("goldens/rankings.jsonl", "goldens/requests.jsonl")[random.below(2)]
    old = files[path]
    structured = random.below(2) == 0
    if structured and path.endswith((".onnx", ".pb")):
        what, new = _proto(random, old)
    elif structured and path.endswith((".json", ".jsonl")):
        what, new = _lines(random, old)
    else:
        what, new = _bytes(random, old)
    if new == old:
        what, new = f"{what} without effect, so a byte more", old + b"\0"
    found = Corruption(f"{path}: {what}", {path: new})
    if resealed and path != DIGEST:
        _reseal(found, files, path, new)
    return found


def _reseal(found: Corruption, files: Mapping[str, bytes], path: str, new: bytes) -> None:
    manifest = files[MANIFEST]
    if path == MANIFEST:
        manifest = new
    else:
        entry = manifest.index(b'"%s": {' % path.encode(), manifest.index(b'"files": {'))
        at = manifest.index(b'"sha256": "', entry) + len(b'"sha256": "')
        manifest = manifest[:at] + hashlib.sha256(new).hexdigest().encode() + manifest[at + 64 :]
        at = manifest.index(b'"size": ', entry) + len(b'"size": ')
        end = at
        while manifest[end : end + 1].isdigit():
            end += 1
        manifest = manifest[:at] + b"%d" % len(new) + manifest[end:]
    found.files[MANIFEST] = manifest
    found.files[DIGEST] = hashlib.sha256(manifest).hexdigest().encode() + b"\n"


def _tree(random: Random, files: Mapping[str, bytes], paths: list[str]) -> Corruption:
    kind = random.below(7)
    path = paths[random.below(len(paths))]
    other = paths[random.below(len(paths))]
    if kind == 0:
        return Corruption(f"{path}: removed", {path: None})
    if kind == 1:
        if files[path] == files[other]:
            return Corruption(f"{path}: a byte more", {path: files[path] + b"\0"})
        return Corruption(f"{path}: swapped with {other}", {path: files[other], other: files[path]})
    if kind == 2:
        return Corruption("a file more", {f"{path}.extra": files[other]})
    if kind == 3:
        return Corruption("an empty folder", folders=["extra"])
    if kind == 4:
        return Corruption(f"{path}: a folder", {path: None}, folders=[path])
    if kind == 5:
        return Corruption(f"{path}: a symbolic link", {path: None}, symlinks={path: f"../../elsewhere/{path}"})
    return Corruption(f"{path}: a second name", hardlinks={f"{path}.link": path})


def _bytes(random: Random, old: bytes) -> tuple[str, bytes]:
    kind = random.below(6)
    if not old:
        return "insert", random.bytes(1 + random.below(8))
    new = bytearray(old)
    if kind == 0:
        for _ in range(1 + random.below(3)):
            at = random.below(len(new))
            new[at] ^= 1 << random.below(8)
        return "flip bits", bytes(new)
    at = random.below(len(new))
    if kind == 1:
        new[at] ^= 1 + random.below(255)
        return f"set byte {at}", bytes(new)
    if kind == 2:
        return f"keep {at} bytes", bytes(new[:at])
    if kind == 3:
        new[at:at] = random.bytes(1 + random.below(8))
        return f"insert at {at}", bytes(new)
    count = 1 + random.below(16)
    if kind == 4:
        del new[at : at + count]
        return f"delete at {at}", bytes(new)
    to = random.below(len(new) + 1)
    new[to:to] = old[at : at + count]
    return f"copy {at} to {to}", bytes(new)


def _lines(random: Random, old: bytes) -> tuple[str, bytes]:
    lines = old.split(b"\n")
    kind, at = random.below(5), random.below(len(lines))
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[at])
    elif kind == 2:
        to = (at + 1) % len(lines)
        lines[at], lines[to] = lines[to], lines[at]
    elif kind == 3:
        line, token = lines[at], TOKENS[random.below(len(TOKENS))]
        colon = line.rfind(b": ")
        lines[at] = line[: colon + 2 if colon >= 0 else 0] + token + (b"," if line.endswith(b",") else b"")
    else:
        lines.insert(at, (b'"x-added": 1,', b'"added": 1,')[random.below(2)])
    return f"line {at + 1} changed in way {kind}", b"\n".join(lines)


def _proto(random: Random, old: bytes) -> tuple[str, bytes]:
    found = scan(old, 0, len(old))
    if not found:
        return _bytes(random, old)
    begin, end = 0, len(old)
    parents: list[tuple[int, int, Field]] = []
    while True:
        at = random.below(len(found))
        chosen = found[at]
        _, value, stop, _, wire = chosen
        inner = scan(old, value, stop) if wire == BYTES and len(parents) < NESTING and random.below(4) else None
        if not inner:
            break
        parents.append((begin, end, chosen))
        begin, end, found = value, stop, inner
    kind = random.below(7)
    new = _message(random, old, found, at, kind)
    for start, stop, (tag, _, last, number, _) in reversed(parents):
        new = old[start:tag] + varint(number << 3 | BYTES) + varint(len(new)) + new + old[last:stop]
    return f"field {chosen[3]} {len(parents)} deep changed in way {kind}", new


def _message(random: Random, old: bytes, fields: list[Field], at: int, kind: int) -> bytes:
    """The message of these fields, with the one at ``at`` changed."""
    parts = [old[tag:last] for tag, _, last, _, _ in fields]
    _, value, last, number, wire = fields[at]
    if kind == 0:
        parts.insert(at, parts[at])
    elif kind == 1:
        del parts[at]
    elif kind == 2:
        parts.append(parts.pop(at))
    elif kind == 3:
        tag_end = value_begin(old, fields[at])
        parts[at] = varint((1 + random.below(30)) << 3 | wire) + old[tag_end:last]
    elif kind == 4:
        parts[at] = varint(number << 3 | wire) + _value(random, old[value:last], wire)
    elif kind == 5:
        parts.insert(at, varint((1 + random.below(200)) << 3) + varint(random.below(1000)))
    else:
        to = (at + 1) % len(parts)
        parts[at], parts[to] = parts[to], parts[at]
    return b"".join(parts)


def _value(random: Random, old: bytes, wire: int) -> bytes:
    if wire == BYTES:
        kept = random.below(len(old) + 1)
        return varint(kept) + old[:kept]
    if wire != VARINT:
        return random.bytes(len(old))
    number, _ = read_varint(old, 0, len(old))
    kind = random.below(6)
    if kind == 5:
        return old[:-1] + bytes([old[-1] | 0x80, 0])
    other = random.next() if kind == 4 else (0, number + 1, number + 2**32, 2**63)[kind]
    return varint(other & MASK)


def varint(value: int) -> bytes:
    """An unsigned number of at most 64 bits."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of at most ten bytes and where the next byte is; -1 if there is none."""
    value = 0
    for index in range(10):
        if at + index >= end:
            return 0, -1
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & MASK, at + index + 1
    return 0, -1


def value_begin(data: bytes, found: Field) -> int:
    """Where the tag of a field ends."""
    return read_varint(data, found[0], found[2])[1]


def scan(data: bytes, at: int, end: int) -> list[Field]:
    """The fields of a message, none if it is no message."""
    found: list[Field] = []
    while at < end:
        start = at
        tag, at = read_varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        if at < 0 or not 0 < number < 2**29:
            return []
        value = at
        if wire == VARINT:
            at = read_varint(data, at, end)[1]
        elif wire == BYTES:
            length, value = read_varint(data, at, end)
            at = value + length if 0 <= value <= end - length else -1
        elif wire in (FIXED64, FIXED32):
            at += 8 if wire == FIXED64 else 4
        else:
            return []
        if not 0 <= at <= end:
            return []
        found.append((start, value, at, number, wire))
    return found
