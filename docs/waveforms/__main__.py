"""Simulate, and draw the figures of docs/images."""

from pathlib import Path
from tempfile import TemporaryDirectory

from docs.tables.cells import ROOT
from docs.waveforms import autonomous, tile
from qcnpe.command_line import command
from qcnpe.spec.files import replace_text

IMAGES = ROOT / "docs" / "images"


def main() -> None:
    """Write every figure."""
    with TemporaryDirectory(prefix="qcnpe-") as name:
        path = Path(name) / "tile.vcd"
        figure = tile.draw(path, tile.simulate(path))
        replace_text(IMAGES / "tile.svg", figure.svg())
        path = Path(name) / "autonomous.vcd"
        autonomous.simulate(path)
        for title, each in autonomous.draw(path).items():
            replace_text(IMAGES / f"autonomous-{title}.svg", each.svg())


if __name__ == "__main__":
    with command("waveforms"):
        main()
