"""Commands are taken without a gap, bad ones dropped whole, the first cause kept."""

import pytest

from qcnpe.random_work import random_command
from qcnpe.rtl.decoder import Decoder
from qcnpe.rtl.layouts import mode_bits
from qcnpe.spec.commands import ErrorCause, check_command, command_fields, decode
from qcnpe.spec.config import EngineConfig
from tests.qcnpe.rtl.oracle import OracleTest, play


class DecoderOracle:
    """What the decoder holds; the checks are those of the specification."""

    def __init__(self, config):
        self.config = config
        self.active, self.error, self.precision = 0, ErrorCause.NONE, 16
        self.command = decode(command_fields(config), 0)
        self.rows = self.cols = 0

    def outputs(self, operation):
        known = {
            "active": self.active,
            "commands.ready": int(not self.active or bool(operation["finish"])),
            "error": int(self.error),
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
        take = not self.active or operation["finish"]
        cause = ErrorCause.NONE
        if take:
            self.active = 0
            if operation["commands.valid"]:
                command = decode(command_fields(self.config), operation["commands.payload"])
                cause = check_command(self.config, command)
                if cause is ErrorCause.NONE:
                    self.begin(command)
        if operation["clear_error"]:
            self.error = ErrorCause.NONE
        elif self.error is ErrorCause.NONE:
            self.error = cause

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
        operations = []
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
                    "clear_error": int(rng.random() < 0.3),
                }
            )
        return operations

    def expect(self, config, operations):
        oracle, outputs = DecoderOracle(config), []
        for operation in operations:
            outputs.append(oracle.outputs(operation))
            oracle.step(operation)
        causes = {known["error"] for known in outputs}
        assert len(causes) >= 6, f"only causes {causes}"
        return outputs


@pytest.mark.parametrize("cause", [cause for cause in ErrorCause if cause.value])
def test_first_cause_is_kept_until_it_is_cleared(cause):
    config = EngineConfig(rows=2, cols=2, precisions=(16, 4))
    words = bad_words(config)
    other = words[ErrorCause.OPCODE if cause is ErrorCause.COLS else ErrorCause.COLS]
    operations = [
        {"commands.valid": 1, "commands.payload": words[cause]},
        {"commands.valid": 1, "commands.payload": other},
        {},
        {"clear_error": 1},
        {},
    ]
    seen = play(Decoder(config), operations, ["error", "active"])
    assert [outputs["error"] for outputs in seen] == [0, cause, cause, cause, 0]
    assert not any(outputs["active"] for outputs in seen)


def bad_words(config):
    """A word for each cause, made by one change to a good command."""
    good = {"opcode": 1, "precision": 16, "beats": 1, "rows": 2, "cols": 2}
    changes = {
        ErrorCause.OPCODE: {"opcode": 9},
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
