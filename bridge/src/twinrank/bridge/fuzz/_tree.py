"""JSON text as a tree that loses nothing: literals, escapes, order and doubled names stay as they were written.

What is nearly JSON has a tree too: half a request, one with a second one behind it, one with a word that is no literal.
Only texts that nest too deeply have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

MAX_DEPTH = 100
"""Texts that nest deeper are not read as trees: no reader takes them, and reading them here would recurse as deep."""

Path = tuple[int, ...]
"""Where a node is: positions from the root."""

SPACES = b" \t\r\n"
STRING = rb'"(?:[^"\\]|\\.)*"'
# Whatever is neither structure nor a string, strings too, a last one that does not end; or nothing at all.
_LEAF = re.compile(STRING + rb'|"(?:[^"\\]|\\.)*\\?\Z|[^][{},:"]+', re.DOTALL)
_OPEN = re.compile(rb"[ \t\r\n]*[\[{][ \t\r\n]*")
_CLOSE = re.compile(rb"[ \t\r\n]*[\]}][ \t\r\n]*")


@dataclass(frozen=True)
class Leaf:
    """A literal, or whatever stands in its place; maybe empty."""

    text: bytes

    def __bytes__(self) -> bytes:
        """Return its text."""
        return self.text


@dataclass(frozen=True)
class Branch:
    """An array or an object, or the text as a whole where it is no single value.

    Attributes:
        opened: the opening bracket, with its white space; empty for the text as a whole.
        items: what it holds.
        names: for an object the members' names with their colons, as many as items, empty where there is none; None
            for an array.
        closed: the closing bracket; empty where the text ends before it.
        comma: what stands between two items.
    """

    opened: bytes
    items: tuple[Leaf | Branch, ...]
    names: tuple[bytes, ...] | None
    closed: bytes
    comma: bytes = b","

    def __bytes__(self) -> bytes:
        """Return its text."""
        return b"".join(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        yield self.opened
        for at, item in enumerate(self.items):
            if at:
                yield self.comma
            if self.names is not None:
                yield self.names[at]
            if isinstance(item, Leaf):
                yield item.text
            else:
                yield from item._pieces()
        yield self.closed

    def keep(self, positions: list[int]) -> Branch:
        """Return the branch with these items only."""
        names = None if self.names is None else tuple(self.names[at] for at in positions)
        return replace(self, items=tuple(self.items[at] for at in positions), names=names)

    def named(self, name: bytes) -> int | None:
        """Return where the member of that quoted name is; None if there is none, or this is an array."""
        for at, given in enumerate(self.names or ()):
            if given.strip(SPACES + b":") == name:
                return at
        return None


Node = Leaf | Branch


def parse(raw: bytes, *, space: bool) -> Node | None:
    """Return the tree of a text, or None if it nests deeper than `MAX_DEPTH`.

    Args:
        raw: the text.
        space: whether white space around tokens stays.
    """
    values: list[Node] = []
    at = 0
    while at < len(raw):
        node, end = _value(raw, at, 0)
        if node is None:
            return None
        if end == at:
            # A comma, a colon or a closing bracket that belongs to nothing.
            node, end = Leaf(raw[at : at + 1]), at + 1
        values.append(node)
        at = end
    whole = values[0] if len(values) == 1 else Branch(b"", tuple(values), None, b"", b"")
    return whole if space else _dense(whole)


def replaced(tree: Node, edits: Mapping[Path, Node]) -> Node:
    """Return the tree with the nodes at some paths replaced; of two paths, one in the other, the outer counts."""
    if not edits:
        return tree
    if () in edits:
        return edits[()]
    if isinstance(tree, Leaf):
        return tree
    below: dict[int, dict[Path, Node]] = {}
    for path, node in edits.items():
        below.setdefault(path[0], {})[path[1:]] = node
    items = list(tree.items)
    for at, inner in below.items():
        items[at] = replaced(items[at], inner)
    return replace(tree, items=tuple(items))


def nodes(tree: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Yield every node with its path, parents first."""
    yield path, tree
    if isinstance(tree, Branch):
        for at, item in enumerate(tree.items):
            yield from nodes(item, (*path, at))


def _value(raw: bytes, at: int, depth: int) -> tuple[Node | None, int]:
    opened = _OPEN.match(raw, at)
    if opened is None:
        end = _leaf_end(raw, at)
        return Leaf(raw[at:end]), end
    if depth >= MAX_DEPTH:
        return None, at
    at = opened.end()
    is_object = b"{" in opened.group()
    items: list[Node] = []
    names: list[bytes] = []
    closed = _CLOSE.match(raw, at)
    while closed is None:
        if is_object:
            end = _leaf_end(raw, at)
            end = end + 1 if raw[end : end + 1] == b":" else at
            names.append(raw[at:end])
            at = end
        item, at = _value(raw, at, depth + 1)
        if item is None:
            return None, at
        items.append(item)
        closed = _CLOSE.match(raw, at)
        if closed is None:
            if raw[at : at + 1] != b",":
                # No comma: the text ends, or what follows is no part of this.
                break
            at += 1
    text, end = (b"", at) if closed is None else (closed.group(), closed.end())
    return Branch(opened.group(), tuple(items), tuple(names) if is_object else None, text), end


def _leaf_end(raw: bytes, at: int) -> int:
    while (found := _LEAF.match(raw, at)) is not None:
        at = found.end()
    return at


def _dense(node: Node) -> Node:
    bare = dense(node)
    return bare if isinstance(bare, Leaf) else replace(bare, items=tuple(map(_dense, bare.items)))


def dense(node: Node) -> Node:
    """Return a node without white space around its own tokens; what it holds stays."""
    if isinstance(node, Leaf):
        return Leaf(node.text.strip(SPACES))
    names = None if node.names is None else tuple(_dense_name(name) for name in node.names)
    return replace(node, opened=node.opened.strip(SPACES), names=names, closed=node.closed.strip(SPACES))


def _dense_name(name: bytes) -> bytes:
    return name[:-1].strip(SPACES) + b":" if name.endswith(b":") else name
