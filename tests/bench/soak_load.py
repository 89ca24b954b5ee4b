"""The visitors of the soak: each kind asks again and again, looks at every byte of its answers, and counts what came as the
gateways' metrics count it. Between two calm times they rest, so that both can be compared."""

import asyncio
import collections
import json
import os
import random

from soak_service import PIECES, SOCKET_KEY, digest, read_body, read_frame, read_head, whole_body

PATIENCE_S = 60
FAILURES = (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError, ValueError, AssertionError)


def status_class(status):
    return f"{status // 100}xx"


class Visitors:
    def __init__(self, gateways):
        self.gateways = gateways  # (host, port) of each public port
        self.counts = collections.Counter()  # by class of status
        self.failed = collections.Counter()  # by what it was
        self.wrong = []
        self.tasks, self.busy = [], 0
        self.go = asyncio.Event()

    # ---- resting ----

    def start(self):
        self.go.set()

    async def rest(self):
        """Back when nothing is under way."""
        self.go.clear()
        while self.busy:
            await asyncio.sleep(0.02)

    def add(self, kind, tunnel, pause, **more):
        self.tasks.append(asyncio.ensure_future(self._repeat(kind, tunnel, pause, more)))

    async def _repeat(self, kind, tunnel, pause, more):
        await asyncio.sleep(random.random() * pause)
        while True:
            await self.go.wait()
            self.busy += 1
            try:
                await asyncio.wait_for(kind(tunnel(), **more), PATIENCE_S)
            except FAILURES as failure:
                self.failed[f"{kind.__name__}: {type(failure).__name__} {failure}"[:120]] += 1
            finally:
                self.busy -= 1
            await asyncio.sleep(pause)

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    # ---- one request ----

    async def connect(self):
        """To any gateway that lets one in, as a balancer would."""
        last = None
        for address in random.sample(self.gateways, len(self.gateways)):
            try:
                return await asyncio.open_connection(*address)
            except OSError as failure:
                last = failure
        raise last

    async def head(self, reader):
        first, fields = await read_head(reader)
        status = int(first.split(" ")[1])
        self.counts[status_class(status)] += 1
        return status, fields

    def note(self, kind, status, fields, expected=200):
        """False: it is an error. Only those that somebody has asked for are none (429)."""
        if status != expected and status != 429:
            self.failed[f"{kind}: {status} {fields.get('x-tunnel-error', '-')}"] += 1
        return status == expected

    async def ask(self, host, size=2000, pace=None):
        """A body there, and one back that says of which request it is. `pace`: seconds between the pieces of the head."""
        reader, writer = await self.connect()
        try:
            target, body = f"/{random.getrandbits(64):x}", os.urandom(random.randrange(size))
            head = f"POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            while pace and len(head) > 10:
                writer.write(head[:10])
                head = head[10:]
                await asyncio.sleep(pace)
            writer.write(head + body)  # at once: who is refused early would else write into a connection that is closed
            status, fields = await self.head(reader)
            came = await whole_body(reader, fields)
            if self.note("ask", status, fields) and json.loads(came)["digest"] != digest(host, target, body):
                self.wrong.append(f"{host}{target}: {came[:200]}")
            return status
        finally:
            writer.close()

    async def stream(self, host):
        reader, writer = await self.connect()
        try:
            writer.write(f"GET /stream HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            status, fields = await self.head(reader)
            came = [piece async for piece in read_body(reader, fields)]
            if self.note("stream", status, fields) and b"".join(came) != b"".join(b"data: %d\n\n" % n for n in range(PIECES)):
                self.wrong.append(f"{host}/stream: {came}")
        finally:
            writer.close()

    async def socket(self, host):
        reader, writer = await self.connect()
        try:
            writer.write((f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {SOCKET_KEY}\r\n\r\n").encode())  # fmt: skip
            status, fields = await self.head(reader)
            if not self.note("socket", status, fields, 101):
                await whole_body(reader, fields)
                return
            for opcode in (2, 2, 2, 8):
                payload = b"\x03\xe8" if opcode == 8 else os.urandom(50)
                writer.write(bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload)
                if await read_frame(reader) != (opcode, payload):
                    self.wrong.append(f"{host}/ws: another frame")
                await asyncio.sleep(0.1)
        finally:
            writer.close()


class BadTokens:
    """Handshakes of agents with tokens that nobody has signed."""

    def __init__(self, addresses, pause):
        self.addresses, self.pause, self.refused, self.busy = addresses, pause, 0, False
        self.go = asyncio.Event()
        self.task = asyncio.ensure_future(self._run())

    async def _try(self):
        reader, writer = await asyncio.open_connection(*random.choice(self.addresses))
        try:
            writer.write((f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          f"Sec-WebSocket-Key: {SOCKET_KEY}\r\nAuthorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA\r\n\r\n").encode())  # fmt: skip
            first, _ = await read_head(reader)
            self.refused += " 401 " in first
        finally:
            writer.close()

    async def _run(self):
        while True:
            await self.go.wait()
            self.busy = True
            try:
                await asyncio.wait_for(self._try(), PATIENCE_S)
            except FAILURES:
                pass
            self.busy = False
            await asyncio.sleep(self.pause)

    async def rest(self):
        self.go.clear()
        while self.busy:
            await asyncio.sleep(0.02)
