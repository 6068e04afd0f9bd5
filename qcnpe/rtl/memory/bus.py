"""The AXI4 manager's ports and the words that its users exchange with it."""

from enum import IntEnum

from amaranth.hdl import Const, Module
from amaranth.lib import data
from amaranth.lib.wiring import In, Member, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.memory.timing import BURST_BEATS

_INCREMENTING, _MODIFIABLE_BUFFERABLE = 1, 3
"""Codes of the burst type and of the memory type that all bursts have."""


COUNT_BITS = 24
"""Bits of the number of bus words of a transfer: up to 65536 rows of up to 256 words."""


class Response(IntEnum):
    """How a subordinate answered a transfer; EXOKAY never occurs, as no access is exclusive."""

    OKAY = 0
    SLVERR = 2
    DECERR = 3


def word_bits(data_bits: int, address_bits: int) -> int:
    """Bits of the number of a bus word in the address space."""
    return address_bits - (data_bits // 8 - 1).bit_length()


def transfer_layout(data_bits: int, address_bits: int) -> data.StructLayout:
    """A request: `count` bus words from bus word `first` on."""
    bits = word_bits(data_bits, address_bits)
    return data.StructLayout({"first": bits, "count": COUNT_BITS})


def burst_layout(data_bits: int, address_bits: int) -> data.StructLayout:
    """A burst: its first bus word, and one less than its beats, as on the bus."""
    bits = word_bits(data_bits, address_bits)
    return data.StructLayout({"first": bits, "length": (BURST_BEATS - 1).bit_length()})


def _request_ports(letter: str, address_bits: int) -> dict[str, Member]:
    """Ports of an address channel."""
    outputs = {
        "id": 1,
        "addr": address_bits,
        "len": 8,
        "size": 3,
        "burst": 2,
        "lock": 1,
        "cache": 4,
        "prot": 3,
        "valid": 1,
    }
    ports = {f"a{letter}{name}": Out(bits) for name, bits in outputs.items()}
    return ports | {f"a{letter}ready": In(1)}


def read_ports(prefix: str, *, data_bits: int, address_bits: int) -> dict[str, Member]:
    """Ports of the two channels on which an AXI4 manager reads."""
    inputs = {"rid": 1, "rdata": data_bits, "rresp": 2, "rlast": 1, "rvalid": 1}
    ports = _request_ports("r", address_bits) | {"rready": Out(1)}
    ports |= {name: In(bits) for name, bits in inputs.items()}
    return {f"{prefix}_{name}": member for name, member in ports.items()}


def write_ports(prefix: str, *, data_bits: int, address_bits: int) -> dict[str, Member]:
    """Ports of the three channels on which an AXI4 manager writes."""
    outputs = {"wdata": data_bits, "wstrb": data_bits // 8, "wlast": 1, "wvalid": 1, "bready": 1}
    inputs = {"wready": 1, "bid": 1, "bresp": 2, "bvalid": 1}
    ports = _request_ports("w", address_bits)
    ports |= {name: Out(bits) for name, bits in outputs.items()}
    ports |= {name: In(bits) for name, bits in inputs.items()}
    return {f"{prefix}_{name}": member for name, member in ports.items()}


def drive_request(m: Module, component: Component, letter: str, burst: data.View) -> None:
    """Drive an address channel's payload: an incrementing burst of whole, aligned bus words.

    Parameters
    ----------
    m : module of the component
    component : has the ports, with the prefix `axi`
    letter : of the channel, `r` or `w`
    burst : of `burst_layout`
    """
    values = {
        "id": 0,
        "burst": _INCREMENTING,
        "lock": 0,
        "cache": _MODIFIABLE_BUFFERABLE,
        "prot": 0,
        "len": burst.length,
    }
    for name, value in values.items():
        m.d.comb += getattr(component, f"axi_a{letter}{name}").eq(value)
    address = getattr(component, f"axi_a{letter}addr")
    low = len(address) - len(burst.first)
    m.d.comb += [
        getattr(component, f"axi_a{letter}size").eq(low),
        address.eq(burst.first << Const(low)),
    ]
