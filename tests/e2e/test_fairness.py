"""One visitor or one agent that takes all it can get: the others go on being served, and who is ended for them is who does least."""

import base64
import contextlib
import json
import os
import resource
import secrets
import select
import socket
import subprocess
import sys
import threading
import time

import pytest

import http_raw
from programs import BIN, SLOW

PROXY = ("--trusted-proxies", "127.0.0.0/8")


def behind(address):
    """The field by which a trusted proxy names a visitor."""
    return [("X-Forwarded-For", address)]


@contextlib.contextmanager
def connections(gateway, count):
    """Idle ones, each of which has had an answer."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(http_raw.Connection(gateway.address)) for _ in range(count)]


def metric(gateway, line):
    page = http_raw.request(gateway.admin, target="/metrics").body.decode()
    return float(next(each.rpartition(" ")[2] for each in page.splitlines() if each.startswith(line + " ")))


# ---- connections ----


def test_idle_connections_make_room(start):
    """All connections that there may be are idle: the one that has been so for the longest time is ended, and nothing else."""
    gateway = start.gateway("--max-connections", "20", "--keepalive-timeout", "60s")
    ttf = start.forwarder(gateway, start.service())
    with connections(gateway, 20) as idle:
        for each in idle:
            each.send(http_raw.build(host=ttf.host))
            assert each.read_response().status == 200
        idle[0].send(http_raw.build(host=ttf.host))  # the first is the last now
        assert idle[0].read_response().status == 200
        assert http_raw.request(gateway.address, host=ttf.host).status == 200
        assert idle[1].is_closed_within(30)
        for each in (idle[0], *idle[2:]):
            each.send(http_raw.build(host=ttf.host))
            assert each.read_response().status == 200
    assert metric(gateway, 'ttf_connections_evicted_total{port="public"}') == 1
    assert metric(gateway, 'ttf_connections_refused_total{port="public"}') == 0


def test_who_says_nothing_makes_room(start):
    """The same of connections on which nothing, or the half of a head, has come."""
    gateway = start.gateway("--max-connections", "20")
    ttf = start.forwarder(gateway, start.service())
    with connections(gateway, 20) as silent:
        for each in silent[10:]:
            each.send(b"GET / HTTP/1.1\r\nHost: ")
        for _ in range(40):
            assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_silent_agents_make_room(start):
    """Connections to the agent port that never say who they are keep no agent out."""
    gateway = start.gateway("--max-connections", "20")
    service = start.service()
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(gateway.agents))
        ttf = start.forwarder(gateway, service)
        assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_a_machine_without_descriptors_makes_room(start):
    """Fewer descriptors than connections that there may be: the idle ones are ended in time, too."""
    gateway = start.gateway("--keepalive-timeout", "60s")
    ttf = start.forwarder(gateway, start.service())
    limit = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
    used = int(metric(gateway, "process_open_fds"))
    resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (used + 10, limit[1]))
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            [one] = stack.enter_context(connections(gateway, 1))
            one.send(http_raw.build(host=ttf.host))
            assert one.read_response().status == 200
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, limit)
        assert metric(gateway, 'ttf_connections_evicted_total{port="public"}') >= 10


def test_agents_of_one_address_behind_a_proxy(start):
    """Behind a trusted proxy agents count by the address that it names; an IPv6 network of 64 bits is one address."""
    gateway = start.gateway(*PROXY, "--max-connections-per-address", "3")
    for last in "123":
        start.agent(gateway, headers={"x-forwarded-for": f"2001:db8::{last}"})
    with pytest.raises(Exception, match="429"):
        start.agent(gateway, headers={"x-forwarded-for": "2001:db8::4"})
    start.agent(gateway, headers={"x-forwarded-for": "2001:db8:0:1::4"})
    start.agent(gateway)  # the proxy itself


def test_handshakes_a_second_behind_a_proxy(start):
    gateway = start.gateway(*PROXY, "--connection-rate-per-address", "2")
    handshake = ["GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "X-Forwarded-For: 192.0.2.%d", "", ""]  # fmt: skip
    with contextlib.ExitStack() as stack:
        agents = [stack.enter_context(http_raw.Connection(gateway.agents)) for _ in range(12)]
        for agent in agents:  # all within a second or two, however slow this machine is
            agent.send("\r\n".join(handshake).encode() % 1)
        statuses = [agent.read_head().status for agent in agents]
    assert statuses.count(101) >= 2 and 429 in statuses, statuses
    with http_raw.Connection(gateway.agents) as connection:
        connection.send("\r\n".join(handshake).encode() % 2)
        assert connection.read_head().status == 101


def own_address():
    """One of this machine that is not loopback; None without any."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))  # sends nothing
        return one.getsockname()[0]


