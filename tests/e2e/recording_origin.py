"""A local service that trusts nothing: it keeps every byte that comes, reads them by the narrowest reading of RFC 9112, and notes
what could be read in two ways. It answers each request with the id that the request carries."""

import re
import socket
import threading

from threaded_server import ThreadedServer

REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-\"$-~\x80-\xff]+) HTTP/1\.1")
FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t -~\x80-\xff]*)")
LENGTH = re.compile(rb"\d{1,18}")
CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


class Unclear(Exception):
    """Bytes that two servers might read as two different requests."""


class Seen:
    def __init__(self, method, target, fields):
        self.method, self.target, self.fields, self.body = method, target, fields, b""

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name]

    @property
    def row(self):
        return b",".join(self.all(b"x-row")).decode()

    def __repr__(self):
        return f"<{self.method} {self.target} row {self.row}, {self.body[:80]!r}>"


class _Reader:
    def __init__(self, connection):
        self.connection, self.buffer = connection, b""

    def _fill(self):
        data = self.connection.recv(65536)
        if not data:
            raise ConnectionError("ended")
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self._fill()
        line, _, self.buffer = self.buffer.partition(b"\n")
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise Unclear(f"end of line: {line!r}")
        return line[:-1]

    def exactly(self, length):
        while len(self.buffer) < length:
            self._fill()
        data, self.buffer = self.buffer[:length], self.buffer[length:]
        return data

    def fields(self):
        fields = []
        while line := self.line():
            found = FIELD.fullmatch(line)
            if not found:
                raise Unclear(f"field: {line!r}")
            fields.append(found.groups())
        return fields

    def chunks(self):
        body = b""
        while True:
            size = self.line()
            if not CHUNK_SIZE.fullmatch(size):
                raise Unclear(f"chunk size: {size!r}")
            if int(size, 16) == 0:
                break
            body += self.exactly(int(size, 16))
            if self.exactly(2) != b"\r\n":
                raise Unclear("chunk without its end")
        if self.fields():
            raise Unclear("trailers")
        return body

    def request(self):
        line = self.line()
        found = REQUEST_LINE.fullmatch(line)
        if not found:
            raise Unclear(f"request line: {line!r}")
        request = Seen(*found.groups(), self.fields())
        lengths, codings = request.all(b"content-length"), request.all(b"transfer-encoding")
        if len(request.all(b"host")) != 1 or len(lengths) + len(codings) > 1:
            raise Unclear(f"{request.fields}")
        if codings:
            if codings != [b"chunked"]:
                raise Unclear(f"coding: {codings}")
            request.body = self.chunks()
        elif lengths:
            if not LENGTH.fullmatch(lengths[0]):
                raise Unclear(f"length: {lengths}")
            request.body = self.exactly(int(lengths[0]))
        return request


class RecordingOrigin(ThreadedServer):
    def __init__(self):
        self.lock = threading.Lock()
        self.seen, self.unclear = [], []
        super().__init__()

    def of(self, row):
        with self.lock:
            return [request for request in self.seen if request.row == row]

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = _Reader(connection)
        with connection:
            try:
                while True:
                    request = reader.request()
                    with self.lock:
                        self.seen.append(request)
                    body = b"row " + request.row.encode()
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                    if request.method != b"HEAD":
                        connection.sendall(body)
            except Unclear as unclear:
                with self.lock:
                    self.unclear.append(str(unclear))
            except OSError:
                pass
