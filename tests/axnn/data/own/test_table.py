"""Tables: numbers and words become inputs as scikit-learn's encoders make them, faults are told."""

import time
from typing import Any

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from axnn.data import Column, DataSet
from axnn.data.own import table, table_text
from axnn.data.own.table import TableOptions, read_table
from qcnpe.spec.errors import QcnpeError

ROWS = 60


@pytest.fixture
def write(tmp_path):
    """Write a table's text; gives its path."""

    def write_text(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_text


def made_up(rng) -> tuple[list[str], list[list[str]]]:
    """Columns with gaps, words, and classes that are words."""
    ages = [str(rng.integers(18, 90)) if rng.random() < 0.8 else "" for _ in range(ROWS)]
    cities = [str(rng.choice(["Bonn", "Köln", ""])) for _ in range(ROWS)]
    labels = ["yes" if index % 3 else "no" for index in range(ROWS)]
    rows = [list(row) for row in zip(ages, cities, labels, strict=True)]
    return ["age", "city", "bought"], rows


def joined(names, rows, delimiter=",") -> str:
    return "\n".join(delimiter.join(row) for row in [names, *rows]) + "\n"


@pytest.mark.parametrize("seed", range(3))
def test_numbers_and_words_are_encoded_as_by_scikit_learn(write, seed):
    names, rows = made_up(np.random.default_rng(seed))
    source = read_table(write(joined(names, rows)), TableOptions(label="bought"))
    train = np.random.default_rng(seed).permutation(ROWS)[:40]
    measured = source.measure(train)
    ages = np.array([[float(row[0] or "nan")] for row in rows])
    cities = np.array([[row[1]] for row in rows])
    filled = SimpleImputer(strategy="median").fit(ages[train]).transform(ages)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(cities[train])
    wanted = np.hstack([filled, encoder.transform(cities)])
    np.testing.assert_array_equal(measured.inputs[:, :, 0, 0], wanted)
    assert measured.columns == (
        Column("age", fill=float(np.nanmedian(ages[train]))),
        Column("city", words=tuple(encoder.categories_[0].tolist())),
    )
    assert source.labelled.labels.tolist() == [row[2] for row in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\N{BYTE ORDER MARK}"])
def test_what_spreadsheets_save_is_read(write, delimiter, ends, mark):
    names, rows = made_up(np.random.default_rng(1))
    plain = read_table(write(joined(names, rows)), TableOptions(label="bought"))
    spaced = [[f" {cell} " for cell in row] for row in rows]
    text = mark + joined(names, [*spaced, ["", "", ""]], delimiter).replace("\n", ends)
    found = read_table(write(text, "other.csv"), TableOptions(label="bought"))
    everything = np.arange(ROWS)
    np.testing.assert_array_equal(
        found.measure(everything).inputs, plain.measure(everything).inputs
    )


def test_cells_in_quotes_may_hold_anything(write):
    text = 'a,"b, or ""c""",label\n1,"x,\ny",p\n2,"say ""z""",q\n'
    found = read_table(write(text), TableOptions(label="label"))
    assert [column.name for column in found.columns] == ["a", 'b, or "c"']
    assert found.columns[1].learn(np.arange(2)).words == ('say "z"', "x,\ny")


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        (["1", "2", "3"], [1, 2, 3]),
        (["1.0", "2.0", "1"], [1, 2, 1]),
        (["-1", "+1", "1"], [-1, 1, 1]),
        (["007", "7", "10"], ["007", "7", "10"]),
        (["1", "0", "00"], ["1", "0", "00"]),
        (["a", "1", "1.5"], ["a", "1", "1.5"]),
        (["True", "False", "None"], ["True", "False", "None"]),
    ],
)
def test_labels_are_whole_numbers_or_names(write, labels, wanted):
    text = "x,y\n" + "".join(f"{place},{label}\n" for place, label in enumerate(labels))
    assert read_table(write(text), TableOptions(label="y")).labelled.labels.tolist() == wanted


def test_a_target_is_a_quantity_and_no_input(write):
    options = TableOptions(target="price", group="town")
    found = read_table(write("price,size,town\n1.5,3,a\n-2e3,4,b\n7,5,a\n"), options)
    assert found.labelled.is_regression
    assert found.labelled.labels.tolist() == [1.5, -2000, 7]
    assert [column.name for column in found.columns] == ["size"]


