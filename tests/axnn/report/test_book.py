"""The page on all applications: what it shows, what it says is missing, that it stands alone."""

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from axnn import cli, data
from axnn.experiments import stages
from axnn.experiments.collect import collect
from axnn.experiments.folder import AppFolder
from axnn.experiments.run import Finished, plan_jobs, run_jobs
from axnn.flow.apps import APPS, App
from axnn.flow.evaluate import ENERGY_RATIOS
from axnn.nn.spec import LayerSpec, NetworkSpec
from axnn.report import make_book
from axnn.report.content import Chapter, Section
from axnn.report.overview import PAPER_SAVINGS
from axnn.report.page import render
from tests.axnn.approximation.test_loop import PLAN as APPROXIMATION
from tests.axnn.flow.test_lock import held_elsewhere
from tests.axnn.tiny import ENGINE, PLAN, TABLE, make_data

HOSTILE = '<script>alert("1")</script> & $x_{1$'
APP = App(
    title=HOSTILE,
    data="tiny",
    network=NetworkSpec(
        name="tiny",
        input_shape=(1, 3, 4),
        layers=(
            LayerSpec(kind="convolution", channels=3, kernel=(2, 2), function="relu"),
            LayerSpec(kind="dense", channels=3, function="identity"),
        ),
    ),
    training=replace(PLAN, epochs=4, weight_decay=1e-4),
    approximation=replace(
        APPROXIMATION, share=1.0, smallest_share=0.5, retraining=replace(PLAN, epochs=1)
    ),
    engine=ENGINE,
)
PHONE_FIGURE = 346
"""Pixels of a phone of 390 between its margins, the card's border and padding."""

SVG = "{http://www.w3.org/2000/svg}"

