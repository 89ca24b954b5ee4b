"""Who takes part in starve.py, each a process of its own: the local service, the attackers, the good visitor.

    starve_parts.py service
    starve_parts.py slow HOST PORT TUNNEL[,TUNNEL] SLOW IDLE BOMBS_A_SECOND
    starve_parts.py agents HOST PORT A_SECOND
    starve_parts.py storm PORT COUNT
    starve_parts.py visitor HOST PORT TUNNEL SECONDS

All but storm and visitor end with their standard input."""

import asyncio
import json
import os
import resource
import select
import socket
import sys
import threading
import time

LARGE = b"x" * (1 << 20)
VISITS_A_SECOND = 100
AN_ADDRESS_MAY = 256  # --connection-rate-per-address, as it is
WRONG = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtYWxsb3J5IiwiZXhwIjo0MTAyNDQ0ODAwfQ.c2lnbmVkIGJ5IG5vYm9keQ"


# ---- the service ----


async def answer(reader, writer):
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if lengths:
                await reader.readexactly(int(lengths[0][15:]))
            body = LARGE if b" /large" in head[:64] else b"hello"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def service():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# ---- the attackers ----


def ended():
    return select.select([sys.stdin], [], [], 0)[0]


class Slow:
    """Says a byte of a head or of a body each second, or reads one of a large answer; comes again when it is thrown out."""

    def __init__(self, place, number, tunnel):
        self.place, self.number, self.tunnel, self.socket = place, number, tunnel, None
        self.thrown_out = -1

    def _first(self):
        head = f"Host: {self.tunnel}\r\nX-Forwarded-For: 198.51.100.{self.number % 200}\r\n"
        kind = self.number % 3
        if kind == 0:
            return f"GET / HTTP/1.1\r\n{head}X-Slow: "
        if kind == 1:
            return f"POST / HTTP/1.1\r\n{head}Content-Length: 100000\r\n\r\nx"
        return f"GET /large HTTP/1.1\r\n{head}\r\n"

    def _come(self):
        self.thrown_out += 1
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(self.place)
        self.socket.setblocking(False)
        self.socket.send(self._first().encode())

    def turn(self):
        try:
            if self.socket is None:
                return self._come()
            if self.number % 3 == 2:
                if not self.socket.recv(1):
                    raise ConnectionError
            else:
                self.socket.send(b"x")
        except BlockingIOError:
            pass
        except OSError:
            if self.socket:
                self.socket.close()
            self.socket = None


def idle_connections(place, count, tunnel):
    """Each has asked for something once, or for nothing yet."""
    found = []
    for number in range(count):
        try:
            one = socket.create_connection(place, timeout=5)
            found.append(one)
            if number % 2:
                one.sendall(f"GET / HTTP/1.1\r\nHost: {tunnel}\r\n\r\n".encode())
        except OSError:
            pass
    return found


def throw_bomb(place, tunnel, number):
    """A head of 200 000 names, until it is refused."""
    try:
        with socket.create_connection(place, timeout=2) as one:
            one.sendall(f"GET / HTTP/1.1\r\nHost: {tunnel}\r\n".encode() + (b"a:\r\n" * 200_000 if number % 2 else b"X: " + b"y" * 800_000))
    except OSError:
        pass


def slow(host, port, tunnels, slow_count, idle_count, bombs):
    place, tunnels = (host, int(port)), tunnels.split(",")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    crowd = [Slow(place, number, tunnels[number % len(tunnels)]) for number in range(int(slow_count))]
    idle = idle_connections(place, int(idle_count), tunnels[-1])
    for one in crowd:
        one.turn()
    print("here", flush=True)
    thrown = 0
    while not ended():
        began = time.monotonic()
        for part in range(10):
            for one in crowd[part::10]:
                one.turn()
            for _ in range(max(1, int(bombs) // 10)):
                throw_bomb(place, tunnels[0], thrown)
                thrown += 1
            time.sleep(max(0, began + 0.1 * (part + 1) - time.monotonic()))
    came_again = sum(one.thrown_out for one in crowd)
    print(json.dumps({"idle": len(idle), "bombs": thrown, "slow ones thrown out": came_again}), flush=True)


def knock(place):
    head = f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {WRONG}\r\n\r\n"
    with socket.create_connection(place, timeout=5) as one:
        one.sendall(head.encode())
        return one.recv(4096).split(b" ")[1]


def agents(host, port, a_second):
    place, a_second, seen, begin = (host, int(port)), int(a_second), {}, time.monotonic()
    print("here", flush=True)
    for number in range(1 << 30):
        try:
            status = knock(place).decode()
        except (OSError, IndexError):
            status = "none"
        seen[status] = seen.get(status, 0) + 1
        if number % 50 == 0:
            time.sleep(max(0, begin + number / a_second - time.monotonic()))
            if ended():
                break
    print(json.dumps({"wrong agents": seen, "a second": round(sum(seen.values()) / (time.monotonic() - begin))}), flush=True)


def own_address():
    """One of this machine that is not loopback, for which the bounds of an address hold; None without any."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        address = one.getsockname()[0]
    return None if address.startswith("127.") else address


def is_open(one):
    one.setblocking(False)
    try:
        return bool(one.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def storm(port, count):
    """How many connections of one address are still open when all were opened at once; null: there is no such address."""
    address, opened, began = own_address(), [], time.monotonic()
    for _ in range(int(count) if address else 0):
        try:
            opened.append(socket.create_connection((address, int(port)), timeout=5))
        except OSError:
            pass
    allowed = AN_ADDRESS_MAY * (2 + time.monotonic() - began)
    time.sleep(1)  # the last ones are taken, or not
    figures = {"opened at once": int(count), "left open": sum(map(is_open, opened)), "may be": round(allowed)}
    print(json.dumps(figures if address else None), flush=True)


# ---- the good visitor ----


def one_visit(place, request):
    with socket.create_connection(place, timeout=10) as one:
        one.sendall(request)
        got = b""
        while piece := one.recv(4096):
            got += piece
    return got.startswith(b"HTTP/1.1 200") and got.endswith(b"hello")


def visitor(host, port, tunnel, seconds):
    """A hundred a second, whatever the last one took."""
    place, times, errors, lock = (host, int(port)), [], [], threading.Lock()
    request = f"GET / HTTP/1.1\r\nHost: {tunnel}\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n".encode()
    begin, count = time.monotonic(), int(float(seconds) * VISITS_A_SECOND)

    def visits(first, step):
        for number in range(first, count, step):
            due = begin + number / VISITS_A_SECOND
            time.sleep(max(0, due - time.monotonic()))
            began = time.monotonic()
            try:
                wrong = None if one_visit(place, request) else "a wrong answer"
            except OSError as error:
                wrong = repr(error)
            with lock:
                times.append((time.monotonic() - began, due - begin))
                if wrong:
                    errors.append(wrong)

    threads = [threading.Thread(target=visits, args=(first, 10)) for first in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    percent = {f"p{p}": round(times[int(len(times) * p / 100)][0] * 1000, 1) for p in (50, 99)}
    worst = sorted({round(when) for took, when in times if took > 0.05})
    print(json.dumps({"visits": len(times), "errors": len(errors), "first": errors[:1], **percent, "seconds with a wait over 50 ms": worst}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] in ("slow", "agents", "storm"):
        os.nice(10)  # elsewhere they would have machines of their own
    if sys.argv[1] == "service":
        asyncio.run(service())
    {"slow": slow, "agents": agents, "storm": storm, "visitor": visitor}[sys.argv[1]](*sys.argv[2:])
