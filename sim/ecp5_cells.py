"""Models of the ECP5's multiplier and block memory, of which Yosys has only the ports.

They cover the modes that Yosys uses for a board: multipliers without registers, and block memories
that only port A writes. A block memory in another mode ends the simulation.

Source: Lattice, ECP5 and ECP5-5G Memory Usage Guide (TN-02204) and sysDSP Usage Guide (TN-02205).
"""

BLOCK_MEMORY = "ECP5_BLOCK_MEMORY"
"""Name of the model; Yosys' own models have an empty module of the cell's name, DP16KD."""

_ROWS = 64
"""Parameters that hold a memory's start values, each of them 16 words of 20 bits."""


def _pins(name: str, bits: int) -> str:
    return ", ".join(f"{name}{bit}" for bit in reversed(range(bits)))


MULTIPLIER = f"""
module MULT18X18D(
  input {_pins("A", 18)},
  input {_pins("B", 18)},
  input {_pins("C", 18)},
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  output {_pins("P", 36)});
  wire signed [18:0] a = {{SIGNEDA & A17, {_pins("A", 18)}}};
  wire signed [18:0] b = {{SIGNEDB & B17, {_pins("B", 18)}}};
  assign {{{_pins("P", 36)}}} = a * b;
endmodule
"""
"""The multiplier without registers."""


def _port(port: str) -> str:
    return f"""
  input {_pins(f"DI{port}", 18)},
  input {_pins(f"AD{port}", 14)},
  input CE{port}, OCE{port}, CLK{port}, WE{port}, RST{port}, CS{port}0, CS{port}1, CS{port}2,
  output {_pins(f"DO{port}", 18)}"""


def _start_values() -> str:
    """A word of 20 bits holds two groups of nine; the highest two are not used."""
    return "\n".join(
        f"    for (i = 0; i < 32; i = i + 1)"
        f" groups[{32 * row} + i] = INITVAL_{row:02X}[(i / 2) * 20 + (i % 2) * 9 +: 9];"
        for row in range(_ROWS)
    )


def _first_group(port: str) -> str:
    address, width = f"address_{port}", f"DATA_WIDTH_{port}"
    return (
        f"{width} == 36 ? {{{address}[13:5], 2'b0}} : "
        f"{width} == 18 ? {{{address}[13:4], 1'b0}} : {address}[13:3]"
    )


def _first_bit(port: str) -> str:
    """Of a word within its group: narrow words lie side by side in it and leave the ninth bit."""
    address, width = f"address_{port}", f"DATA_WIDTH_{port}"
    return (
        f"{width} == 4 ? {{{address}[2], 2'b0}} : {width} == 2 ? {{{address}[2:1], 1'b0}} : "
        f"{width} == 1 ? {address}[2:0] : 3'b0"
    )


def _reading(port: str) -> str:
    """The word that a port reads; while the port writes, the old or the new word, by its mode."""
    first, found, bit = f"first_{port}", f"found_{port}", f"bit_{port}"
    word = ", ".join(f"groups[{first} | 11'd{place}]" for place in (3, 2, 1, 0))
    return f"""
  wire [10:0] {first} = {_first_group(port)};
  wire [2:0] {bit} = {_first_bit(port)};
  reg [35:0] {found} = 0;
  wire reset_{port} = RST{port} && RESETMODE == "ASYNC";
  always @(posedge CLK{port} or posedge reset_{port})
    if (RST{port}) {found} <= 0;
    else if (CE{port} && (!WE{port} || WRITEMODE_{port} == "READBEFOREWRITE"))
      {found} <= {{{word}}} >> {bit};
"""


def _is_modelled(port: str) -> str:
    widths = " || ".join(f"DATA_WIDTH_{port} == {width}" for width in (1, 2, 4, 9, 18, 36))
    return (
        f'REGMODE_{port} == "NOREG" && CSDECODE_{port} == "0b000" && CLK{port}MUX == "CLK{port}"'
        f' && WRITEMODE_{port} != "WRITETHROUGH"'
        f" && ({widths})"
    )


def _block_memory() -> str:
    return f"""
module {BLOCK_MEMORY} #(
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
  parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG",
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000",
  parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB",
  parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
  parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", GSR = "AUTO",
  parameter [319:0] {", ".join(f"INITVAL_{row:02X} = 0" for row in range(_ROWS))}) (
{_port("A")},{_port("B")});
  // Groups of nine bits; words of less lie in eight of them. Words of 36 bits come and go through
  // the pins of both sides.
  reg [8:0] groups [0:2047];
  wire [35:0] written = {{{_pins("DIB", 18)}, {_pins("DIA", 18)}}};
  wire [13:0] address_A = {{{_pins("ADA", 14)}}};
  wire [13:0] address_B = {{{_pins("ADB", 14)}}};
  wire [3:0] enabled = DATA_WIDTH_A == 9 ? 4'b1 : address_A[3:0];
  integer i;
  initial begin
    if (!({_is_modelled("A")} && {_is_modelled("B")}))
      $fatal(1, "%m: a block memory that is not modelled");
{_start_values()}
  end
{_reading("A")}{_reading("B")}
  always @(posedge CLKA)
    if (CEA && WEA) begin
      for (i = 0; i < DATA_WIDTH_A / 9; i = i + 1)
        if (enabled[i[1:0]]) groups[first_A + i[10:0]] <= written[i * 9 +: 9];
      if (DATA_WIDTH_A < 9)
        for (i = 0; i < DATA_WIDTH_A; i = i + 1) groups[first_A][bit_A + i[2:0]] <= written[i];
    end
  always @(posedge CLKB)
    if (CEB && WEB) $fatal(1, "%m: side B of a block memory writes");
  assign {{{_pins("DOA", 18)}}} = DATA_WIDTH_B == 36 ? found_B[17:0] : found_A[17:0];
  assign {{{_pins("DOB", 18)}}} = DATA_WIDTH_B == 36 ? found_B[35:18] : found_B[17:0];
endmodule
"""


CELLS = MULTIPLIER + _block_memory()
"""All models."""
