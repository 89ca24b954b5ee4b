"""A local web service for the tests to tunnel: it notes exactly what it receives and answers what a test tells it to.

By default it answers every request with a JSON report of it. `service.on("/path", handler)` takes a path over: the handler
gets the Request in a thread of its own, may wait on events, and returns a Response (or None: close without an answer).
`service.stream("/path", handler)` hands over the Exchange as soon as the head has come: the handler reads the body and writes
the answer itself, piece by piece."""

import asyncio
import base64
import hashlib
import json
import select
import socket
import ssl
import threading
import time

from websockets.legacy.server import serve

from threaded_server import ThreadedServer


class Request:
    """`headers` with names in lower case; `names` as they came."""

    def __init__(self, method, target, version, headers, body):
        self.method, self.target, self.version, self.body = method, target, version, body
        self.headers = [(name.lower(), value) for name, value in headers]
        self.names = [name for name, _ in headers]

    @property
    def path(self):
        return self.target.partition("?")[0]

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default


class Response:
    """`raw`: these bytes instead of all else. `close`: the connection ends behind it. `length`: False leaves
    Content-Length out (the body then ends with the connection)."""

    def __init__(self, status=200, headers=(), body=b"", raw=None, close=False, length=True, reason="Fine"):
        self.status, self.headers, self.raw, self.close, self.length = status, list(headers), raw, close, length
        self.body = body.encode() if isinstance(body, str) else body
        self.reason = reason

    def encode(self, method):
        if self.raw is not None:
            return self.raw
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        names = {name.lower() for name, _ in self.headers}
        if self.length and "content-length" not in names and self.status not in (204, 304):
            lines.append(f"Content-Length: {len(self.body)}")
        if self.close or not self.length:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        return head if method == "HEAD" or self.status in (204, 304) else head + self.body


def report(request):
    """The default answer: what came, as JSON."""
    text = json.dumps(
        {
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "length": len(request.body),
            "sha256": hashlib.sha256(request.body).hexdigest(),
        }
    )
    return Response(headers=[("Content-Type", "application/json")], body=text)


