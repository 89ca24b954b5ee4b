"""Turns by tunnel within one ttf: much of one, and behind it one request or answer of another, which does not come last. (Where both have been
busy lately, 16 of the greedy one come before it in each turn of the loop; four times as many where it was alone.)"""

import contextlib
import re
import signal
import socket
import time

import pytest

import http_raw
from programs import SLOW
from test_agent_file import home, host_of  # noqa: F401 (a fixture)
from test_greedy import metric

pytestmark = pytest.mark.protocols("v1", "v2")
MANY, BEFORE = 300, 150
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


@contextlib.contextmanager
def stopped(process):
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


class Held:
    """The service of both: it takes connections in the order in which they were begun, and answers when it is told to."""

    def __init__(self, stack):
        self.stack, self.taken = stack, []
        self.socket = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        self.socket.settimeout(60)
        self.port = self.socket.getsockname()[1]

    def take(self, count):
        """The paths of the next requests, in their order."""
        taken = [self._take_one() for _ in range(count)]
        self.taken += taken
        return [path for path, _ in taken]

    def _take_one(self):
        connection = self.stack.enter_context(self.socket.accept()[0])
        connection.settimeout(60)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(65536)
        return re.match(r"GET (\S+)", head.decode())[1], connection

    def answer(self, is_wanted):
        """Those whose path is; each connection ends with its answer, so that the next request opens another."""
        for path, connection in self.taken:
            if is_wanted(path):
                with connection:
                    connection.sendall(ANSWER)
        self.taken = [one for one in self.taken if not is_wanted(one[0])]


class Scene:
    def __init__(self, stack, start, home):
        self.stack, self.gateway, self.service = stack, start.gateway(), Held(stack)
        (home.work / "ttf.yaml").write_text(f"endpoint: {self.gateway.endpoint}\ntunnels: {{good: {self.service.port}, greedy: {self.service.port}}}\n")
        self.ttf = home.ttf()
        self.good, self.greedy = (host_of(self.ttf, label) for label in ("good", "greedy"))

    def ask(self, host, paths):
        visitors = [self.stack.enter_context(http_raw.Connection(self.gateway.address)) for _ in paths]
        for visitor, path in zip(visitors, paths):
            visitor.send(http_raw.build(host=host, target=path))
        return visitors

    def wait_sent(self, count):
        """So many are on their way to ttf, and have left: the second look is in a later turn of the gateway's loop than the first."""
        for _ in range(2):
            end = time.monotonic() + 60 * SLOW
            while (under_way := metric(self.gateway, "ttf_requests_in_flight")) != count:
                assert time.monotonic() < end, f"{under_way} requests are under way, and not {count}"


@pytest.fixture
def scene(start, home):  # noqa: F811
    with contextlib.ExitStack() as stack:
        yield Scene(stack, start, home)


def greedy_paths(turn):
    return [f"/greedy/{turn}/{number}" for number in range(MANY)]


def answered(ttf, label):
    """Whose requests ttf says that it has answered, in their order."""
    return re.findall(rf"^\S+ ({label}) GET \S+ 200 ", "\n".join(ttf.out), re.M)


def read_all(visitors):
    for visitor in visitors:
        with visitor:
            assert visitor.read_response().body == b"hi"


def test_the_other_request_comes_in_between(scene):
    """Twice: ttf has learnt by then that the greedy one's are many."""
    if hasattr(scene.gateway, "front"):
        pytest.skip("requests of both come over one link, in their order, and when all have come nobody tells")
    for turn in range(2):
        with stopped(scene.ttf.process):
            visitors = scene.ask(scene.greedy, greedy_paths(turn)) + scene.ask(scene.good, ["/good"])
            scene.wait_sent(MANY + 1)
        order = scene.service.take(MANY + 1)
        scene.service.answer(lambda path: True)
        read_all(visitors)
        scene.wait_sent(0)
    assert order.index("/good") <= BEFORE
    assert sorted(order) == sorted([*greedy_paths(turn), "/good"])


def test_the_other_answer_comes_in_between(scene):
    visitors = scene.ask(scene.greedy, greedy_paths(0)) + scene.ask(scene.good, ["/good"])
    scene.service.take(MANY + 1)
    with stopped(scene.ttf.process):
        scene.service.answer(lambda path: path != "/good")
        scene.service.answer(lambda path: path == "/good")
    read_all(visitors)
    for path in [*greedy_paths(0), "/good"]:
        scene.ttf.wait_line(rf" GET {path} 200 ")
    assert answered(scene.ttf, "greedy|good").index("good") <= BEFORE
