"""Timing diagrams: reading waveforms, and drawing them."""

from pathlib import Path
from xml.etree import ElementTree

from docs.waveforms.drawing import Box, Figure, Lane
from docs.waveforms.vcd import sampled

VCD = """$version written by hand $end
$timescale 1ps $end
 $scope module top $end
  $var wire 1 ! clk $end
  $scope module unit $end
   $var wire 4 "# count [3:0] $end
   $var wire 1 & go $end
  $upscope $end
 $upscope $end
$enddefinitions $end
#0
0!
b0000 "#
0&
#5
1!
1&
#10
0!
#15
1!
b0101 "#
#20
0!
0&
#25
1!
b1111 "#
"""

SVG = "{http://www.w3.org/2000/svg}"


def test_values_are_those_before_each_rising_edge(tmp_path: Path) -> None:
    path = tmp_path / "waves.vcd"
    path.write_text(VCD)
    found = sampled(path, "top.clk", ["top.unit.count", "top.unit.go"])
    assert found == {"top.unit.count": [0, 0, 5], "top.unit.go": [0, 1, 0]}


def test_a_figure_shows_each_part_and_says_what_it_shows() -> None:
    cells = [None, Box("a", "a"), Box("a", "a"), Box("<long>"), None, None, None, None]
    lanes = [
        Lane("bus", cells, joined=True),
        Lane("valid", [False, True, True, True, False, False, False, True]),
    ]
    text = Figure("Two parts", lanes, [(0, 6), (7, 8)], ["A note."]).svg()
    root = ElementTree.fromstring(text)
    shown = [each.text for each in root.iter(f"{SVG}text")]
    assert shown == ["0", "5", "bus", "a", "<long>", "valid", "A note."]
    assert root.findtext(f"{SVG}title") == "Two parts"
    boxes = [each for each in root.iter(f"{SVG}rect") if each.get("height") == "18"]
    assert [int(each.attrib["width"]) for each in boxes] == [48, 24]
    assert {int(each.attrib["y"]) for each in boxes} == {46}
