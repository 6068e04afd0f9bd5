"""Downloads from a server on this machine that breaks off, refuses, lies, and takes its time."""

import io
import socket
import struct
import threading
import time
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request

import pytest

from axnn.data import pace, web
from axnn.data.web import download
from axnn.errors import DataError

CONTENT = bytes(range(256)) * 16

REDIRECTIONS = {
    "/to-brackets": "http://[half",
    "/to-long-label": f"http://{'x' * 70}.example/",
    "/to-disk": "file:///etc/passwd",
    "/to-ftp": "ftp://127.0.0.1/x",
    "/round": "/round",
    "/to-whole": "/whole",
}


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT; the path says how."""

    ranges: list[str | None] = []  # noqa: RUF012 - one server at a time

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if self.path == "/missing":
            self.send_error(404)
        elif self.path in REDIRECTIONS:
            self.redirect(REDIRECTIONS[self.path])
        elif self.path == "/slow-headers":
            self.drip(b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 1000)
        elif start > len(CONTENT):
            self.send_error(416)
        elif self.path != "/silent-reset":
            self.send_part(0 if self.path == "/no-ranges" else start)
        if self.path in ("/reset", "/silent-reset"):
            self.reset()

    def redirect(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.end_headers()

    def send_part(self, start: int) -> None:
        self.send_response(206 if start else 200)
        if start:
            at = 0 if self.path == "/elsewhere" else start
            self.send_header("Content-Range", f"bytes {at}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
        elif self.path.startswith("/length/"):
            self.send_header("Content-Length", self.path.removeprefix("/length/"))
        elif self.path != "/endless":
            self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        if self.path == "/slow":
            self.drip(CONTENT)
        elif self.path == "/chunked":
            self.wfile.write(b"10\r\nnot sixteen")
        else:
            end = 1000 if self.path in ("/breaks", "/reset") and not start else len(CONTENT)
            self.wfile.write(CONTENT[start:end])

    def drip(self, content: bytes) -> None:
        """A byte at a time, each long before the client's time-out."""
        try:
            for byte in content:
                self.wfile.write(bytes([byte]))
                time.sleep(0.02)
        except OSError:
            pass  # the client has had enough

    def reset(self) -> None:
        """End the connection as a machine does that falls over."""
        self.wfile.flush()
        # Linger for no time: closing sends RST. Two integers, on and zero seconds.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_arguments) -> None:
        pass


@pytest.fixture
def base():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Server.ranges = []
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_download_is_whole_and_tells_its_progress(base, tmp_path):
    seen = []
    url = f"{base}/whole"
    download(url, tmp_path / "f", limit_bytes=4096, progress=lambda *told: seen.append(told))
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert seen[-1] == (4096, 4096)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_good_redirection_is_followed(base, tmp_path):
    download(f"{base}/to-whole", tmp_path / "f", limit_bytes=4096)
    assert (tmp_path / "f").read_bytes() == CONTENT


@pytest.mark.parametrize("way", ["breaks", "reset"])
def test_interrupted_download_goes_on_where_it_broke_off(base, tmp_path, way):
    message = {
        "breaks": "connection ended after 1000 of 4096 bytes",
        "reset": "reset: .*reset by peer",
    }[way]
    with pytest.raises(DataError, match=message):
        download(f"{base}/{way}", tmp_path / "f", limit_bytes=4096)
    assert [path.name for path in tmp_path.iterdir()] == ["f.part"]
    have = (tmp_path / "f.part").stat().st_size  # a reset may overtake what was sent before it
    assert have == 1000 or way == "reset"
    download(f"{base}/breaks", tmp_path / "f", limit_bytes=4096)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert Server.ranges == [None, f"bytes={have}-" if have else None]


