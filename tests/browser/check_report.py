"""The page on runs in Chromium: choices change numbers, nothing is loaded, no text is too small."""

import csv
import io
import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from axnn.report import read_run, write_run_page
from tests.axnn.report.small_run import HOSTILE, make_run, patch_catalogue
from tests.axnn.tiny import with_prices

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Chromium refuses to start as root otherwise
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1280,900",
)

PRICES = with_prices(fetch_cycle=3.0, control_cycle=0.5)

PHONE, DESKTOP = 390, 1280
PAPER = 660
SMALLEST_TEXT = 12.0

TEXTS = """
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walker.nextNode());) {
  const element = node.parentElement;
  if (!node.textContent.trim() || !element.checkVisibility() || element.closest("script")) continue;
  const matrix = element.getScreenCTM ? element.getScreenCTM() : null;
  const scale = matrix ? Math.hypot(matrix.a, matrix.b) : 1;
  const size = parseFloat(getComputedStyle(element).fontSize) * scale;
  found.push([size, node.textContent.trim(), element.closest("svg") !== null]);
}
return found;
"""

OUTSIDE = """
const found = [];
for (const text of document.querySelectorAll(".plot text")) {
  const inner = text.getBoundingClientRect();
  const outer = text.closest("svg").getBoundingClientRect();
  if (inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.top < outer.top - 1 ||
      inner.bottom > outer.bottom + 1) found.push(text.textContent);
}
return found;
"""

CONTRAST = """
const luminance = (colour) => {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ratio = (one, other) => {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const card = getComputedStyle(document.querySelector(".card")).backgroundColor;
return [ratio(getComputedStyle(document.querySelector(".plot .label")).fill, card),
        ratio(getComputedStyle(document.querySelector("tbody td")).color, card), luminance(card)];
"""


def found(name: str) -> str:
    path = shutil.which(name)
    assert path is not None, f"{name} is missing: run `make report-check`, which installs it"
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = found("chromium")
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(found("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on two runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch_catalogue(patch)
        folder = tmp_path_factory.mktemp("runs")
        runs = [make_run(folder / name, seed) for name, seed in (("first", 1), ("second", 2))]
        return write_run_page(folder / "page", [read_run(run, PRICES) for run in runs]).path


@pytest.fixture(scope="module")
def document(page: Path) -> dict[str, Any]:
    """What the page holds."""
    text = page.read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    return json.loads(data[1])


@pytest.fixture
def opened(browser, page):
    """The page, just opened, on a desktop's screen."""
    resize(browser, DESKTOP)
    emulate(browser, "light")
    browser.get_log("performance")
    browser.get(page.as_uri())
    yield browser
    assert browser.get_log("browser") == []
    addresses = [
        message["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert [each for each in addresses if not each.startswith(("data:", "blob:"))] == [
        page.as_uri()
    ]


def resize(browser, width):
    values = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", values)


def emulate(browser, scheme, media=""):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def settle(browser):
    """Wait for the figures to follow the width."""
    browser.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));"
    )


def facts(browser):
    names = browser.find_elements(By.CSS_SELECTOR, ".facts dt")
    values = browser.find_elements(By.CSS_SELECTOR, ".facts dd")
    return {name.text: value.text.split("\n")[0] for name, value in zip(names, values, strict=True)}


def choose(browser, name, value):
    Select(browser.find_element(By.NAME, name)).select_by_value(value)


def card(browser, title):
    return browser.find_element(By.XPATH, f"//section[h2='{title}']")


def shown(browser, title):
    return card(browser, title).text


def test_the_title_is_text(opened):
    assert opened.find_element(By.TAG_NAME, "h1").text == HOSTILE
    assert opened.find_elements(By.TAG_NAME, "img") == []