def test_connections_a_second(start):
    address = own_address()
    if not address or address.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    gateway = start.gateway("--connection-rate-per-address", "5", ports=("0.0.0.0:0", 0, 0))
    ttf = start.forwarder(gateway, start.service())
    port, served, cut = gateway.address[1], 0, 0
    for connection in [http_raw.Connection((address, port)) for _ in range(20)]:  # all within a second, however slow this machine is
        with connection:
            try:
                connection.send(http_raw.build(host=ttf.host))
                served += connection.read_response().status == 200
            except (ConnectionError, http_raw.Cut):
                cut += 1
    assert served >= 5 and cut >= 5, (served, cut)
    for _ in range(20):  # others come as they like
        assert http_raw.request(("127.0.0.1", port), host=ttf.host).status == 200
    assert metric(gateway, 'ttf_connections_refused_total{port="public"}') == cut


def test_a_bound_that_is_none_is_said(start):
    """More connections than this machine has descriptors for, bodies that it has no memory for."""
    gateway = start.gateway("--max-connections", "1000000", "--max-body", "1GiB")
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    said = [line for line in gateway.err if "it is no bound here" in line]
    assert any("max-connections" in line for line in said) == (0 <= allowed < 1000000), said
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory >= 4 << 30 or any("max-body" in line for line in said), said


# ---- a tunnel's requests at once ----

PLACES = ("--max-requests-per-tunnel", "32")
TROUBLE, OTHER, THIRD = "203.0.113.1", "203.0.113.2", "203.0.113.3"


class Held(contextlib.ExitStack):
    """Requests of one visitor that take a place and do not end."""

    def __init__(self, gateway, ttf, address):
        super().__init__()
        self.gateway, self.ttf, self.address, self.statuses = gateway, ttf, address, []
        self.began = time.monotonic()

    def is_soon(self):
        """Nobody has stalled for so long that he may be ended; on a very slow machine some may have."""
        return time.monotonic() - self.began < 5

    def open(self, request):
        connection = self.enter_context(http_raw.Connection(self.gateway.address))
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.send(request)
        return connection

    def read_one(self, path="/endless"):
        """Asks for an answer and reads its head only."""
        connection = self.open(http_raw.build(target=path, host=self.ttf.host, headers=behind(self.address)))
        self.statuses.append(connection.read_head().status)
        return connection

    def send_one(self, size=1000):
        """A body that does not go on."""
        head = http_raw.build("POST", "/", self.ttf.host, [*behind(self.address), ("Content-Length", str(size))])
        return self.open(head + b"x")


@pytest.fixture
def endless(start):
    """A service that answers without end, and at once where it is asked for anything else."""
    service, ended = start.service(), threading.Event()

    def send(exchange):
        kind = b"text/event-stream" if exchange.request.path == "/events" else b"text/plain"
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n" % kind)
        with contextlib.suppress(OSError):
            while not ended.is_set():
                exchange.send(b"x" * 65536)

    service.stream("/endless", send)
    service.stream("/events", send)
    yield service
    ended.set()


def until(condition, seconds=60):
    end = time.monotonic() + seconds * SLOW
    while not condition():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.05)


def visit(gateway, ttf, address):
    return http_raw.request(gateway.address, host=ttf.host, headers=behind(address)).status


def test_slow_readers_of_one_visitor(start, endless):
    """One who reads nothing of as many answers as there may be gets no more than leaves the others theirs."""
    gateway = start.gateway(*PROXY, *PLACES)
    ttf = start.forwarder(gateway, endless)
    with Held(gateway, ttf, TROUBLE) as trouble:
        for _ in range(40):
            trouble.read_one()
        assert trouble.statuses[:24] == [200] * 24, trouble.statuses
        assert trouble.statuses[24:] == [503] * 16 or not trouble.is_soon(), trouble.statuses
        for _ in range(20):
            assert visit(gateway, ttf, OTHER) == 200
        assert visit(gateway, ttf, TROUBLE) == 503 or not trouble.is_soon()


def test_slow_bodies_of_one_visitor(start):
    gateway = start.gateway(*PROXY, *PLACES)
    ttf = start.forwarder(gateway, start.service())
    with Held(gateway, ttf, TROUBLE) as trouble:
        for _ in range(40):
            trouble.send_one()
        until(lambda: metric(gateway, 'ttf_request_errors_total{error="overloaded"}') == 16)
        for _ in range(20):
            assert visit(gateway, ttf, OTHER) == 200