def test_columns_that_are_no_inputs(write):
    text = ",id,zip,who,part,y\n0,7,53111,p1,train,a\n1,8,50667,p2,test,b\n"
    options = TableOptions(label="y", group="who", split="part", drop=("id",), category=("zip",))
    found = read_table(write(text), options)
    assert [column.name for column in found.columns] == ["zip"]
    assert found.columns[0].learn(np.arange(2)).words == ("50667", "53111")
    np.testing.assert_array_equal(found.labelled.groups, ["p1", "p2"])
    np.testing.assert_array_equal(found.labelled.given, ["train", "test"])
    assert found.read_notes == ("column 1 has no name and is left out",)


def test_what_a_person_should_know_is_told(write):
    """Values far away, words that the training part lacks, a column that teaches nothing."""
    far = [str(value) for value in range(1, 200)] + ["1000000"]
    rows = [
        [value, "rare" if i == 9 else f"w{i % 2}", "5", str(i % 2)] for i, value in enumerate(far)
    ]
    source = read_table(write(joined(["a", "b", "c", "y"], rows)), TableOptions(label="y"))
    notes = "\n".join(source.measure(np.delete(np.arange(200), [9, 199])).notes)
    assert (
        "column 'b': the training part does not hold 'rare'; all inputs of the column are" in notes
    )
    assert "column 'c' is constant in the training part; leave it out" in notes
    # Half a percent of 1..199 without 10 is left out at both ends: 1.985 to 198.015, times two.
    assert "1 of 800 values lie far outside most of their column and are taken as" in notes
    assert notes.endswith("the limit: 'a' (-96.03 to 296.03)")


def test_a_column_that_numbers_the_rows_is_told(write):
    order = np.random.default_rng(1).permutation(60) + 1000
    rows = [[str(number), str(place % 7), str(place % 2)] for place, number in enumerate(order)]
    notes = DataSet.read(write(joined(["id", "x", "y"], rows)), label="y").notes
    assert [note for note in notes if "numbers the rows" in note] == [
        "column 'id' only numbers the rows; leave it out (--drop)"
    ]


def test_one_value_far_away_leaves_the_others_their_digits(write):
    values = [*np.linspace(10, 20, 999), 1e9]
    rows = [[f"{value}", str(place % 2)] for place, value in enumerate(values)]
    samples = DataSet.read(write(joined(["x", "y"], rows)), label="y")
    spread = np.ptp(np.sort(samples.train.inputs.ravel())[5:-5])
    assert spread == pytest.approx(1, abs=0.05)
    parts = (samples.train, samples.validation, samples.test)
    assert max(part.inputs.max() for part in parts) == 1


