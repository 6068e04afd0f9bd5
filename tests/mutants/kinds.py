"""Every kind of file that comes from outside or is read later: one entry of `KINDS` each."""

import gzip
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.loop import approximate
from axnn.approximation.state import Identity, resume
from axnn.approximation.widths import ApproximationPlan, WidthPoint
from axnn.cpu import Predictor
from axnn.cpu.benchmark.speed import Speed
from axnn.cpu.choice.approximated import Approximated
from axnn.data import DataSet
from axnn.data.archives import read_members
from axnn.data.idx import decode_idx
from axnn.data.own.pictures import read_pictures
from axnn.data.pgm import decode_pgm
from axnn.data.png import decode_png
from axnn.data.records import decode_integer, decode_records
from axnn.experiments.documents import KINDS as STAGE_KINDS
from axnn.exploration import Candidate, pareto_front
from axnn.exploration.candidates import LeftOut
from axnn.exploration.counting import EngineCount
from axnn.exploration.explore import Explored
from axnn.flow.ancestry import Ancestry
from axnn.flow.apps import APPS
from axnn.flow.description import describe, read_app
from axnn.flow.judgement import Judgement
from axnn.flow.notes import ApproximationNotes, TrainingNotes
from axnn.flow.provenance import Provenance
from axnn.flow.record import RECORD, RunRecord
from axnn.flow.run_folder import RunFolder
from axnn.flow.scores import read_scores
from axnn.flow.steps import approximate_step, characterize_step, evaluate_step, train_step
from axnn.frontend import compare_integers, import_onnx
from axnn.nn.network import Network
from axnn.nn.train import TrainingPlan, train
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.quantize import uniform_precision
from qcnpe.area import AreaModel
from qcnpe.compiler import compile_network
from qcnpe.interchange import export_onnx, read_facts, verify
from qcnpe.prices import EnergyPrices
from qcnpe.side_area import SideAreaModel
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import NotNegative, convert_document, read_document, write_document
from qcnpe.spec.frames import LINK_VERSION, Frame, FrameParser, Kind, Welcome
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.results import read_figures
from qcnpe.spec.samples import Samples
from synth import count_model, traces
from synth.area_table import TABLE as AREA_TABLE
from synth.energy_table import TABLE as ENERGY_TABLE
from synth.floorplan import Floorplan
from synth.liberty.library import Library, read_library
from synth.liberty.plain import plain_text
from synth.library.tables import CellTables
from synth.memories import MEMORIES_FILE, memory_prices_pj, read_memories
from synth.memory_side_areas import TABLE as SIDE_AREAS
from synth.traces import ArrayTile, Tile
from synth.wires import WIRES_FILE, read_wires
from tests.axnn.cpu.benchmark.test_speed import made_up_result
from tests.axnn.cpu.test_predictor import mixed
from tests.axnn.cpu.tiny_nets import make_network, summed
from tests.axnn.frontend.graphs import floats, make_model, node
from tests.axnn.frontend.quantised import Drawn
from tests.axnn.tiny import ENGINE, TABLE, make_data, make_spec
from tests.mutants.file_kind import FileKind
from tests.qcnpe.networks import network, random_inputs, random_layer
from tests.synth.test_flow_netlist import KIT as NETLIST_KIT
from tests.synth.test_flow_netlist import document as netlist_document
from tests.synth.test_flow_netlist import simulated

ROOT = Path(__file__).parents[2]
PLAN_OF_ONE = TrainingPlan(epochs=1, batch=16)


# Networks in integers.
def make_integer_network(path: Path) -> None:
    rng = np.random.default_rng(1)
    conv = Geometry(input_shape=(1, 6, 6), channels=3, kernel=(3, 3), pool=(2, 2))
    layers = (
        random_layer(rng, conv, name="c1", function="sigmoid"),
        random_layer(rng, Geometry.dense(12, 5), name="out", input_unsigned=True),
    )
    replace(network(*layers), engine=ENGINE, notes={"bound": 0.5}).save(path)