def test_who_stalls_longest_makes_room(start, endless):
    """Two who take all places: the requests that stall are ended, the oldest first, for those who come."""
    gateway = start.gateway(*PROXY, *PLACES)
    ttf = start.forwarder(gateway, endless)
    with Held(gateway, ttf, TROUBLE) as trouble, Held(gateway, ttf, OTHER) as others:
        for held in (trouble, others):
            held.connections = [held.read_one() for _ in range(16)]
            assert held.statuses == [200] * 16
        assert visit(gateway, ttf, THIRD) == 503 or not trouble.is_soon()
        until(lambda: visit(gateway, ttf, THIRD) == 200)
        for _ in range(5):
            assert visit(gateway, ttf, THIRD) == 200
        assert 1 <= sum(map(is_reset, (*trouble.connections, *others.connections))) <= 2


def is_reset(connection):
    """Whether it was ended; what was sent before that may lie there unread."""
    poll = select.poll()
    poll.register(connection.socket, select.POLLRDHUP)
    return bool(poll.poll(0))


def test_who_is_too_slow_is_ended(start, endless):
    """Bodies and readers below the rate; who is above it, event streams and upgraded connections are left alone."""
    gateway = start.gateway("--min-rate", "1000", "--min-rate-grace", "2s", "--header-timeout", "1s")
    ttf = start.forwarder(gateway, endless)
    with Held(gateway, ttf, TROUBLE) as held:
        size, piece = 2_000_000, b"y" * 1000  # ten times what he must send, where the machine has the time
        body, steady = held.send_one(), held.send_one(size)
        reader, events = held.read_one(), held.read_one("/events")
        left = size - 1

        def goes_on_until(condition):
            nonlocal left
            while not condition():
                steady.send(piece)
                left -= len(piece)

        goes_on_until(lambda: body.has_input_within(0.1))
        assert time.monotonic() - held.began >= 1.9
        assert body.read_response().status == 408
        goes_on_until(lambda: time.sleep(0.1) or is_reset(reader))
        assert not is_reset(events)
        steady.send(b"y" * left)
        assert steady.read_response().status == 200


# ---- agents ----


def test_new_tunnels_of_a_subject(start):
    """One token does not claim names without end; what it has it can come back to, and others are not concerned."""
    secret = secrets.token_hex(32)
    gateway = start.gateway("--require-auth", "true", "--tunnels-per-subject", "3", env={"JWT_SECRET": secret})

    def claim(name, subject="ann"):
        token = subprocess.run([BIN / "ttf-gateway", "token", "--sub", subject, "--ttl", "1h"], env={"JWT_SECRET": secret},
                               check=True, capture_output=True, text=True).stdout.strip()  # fmt: skip
        return start.agent(gateway, name=name, headers={"authorization": f"Bearer {token}"})

    for name in ("one", "two", "three"):
        claim(name + "-of-ann")
    with pytest.raises(Exception, match="429"):
        claim("four-of-ann")
    claim("one-of-ann")
    claim("one-of-bob", "bob")


