"""Runs the generated Verilog: cocotb benches, the Verilator runner, the simulated transport."""
