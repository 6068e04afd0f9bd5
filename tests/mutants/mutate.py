"""Changes files as damage or an attacker would, depending on the container's format.

Archives are taken apart, a member is changed, and they are put together with good checksums; JSON
is changed as a tree; text by numbers, words and lines; anything by its bytes. The same seed gives
the same mutant.
"""

import gzip
import io
import json
import lzma
import random
import re
import struct
import tarfile
import warnings
import zipfile
from typing import Any

from tests.mutants.onnx_mutants import is_onnx, mutate_onnx

_NUMBERS = (
    "0", "-1", "1", "2", "3.7", "-0.0", "1e-320", "1e400", "NaN", "Infinity", "-Infinity", "true",
    "255", "256", "32768", "65536", "2147483648", "4294967296", "9223372036854775807",
    "9223372036854775808", "1" + "0" * 400, "0x10", "1_000", "\u0661",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3.7, 1e308, 2**31, 2**63, 10**400, "", "false", "1", "[/x]",
    "\x1b[2J", "../../x", "\u202e", "x" * 5000, [], [1], [[]], {}, {"": None}, [0] * 1000,
)  # fmt: skip
_RAW = ("NaN", "Infinity", "1e400", "[" * 100_000, '{"a":' * 5000, '"\\ud800"', "'x'", "// x")
_PLACE = "@raw@"
_TYPES = (b"'|O'", b"'<i8'", b"'>i2'", b"'<f4'", b"'|V10000000'", b"'<U9'", b"[('a', 'O')]")
_TAR_SIZES = (b"77777777777\0", b"-0000000060\0", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"x" * 12)
_WORDS = re.compile(rb"[A-Za-z_]+|[0-9.]+|\s+|.", re.DOTALL)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_DOS_BYTES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xff" * 8)
_LONGEST = 1 << 20


def mutate(content: bytes, rng: random.Random) -> bytes:
    """A mutant of a file, of one megabyte at most."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = _mutate_once(content, rng)[:_LONGEST]
    return content


def _mutate_once(content: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.75:
        for fits, change in _CONTAINERS:
            if fits(content):
                try:
                    return change(content, rng)
                except Exception:  # a mutant of a mutant need not be whole
                    break
    if rng.random() < 0.5 and _is_text(content):
        return _mutate_text(content, rng)
    return _mutate_bytes(content, rng)


def _mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Change a few bytes in place, or cut, insert, repeat or move a piece."""
    if not content:
        return rng.randbytes(rng.randrange(1, 20))
    at, length = rng.randrange(len(content)), rng.choice((1, 2, 4, 16, 256))
    piece = content[at : at + length]
    match rng.randrange(7):
        case 0:
            return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
        case 1:
            other = rng.choice(_DOS_BYTES)
            return content[:at] + other + content[at + len(other) :]
        case 2:
            return content[:at]
        case 3:
            return content[:at] + content[at + length :]
        case 4:
            return content[:at] + rng.randbytes(length) + content[at:]
        case 5:
            return content[:at] + piece * rng.choice((2, 3, 100)) + content[at + length :]
        case _:
            to = rng.randrange(len(content))
            return content[:to] + piece + content[to:]


def _is_text(content: bytes) -> bool:
    return b"\0" not in content[:1000] and content[:1000].isascii()


def _mutate_text(content: bytes, rng: random.Random) -> bytes:
    """Change a number, a word, a line or the nesting."""
    numbers = list(_NUMBER.finditer(content))
    if numbers and rng.random() < 0.4:
        found = rng.choice(numbers)
        return content[: found.start()] + rng.choice(_NUMBERS).encode() + content[found.end() :]
    if rng.random() < 0.3:
        lines = content.splitlines(keepends=True) or [b""]
        return b"".join(_mutate_list(lines, rng))
    words = [*_WORDS.findall(content[:100_000]), content[100_000:]]
    if rng.random() < 0.2:
        opening = rng.choice((b"(", b"[", b"{", b'"', b"/*", b"!", b"\\", b"$"))
        words.insert(rng.randrange(len(words)), opening * rng.choice((1, 2, 5000)))
        return b"".join(words)
    return b"".join(_mutate_list(words, rng))


def _mutate_list(parts: list[Any], rng: random.Random) -> list[Any]:
    """Remove, repeat, swap or move a part."""
    at, to = rng.randrange(len(parts)), rng.randrange(len(parts))
    match rng.randrange(4):
        case 0:
            return parts[:at] + parts[at + 1 :]
        case 1:
            return [*parts[:to], parts[at], *parts[to:]]
        case 2:
            parts[at], parts[to] = parts[to], parts[at]
            return parts
        case _:
            return parts[:at] + [parts[at]] * rng.choice((2, 50)) + parts[at + 1 :]


def _is_json(content: bytes) -> bool:
    return content[:1] in (b"{", b"[") and content.rstrip()[-1:] in (b"}", b"]")


def _mutate_json(content: bytes, rng: random.Random) -> bytes:
    """Change one place of the tree, or insert text that no JSON writer writes."""
    tree = json.loads(content)
    places = list(_places(tree))
    if not places:
        return json.dumps(rng.choice(_VALUES)).encode()
    parent, key = rng.choice(places)
    raw = ""
    match rng.randrange(6):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[rng.choice(("", "x", f"{key}s", "0", "kind", "[/x]"))] = parent.pop(key)
        case 2 if isinstance(parent, list):
            parent[key : key + 1] = [parent[key]] * rng.choice((2, 3, 1000))
        case 3:
            other, name = rng.choice(places)
            parent[key] = json.loads(json.dumps(other[name]))
        case 4:
            parent[key], raw = _PLACE, rng.choice(_RAW)
        case _:
            parent[key] = rng.choice(_VALUES)
    return json.dumps(tree).replace(f'"{_PLACE}"', raw).encode()


