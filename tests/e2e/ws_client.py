"""A WebSocket client whose calls block, over the `websockets` library."""

import asyncio
import threading

from websockets.exceptions import ConnectionClosed
from websockets.legacy import client


class Socket:
    def __init__(self, url, headers=None, seconds=60, subprotocols=None):
        self.seconds = seconds
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        try:
            self.socket = self._run(self._connect(url, headers, subprotocols))
        except BaseException:
            self._end()
            raise

    async def _connect(self, url, headers, subprotocols):
        return await client.connect(url, extra_headers=headers or {}, compression=None, max_size=None, ping_interval=None,
                                    user_agent_header=None, open_timeout=60, close_timeout=2, subprotocols=subprotocols)  # fmt: skip

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(self.seconds)

    def _end(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(self.seconds)
        self.loop.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._run(self.socket.close())
        self._end()

    @property
    def subprotocol(self):
        """The one that the server has chosen, or None."""
        return self.socket.subprotocol

    def send(self, message):
        """A str as one frame, bytes as one binary frame, a list as the frames of one message."""
        self._run(self.socket.send(message))

    def recv(self):
        return self._run(self.socket.recv())

    def send_raw(self, opcode, payload):
        """One frame of any kind, whatever is in it."""
        self._run(self.socket.write_frame(True, opcode, payload))

    def close(self, code, reason):
        self._run(self.socket.close(code, reason))

    def abort(self):
        """The end without a close frame."""
        self.loop.call_soon_threadsafe(self.socket.transport.abort)

    def closed(self):
        """The code with which the other side closes; whatever comes before is dropped."""
        try:
            while True:
                self.recv()
        except ConnectionClosed as ended:
            return ended.rcvd.code if ended.rcvd else None
