"""ttf behind a proxy that is the only way to the gateway: its name leads nowhere but through the proxy."""

import re

import pytest

import http_raw
from proxies import HttpProxy, SocksProxy
from programs import BIN
from relay import make_authority, make_certificate
from test_cli import fails

KINDS = {"http": HttpProxy, "socks5": SocksProxy}
GATEWAY = "gateway.invalid"  # RFC 6761: nobody looks it up


@pytest.fixture
def proxy(start):
    def make(kind, target, **more):
        return start._other(KINDS[kind](target, **more))

    return make


def works(gateway, ttf, service):
    assert http_raw.request(gateway.address, host=ttf.host).status == 200
    body = bytes(range(256)) * 4096
    service.answer("/big", body=body)
    assert http_raw.request(gateway.address, target="/big", host=ttf.host).body == body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("user", [None, "anna:p@ss:word"])
def test_ws_through_a_proxy(start, proxy, kind, user):
    service, gateway = start.service(), start.gateway()
    middle = proxy(kind, gateway.agents, user=user)
    userinfo = "anna:p%40ss%3Aword@" if user else ""
    ttf = start.forwarder(f"ws://{GATEWAY}:8081", service, "--proxy", f"{kind}://{userinfo}127.0.0.1:{middle.port}")
    works(gateway, ttf, service)
    assert f"{GATEWAY}:8081" in middle.asked[0]
    assert "p@ss" not in ttf.dump() and "p%40ss" not in "\n".join(ttf.out + ttf.err)


@pytest.mark.parametrize("kind", KINDS)
def test_wss_through_a_proxy(start, proxy, tmp_path, kind):
    authority = make_authority(tmp_path)
    certificate = make_certificate(tmp_path, "gateway", f"DNS:{GATEWAY}")
    service, gateway = start.service(), start.gateway()
    relay = start.relay(gateway.agents, tls=certificate)
    middle = proxy(kind, ("127.0.0.1", relay.port))
    ttf = start.forwarder(
        f"wss://{GATEWAY}", service, "--proxy", f"{kind}://127.0.0.1:{middle.port}", "--ca-file", authority
    )
    works(gateway, ttf, service)
    assert f"{GATEWAY}:443" in middle.asked[0]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_the_proxy_of_the_environment(start, proxy, variable):
    service, gateway = start.service(), start.gateway()
    middle = proxy("http", gateway.agents)
    environment = {variable: f"http://127.0.0.1:{middle.port}"}
    ttf = start.forwarder(f"ws://{GATEWAY}:8081", service, env=environment)
    works(gateway, ttf, service)
    assert len(middle.asked) == 1
    near = start.forwarder(gateway, service, env=environment)
    works(gateway, near, service)
    assert len(middle.asked) == 1, "this machine needs no proxy"


@pytest.mark.parametrize("more", [{"no_proxy": "invalid"}, {"NO_PROXY": "x, .gateway.invalid"}, "off"])
def test_a_gateway_that_needs_no_proxy(start, proxy, more):
    middle = proxy("http", ("127.0.0.1", 1))
    options = ["--proxy", "off"] if more == "off" else []
    env = {"all_proxy": f"http://127.0.0.1:{middle.port}", **({} if more == "off" else more)}
    line = fails(start, BIN / "ttf", "-e", f"ws://{GATEWAY}:8081", "3000", *options, env=env)
    assert f"the name {GATEWAY} cannot be looked up" in line
    assert not middle.asked


@pytest.mark.parametrize(
    "kind, options, says",
    [
        ("http", {"user": "a:b"}, r"refuses: 407 Proxy Authentication Required \(it wants http://user"),
        ("socks5", {"user": "a:b"}, r"refuses: it wants a user"),
        ("http", {"answer": b"HTTP/1.1 502 Bad \x9b31m Gateway\r\n\r\n"}, r"refuses: 502 Bad 31m Gateway"),
        ("http", {"answer": b"\x00\x01\x02" * 100 + b"\r\n\r\n"}, r"does not speak HTTP"),
        ("http", {"answer": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 4000}, r"answers more than 16 KiB"),
        ("http", {"answer": b""}, r"the proxy http://127.0.0.1:\d+ (cannot be reached, or does not answer|closes)"),
        ("socks5", {"answer": b"\x05\x00"}, r"the proxy socks5://127.0.0.1:\d+ cannot be reached, or does not answer in time"),
        ("socks5", {"answer": b"HTTP/1.1 400\r\n\r\n"}, r"does not speak SOCKS5"),
        ("socks5", {"answer": b"\x05\x00\x05\x05"}, r"connection refused"),
    ],
)
def test_a_proxy_that_does_not_help(start, proxy, kind, options, says):
    middle = proxy(kind, ("127.0.0.1", 1), **options)
    url = f"{kind}://127.0.0.1:{middle.port}"
    line = fails(start, BIN / "ttf", "-e", f"ws://{GATEWAY}:8081", "3000", "--proxy", url, "--connect-timeout", "2")
    assert re.search(says, line), line


def test_a_proxy_that_is_not_there(start, proxy):
    middle = proxy("http", ("127.0.0.1", 1))
    middle.stop()
    line = fails(start, BIN / "ttf", "-e", f"ws://{GATEWAY}:8081", "3000", "--proxy", f"127.0.0.1:{middle.port}")
    assert f"the proxy http://127.0.0.1:{middle.port} cannot be reached: connection refused" in line


def test_a_proxy_that_is_none(start):
    assert "--proxy names no proxy: expected http://" in fails(start, BIN / "ttf", "3000", "--proxy", "ftp://x")
    line = fails(start, BIN / "ttf", "-e", f"ws://{GATEWAY}", "3000", env={"ALL_PROXY": "http://x:0"})
    assert "ALL_PROXY names no proxy: its host or port is malformed" in line


def test_frames_through_a_proxy_are_masked(start, proxy):
    """A careless proxy must not find bytes of an answer on the wire as the service chose them."""
    service, gateway = start.service(), start.gateway()
    middle = proxy("http", gateway.agents)
    ttf = start.forwarder(f"ws://{GATEWAY}:8081", service, "--proxy", f"http://127.0.0.1:{middle.port}")
    marker = b"GET /poison HTTP/1.1\r\n" * 100
    service.answer("/marked", body=marker)
    assert http_raw.request(gateway.address, target="/marked", host=ttf.host).body == marker
    assert len(middle.passed) > len(marker)
    assert b"GET /poison" not in middle.passed


def test_a_proxy_that_goes_and_comes(start, proxy):
    service, gateway = start.service(), start.gateway()
    middle = proxy("http", gateway.agents)
    ttf = start.forwarder(f"ws://{GATEWAY}:8081", service, "--proxy", f"http://127.0.0.1:{middle.port}")
    host, lines = ttf.host, len(ttf.out)
    for one in list(middle.sockets):
        try:
            one.shutdown(2)
        except OSError:
            pass
    ttf.wait_established(after=lines)
    assert ttf.host == host
    works(gateway, ttf, service)
