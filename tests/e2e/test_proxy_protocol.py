"""The PROXY protocol before our ports: believed of trusted proxies, and of nobody else."""

import socket
import struct

import pytest

import http_raw
from http_raw import build
from tls_client import Authority, TlsConnection, address_of, tls_options

PROXY = "127.0.0.2"  # ttf comes from another address, and so needs none
TRUSTED = ("--trusted-proxies", PROXY, "--proxy-protocol")
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(command=1, family=0x11, addresses=bytes([192, 0, 2, 7, 198, 51, 100, 1]) + struct.pack(">HH", 4711, 443), more=b""):
    return SIGNATURE + struct.pack(">BBH", 0x20 | command, family, len(addresses + more)) + addresses + more


class Connection(http_raw.Connection):
    """From the proxy's address."""

    def __init__(self, address):
        self.timeout, self.buffer = http_raw.DEADLINE, b""
        self.socket = socket.create_connection(address, timeout=self.timeout, source_address=(PROXY, 0))


def asked(address, data):
    with Connection(address) as connection:
        connection.send(data)
        return connection.read_response()


@pytest.mark.parametrize("header", [V1, version_2(), version_2(more=b"\x04\0\x03abc")], ids=["v1", "v2", "v2 with more"])
def test_the_client_is_the_one_it_names(fresh, header):
    stack = fresh(*TRUSTED)
    assert asked(stack.gateway.address, header + build(target="/told", host=stack.ttf.host)).status == 200
    assert stack.service.seen("/told")[0].all("x-forwarded-for") == ["192.0.2.7"]
    getattr(stack.gateway, "front", stack.gateway).wait_err(r"access: 192\.0\.2\.7 GET /told")


def test_ipv6(fresh):
    stack = fresh(*TRUSTED)
    header = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n"
    asked(stack.gateway.address, header + build(target="/told", host=stack.ttf.host))
    assert stack.service.seen("/told")[0].all("x-forwarded-for") == ["2001:db8::7"]


def test_what_the_client_says_of_itself_is_not_believed(fresh):
    stack = fresh(*TRUSTED)
    request = build(target="/told", host=stack.ttf.host, headers=[("X-Forwarded-For", "203.0.113.9")])
    asked(stack.gateway.address, V1 + request)
    assert stack.service.seen("/told")[0].all("x-forwarded-for") == ["192.0.2.7"]


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", version_2(command=0, family=0, addresses=b"")], ids=["unknown", "local"])
def test_the_proxy_itself(fresh, header):
    stack = fresh(*TRUSTED)
    assert asked(stack.gateway.address, header + build(host=stack.ttf.host)).status == 200


def test_byte_by_byte(fresh):
    stack = fresh(*TRUSTED)
    with Connection(stack.gateway.address) as connection:
        for byte in version_2() + build(target="/told", host=stack.ttf.host):
            connection.send(bytes([byte]))
        assert connection.read_response().status == 200
    assert stack.service.seen("/told")[0].all("x-forwarded-for") == ["192.0.2.7"]


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", V1[:-2], b"PROXY TCP4 nonsense\r\n", SIGNATURE + b"\x21\x11\xff\xff"])
def test_a_trusted_proxy_without_one_is_cut(fresh, data):
    stack = fresh(*TRUSTED, "--header-timeout", "1s")
    with Connection(stack.gateway.address) as connection:
        connection.send(data)
        assert connection.read_until_close(30) == b""


def test_others_are_not_asked_for_one(fresh):
    """And theirs is no request."""
    stack = fresh("--trusted-proxies", "192.0.2.0/24", "--proxy-protocol")
    assert stack.request().status == 200
    assert asked(stack.gateway.address, V1 + build(host=stack.ttf.host)).status == 400
    assert asked(stack.gateway.address, version_2() + build(host=stack.ttf.host)).status == 400


def test_without_the_setting_it_is_no_request(fresh):
    stack = fresh("--trusted-proxies", PROXY)
    assert asked(stack.gateway.address, V1 + build(host=stack.ttf.host)).status == 400


def test_each_client_has_its_share(fresh):
    """The address that is named is counted, not the proxy's."""
    stack = fresh(*TRUSTED, "--max-connections-per-address", "3")
    held = []
    for _ in range(3):
        held.append(Connection(stack.gateway.address))
        held[-1].send(V1 + build(host=stack.ttf.host))
        assert held[-1].read_response().status == 200
    with Connection(stack.gateway.address) as connection:
        connection.send(V1 + build(host=stack.ttf.host))
        assert connection.read_until_close(30) == b""
    other = V1.replace(b"192.0.2.7", b"192.0.2.8")
    assert asked(stack.gateway.address, other + build(host=stack.ttf.host)).status == 200
    for connection in held:
        connection.close()


def test_before_tls(start, tmp_path):
    authority = Authority(tmp_path / "authority")
    service = start.service()
    gateway = start.gateway(*TRUSTED, "--domain", "tunnel.example", *tls_options(authority.certificate(), agents=False))
    relay = start.relay(gateway.agents, before=V1, source=PROXY)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service)
    with TlsConnection(address_of(gateway), authority.context(), before=version_2(), source=PROXY) as connection:
        assert connection.get(ttf.host, "/told").status == 200
    assert service.seen("/told")[0].all("x-forwarded-for") == ["192.0.2.7"]
    gateway.wait_err("connected as .* from 192.0.2.7")