def test_the_slider_changes_the_numbers(opened, document):
    slider = opened.find_element(By.ID, "point")
    points = document["runs"][0]["points"]
    seen = []
    for point in points:
        numbers = facts(opened)
        assert numbers["Test accuracy"].startswith(f"{100 * point['test']:.2f}")
        saving = points[0]["cost"]["energy_pj"] / point["cost"]["energy_pj"]
        assert numbers["Less energy"].startswith(f"{saving:.2f}\N{MULTIPLICATION SIGN}")
        assert point["title"] in shown(opened, "Energy by layer and unit")
        drawn = card(opened, "Energy by layer and unit").find_element(By.TAG_NAME, "svg")
        maps = card(opened, "Width of every neuron").get_attribute("innerHTML")
        seen.append((drawn.get_attribute("innerHTML"), maps, tuple(numbers.values())))
        slider.send_keys(Keys.ARROW_RIGHT)
    different = {json.dumps([point["cost"]["layers"], point["test"]]) for point in points}
    assert len(set(seen)) == len(different) > 3


def test_a_point_is_chosen_in_the_figure_and_by_its_button(opened, document):
    points = document["runs"][0]["points"]
    opened.find_element(By.CSS_SELECTOR, f'[aria-label="operating point {points[2]["title"]}"]')
    for index in (2, 1):
        opened.find_element(By.CSS_SELECTOR, f'[data-point="{index}"]').click()
        assert opened.find_element(By.ID, "point").get_attribute("value") == str(index)
    mark = opened.find_element(
        By.CSS_SELECTOR, f'[aria-label="operating point {points[0]["title"]}"]'
    )
    mark.send_keys(Keys.ENTER)
    assert opened.find_element(By.ID, "point").get_attribute("value") == "0"


def test_layers_show_the_figures_of_the_document(opened, document):
    point = document["runs"][0]["points"][0]
    energies = [
        sum(value for unit, value in layer["units_pj"].items() if unit != "memory")
        for layer in point["cost"]["layers"]
    ]
    rows = card(opened, "Layers in numbers").find_elements(By.CSS_SELECTOR, "tbody tr")
    for row, pj, layer in zip(rows, energies, document["runs"][0]["layers"], strict=True):
        cells = [each.text for each in row.find_elements(By.CSS_SELECTOR, "th, td")]
        assert cells[0] == layer["name"]
        assert float(cells[4].split()[0]) == pytest.approx(pj, rel=0.006)


def test_the_memory_side_shows_the_figures_of_the_document(opened, document):
    title = "Energy of an autonomous engine and its memories"
    for index, point in enumerate(document["runs"][0]["points"][:2]):
        opened.find_element(By.CSS_SELECTOR, f'[data-point="{index}"]').click()
        parts = point["cost"]["system"]["parts_pj"]
        rows = card(opened, title).find_elements(By.CSS_SELECTOR, "tbody tr")
        cells = [each.text for each in rows[-1].find_elements(By.CSS_SELECTOR, "th, td")]
        assert cells[0] == "system"
        number, unit = cells[1].split()
        factor = {"pJ": 1, "nJ": 1e3, "\N{MICRO SIGN}J": 1e6}[unit]
        assert float(number) * factor == pytest.approx(sum(parts.values()), rel=0.006)
        assert point["cost"]["system"]["note"] in shown(opened, title)


def test_choices_change_their_figures(opened):
    for title, name, value in (
        ("Cycles and stalls by layer", "engine", "autonomous"),
        ("Neurons and their scores", "order", "score"),
        ("Neurons and their scores", "scale", "log"),
        ("Neurons and their scores", "criterion", "gradient"),
        ("Engines compared", "x", "cycles"),
    ):
        before = card(opened, title).get_attribute("innerHTML")
        choose(opened, name, value)
        assert card(opened, title).get_attribute("innerHTML") != before, (title, value)
    box = opened.find_element(By.NAME, "memory")
    before = shown(opened, "Energy by layer and unit")
    opened.execute_script("arguments[0].click()", box)
    assert "on-chip memories" in shown(opened, "Energy by layer and unit")
    assert shown(opened, "Energy by layer and unit") != before


def test_another_run_is_chosen(opened, document):
    choose(opened, "run", "1")
    second = document["runs"][1]["points"][0]
    assert facts(opened)["Test accuracy"].startswith(f"{100 * second['test']:.2f}")
    assert "second" in shown(opened, "Runs compared")