class HostileAgent:
    """An agent of v1 on a bare socket. Its key is zero: what it says is what it sends."""

    def __init__(self, gateway):
        self.connection = http_raw.Connection(gateway.agents)
        fields = ["GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""]  # fmt: skip
        self.connection.send("\r\n".join(fields).encode())
        assert self.connection.read_head().status == 101
        self.say(b'{"type":"ready"}')

    def frame(self, text, first=0x81):
        length = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xff" + len(text).to_bytes(8, "big")
        return bytes([first]) + length + bytes(4) + text

    def say(self, text, **more):
        self.connection.send(self.frame(text, **more))

    def say_for(self, text, seconds):
        """As often as the gateway takes it."""
        frame, end = self.frame(text), time.monotonic() + seconds
        self.connection.socket.settimeout(0.2)
        left = b""
        while time.monotonic() < end:
            left = left or frame
            with contextlib.suppress(socket.timeout):
                left = left[self.connection.socket.send(left) :]


def answer_of(size=0, **more):
    body = base64.b64encode(bytes(size)).decode()
    return json.dumps({"type": "http_response", "request_id": "none", "status_code": 200, "headers": {}, "body": body, **more}).encode()


@pytest.fixture
def busy(start):
    """How much of a processor's time the gateway takes while another tunnel is visited now and then."""
    gateway = start.gateway()
    ttf = start.forwarder(gateway, start.service())
    agent = HostileAgent(gateway)
    yield gateway, agent
    agent.connection.close()
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_an_agent_that_says_much_has_its_turn(busy):
    """Answers of 2 MiB without end, to no request: others have most of the time."""
    gateway, agent = busy
    before, began = metric(gateway, "process_cpu_seconds_total"), time.monotonic()
    agent.say_for(answer_of(2 << 20), 3)
    used = metric(gateway, "process_cpu_seconds_total") - before
    assert used < 0.6 * (time.monotonic() - began), used


# The same frame without end; what comes back is thrown away.
FLOODER = r"""
import socket, sys, threading
agent = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
agent.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
def read():
    while agent.recv(1 << 18):
        pass
threading.Thread(target=read, daemon=True).start()
block = bytes.fromhex(sys.argv[2]) * 40000
agent.sendall(block)
print("begun", flush=True)
while True:
    agent.sendall(block)
"""


@pytest.mark.parametrize("text, first", [(b"", 0x89), (b'{"type":"ready"}', 0x81)], ids=["pings", "messages"])
def test_an_agent_of_many_frames(start, text, first):
    """A read holds ten thousands of them, of which each has a system call or more behind it: others do not wait for all."""
    gateway = start.gateway()
    ttf = start.forwarder(gateway, start.service())
    frame = bytes([first, 0x80 | len(text)]) + bytes(4) + text
    flooder = subprocess.Popen([sys.executable, "-c", FLOODER, str(gateway.agents[1]), frame.hex()], stdout=subprocess.PIPE)
    try:
        assert flooder.stdout.readline() == b"begun\n"
        end = time.monotonic() + 5 * SLOW
        with http_raw.Connection(gateway.address) as visitor:
            for number in range(100):
                visitor.send(http_raw.build(host=ttf.host))
                assert visitor.read_response().status == 200
                assert time.monotonic() < end, number
        assert flooder.poll() is None
    finally:
        flooder.kill()
        flooder.wait()
        flooder.stdout.close()


@pytest.fixture
def many_names():
    """Made before the agent connects, which is cut when it is silent for long."""
    return answer_of(headers={f"h{i}": [] for i in range(200000)})


def test_an_agent_of_many_names(many_names, busy):
    """Messages whose names would take a parser half a second each are not parsed."""
    gateway, agent = busy
    count = 20
    before = metric(gateway, "process_cpu_seconds_total")
    for _ in range(count):
        agent.say(many_names)
    agent.say(b'{"type":"ping"}')
    agent.connection.read_until(b"pong")
    gateway.wait_err("a malformed message was dropped")
    assert metric(gateway, "process_cpu_seconds_total") - before < 0.05 * count * SLOW


def test_unfinished_messages_have_a_bound(start):
    """A hundred agents, each with a message of nearly 3 MB that does not end: the oldest are closed."""
    gateway = start.gateway()
    ttf = start.forwarder(gateway, start.service())
    agents = []
    for _ in range(100):
        agents.append(HostileAgent(gateway))
        agents[-1].say(b"x" * 2_900_000, first=0x01)  # at once: who is asked and says nothing is cut
    gateway.wait_err("too much memory is held by messages that are not complete")
    assert http_raw.request(gateway.address, host=ttf.host).status == 200
    if SLOW == 1:
        assert gateway.rss_kib() < 160 * 1024, gateway.rss_kib()
    for agent in agents:
        agent.connection.close()


# ---- memory ----


def test_short_memory_refuses_what_is_new(start):
    """At four fifths of its limit the gateway refuses requests; when there is memory again it serves."""
    gateway = start.gateway("--memory-limit", "40MiB")
    ttf = start.forwarder(gateway, start.service())
    limit = metric(gateway, "ttf_memory_limit_bytes")
    assert limit == 40 << 20
    if not metric(gateway, "ttf_memory_bytes"):
        pytest.skip("the allocator of this build keeps no account")
    agents = [HostileAgent(gateway) for _ in range(15)]
    for agent in agents:
        agent.say(b"x" * 2_900_000, first=0x01)
    until(lambda: http_raw.request(gateway.address, host=ttf.host).status == 503)
    assert metric(gateway, "ttf_memory_bytes") > 0.8 * limit
    for agent in agents:
        agent.connection.close()
    until(lambda: http_raw.request(gateway.address, host=ttf.host).status == 200)


def test_shorter_memory_cuts_who_reads_nothing(start, endless):
    """Beyond 95 % those are cut who have most of their answers unread."""
    gateway = start.gateway("--memory-limit", "3MiB")
    ttf = start.forwarder(gateway, endless)
    if not metric(gateway, "ttf_memory_bytes"):
        pytest.skip("the allocator of this build keeps no account")
    with Held(gateway, ttf, TROUBLE) as held:
        connections = []
        for _ in range(40):
            connections.append(held.open(http_raw.build(target="/endless", host=ttf.host)))
        until(lambda: any(map(is_reset, connections)))
        gateway.wait_err("memory is short")