def use_integer_network(path: Path) -> None:
    net = QuantNet.load(path)
    features = net.inputs
    infer(net, np.ones((1, features), np.int16))
    net.quantize_inputs(np.ones((1, features)))
    compile_network(net, net.engine or EngineConfig(rows=4, cols=4), 2)


@cache
def exported_network() -> QuantNet:
    """A network of convolutions in groups, pooling, a table and two widths."""
    rng = np.random.default_rng(1)
    conv = Geometry(
        input_shape=(2, 6, 5), channels=4, kernel=(3, 2), padding=(1, 0, 1, 1), groups=2,
        pool=(2, 2), pool_stride=(1, 2),
    )  # fmt: skip
    return network(
        random_layer(rng, conv, name="c1", function="sigmoid", widths=(8, 4)),
        random_layer(rng, Geometry.dense(4 * 5 * 2, 5), name="out", widths=(16,)),
    )


def use_model(path: Path) -> None:
    net = exported_network()
    read_facts(path)
    verify(net, path, random_inputs(np.random.default_rng(1), net, 3))


def make_samples(path: Path) -> None:
    Samples(np.arange(-3, 3, dtype=np.int16).reshape(2, 3), np.array([4, 0])).save(path)


def make_plain_samples(path: Path) -> None:
    Samples(np.zeros((2, 3), np.int16), None).save(path)


