"""One slate graph out of two halves: blocks in, heads and score out, nothing in it that a scorer does not need."""

from collections.abc import Iterator, Mapping, Sequence

import onnx
from onnx import helper

from twinrank.export.bundle import is_stub
from twinrank.export.graph._errors import ExportError
from twinrank.training.schema import Packing
from twinrank.training.transforms import EncodedSpec

SCORE = "score"
CANDIDATES = "n"
"""The symbol of the candidate axis."""
_UNSEEN = "unseen."
_TREES = "ai.onnx.ml"
_DOMAIN_ORDER = ("", "ai.onnx.ml")


def unseen_names(front: onnx.ModelProto) -> tuple[str, ...]:
    """The front half's outputs that count unseen values, in the order in which a slate graph has them."""
    return tuple(value.name for value in front.graph.output if value.name.startswith(_UNSEEN))


def output_name(head: str) -> str:
    """The graph's output that holds a head, or the score."""
    return SCORE if head == SCORE else f"head.{head}"


def compose(
    front: onnx.ModelProto,
    back: onnx.ModelProto,
    packing: Packing,
    specs: Sequence[EncodedSpec],
    outputs: Sequence[str],
) -> onnx.ModelProto:
    """The slate graph: the packing's blocks to ``head.<name>``, ``score`` and the front half's ``unseen.*``.

    Every name in it is made here from positions and operators, and metadata is dropped, so the same two halves give the
    same bytes whatever machine, folder or process they come from.

    Args:
        front: blocks to ``encoded.<name>``.
        back: the encoded tensors to the outputs, in the order of ``specs`` and ``outputs``; its own names mean nothing.
        packing: the inputs, which all stay, used or not.
        specs: the encoded tensors, the back half's inputs.
        outputs: the heads, the score last; of the types that the back half gives them.
    """
    graph = onnx.GraphProto(name="slate")
    renamed = _append(graph, front.graph, "front", {block.name: block.name for block in packing.blocks})
    # By position: whoever made the half may have had to call an input otherwise, where a node has its name.
    inputs = {value.name: renamed[f"encoded.{spec.name}"] for value, spec in zip(back.graph.input, specs, strict=True)}
    renamed_back = _append(graph, back.graph, "back", inputs)
    for name, value in zip(outputs, back.graph.output, strict=True):
        # The runtime removes it; without it a head that is also the score would need two names.
        graph.node.append(
            helper.make_node("Identity", [renamed_back[value.name]], [output_name(name)], name=output_name(name))
        )
    counts = [value for value in front.graph.output if value.name in unseen_names(front)]
    for value in counts:
        graph.node.append(helper.make_node("Identity", [renamed[value.name]], [value.name], name=value.name))
    dtypes = [value.type.tensor_type.elem_type for value in back.graph.output]
    _declare(graph, packing, outputs, dtypes, counts)
    prune(graph)
    made = helper.make_model(
        graph, opset_imports=_opsets(front, back), ir_version=front.ir_version, producer_name="twinrank"
    )
    _check_domains(made)
    try:
        onnx.checker.check_model(_without_stubs(made), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise ExportError("graph_refused", f"the composed graph is no valid ONNX: {e}", "Report it with the run") from e
    return made


def _without_stubs(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with inputs in place of the weights that are kept outside, which the checker would look for on disk."""
    stubs = [tensor for tensor in model.graph.initializer if is_stub(tensor)]
    if not stubs:
        return model
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    del plain.graph.initializer[:]
    plain.graph.initializer.extend(tensor for tensor in model.graph.initializer if not is_stub(tensor))
    plain.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)) for tensor in stubs
    )
    return plain


def _append(graph: onnx.GraphProto, part: onnx.GraphProto, prefix: str, inputs: Mapping[str, str]) -> dict[str, str]:
    """Adds a half's nodes and constants under new names; returns what each of its tensors is called now."""
    names = dict(inputs)
    for tensor in part.initializer:
        names[tensor.name] = f"{prefix}.{tensor.name}" if not tensor.name.startswith(f"{prefix}.") else tensor.name
        copy = graph.initializer.add()
        copy.CopyFrom(tensor)
        copy.name = names[tensor.name]
        copy.ClearField("doc_string")
        del copy.metadata_props[:]
    for index, node in enumerate(part.node):
        names.update(
            {
                out: f"{prefix}.{index}.{node.op_type}" + (f".{i}" if i else "")
                for i, out in enumerate(node.output)
                if out
            }
        )
    for index, node in enumerate(part.node):
        copy = graph.node.add()
        copy.CopyFrom(node)
        _strip(copy)
        copy.name = f"{prefix}.{index}.{node.op_type}"
        rename(copy, names)
    return names


def rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Renames what the node reads and writes; what a subgraph captures too. Names of its own a subgraph keeps."""
    for field in (node.input, node.output):
        for position, name in enumerate(field):
            field[position] = names.get(name, name)
    for subgraph in subgraphs(node):
        own = {tensor.name for tensor in subgraph.initializer} | {value.name for value in subgraph.input}
        own |= {name for inner in subgraph.node for name in inner.output}
        outer = {name: new for name, new in names.items() if name not in own}
        for inner in subgraph.node:
            rename(inner, outer)
        for value in subgraph.output:
            value.name = outer.get(value.name, value.name)


def _strip(node: onnx.NodeProto) -> None:
    """Drops what exporters note for people: stack traces, paths, module names."""
    node.ClearField("doc_string")
    del node.metadata_props[:]
    for attribute in node.attribute:
        attribute.ClearField("doc_string")
    for subgraph in subgraphs(node):
        subgraph.ClearField("doc_string")
        del subgraph.metadata_props[:]
        del subgraph.value_info[:]
        for inner in subgraph.node:
            _strip(inner)


def subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs that a node holds as attributes."""
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")] + [
        subgraph for attribute in node.attribute for subgraph in attribute.graphs
    ]


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node, each before those of the graphs that it holds."""
    for node in graph.node:
        yield node
        for inner in subgraphs(node):
            yield from all_nodes(inner)


def reads(node: onnx.NodeProto) -> set[str]:
    """What a node reads, through its subgraphs too."""
    found = set(node.input)
    for subgraph in subgraphs(node):
        found |= {value.name for value in subgraph.output}
        for inner in subgraph.node:
            found |= reads(inner)
    return found


def _declare(
    graph: onnx.GraphProto,
    packing: Packing,
    outputs: Sequence[str],
    dtypes: Sequence[int],
    counts: Sequence[onnx.ValueInfoProto],
) -> None:
    types = {"int64": onnx.TensorProto.INT64, "float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE}
    for block in packing.blocks:
        shape = [CANDIDATES if dim == -1 else dim for dim in block.shape]
        graph.input.append(helper.make_tensor_value_info(block.name, types[block.dtype], shape))
    for name, dtype in zip(outputs, dtypes, strict=True):
        graph.output.append(helper.make_tensor_value_info(output_name(name), dtype, [CANDIDATES]))
    for value in counts:
        width = value.type.tensor_type.shape.dim[1].dim_value
        rows = CANDIDATES if value.name == f"{_UNSEEN}candidate" else 1
        graph.output.append(helper.make_tensor_value_info(value.name, onnx.TensorProto.INT64, [rows, width]))


def prune(graph: onnx.GraphProto) -> None:
    """Removes nodes and constants that no output needs."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= reads(node)
    kept.reverse()
    used = [tensor for tensor in graph.initializer if tensor.name in needed]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    tensors = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in used]
    del graph.node[:]
    del graph.initializer[:]
    graph.node.extend(copies)
    graph.initializer.extend(tensors)


