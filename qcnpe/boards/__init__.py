"""The engine on FPGA boards: what is built for them, and the host's way to them."""
