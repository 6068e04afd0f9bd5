"""The machine that figures are measured on."""

import os
import platform


def machine_name() -> str:
    """Its kind of processor, and how many there are, as files of results state them."""
    return f"{platform.machine()}, {os.cpu_count()} processors"
