"""ttf doctor: a line for each step of the way, what helps where one fails, and an exit code."""

import secrets
import subprocess

import pytest

from programs import BIN, SLOW, free_port
from proxies import HttpProxy
from relay import make_authority, make_certificate
from test_agent_file import home  # noqa: F401  (a fixture)
from test_login import token_of


@pytest.fixture
def doctor(home):  # noqa: F811
    def run(*arguments):
        done = subprocess.run([BIN / "ttf", "doctor", *map(str, arguments)], env=home.env, cwd=home.work, capture_output=True,
                              text=True, timeout=60 * SLOW)  # fmt: skip
        assert done.returncode in (0, 1, 2), done
        return done.returncode, done.stdout

    return run


def steps(said):
    """What each step came to."""
    return {line.split()[1]: line.split()[0] for line in said.splitlines() if line.startswith(("ok", "FAIL"))}


def cure_of(said, step):
    lines = said.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("FAIL") and line.split()[1] == step)
    assert lines[at + 1].startswith(" "), said
    return lines[at] + lines[at + 1]


def test_all_is_well(start, doctor):
    service, gateway = start.service(), start.gateway()
    code, said = doctor(service.port, "-e", gateway.endpoint)
    assert code == 0, said
    assert steps(said) == dict.fromkeys(("settings", "clock", "DNS", "TCP", "WebSocket", "token", "service"), "ok"), said


def test_tls_and_a_proxy(start, doctor, tmp_path):
    authority = make_authority(tmp_path)
    service, gateway = start.service(), start.gateway()
    relay = start.relay(gateway.agents, tls=make_certificate(tmp_path, "gateway", "DNS:gateway.invalid"))
    proxy = start._other(HttpProxy(("127.0.0.1", relay.port)))
    way = ["--proxy", f"127.0.0.1:{proxy.port}", "-e", "wss://gateway.invalid", service.port]
    code, said = doctor("--ca-file", authority, *way)
    assert code == 0 and steps(said)["TLS"] == steps(said)["proxy"] == "ok", said
    code, said = doctor(*way)
    assert code == 1 and "--ca-file" in cure_of(said, "TLS"), said
    assert "WebSocket" not in steps(said), said


def test_what_fails(start, doctor, secret_gateway):
    service, gateway = start.service(), start.gateway()
    code, said = doctor(service.port, "-e", "ws://no-such-host.invalid")
    assert code == 1 and "no-such-host.invalid" in cure_of(said, "DNS") and steps(said)["service"] == "ok"
    code, said = doctor(service.port, "-e", f"ws://127.0.0.1:{free_port()}")
    assert code == 1 and "connection refused" in cure_of(said, "TCP")
    code, said = doctor(service.port, "-e", f"ws://127.0.0.1:{service.port}")
    assert code == 1 and "port for agents" in cure_of(said, "WebSocket")
    code, said = doctor(free_port(), "-e", gateway.endpoint)
    assert code == 1 and "Start the service" in cure_of(said, "service") and steps(said)["token"] == "ok"
    code, said = doctor(service.port, "-e", f"wss://127.0.0.1:{gateway.agents[1]}")
    assert code == 1 and "ws://" in cure_of(said, "TLS") and steps(said)["TCP"] == "ok"
    gateway, token = secret_gateway
    code, said = doctor(service.port, "-e", gateway.endpoint)
    assert code == 1 and "ttf login" in cure_of(said, "token") and steps(said)["WebSocket"] == "ok"
    code, said = doctor(service.port, "-e", gateway.endpoint, "--token", token)
    assert code == 0, said


@pytest.fixture
def secret_gateway(start):
    secret = secrets.token_hex(32)
    return start.gateway("--require-auth", env={"JWT_SECRET": secret}), token_of(secret)


def test_a_proxy_that_refuses(start, doctor):
    proxy = start._other(HttpProxy(("127.0.0.1", 1), user="a:b"))
    code, said = doctor(1, "--proxy", f"127.0.0.1:{proxy.port}", "-e", "ws://gateway.invalid")
    assert code == 1 and "407" in cure_of(said, "proxy") and steps(said)["service"] == "FAIL"


def test_each_tunnel_of_the_file(start, doctor, home):  # noqa: F811
    service, gateway = start.service(), start.gateway()
    (home.work / "ttf.yaml").write_text(f"endpoint: {gateway.endpoint}\ntunnels: {{web: {service.port}, api: {free_port()}}}\n")
    code, said = doctor()
    assert code == 1
    assert f"web: localhost:{service.port} answers HEAD / with" in said
    assert "api: localhost:" in cure_of(said, "service")
