"""ttf looks at its start whether the local service is there, and says so where it is not."""

import json
import socket

import pytest

import http_raw

DOWN = r"^The local service \S+ does not answer \(nothing listens there yet; visitors get 503 until you start it\)$"
UP = r"^The local service \S+ answers now$"


@pytest.fixture
def port():
    """A socket with a port of all addresses, at which nothing listens."""
    with socket.socket(socket.AF_INET6) as taken:
        taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        taken.bind(("::", 0))
        yield taken


def number(taken):
    return taken.getsockname()[1]


def said(ttf):
    return [line for line in ttf.out if line.startswith("The local service")]


@pytest.mark.parametrize("host", [None, "127.0.0.1", "::1"])
def test_nothing_listens_and_then_it_does(start, port, host):
    gateway = start.gateway()
    ttf = start.forwarder(gateway, number(port), *(["--host", host] if host else []))
    ttf.wait_line(DOWN)
    port.listen()
    ttf.wait_line(UP)
    assert len(said(ttf)) == 2
    assert ttf.stop() == 0


def test_a_service_that_is_there_is_left_in_peace(start, port):
    """The system's table says that it listens: it gets no connection that says nothing."""
    port.listen()
    ttf = start.forwarder(start.gateway(), number(port))
    port.setblocking(False)
    with pytest.raises(BlockingIOError):
        port.accept()
    assert not said(ttf)


def test_a_request_does_not_say_it_again(start, port):
    gateway = start.gateway()
    ttf = start.forwarder(gateway, number(port))
    ttf.wait_line(DOWN)
    for _ in range(2):
        assert http_raw.request(gateway.address, host=ttf.host).status == 503
    assert len(said(ttf)) == 1


def test_a_unix_socket(start, tmp_path):
    path = tmp_path / "app.sock"
    gateway = start.gateway()
    ttf = start.forwarder(gateway, f"unix:{path}")
    ttf.wait_line(r"does not answer \(there is no such socket yet")
    start.service(unix=path)
    ttf.wait_line(UP)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_programs_are_told(start, port):
    ttf = start.forwarder(start.gateway(), number(port), "--log", "json", wait=False)
    event = json.loads(ttf.wait_line(r'.*"event":"service".*')[0])
    assert event["state"] == "down" and "nothing listens" in event["reason"]
    port.listen()
    assert json.loads(ttf.wait_line(r'.*"state":"up".*')[0])["event"] == "service"


@pytest.mark.parametrize("options", [["--host", "service.invalid"], ["--host", "192.0.2.1"], ["--health-check", "/"]])
def test_where_it_is_not_looked(start, port, options):
    """Elsewhere, where only a request finds out; and where the health check does."""
    ttf = start.forwarder(start.gateway(), number(port), *options)
    assert not [line for line in said(ttf) if "listens there yet" in line]
    assert ttf.stop() == 0
