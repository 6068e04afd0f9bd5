"""Liberty files of any kit: what their cells are, what these do, and a plain copy for the tools."""
