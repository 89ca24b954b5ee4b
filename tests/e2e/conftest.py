import os
import signal
import time
from types import SimpleNamespace

import pytest

import backends
import http_raw
from agent_v1 import AgentV1
from agent_v2 import AgentV2
from arenas import arenas_of
from programs import BIN, Forwarder, Program, alone_with
from relay import Relay, make_authority, make_certificate
from service import Service, WebSocketService


def pytest_configure(config):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ours would inherit that it is ignored: so it is in a shell's background
    for name in ("ttf", "ttf-gateway", "ttf-apigw"):
        if not (BIN / name).exists():
            raise pytest.UsageError(f"{BIN / name} is not there: run ./dev build, or set TTF_BIN")


def pytest_generate_tests(metafunc):
    """`@pytest.mark.protocols("v1", "v2")` runs a test once for each of these protocols between agent and gateway; the mark
    nearest to the test counts. Without one it is the newest."""
    mark = metafunc.definition.get_closest_marker("protocols")
    if mark and "protocol" in metafunc.fixturenames:
        metafunc.parametrize("protocol", mark.args)


def is_left_out(item, which):
    """An application's test, which has a command of its own: ./dev test apps [--all]."""
    return (item.get_closest_marker("apps") and not which) or (item.get_closest_marker("heavy") and which != "all")


def pytest_collection_modifyitems(config, items):
    which = os.environ.get("TTF_APPS")
    left_out = [item for item in items if is_left_out(item, which)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    for item in items:
        if reason := backends.exception(item):
            item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("slow") and (os.environ.get("TTF_SLOW") or os.environ.get("TTF_QUICK")):
            item.add_marker(pytest.mark.skip(reason="slow"))


@pytest.fixture
def protocol():
    return "v2"


@pytest.fixture
def inspectors_ports():
    """4040 and the next 20, where any ttf looks first. A test asks for them before all else: they are another's when its programs
    have ended."""
    with alone_with("inspectors-ports"):
        yield


class Starter:
    """Starts things and, at the end, stops them in reverse order and looks at how they ended."""

    def __init__(self, folder, protocol="v2"):
        self.folder, self.protocol = folder, protocol
        self.programs, self.others = [], []
        self.count = 0

    def _folder(self, kind):
        self.count += 1
        path = self.folder / f"{kind}{self.count}"
        path.mkdir(parents=True)
        return path

    def gateway(self, *options, state_dir=None, **more):
        if self.protocol == "v1":
            options = ("--agent-protocols", "v1", *options)
        return self._keep(backends.make_gateway(state_dir or self._folder("gateway"), *options, **more))

    def forwarder(self, endpoint, port, *options, state_home=None, **more):
        endpoint = getattr(endpoint, "endpoint", endpoint)
        port = getattr(port, "port", port)
        return self._keep(Forwarder(endpoint, port, state_home or self._folder("ttf"), *options, **more))

    def program(self, *arguments, **more):
        return self._keep(Program(arguments, **more))

    def _keep(self, program):
        self.programs.append(program)
        return program

    def service(self, port=0, **more):
        return self._other(Service(port, **more))

    def websockets(self, handler, **more):
        return self._other(WebSocketService(handler, **more))

    def relay(self, target, **more):
        return self._other(Relay(target, **more))

    def agent(self, endpoint, handler=None, name=None, **more):
        headers = more.pop("headers", {})
        if name:
            headers = {**headers, "x-tunnel-name": name}
        return self._other(AgentV1(getattr(endpoint, "endpoint", endpoint), handler, headers, **more)).start()

    def agent_v2(self, endpoint, handler=None, **more):
        return self._other(AgentV2(getattr(endpoint, "endpoint", endpoint), handler, **more)).start()

    def _other(self, thing):
        self.others.append(thing)
        return thing

    def stop_all(self):
        failures = []
        for thing in reversed(self.others):
            if isinstance(thing, (AgentV1, AgentV2)):
                thing.stop()
        for program in reversed(self.programs):
            try:
                program.finish()
            except AssertionError as failure:
                failures.append(str(failure))
                if program.process.poll() is None:
                    program.process.send_signal(signal.SIGKILL)
                    program.process.wait()
        for thing in reversed(self.others):
            thing.stop()
        assert not failures, "\n\n".join(failures)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the programs printed goes into the report of a test that fails."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        programs = list(getattr(item, "starter", Starter(None)).programs)
        if "stacks" in item.fixturenames and isinstance(item.funcargs.get("stack"), Stack):
            programs += [item.funcargs["stack"].gateway, item.funcargs["stack"].ttf]
        report.sections += [(f"program {n + 1}", program.dump()) for n, program in enumerate(programs)]


@pytest.fixture
def start(request, tmp_path, protocol):
    """Starts programs, services, relays and agents of this test's own."""
    starter = request.node.starter = Starter(tmp_path, protocol)
    yield starter
    starter.stop_all()


class Stack(SimpleNamespace):
    """A gateway, a ttf and a service behind it."""

    def request(self, method="GET", target="/", host=None, **more):
        return http_raw.request(self.gateway.address, method, target, host or self.ttf.host, **more)

    def connect(self, **more):
        return http_raw.Connection(self.gateway.address, **more)

    def exchange(self, data, method="GET"):
        """Sends exact bytes on a connection of their own and reads one answer."""
        with self.connect() as connection:
            connection.send(data)
            return connection.read_response(method)


@pytest.fixture(scope="session")
def stacks(tmp_path_factory):
    """stacks(protocol): one gateway with everything at its defaults, for the many tests that leave it as it was."""
    with arenas_of(tmp_path_factory, lambda starter: starter.service()) as get:
        yield get


@pytest.fixture
def stack(stacks, protocol):
    shared = stacks(protocol)
    if shared.service.closes:  # ttf has seen them before this test's first request: a POST is not sent twice
        shared.service.closes = 0
        time.sleep(0.01)
        shared.request(target="/settled")
    shared.service.reset()
    yield shared
    for program in (shared.gateway, shared.ttf):
        assert program.process.poll() is None, f"it died:\n{program.dump()}"
        program.check()


@pytest.fixture
def fresh(start):
    """make(*gateway_options, ttf_options=(), ttf_home=None): a stack of this test's own."""

    def make(*options, ttf_options=(), ttf_home=None, **more):
        service = start.service()
        gateway = start.gateway(*options, **more)
        ttf = start.forwarder(gateway, service, *ttf_options, state_home=ttf_home)
        return Stack(gateway=gateway, ttf=ttf, service=service)

    return make


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A folder with a certificate authority, a certificate for localhost and one for another host."""
    folder = tmp_path_factory.mktemp("tls")
    ca = make_authority(folder)
    return SimpleNamespace(
        ca=ca,
        localhost=make_certificate(folder, "localhost", "DNS:localhost,IP:127.0.0.1"),
        other=make_certificate(folder, "other", "DNS:other.example"),
    )


def pytest_sessionfinish():
    backends.stop()


def pytest_report_header():
    return f"programs: {BIN}, on {backends.STACK}" + (" (deadlines stretched)" if os.environ.get("TTF_SLOW") else "")
