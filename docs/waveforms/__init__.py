"""Figures of waveforms, drawn from simulations of the Verilog: `make waveforms`."""
