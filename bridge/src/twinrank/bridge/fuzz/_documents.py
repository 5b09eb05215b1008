"""A request in pieces, and how pieces become bytes: in the usual form, or spelled in another legal way."""

from __future__ import annotations

from dataclasses import dataclass

from twinrank.bridge.fuzz._sources import Source
from twinrank.bridge.fuzz._values import escaped

_SPACES: tuple[bytes, ...] = (b" ", b"\t", b"\r", b"\n", b"  ", b"\r\n", b" \t \r\n ")


@dataclass
class Document:
    """The pieces of a request. Objects are lists of members, `"name":value`, in document order.

    Attributes:
        context: members of the context.
        candidates: members of each candidate; bytes stand for an element that is no object.
        k: the text of `k`; None where it is absent.
        columnar: whether candidates are written as columns. What is absent is then null, and an element that is no
            object stands in the first column.
        odd: which column is odd and how, both any number; None where none is.
        top: texts of the top level's members in document order, `context`, `candidates` and `k` standing for the above.
    """

    context: list[bytes] | bytes
    candidates: list[list[bytes] | bytes] | bytes
    k: bytes | None = None
    columnar: bool = False
    odd: tuple[int, int] | None = None
    top: tuple[bytes, ...] = (b"context", b"candidates", b"k")

    def members(self) -> list[bytes]:
        """Return the top level's members."""
        made: list[bytes] = []
        for name in self.top:
            if name == b"context":
                made.append(b'"context":' + written(self.context))
            elif name == b"candidates":
                made.append(b'"candidates":' + self._listed())
            elif name != b"k":
                made.append(name)
            elif self.k is not None:
                made.append(b'"k":' + self.k)
        return made

    def to_bytes(self) -> bytes:
        """Return the request without white space."""
        return b"{" + b",".join(self.members()) + b"}"

    def _listed(self) -> bytes:
        if isinstance(self.candidates, bytes):
            return self.candidates
        if self.columnar:
            return written(self.columns(b","))
        return b"[" + b",".join([written(candidate) for candidate in self.candidates]) + b"]"

    def columns(self, comma: bytes) -> list[bytes]:
        """Return the members of the candidates as columns.

        Args:
            comma: what stands between two elements.
        """
        rows = [] if isinstance(self.candidates, bytes) else self.candidates
        columns: list[tuple[bytes, list[bytes]]] = []
        for at, row in enumerate(rows):
            for member in [b'"":' + row] if isinstance(row, bytes) else row:
                name, _, value = member.partition(b'":')
                name = columns[0][0] if isinstance(row, bytes) and columns else name + b'"'
                # A name twice in a row makes a column twice.
                column = next((each for known, each in columns if known == name and len(each) <= at), None)
                if column is None:
                    column = []
                    columns.append((name, column))
                column += [b"null"] * (at - len(column))
                column.append(value)
        made = []
        for number, (name, column) in enumerate(columns):
            column += [b"null"] * (len(rows) - len(column))
            text = b"[" + comma.join(column) + b"]"
            if self.odd is not None and number == self.odd[0] % len(columns):
                text = _odd(column, self.odd[1], comma)
            made.append(name + b":" + text)
        return made


def _odd(column: list[bytes], kind: int, comma: bytes) -> bytes:
    """Return a column's text that is no array, or one of another length."""
    texts: tuple[list[bytes] | bytes, ...] = (
        column[:-1],
        column[: len(column) // 2],
        [*column, b"null"],
        [*column, rb'"\ud800"'],
        [*column, *column],
        [],
        b"null",
        b"{}",
        b"7",
        b'"NaN"',
    )
    text = texts[kind % len(texts)]
    return text if isinstance(text, bytes) else b"[" + comma.join(text) + b"]"


def written(members: list[bytes] | bytes) -> bytes:
    """Return an object's text; a text stays what it is."""
    return members if isinstance(members, bytes) else b"{" + b",".join(members) + b"}"


def respelled(document: Document, source: Source) -> bytes:
    """Return the request with the same meaning in another form: order of members, white space, escaped names."""
    kind = source.below(8)
    if kind != 1:
        document.top = tuple(shuffled(list(document.top), source))
    if kind in (0, 2, 3):
        if isinstance(document.context, list):
            document.context = shuffled(document.context, source)
        if isinstance(document.candidates, list):
            document.candidates = [
                shuffled(candidate, source) if isinstance(candidate, list) else candidate
                for candidate in document.candidates
            ]
    if kind == 4:
        if isinstance(document.context, list):
            document.context = [_escaped_name(member, source) for member in document.context]
        return b"{" + b",".join([_escaped_name(member, source) for member in document.members()]) + b"}"
    if kind >= 5:
        return _spaced(document, source)
    return document.to_bytes()


def shuffled(items: list[bytes], source: Source) -> list[bytes]:
    """Return the items in a drawn order."""
    left = list(items)
    return [left.pop(source.below(len(left))) for _ in range(len(left))]


def _escaped_name(member: bytes, source: Source) -> bytes:
    name, colon, value = member.partition(b'":')
    plain = name[1:].isascii() and b"\\" not in name and colon
    return escaped(name[1:].decode(), source.below(2) == 1) + b":" + value if plain else member


def _spaced(document: Document, source: Source) -> bytes:
    space = _SPACES[source.below(len(_SPACES))]
    comma = space + b"," + space

    def object_of(members: list[bytes] | bytes) -> bytes:
        if isinstance(members, bytes):
            return members
        return b"{" + space + comma.join([_wide(member, space) for member in members]) + space + b"}"

    context, candidates = object_of(document.context), document.candidates
    if document.columnar and not isinstance(candidates, bytes):
        candidates = object_of(document.columns(comma))
    if not isinstance(candidates, bytes):
        candidates = b"[" + space + comma.join([object_of(candidate) for candidate in candidates]) + space + b"]"
    spaced = Document(context, candidates, document.k, top=document.top)
    inner = comma.join([_wide(member, space) for member in spaced.members()])
    return space + b"{" + space + inner + space + b"}" + space


def _wide(member: bytes, space: bytes) -> bytes:
    name, colon, value = member.partition(b'":')
    return name + b'"' + space + b":" + space + value if colon else member
