"""An agent of v1 at the end of a slow line, or one whose program is slow: it reads what has come in small steps, and answers a ping
when it comes to it, behind all that was sent before. By hand (port of agents, bytes a second):

    /usr/bin/python3 tests/e2e/slow_agent.py 8081 30000
"""

import base64
import json
import socket
import struct
import time

STEP = 8192
TEXT, PING, PONG = 1, 9, 10


class SlowAgent:
    """It reads in the caller's thread, and only while it is asked to."""

    def __init__(self, address, rate):
        self.rate, self.read, self.pings, self.buffer, self.text = rate, 0, 0, bytearray(), bytearray()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * STEP)
        self.socket.settimeout(60)
        self.socket.connect(address)
        self.socket.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        del self.buffer[: self.buffer.index(b"\r\n\r\n") + 4]
        self.send({"type": "ready"})
        self.established = self.next_message()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    @property
    def host(self):
        return f"{self.established['tunnel_id']}.localhost"

    def _fill(self):
        got = self.socket.recv(STEP)
        assert got, "the gateway has closed"
        self.buffer += got
        self.read += len(got)
        if self.rate:
            time.sleep(len(got) / self.rate)

    def _exactly(self, size):
        while len(self.buffer) < size:
            self._fill()
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def _send(self, opcode, payload):
        """Masked with the key 0, which changes nothing."""
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        self.socket.sendall(bytes([0x80 | opcode]) + length + bytes(4) + payload)

    def send(self, message):
        self._send(TEXT, json.dumps(message).encode())

    def reply(self, request, body):
        self.send({"type": "http_response", "request_id": request["request_id"], "status_code": 200, "headers": {},
                   "body": base64.b64encode(body).decode(), "processing_time_ms": 1})  # fmt: skip

    def _frame(self):
        """A frame, or the end of a message; pings are answered."""
        head = self._exactly(2)
        size = head[1]
        if size >= 126:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
        payload = self._exactly(size)
        if head[0] & 15 == PING:
            self.pings += 1
            self._send(PONG, payload)
        elif head[0] & 15 < 8:
            self.text += payload
            return bool(head[0] & 128)
        return False

    def next_message(self):
        while not self._frame():
            pass
        message, self.text = json.loads(self.text), bytearray()
        return message

    def read_some(self, size):
        """So many bytes, and nothing behind them."""
        until = self.read + size
        while self.read < until:
            self._fill()


if __name__ == "__main__":
    import sys

    with SlowAgent(("localhost", int(sys.argv[1])), int(sys.argv[2])) as agent:
        print(agent.established["public_url"], flush=True)
        while True:
            request = agent.next_message()
            print(request["method"], request["uri"], len(request.get("body") or ""), "pings:", agent.pings, flush=True)
            agent.reply(request, b"done\n")
