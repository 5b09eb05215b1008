"""The ways in which a request becomes smaller, each tried in batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from twinrank.bridge.fuzz._search import Search, rank, shortest, together
from twinrank.bridge.fuzz._tree import SPACES, STRING, Branch, Leaf, Node, Path, dense, nodes, replaced
from twinrank.training.schema import Feature, Schema

_UNIT = re.compile(rb"\\u[0-9a-fA-F]{4}|\\.|[\x00-\x7f]|[\xc2-\xf4][\x80-\xbf]+|.", re.DOTALL)
_SIMPLE = tuple(Leaf(text) for text in (b"0", b"1", b"-0", b"-1", b'""', b"[]", b"{}", b"null", b"true"))
_PLAIN = b"0"
_MANY = 4096
_HOISTS = 512


def reduce_tree(tree: Node, schema: Schema | None, search: Search) -> None:
    """Make a JSON request smaller, from its largest parts to its characters.

    Args:
        tree: the request; it differs.
        schema: the bundle's schema, if known.
        search: asks, and remembers the best.
    """
    tree = _fewer_candidates(tree, search)
    tree = _fewer_features(tree, search)
    tree = _shorter_columns(tree, search)
    tree = _shorter_groups(tree, schema, search)
    tree = _simpler_values(tree, schema, search)
    tree = _hoisted(tree, search)
    tree = _fewer_items(tree, search)
    tree = _shorter_literals(tree, search)
    tree = _shorter_names(tree, search)
    _denser(tree, search)


def reduce_bytes(raw: bytes, search: Search) -> None:
    """Make what is no JSON smaller: by its tokens, by its characters, and by plainer characters.

    Args:
        raw: the request; it differs.
        search: asks, and remembers the best.
    """
    tokens = re.findall(STRING + rb"|[0-9.eE+-]+|[a-zA-Z]+|.", raw, re.DOTALL)
    if len(tokens) <= 16 * _MANY:
        raw = _fewer_pieces(tokens, search)
    if len(raw) <= _MANY:
        raw = _fewer_pieces([raw[at : at + 1] for at in range(len(raw))], search)
    if len(raw) <= _MANY:
        _plainer([raw[at : at + 1] for at in range(len(raw))], b"".join, search)


def _fewer_pieces(pieces: Sequence[bytes], search: Search) -> bytes:
    def whole(some: Iterable[int]) -> bytes:
        return b"".join([pieces[at] for at in some])

    return whole(shortest(len(pieces), whole, search))


# ---- whole objects


def _fewer_candidates(tree: Node, search: Search) -> Node:
    at = tree.named(b'"candidates"') if isinstance(tree, Branch) else None
    if at is None or not isinstance(tree, Branch) or not isinstance(tree.items[at], Branch):
        return tree
    return _kept(tree, (at,), search)


def _kept(tree: Node, path: Path, search: Search) -> Node:
    """Return the tree with as few items of one branch as still differ."""
    branch = _at(tree, path)
    if not isinstance(branch, Branch) or not branch.items:
        return tree
    kept = shortest(len(branch.items), lambda some: bytes(replaced(tree, {path: branch.keep(list(some))})), search)
    return replaced(tree, {path: branch.keep(kept)})


def _fewer_features(tree: Node, search: Search) -> Node:
    """Drop fields, each in all candidates at once."""
    if not isinstance(tree, Branch) or tree.names is None:
        return tree
    fields = sorted(
        {
            (len(path), name)
            for path, node in nodes(tree)
            if len(path) < 3 and isinstance(node, Branch)
            for name in node.names or ()
        }
    )

    def with_fields(kept: Iterable[int]) -> Node:
        return _filtered(tree, {fields[at] for at in kept}, 0)

    return with_fields(shortest(len(fields), lambda some: bytes(with_fields(some)), search))


def _filtered(node: Node, fields: set[tuple[int, bytes]], depth: int) -> Node:
    if isinstance(node, Leaf) or depth > 2:
        return node
    items = tuple(_filtered(item, fields, depth + 1) for item in node.items)
    made = replace(node, items=items)
    if node.names is None:
        return made
    return made.keep([at for at, name in enumerate(node.names) if (depth, name) in fields])


def _shorter_columns(tree: Node, search: Search) -> Node:
    """Drop the same candidates from all columns."""
    at = tree.named(b'"candidates"') if isinstance(tree, Branch) else None
    branch = None if at is None else _at(tree, (at,))
    if at is None or not isinstance(branch, Branch) or branch.names is None:
        return tree
    columns: dict[Path, Branch] = {
        (at, place): item for place, item in enumerate(branch.items) if isinstance(item, Branch)
    }
    length = min((len(item.items) for item in columns.values()), default=0)
    return _aligned(tree, columns, length, search) if length else tree


def _shorter_groups(tree: Node, schema: Schema | None, search: Search) -> Node:
    """Drop the same positions from all members of an aligned group."""
    if schema is None:
        return tree
    for placement in ("context", "candidate"):
        for group in schema.groups("context" if placement == "context" else "candidate").values():
            names = [b'"%b"' % member.name.encode() for member in group]
            for path, node in list(nodes(tree)):
                if search.over():
                    return tree
                if len(path) not in (1, 2) or not isinstance(node, Branch):
                    continue
                places = [at for name in names if (at := node.named(name)) is not None]
                if len(path) == (1 if placement == "context" else 2):
                    tree = _shorter_group(tree, [(*path, at) for at in places], search)
                elif placement == "candidate":
                    rows = max(
                        (len(item.items) for at in places if isinstance(item := node.items[at], Branch)), default=0
                    )
                    for row in range(rows):
                        tree = _shorter_group(tree, [(*path, at, row) for at in places], search)
    return tree


def _shorter_group(tree: Node, paths: Sequence[Path], search: Search) -> Node:
    lists = {path: item for path in paths if isinstance(item := _at(tree, path), Branch)}
    length = min((len(item.items) for item in lists.values()), default=0)
    return _aligned(tree, lists, length, search) if len(lists) > 1 and length else tree


def _aligned(tree: Node, lists: dict[Path, Branch], length: int, search: Search) -> Node:
    def cut(some: list[int]) -> Node:
        return replaced(
            tree, {path: item.keep([*some, *range(length, len(item.items))]) for path, item in lists.items()}
        )

    return cut(shortest(length, lambda some: bytes(cut(some)), search))


def _fewer_items(tree: Node, search: Search) -> Node:
    """Drop members and elements of whatever is left, outer ones first."""
    depth = 0
    while True:
        paths = [path for path, node in nodes(tree) if len(path) == depth and isinstance(node, Branch) and node.items]
        if not paths and not any(len(path) > depth for path, _ in nodes(tree)):
            return tree
        for path in paths:
            if search.over():
                return tree
            tree = _kept(tree, path, search)
        depth += 1


# ---- values


def _simpler_values(tree: Node, schema: Schema | None, search: Search) -> Node:
    """Put the simplest value in the place of every value at once, or of as many as keep the difference."""
    legal = (
        {} if schema is None else {b'"%b"' % feature.name.encode(): _simplest(feature) for feature in schema.features}
    )
    for simple in (None, *_SIMPLE):
        edits: list[tuple[Path, Node]] = []
        for path, node in nodes(tree):
            value = _legal_at(tree, path, legal) if simple is None else simple
            if len(path) > 1 and value is not None and rank(bytes(value)) < rank(bytes(node)):
                edits.append((path, value))
        tree = _edited(tree, edits, search)
    return tree


def _hoisted(tree: Node, search: Search) -> Node:
    """Put what a branch holds in its place, as long as that makes the request smaller."""
    while (better := _hoisted_once(tree, search)) is not tree:
        tree = better
    return tree


def _hoisted_once(tree: Node, search: Search) -> Node:
    edits = [(path, item) for path, node in nodes(tree) if isinstance(node, Branch) for item in node.items]

    def made(number: int) -> Node:
        return replaced(tree, dict([edits[number]]))

    alone = search.ask(min(len(edits), _HOISTS), lambda number: bytes(made(number)))
    return min(
        (made(number) for number, yes in enumerate(alone) if yes), key=lambda node: rank(bytes(node)), default=tree
    )


def _legal_at(tree: Node, path: Path, legal: dict[bytes, Leaf]) -> Leaf | None:
    """Return the simplest legal value in a feature's place; None elsewhere."""
    if len(path) not in (2, 3):
        return None
    parent = _at(tree, path[:-1])
    if len(path) == 3 and isinstance(parent, Branch) and parent.names is None:
        # An element of a column.
        path = path[:-1]
        parent = _at(tree, path[:-1])
    if not isinstance(parent, Branch) or parent.names is None:
        return None
    return legal.get(parent.names[path[-1]].strip(SPACES + b":"))


