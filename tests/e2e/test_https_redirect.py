"""Who comes by http is sent to https (--https-redirect, docs/TLS.md): where to, and who is not."""

import pytest

import backends
import http_raw
from test_tls import refusal
from tls_client import DOMAIN, Authority, TlsConnection, address_of, tls_options

pytestmark = pytest.mark.skipif(backends.STACK in ("aws", "redis2"), reason="API Gateway has its own; no store is asked")

PROXY = ("--trusted-proxies", "127.0.0.0/8")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def led(start, authority):
    """make(*options): a gateway that sends visitors to https, and a ttf."""

    def make(*options, service=None):
        pair = authority.certificate()
        gateway = start.gateway("--domain", DOMAIN, *tls_options(pair, agents=False), "--https-redirect", "true", *options)
        ttf = start.forwarder(gateway, service or start.service())
        ttf.gateway, ttf.https = gateway, address_of(gateway)
        ttf.ask = lambda *args, **more: http_raw.request(gateway.address, *args, **{"host": ttf.host, **more})
        return ttf

    return make


def to(answer):
    assert answer.status == 308
    assert answer.all("cache-control") == ["no-store"]
    return answer.header("location")


def test_the_same_url_by_https(led, start, authority):
    service = start.service()
    ttf = led(service=service)
    port = ttf.https[1]
    name = ttf.host.partition(":")[0]
    assert to(ttf.ask(target="/a/b?c=d&e=%2F")) == f"https://{name}:{port}/a/b?c=d&e=%2F"
    assert to(ttf.ask("POST", "/form", body="x=1" * 1000)) == f"https://{name}:{port}/form"
    assert to(ttf.ask("HEAD", "/h")) == f"https://{name}:{port}/h"
    assert to(ttf.ask("OPTIONS", "*")) == f"https://{name}:{port}/"
    assert to(ttf.ask(target="//evil.example/x")) == f"https://{name}:{port}//evil.example/x"
    assert to(ttf.ask(target=f"http://{name}/abs?q")) == f"https://{name}:{port}/abs?q"
    upgrade = [("Connection", "upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), ("Sec-WebSocket-Version", "13")]
    assert to(ttf.ask(target="/ws", headers=upgrade)) == f"https://{name}:{port}/ws"
    by_path = to(ttf.ask(target=f"/{ttf.tunnel_id}/page", host=DOMAIN))
    assert by_path == f"https://{DOMAIN}:{port}/{ttf.tunnel_id}/page"
    assert not service.requests
    with TlsConnection(ttf.https, authority.context(), name) as connection:
        assert connection.get(f"{name}:{port}", "/a/b").status == 200
    assert service.seen("/a/b")[0].all("x-forwarded-proto") == ["https"]


def test_one_connection_goes_on(led):
    ttf = led()
    with http_raw.Connection(ttf.gateway.address) as connection:
        for target in ("/1", "/2"):
            connection.send(http_raw.build(target=target, host=ttf.host))
            assert connection.read_response().header("location").endswith(target)


def test_hosts_that_are_none_of_ours_are_led_nowhere(led):
    ttf = led()
    assert ttf.ask(host="evil.example").status == 421
    assert ttf.ask(host="a@evil.example").status == 400


def test_authorities_of_certificates_are_not_led(led, start):
    """A service has its own, which are asked for by http."""
    service = start.service()
    ttf = led(service=service)
    assert ttf.ask(target="/.well-known/acme-challenge/token").status == 200
    assert service.seen("/.well-known/acme-challenge/token")
    assert ttf.ask(target="/.well-known/other").status == 308


def test_what_a_trusted_proxy_says_counts(led):
    ttf = led(*PROXY)
    assert ttf.ask(headers=[("X-Forwarded-Proto", "https")]).status == 200
    assert ttf.ask(headers=[("X-Forwarded-Proto", "HTTPS")]).status == 200
    assert ttf.ask().status == 200  # it would come again for ever
    assert to(ttf.ask(headers=[("X-Forwarded-Proto", "http")])).startswith("https://")


def test_others_are_not_believed(led):
    ttf = led()
    assert ttf.ask(headers=[("X-Forwarded-Proto", "https")]).status == 308


def test_the_port_is_that_of_the_public_url(led):
    ttf = led("--public-url", f"https://{DOMAIN}")
    name = ttf.host.partition(":")[0]
    assert to(ttf.ask(target="/x")) == f"https://{name}/x"


def test_off_unless_it_is_said(start, authority):
    gateway = start.gateway("--domain", DOMAIN, *tls_options(authority.certificate(), agents=False))
    ttf = start.forwarder(gateway, start.service())
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_what_is_refused_at_start(start, authority):
    assert "there is no https to send visitors to" in refusal(start, "--https-redirect", "true")
    said = refusal(start, "--https-redirect", "true", *tls_options(authority.certificate(), agents=False), "--public-url", "http://a.example")
    assert "contradict each other" in said and "say https://" in said
