"""May a proxy in front get a certificate for this name? The gateway's admin port says."""

from urllib.parse import quote

import pytest

import http_raw
from test_auth import PROTECTED, token


def ask(gateway, target, method="GET"):
    return http_raw.request(gateway.admin, method, f"/api/v1/tls-ask{target}", "localhost").status


@pytest.fixture
def gateway(start):
    return start.gateway("--domain", "tunnel.example", "--names", "dev.example.org")


def test_names_of_the_gateway(gateway):
    assert ask(gateway, "?domain=dev.example.org") == 200
    assert ask(gateway, "?domain=tunnel.example") == 200
    assert ask(gateway, "?domain=DEV.example.org", "HEAD") == 200


@pytest.mark.parametrize(
    "name", ["", "other.example", "random.tunnel.example", "a.dev.example.org", "*.tunnel.example", "127.0.0.1", "tunnel.example:443",
             "tunnel.example\0x", "x" * 5000, "\xff"]
)  # fmt: skip
def test_random_names(gateway, name):
    assert ask(gateway, f"?domain={quote(name)}") == 404


def test_no_name(gateway):
    assert ask(gateway, "") == 404
    assert ask(gateway, "?name=dev.example.org") == 404


def test_tunnels_without_a_token_do_not_count(gateway, start):
    """Neither by a name that they claimed, nor by an id that they were given."""
    service = start.service()
    named = start.forwarder(gateway, service, "--name", "shop")
    unnamed = start.forwarder(gateway, service)
    assert named.host.startswith("shop.tunnel.example")
    for ttf in (named, unnamed):
        assert ask(gateway, f"?domain={ttf.tunnel_id}.tunnel.example") == 404


def test_a_name_claimed_with_a_token(start):
    gateway = start.gateway("--domain", "tunnel.example", env=PROTECTED)
    service = start.service()
    named = start.forwarder(gateway, service, "--name", "shop", "--token", token())
    unnamed = start.forwarder(gateway, service, "--token", token())
    assert ask(gateway, "?domain=shop.tunnel.example") == 200
    assert ask(gateway, f"?domain={unnamed.tunnel_id}.tunnel.example") == 404  # generated
    named.stop()
    assert ask(gateway, "?domain=shop.tunnel.example") == 200  # it keeps its name


def test_the_method(gateway):
    assert ask(gateway, "?domain=dev.example.org", "POST") == 405


def test_many_on_one_connection(gateway):
    with http_raw.Connection(gateway.admin) as connection:
        for number in range(300):
            name = "dev.example.org" if number % 3 else "no.example.org"
            connection.send(http_raw.build(target=f"/api/v1/tls-ask?domain={name}", host="localhost"))
            assert connection.read_response().status == (200 if number % 3 else 404)
