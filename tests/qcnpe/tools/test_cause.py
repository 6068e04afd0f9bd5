"""Causes are found in the output of real tools that failed: g++ 12, make 4.3 and so on."""

from pathlib import Path

import pytest

from qcnpe.tools.cause import true_cause

VERILATOR = """\
%Warning-UNUSEDSIGNAL: top.v:2:8: Signal is not used: 'error'
    2 |   wire error;
      |        ^~~~~
%Error-MODMISSING: top.v:5:3: Cannot find file containing module: 'nothere'
    5 |   nothere u(.x(a));
%Error: Exiting due to 1 error(s), 1 warning(s)
"""

COMPILER = """\
u.cpp: In function 'int main()':
u.cpp:1:26: warning: unused variable 'error' [-Wunused-variable]
    1 | int main(){ int error; return undeclared; }
      |                 ^~~~~
u.cpp:1:20: error: 'undeclared' was not declared in this scope
make: *** [Makefile:2: all] Error 1
"""

LINKER = """\
/usr/bin/ld: ccVrXOXO.o: in function `main':
l.cpp:(.text+0x5): undefined reference to `f()'
collect2: error: ld returned 1 exit status
"""

NGSPICE = """\
Note: No compatibility mode selected!
Error: unknown subckt: x1 a b nosub
    Simulation interrupted due to error!
"""

LOST_NGSPICE = """\
Warning from checkvalid: vector error is not available or has zero length.
Note: No ".plot", ".print", or ".fourier" lines; no simulations run
"""

TRACEBACK = """\
Traceback (most recent call last):
  File "x.py", line 3, in error_of
    raise RuntimeError("out of blocks")
RuntimeError: out of blocks
"""


@pytest.mark.parametrize(
    ("stderr", "stdout", "cause"),
    [
        (VERILATOR, "", "%Error-MODMISSING: top.v:5:3: Cannot find file containing module"),
        ("", VERILATOR, "%Error-MODMISSING: top.v:5:3"),
        (COMPILER, "c++ -c error.cpp\n", "u.cpp:1:20: error: 'undeclared' was not declared"),
        ("h.cpp:1:10: fatal error: x.h: No such file or directory\n", "", "h.cpp:1:10: fatal"),
        (LINKER, "", "l.cpp:(.text+0x5): undefined reference to `f()'"),
        ("make: *** No rule to make target 'error.o'.  Stop.\n", "", "make: *** No rule"),
        ("make: nosuch: No such file or directory\nmake: *** [a] Error 127\n", "", "make: nosuch:"),
        ("", "Reading `error.v'\ndesign.v:33: ERROR: syntax error\n", "design.v:33: ERROR: syn"),
        ("Warning: no error here\nERROR: Unable to place cell 'error'\n", "", "ERROR: Unable"),
        (NGSPICE, "Circuit: error\n", "Error: unknown subckt: x1 a b nosub"),
        (LOST_NGSPICE, "Circuit: t\n", "Warning from checkvalid: vector error is not available"),
        ("", "Error: cannot read file nope.lib.\n", "Error: cannot read file nope.lib."),
        (TRACEBACK, "", "RuntimeError: out of blocks"),
        ("a.v:3: syntax error\n", "", "a.v:3: syntax error"),
        ("unable to open ftdi device: -3 (device not found)\n", "", "unable to open ftdi device"),
        ("", "", "ended with status 1 and said nothing"),
    ],
)
def test_cause_is_what_a_person_would_point_at(
    tmp_path: Path, stderr: str, stdout: str, cause: str
) -> None:
    errors, output = tmp_path / "stderr", tmp_path / "stdout"
    errors.write_text(stderr)
    output.write_text(stdout)
    assert true_cause(errors, output, 1).startswith(cause)


def test_signal_is_named_if_the_tool_said_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    assert true_cause(tmp_path / "none", tmp_path / "none", -9) == "ended by SIGKILL"


def test_long_lines_are_cut(tmp_path: Path) -> None:
    (tmp_path / "stderr").write_text("ERROR: " + "x" * 100_000)
    (tmp_path / "stdout").touch()
    assert len(true_cause(tmp_path / "stderr", tmp_path / "stdout", 1)) < 500
