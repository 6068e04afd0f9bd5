"""The C driver as a shared library, for tests."""

import ctypes
import subprocess
from pathlib import Path

from qcnpe.spec.memory.c_driver import c_driver
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.registers import memory_registers

_WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow")
STRICT = ("-std=c99", "-O1", *_WARNINGS)
READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)


class Bus(ctypes.Structure):
    """`qcnpe_bus`."""

    _fields_ = (("read", READ), ("write", WRITE), ("context", ctypes.c_void_p))


class CImage(ctypes.Structure):
    """`qcnpe_image`."""

    _fields_ = (
        ("file", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        *((name, ctypes.c_uint32) for name in ("data_bytes", "input_bytes", "output_bytes")),
        *((name, ctypes.c_uint32) for name in ("batch", "features", "outputs", "banks")),
        ("number", ctypes.c_uint32),
    )


class CEngine(ctypes.Structure):
    """`qcnpe_engine`."""

    _fields_ = (
        ("bus", Bus),
        *((name, ctypes.c_uint32) for name in ("rows", "cols", "banks", "bus_bytes")),
        ("address_bits", ctypes.c_uint32),
        ("image", ctypes.c_void_p),
        ("loaded", ctypes.c_uint32),
        ("last", ctypes.c_uint32),
        ("fault", ctypes.c_int),
        ("row", ctypes.c_uint32),
    )


def write_driver(config: MemoryConfig, folder: Path) -> Path:
    """Write the driver's files; gives the path of its source."""
    for name, text in c_driver(memory_registers(config)).items():
        (folder / name).write_text(text)
    return folder / "qcnpe.c"


def compile_c(*arguments: str | Path) -> None:
    """Compile as strictly as the driver promises."""
    subprocess.run(["gcc", *STRICT, *map(str, arguments)], check=True, timeout=60)
