"""An agent of protocol v2 in Python, from docs/PROTOCOL.md: HTTP/2 by the `h2` library, the agent as its server, in WebSocket
binary messages. It answers properly what it is asked, and a test can have it say anything else: `raw()` takes bytes."""

import asyncio
import json
import queue
import time

import h2.config
import h2.connection
import h2.events
import h2.settings
import websockets
from websockets.legacy.client import connect

from agent_thread import AgentThread

SUBPROTOCOL = "http-tunnel.v2"
CONTROL = 1

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b""):
    """RFC 9113 4.1"""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def integer(value, bits, first=0):
    """RFC 7541 5.1"""
    if value < (1 << bits) - 1:
        return bytes([first | value])
    out, value = [first | (1 << bits) - 1], value - ((1 << bits) - 1)
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def literal(name, value, first=0x00):
    """A field that leaves the tables as they are (0x40: that enters the dynamic one). RFC 7541 6.2"""
    name, value = (x if isinstance(x, bytes) else x.encode("latin-1") for x in (name, value))
    return bytes([first]) + integer(len(name), 7) + name + integer(len(value), 7) + value


def head(stream, *fields, flags=END_HEADERS, status=200):
    fields = ((":status", str(status)), *fields) if status is not None else fields
    return frame(HEADERS, flags, stream, b"".join(literal(*field) for field in fields))


class Request:
    def __init__(self, stream, headers):
        self.stream, self.headers, self.body = stream, dict(headers), b""
        self.ended = False
        self.method, self.path = self.headers.get(":method"), self.headers.get(":path")


def hello(agent, request):
    agent.answer(request.stream, body=f"{request.method} {request.path}".encode())


class AgentV2(AgentThread):
    """Runs in a thread of its own. `handler(agent, request)` is called there when a request's head has come; without one,
    requests wait in `requests`. `preface`: these bytes instead of our SETTINGS."""

    def __init__(self, endpoint, handler=None, preface=None, ready=None, headers=None):
        super().__init__()
        self.endpoint, self.handler, self.preface, self.headers = endpoint, handler, preface, headers or {}
        self.ready = {"type": "ready"} if ready is None else ready
        self.requests = queue.Queue()
        self.events = queue.Queue()  # resets, GOAWAY
        self.lines = queue.Queue()  # of the control stream
        self.streams = {}
        self.established = None
        self._line = b""

    @property
    def tunnel_id(self):
        return self.established["tunnel_id"]

    @property
    def host(self):
        return f"{self.tunnel_id}.localhost"

    async def _talk(self):
        socket = self._socket = await connect(
            self.endpoint, subprotocols=[SUBPROTOCOL], extra_headers=self.headers, ping_interval=None, compression=None, max_size=None,
            open_timeout=60,
        )
        assert socket.subprotocol == SUBPROTOCOL, "the gateway does not speak v2"
        config = h2.config.H2Configuration(
            client_side=False,
            header_encoding="latin-1",
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        codes = h2.settings.SettingCodes
        self.h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={codes.MAX_CONCURRENT_STREAMS: 4352, codes.ENABLE_CONNECT_PROTOCOL: 1, codes.INITIAL_WINDOW_SIZE: 262144},
        )
        self.h2.initiate_connection()
        data = self.h2.data_to_send()
        await socket.send(self.preface if self.preface is not None else data)
        try:
            async for message in socket:
                if not isinstance(message, bytes):
                    continue
                for event in self.h2.receive_data(message):
                    self._on_event(event)
                await self._flush()
        except websockets.ConnectionClosed:
            pass
        self.close_code = socket.close_code

    async def _flush(self):
        if data := self.h2.data_to_send():
            await self._socket.send(data)

    def _on_event(self, event):
        if isinstance(event, h2.events.RequestReceived):
            request = self.streams[event.stream_id] = Request(event.stream_id, event.headers)
            if event.stream_id == CONTROL:
                self.h2.send_headers(CONTROL, [(":status", "200")])
                if self.ready:
                    self.h2.send_data(CONTROL, json.dumps(self.ready).encode() + b"\n")
            elif self.handler:
                self.handler(self, request)
            else:
                self.requests.put(request)
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id == CONTROL:
                self._on_control(event.data)
            else:
                self.streams[event.stream_id].body += event.data
        elif isinstance(event, h2.events.StreamEnded):
            self.streams[event.stream_id].ended = True
        elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
            self.events.put(event)

    def _on_control(self, data):
        *lines, self._line = (self._line + data).split(b"\n")
        for line in filter(None, lines):
            message = json.loads(line)
            if message.get("type") == "connection_established":
                self.established = message
                self._started.set()
            else:
                self.lines.put(message)

    # ---- in its own thread (from a handler) ----

    def answer(self, stream, *fields, status=200, body=b"", end=True):
        self.h2.send_headers(stream, [(":status", str(status)), *fields], end_stream=end and not body)
        if body:
            self.h2.send_data(stream, body, end_stream=end)

    def write(self, data):
        """These bytes, behind what h2 has to say."""
        waiting = self.h2.data_to_send()
        self._loop.create_task(self._socket.send(waiting + data))

    # ---- from a test ----

    def next_request(self, seconds=60):
        return self.requests.get(timeout=seconds)

    def next_whole_request(self, seconds=60):
        """With its body: an answer before that would decline the rest."""
        request, end = self.next_request(seconds), time.monotonic() + seconds
        while not request.ended:
            assert time.monotonic() < end, "the request does not end"
            time.sleep(0.005)
        return request

    def reply(self, request, *fields, **more):
        async def run():
            self.answer(request.stream, *fields, **more)
            await self._flush()

        self._call(run())

    def raw(self, data, seconds=60):
        """These bytes as one binary message. True if they could be written."""
        try:
            self._call(self._socket.send(data), seconds)
            return True
        except (websockets.ConnectionClosed, asyncio.CancelledError, RuntimeError):
            return False

    def text(self, data):
        self._call(self._socket.send(data))
