"""Commands are taken without a gap; bad ones are reported and not executed; none in a halt."""

import pytest

from qcnpe.random_work import random_command
from qcnpe.rtl.decoder import Decoder
from qcnpe.rtl.layouts import mode_bits
from qcnpe.spec.commands import ErrorCause, check_command, command_fields, decode
from qcnpe.spec.config import EngineConfig
from tests.qcnpe.rtl.oracle import OracleTest, play


class DecoderOracle:
    """The expected state of the decoder; the checks are those of the specification."""

    def __init__(self, config):
        self.config = config
        self.active, self.precision = 0, 16
        self.command = decode(command_fields(config), 0)
        self.rows = self.cols = 0

    def outputs(self, operation):
        known = {
            "active": self.active,
            "commands.ready": int(not self.active or bool(operation["finish"])),
            "cause": int(self.cause(operation)),
            "precision": self.precision,
            "row_mask": 2**self.rows - 1,
            "col_mask": 2**self.cols - 1,
        }
        if mode_bits(self.config):
            known["mode"] = self.config.precisions.index(self.precision)
        if self.active:
            known |= {f"command.{name}": value for name, value in self.command.items()}
        return known

    def step(self, operation):
        if self.takes(operation):
            self.active = 0
            if operation["commands.valid"] and not self.cause(operation):
                self.begin(decode(command_fields(self.config), operation["commands.payload"]))
        if operation["halt"]:
            self.active = 0

    def takes(self, operation):
        return not operation["halted"] and (not self.active or operation["finish"])

    def cause(self, operation):
        """Of a bad command that is taken in this cycle."""
        if not self.takes(operation) or not operation["commands.valid"]:
            return ErrorCause.NONE
        return check_command(self.config, operation["commands.payload"])

    def begin(self, command):
        self.active, self.command = 1, command
        self.rows = min(command["rows"], self.config.rows)
        self.cols = min(command["cols"], self.config.cols)
        if command["opcode"] == 1:
            self.precision = command["precision"]


class TestDecoder(OracleTest):
    configs = (
        EngineConfig(rows=4, cols=3),
        EngineConfig(rows=1, cols=1, precisions=(16,)),
        EngineConfig(rows=256, cols=256, precisions=(16, 8)),
        EngineConfig(rows=5, cols=2, ncu="gated", precisions=(16, 13, 2)),
    )
    seeds = (1, 2)

    def build(self, config):
        return Decoder(config)

    def operations(self, config, rng):
        """Good commands, good ones with one bit changed, and words that mean nothing."""
        operations: list[dict[str, int]] = []
        for _ in range(900):
            word = random_command(config, rng)
            kind = rng.random()
            if kind < 0.5:
                word ^= 1 << int(rng.integers(64))
            elif kind < 0.55:
                word = int.from_bytes(rng.bytes(8))
            operations.append(
                {
                    "commands.valid": int(rng.random() < 0.8),
                    "commands.payload": word,
                    "finish": int(rng.random() < 0.5),
                    "halt": int(rng.random() < 0.02),
                    "halted": int(bool(operations) and self.is_halted(operations[-1], rng)),
                }
            )
        return operations

    def is_halted(self, before, rng):
        """A halt begins with its request and ends at random."""
        return before["halt"] or (before["halted"] and rng.random() < 0.8)

    def expect(self, config, operations):
        oracle, outputs = DecoderOracle(config), []
        for operation in operations:
            outputs.append(oracle.outputs(operation))
            oracle.step(operation)
        causes = {known["cause"] for known in outputs}
        assert len(causes) >= 6, f"only causes {causes}"
        return outputs


@pytest.mark.parametrize("cause", [cause for cause in ErrorCause if cause.value])
def test_each_cause_is_reported_once(cause):
    config = EngineConfig(rows=2, cols=2, precisions=(16, 4))
    word = {"commands.valid": 1, "commands.payload": bad_words(config)[cause]}
    operations = [{}, word, {**word, "halted": 1}, {"halted": 1}, {}]
    seen = play(Decoder(config), operations, ["cause", "active", "commands.ready"])
    assert [outputs["cause"] for outputs in seen] == [0, cause, 0, 0, 0]
    assert not any(outputs["active"] for outputs in seen)
    assert all(outputs["commands.ready"] for outputs in seen), "a halted engine discards commands"


def bad_words(config):
    """A word for each cause, made by one change to a good command."""
    good = {"opcode": 1, "precision": 16, "beats": 1, "rows": 2, "cols": 2}
    changes = {
        ErrorCause.OPCODE: {"opcode": 5},
        ErrorCause.PRECISION: {"precision": 8},
        ErrorCause.BEATS: {"beats": 0},
        ErrorCause.ROWS: {"rows": 3},
        ErrorCause.COLS: {"cols": 3},
        ErrorCause.FUNCTION: {"function": 3},
        ErrorCause.POOL: {"pool": 2},
        ErrorCause.RESERVED: {"reserved": 1},
    }
    fields = command_fields(config)
    words = {}
    for cause, change in changes.items():
        place, word = 0, 0
        for field in fields:
            word |= {**good, **change}.get(field.name, 0) << place
            place += field.bits
        words[cause] = word
    return words
