"""The halt against a simple model, and its corner cases by hand."""

from qcnpe.rtl.halt import Halt
from qcnpe.spec.commands import ErrorCause
from tests.qcnpe.rtl.oracle import OracleTest, play


class HaltOracle:
    """Whether the engine runs, is halted, or waits to resume; and why it was halted."""

    def __init__(self):
        self.state, self.error = "runs", ErrorCause.NONE

    def outputs(self):
        return {"halted": int(self.state != "runs"), "error": int(self.error)}

    def step(self, operation):
        if self.state == "resumes" and not operation["busy"] and not operation["halt"]:
            self.state, self.error = "runs", ErrorCause.NONE
        if operation["halt"]:
            self.state = "resumes" if operation["resume"] else "halted"
        elif operation["resume"] and self.state == "halted":
            self.state = "resumes"
        if operation["cause"]:
            self.error = operation["cause"]
            if self.state == "runs":
                self.state = "halted"


class TestHalt(OracleTest):
    seeds = (1, 2, 3)

    def build(self, config):
        return Halt()

    def operations(self, config, rng):
        """A bad command only while the engine runs, as the decoder guarantees."""
        oracle, operations = HaltOracle(), []
        for _ in range(600):
            bad = oracle.state == "runs" and rng.random() < 0.1
            operation = {
                "cause": int(rng.integers(1, 9)) if bad else 0,
                "halt": int(rng.random() < 0.05),
                "resume": int(rng.random() < 0.2),
                "busy": int(rng.random() < 0.6),
            }
            oracle.step(operation)
            operations.append(operation)
        return operations

    def expect(self, config, operations):
        oracle, outputs = HaltOracle(), []
        for operation in operations:
            outputs.append(oracle.outputs())
            oracle.step(operation)
        assert len({known["error"] for known in outputs}) == 9
        return outputs


BAD, ROWS = {"cause": int(ErrorCause.ROWS)}, int(ErrorCause.ROWS)


def history(*operations):
    """(halted, error) in each cycle."""
    seen = play(Halt(), operations, ["halted", "error"])
    return [(cycle["halted"], cycle["error"]) for cycle in seen]


def test_a_bad_command_stays_until_the_host_resumes():
    held = [(1, ROWS)] * 3
    assert history(BAD, {}, {}, {"resume": 1}, {}, {}) == [(0, 0), *held, (1, ROWS), (0, 0)]


def test_a_resume_waits_for_what_is_left_inside():
    busy = {"busy": 1}
    seen = history(BAD, {**busy, "resume": 1}, busy, busy, {}, {})
    assert seen == [(0, 0)] + [(1, ROWS)] * 4 + [(0, 0)]


def test_halt_and_resume_at_once_are_a_whole_reset():
    both = {"halt": 1, "resume": 1, "busy": 1}
    assert history(both, {"busy": 1}, {}, {}) == [(0, 0), (1, 0), (1, 0), (0, 0)]


def test_a_halt_takes_an_earlier_resume_back():
    seen = history(BAD, {"resume": 1, "busy": 1}, {"halt": 1, "busy": 1}, {}, {}, {})
    assert seen == [(0, 0)] + [(1, ROWS)] * 5


def test_a_resume_is_not_kept_for_a_later_error():
    """Neither a resume without a halt nor one in the cycle in which another takes effect."""
    assert history({"resume": 1}, BAD, {}, {}, {}) == [(0, 0)] * 2 + [(1, ROWS)] * 3
    twice = history(BAD, {"resume": 1}, {"resume": 1}, BAD, {}, {}, {})
    assert twice == [(0, 0), (1, ROWS), (1, ROWS), (0, 0)] + [(1, ROWS)] * 3
