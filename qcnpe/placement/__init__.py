"""From a `Program` to an `Image`: where maps, weights and tables lie in an autonomous engine.

The compiler has decided the tiles, and the order of operands. The placement adds positions and
memories; it never changes what a tile computes.
"""
