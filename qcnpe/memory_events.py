"""What happens around the engine in a run of an autonomous engine: counts only, never costs."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from qcnpe.events import OperandActivity
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.cycles import count_run
from qcnpe.spec.memory.descriptors import Base, Descriptor, Fill, Load, Store, Table
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.machine import Job, follow_image
from qcnpe.spec.memory.timing import BURST_BEATS

MEMORY_UNITS = ("fetch", "write_back", "processor", "transfer", "banks", "axi", "control")
"""Units of the memory side, each of which has events of its own. Walker of taps, fetch with its
rotator; write-back with its walker; processor of descriptors with commands and parameters; loads,
stores and fills; who uses the memories; AXI4 manager; registers, counters, interrupt, start."""

_BANK_OF = {Memory.ACTIVATIONS: "activation", Memory.WEIGHTS: "weight"}
_PARAMETERS = "parameter"
_TABLES = "table"
"""Kind of memory of lanes, taps, writes and descriptors."""


OPERAND_UNITS = ("fetch", "banks")
"""Units that operands pass on their way to the engine."""


def count_memory_events(
    image: Image,
    *,
    first: bool,
    cycles: int | None = None,
    activity: Mapping[int, OperandActivity] | None = None,
) -> Counter[str]:
    """Events of a run by the names under which energy prices list them.

    The events of a unit begin with its name; `*_memory_read` and `*_memory_write` are 16 bits of
    the memories on the chip, `external_word` are 16 bits of external memory.

    Parameters
    ----------
    image : of a network
    first : the run after the boot, which loads what is resident; else a further one
    cycles : how long the run takes; by default what `count_run` counts
    activity : what the operands of the run do, by precision, where they are known: then their bits
        that change are counted, else their words, each of which has a mean price
    """
    config = image.config
    if cycles is None:
        cycles = count_run(image, first=first).cycles
    found = Counter({f"{unit}_cycle": cycles for unit in MEMORY_UNITS})
    found["memory_leakage_cycle"] = cycles
    boot_rows = image.boot_rows if first else image.again_boot_rows
    if boot_rows:
        words = boot_rows * config.row_words(Memory.DESCRIPTORS)
        found.update(_load_events(config, Memory.DESCRIPTORS, 0, words))
    done = follow_image(image, first=first).done
    for each in done:
        found.update(_events_of(config, each))
    found["axi_toggle"] = _bus_toggles(image, boot_rows, done)
    found.update(_operand_events(done, activity))
    return found


def _operand_events(
    done: Sequence[Descriptor | Job], activity: Mapping[int, OperandActivity] | None
) -> Counter[str]:
    """What operands do in the units that they pass."""
    found: Counter[str] = Counter()
    if activity is None:
        for job in done:
            if isinstance(job, Job):
                name = f"word_{job.command.precision}b"
                beats = job.tiles.tiles * job.tiles.repeat * job.command.beats
                words = beats * (job.command.rows + job.command.cols)
                found.update({f"{unit}_{name}": words for unit in OPERAND_UNITS})
        return found
    for unit in OPERAND_UNITS:
        for seen in activity.values():
            found[f"{unit}_activation_toggle"] += seen.activation_toggles
            found[f"{unit}_weight_toggle"] += seen.weight_toggles
    return found


def _bus_toggles(image: Image, boot_rows: int, done: Sequence[Descriptor | Job]) -> int:
    """Bits that change from one bus word that is read to the next; inputs count as zeros."""
    octets = image.config.bus_bytes
    size = boot_rows * image.config.row_words(Memory.DESCRIPTORS) * octets
    parts = [image.data[:size]]
    for each in done:
        if isinstance(each, Load):
            size = each.rows * each.words * octets
            known = image.data[each.offset : each.offset + size]
            parts.append(known if each.base == Base.IMAGE else np.zeros(size, np.uint8))
    words = np.concatenate(parts).reshape(-1, octets)
    return int(np.bitwise_count(words[1:] ^ words[:-1]).sum())


def _events_of(config: MemoryConfig, done: Descriptor | Job) -> Counter[str]:
    found = Counter({"processor_descriptor": 1})
    found["table_memory_read"] = _content_words(config, Memory.DESCRIPTORS)
    match done:
        case Job():
            found.update(_fetch_events(config, done))
            found.update(_write_events(config, done))
        case Load(memory=memory, offset=offset, rows=rows, words=words):
            first = offset // config.bus_bytes
            found.update(_load_events(config, Memory(memory), first, rows * words))
        case Store(offset=offset, rows=rows, words=words):
            found.update(_store_events(config, offset // config.bus_bytes, rows, words))
        case Fill(rows=rows):
            found["transfer_fill"] = rows
            found["activation_memory_write"] = rows * config.banks
        case Table():
            knots = config.engine.table_segments + 1
            found["processor_parameter"] = knots
            found["parameter_memory_read"] = knots * _content_words(config, Memory.PARAMETERS)
    return found


def _fetch_events(config: MemoryConfig, job: Job) -> dict[str, int]:
    """Taps to beats, commands and parameters to the engine."""
    tiles, repeat = job.tiles.tiles, job.tiles.repeat
    count = tiles * repeat
    sources = [(tap["source"], tap["count"]) for tap in job.taps]
    beats = sum(number for _, number in sources)
    passes, words, reads = (
        repeat * sum(int(of[:, source].sum()) * number for source, number in sources)
        for of in (job.fetch_passes, job.fetch_words, job.fetch_reads)
    )
    cols = config.engine.cols
    tables = _table_words(config, Memory.TAPS, job.tiles.sources, count * len(job.taps))
    parameters = count * job.command.cols
    return {
        "fetch_pass": passes,
        "fetch_beat": count * beats,
        "fetch_lane": words,
        "fetch_step": count * len(sources),
        "fetch_tile": count,
        "banks_read": reads,
        "processor_tile": count,
        "processor_parameter": parameters,
        "activation_memory_read": reads,
        "weight_memory_read": count * beats * cols,
        "parameter_memory_read": parameters * _content_words(config, Memory.PARAMETERS),
        "table_memory_read": tables,
    }


def _write_events(config: MemoryConfig, job: Job) -> dict[str, int]:
    """Results to the banks."""
    repeat, count = job.tiles.repeat, job.tiles.tiles * job.tiles.repeat
    maps = [write["map"] for write in job.writes if write["bytes"]]
    passes, words = (
        repeat * sum(int(of[:, number].sum()) for number in maps)
        for of in (job.store_passes, job.store_words)
    )
    tables = _table_words(config, Memory.WRITES, job.tiles.maps, count * len(job.writes))
    return {
        "write_back_pass": passes,
        "write_back_word": words,
        "write_back_entry": count * len(job.writes),
        "write_back_column": count * job.command.cols,
        "write_back_tile": count,
        "banks_write": words,
        "activation_memory_write": words,
        "table_memory_read": tables,
    }


def _load_events(config: MemoryConfig, memory: Memory, first: int, words: int) -> dict[str, int]:
    per_word = config.bus_bits // OPERAND_BITS
    kind = _BANK_OF.get(memory, _PARAMETERS if memory is Memory.PARAMETERS else _TABLES)
    return {
        "transfer_load": 1,
        "transfer_read": words,
        "axi_read": words,
        "axi_burst": _bursts(first, words),
        "external_word": words * per_word,
        f"{kind}_memory_write": words * per_word,
    }


def _store_events(config: MemoryConfig, first: int, rows: int, words: int) -> dict[str, int]:
    total = rows * words
    return {
        "transfer_store": 1,
        "transfer_write": total,
        "axi_write": total,
        "axi_burst": _bursts(first, total),
        "external_word": total * config.bus_bits // OPERAND_BITS,
        "activation_memory_read": rows * config.banks,
    }


def _table_words(config: MemoryConfig, memory: Memory, walks: int, steps: int) -> int:
    """Words of tables that a walker reads: its walks once, and for each step an entry of lanes."""
    own = _content_words(config, memory)
    return walks * own + steps * (own + _content_words(config, Memory.LANES))


def _bursts(first: int, words: int) -> int:
    return (first + words - 1) // BURST_BEATS - first // BURST_BEATS + 1


def _content_words(config: MemoryConfig, memory: Memory) -> int:
    """16-bit words of a row, all of which an access reads."""
    return -(-config.row_content_bits(memory) // OPERAND_BITS)
