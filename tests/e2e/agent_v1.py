"""An agent written from docs/PROTOCOL.md alone, on the `websockets` library. It speaks plain v1: no capabilities, no
resume. By hand:

    /usr/bin/python3 tests/e2e/agent_v1.py ws://localhost:8081
"""

import asyncio
import base64
import json
import queue

import websockets
from websockets.legacy.client import connect

from agent_thread import AgentThread


def answer(request, status=200, headers=None, body=b"", **more):
    """An http_response to that http_request."""
    return {
        "type": "http_response",
        "request_id": request["request_id"],
        "status_code": status,
        "headers": headers if headers is not None else {"content-type": ["text/plain"]},
        "body": base64.b64encode(body).decode(),
        "processing_time_ms": 1,
        **more,
    }


def hello(request):
    return answer(request, body=f"{request['method']} {request['uri']}".encode())


def in_frames(message):
    """API Gateway takes none over 32 KB."""
    size = 31 * 1024
    return message if len(message) <= size else [message[at : at + size] for at in range(0, len(message), size)]


class AgentV1(AgentThread):
    """Runs in a thread of its own. `handler(request)` returns the answer, or None to give none; without a handler the
    requests wait in `requests`. `url` and `tunnel_id` are set once start() is back."""

    def __init__(self, endpoint, handler=None, headers=None, ready=None, pings=False):
        super().__init__()
        self.endpoint, self.handler, self.headers = endpoint, handler, headers or {}
        self.ready = {"type": "ready"} if ready is None else ready
        self.pings = pings
        self.requests = queue.Queue()
        self.messages = queue.Queue()  # everything else
        self.established = None
        self.refused = None  # HTTP status of a refused handshake

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def tunnel_id(self):
        return self.established["tunnel_id"]

    @property
    def url(self):
        return self.established["public_url"]

    async def _talk(self):
        socket = await connect(
            self.endpoint,
            extra_headers=self.headers,
            ping_interval=20 if self.pings else None,
            open_timeout=60,
            compression=None,
            max_size=8 << 20,
        )
        self._socket = socket
        try:
            if self.ready:
                await socket.send(json.dumps(self.ready))
            else:
                self._started.set()
            async for text in socket:
                await self._on_message(json.loads(text))
        except websockets.ConnectionClosed:
            pass
        self.close_code = socket.close_code

    async def _on_message(self, message):
        kind = message.get("type")
        if kind == "connection_established":
            self.established = message
            self._started.set()
        elif kind == "ping":
            await self._socket.send(json.dumps({"type": "pong"}))
        elif kind == "http_request" and self.handler:
            reply = self.handler(message)
            if reply is not None:
                await self._socket.send(in_frames(json.dumps(reply)))
        elif kind == "http_request":
            self.requests.put(message)
        else:
            self.messages.put(message)

    def next_request(self, seconds=60):
        return self.requests.get(timeout=seconds)

    def send(self, message):
        """A dict as JSON; str and bytes as they are (bytes: a binary frame)."""
        self._call(self._socket.send(in_frames(json.dumps(message) if isinstance(message, dict) else message)))

    def send_text(self, data):
        """A text frame of exactly these bytes, be they UTF-8 or not."""

        async def write():
            await self._socket.write_frame(True, 0x1, data)

        self._call(write())

    def settle(self):
        """Back once the gateway has read all that was sent before: it has answered a WebSocket ping."""

        async def ping():
            await (await self._socket.ping())

        self._call(ping())

    def _end_connection(self):
        """A close frame, and the end once the gateway has closed too."""
        if not self.closed.is_set() and hasattr(self, "_socket"):
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._socket.close()))
            if not self.closed.wait(5):
                self.kill()


if __name__ == "__main__":
    import sys

    with AgentV1(sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8081", hello) as agent:
        print(agent.url, flush=True)
        agent.closed.wait()