def _opsets(*models: onnx.ModelProto) -> list[onnx.OperatorSetIdProto]:
    # What the front half holds means the same up to the newest opset that a bundle may have, so it follows the other.
    versions: dict[str, int] = {}
    for model in models:
        for entry in model.opset_import:
            domain = "" if entry.domain == "ai.onnx" else entry.domain
            if domain == _TREES:
                versions[domain] = max(versions.get(domain, 0), entry.version)
            elif versions.setdefault(domain, entry.version) > entry.version:
                raise ExportError(
                    "graph_refused",
                    f"the two halves import {domain or 'ai.onnx'} as {versions[domain]} and {entry.version}",
                    "Make both with the same opset",
                )
            versions[domain] = max(versions[domain], entry.version)
    return [helper.make_opsetid(domain, versions[domain]) for domain in sorted(versions, key=_domain_rank)]


def _domain_rank(domain: str) -> tuple[int, str]:
    return (_DOMAIN_ORDER.index(domain) if domain in _DOMAIN_ORDER else len(_DOMAIN_ORDER), domain)


def _check_domains(model: onnx.ModelProto) -> None:
    if model.functions:
        names = sorted(f"{function.domain}:{function.name}" for function in model.functions)
        raise ExportError(
            "operator_forbidden", f"the graph has local functions {names}", "Use operators of ONNX itself"
        )
