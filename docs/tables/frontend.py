"""The table of networks from other tools: `results/frontend.json`."""

from docs.tables.cells import Figures, markdown, read_figures

_NAMES = {
    "autoencoder": "autoencoder, dense with BatchNorm",
    "brevitas_4bit": "CNN of 4 bits by Brevitas, digits",
    "cnn_1d": "1-D CNN with dilation",
    "ds_cnn": "DS-CNN",
    "lenet_tanh": "LeNet, tanh",
    "mlp": "MLP with BatchNorm",
    "mnist_cnn": "CNN of the ONNX zoo, MNIST",
    "mobilenet": "MobileNetV1-0.25",
    "resnet8": "ResNet-8, CIFAR-10",
    "vgg": "VGG with BatchNorm",
}


def foreign_networks() -> str:
    """What the import, the bit-true model and the Verilog give for networks of other tools."""
    figures = read_figures("frontend")
    rows = [
        [
            title,
            f"{figures[key]:.1e}" if (key := f"{name}.max_difference_float") in figures else "",
            _count(figures, name, "onnx"),
            _count(figures, name, "rtl"),
            *(
                f"{100 * figures[key]:.2f} %"
                if (key := f"{name}.accuracy_{kind}") in figures
                else ""
                for kind in ("float", "16b", "8b", "4b")
            ),
        ]
        for name, title in _NAMES.items()
    ]
    head = ["network", "difference in float", "in onnxruntime", "on the Verilog"]
    return markdown([*head, "float", "16 bit", "8 bit", "4 bit"], rows)


def _count(figures: Figures, name: str, what: str) -> str:
    """Results that differ, and samples compared."""
    mismatches, samples = (figures[f"{name}.{what}_{kind}"] for kind in ("mismatches", "samples"))
    return f"{mismatches:,.0f} ({samples:,.0f} samples)"