def simplest_values(schema: Schema | None) -> list[Leaf]:
    """Return values to put in others' places, the simplest first."""
    legal = () if schema is None else (_simplest(feature).text for feature in schema.features)
    return [Leaf(text) for text in sorted({*legal, *(leaf.text for leaf in _SIMPLE)}, key=rank)]


def _simplest(feature: Feature) -> Leaf:
    element = {"string": b'""', "bool": b"true"}.get(feature.dtype, b"0")
    if feature.vector is not None:
        return Leaf(b"[" + b",".join([element] * feature.vector.length) + b"]")
    return Leaf(b"[]" if feature.list is not None else element)


def _edited(tree: Node, edits: Sequence[tuple[Path, Node]], search: Search) -> Node:
    """Return the tree with as many edits as keep the difference together."""

    def made(some: Iterable[int]) -> Node:
        return replaced(tree, dict(edits[at] for at in some))

    alone = search.ask(len(edits), lambda at: bytes(made([at])))
    return made(together([at for at, yes in enumerate(alone) if yes], lambda some: bytes(made(some)), search))


# ---- characters


def _shorter_literals(tree: Node, search: Search) -> Node:
    for path, node in list(nodes(tree)):
        if search.over():
            break
        if isinstance(node, Leaf):
            tree = _shorter_leaf(tree, path, node, search)
    return tree


