"""Downloads from a server on this machine that breaks off, refuses and sends too much."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from axnn.data import web
from axnn.data.web import download
from axnn.errors import DataError

CONTENT = bytes(range(256)) * 16


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT; the path says how."""

    ranges: list[str | None] = []  # noqa: RUF012 - one server at a time

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if self.path == "/missing":
            self.send_error(404)
        elif start > len(CONTENT):
            self.send_error(416)
        else:
            self.send_part(0 if self.path == "/no-ranges" else start)

    def send_part(self, start: int) -> None:
        self.send_response(206 if start else 200)
        if self.path != "/endless":
            self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = 1000 if self.path == "/breaks" and not start else len(CONTENT)
        self.wfile.write(CONTENT[start:end])

    def log_message(self, *_arguments) -> None:
        pass


@pytest.fixture
def base():
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
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


def test_interrupted_download_goes_on_where_it_broke_off(base, tmp_path):
    with pytest.raises(DataError, match="broke off at 1000 of 4096 bytes"):
        download(f"{base}/breaks", tmp_path / "f", limit_bytes=4096)
    assert [path.name for path in tmp_path.iterdir()] == ["f.part"]
    download(f"{base}/breaks", tmp_path / "f", limit_bytes=4096)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert Server.ranges == [None, "bytes=1000-"]


def test_server_without_ranges_sends_all_again(base, tmp_path):
    (tmp_path / "f.part").write_bytes(b"x" * 10)
    download(f"{base}/no-ranges", tmp_path / "f", limit_bytes=4096)
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_part_longer_than_the_file_is_dropped(base, tmp_path):
    (tmp_path / "f.part").write_bytes(b"x" * 5000)
    with pytest.raises(DataError, match="refused with status 416"):
        download(f"{base}/whole", tmp_path / "f", limit_bytes=4096)
    download(f"{base}/whole", tmp_path / "f", limit_bytes=4096)
    assert (tmp_path / "f").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "limit_bytes", "message"),
    [
        ("missing", 4096, "missing: refused with status 404"),
        ("whole", 4095, "4096 bytes are more than the 4095 expected"),
        ("endless", 4095, "sends more than 4095 bytes"),
    ],
)
def test_refusals_leave_no_file(base, tmp_path, path, limit_bytes, message):
    with pytest.raises(DataError, match=message):
        download(f"{base}/{path}", tmp_path / "f", limit_bytes=limit_bytes)
    assert not (tmp_path / "f").exists()


def test_unreachable_server_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 0.5)
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/x: .*refused"):
        download("http://127.0.0.1:9/x", tmp_path / "x", limit_bytes=10)
