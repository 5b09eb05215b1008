"""JSON text as a tree that loses nothing: literals, escapes, order and doubled names stay as they were written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_DEPTH = 100
"""Texts that nest deeper are not read as trees: no reader takes them, and reading them here would recurse as deep."""

Path = tuple[int, ...]
"""Where a node is: positions from the root."""

_SPACE = rb"[ \t\r\n]*"
STRING = rb'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
NUMBER = rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_LEAF = re.compile(_SPACE + b"(?:" + STRING + b"|" + NUMBER + b"|true|false|null)" + _SPACE)
_NAME = re.compile(_SPACE + STRING + _SPACE + b":")
_OPEN = re.compile(_SPACE + rb"[\[{]" + _SPACE)
_CLOSE = re.compile(_SPACE + rb"[\]}]" + _SPACE)


@dataclass(frozen=True)
class Leaf:
    """A literal."""

    text: bytes

    def __bytes__(self) -> bytes:
        """Return its text."""
        return self.text


@dataclass(frozen=True)
class Branch:
    """An array or an object.

    Attributes:
        opened: the opening bracket, with its white space.
        items: what it holds.
        names: for an object the members' names with their colons, as many as items; None for an array.
        closed: the closing bracket.
    """

    opened: bytes
    items: tuple[Leaf | Branch, ...]
    names: tuple[bytes, ...] | None
    closed: bytes

    def __bytes__(self) -> bytes:
        """Return its text."""
        return b"".join(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        yield self.opened
        for at, item in enumerate(self.items):
            if at:
                yield b","
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
        return Branch(self.opened, tuple(self.items[at] for at in positions), names, self.closed)

    def named(self, name: bytes) -> int | None:
        """Return where the member of that quoted name is; None if there is none, or this is an array."""
        for at, given in enumerate(self.names or ()):
            if given.strip(b" \t\r\n:") == name:
                return at
        return None


Node = Leaf | Branch


def parse(raw: bytes, *, space: bool) -> Node | None:
    """Return the tree of a JSON text, or None for what is none.

    Args:
        raw: the text.
        space: whether white space between tokens stays.
    """
    node, at = _value(raw, 0, 0)
    if node is None or at != len(raw):
        return None
    return node if space else _dense(node)


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
    return Branch(tree.opened, tuple(items), tree.names, tree.closed)


def nodes(tree: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Yield every node with its path, parents first."""
    yield path, tree
    if isinstance(tree, Branch):
        for at, item in enumerate(tree.items):
            yield from nodes(item, (*path, at))


def _value(raw: bytes, at: int, depth: int) -> tuple[Node | None, int]:
    leaf = _LEAF.match(raw, at)
    if leaf is not None:
        return Leaf(leaf.group()), leaf.end()
    opened = _OPEN.match(raw, at)
    if opened is None or depth >= MAX_DEPTH:
        return None, at
    at = opened.end()
    is_object = b"{" in opened.group()
    end = b"}" if is_object else b"]"
    items: list[Node] = []
    names: list[bytes] = []
    closed = _CLOSE.match(raw, at)
    while closed is None:
        if is_object:
            name = _NAME.match(raw, at)
            if name is None:
                return None, at
            names.append(name.group())
            at = name.end()
        item, at = _value(raw, at, depth + 1)
        if item is None:
            return None, at
        items.append(item)
        closed = _CLOSE.match(raw, at)
        if closed is None:
            if raw[at : at + 1] != b",":
                return None, at
            at += 1
    if end not in closed.group():
        return None, at
    return Branch(opened.group(), tuple(items), tuple(names) if is_object else None, closed.group()), closed.end()


def _dense(node: Node) -> Node:
    if isinstance(node, Leaf):
        return Leaf(node.text.strip(b" \t\r\n"))
    names = (
        None
        if node.names is None
        else tuple(name[: name.rindex(b'"') + 1].strip(b" \t\r\n") + b":" for name in node.names)
    )
    return Branch(node.opened.strip(), tuple(map(_dense, node.items)), names, node.closed.strip())
