"""Pages of the site that are made from the code, and the functions that make them."""

from docs.site.commands import commands_page
from docs.site.reference import (
    memory_registers_page,
    memory_words_page,
    registers_page,
    results_page,
    streams_page,
    words_page,
)

GENERATED = {
    "reference/commands.md": commands_page,
    "reference/words.md": words_page,
    "reference/registers.md": registers_page,
    "reference/streams.md": streams_page,
    "reference/memory-words.md": memory_words_page,
    "reference/memory-registers.md": memory_registers_page,
    "reference/result-keys.md": results_page,
}
"""The functions, by the pages' names on the site."""