def test_server_without_ranges_sends_all_again(base, tmp_path):
    (tmp_path / "f.part").write_bytes(b"x" * 10)
    download(f"{base}/no-ranges", tmp_path / "f", limit_bytes=4096)
    assert (tmp_path / "f").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "size", "message"),
    [("whole", 5000, "refused with status 416"), ("elsewhere", 10, "sends another range")],
)
def test_part_that_is_not_the_files_is_dropped(base, tmp_path, path, size, message):
    (tmp_path / "f.part").write_bytes(b"x" * size)
    with pytest.raises(DataError, match=message):
        download(f"{base}/{path}", tmp_path / "f", limit_bytes=4096)
    download(f"{base}/{path}", tmp_path / "f", limit_bytes=4096)
    assert (tmp_path / "f").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "limit_bytes", "message"),
    [
        ("missing", 4096, "missing: refused with status 404"),
        ("whole", 4095, "4096 bytes are more than the 4095 expected"),
        ("endless", 4095, "sends more than 4095 bytes"),
        ("length/abc", 4096, "Content-Length must be digits, at most 18, not 'abc'"),
        ("length/-7", 4096, "Content-Length must be digits, at most 18, not '-7'"),
        (f"length/{'9' * 5000}", 4096, "at most 18, not '9{40}'"),
        ("chunked", 4096, "chunked: .*Incomplete"),
        ("silent-reset", 4096, "silent-reset: .*(reset by peer|closed connection)"),
        ("to-brackets", 4096, "to-brackets: redirects to an invalid address"),
        ("to-long-label", 4096, "to-long-label: redirects to an invalid address"),
        ("to-disk", 4096, "to-disk: "),
        ("to-ftp", 4096, "to-ftp: redirects to 'ftp://127.0.0.1/x', not http or https"),
        ("round", 4096, "round: refused with status 302"),
    ],
)
def test_refusals_leave_no_file(base, tmp_path, path, limit_bytes, message):
    with pytest.raises(DataError, match=message):
        download(f"{base}/{path}", tmp_path / "f", limit_bytes=limit_bytes)
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("path", ["slow", "slow-headers"])
def test_server_that_drips_is_left(base, tmp_path, monkeypatch, path):
    """It is never silent for as long as the time-out: 50 bytes a second would take two minutes."""
    monkeypatch.setattr(pace, "WINDOW_SECONDS", 0.3)
    begin = time.monotonic()
    with pytest.raises(DataError, match=f"/{path}: sends less than 4096 bytes a second"):
        download(f"{base}/{path}", tmp_path / "f", limit_bytes=4096)
    assert time.monotonic() - begin < 5


def test_download_has_a_deadline_even_at_a_good_rate(base, tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "LEAST_BYTES_A_SECOND", 1)
    monkeypatch.setattr(pace, "DEADLINE_SECONDS", 0.3)
    with pytest.raises(DataError, match=r"/slow: takes longer than 0\.3 s"):
        download(f"{base}/slow", tmp_path / "f", limit_bytes=4096)
    assert (tmp_path / "f.part").exists()


def test_encrypted_addresses_lead_to_encrypted_ones_only():
    def redirect(where: str) -> Request | None:
        request, headers = Request("https://example.org/a"), HTTPMessage()
        return pace.SafeRedirections().redirect_request(
            request, io.BytesIO(), 302, "", headers, where
        )

    with pytest.raises(OSError, match=r"redirects to 'http://example\.org/b', not https"):
        redirect("http://example.org/b")
    followed = redirect("https://example.org/b")
    assert followed is not None
    assert followed.full_url == "https://example.org/b"


def test_full_disk_is_no_error_of_the_server(base, tmp_path):
    """Else every route would be tried, and the message would be about the last one."""
    (tmp_path / "f.part").mkdir()
    with pytest.raises(IsADirectoryError):
        download(f"{base}/whole", tmp_path / "f", limit_bytes=4096)


def test_unreachable_server_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 0.5)
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/x: .*refused"):
        download("http://127.0.0.1:9/x", tmp_path / "x", limit_bytes=10)
