"""Under systemd: what it is told, sockets that it has opened, and a new program that takes over while visitors come."""

import collections
import contextlib
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

import http_raw
from programs import BIN, SLOW, Gateway, Program
from service import Gate
from test_tls import authority, pair, secure  # noqa: F401 (fixtures)
from ws_client import Socket

LAUNCH = """
import os, sys
names, count = sys.argv[1], int(sys.argv[2])
os.environ.update(LISTEN_FDS=str(count), LISTEN_FDNAMES=names, LISTEN_PID=sys.argv[3] or str(os.getpid()))
given = [os.dup2(int(fd), 100 + n) for n, fd in enumerate(os.environ["GIVEN"].split(","))]
for n, fd in enumerate(given):
    os.dup2(fd, 3 + n)
    os.set_inheritable(3 + n, True)
os.closerange(3 + len(given), 200)
os.execv(sys.argv[4], sys.argv[4:])
"""


class Manager:
    """What a service manager hears: lines of sd_notify."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0.2)
        self.env = {"NOTIFY_SOCKET": str(path)}
        self.heard = []

    def wait(self, line, seconds=60, after=0):
        end = time.monotonic() + seconds * SLOW
        while not any(line in heard for heard in self.heard[after:]):
            assert time.monotonic() < end, f"{line} was not told: {self.heard}"
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except TimeoutError:
                continue
        return next(heard for heard in self.heard[after:] if line in heard)


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.socket.close()


class Place:
    """Where one gateway after the other stands. Their output is that of the first one."""

    def __init__(self, gateway):
        self.gateway, self.pid, self.heirs = gateway, gateway.pid, []

    def reload(self):
        after = len(self.gateway.err)
        os.kill(self.pid, signal.SIGUSR2)
        self.pid = int(self.gateway.wait_err(r"process (\d+) has taken over", 60, after)[1])
        self.heirs.append(self.pid)

    def stop(self):
        """The last one goes, and all before have gone: only then does nobody hold their output any more."""
        for pid in self.heirs:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        if self.heirs:
            assert self.gateway.wait_exit(60) == 0
            assert not any(reader.is_alive() for reader in self.gateway.readers)


@pytest.fixture
def place(start):
    places = []

    def make(gateway):
        places.append(Place(gateway))
        return places[-1]

    yield make
    for one in places:
        one.stop()


class Visitors:
    """A hundred requests a second: every other one on a connection of its own, the others on few that stay."""

    def __init__(self, address, host, body):
        self.address, self.host, self.body = address, host, body
        self.seen, self.stopped = collections.Counter(), threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n % 2 == 0,), daemon=True) for n in range(10)]
        for thread in self.threads:
            thread.start()

    def _ask(self, connection):
        connection.send(http_raw.build("POST", "/x", self.host, body=self.body))
        response = connection.read_response()
        self.seen[response.status, response.error] += 1
        return response.header("connection") != "close"

    def _run(self, stays):
        connection = None
        while not self.stopped.wait(0.1):
            try:
                connection = connection or http_raw.Connection(self.address)
                keeps = self._ask(connection) and stays
            except Exception as failure:  # noqa: BLE001 (whatever it is, it counts)
                self.seen[repr(failure)] += 1
                keeps = False
            if not keeps and connection:
                connection.close()
                connection = None

    def wait_more(self, count):
        goal, end = self.seen.total() + count, time.monotonic() + 60 * SLOW
        while self.seen.total() < goal:
            assert time.monotonic() < end, self.seen
            time.sleep(0.02)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)
        return self.seen


# ---- what systemd is told ----


def test_a_manager_is_told_how_it_goes(start, manager):
    gateway = start.gateway(env={**manager.env, "WATCHDOG_USEC": "200000"})
    assert "STATUS=" in manager.wait("READY=1")
    heard = len(manager.heard)
    manager.wait("WATCHDOG=1")
    manager.wait("WATCHDOG=1", after=len(manager.heard))
    assert not any("STOPPING" in line for line in manager.heard[heard:])
    gateway.process.send_signal(signal.SIGTERM)
    manager.wait("STOPPING=1")
    assert gateway.wait_exit() == 0


@pytest.mark.parametrize("env", [{"NOTIFY_SOCKET": "/nowhere/at/all"}, {"NOTIFY_SOCKET": "no path"}, {"NOTIFY_SOCKET": "/" + "x" * 300},
                                 {"WATCHDOG_USEC": "abc"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
                                 {"LISTEN_FDS": "99999999999", "LISTEN_PID": "1"}, {"LISTEN_FDS": "-3"},
                                 {"TTF_GATEWAY_HANDOVER": "1:1:5"}, {"TTF_GATEWAY_HANDOVER": "%n" * 50}])  # fmt: skip
def test_what_is_not_meant_for_it_is_passed_over(start, env):
    gateway = start.gateway(env=env)
    assert http_raw.request(gateway.address).status == 404


# ---- sockets that systemd has opened ----


@pytest.fixture
def opened():
    sockets = []

    def listen(family=socket.AF_INET, address="127.0.0.1"):
        one = socket.socket(family)
        one.bind((address, 0))
        one.listen(64)
        sockets.append(one)
        return one

    yield listen
    for one in sockets:
        one.close()


def launch(tmp_path, names, sockets, *options, pid=""):
    (tmp_path / "state").mkdir(exist_ok=True)
    env = {"GIVEN": ",".join(str(s.fileno()) for s in sockets), **{k: v for k, v in os.environ.items() if not k.startswith("TTF_")}}
    for one in sockets:
        one.set_inheritable(True)
    return Handed([sys.executable, "-c", LAUNCH, names, len(sockets), pid, BIN / "ttf-gateway", "--state-dir", tmp_path / "state",
                   "--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", *options],
                  env)  # fmt: skip


class Handed(Program):
    _address = Gateway._address

    def __init__(self, arguments, env):
        import subprocess

        popen = subprocess.Popen
        subprocess.Popen = lambda *a, **k: popen(*a, close_fds=False, **k)
        try:
            super().__init__(arguments, env=env)
        finally:
            subprocess.Popen = popen


def paced(listening):
    return listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).startswith(b"bbr")


def test_what_listens_on_loopback_is_not_paced(start, opened, tmp_path):
    public, agent = opened(), opened(address="0.0.0.0")
    before = paced(agent)
    gateway = start._keep(launch(tmp_path, "public:agent", (public, agent)))
    gateway.wait_line(r"^Ready\b")
    assert not paced(public)
    assert paced(agent) == before  # a network may be on the other side: as the system has it


def test_sockets_are_taken_by_their_names(start, opened, tmp_path):
    public, second, agent = opened(), opened(), opened()
    early = http_raw.Connection(public.getsockname())  # before there is a gateway at all
    early.send(http_raw.build())
    gateway = start._keep(launch(tmp_path, "public:agent:public", (public, agent, second)))
    gateway.wait_line(r"^Ready\b")
    assert early.read_response().status == 404
    early.close()
    assert gateway._address(r"^Public: +http://(\S+)") == public.getsockname()
    assert gateway._address(r"^Agents: +ws://(\S+)") == agent.getsockname()
    assert http_raw.request(second.getsockname()).status == 404
    admin = gateway._address(r"^Admin: +http://(\S+)")  # nobody has opened that one
    assert http_raw.request(admin, target="/healthz", host="127.0.0.1").status == 200


def test_sockets_that_nothing_can_be_done_with_are_said(start, opened, tmp_path):
    datagrams, odd, foreign = socket.socket(type=socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX), opened()
    odd.bind(str(tmp_path / "odd"))
    odd.listen()
    gateway = start._keep(launch(tmp_path, "public:agent:other", (datagrams, odd, foreign)))
    gateway.wait_line(r"^Ready\b")
    gateway.wait_err(r'descriptor 3 \("public"\).*no socket that listens for TCP')
    gateway.wait_err(r'descriptor 4 \("agent"\).*no socket that listens for TCP')
    gateway.wait_err(r'descriptor 5 \("other"\).*no port has that name')
    datagrams.close()
    odd.close()


def test_sockets_of_another_process_are_left_alone(start, opened, tmp_path):
    public = opened()
    gateway = start._keep(launch(tmp_path, "public", (public,), pid="1"))
    assert gateway.wait_line(r"^Ready\b")
    assert gateway._address(r"^Public: +http://(\S+)") != public.getsockname()


# ---- a new program takes over ----


@pytest.mark.protocols("v1", "v2")
def test_nobody_notices(start, place, manager, protocol):
    """Three times within a load of 100 requests a second that are not repeatable: none fails, and none is done twice."""
    service = start.service()
    gateway = start.gateway(env=manager.env)
    ttf = start.forwarder(gateway, service)
    here = place(gateway)
    visitors = Visitors(gateway.address, ttf.host, b"abc")
    for _ in range(3):
        visitors.wait_more(50)
        heard = len(manager.heard)
        here.reload()
        assert "MONOTONIC_USEC=" in manager.wait("RELOADING=1", after=heard)
        manager.wait(f"MAINPID={here.pid}", after=heard)
        manager.wait("READY=1", after=heard)
    visitors.wait_more(50)
    seen = visitors.stop()
    assert set(seen) == {(200, None)}, seen
    assert sum(1 for request in list(service.requests) if request.path == "/x") == seen.total()
    assert gateway.wait_exit_of_process(30)


def test_many_idle_visitors_move(start, place):
    """More than there is room for at once between the two processes."""
    gateway = start.gateway("--keepalive-timeout", "600s")
    here, request = place(gateway), http_raw.build(host="nobody.localhost")
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(http_raw.Connection(gateway.address)) for _ in range(800)]
        for _ in range(2):
            for each in idle:
                each.send(request)
                assert each.read_response().status == 404
            here.reload()
        for each in idle:
            each.send(request)
            assert each.read_response().status == 404


def test_what_runs_is_finished_by_the_old_one(start, place):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    here = place(gateway)
    gate = service.on("/hold", Gate())
    with http_raw.Connection(gateway.address) as connection:
        connection.send(http_raw.build(target="/hold", host=ttf.host))
        gate.wait_arrived()
        here.reload()
        assert http_raw.request(gateway.address, target="/new", host=ttf.host).status == 200
        gate.open()
        assert connection.read_response().status == 200
        connection.send(http_raw.build(target="/again", host=ttf.host))  # the same connection, another process
        assert connection.read_response().status == 200
    assert gateway.wait_exit_of_process(30)


def test_a_websocket_goes_on_with_the_old_one(start, place):
    async def echo(socket):
        async for message in socket:
            await socket.send(message)

    gateway = start.gateway()
    ttf = start.forwarder(gateway, start.websockets(echo))
    here = place(gateway)
    url = f"ws://127.0.0.1:{gateway.address[1]}/{ttf.host.split('.')[0]}/"
    with Socket(url) as visitor:
        visitor.send("before")
        assert visitor.recv() == "before"
        here.reload()
        visitor.send("after")
        assert visitor.recv() == "after"
        with Socket(url) as other:
            other.send("new")
            assert other.recv() == "new"


def test_a_request_waits_for_an_agent_that_is_slow_to_move(start, place):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    here = place(gateway)
    ttf.process.send_signal(signal.SIGSTOP)
    try:
        here.reload()
        with http_raw.Connection(gateway.address) as connection:
            connection.send(http_raw.build("POST", "/x", ttf.host, body=b"abc"))
            assert not connection.has_input_within(0.5)
            ttf.process.send_signal(signal.SIGCONT)
            assert connection.read_response().status == 200
    finally:
        ttf.process.send_signal(signal.SIGCONT)
    assert service.seen("/x")


def test_visitors_and_agents_by_tls_move_as_well(secure, place):  # noqa: F811
    """A connection that is kept cannot go with TLS: it ends between two requests, as any server may end it, and never within one."""
    ttf = secure()
    here = place(ttf.gateway)
    kept, late = ttf.connect("http/1.1"), ttf.connect("http/1.1")
    with kept, late:
        assert kept.get(ttf.host).status == 200
        late.send(http_raw.build(target="/late", host=ttf.host)[:-2])  # a part of a head
        for _ in range(2):
            here.reload()
            with ttf.connect("http/1.1") as fresh:
                assert fresh.get(ttf.host).status == 200
        late.send(b"\r\n")
        assert late.read_response().status in (200, 502)  # by the old one, whose agents may have gone
        assert hasattr(ttf.gateway, "front") or kept.is_closed_within(20)


def test_a_name_stays_its_owners(start, place):
    gateway = start.gateway()
    service = start.service()
    ttf = start.forwarder(gateway, service, "-n", "mine")
    here, after = place(gateway), len(ttf.out)
    here.reload()
    ttf.wait_established(after)
    thief = start.forwarder(gateway, service, "-n", "mine", wait=False)
    thief.expect_killed = True
    thief.wait_err(r"taken by somebody else \(409\); choose another name")
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_settings_are_read_anew_and_bad_ones_change_nothing(start, place, manager, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("request-timeout: 20s\n")
    gateway = start.gateway("--config", file, env=manager.env)
    service = start.service()
    ttf = start.forwarder(gateway, service)
    here = place(gateway)
    file.write_text("no-such-setting: 1\n")
    manager.wait("READY=1")
    heard = len(manager.heard)
    os.kill(here.pid, signal.SIGUSR2)
    gateway.wait_err(r"has not taken over \(it ended with 2\): this one goes on")
    manager.wait("RELOADING=1", after=heard)
    manager.wait("READY=1", after=heard)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200
    file.write_text("allowed-names: www\n")
    here.reload()
    assert start.forwarder(gateway, service, "-n", "www").host.startswith("www.")


def test_not_while_it_stops(start):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    gate = service.on("/hold", Gate())
    with http_raw.Connection(gateway.address) as connection:
        connection.send(http_raw.build(target="/hold", host=ttf.host))
        gate.wait_arrived()
        gateway.process.send_signal(signal.SIGTERM)
        gateway.wait_err("accepting nobody")
        gateway.process.send_signal(signal.SIGUSR2)
        gateway.wait_err("SIGUSR2: not now")
        gate.open()
        assert connection.read_response().status == 200
    assert gateway.wait_exit() == 0


def test_whatever_it_is_told_while_it_ends(start, tmp_path):
    """Until its last moment: signals whose handlers are gone would kill it."""
    gateway = start.gateway("--access-log-format", "json", "--access-log", tmp_path / "access.log")
    gateway.process.send_signal(signal.SIGTERM)
    gateway.wait_err("stopping")
    while gateway.process.poll() is None:
        for number in (signal.SIGHUP, signal.SIGUSR2):
            gateway.process.send_signal(number)
    assert gateway.wait_exit() == 0


def test_a_successor_that_is_killed_before_it_is_ready(start, place, tmp_path):
    """A program that never says anything stands where the new one should."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ttf-gateway"
    program.symlink_to(BIN / "ttf-gateway")
    gateway = start._keep(Program([program, "--state-dir", tmp_path, "--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0",
                                   "--admin-listen", "127.0.0.1:0"]))  # fmt: skip
    gateway.wait_line(r"^Ready\b")
    address = Gateway._address(gateway, r"^Public: +http://(\S+)")
    program.unlink()
    program.write_text(f"#!/bin/sh\nexec {Path('/bin/sleep')} 600\n")
    program.chmod(0o755)
    os.kill(gateway.pid, signal.SIGUSR2)
    pid = int(gateway.wait_err(r"process (\d+) is to take over")[1])
    assert http_raw.request(address).status == 404
    os.kill(pid, signal.SIGKILL)
    gateway.wait_err(r"has not taken over \(killed by signal 9\)")
    assert http_raw.request(address).status == 404
    program.unlink()
    os.kill(gateway.pid, signal.SIGUSR2)
    gateway.wait_err(r"has not taken over \(no such file")
    assert http_raw.request(address).status == 404


@pytest.mark.skipif(SLOW > 1, reason="with sanitizers nothing is given up")
def test_what_was_given_up_stays_so_and_does_not_add_up(start, place):
    """A successor has its sandbox from its predecessor: no second filter, and Landlock has room for sixteen."""
    gateway = start.gateway()
    chain = place(gateway)
    for _ in range(2):
        chain.reload()
    said, end = [], time.monotonic() + 60 * SLOW
    while len(said) < 3:
        assert time.monotonic() < end, said
        said = [line.partition("sandbox: ")[2] for line in list(gateway.err) if "sandbox: " in line]
    assert len(set(said)) == 1, said
    own = int(re.search(r"Seccomp_filters:\s+(\d+)", Path("/proc/self/status").read_text())[1])
    heirs = int(re.search(r"Seccomp_filters:\s+(\d+)", Path(f"/proc/{chain.pid}/status").read_text())[1])
    assert heirs - own == ("system calls" in said[0])