COSTS = {
    "fused_over_plain16_energy_percent": 6.4,
    "fused_over_plain16_area_percent": 12.3,
    "fused_over_plain16_path_percent": -2.5,
}
NO_END_TAG = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """What a reader's browser finds, and whether every element ends where it must."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in NO_END_TAG:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split()).replace("\N{MINUS SIGN}", "-")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module", autouse=True)
def tiny_app():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(APPS, "tiny", APP)
        patch.setitem(data.LOADERS, "tiny", lambda seed: make_data(noise=0.4))
        patch.setattr(stages, "SMALL", ("tiny",))
        patch.setattr(stages, "STUDIED", ("tiny",))
        patch.setattr(stages, "SEEDS", (1, 2))
        yield


@pytest.fixture(scope="module")
def folder(tiny_app, tmp_path_factory):
    path = tmp_path_factory.mktemp("apps")
    finished: list[Finished] = []
    run_jobs(
        plan_jobs(["tiny"], ()),
        path,
        TABLE,
        notify=lambda job, note: None,
        on_finished=finished.append,
    )
    assert [each.error for each in finished] == [None, None]
    hardware = {"images_checked": 123, "mismatches": 4, "miscounts": 0}
    place = AppFolder(path, "tiny", 1)
    place.write("hardware", hardware, place.ancestry("hardware"))
    return path


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    path = tmp_path_factory.mktemp("results") / "energy.json"
    path.write_text(json.dumps({"figures": COSTS}))
    return path


@pytest.fixture(scope="module")
def book(folder, costs, tmp_path_factory):
    return make_book(folder, tmp_path_factory.mktemp("report"), TABLE, engine=costs)


@pytest.fixture(scope="module")
def page(book):
    return Page(book.page.read_text(encoding="utf-8"))


def run_command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["axnn", "report", *map(str, arguments)])
    with pytest.raises(SystemExit) as status:
        cli.main()
    shown = capsys.readouterr()
    return status.value.code, shown.out, shown.err


def test_page_needs_nothing_but_itself(book, page):
    assert not page.all("script")
    assert [entry["href"] for entry in page.all("link")] == ["data:,"]
    (policy,) = (entry["content"] for entry in page.all("meta") if "http-equiv" in entry)
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"https?:|url\(|@import", book.page.read_text(encoding="utf-8"))
    assert all(entry["src"].startswith("data:image/svg+xml;base64,") for entry in page.all("img"))
    anchors = {entry["href"] for entry in page.all("a")}
    assert anchors == {"#overview", "#tiny"}
    assert {f"#{entry['id']}" for entry in page.all("section")} == anchors


def test_every_picture_is_on_the_page_described_and_beside_it(book, page):
    images = page.all("img")
    assert len(images) == len(book.pictures) == len({path.name for path in book.pictures})
    for image, path in zip(images, book.pictures, strict=True):
        assert len(image["alt"]) > 40
        assert base64.b64decode(image["src"].partition(",")[2]) == path.read_bytes()
        assert int(image["width"]) == PHONE_FIGURE
        assert int(image["height"]) > 100


def test_text_of_figures_is_12_pixels_wherever_they_are_shown(book, page):
    for image, path in zip(page.all("img"), book.pictures, strict=True):
        root = ElementTree.fromstring(path.read_bytes())
        _, _, width, _ = map(float, root.attrib["viewBox"].split())
        sizes = [
            float(size)
            for text in root.iter(f"{SVG}text")
            for size in re.findall(r"font-size: ([\d.]+)px|font: ([\d.]+)px", text.get("style", ""))
            for size in size
            if size
        ]
        assert len(sizes) > 3
        scale = int(image["width"]) / width
        assert min(sizes) * scale >= 12 - 0.02  # widths are whole pixels
        assert image["style"] == f"min-width: {image['width']}px"


def test_figures_have_dark_colours_and_load_nothing(book):
    for path in book.pictures:
        text = path.read_text(encoding="utf-8")
        assert "@media (prefers-color-scheme:dark)" in text
        assert not re.search(r'href="(?!#|data:)', text)
        assert "url(http" not in text


@pytest.mark.parametrize(
    "name",
    [
        "overview-savings",
        "tiny-against-controls",
        "tiny-along-the-way",
        "tiny-energy-by-bound",
        "tiny-energy-by-layer",
        "tiny-widths",
        "tiny-resilience-convolution1",
        "tiny-rings",
        "tiny-edges",
        "tiny-ordering",
        "tiny-training",
    ],
)
def test_every_question_has_its_figure(book, name):
    assert name in [path.stem for path in book.pictures]


def test_page_shows_the_collected_figures(folder, page):
    figures = collect(folder, ["tiny"], TABLE)["figures"]
    shown = page.text
    for bound in ("0.5", "2.5", "7.5"):
        energy, *others = (
            f"{figures[f'tiny.{bound}.{key}']:.2f}\N{MULTIPLICATION SIGN}"
            for key in (*ENERGY_RATIOS, "over_best_uniform")
        )
        row = [f"tiny {bound} points", energy, f"{figures[f'tiny.{bound}.accuracy']:.2f} %"]
        row.append(f"{figures[f'tiny.{bound}.accuracy'] - figures['tiny.exact16_accuracy']:+.2f}")
        row += others
        assert " ".join(row) in shown
    for key in ("ordering.random.accuracy", "ordering.quantisation.accuracy"):
        assert f"{figures[f'tiny.{key}']:.2f} %" in shown
    mean, deviation = (figures[f"tiny.2.5.seeds.accuracy_{key}"] for key in ("mean", "deviation"))
    assert f"{mean:.2f} % ± {deviation:.2f}" in shown


def test_page_shows_the_paper_the_costs_and_the_run_on_the_engine(page):
    assert PAPER_SAVINGS == {0.5: 1.43, 2.5: 1.58, 7.5: 1.75}  # its abstract
    for ratio in PAPER_SAVINGS.values():
        assert f"{ratio}\N{MULTIPLICATION SIGN}" in page.text
    assert "energy +6.4 %, area +12.3 %, longest path -2.5 %" in page.text
    assert "plain16" in page.text
    assert "123 test samples" in page.text
    assert "4 results differ" in page.text


def test_a_hostile_title_is_text(book, page):
    assert HOSTILE in page.text
    assert "<script" not in book.page.read_text(encoding="utf-8")


def test_same_folder_gives_the_same_bytes(folder, book, costs, tmp_path):
    again = make_book(folder, tmp_path, TABLE, engine=costs)
    assert digests(again.page.parent) == digests(book.page.parent)


def digests(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def test_what_has_not_been_run_leaves_a_line_with_its_command(folder, tmp_path):
    place = tmp_path / "apps" / "tiny" / "seed-1"
    shutil.copytree(folder / "tiny" / "seed-1", place)
    for stage in ("ordering", "edges", "overfitting", "dropout", "hardware"):
        (place / f"{stage}.json").unlink()
    shutil.rmtree(place / "bound-7.5")
    shutil.rmtree(place / "uniform-2")
    shutil.rmtree(place / "choice-random")
    book = make_book(tmp_path / "apps", tmp_path / "report", TABLE)
    shown = Page(book.page.read_text(encoding="utf-8"))
    command = f"axnn experiments tiny --folder {tmp_path / 'apps'} --stage"
    for stage in ("uniform", "choices", "ordering", "edges", "overfitting", "dropout"):
        assert f"{command} {stage}" in shown.text
    assert "sim.check_apps" in shown.text
    assert "--engine results/energy.json" in shown.text
    names = {path.stem for path in book.pictures}
    assert not names & {"tiny-ordering", "tiny-edges", "tiny-rings"}
    assert {"tiny-energy-by-bound", "tiny-training", "overview-savings"} < names


def test_the_page_on_a_run_is_linked_or_its_command_is_named(folder, book, page, tmp_path):
    place = tmp_path / "all apps" / "tiny" / "seed-1"
    assert f"axnn report --run {folder / 'tiny' / 'seed-1'}" in page.text
    shutil.copytree(folder / "tiny" / "seed-1", place)
    (place / "report.html").touch()
    linked = make_book(tmp_path / "all apps", tmp_path / "report", TABLE).page
    [address] = {entry["href"] for entry in Page(linked.read_text()).all("a")} - {
        "#overview",
        "#tiny",
    }
    assert address is not None
    assert (linked.parent / unquote(address)).resolve() == place / "report.html"


def test_a_network_without_approximations_has_only_its_training(folder, tmp_path):
    place = tmp_path / "apps" / "tiny" / "seed-1"
    place.mkdir(parents=True)
    for name in ("run.json", "network.npz"):
        shutil.copy(folder / "tiny" / "seed-1" / name, place)
    (tmp_path / "apps" / "letters" / "seed-1").mkdir(parents=True)
    book = make_book(tmp_path / "apps", tmp_path / "report", TABLE)
    assert [path.stem for path in book.pictures] == ["tiny-training"]
    assert book.apps == ("letters", "tiny")
    assert "Not finished yet" in Page(book.page.read_text(encoding="utf-8")).text


def test_the_command_says_what_it_has_written(folder, tmp_path, monkeypatch, capsys):
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"pj": dict(TABLE.pj)}))
    arguments = ["--folder", folder, "--out", tmp_path / "out", "--prices", prices, "--json"]
    status, out, _ = run_command(monkeypatch, capsys, *arguments)
    assert status == 0
    assert json.loads(out)["apps"] == ["tiny"]
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_second_report_into_the_same_folder_is_one_line(folder, tmp_path, monkeypatch, capsys):
    with held_elsewhere(tmp_path / "out"):
        status, _, err = run_command(
            monkeypatch, capsys, "--folder", folder, "--out", tmp_path / "out"
        )
    assert status == 1
    assert "another command is writing here" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folder", "nowhere", "--out", "out"], "nowhere: no such folder; fill it: axnn experi"),
        (["--folder", ".", "--out", "out"], ".: holds no application; fill it: axnn experiments"),
        (["--folder", "."], "report needs either --run, or --folder with --out"),
        (["--folder", ".", "--out", "out", "--run", "x"], "report needs either --run, or"),
        ([], "report needs either --run, or --folder with --out"),
        (["--run", "x", "--engine", "y"], "report needs either --run, or --folder with --out"),
    ],
)
def test_wrong_use_is_one_clear_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, _, error = run_command(monkeypatch, capsys, *arguments)
    assert status == 1
    assert message in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize("content", ["", "[]", '{"figures": {"a": "b"}}'])
def test_a_damaged_file_of_costs_is_one_clear_line(folder, tmp_path, content, monkeypatch, capsys):
    path = tmp_path / "energy.json"
    path.write_text(content)
    arguments = ["--folder", folder, "--out", tmp_path / "out", "--engine", path, "--quiet"]
    status, _, error = run_command(monkeypatch, capsys, *arguments)
    assert status == 1
    assert f"{path}" in error
    assert not (tmp_path / "out").exists()


def test_foreign_text_is_text_on_the_page():
    section = Section(title="<b>\x1b[2J", text=("a\x00b\u202e & c",))
    page = render("title", [Chapter(name="x", title="x", sections=(section,))])
    assert "&lt;b&gt;</h3>" in page
    assert "ab &amp; c" in page
    assert not set("\x00\x1b\u202e") & set(page)
