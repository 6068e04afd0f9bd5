"""Area, timing and energy of the engine: cell library, Yosys flows, the energy table."""