def _places(tree: Any) -> Any:
    """Every (parent, key) in a tree."""
    entries: Any = ()
    if isinstance(tree, dict):
        entries = list(tree.items())
    elif isinstance(tree, list):
        entries = list(enumerate(tree))
    for key, value in entries:
        yield tree, key
        yield from _places(value)


def _is_array(content: bytes) -> bool:
    return content.startswith(b"\x93NUMPY\x01\0") and len(content) > 10


def _mutate_array(content: bytes, rng: random.Random) -> bytes:
    """Change the header of numpy's format, with the right length, or the elements."""
    end = 10 + struct.unpack("<H", content[8:10])[0]
    header, elements = content[10:end], content[end:]
    match rng.randrange(4):
        case 0:
            return content[:end] + _mutate_bytes(elements, rng)
        case 1:
            header = rng.choice((b"(", b"[]," * 3000, b"{}", b"", b"(" * 900, b"{'descr': 3}"))
        case 2:
            types = (
                b"'|O'",
                b"'<i8'",
                b"'>i2'",
                b"'<f4'",
                b"'|V10000000'",
                b"'<U9'",
                b"[('a', 'O')]",
            )
            header = re.sub(rb"'[<>|=][a-z]\d+'", rng.choice(types), header)
        case _:
            header = _mutate_text(header, rng)
    header = header[:65535]
    return content[:8] + struct.pack("<H", len(header)) + header + elements


def _is_zip(content: bytes) -> bool:
    return content.startswith(b"PK\3\4")


def _mutate_zip(content: bytes, rng: random.Random) -> bytes:
    """Change, remove, repeat, rename or add a member."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    return _zip(_mutate_members(members, rng), rng)


def _mutate_members(
    members: list[tuple[str, bytes]], rng: random.Random
) -> list[tuple[str, bytes]]:
    at = rng.randrange(len(members))
    name, payload = members[at]
    match rng.randrange(8):
        case 0:
            return members[:at] + members[at + 1 :]
        case 1:
            return [*members, members[at]]
        case 2:
            return [*members, (rng.choice(("x.npy", "../x", "", "x/", "a" * 300)), b"")]
        case 3:
            members[at] = (rng.choice(members)[0], payload)
        case 4:
            members[at] = (name, bytes(rng.choice((0, 1, 1 << 22))))
        case _:
            members[at] = (name, _mutate_once(payload, rng))
    return members


def _zip(members: list[tuple[str, bytes]], rng: random.Random) -> bytes:
    file = io.BytesIO()
    method = rng.choice((zipfile.ZIP_DEFLATED,) * 8 + (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two members with one name, which is what is wanted
        for name, payload in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, payload)
    return file.getvalue()


def _mutate_gzip(content: bytes, rng: random.Random) -> bytes:
    return gzip.compress(_mutate_once(gzip.decompress(content), rng), 1, mtime=0)


def _mutate_xz(content: bytes, rng: random.Random) -> bytes:
    return lzma.compress(_mutate_once(lzma.decompress(content), rng), preset=0)


def _is_tar(content: bytes) -> bool:
    return content[257:262] == b"ustar"


def _mutate_tar(content: bytes, rng: random.Random) -> bytes:
    """Change a member, or a field of its header with a good checksum."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        infos = archive.getmembers()
        members = [(info.name, _content(archive, info)) for info in infos]
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, payload in _mutate_members(members, rng):
            info = tarfile.TarInfo(name or "x")
            info.size = len(payload)
            archive.addfile(info, io.BytesIO(payload))
    made = file.getvalue()
    return _mutate_tar_header(made, rng) if rng.random() < 0.5 else made


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(info) if info.isreg() else None
    return stream.read() if stream is not None else b""


def _mutate_tar_header(content: bytes, rng: random.Random) -> bytes:
    """Change size or type in the first header; the sum over its bytes stays right."""
    header = bytearray(content[:512])
    if rng.random() < 0.5:
        sizes = (
            b"77777777777\0",
            b"-0000000060\0",
            b"\x80" + b"\xff" * 11,
            b"\xff" * 12,
            b"x" * 12,
        )
        header[124:136] = rng.choice(sizes)
    else:
        header[156:157] = rng.choice((b"0", b"1", b"2", b"5", b"L", b"K", b"S", b"x", b"g", b"?"))
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + content[512:]


def _mutate_ar(content: bytes, rng: random.Random) -> bytes:
    """Change a Debian package's member sizes, or what is in its last member."""
    places = [found.start() for found in re.finditer(rb"`\n", content) if found.start() >= 66]
    at = rng.choice(places)
    if rng.random() < 0.5:
        size = rng.choice((b"-60", b"0", b"1e3", b"9999999999", b"60", b"x"))
        return content[: at - 10] + size.ljust(10) + content[at:]
    data = _mutate_once(content[places[-1] + 2 :], rng)
    head = content[: places[-1] - 10] + str(len(data)).encode().ljust(10) + b"`\n"
    return head + data


_CONTAINERS = (
    (_is_zip, _mutate_zip),
    (_is_array, _mutate_array),
    (_is_tar, _mutate_tar),
    (lambda content: content.startswith(b"\x1f\x8b"), _mutate_gzip),
    (lambda content: content.startswith(b"\xfd7zXZ"), _mutate_xz),
    (lambda content: content.startswith(b"!<arch>\n"), _mutate_ar),
    (_is_json, _mutate_json),
    (is_onnx, mutate_onnx),
)
"""For each container format, a function that recognises it and one that changes it."""
