"""The memory side of an autonomous engine: memories, tables, descriptors and registers.

An autonomous engine makes the four streams of an `Engine` from memories on the chip and stores its
results there, so that the next layer finds them. `config` has the sizes, `tables` how operands are
fetched and results stored, `descriptors` what the processor executes, `registers` what a host sees.
`maps` says in which order operands are stored, `image` what external memory holds; `machine`
executes an image, and `cycles` counts the cycles of its runs.
"""
