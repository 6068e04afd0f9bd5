"""Graphs of random operators, with branches that are read several times, against onnxruntime."""

import numpy as np
import pytest

from tests.axnn.frontend.graphs import imported, node

GRAPHS = 60
STEPS = 9


class RandomGraph:
    """Grows a graph by one random operator after another; each reads what there is already."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants = [], {}
        self.shapes = {"x": (int(self.rng.integers(1, 5)), 7, 6)}
        for _ in range(STEPS):
            self.grow()

    def name(self):
        return f"t{len(self.nodes)}"

    def constant(self, *shape):
        name = f"c{len(self.constants)}"
        self.constants[name] = self.rng.normal(size=shape).astype(np.float32)
        return name

    def add(self, operator, inputs, shape, **how):
        name = self.name()
        self.nodes.append(node(operator, inputs, name, **how))
        self.shapes[name] = shape

    def grow(self):
        names = list(self.shapes)
        entry = names[-1] if self.rng.random() < 0.6 else names[self.rng.integers(len(names))]
        rule = self.rules[self.rng.integers(len(self.rules))]
        rule(self, entry, self.shapes[entry])

    def convolution(self, entry, shape):
        channels, height, width = shape
        groups = channels if self.rng.random() < 0.3 else 1
        outputs = (
            groups * int(self.rng.integers(1, 4)) if groups > 1 else int(self.rng.integers(1, 6))
        )
        kernel = [int(self.rng.integers(1, min(4, size + 1))) for size in (height, width)]
        padding = [int(self.rng.integers(0, size)) for size in kernel]
        weights = self.constant(outputs, channels // groups, *kernel)
        sizes = [
            size + 2 * pad - side + 1
            for size, pad, side in zip((height, width), padding, kernel, strict=True)
        ]
        self.add("Conv", f"{entry} {weights}", (outputs, *sizes), group=groups, pads=padding * 2)

    def pool(self, entry, shape):
        if min(shape[1:]) < 2:
            return
        operator = ("MaxPool", "AveragePool")[self.rng.integers(2)]
        side = int(self.rng.integers(2, min(4, *[size + 1 for size in shape[1:]])))
        stride = int(self.rng.integers(1, 4))
        sizes = [(size - side) // stride + 1 for size in shape[1:]]
        how = {"kernel_shape": [side, side], "strides": [stride, stride]}
        self.add(operator, entry, (shape[0], *sizes), **how)

    def function(self, entry, shape):
        names = ("Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid", "Identity", "Neg")
        self.add(names[self.rng.integers(len(names))], entry, shape)

    def normalisation(self, entry, shape):
        parts = [self.constant(shape[0]) for _ in range(4)]
        self.constants[parts[3]] = np.abs(self.constants[parts[3]]) + np.float32(0.5)
        self.add("BatchNormalization", f"{entry} {' '.join(parts)}", shape)

    def arithmetic(self, entry, shape):
        operator = ("Add", "Sub", "Mul")[self.rng.integers(3)]
        self.add(operator, f"{entry} {self.constant(shape[0], 1, 1)}", shape)

    def branch(self, entry, shape):
        alike = [name for name, other in self.shapes.items() if other == shape]
        other = alike[self.rng.integers(len(alike))]
        self.add(("Add", "Sub")[self.rng.integers(2)], f"{entry} {other}", shape)

    def concatenation(self, entry, shape):
        fitting = [name for name, other in self.shapes.items() if other[1:] == shape[1:]]
        other = fitting[self.rng.integers(len(fitting))]
        self.add(
            "Concat", f"{entry} {other}", (shape[0] + self.shapes[other][0], *shape[1:]), axis=1
        )

    def padding(self, entry, shape):
        sides = self.rng.integers(0, 2, 4)
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array([0, 0, *sides[:2], 0, 0, *sides[2:]], np.int64)
        sizes = (shape[1] + sides[0] + sides[2], shape[2] + sides[1] + sides[3])
        self.add("Pad", f"{entry} {name}", (shape[0], *map(int, sizes)))

    def turned(self, entry, shape):
        """There and back, with a constant of channels between."""
        self.add("Transpose", entry, (0, 0, 0), perm=[0, 2, 3, 1])
        last = self.name_of_last()
        self.add("Add", f"{last} {self.constant(shape[0])}", (0, 0, 0))
        del self.shapes[last]
        last = self.name_of_last()
        self.add("Transpose", last, shape, perm=[0, 3, 1, 2])
        del self.shapes[last]

    def name_of_last(self):
        return self.nodes[-1].output[0]

    def finished(self):
        """All that nobody reads goes to one dense layer."""
        read = {name for each in self.nodes for name in each.input}
        ends = [name for name in self.shapes if name not in read]
        columns = 0
        for place, end in enumerate(ends):
            self.nodes.append(node("Flatten", end, f"f{place}"))
            columns += int(np.prod(self.shapes[end]))
        flat = " ".join(f"f{place}" for place in range(len(ends)))
        self.nodes.append(node("Concat", flat, "flat", axis=1))
        self.nodes.append(node("MatMul", f"flat {self.constant(columns, 3)}"))
        return self.nodes, self.constants

    rules = (
        convolution, convolution, pool, function, function, normalisation, arithmetic, branch,
        concatenation, padding, turned,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_random_graph(tmp_path, seed):
    graph = RandomGraph(seed)
    shape = graph.shapes["x"]
    nodes, constants = graph.finished()
    imported(tmp_path, nodes, shape, constants, samples=3)
