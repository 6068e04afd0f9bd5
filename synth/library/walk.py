"""Sequences of single input toggles that visit every transition of a cell."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from synth.library.cells import Cell
from synth.library.switch_level import SwitchLevel

State = tuple[int, ...]


@dataclass(frozen=True)
class InputToggle:
    """One input toggle: the pin values before and after it."""

    pin: str
    before: tuple[tuple[str, int], ...]
    after: tuple[tuple[str, int], ...]

    @property
    def rises(self) -> bool:
        """Whether the toggled pin rises."""
        return bool(dict(self.after)[self.pin])

    def changed(self, outputs: tuple[str, ...]) -> tuple[str, ...]:
        """Outputs that the toggle changes."""
        old, new = dict(self.before), dict(self.after)
        return tuple(o for o in outputs if old[o] != new[o])


class TransitionGraph:
    """Every reachable pin state of a cell and what each input toggle leads to."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        simulator = SwitchLevel(cell)
        simulator.drive(dict.fromkeys(cell.inputs, 0))
        for pin in cell.preamble:
            simulator.toggle(pin)
        self.start = self._key(simulator)
        self.nets: dict[State, dict[str, int | None]] = {self.start: dict(simulator.values)}
        self.next: dict[tuple[State, str], State] = {}
        self._explore(simulator)

    def _key(self, simulator: SwitchLevel) -> State:
        return tuple(simulator.state().values())

    def _explore(self, simulator: SwitchLevel) -> None:
        todo = deque([self.start])
        while todo:
            state = todo.popleft()
            for pin in self.cell.inputs:
                simulator.values = dict(self.nets[state])
                simulator.toggle(pin)
                key = self._key(simulator)
                self.next[state, pin] = key
                if key not in self.nets:
                    self.nets[key] = dict(simulator.values)
                    todo.append(key)

    def step(self, state: State, pin: str) -> InputToggle:
        """The step that toggling `pin` in `state` makes."""
        pins = self.cell.pins
        after = self.next[state, pin]
        return InputToggle(
            pin, tuple(zip(pins, state, strict=True)), tuple(zip(pins, after, strict=True))
        )

    def cover(self, wanted: Callable[[InputToggle], bool]) -> list[InputToggle]:
        """A walk from the start through every wanted transition, greedily by shortest way."""
        left = {e for e in self.next if wanted(self.step(*e))}
        state, walk = self.start, []
        while left:
            for edge in self._nearest(state, left):
                walk.append(self.step(*edge))
                left.discard(edge)
                state = self.next[edge]
        return walk

    def _nearest(self, start: State, left: set[tuple[State, str]]) -> list[tuple[State, str]]:
        todo: deque[tuple[State, list[tuple[State, str]]]] = deque([(start, [])])
        seen = {start}
        while todo:
            state, path = todo.popleft()
            for pin in self.cell.inputs:
                if (state, pin) in left:
                    return [*path, (state, pin)]
            for pin in self.cell.inputs:
                after = self.next[state, pin]
                if after not in seen:
                    seen.add(after)
                    todo.append((after, [*path, (state, pin)]))
        raise AssertionError("every reachable transition has a way to it")
