"""Placement and routing of mapped units, for the lengths of their wires."""