def test_a_mark_says_what_it_stands_for(opened, document):
    marks = card(opened, "Engines compared").find_elements(By.CSS_SELECTOR, "svg [tabindex]")
    opened.execute_script("arguments[0].focus()", marks[0])
    said = opened.find_element(By.ID, "tip").text
    engines = {each["engine"] for each in document["runs"][0]["candidates"]}
    assert said.split("\n")[0] in engines
    assert "um" in said
    assert "cycles" in said


@pytest.mark.parametrize("width", [PHONE, 700, DESKTOP])
def test_no_text_is_small_and_nothing_is_cut_off(opened, document, width):
    resize(opened, width)
    for index in range(len(document["runs"][0]["points"])):
        opened.find_element(By.CSS_SELECTOR, f'[data-point="{index}"]').click()
        settle(opened)
        texts = opened.execute_script(TEXTS)
        assert sum(in_figure for _, _, in_figure in texts) > 40
        assert [each for each in texts if each[0] < SMALLEST_TEXT] == []
        assert opened.execute_script(OUTSIDE) == []
        page = opened.find_element(By.TAG_NAME, "html")
        assert page.get_property("scrollWidth") == page.get_property("clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_both_schemes(opened, scheme):
    emulate(opened, scheme)
    label, cell, card_luminance = opened.execute_script(CONTRAST)
    assert min(label, cell) >= 4.5  # of WCAG 2.2, level AA
    assert (card_luminance < 0.1) == (scheme == "dark")


def test_the_button_changes_the_scheme(opened):
    opened.find_element(By.ID, "theme").click()
    assert opened.execute_script(CONTRAST)[2] < 0.1


def test_it_prints_vectors_in_light_colours(opened):
    emulate(opened, "dark")
    pdf = opened.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(pdf["data"]) > 20_000
    emulate(opened, "dark", media="print")
    opened.execute_script("dispatchEvent(new Event('beforeprint'))")
    figures = opened.find_elements(By.CSS_SELECTOR, ".plot > svg")
    widths = [float(each.get_attribute("width")) for each in figures]
    assert len(widths) > 8
    assert max(widths) <= PAPER
    resize(opened, PAPER)
    sheet = opened.find_element(By.TAG_NAME, "html")
    assert sheet.get_property("scrollWidth") == sheet.get_property("clientWidth")
    assert opened.execute_script("return document.querySelectorAll('.plot canvas').length") == 0
    assert not opened.find_element(By.ID, "theme").is_displayed()
    assert opened.execute_script(CONTRAST)[2] > 0.9
    opened.execute_script("dispatchEvent(new Event('afterprint'))")


def saved(browser, folder, name, click):
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
    )
    browser.execute_script("arguments[0].click()", click)
    deadline = time.monotonic() + 20
    # Chromium makes the file before it writes it.
    while not (folder / name).exists() or not (folder / name).stat().st_size:
        assert time.monotonic() < deadline, f"{name} was not saved"
        time.sleep(0.05)
    return (folder / name).read_text(encoding="utf-8")


def test_tables_and_the_document_are_saved(opened, document, tmp_path):
    run = document["runs"][0]
    text = saved(opened, tmp_path, "report.json", opened.find_element(By.ID, "json"))
    assert json.loads(text) == document
    tables = {}
    for button in opened.find_elements(By.CSS_SELECTOR, "[data-file]"):
        name = button.get_attribute("data-file")
        text = saved(opened, tmp_path, name, button)
        tables[name] = list(csv.DictReader(io.StringIO(text)))
    assert sorted(tables) == [
        f"{name}.csv"
        for name in ("exploration", "layers", "neurons", "points", "runs", "systems", "trials")
    ]
    assert [float(row["energy_pj"]) for row in tables["points.csv"]] == [
        point["cost"]["energy_pj"] for point in run["points"]
    ]
    systems = [sum(point["cost"]["system"]["parts_pj"].values()) for point in run["points"]]
    assert [float(row["system_pj"]) for row in tables["systems.csv"]] == pytest.approx(systems)
    scores = [score for layer in run["scores"][run["criterion"]] for score in layer]
    assert [float(row["score"]) for row in tables["neurons.csv"]] == scores
    assert len(tables["exploration.csv"]) == len(run["candidates"])
    assert len(tables["runs.csv"]) == sum(len(each["points"]) for each in document["runs"])
