"""A gateway of protocol v1 from docs/PROTOCOL.md, for what ttf does at the other end of a link: it keeps every connection for
the test to talk over, and carries no visitors."""

import asyncio
import base64
import json
import queue
import threading
import time

from websockets.legacy.server import serve


class Link:
    """One connection of an agent. `messages` has what it said, `ready` and pings excepted; `pings` when those came."""

    def __init__(self, gateway, socket):
        self.gateway, self.socket = gateway, socket
        self.headers = socket.request_headers
        self.messages, self.pings = queue.Queue(), queue.Queue()
        self.closed = threading.Event()
        self.close_code = None

    def send(self, message):
        self.gateway.call(self.socket.send(json.dumps(message)))

    def establish(self, resume="token", **more):
        url = "http://fake.localhost"
        self.send({"type": "connection_established", "connection_id": "c", "tunnel_id": "fake", "public_url": url, "resume": resume,
                   **more})  # fmt: skip

    def request(self, request_id, method="GET", uri="/", body=b""):
        self.send({"type": "http_request", "request_id": request_id, "method": method, "uri": uri, "headers": {"host": ["fake.localhost"]},
                   "body": base64.b64encode(body).decode(), "timestamp": 1})  # fmt: skip

    def response(self, seconds=60):
        message = self.messages.get(timeout=seconds)
        assert message["type"] == "http_response", message
        return message

    def taken_over(self):
        self.send({"type": "error", "request_id": None, "code": "taken_over", "message": "."})

    def close(self, code=1001):
        self.gateway.call(self.socket.close(code))


class FakeGateway:
    """`greets`: answers `ready` by itself. `refusing`: a status for whoever connects. `pong_after`: seconds that a ping waits for its answer."""

    def __init__(self, greets=True):
        self.greets, self.refusing, self.refused, self.pong_after = greets, None, 0, 0
        self.links = queue.Queue()  # in the order of their `ready`
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._started.wait()
        self.endpoint = f"ws://127.0.0.1:{self.port}"

    def _run(self):
        self._loop.run_until_complete(self._listen())
        self._loop.run_forever()

    async def _listen(self):
        self._server = await serve(self._on_link, "127.0.0.1", 0, process_request=self._on_request, compression=None, ping_interval=None)
        self.port = self._server.sockets[0].getsockname()[1]
        self._started.set()

    async def _on_request(self, path, headers):
        if self.refusing:
            self.refused += 1
            return self.refusing, [], b"not now\n"

    async def _on_link(self, socket):
        link = Link(self, socket)
        try:
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "ready":
                    link.ready = message
                    self.links.put(link)
                    if self.greets:
                        self._loop.run_in_executor(None, link.establish)
                elif message["type"] == "ping":
                    link.pings.put(time.monotonic())
                    await asyncio.sleep(self.pong_after)
                    await socket.send('{"type":"pong"}')
                else:
                    link.messages.put(message)
        finally:
            link.close_code = socket.close_code
            link.closed.set()

    def call(self, coroutine, seconds=60):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(seconds)

    def next_link(self, seconds=60):
        return self.links.get(timeout=seconds)

    def stop(self):
        async def end():
            self._server.close()
            await self._server.wait_closed()

        self.call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
