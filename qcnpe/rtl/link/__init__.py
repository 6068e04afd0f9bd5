"""The host link of a board: octets of a UART to streams and registers of an engine, and back.

| component | does |
| --- | --- |
| `Receiver`, `Transmitter` | bits of the line to octets, and back |
| `Deframer`, `Framer` | octets to checked bodies, and back |
| `Gate` | lets in only the frames that are whole, of this session and next in turn |
| `Packets` | holds bodies until they are worked off |
| `OperandStore` | holds activations or weights that tiles play again and again |
| `RegisterAccess` | reads and writes the engine's registers |
| `Executor` | does the operations of the bodies |
| `Reporter` | makes the board's own frames |
| `Bridge` | all of them, around an engine |
"""