@pytest.mark.parametrize(
    ("text", "how", "message"),
    [
        ("", {}, "its first line must name the columns"),
        (",,\n1,2,3\n", {}, "its first line must name the columns"),
        ("1,2\n3,4\n", {"label": "1"}, "its first line holds numbers; add a line above it"),
        ("a,a,y\n", {}, "two columns are called 'a'; rename one"),
        ("a,y\n", {}, "has no rows; add some"),
        ("a,y\n1,2\n", {"label": None}, r"Name it \(--label, .*, out of 'a', 'y'"),
        ("a,y\n1,2\n", {"label": "z"}, r"has no column 'z' \(label\), only 'a', 'y'"),
        ("a,y\n1,2\n", {"group": "g"}, r"has no column 'g' \(group\)"),
        ("a,y\n1,2\n", {"drop": ("b",)}, r"has no column 'b' \(drop\)"),
        ("a,y\n1,2\n", {"category": ("b",)}, r"has no column 'b' \(category\)"),
        ("a,y\n1,2\n", {"group": "y"}, "label, group must be columns of their own"),
        ("a,y\n1,2\n", {"drop": ("a",)}, "no column is left for inputs"),
        ("a,y\n1,2\n3\n", {}, "line 3 has 1 cells, where the first line names 2 columns"),
        ("a,y\n1,2\n3,4,5\n", {}, "line 3 has 3 cells"),
        ("a,y\n1,p\n2,\n", {}, "line 3 has no value in column 'y'; fill it in, or leave the row"),
        ("a,y\n1,p\n,q\n", {"missing": "refuse"}, "line 3 has no value in column 'a'"),
        ("a,y\n1,p\n1e40,q\n", {}, r"line 3 has a number larger than 1e\+30"),
        ("a,y\n1,p\n1e999,q\n", {}, "line 3 has a number larger"),
        ("a,y\n1,1.5\n2,2\n", {}, "column 'y' holds numbers such as 1.5, not classes"),
        ("a,y\n1,1.5\n2,x\n", {"label": None, "target": "y"}, "'y' is no quantity .line 3: 'x'"),
        ("a,y\n1,1.5\n2,\n", {"label": None, "target": "y"}, "line 3 has no value in column 'y'"),
        ("a,y\n1,1.5\n", {"target": "y"}, "which column holds the labels"),
        ('a,y\n1,"p\n', {}, "is not a table"),
        (b"a,y\n1,\xff\n", {}, "is not text in UTF-8"),
        (b"a,y\n1,p\x00\n", {}, "holds NUL bytes instead"),
        ("a,y\n1,p\n".encode("utf-16-le"), {}, "is not text in UTF-8"),
        ("a,y\n1,0\n2,1\n3,NA\n4,NA\n", {}, "'y' has no value in 2 rows .'NA'., where others"),
        ("a,y\n1," + "p" * 200_000 + "\n", {}, "is not a table .field larger than field limit"),
    ],
)  # fmt: skip
def test_faults_are_named(write, text, how, message):
    options = TableOptions(**{"label": "y", **how})
    with pytest.raises(QcnpeError, match=message) as caught:
        read_table(write(text), options)
    assert str(caught.value).count("table.csv") == 1


def test_numbers_with_a_comma_are_not_taken_for_words(write):
    """However few there are: a column of words would hide the order of the numbers."""
    path = write("x;y\n" + "0,5;a\n1;b\n1,5;a\n" * 9)
    message = r"column 'x' \(line 2: '0,5' is not a number\); numbers need a point"
    with pytest.raises(QcnpeError, match=message):
        read_table(path, TableOptions(label="y"))
    found = read_table(path, TableOptions(label="y", category=("x",)))
    assert found.columns[0].learn(np.arange(9)).words == ("0,5", "1", "1,5")


def test_text_columns_that_hold_too_much_are_named(write):
    words = [[f"w{place}", "yes" if place % 2 else "no"] for place in range(99)]
    message = r"column 'x' holds more than 64 .*line 2: 'w0' is not a number\)"
    with pytest.raises(QcnpeError, match=message):
        read_table(write(joined(["x", "y"], words, ";")), TableOptions(label="y"))
    labels = [["1", f"l{place}"] for place in range(1100)]
    with pytest.raises(QcnpeError, match="column 'y' holds more than 1,024 different words"):
        read_table(write(joined(["x", "y"], labels)), TableOptions(label="y"))


@pytest.mark.parametrize("cell", ["1" * 130_000 + "x", "," * 130_000, "1," * 60_000, " " * 130_000])
def test_a_long_cell_takes_no_long_time(write, cell):
    start = time.process_time()
    path = write(f'x,y\n"{cell}",a\n1,b\n')
    found = read_table(path, TableOptions(label="y"))
    assert len(found.columns[0].learn(np.arange(2)).name) == 1
    assert time.process_time() - start < 2


@pytest.mark.parametrize("cell", ["inf", "-", "1,234,567", "3 000", "12 kg"])
def test_numbers_that_a_single_cell_makes_words_of_are_told(write, cell):
    rows = [[str(place % 30), str(place % 2)] for place in range(90)]
    rows[40][0] = cell
    path = write(joined(["x", "y"], rows, ";"))
    notes = read_table(path, TableOptions(label="y")).read_notes
    assert notes == (
        f"column 'x' is read as words, one input each (line 42: {cell!r} is not a number); correct"
        " such cells, or say that the numbers are names (--category)",
    )
    assert not read_table(path, TableOptions(label="y", category=("x",))).read_notes
    words = [[str(place) if place < 40 else "word", "ab"[place % 2]] for place in range(90)]
    assert not read_table(write(joined(["x", "y"], words)), TableOptions(label="y")).read_notes


