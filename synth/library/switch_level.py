"""Switch-level simulation of a cell: its truth table straight from its transistors."""

from synth.library.cells import Cell
from synth.library.errors import CellDesignError
from synth.library.network import GROUND, SUPPLY, Transistor

Values = dict[str, int | None]


class SwitchLevel:
    """Three-valued (0, 1, unknown) switch-level simulator with charge retention.

    A net takes the value of the rail that it reaches through transistors which are surely on, and
    keeps its charge if it reaches none. Reaching both rails is an error once the cell has settled.
    """

    SWEEPS = 200

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.values: Values = dict.fromkeys(cell.network.nets)
        self._touching: dict[str, list[Transistor]] = {}
        for t in cell.network.transistors:
            for net in (t.drain, t.source):
                self._touching.setdefault(net, []).append(t)

    def drive(self, inputs: dict[str, int]) -> None:
        """Apply input values and let the cell settle."""
        self.values.update(inputs)
        for _ in range(self.SWEEPS):
            if not self._sweep():
                self._refuse_fights()
                return
        raise CellDesignError(f"{self.cell.name} oscillates with inputs {inputs}")

    def toggle(self, pin: str) -> None:
        """Invert one input."""
        self.drive({pin: 1 - int(self.values[pin] or 0)})

    def state(self) -> dict[str, int]:
        """Values of the pins, which must all be known."""
        unknown = [p for p in self.cell.pins if self.values[p] is None]
        if unknown:
            raise CellDesignError(f"{self.cell.name}: pins {unknown} are undriven")
        return {p: int(self.values[p] or 0) for p in self.cell.pins}

    def _value(self, net: str) -> int | None:
        return {SUPPLY: 1, GROUND: 0}.get(net, self.values.get(net))

    def _on(self, t: Transistor) -> bool:
        if t.gate in (t.drain, t.source):
            return True  # a diode: conducts until its net is near the rail
        return self._value(t.gate) == (1 if t.polarity == "n" else 0)

    def _rails(self, start: str) -> set[int]:
        found, seen, todo = set(), {start}, [start]
        while todo:
            net = todo.pop()
            for t in self._touching.get(net, []):
                other = t.source if t.drain == net else t.drain
                if other in seen or not self._on(t):
                    continue
                seen.add(other)
                if other in (SUPPLY, GROUND) or other in self.cell.inputs:
                    found.add(int(self._value(other) or 0))
                else:
                    todo.append(other)
        return found

    def _sweep(self) -> bool:
        changed = False
        for net in self._touching:
            if net in (SUPPLY, GROUND) or net in self.cell.inputs:
                continue
            rails = self._rails(net)
            if len(rails) == 1 and self.values[net] != (value := rails.pop()):
                self.values[net] = value
                changed = True
        return changed

    def _refuse_fights(self) -> None:
        for net in self._touching:
            if net not in (SUPPLY, GROUND, *self.cell.inputs) and len(self._rails(net)) > 1:
                raise CellDesignError(f"{self.cell.name}: net {net} fights in {self.values}")
