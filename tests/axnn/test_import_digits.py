"""The example: a residual network that PyTorch trained keeps its accuracy with less energy."""

from pathlib import Path

import onnx

from axnn.flow.run_folder import RunFolder
from examples.import_digits import MODEL, demonstrate


def test_an_imported_network_is_approximated(tmp_path):
    run = RunFolder(tmp_path / "run")
    demonstrate(run)
    spec = run.record().app.network
    assert [len(layer.adds) for layer in spec.layers if layer.adds] == [1, 1]
    found = run.judgement().evaluation
    assert found.float_accuracy > 0.97
    assert abs(found.exact16_accuracy - found.float_accuracy) < 0.005
    assert found.axnn_accuracy > found.float_accuracy - 0.03
    assert found.exact16_pj / found.axnn_pj > 1.5


def test_the_file_says_nothing_of_the_machine_that_made_it():
    assert MODEL.stat().st_size < 100_000
    model = onnx.load(MODEL)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    operators = {node.op_type for node in model.graph.node}
    assert {"Conv", "Add", "Relu"} <= operators
    assert str(Path.home()) not in MODEL.read_bytes().decode("latin-1")