@pytest.mark.parametrize("form", ["{} %", "$ {}", "1.{}00,50", "{} 000", "\N{MINUS SIGN}{}"])
def test_numbers_that_are_written_for_persons_are_told(write, form):
    rows = [[form.format(place % 9 + 1), str(place % 2)] for place in range(30)]
    (note,) = read_table(write(joined(["x", "y"], rows, ";")), TableOptions(label="y")).read_notes
    assert note.startswith(f"column 'x' is read as words, one input each (line 2: {rows[0][0]!r} ")


def test_a_class_that_may_be_a_missing_label_is_told(write):
    path = write("x,y\n1,yes\n2,NA\n3,None\n")
    source = read_table(path, TableOptions(label="y"))
    assert source.labelled.labels.tolist() == ["yes", "NA", "None"]
    assert source.read_notes == (
        "column 'y': 'NA' is taken for a class; leave these rows out if their label is missing",
    )


@pytest.mark.parametrize("how", [{"label": "y"}, {"label": "x", "group": "y"}])
def test_long_words_of_many_rows_are_refused_before_memory_is_allocated(write, monkeypatch, how):
    monkeypatch.setattr(table, "MAX_VALUES", 1000)
    rows = [[str(place % 2), "1", "a" * 20 if place else "b"] for place in range(51)]
    with pytest.raises(QcnpeError, match="'y' holds a word of 20 characters, which is too long"):
        read_table(write(joined(["x", "z", "y"], rows)), TableOptions(**how))
    assert read_table(write(joined(["x", "z", "y"], rows[:50])), TableOptions(**how))


def test_new_rows_are_encoded_as_the_table_was(write):
    """Values may be None, NaN, or whole numbers that a gap has made floats of, as in pandas."""
    path = write("zip,city,x,y\n50667,Bonn,1,a\n,,2,b\n53111,Ulm,,a\n")
    found = read_table(path, TableOptions(label="y", category=("zip",)))
    wanted = [column.encode(column.learn(np.arange(3))) for column in found.columns]
    gaps = (None, float("nan"), np.float32("nan"), np.datetime64("NaT"))
    for gap in gaps:
        values: list[list[Any]] = [
            [50667.0, gap, np.float64(53111)], ["Bonn", gap, "Ulm"], [1, 2, gap]
        ]  # fmt: skip
        for column, new, old in zip(found.columns, values, wanted, strict=True):
            np.testing.assert_array_equal(column.learn(np.arange(3)).encode(new), old)


def test_a_column_without_any_value_is_named(write):
    path = write("x,gone,y\n" + "1,,a\n2,NA,b\n" * 20)
    with pytest.raises(QcnpeError, match=r"table.csv: column 'gone': no row of the training part"):
        DataSet.read(path, label="y")
    assert DataSet.read(path, label="y", drop="gone").input_shape == (1, 1, 1)


def test_a_word_far_down_makes_a_column_of_words(write):
    """Whichever comes first: the kind of a column does not depend on where it is looked at."""
    rows = [[str(place % 9), str(place % 2)] for place in range(70_000)]
    rows[69_000][0] = "none of them"
    found = read_table(write(joined(["x", "y"], rows)), TableOptions(label="y"))
    assert len(found.columns[0].learn(np.arange(70_000)).words) == 10


def test_tables_that_are_too_large_are_refused_before_they_are_read(write, monkeypatch):
    path = write("x,y\n" + "1,a\n" * 50)
    monkeypatch.setattr(table_text, "MAX_CELLS", 80)
    with pytest.raises(QcnpeError, match="more than 40 rows of 2 cells"):
        read_table(path, TableOptions(label="y"))
    monkeypatch.setattr(table_text, "MAX_COLUMNS", 1)
    with pytest.raises(QcnpeError, match="2 columns are more than 1"):
        read_table(path, TableOptions(label="y"))
    monkeypatch.setattr(table_text, "MAX_BYTES", 10)
    with pytest.raises(QcnpeError, match="has 204 bytes, more than 10"):
        read_table(path, TableOptions(label="y"))
