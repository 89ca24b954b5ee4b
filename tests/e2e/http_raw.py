"""A raw HTTP/1.1 client: sends exact bytes, reads exact answers. It shares no code with the programs under test."""

import select
import socket
import time

DEADLINE = 90.0


class Malformed(Exception):
    """The peer sent something that is not a proper HTTP/1.1 answer."""


class Cut(Exception):
    """The connection ended within an answer."""


class Response:
    def __init__(self, version, status, reason, headers):
        self.version, self.status, self.reason, self.headers = version, status, reason, headers
        self.body = b""
        self.trailers = []

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    @property
    def error(self):
        """The code of an answer of the gateway's own; None for one of the local service."""
        return self.header("x-tunnel-error")

    def json(self):
        import json

        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.headers} {len(self.body)} bytes: {self.body[:200]!r}>"


class Connection:
    """One TCP connection. Reads are buffered; every wait ends at a deadline."""

    def __init__(self, address, timeout=DEADLINE):
        self.timeout = timeout
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Leaves without a farewell: the peer sees RST."""
        import struct

        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _fill(self):
        data = self.socket.recv(256 * 1024)
        self.buffer += data
        return bool(data)

    def _line(self):
        while b"\n" not in self.buffer:
            if len(self.buffer) > 1 << 20:
                raise Malformed("endless line")
            if not self._fill():
                raise Cut(f"the connection ended within a line: {self.buffer!r}")
        line, _, self.buffer = self.buffer.partition(b"\n")
        if not line.endswith(b"\r"):
            raise Malformed(f"a line without CR: {line!r}")
        return line[:-1]

    def _exactly(self, length):
        parts, have = [], 0
        while have < length:
            if not self.buffer and not self._fill():
                raise Cut(f"the connection ended {length - have} bytes early")
            part, self.buffer = self.buffer[: length - have], self.buffer[length - have :]
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def _fields(self):
        fields = []
        while line := self._line():
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip() or b"\0" in line:
                raise Malformed(f"bad header line {line!r}")
            fields.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
        return fields

    def read_head(self):
        """The head alone; the body stays unread."""
        line = self._line().decode("latin-1")
        parts = line.split(" ", 2)
        if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
            raise Malformed(f"bad status line {line!r}")
        return Response(parts[0], int(parts[1]), parts[2] if len(parts) > 2 else "", self._fields())

    def read_response(self, method="GET"):
        """The next answer with its body; interim answers (1xx) are returned as they come."""
        response = self.read_head()
        if response.status // 100 == 1 or response.status in (204, 304) or method == "HEAD":
            return response
        coding = response.all("transfer-encoding")
        lengths = response.all("content-length")
        if coding:
            if coding != ["chunked"] or lengths:
                raise Malformed(f"ambiguous framing {response.headers}")
            self._read_chunks(response)
        elif lengths:
            if len(lengths) != 1 or not lengths[0].isdigit():
                raise Malformed(f"ambiguous framing {response.headers}")
            response.body = self._exactly(int(lengths[0]))
        else:
            while self._fill():
                pass
            response.body, self.buffer = self.buffer, b""
        return response

    def _read_chunks(self, response):
        parts = []
        while True:
            size = int(self._line().split(b";")[0], 16)
            if not size:
                break
            parts.append(self._exactly(size))
            if self._exactly(2) != b"\r\n":
                raise Malformed("chunk without its end")
        response.body = b"".join(parts)
        response.trailers = self._fields()

    def pieces(self, response, method="GET"):
        """The body of an answer whose head was read, piece by piece as it comes."""
        if response.status in (204, 304) or method == "HEAD":
            return
        if response.all("transfer-encoding") == ["chunked"]:
            while left := int(self._line().split(b";")[0], 16):
                while left:
                    piece = self._some(left)
                    left -= len(piece)
                    yield piece
                if self._exactly(2) != b"\r\n":
                    raise Malformed("chunk without its end")
            response.trailers = self._fields()
        elif lengths := response.all("content-length"):
            left = int(lengths[0])
            while left:
                piece = self._some(left)
                left -= len(piece)
                yield piece
        else:
            while self.buffer or self._fill():
                piece, self.buffer = self.buffer, b""
                yield piece

    def _some(self, size):
        if not self.buffer and not self._fill():
            raise Cut("the connection ended within the body")
        piece, self.buffer = self.buffer[:size], self.buffer[size:]
        return piece

    def has_input_within(self, seconds):
        """Something new to read, or the peer's close."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def is_closed_within(self, seconds=30.0):
        """True if the peer closes and sends nothing more until then."""
        if self.buffer:
            return False
        self.socket.settimeout(seconds)
        try:
            self.buffer = self.socket.recv(65536)
            return not self.buffer
        except ConnectionError:
            return True
        except socket.timeout:
            return False
        finally:
            self.socket.settimeout(self.timeout)

    def read_until(self, mark, seconds=DEADLINE):
        """All that comes up to and with `mark`."""
        end = time.monotonic() + seconds
        while mark not in self.buffer:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            if not self._fill():
                raise Cut(f"ended before {mark!r}: {self.buffer[-200:]!r}")
        found, _, self.buffer = self.buffer.partition(mark)
        return found + mark

    def read_until_close(self, seconds=30.0):
        """All that comes until the peer closes; TimeoutError if it does not."""
        end = time.monotonic() + seconds
        try:
            while True:
                self.socket.settimeout(max(0.001, end - time.monotonic()))
                if not self._fill():
                    break
        except ConnectionError:
            pass
        except TimeoutError:
            raise TimeoutError(f"still open after {seconds} s, got {self.buffer!r}") from None
        data, self.buffer = self.buffer, b""
        return data


def build(method="GET", target="/", host="localhost", headers=(), body=None, version="HTTP/1.1"):
    """A plain request. A str body is sent as UTF-8; Content-Length is set when there is a body."""
    lines = [f"{method} {target} {version}", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        body = body.encode() if isinstance(body, str) else body
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def request(address, method="GET", target="/", host="localhost", headers=(), body=None, timeout=DEADLINE):
    """One request on a connection of its own."""
    with Connection(address, timeout) as connection:
        try:
            connection.send(build(method, target, host, headers, body))
        except ConnectionError:
            pass  # an answer may stand there already (413)
        response = connection.read_response(method)
        while response.status // 100 == 1:
            response = connection.read_response(method)
        return response
