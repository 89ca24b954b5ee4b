"""What a service may answer that no service should, made by combination, and a service that answers so. Each row says what may
become of it at the visitor:

    BAD    502, and nothing of the answer
    CUT    502, or an answer that is cut: never one that looks whole
    FINE   200 and that body
    ANY    one proper answer, or a cut: where a client may repair it, or may not
"""

import socket
import threading

from smuggling_rows import BAD_CODINGS, BAD_LENGTHS, BAD_SIZES, BROKEN_NAMES, CONTROLS, name_of
from threaded_server import ThreadedServer

BAD, CUT, FINE, ANY = "bad", "cut", "fine", "any"

INJECTED = b"HTTP/1.1 200 OK\r\nX-Injected: 1\r\nContent-Length: 8\r\n\r\ninjected"
CLOSE, RESET, HOLD = "close", "reset", "hold"  # what the service does behind its bytes; else it reads the next request
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
UPGRADE = (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"


class Row:
    def __init__(self, name, verdict, *steps, body=None, method="GET", headers=(), sent=None):
        self.name, self.verdict, self.steps, self.body = name, verdict, steps, body
        self.method, self.headers, self.sent = method, headers, sent


def fields(*lines, body=b"hi", first=OK):
    return first + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def sized(*lines, body=b"hi", **more):
    return fields(b"Content-Length: %d" % len(body), *lines, body=body, **more)


# ---- heads ----

NO_STATUS_LINES = [b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 -200 OK", b"HTTP/1.1 +20 OK",
                   b"HTTP/1.1 2x0 OK", b"HTTP/1.1 0x200 OK", b"HTTP/1.1 000 OK", b"HTTP/1.1 099 OK", b"HTTP/1.1 200.0 OK", b"HTTP/2.0 200 OK",
                   b"HTTP/2 200 OK", b"HTTP/0.9 200 OK", b"HTTP/11 200 OK", b"http/1.1 200 OK", b"HTTP/1.1\t200 OK", b"HTP/1.1 200 OK",
                   b" HTTP/1.1 200 OK", b"HTTP /1.1 200 OK", b"HTTP/1.1200 OK", b"200 OK", b"RTSP/1.0 200 OK", b"SSH-2.0-OpenSSH_9", b"220 mail ESMTP",
                   b"<!DOCTYPE html>", b"GET / HTTP/1.1", b"\x00" * 50, b"\x15\x03\x03\x00\x02\x02\x28", b"\xff\xfe\xfd", b"{}", b"+OK\r\n$-1",
                   b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"]  # fmt: skip
ODD_STATUS_LINES = [b"HTTP/1.1  200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 200OK", b"HTTP/1.2 200 OK", b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 200 O\x01K",
                    b"HTTP/1.1 200 OK\rX-Injected: 1", b"ICY 200 OK", b"\r\nHTTP/1.1 200 OK", b"HTTP/1.1 200 " + b"x" * 20000, b"HTTP/1.1 999 Odd",
                    b"HTTP/1.1 600 Odd", b"HTTP/1.1 200 \xc3\xa9"]  # fmt: skip


def status_lines():
    for line in NO_STATUS_LINES:
        yield Row(name_of("status line", line), BAD, sized(first=line + b"\r\n"), CLOSE)
        if line[:1] != b"\r":
            yield Row(name_of("status line alone", line), BAD, line + b"\r\n", CLOSE)
    for line in ODD_STATUS_LINES:
        yield Row(name_of("status line", line), ANY, sized(first=line + b"\r\n"), CLOSE)
    for nothing in (b"", b"H", b"HTTP/1.1 200 OK", OK, OK + b"X-A: 1", OK + b"X-A: 1\r\n"):
        for end in (CLOSE, RESET):
            yield Row(name_of("ends at", nothing, end), BAD, nothing, end)


def heads():
    for byte in CONTROLS:
        yield Row(name_of("value", byte), BAD, sized(b"X: a" + byte + b"b"))
        yield Row(name_of("name", byte), BAD, sized(b"X" + byte + b"Y: a"))
    for byte in b'()<>@,;\\"/[]?={}':
        yield Row(name_of("name", bytes([byte])), BAD, sized(b"X%cY: a" % byte))
    for form in BROKEN_NAMES:
        yield Row(name_of("broken length", form), ANY, fields(form.replace(b"%s", b"Content-Length") + b": 2", body=b"hi" + INJECTED), CLOSE)
        coding = fields(form.replace(b"%s", b"Transfer-Encoding") + b": chunked", b"Content-Length: 2", body=b"hi" + INJECTED)
        yield Row(name_of("broken coding", form), ANY, coding, CLOSE)
    for line in (b"no colon", b": no name", b"", b"X: a\rX-Injected: 1", b"X: a\r\rX-Injected: 1", b"X: a\x00\r\n b"):
        if line:
            yield Row(name_of("line", line), BAD, sized(line))
    for line in (b"X: a\r\n b", b"X: a\r\n\tX-Injected: 1", b" X: first is folded", b"X : a", b"X-Tunnel-Error: timeout", b"X-Tunnel-Upgraded: 1",
                 b"Connection: X-A, content-length", b"Keep-Alive: timeout=0", b"Proxy-Connection: close", b"Upgrade: h2c", b"Trailer: Content-Length",
                 b"TE: chunked", b"Alt-Svc: h3=\":443\"", b"Date: never", b"Date: x\r\nDate: y", b"Connection: close, close, ,"):  # fmt: skip
        yield Row(name_of("line", line), ANY, sized(line))
    for many in (b"X: y\r\n" * 300, b"X: " + b"y" * 300_000 + b"\r\n", b"".join(b"X-%d: y\r\n" % i for i in range(50_000)), b"X: " + b"y" * (9 << 20) + b"\r\n"):
        yield Row(name_of("large head", many[:8], len(many)), BAD, OK + many + b"\r\nhi", CLOSE)
        if len(many) > 200_000:
            yield Row(name_of("endless head", many[:8], len(many)), BAD, OK + many, HOLD)


# ---- lengths ----


def lengths():
    for value in BAD_LENGTHS:
        if value == b"5,6":
            continue
        yield Row(name_of("length", value), BAD, fields(b"Content-Length:" + value, body=b"hello" + INJECTED), CLOSE)
        both = fields(b"Content-Length:" + value, CHUNKED[:-2], body=b"5\r\nhello\r\n0\r\n\r\n")
        yield Row(name_of("length and chunks", value), BAD, both)
    for one, two in ((b"5", b"6"), (b"6", b"5"), (b"0", b"5"), (b"5", b"+5"), (b"5", b""), (b"5", b"x")):
        twice = fields(b"Content-Length: " + one, b"Content-Length: " + two, body=b"hello" + INJECTED)
        yield Row(name_of("two lengths", one, two), BAD, twice, CLOSE)
        yield Row(name_of("list of lengths", one, two), BAD, fields(b"Content-Length: " + one + b", " + two, body=b"hello" + INJECTED), CLOSE)
    for sent in (b"", b"h", b"hell"):
        for end in (CLOSE, RESET):
            yield Row(name_of("shorter than it says", sent, end), CUT, fields(b"Content-Length: 5", body=sent), end)
    for length in (b"9223372036854775807", b"4294967301", b"1000000000000"):
        yield Row(name_of("far longer than it is", length), CUT, fields(b"Content-Length: " + length, body=b"hello"), CLOSE)


def codings():
    for value in BAD_CODINGS:
        yield Row(name_of("coding", value), ANY, fields(b"Transfer-Encoding:" + value, body=b"5\r\nhello\r\n0\r\n\r\n" + INJECTED), CLOSE)
        both = fields(b"Transfer-Encoding:" + value, b"Content-Length: 5", body=b"hello" + INJECTED)
        yield Row(name_of("coding and length", value), ANY, both, CLOSE)
    old = b"HTTP/1.0 200 OK\r\n"
    yield Row("chunks in 1.0", ANY, fields(CHUNKED[:-2], body=b"5\r\nhello\r\n0\r\n\r\n" + INJECTED, first=old), CLOSE)


# ---- chunks ----


def chunks():
    for size in BAD_SIZES:
        if size in (b" 5", b"\t5"):  # of no harm
            continue
        yield Row(name_of("chunk size", size), CUT, fields(CHUNKED[:-2], body=size + b"\r\nhello\r\n0\r\n\r\n"), CLOSE)
        yield Row(name_of("second size", size), CUT, fields(CHUNKED[:-2], body=b"2\r\nhi\r\n" + size + b"\r\nhello\r\n0\r\n\r\n"), CLOSE)
    for body in (b"", b"5", b"5\r\n", b"5\r\nhel", b"5\r\nhello", b"5\r\nhello\r\n", b"5\r\nhello\r\n0", b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0\r\nX: y\r\n"):
        for end in (CLOSE, RESET):
            yield Row(name_of("chunks end at", body, end), CUT, fields(CHUNKED[:-2], body=body), end)
    for body in (b"5\r\nhelloXX0\r\n\r\n", b"3\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", b"7fffffffffffffff\r\nhello",
                 b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n", b"0" * 100_000, b"5\r\nhello\r\n0\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
                 b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", b"5\r\nhello\r\n0\r\nX\x00: y\r\n\r\n", b"5\r\nhello\r\n0\r\nno colon\r\n\r\n"):  # fmt: skip
        yield Row(name_of("chunks", body[:40]), CUT, fields(CHUNKED[:-2], body=body), CLOSE)
    for line in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Set-Cookie: a=b", b"X-Injected: 1", b"X-Tunnel-Error: timeout", b"Connection: close",
                 b"Host: x", b"Location: /x", b"Content-Type: x", b"Trailer: x", b"WWW-Authenticate: Basic", b"Content-Encoding: gzip", b"Status: 500"):  # fmt: skip
        yield Row(name_of("trailer", line), ANY, fields(CHUNKED[:-2], body=b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n"))


# ---- what comes behind, before, or not at all ----


def behind():
    """The next visitor gets none of it."""
    for extra in (INJECTED, b"x", b"\r\n", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n", INJECTED * 20, b"\x00" * 100_000):
        yield Row(name_of("behind a length", extra[:12]), FINE, sized() + extra, body=b"hi")
        yield Row(name_of("behind chunks", extra[:12]), FINE, fields(CHUNKED[:-2], body=b"2\r\nhi\r\n0\r\n\r\n") + extra, body=b"hi")
        yield Row(name_of("behind 204", extra[:12]), ANY, b"HTTP/1.1 204 None\r\n\r\n" + extra)
        yield Row(name_of("behind 304", extra[:12]), ANY, b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n" + extra)
        yield Row(name_of("behind a HEAD", extra[:12]), ANY, sized(body=b"hi") + extra, method="HEAD")
        yield Row(name_of("behind a length of 0", extra[:12]), FINE, fields(b"Content-Length: 0", body=extra), body=b"")
    yield Row("204 with chunks", ANY, fields(CHUNKED[:-2], body=b"2\r\nhi\r\n0\r\n\r\n", first=b"HTTP/1.1 204 None\r\n"))
    yield Row("304 with chunks", ANY, fields(CHUNKED[:-2], body=b"2\r\nhi\r\n0\r\n\r\n", first=b"HTTP/1.1 304 Same\r\n"))
    yield Row("205 with a body", ANY, sized(first=b"HTTP/1.1 205 Reset\r\n"))
    yield Row("keeps what it said to close", FINE, sized(b"Connection: close"), HOLD, body=b"hi")
    yield Row("closes what it said to keep", FINE, sized(b"Connection: keep-alive"), CLOSE, body=b"hi")
    yield Row("resets what it said to keep", FINE, sized(b"Connection: keep-alive"), RESET, body=b"hi")
    yield Row("without a length, closed", FINE, fields(body=b"hello"), CLOSE, body=b"hello")
    yield Row("without a length, reset", ANY, fields(body=b"hello"), RESET)


def interims():
    for status in (100, 102, 103, 199):
        one = b"HTTP/1.1 %d Interim\r\nLink: </x>\r\n\r\n" % status
        yield Row(f"{status} before", FINE, one + sized(), body=b"hi")
        yield Row(f"ten {status} before", FINE, one * 10 + sized(), body=b"hi")
        yield Row(f"100 000 {status}", BAD, one * 100_000, CLOSE)
        yield Row(f"{status} and the end", BAD, one, CLOSE)
        yield Row(f"{status} with a length", ANY, b"HTTP/1.1 %d Interim\r\nContent-Length: 3\r\n\r\nabc" % status + sized(), CLOSE)
        yield Row(f"{status} with a bad line", BAD, b"HTTP/1.1 %d Interim\r\nno colon\r\n\r\n" % status + sized(), CLOSE)
        yield Row(f"{status} of 10 MB", BAD, b"HTTP/1.1 %d Interim\r\n" % status + b"X: " + b"y" * (10 << 20) + b"\r\n\r\n" + sized(), CLOSE)
    yield Row("101 that nobody asked for", BAD, b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + INJECTED, CLOSE)


def upgrades():
    lines = {
        "no Upgrade": ACCEPT + b"Connection: Upgrade\r\n",
        "another protocol": ACCEPT + b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
        "two protocols": ACCEPT + b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
        "wrong accept": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n",
        "empty accept": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept:\r\n",
        "bad line": ACCEPT + b"Connection: Upgrade\r\nUpgrade: websocket\r\nno colon\r\n",
        "control byte": ACCEPT + b"Connection: Upgrade\r\nUpgrade: websocket\r\nX: a\x01\r\n",
    }
    for name, head in lines.items():
        yield Row(f"101, {name}", BAD, b"HTTP/1.1 101 Switching\r\n" + head + b"\r\n" + INJECTED, CLOSE, headers=UPGRADE)
    for status in (200, 204, 400, 426, 500):
        yield Row(f"{status} to an upgrade", ANY, sized(b"Upgrade: websocket", b"Connection: Upgrade", first=b"HTTP/1.1 %d No\r\n" % status), headers=UPGRADE)
    yield Row("nothing to an upgrade", BAD, b"", CLOSE, headers=UPGRADE)


def times():
    """In small pieces, and before the request was read."""
    for whole in (sized(body=b"hello"), fields(CHUNKED[:-2], body=b"1\r\nh\r\n4\r\nello\r\n0\r\n\r\n")):
        yield Row(name_of("byte by byte", whole[17:30]), FINE, *[whole[i : i + 1] for i in range(len(whole))], body=b"hello")
    large = b"x" * 1_000_000
    yield Row("before the body was read", FINE, sized(b"Connection: close", body=b"hello"), HOLD, body=b"hello", method="POST", sent=large)
    yield Row("refuses the body and closes", ANY, sized(b"Connection: close", first=b"HTTP/1.1 413 Large\r\n"), CLOSE, method="POST", sent=large)
    yield Row("resets within the body", ANY, b"", RESET, method="POST", sent=large)


GROUPS = {
    "status lines": status_lines,
    "heads": heads,
    "lengths": lengths,
    "codings": codings,
    "chunks": chunks,
    "behind": behind,
    "interims": interims,
    "upgrades": upgrades,
    "times": times,
}


class HostileService(ThreadedServer):
    """Answers `/<group>/<number>` as that row has it, and everything else with its target."""

    def __init__(self):
        self.late, self.closed = threading.Event(), threading.Event()  # see _answer_twice
        self.rows = {f"/{group.replace(' ', '-')}/{number}": row for group in GROUPS for number, row in enumerate(GROUPS[group]())}
        super().__init__()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection, connection.makefile("rb") as reader:
                while (target := self._read_head(reader)) and self._answer(connection, target):
                    pass
        except OSError:
            pass

    @staticmethod
    def _read_head(reader):
        line = reader.readline(65536)
        while reader.readline(65536) not in (b"\r\n", b""):
            pass
        return line.split(b" ")[1].decode() if line else None

    def _answer_twice(self, connection):
        """The second time when nobody asks: then it waits for the connection's end."""
        connection.sendall(sized(body=b"once"))
        self.late.wait(30)
        connection.sendall(INJECTED)
        while connection.recv(65536):
            pass
        self.closed.set()

    def _answer(self, connection, target):
        if target == "/twice":
            return self._answer_twice(connection)
        row = self.rows.get(target)
        if not row:
            connection.sendall(sized(body=target.encode()))
            return True
        for step in row.steps:
            if step == RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if step == HOLD:
                while connection.recv(65536):
                    pass
            if isinstance(step, str):
                return False
            connection.sendall(step)
        return row.sent is None
