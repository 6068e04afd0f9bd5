"""Connections that end when the server is too slow, however it spreads its bytes over time.

A socket's time-out limits only the silence between two bytes: a server that sends one byte a second
can hold a client for years. Here the bytes of every read are counted against the clock.
"""

import http.client
import io
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import IO, Any
from urllib.parse import urlsplit

LEAST_BYTES_A_SECOND = 4096
"""Rate below which a server counts as unreachable."""

WINDOW_SECONDS = 10.0
"""Time over which the rate is measured."""

DEADLINE_SECONDS = 1800.0
"""Longest time of a download, including redirections."""


class Pace:
    """Checks the rate and the duration of one download, which begins now."""

    def __init__(self) -> None:
        self._end = monotonic() + DEADLINE_SECONDS
        self._begin_window()

    def _begin_window(self) -> None:
        self._window = monotonic()
        self._bytes = 0

    def count(self, size: int) -> None:
        """Count bytes received; `TimeoutError` if the rate is too low or the deadline is over."""
        now = monotonic()
        if now > self._end:
            raise TimeoutError(f"takes longer than {DEADLINE_SECONDS:g} s")
        self._bytes += size
        if now - self._window >= WINDOW_SECONDS:
            if self._bytes < LEAST_BYTES_A_SECOND * (now - self._window):
                raise TimeoutError(f"sends less than {LEAST_BYTES_A_SECOND} bytes a second")
            self._begin_window()


class _PacedLine(io.RawIOBase):
    """The bytes received over a socket; each read is counted."""

    def __init__(self, line: io.RawIOBase, pace: Pace) -> None:
        self._line, self._pace = line, pace

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read once, as many bytes as there are."""
        size: int | None = self._line.readinto(buffer)
        self._pace.count(size or 0)
        return size

    def close(self) -> None:
        """Close the socket, too."""
        self._line.close()
        super().close()


class _PacedResponse(http.client.HTTPResponse):
    """A response whose status, headers and body must come fast enough."""

    def __init__(self, pace: Pace, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fp = io.BufferedReader(_PacedLine(self.fp.detach(), pace))


def _paced(
    kind: type[http.client.HTTPConnection], pace: Pace
) -> Callable[..., http.client.HTTPConnection]:
    """Makes connections of this kind whose responses must come fast enough."""

    def connect(*arguments: Any, **options: Any) -> http.client.HTTPConnection:
        connection = kind(*arguments, **options)
        # The library does nothing with the attribute but call it.
        connection.response_class = partial(_PacedResponse, pace)  # type: ignore[assignment]
        return connection

    return connect


class _PacedHttp(urllib.request.HTTPHandler):
    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._connect = _paced(http.client.HTTPConnection, pace)

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connect, req)


class _PacedHttps(urllib.request.HTTPSHandler):
    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._connect = _paced(http.client.HTTPSConnection, pace)
        self._trust = ssl.create_default_context()

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connect, req, context=self._trust)


class SafeRedirections(urllib.request.HTTPRedirectHandler):
    """Follows redirections from https to https only, and from http to http and https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request for the new address; `URLError` if its protocol is not allowed."""
        allowed = ("https",) if req.type == "https" else ("http", "https")
        if urlsplit(newurl).scheme not in allowed:
            followed = " or ".join(allowed)
            raise urllib.error.URLError(f"redirects to {newurl[:200]!r}, not {followed}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def paced_opener(pace: Pace) -> urllib.request.OpenerDirector:
    """Opens addresses whose responses must come fast enough."""
    return urllib.request.build_opener(_PacedHttp(pace), _PacedHttps(pace), SafeRedirections())
