"""The bus side: AXI4-Stream ports and an AXI4-Lite register file."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Flow, In, Member, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.registers import REGISTER_BYTES, Access, Register, address_bits

_OKAY, _SLVERR = 0, 2
"""Responses of AXI4-Lite."""


def stream_ports(prefix: str, bits: int, flow: Flow, *, last: bool = False) -> dict[str, Member]:
    """Ports of an AXI4-Stream interface whose data have the direction `flow`."""
    back = Out if flow is In else In
    ports = {"tdata": flow(bits), "tvalid": flow(1), "tready": back(1)}
    if last:
        ports["tlast"] = flow(1)
    return {f"{prefix}_{name}": member for name, member in ports.items()}


def lite_ports(prefix: str, address_bits: int) -> dict[str, Member]:
    """Ports of an AXI4-Lite subordinate with 32 bits of data."""
    inputs = {
        "awaddr": address_bits,
        "awprot": 3,
        "awvalid": 1,
        "wdata": 8 * REGISTER_BYTES,
        "wstrb": REGISTER_BYTES,
        "wvalid": 1,
        "bready": 1,
        "araddr": address_bits,
        "arprot": 3,
        "arvalid": 1,
        "rready": 1,
    }
    outputs = {
        "awready": 1,
        "wready": 1,
        "bresp": 2,
        "bvalid": 1,
        "arready": 1,
        "rdata": 8 * REGISTER_BYTES,
        "rresp": 2,
        "rvalid": 1,
    }
    ports = {f"{prefix}_{name}": In(bits) for name, bits in inputs.items()}
    return ports | {f"{prefix}_{name}": Out(bits) for name, bits in outputs.items()}


class AxiLiteRegisters(Component):
    """A register file behind AXI4-Lite, generated from a table.

    No output of the bus depends on an input of the same cycle. An access to an address without a
    register, and one that its register does not allow, are answered with SLVERR and change nothing.
    The two lowest address bits are ignored; the strobes select the bytes. Bytes without a strobe
    keep their value; in a register that cannot be read they are written as zero. Where zero has an
    effect, the user of `written_NAME` looks at the strobes.

    Latency: a read is answered in the cycle after its address was taken. A write is taken in the
    cycle after its address and its data are both valid, and answered in the cycle after that.
    Throughput: a read in two cycles, and in parallel a write in three.

    Parameters
    ----------
    table : the registers

    Ports
    -----
    axi_* : bus, AXI4-Lite subordinate, 32 bits of data
    value_NAME : in, 32 bits, value of register NAME
    read_NAME : out, 1 bit, register NAME is read in this cycle
    written_NAME : out, 1 bit, register NAME is written in this cycle, with `data`
    data : out, 32 bits, the value that is written
    """

    def __init__(self, table: tuple[Register, ...]) -> None:
        self.table = table
        ports = lite_ports("axi", address_bits(table)) | {"data": Out(8 * REGISTER_BYTES)}
        for register in table:
            if register.access is not Access.WRITE:
                ports[f"value_{register.name}"] = In(8 * REGISTER_BYTES)
                ports[f"read_{register.name}"] = Out(1)
            if register.access is not Access.READ:
                ports[f"written_{register.name}"] = Out(1)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """The write channel and the read channel, which are independent of each other."""
        m = Module()
        self._build_write(m)
        self._build_read(m)
        return m

    def _build_write(self, m: Module) -> None:
        """Take address and data together; both ready signals are one register."""
        take, known = Signal(name="take_write"), Signal(name="known_write")
        kept = Signal.like(self.data, name="kept")
        strobes = Cat(*(strobe.replicate(8) for strobe in self.axi_wstrb))
        m.d.sync += take.eq(self.axi_awvalid & self.axi_wvalid & ~take & ~self.axi_bvalid)
        m.d.comb += [
            self.axi_awready.eq(take),
            self.axi_wready.eq(take),
            self.data.eq(self.axi_wdata & strobes | kept & ~strobes),
        ]
        with m.Switch(_word(self.axi_awaddr)):
            for register in self.table:
                if register.access is not Access.READ:
                    with m.Case(register.offset // REGISTER_BYTES):
                        m.d.comb += [known.eq(1), self._port("written", register).eq(take)]
                        if register.access is Access.READ_WRITE:
                            m.d.comb += kept.eq(self._port("value", register))
        with m.If(take):
            m.d.sync += [self.axi_bvalid.eq(1), self.axi_bresp.eq(Mux(known, _OKAY, _SLVERR))]
        with m.Elif(self.axi_bready):
            m.d.sync += self.axi_bvalid.eq(0)

    def _build_read(self, m: Module) -> None:
        """Take an address when the previous response has been accepted."""
        take, known = Signal(name="take_read"), Signal(name="known_read")
        value = Signal(8 * REGISTER_BYTES)
        m.d.comb += [
            self.axi_arready.eq(~self.axi_rvalid),
            take.eq(self.axi_arvalid & self.axi_arready),
        ]
        with m.Switch(_word(self.axi_araddr)):
            for register in self.table:
                if register.access is not Access.WRITE:
                    with m.Case(register.offset // REGISTER_BYTES):
                        m.d.comb += [
                            known.eq(1),
                            value.eq(self._port("value", register)),
                            self._port("read", register).eq(take),
                        ]
        with m.If(take):
            m.d.sync += [
                self.axi_rvalid.eq(1),
                self.axi_rdata.eq(value),
                self.axi_rresp.eq(Mux(known, _OKAY, _SLVERR)),
            ]
        with m.Elif(self.axi_rready):
            m.d.sync += self.axi_rvalid.eq(0)

    def _port(self, kind: str, register: Register) -> Signal:
        port: Signal = getattr(self, f"{kind}_{register.name}")
        return port


def _word(address: Signal) -> Value:
    """Number of the word at an address."""
    return address[(REGISTER_BYTES - 1).bit_length() :]