def _shorter_leaf(tree: Node, path: Path, leaf: Leaf, search: Search) -> Node:
    def with_text(text: bytes) -> Node:
        return replaced(tree, {path: Leaf(text)})

    return with_text(_shorter(leaf.text, lambda text: bytes(with_text(text)), search))


def _shorter_names(tree: Node, search: Search) -> Node:
    for path, node in list(nodes(tree)):
        if search.over():
            break
        for at in range(len((node.names if isinstance(node, Branch) else None) or ())):
            tree = _shorter_name(tree, path, at, search)
    return tree


def _shorter_name(tree: Node, path: Path, at: int, search: Search) -> Node:
    branch = _at(tree, path)
    if not isinstance(branch, Branch) or branch.names is None or not branch.names[at]:
        return tree
    names = branch.names

    def named(text: bytes) -> Node:
        changed = (*names[:at], text + b":", *names[at + 1 :])
        return replaced(tree, {path: replace(branch, names=changed)})

    return named(_shorter(names[at][:-1], lambda text: bytes(named(text)), search))


def _shorter(text: bytes, build: Callable[[bytes], bytes], search: Search) -> bytes:
    """Return a literal with as few and as plain characters as still differ."""
    bare = text.strip(SPACES)
    if bare != text and search.differs(build(bare)):
        text = bare
    first, last = text.find(b'"'), text.rfind(b'"')
    head, body, tail = (text[: first + 1], text[first + 1 : last], text[last:]) if first < last else (b"", text, b"")
    units = _UNIT.findall(body)

    def whole(pieces: Iterable[bytes]) -> bytes:
        return build(head + b"".join(pieces) + tail)

    kept = shortest(len(units), lambda some: whole([units[at] for at in some]), search)
    return head + b"".join(_plainer([units[at] for at in kept], whole, search)) + tail


def _plainer(units: Sequence[bytes], whole: Callable[[Iterable[bytes]], bytes], search: Search) -> list[bytes]:
    """Return the characters, escapes written out and as many as possible replaced by the plainest."""
    written = _with_each(units, _written_out, whole, search)
    return _with_each(written, lambda _: _PLAIN, whole, search)


def _with_each(
    units: Sequence[bytes], change: Callable[[bytes], bytes], whole: Callable[[Iterable[bytes]], bytes], search: Search
) -> list[bytes]:
    """Return the characters with a change made to each that it makes smaller and that still differs."""
    changes = [(at, simple) for at, unit in enumerate(units) if rank(simple := change(unit)) < rank(unit)]

    def changed(some: Iterable[int]) -> list[bytes]:
        new = dict(changes[number] for number in some)
        return [new.get(at, unit) for at, unit in enumerate(units)]

    alone = search.ask(len(changes), lambda number: whole(changed([number])))
    works = [number for number, yes in enumerate(alone) if yes]
    return changed(together(works, lambda some: whole(changed(some)), search))


def _written_out(unit: bytes) -> bytes:
    r"""Return the character that a `\u` escape stands for; any other unit stays."""
    if len(unit) != 6 or not unit.startswith(b"\\u"):
        return unit
    point = int(unit[2:], 16)
    plain = point >= 0x20 and not 0xD800 <= point <= 0xDFFF and chr(point) not in '"\\'
    return chr(point).encode() if plain else unit


def _denser(tree: Node, search: Search) -> Node:
    """Take the white space out of as many places as keep the difference."""
    edits: list[tuple[Path, Node]] = [(path, bare) for path, node in nodes(tree) if (bare := dense(node)) != node]
    return _edited(tree, edits, search)


def _at(tree: Node, path: Path) -> Node | None:
    for position in path:
        if isinstance(tree, Leaf) or position >= len(tree.items):
            return None
        tree = tree.items[position]
    return tree
