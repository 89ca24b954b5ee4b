"""What surrounds the function: a Lambda Runtime API for one bootstrap process, API Gateway's @connections, and agents."""

import base64
import hashlib
import json
import os
import queue
import socket
import subprocess
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import events

BOOTSTRAP = os.path.join(os.environ.get("TTF_BIN", "build/bin"), "bootstrap")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handle, upgrade=None, address=("127.0.0.1", 0), tls=None):
        """handle(method, path, headers, body) -> (status, headers, body), or None: cut the connection. upgrade(handler) has
        a WebSocket handshake for its own."""
        self.tls = tls

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self):
                if upgrade and self.headers.get("Upgrade") == "websocket":
                    self.close_connection = True
                    upgrade(self)
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                result = handle(self.command, self.path, self.headers, body)
                if result is None:
                    self.close_connection = True
                    return
                status, headers, content = result
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        super().__init__(address, Handler)
        self.address = "127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, client_address):
        if not self.tls:
            return super().finish_request(request, client_address)
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, *_):
        pass  # a client that left

    def stop(self):
        self.shutdown()
        self.server_close()


class Failed(Exception):
    """The function answered with an error."""

    def __init__(self, error):
        super().__init__(error)
        self.error = error


class Invocation:
    def __init__(self, event, seconds):
        self.id = str(uuid.uuid4())
        self.text = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.deadline_ms = int((time.time() + seconds) * 1000)
        self.done = threading.Event()
        self.answer = self.error = None

    def result(self, timeout=100):
        assert self.done.wait(timeout), "the function did not answer"
        if self.error is not None:
            raise Failed(self.error)
        return self.answer


class Function:
    """One execution environment: a bootstrap process and its Runtime API. Events are invoked one after the other."""

    def __init__(self, environment, command=(BOOTSTRAP,)):
        self.waiting = queue.Queue()
        self.invocations = {}
        self.init_error = None
        self.asked = self.begun = 0  # calls for the next event; invocations
        self.server = Server(self.handle)
        self.log = []
        self.environment = {"PATH": os.environ["PATH"], **environment, "AWS_LAMBDA_RUNTIME_API": self.server.address}
        self.process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE)
        threading.Thread(target=self.read_log, daemon=True).start()

    def read_log(self):
        for line in self.process.stdout:
            self.log.append(line.decode())

    def handle(self, method, path, headers, body):
        parts = path.split("/")[3:]  # /2018-06-01/runtime/…
        if parts == ["invocation", "next"]:
            self.asked += 1
            invocation = self.waiting.get()
            if invocation is None:
                return None
            self.invocations[invocation.id] = invocation
            return 200, {"Lambda-Runtime-Aws-Request-Id": invocation.id,
                         "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms)}, invocation.text  # fmt: skip
        if parts == ["init", "error"]:
            self.init_error = json.loads(body)
            return 202, {}, b""
        invocation = self.invocations.pop(parts[1], None)
        if invocation is None:
            return 400, {}, b"{}"
        if parts[2] == "response":
            invocation.answer = json.loads(body)
        else:
            invocation.error = json.loads(body)
        invocation.done.set()
        return 202, {}, b""

    def begin(self, event, seconds=30):
        invocation = Invocation(event, seconds)
        self.begun += 1
        self.waiting.put(invocation)
        return invocation

    def invoke(self, event, seconds=30):
        return self.begin(event, seconds).result()

    def idle(self, timeout=60):
        """Until it has asked for the next event after all that were invoked."""
        deadline = time.monotonic() + timeout
        while self.asked <= self.begun:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def stop(self):
        self.server.stop()
        if self.process.poll() is None:
            self.waiting.put(None)  # cuts the call for the next event, and there is nobody to call again
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise


class Connections:
    """@connections: a post to an agent that is there goes to its `receive`, any other gets 410; so does its deletion, which
    ends it."""

    def __init__(self):
        self.agents = {}
        self.posts = []  # (connection id, text)
        self.deletes = []  # connection ids
        self.answers = []  # for the next calls, instead of what is right: a status, a whole answer, or None: cut
        self.server = Server(self.handle, self.upgrade)
        self.endpoint = f"ws://{self.server.address}/dev"
        self.function = None  # of the WebSocket API, for those that connect by WebSocket: the waiters
        self.sockets = {}  # their handlers by connection id
        self.opened = 0

    def handle(self, method, path, headers, body):
        connection = urllib.parse.unquote(path.removeprefix("/dev/@connections/"))
        assert method in ("POST", "DELETE") and headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=")
        if method == "POST":
            self.posts.append((connection, body.decode()))
        else:
            self.deletes.append(connection)
        if self.answers:
            answer = self.answers.pop(0)
            if answer is None or isinstance(answer, tuple):
                return answer
            if answer != 200:
                return answer, {}, b'{"message":"no"}'
        if method == "DELETE":
            return (204, {}, b"") if self.agents.pop(connection, None) else (410, {}, b"{}")
        if connection in self.sockets:
            self.write(self.sockets[connection], body)
            return 200, {}, b""
        agent = self.agents.get(connection)
        if agent is None:
            return 410, {"x-amzn-ErrorType": "GoneException"}, b'{"message":null}'
        if len(body) > 128 * 1024:
            return 413, {}, b"{}"
        agent.receive(body.decode())
        return 200, {}, b""

    def upgrade(self, handler):
        connection, query = uuid.uuid4().hex[:15] + "=", urllib.parse.urlsplit(handler.path).query
        answer = self.function.invoke(events.connect(connection, query=dict(urllib.parse.parse_qsl(query))))
        if answer["statusCode"] != 200:
            handler.send_error(answer["statusCode"])
            return
        self.opened += 1
        key = handler.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        handler.send_response(101)
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)):
            handler.send_header(name, value)
        handler.end_headers()
        self.sockets[connection] = handler
        try:
            while (text := self.read(handler)) is not None:
                self.function.begin(events.message(connection, text))
        except OSError:
            pass
        self.sockets.pop(connection, None)

    @staticmethod
    def read(handler):
        """A short text message, which is one masked frame; None at the end."""
        head = handler.rfile.read(2)
        if len(head) < 2 or head[0] & 15 == 8:
            return None
        size = head[1] & 127
        if size == 126:
            size = int.from_bytes(handler.rfile.read(2), "big")
        mask, data = handler.rfile.read(4), handler.rfile.read(size)
        return bytes(byte ^ mask[n % 4] for n, byte in enumerate(data)).decode()

    @staticmethod
    def write(handler, data):
        """In frames of 32 KB at most."""
        pieces = [data[at : at + 32768] for at in range(0, len(data), 32768)]
        for n, piece in enumerate(pieces):
            first = (1 if n == 0 else 0) | (0x80 if n == len(pieces) - 1 else 0)
            size = bytes([len(piece)]) if len(piece) < 126 else b"\x7e" + len(piece).to_bytes(2, "big")
            handler.wfile.write(bytes([first]) + size + piece)
        handler.wfile.flush()

    def cut_sockets(self, forget=True):
        """The waiters' connections die; without `forget`, posts to them run into that."""
        for connection, handler in list(self.sockets.items()):
            if forget:
                del self.sockets[connection]
            handler.connection.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self.cut_sockets()
        self.server.stop()


