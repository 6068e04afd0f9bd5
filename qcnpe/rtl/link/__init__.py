"""The host link of a board: octets to the streams and registers of an engine, and back.

| component | function |
| --- | --- |
| `Receiver`, `Transmitter` | bits of a UART to octets, and back |
| `UartPhy` | both: the physical layer of a board's link |
| `Deframer`, `Framer` | octets to bodies with a checked CRC, and back |
| `Gate` | accepts only frames that are undamaged, of this session and next in sequence |
| `Packets` | buffers bodies until they are executed |
| `OperandStore` | holds activations or weights that tiles read repeatedly |
| `RegisterAccess` | reads and writes the engine's registers |
| `Executor` | decodes and executes the operations of a frame |
| `ResponseFramer` | makes the frames that the board sends |
| `OctetCore` | all of them but the physical layer, around an engine |
| `BusTarget` | the host as external memory of an autonomous engine |
| `AutonomousCore` | `OctetCore` around an autonomous engine |
| `Bridge` | one of the cores and its physical layer |
"""
