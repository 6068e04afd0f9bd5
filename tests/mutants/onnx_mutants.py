"""Changes ONNX files as a graph: nodes, attributes, names and sizes, each of a valid form."""

import random
from typing import Any

import onnx
from onnx import helper

_IR_VERSION = b"\x08\x08"
"""What the files of `tests.axnn.frontend.graphs` begin with."""

_OPERATORS = (
    "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Constant", "Conv", "Div",
    "Expand", "Flatten", "Gather", "Gemm", "GlobalMaxPool", "If", "Identity", "LSTM", "MatMul",
    "MaxPool", "Mul", "PRelu", "Pad", "ReduceMax", "Relu", "Reshape", "Shape", "Sigmoid", "Slice",
    "Softmax", "Split", "Squeeze", "Sub", "Transpose", "Unsqueeze", "DepthToSpace", "Erf", "",
)  # fmt: skip
_INTEGERS = (
    -(1 << 63), -(1 << 31), -2, -1, 0, 1, 2, 3, 4, 5, 64, 127, 1 << 20, 1 << 31, (1 << 63) - 1,
)  # fmt: skip
_NUMBERS = (0.0, -1.0, 0.5, 1e30, float("inf"), float("nan"))
_ATTRIBUTES = ("axis", "axes", "group", "kernel_shape", "pads", "perm", "strides", "dilations")


def is_onnx(content: bytes) -> bool:
    """Whether it is a file that can be changed so."""
    return content.startswith(_IR_VERSION)


def mutate_onnx(content: bytes, rng: random.Random) -> bytes:
    """Change one thing in the graph of a file."""
    model: Any = onnx.ModelProto()
    model.ParseFromString(content)
    graph = model.graph
    node, tensor = rng.choice(graph.node), rng.choice(graph.initializer)
    match rng.randrange(10):
        case 0:
            node.op_type = rng.choice(_OPERATORS)
        case 1:
            _mutate_names(graph, node, rng)
        case 2 | 3:
            _mutate_attribute(node, rng)
        case 4:
            graph.node.remove(node)
        case 5:
            graph.node.insert(rng.randrange(len(graph.node)), node)
        case 6:
            _mutate_sizes(tensor.dims, rng)
        case 7 | 8:
            _mutate_data(tensor, rng)
        case _:
            dimension = rng.choice(graph.input[0].type.tensor_type.shape.dim)
            dimension.dim_value = rng.choice(_INTEGERS)
    changed: bytes = model.SerializeToString()
    return changed


def _mutate_names(graph: Any, node: Any, rng: random.Random) -> None:
    names = [name for each in graph.node for name in (*each.input, *each.output)]
    names += ["", "x", *(tensor.name for tensor in graph.initializer)]
    places = node.output if rng.random() < 0.2 else node.input
    if not places or rng.random() < 0.2:
        places.append(rng.choice(names))
    else:
        places[rng.randrange(len(places))] = rng.choice(names)


def _mutate_attribute(node: Any, rng: random.Random) -> None:
    if not node.attribute or rng.random() < 0.3:
        count = rng.choice((1, 2, 4))
        value = [rng.choice(_INTEGERS) for _ in range(count)] if count > 1 else rng.randrange(4)
        node.attribute.append(helper.make_attribute(rng.choice(_ATTRIBUTES), value))
        return
    attribute = rng.choice(node.attribute)
    if rng.random() < 0.2:
        node.attribute.remove(attribute)
    elif attribute.ints:
        _mutate_sizes(attribute.ints, rng)
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = rng.choice(_INTEGERS)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = rng.choice(_NUMBERS)
    else:
        attribute.s = rng.choice((b"", b"VALID", b"\xff", b"x" * 500))


def _mutate_data(tensor: Any, rng: random.Random) -> None:
    size = len(tensor.raw_data)
    if tensor.data_type == onnx.TensorProto.INT64:
        numbers = [rng.choice(_INTEGERS) for _ in range(size // 8)]
        tensor.raw_data = b"".join(number.to_bytes(8, "little", signed=True) for number in numbers)
    else:
        tensor.raw_data = rng.choice((b"", rng.randbytes(size), b"\xff" * size, bytes(size)))


def _mutate_sizes(sizes: Any, rng: random.Random) -> None:
    if sizes and rng.random() < 0.7:
        sizes[rng.randrange(len(sizes))] = rng.choice(_INTEGERS)
    elif sizes and rng.random() < 0.5:
        sizes.pop()
    else:
        sizes.append(rng.choice(_INTEGERS))
