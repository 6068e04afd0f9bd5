"""Liberty files of any kit: their cells, models of these, and a plain copy for the tools."""