# Networks of other tools.
def make_foreign_convolutions(path: Path) -> None:
    nodes = [
        node("Conv", "x w b", "a", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "a b b b s", "c"),
        node("Relu", "c", "d"),
        node("Conv", "d v", "e", auto_pad="SAME_UPPER", group=2),
        node("Add", "d e", "f"),
        node("MaxPool", "f", "g", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Concat", "g g", "h", axis=1),
        node("GlobalAveragePool", "h", "i"),
        node("Shape", "i", "j"),
        node("Slice", "j k l", "m"),
        node("Concat", "m n", "o", axis=0),
        node("Reshape", "i o", "p"),
        node("Gemm", "p u", "q", transB=1),
        node("Softmax", "q", "y", axis=1),
    ]
    constants = {
        "w": floats((4, 2, 3, 3)),
        "b": floats(4),
        "s": np.ones(4, np.float32),
        "v": floats((4, 2, 2, 2)),
        "k": np.array([0], np.int64),
        "l": np.array([1], np.int64),
        "n": np.array([-1], np.int64),
        "u": floats((3, 8)),
    }
    path.write_bytes(make_model(nodes, FOREIGN_SHAPE, constants).SerializeToString())


def make_foreign_columns(path: Path) -> None:
    nodes = [
        node("Transpose", "x", "a", perm=[0, 2, 3, 1]),
        node("Pad", "a p", "b"),
        node("Clip", "b low high", "c"),
        node("Split", "c", "d e", axis=3),
        node("Sub", "d e", "f"),
        node("LeakyRelu", "f", "g", alpha=0.1),
        node("Div", "g high", "h"),
        node("ReduceMean", "h", "i", axes=[1], keepdims=0),
        node("Flatten", "i", "j"),
        node("MatMul", "j w", "k"),
        node("Tanh", "k", "y"),
    ]
    constants = {
        "p": np.array([0, 1, 0, 0, 0, 0, 1, 0], np.int64),
        "low": np.float32(-1),
        "high": np.float32(2),
        "w": floats((5, 3)),
    }
    path.write_bytes(make_model(nodes, FOREIGN_SHAPE, constants).SerializeToString())


def make_foreign_quantisers(path: Path) -> None:
    """Quantisers of QONNX, and behind them a pair of ONNX' own."""
    drawn = Drawn(np.random.default_rng(1))
    x = drawn.quantise("x", 3)
    first = drawn.quantise(drawn.add("Relu", drawn.convolution(x, 2, 2)), 2)
    total = drawn.quantise(drawn.add("Add", f"{first} {x}"), 2)
    scale = drawn.constant(0.5)
    drawn.constants["zero"] = np.zeros((), np.uint8)
    integers = drawn.add("QuantizeLinear", f"{total} {scale} zero")
    numbers = drawn.add("DequantizeLinear", f"{integers} {scale} zero")
    model = drawn.model(drawn.add("Flatten", numbers), FOREIGN_SHAPE)
    path.write_bytes(model.SerializeToString())


FOREIGN_SHAPE = (2, 4, 4)


FOREIGN_MAKERS = (make_foreign_convolutions, make_foreign_columns, make_foreign_quantisers)


def use_foreign(path: Path) -> None:
    """Read a network; samples are those of the good file, which a mutant may refuse."""
    samples = floats((2, *FOREIGN_SHAPE))
    found = import_onnx(path, samples)
    found.predict(samples)
    if found.quantisation is not None and found.quantisation.net is not None:
        compare_integers(found, samples)


# Networks in floating point and what is kept of their training and approximation.
def make_network_file(path: Path) -> None:
    Network(make_spec(), seed=1).save(path, {"seed": 1})


def use_network(path: Path) -> None:
    found, _ = Network.load(path)
    found.predict(np.zeros((1, *found.spec.input_shape), np.float32))


def train_with(path: Path) -> None:
    train(Network(make_spec(), seed=1), make_data(), PLAN_OF_ONE, seed=1, checkpoint=path)


@cache
def width_point() -> tuple[Identity, WidthPoint]:
    """A run of the loop that a state file goes on from."""
    net, data = Network(make_spec(), seed=1), make_data()
    precision = uniform_precision(net, 16)
    scales = calibrate(net, data.train.inputs, precision, ENGINE)
    plan = ApproximationPlan(bound_percent=50.0, retraining=PLAN_OF_ONE, rounds=1)
    point = WidthPoint(network=net, precision=precision, scales=scales, config=ENGINE)
    return Identity(plan, 1, data.digest, ENGINE, net.digest), point


def make_state(path: Path) -> None:
    identity, _ = width_point()
    start, counter = Network(make_spec(), seed=1), EventCounter(ENGINE)
    approximate(start, make_data(), identity.plan, counter, seed=1, state=path)


def make_choice(path: Path) -> None:
    mixed(make_network(summed())).save(path, Ancestry({}, {"seed": "0"}))


def use_choice(path: Path) -> None:
    Approximated.load(path, make_network(summed()))


def make_predictor(path: Path) -> None:
    Predictor(mixed(make_network(summed()))).save(path)


def use_predictor(path: Path) -> None:
    found = Predictor.load(path, compiled=False)
    found.predict_proba(np.zeros((1, *found.input_shape), np.float32))


# A run's folder.
@cache
def run_folder() -> RunFolder:
    """A run of all steps, kept until the process ends."""
    app = APPS["digits8x8"]
    plan = replace(app.approximation, retraining=PLAN_OF_ONE, bound_percent=90.0)
    short = replace(app, training=PLAN_OF_ONE, approximation=plan)
    run = RunFolder(Path(_LASTING.name))
    train_step(run, short, seed=1)
    characterize_step(run)
    approximate_step(run, plan)
    evaluate_step(run, TABLE)
    return run


_LASTING = tempfile.TemporaryDirectory(prefix="axnn-run-")


def copy_of(name: str) -> Callable[[Path], object]:
    """Makes a file of the run's folder."""
    return lambda path: copy(run_folder().path / name, path)


def use_trained(path: Path) -> None:
    _, notes = Network.load(path)
    convert_document(notes, TrainingNotes, where=str(path))


def use_approximated(path: Path) -> None:
    convert_document(QuantNet.load(path).notes, ApproximationNotes, where=str(path))


def use_evaluation(path: Path) -> float:
    return Judgement.read(path).evaluation.energy_ratio


def use_scores(path: Path) -> None:
    read_scores(path, APPS["digits8x8"].network)


# Documents of experiments, benchmarks and results.
STAGES: dict[str, Any] = {
    "ordering": {"width": 2, "curves": {"random": [[[0.5, 0.9], [1.0, 1.0]]]}},
    "edges": {
        "rings": {"gradient": {"c1": [0.5, 1.0]}},
        "shares": [0.0, 0.5],
        "accuracy": {"4": {"edges": [1.0, 0.5]}},
    },
    "hardware": {"images_checked": 100, "mismatches": 0, "miscounts": 0},
    "overfitting": {
        "no decay": {
            "epochs": [
                {
                    "number": 0,
                    "train_loss": 0.5,
                    "validation_loss": 0.6,
                    "validation_accuracy": 0.9,
                }
            ],
            "float_accuracy": 0.9,
            "axnn_accuracy": 0.9,
            "energy_ratio": 2.0,
        }
    },
    "dropout": {
        "0.2": {
            "float_accuracy": 0.9,
            "axnn_accuracy": 0.9,
            "energy_ratio": 2.0,
            "same_ranking": 0.1,
            "removal_ranking": 0.2,
        }
    },
    "ablation": {"paper": {"bounds": {"0.5": [0.9, 2.0]}}},
}


PROVENANCE = {
    "date": "2026-01-01 00:00 UTC",
    "commit": None,
    "versions": {"axnn": "1"},
    "machine": "x86_64, Linux",
}


def document_kind(name: str, good: Any, schema: Any) -> FileKind:
    """JSON with a schema."""
    return FileKind(
        name,
        f"{name}.json",
        (partial(write_document, document=good),),
        lambda path: read_document(path, schema),
    )


def use_wires(path: Path) -> object:
    """Lengths by fan-out, and a floorplan of the routed outline."""
    wires = read_wires(path)
    floorplan = Floorplan.of(EngineConfig(), wires)
    return [wires.by_fanout.length_um(count) for count in (1, 7, 90)], floorplan.clock_tree_um


def use_memories(path: Path) -> object:
    """Prices of an engine's memories."""
    return memory_prices_pj(read_memories(path), EngineConfig())


RESULTS = {"command": "x", "seed": 1, "figures": {"a": 1, "b": 0.5}}
CELL = CellTables("INV_X1", [1.0, 2.0], [1.0], {"A": (0.5, 0.6)}, {"A": 1.0, "!A": 2.0})


# Operands.
WORDS = np.arange(6, dtype=np.uint16)


def make_trace(path: Path) -> None:
    tiles = {16: (Tile(16, False, 1, WORDS, WORDS),), 4: (Tile(4, True, 4, WORDS[:2], WORDS[2:4]),)}
    traces.save(tiles, path, {"seed": "1"})


def make_tiles(path: Path) -> None:
    tile = ArrayTile(8, True, 2, WORDS[None], WORDS[None, :2])
    count_model.save([count_model.LayerTiles("c1", 10.0, (tile,))], path, {"seed": "1"})


# Cell libraries, netlists and prices.
KITS = tuple(sorted((ROOT / "tests" / "synth" / "kits").glob("*.lib")))


def use_library(path: Path) -> None:
    """Read everything that synthesis and simulation use."""
    library = read_library(path)
    for model in library.models(cell.name for cell in library.for_mapping).values():
        model.steps()
    plain_text(library)


@cache
def cells_of_netlists() -> Library:
    """A library that is read once."""
    return read_library(NETLIST_KIT)


def make_netlist(path: Path) -> None:
    write_document(path, netlist_document())


def use_netlist(path: Path) -> None:
    simulated(path, cells_of_netlists())


# Archives of data sets, and the formats within.
MEMBERS = {"package/a.bin": b"alpha" * 9, "package/b.bin.gz": gzip.compress(b"beta", mtime=0)}


def make_tar(path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    path.write_bytes(gzip.compress(file.getvalue(), mtime=0))


def make_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in MEMBERS.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def make_deb(path: Path) -> None:
    make_tar(path)
    content = b"!<arch>\n"
    for name, part in (("debian-binary", b"2.0"), ("data.tar.gz", path.read_bytes())):
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(part):<10}`\n".encode()
        content += part + b"\n" * (len(part) % 2)
    path.write_bytes(content)


def make_exploration(path: Path) -> None:
    """Counts of one engine."""
    costs = {"energy_pj": 2.5, "memory_pj": 0.5, "external_pj": 1.5, "cycles": 7.0}
    found = Candidate(
        point="axnn",
        rows=2,
        cols=2,
        precisions=(16, 8),
        ncu="fused",
        area_um2=1e4,
        accuracy=0.75,
        loss_points=0.5,
        memory_bits=4096,
        **costs,
    )
    left_out = LeftOut("2 x 2 NCUs (plain16, 16 bits)", "axnn", "has no operands of 8 bits")
    made_from = Ancestry(files={"axnn.npz": "0" * 64}, values={"engine": "1" * 64})
    count = EngineCount((found,), (left_out,))
    write_document(path, asdict(Explored(made_from, {found.engine: count})))


def use_exploration(path: Path) -> None:
    """The front of what has been counted, and the boards of its engines."""
    counts = read_document(path, Explored).engines.values()
    front = pareto_front([each for count in counts for each in count.candidates], "energy")
    assert all(each.boards for each in front)


def use_areas(path: Path) -> None:
    """The area of an engine."""
    AreaModel.load(path).area_um2(EngineConfig(rows=2, cols=2))


def use_side_areas(path: Path) -> None:
    """The area of a memory side."""
    SideAreaModel.load(path).area_um2(EngineConfig(rows=4, cols=4))


def archive_kind(file: str, *makers: Callable[[Path], object]) -> FileKind:
    """An archive of which some members are read."""
    return FileKind(file, file, makers, lambda path: read_members(path, r".*\.bin"))


def member_kind(name: str, content: bytes, decode: Callable[[bytes], object]) -> FileKind:
    """Contents of archives: pictures, tables, labels."""
    return FileKind(
        name,
        "member",
        (lambda path: path.write_bytes(content),),
        lambda path: decode(path.read_bytes()),
    )


def make_png() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (4, 3), (1, 2, 3)).save(file, "PNG")
    return file.getvalue()


def use_table(content: bytes) -> None:
    for record in decode_records(content, records=3, fields=2):
        decode_integer(record[0], 0, 15)


# What users bring.
def make_table(path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [f'{rng.normal():.3f};"{"ab "[n % 3]}";{n % 5 or ""};{n % 2}' for n in range(30)]
    path.write_text("\n".join(["size;kind of it;count;class", *rows]) + "\n")


def use_own_table(path: Path) -> None:
    DataSet.read(path, label="class")


def make_own_arrays(path: Path) -> None:
    inputs = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32)
    words = np.array(["no", "yes"])[np.arange(30) % 2]
    np.savez_compressed(path, inputs=inputs, labels=words, groups=np.arange(30) // 3)


def make_own_parts(path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (12, 3, 2, 3), np.uint8)
    labels = np.arange(12) % 2
    np.savez(path, x_train=pictures, y_train=labels, x_test=pictures, y_test=labels)


def make_picture(path: Path, mode: str, kind: str) -> None:
    from PIL import Image

    pixels = np.random.default_rng(1).integers(0, 256, (6, 5, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, kind)


PICTURES = (
    ("RGB", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("1", "PNG"), ("RGB", "JPEG"), ("L", "JPEG"),
    ("CMYK", "JPEG"), ("P", "GIF"), ("RGB", "BMP"), ("1", "BMP"), ("RGB", "PPM"), ("L", "PPM"),
    ("RGB", "WEBP"), ("RGBA", "WEBP"),
)  # fmt: skip
"""Modes and formats."""


def use_picture(path: Path) -> None:
    """Read a folder that holds the picture."""
    folder = path.parent / "folder" / "class"
    folder.mkdir(parents=True, exist_ok=True)
    copy(path, folder / "picture.png")
    read_pictures(folder.parent)


def make_app(path: Path, name: str) -> None:
    path.write_text(describe(APPS[name]))


# What comes from a board.
WELCOME = Welcome(version=LINK_VERSION, fifo_depth=4, buffer=1024, store=1024)


def make_frames(path: Path) -> None:
    frames = (Frame(Kind.WELCOME, 7, 0, WELCOME.encode()), Frame(Kind.VALUE, 7, 1, b"1234"))
    path.write_bytes(b"".join(frame.encode() for frame in frames))


def use_frames(path: Path) -> None:
    for frame in FrameParser().feed(path.read_bytes()):
        if frame.kind == Kind.WELCOME:
            Welcome.decode(frame.body)


KINDS = (
    FileKind("integer network", "net.npz", (make_integer_network,), use_integer_network),
    FileKind(
        "bit-true model",
        "net.onnx",
        tuple(
            partial(export_onnx, exported_network(), integers=integers)
            for integers in (False, True)
        ),
        use_model,
    ),
    FileKind("samples", "samples.npz", (make_samples, make_plain_samples), Samples.load),
    FileKind("foreign network", "net.onnx", FOREIGN_MAKERS, use_foreign),
    FileKind("network", "network.npz", (make_network_file,), use_network),
    FileKind("checkpoint", "part.npz", (train_with,), train_with),
    FileKind("state", "state.npz", (make_state,), lambda path: resume(path, *width_point())),
    FileKind("choice", "choice.npz", (make_choice,), use_choice),
    FileKind("predictor", "predictor.npz", (make_predictor,), use_predictor),
    FileKind("run record", RECORD, (copy_of(RECORD),), lambda path: RunRecord.read(path.parent)),
    FileKind("trained network", "network.npz", (copy_of("network.npz"),), use_trained),
    FileKind("approximate network", "axnn.npz", (copy_of("axnn.npz"),), use_approximated),
    FileKind("scores", "resilience.npz", (copy_of("resilience.npz"),), use_scores),
    FileKind("evaluation", "evaluation.json", (copy_of("evaluation.json"),), use_evaluation),
    *(document_kind(stage, good, STAGE_KINDS[stage].schema) for stage, good in STAGES.items()),
    document_kind("provenance", PROVENANCE, Provenance),
    document_kind("seconds", {"train": 1.5, "bounds": 0.0}, dict[str, NotNegative]),
    document_kind("speed", made_up_result("digits"), Speed),
    document_kind("cell", CELL, CellTables),
    FileKind("results", "results.json", (partial(write_document, document=RESULTS),), read_figures),
    FileKind("cell library", "cells.lib", tuple(partial(copy, kit) for kit in KITS), use_library),
    FileKind("netlist", "top.json", (make_netlist,), use_netlist),
    FileKind("energy table", "pj.json", (partial(copy, ENERGY_TABLE),), EnergyPrices.load),
    FileKind("exploration", "explored.json", (make_exploration,), use_exploration),
    FileKind("areas", "areas.json", (partial(copy, AREA_TABLE),), use_areas),
    FileKind("side areas", "side.json", (partial(copy, SIDE_AREAS),), use_side_areas),
    FileKind("wires", "wires.json", (partial(copy, WIRES_FILE),), use_wires),
    FileKind("memories", "memories.json", (partial(copy, MEMORIES_FILE),), use_memories),
    FileKind("operand trace", "trace.npz", (make_trace,), traces.load),
    FileKind("array tiles", "tiles.npz", (make_tiles,), count_model.load),
    archive_kind("set.tgz", make_tar),
    archive_kind("set.zip", make_zip),
    archive_kind("set.deb", make_deb),
    archive_kind("set.bin.gz", lambda p: p.write_bytes(MEMBERS["package/b.bin.gz"])),
    member_kind("welcome", WELCOME.encode(), Welcome.decode),
    FileKind("own table", "own.csv", (make_table,), use_own_table),
    FileKind("own arrays", "own.npz", (make_own_arrays, make_own_parts), DataSet.read),
    FileKind(
        "own picture",
        "picture",
        tuple(partial(make_picture, mode=mode, kind=kind) for mode, kind in PICTURES),
        use_picture,
    ),
    FileKind("app", "app.toml", tuple(partial(make_app, name=name) for name in APPS), read_app),
    FileKind("frames", "frames", (make_frames,), use_frames),
    member_kind("idx", bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3]), lambda c: decode_idx(c, (3,))),
    member_kind("pgm", b"P5\n# grey\n3 2 255\n" + bytes(range(6)), lambda c: decode_pgm(c, (2, 3))),
    member_kind("png", make_png(), lambda c: decode_png(c, (3, 4))),
    member_kind("table", b"|head\n1, a\n15,b\n\n0,c\n", use_table),
)  # fmt: skip
"""Names are unique."""