class Agent:
    """An agent on the WebSocket API. `answer(request)` gives the fields of its http_response, or None: no answer."""

    def __init__(self, connections, function, answer=None, connection_id=None):
        self.connections, self.function = connections, function
        self.connection_id = connection_id or uuid.uuid4().hex[:15] + "="
        self.answer = answer or (lambda request: {"body": ""})
        self.received = queue.Queue()
        self.requests = []
        self.established = None

    def connect(self, **how):
        answer = self.function.invoke(events.connect(self.connection_id, **how))
        if answer["statusCode"] == 200:
            self.connections.agents[self.connection_id] = self
        return answer

    def ready(self, *capabilities, **more):
        self.say({"type": "ready", "capabilities": list(capabilities), **more})
        self.established = self.wait_for("connection_established")
        return self

    def up(self, *capabilities, **how):
        assert self.connect(**how)["statusCode"] == 200
        return self.ready(*capabilities)

    def say(self, message):
        return self.function.begin(events.message(self.connection_id, message))

    def receive(self, text):
        message = json.loads(text)
        if message["type"] == "http_request":
            self.requests.append(message)
            threading.Thread(target=self.respond, args=(message,), daemon=True).start()
        else:
            self.received.put(message)

    def respond(self, request):
        fields = self.answer(request)
        if fields is not None:
            self.say({"type": "http_response", "request_id": request["request_id"], "status_code": 200, "headers": {},
                      "body": "", "processing_time_ms": 1, **fields})  # fmt: skip

    def wait_for(self, kind, timeout=60):
        while True:
            message = self.received.get(timeout=timeout)
            if message["type"] == kind:
                return message

    def leave(self, tell=True):
        self.connections.agents.pop(self.connection_id, None)
        if tell:
            self.function.invoke(events.disconnect(self.connection_id))

    @property
    def tunnel(self):
        return self.established["tunnel_id"]