class Exchange:
    """A request whose head alone was read."""

    def __init__(self, request, connection, reader, keep):
        self.request, self.connection, self.reader, self.keep = request, connection, reader, keep
        self.sent = 0  # bytes that the kernel took

    def body(self, size=256 * 1024):
        """The pieces of the body, as they come; ConnectionError when it is cut short."""
        if self.request.header("transfer-encoding", "").lower() == "chunked":
            while left := int(self._line().split(b";")[0], 16):
                while left:
                    piece = self._some(min(left, size))
                    left -= len(piece)
                    yield piece
                self._line()
            while self._line() not in (b"\r\n", b"\n"):
                pass
            return
        left = int(self.request.header("content-length", 0))
        while left:
            piece = self._some(min(left, size))
            left -= len(piece)
            yield piece

    def _line(self):
        line = self.reader.readline(65536)
        if not line.endswith(b"\n"):
            raise ConnectionError("cut short")
        return line

    def _some(self, size):
        piece = self.reader.read1(size)
        if not piece:
            raise ConnectionError("cut short")
        return piece

    def read(self, size=256 * 1024):
        """What comes next, raw; b"" at the end."""
        return self.reader.read1(size)

    def send(self, data):
        view = memoryview(data)
        while view:
            done = self.connection.send(view)
            self.sent += done
            view = view[done:]

    def head(self, status=200, *fields, reason="Fine"):
        lines = [f"HTTP/1.1 {status} {reason}"] + [f"{name}: {value}" for name, value in fields]
        if status >= 200 and not self.keep and "Connection" not in dict(fields):
            lines.append("Connection: close")
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self, *trailers):
        """The end of a chunked body."""
        self.send(b"0\r\n" + b"".join(f"{n}: {v}\r\n".encode() for n, v in trailers) + b"\r\n")

    def has_input_within(self, seconds):
        """Something to read, or the peer's close."""
        poll = select.poll()  # select() knows no descriptor beyond 1023
        poll.register(self.connection, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def is_closed_within(self, seconds=60):
        """True once the peer has closed; what it sends until then is thrown away."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.has_input_within(left):
                try:
                    if not self.connection.recv(1 << 20):
                        return True
                except ConnectionError:
                    return True
        return False


def accept_key(key):
    """RFC 6455 4.2.2"""
    return base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


class Gate:
    """A handler that holds its requests until the test says go."""

    def __init__(self, answer=None):
        self.answer = answer or (lambda request: Response(body="at last"))
        self.opened = threading.Event()
        self.arrived = threading.Semaphore(0)

    def __call__(self, request):
        self.arrived.release()
        self.opened.wait(60)
        return self.answer(request)

    def wait_arrived(self, count=1, seconds=60):
        for _ in range(count):
            assert self.arrived.acquire(timeout=seconds), "the request did not reach the service"

    def open(self):
        self.opened.set()


class Service(ThreadedServer):
    """`unix`: listens on that path instead. `tls`: (certificate file, key file)."""

    def __init__(self, port=0, unix=None, tls=None, address="127.0.0.1"):
        self.handlers = {}
        self.streams = {}
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.default = report
        self.requests = []
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.connections = set()
        self.closes = 0  # connections closed after an answer that did not say so
        if unix:
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(str(unix))
            listening.listen(1024)
        else:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listening = socket.create_server((address, port), family=family, backlog=4096)
        super().__init__(listening)

    def on(self, path, handler):
        self.handlers[path] = handler
        return handler

    def stream(self, path, handler, keep=False):
        """handler(exchange). `keep`: the connection serves further requests."""
        self.streams[path] = handler, keep
        return handler

    def answer(self, path, **response):
        self.on(path, lambda request: Response(**response))

    def seen(self, path=None):
        """The requests received so far (on that path)."""
        with self.lock:
            return [r for r in self.requests if path is None or r.path == path]

    def wait_seen(self, path, count=1, seconds=60):
        end = time.monotonic() + seconds
        with self.changed:
            while len(found := [r for r in self.requests if r.path == path]) < count:
                left = end - time.monotonic()
                assert left > 0, f"{path} was seen {len(found)} times, not {count}"
                self.changed.wait(left)
        return found

    def reset(self):
        with self.lock:
            self.requests.clear()
        self.handlers.clear()
        self.streams.clear()
        self.default = report

    def stop(self):
        super().stop()
        with self.lock:
            connections = list(self.connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _serve(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
        except (OSError, ValueError):
            return
        with self.lock:
            self.connections.add(connection)
        try:
            with connection, connection.makefile("rb", buffering=256 * 1024) as reader:
                if connection.family != socket.AF_UNIX:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while self._serve_one(connection, reader):
                    pass
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)

    def _serve_one(self, connection, reader):
        request = self._read_head(reader)
        if not request:
            return False
        if request.path in self.streams:
            self._note(request)
            handler, keep = self.streams[request.path]
            handler(Exchange(request, connection, reader, keep))
            return keep
        if not self._read_body(request, connection, reader):
            return False
        self._note(request)
        handler = self.handlers.get(request.path, self.default)
        response = handler(request)
        if response is None:
            return False
        connection.sendall(response.encode(request.method))
        if response.raw is not None:
            self.closes += 1
        return not (response.close or response.raw is not None or not response.length)

    def _note(self, request):
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    @staticmethod
    def _read_head(reader):
        line = reader.readline(65536)
        if not line:
            return None
        method, target, version = line.decode("latin-1").rstrip("\r\n").split(" ", 2)
        headers = []
        while (line := reader.readline(1 << 20)) not in (b"\r\n", b"\n"):
            if not line:
                return None
            name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
            headers.append((name, value.strip(" \t")))
        return Request(method, target, version, headers, b"")

    @staticmethod
    def _read_body(request, connection, reader):
        if request.header("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.header("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(reader.readline().split(b";")[0], 16):
                parts.append(reader.read(size))
                if reader.readline() not in (b"\r\n", b"\n"):
                    return False
            while (line := reader.readline()) not in (b"\r\n", b"\n"):
                if not line:
                    return False
            request.body = b"".join(parts)
        elif request.header("content-length"):
            length = int(request.header("content-length"))
            request.body = reader.read(length)
            if len(request.body) < length:
                return False
        return True


class WebSocketService:
    """A WebSocket server by the `websockets` library; `handler(socket)` is a coroutine."""

    def __init__(self, handler, **more):
        self.loop = asyncio.new_event_loop()
        self.ended = []  # (close code, reason) of each connection that ended

        async def serve_one(socket):
            try:
                await handler(socket)
            finally:
                await socket.wait_closed()
                self.ended.append((socket.close_code, socket.close_reason))

        async def listen():
            more.setdefault("max_size", None)
            self.server = await serve(serve_one, "127.0.0.1", 0, compression=None, backlog=4096, ping_interval=None, **more)
            self.port = self.server.sockets[0].getsockname()[1]

        self.loop.run_until_complete(listen())
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def wait_ended(self, count=1, seconds=60):
        end = time.monotonic() + seconds
        while len(self.ended) < count:
            assert time.monotonic() < end, f"{len(self.ended)} of {count} connections have ended"
            time.sleep(0.01)
        return self.ended

    def stop(self):
        async def close():
            self.server.close()
            await asyncio.wait_for(self.server.wait_closed(), 10)

        try:
            asyncio.run_coroutine_threadsafe(close(), self.loop).result(15)
        except Exception:  # the test has its verdict
            pass
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


async def echo(socket):
    async for message in socket:
        await socket.send(message)


if __name__ == "__main__":
    import sys

    service = Service(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(f"http://127.0.0.1:{service.port}", flush=True)
    threading.Event().wait()
