"""The array: every sum at its row, column and cycle; masked units stay out."""

import numpy as np

from qcnpe.rtl.layouts import mode_bits
from qcnpe.rtl.ncu_array import NcuArray
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import array_latency
from tests.qcnpe import exact
from tests.qcnpe.rtl.oracle import OracleTest, lane_words, play

REST = {"valid": 0}


class TestNcuArray(OracleTest):
    configs = (
        EngineConfig(rows=1, cols=1),
        EngineConfig(rows=2, cols=3),
        EngineConfig(rows=3, cols=2, precisions=(16,)),
        EngineConfig(rows=3, cols=3, ncu="plain16", precisions=(16,)),
        EngineConfig(rows=3, cols=2, ncu="dsp", precisions=(16, 4)),
    )

    def build(self, config):
        return NcuArray(config)

    def operations(self, config, rng):
        """Tiles, some beats late, each at least as long as the drain of the one before."""
        operations = []
        for _ in range(8):
            tile = self.tile(config, rng)
            for operation in tile:
                operations += [REST] * int(rng.integers(3) == 0)
                operations.append(operation)
        return operations + [REST] * (config.rows + config.cols + array_latency(config))

    def tile(self, config, rng):
        beats = int(rng.integers(config.cols, config.cols + 4))
        rows, cols = rng.integers(1, config.rows + 1), rng.integers(1, config.cols + 1)
        mode, unsigned = int(rng.integers(len(config.precisions))), int(rng.integers(2))
        tile = []
        for index in range(beats):
            operation = {
                "valid": 1,
                "control.first": int(index == 0),
                "control.last": int(index == beats - 1),
                "control.is_unsigned": unsigned,
            }
            if mode_bits(config):
                operation["control.mode"] = mode
            for row, word in enumerate(lane_words(rng, config.rows)):
                operation[f"activations.{row}.valid"] = int(row < rows)
                operation[f"activations.{row}.zero"] = int(word == 0)
                operation[f"activations.{row}.operands"] = word
            for col, word in enumerate(lane_words(rng, config.cols)):
                operation[f"weights.{col}.valid"] = int(col < cols)
                operation[f"weights.{col}.operands"] = word
            tile.append(operation)
        return tile

    def expect(self, config, operations):
        silence = {f"done.{r}": 0 for r in range(config.rows)}
        silence |= {f"result.{r}": 0 for r in range(config.rows)}
        outputs = [dict(silence) for _ in operations]
        tile = []
        for cycle, operation in enumerate(operations):
            if operation["valid"]:
                tile.append(operation)
            if operation.get("control.last"):
                self.note_sums(config, tile, outputs, cycle + array_latency(config))
                tile = []
        return outputs

    def note_sums(self, config, tile, outputs, cycle):
        """The sum of row r and column c is there r + c cycles later."""
        for row in range(config.rows):
            for col in range(config.cols):
                if tile[0][f"activations.{row}.valid"] and tile[0][f"weights.{col}.valid"]:
                    outputs[cycle + row + col][f"done.{row}"] = 1
                    outputs[cycle + row + col][f"result.{row}"] = self.total(config, tile, row, col)

    def total(self, config, tile, row, col):
        width = 16 // config.pairs(config.precisions[tile[0].get("control.mode", 0)])
        unsigned = bool(tile[0]["control.is_unsigned"])
        total = sum(
            exact.dot(
                beat[f"activations.{row}.operands"],
                beat[f"weights.{col}.operands"],
                width,
                unsigned=unsigned,
            )
            for beat in tile
        )
        return exact.wrap(total, config.accumulator_bits)


def ones(config, rows, cols, **control):
    """A beat of ones for some rows and columns."""
    operation = {"valid": 1} | {f"control.{name}": value for name, value in control.items()}
    for row in range(config.rows):
        operation |= {f"activations.{row}.valid": int(row < rows), f"activations.{row}.operands": 1}
    for col in range(config.cols):
        operation |= {f"weights.{col}.valid": int(col < cols), f"weights.{col}.operands": 1}
    return operation


def test_masked_units_keep_their_accumulators():
    """Only the units of a 2x1 tile count its five beats; a last beat shows what all hold."""
    config = EngineConfig(rows=3, cols=3)
    operations = [
        ones(config, 3, 3, first=1),
        *[ones(config, 2, 1)] * 5,
        ones(config, 3, 3, last=1),
        *[REST] * 8,
    ]
    watched = [f"{name}.{row}" for name in ("done", "result") for row in range(3)]
    seen = play(NcuArray(config), operations, watched)
    sums = np.array(
        [[out[f"result.{row}"] for out in seen if out[f"done.{row}"]] for row in range(3)]
    )
    np.testing.assert_array_equal(sums, [[7, 2, 2], [7, 2, 2], [2, 2, 2]])
