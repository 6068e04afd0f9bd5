"""Frames are found in any noise on the line, and noise never gives a frame."""

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, TransportError
from qcnpe.spec.frames import (
    MAX_BODY,
    Frame,
    FrameParser,
    Kind,
    Operation,
    Request,
    Welcome,
    cut_into_bodies,
    read_requests,
)
from qcnpe.spec.link import LinkConfig

frames = st.builds(
    Frame,
    kind=st.sampled_from(list(Kind)),
    session=st.integers(0, 0xFFFF),
    sequence=st.integers(0, 255),
    body=st.binary(max_size=80),
)
CONFIG = EngineConfig(rows=3, cols=5)


def test_frame_on_the_wire_octet_by_octet():
    """Computed by hand from RFC 1662: a flag in the body is 7D 5E."""
    plain = bytes([2, 0x34, 0x12, 7, 0x7E])
    crc = binascii.crc32(plain).to_bytes(4, "little")
    assert not set(crc) & {0x7D, 0x7E}
    wire = bytes([0x7E, 2, 0x34, 0x12, 7, 0x7D, 0x5E]) + crc + b"\x7e"
    assert Frame(2, 0x1234, 7, b"\x7e").encode() == wire


@given(st.lists(frames, max_size=4), st.data())
def test_frames_survive_any_cutting(sent, data):
    wire = b"".join(frame.encode() for frame in sent)
    parser = FrameParser()
    found: list[Frame] = []
    while wire:
        size = data.draw(st.integers(1, len(wire)))
        found += parser.feed(wire[:size])
        wire = wire[size:]
    assert found == sent
    assert parser.damaged == 0


@given(st.binary(max_size=60), frames)
def test_a_frame_after_garbage_is_found(garbage, frame):
    parser = FrameParser()
    assert list(parser.feed(garbage + b"\x7e" + frame.encode()))[-1] == frame


@given(frames, st.data())
def test_a_damaged_frame_is_never_taken(frame, data):
    """A CRC of 32 bits sees every burst of up to 32 bits, and every octet more or less here."""
    wire = bytearray(frame.encode())
    place = data.draw(st.integers(1, len(wire) - 2))
    match data.draw(st.sampled_from(["flip", "drop", "double"])):
        case "flip":
            wire[place] ^= 1 << data.draw(st.integers(0, 7))
        case "drop":
            del wire[place]
        case "double":
            wire.insert(place, wire[place])
    assert list(FrameParser().feed(bytes(wire))) in ([], [frame])


@given(
    st.lists(
        st.builds(
            Request,
            st.sampled_from([Operation.PLAY_WEIGHTS, Operation.READ]),
            st.integers(0, 0xFFFF),
            st.integers(0, 0xFFFF),
        ),
        max_size=100,
    )
)
def test_requests_survive_their_bodies(requests):
    bodies = list(cut_into_bodies(requests, CONFIG))
    assert all(len(body) <= MAX_BODY for body in bodies)
    assert [work for body in bodies for work in read_requests(body, CONFIG)] == requests


def test_long_store_is_cut_and_its_addresses_go_on():
    words = bytes(range(200)) * 3
    work = Request(Operation.STORE_ACTIVATIONS, 100, 50, words)
    found = [w for body in cut_into_bodies([work], CONFIG) for w in read_requests(body, CONFIG)]
    assert b"".join(part.words for part in found) == words
    assert sum(part.count for part in found) == 100
    address = 50
    for part in found:
        assert part.address == address
        address += part.count


def test_welcome_of_another_version_is_refused():
    welcome = Welcome(version=1, fifo_depth=4, buffer=512, store=64)
    assert Welcome.decode(welcome.encode()) == welcome
    with pytest.raises(TransportError, match=r"version 9 of the link, this host 1; build"):
        Welcome.decode(b"\x09" + welcome.encode()[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"buffer": 500}, r"^buffer must be a power of two, 512\.\.32768, not 500$"),
        ({"store": 8}, r"^store must be a power of two, 16\.\.32768, not 8$"),
        ({"engine": EngineConfig(rows=200)}, r"^rows of an engine on a board must be 1\.\.125"),
    ],
)
def test_link_parameters_are_checked(change, message):
    good = {"engine": CONFIG, "clock_hz": 1e6, "baud": 100_000}
    with pytest.raises(ConfigError, match=message):
        LinkConfig(**{**good, **change})
