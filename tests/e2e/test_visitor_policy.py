"""Who may visit a tunnel (docs/VISITORS.md): rules of its owner and of the gateway, on every stack, and ways around them."""

import base64
from types import SimpleNamespace

import pytest

import backends
import http_raw
from before import gateway_before
from programs import BIN, Gateway
from test_metrics import wait_for

pytestmark = pytest.mark.protocols("v2", "v1")

ANN = {"Authorization": "Basic " + base64.b64encode(b"ann:secret-12").decode()}
EVE = {"Authorization": "Basic " + base64.b64encode(b"ann:secret-13").decode()}


def fields(mapping):
    return list(mapping.items())


def refused(answer, status, code):
    assert (answer.status, answer.error) == (status, code), answer
    return answer


def ends_with(program):
    program.expect_killed = True  # not with 0
    return program.wait_exit()


@pytest.fixture
def tunnel(start, fresh):
    """tunnel(*ttf_options): a stack whose tunnel has these rules."""
    return lambda *options, **more: fresh(ttf_options=options, **more)


def test_a_password_is_asked_for_and_stays_at_the_gateway(tunnel):
    stack = tunnel("--basic-auth", "ann:secret-12")
    challenge = refused(stack.request(), 401, "unauthorized").header("www-authenticate")
    assert challenge == f'Basic realm="{stack.ttf.tunnel_id}", charset="UTF-8"'
    refused(stack.request(headers=fields(EVE)), 401, "unauthorized")
    refused(stack.request(headers=[*fields(ANN), *fields(ANN)]), 401, "unauthorized")
    refused(stack.request(headers=[("Authorization", "Bearer " + ANN["Authorization"][6:])]), 401, "unauthorized")
    refused(stack.request("POST", body=b"x" * 300_000), 401, "unauthorized")
    assert stack.service.requests == []
    assert stack.request("POST", body=b"abc", headers=fields(ANN)).status == 200
    (got,) = stack.service.requests
    assert "authorization" not in {name.lower() for name, _ in got.headers}


def test_another_tunnel_is_not_held_to_it(start, tunnel):
    stack = tunnel("--basic-auth", "ann:secret-12")
    other = start.forwarder(stack.gateway, stack.service)
    assert stack.request(host=other.host, headers=fields(ANN)).status == 200
    (got,) = stack.service.requests
    assert ("authorization", ANN["Authorization"]) in [(name.lower(), value) for name, value in got.headers]


def test_logins_of_a_file(tunnel, tmp_path):
    logins = tmp_path / "logins"
    logins.write_text("# us\nbob:other-word\r\n\nann:secret-12\n")
    stack = tunnel("--basic-auth-file", logins)
    assert stack.request(headers=fields(ANN)).status == 200
    refused(stack.request(headers=fields(EVE)), 401, "unauthorized")


def test_wrong_passwords_are_not_tried_for_ever(tunnel):
    stack = tunnel("--basic-auth", "ann:secret-12")
    tries = 80 if backends.STACK == "aws" else 11  # there each process counts for itself
    for _ in range(12):  # the same again is no further guess
        refused(stack.request(headers=fields(EVE)), 401, "unauthorized")
    answers = [stack.request(headers=[("Authorization", f"{EVE['Authorization']}{n}")]) for n in range(tries)]
    assert {answer.status for answer in answers} == {401, 429}, answers
    assert sum(answer.status == 401 for answer in answers) >= 9
    if backends.STACK != "aws":
        refused(stack.request(headers=fields(ANN)), 429, "rate_limited")
    refused(stack.request(), 401, "unauthorized")  # who tries none is asked for one


@pytest.mark.parametrize(
    "rule, good, bad",
    [
        (("--methods", "GET,HEAD"), ("GET", "/x"), ("POST", "/x")),
        (("--deny-path", "/admin"), ("GET", "/administrator?x=/admin"), ("GET", "/admin/users")),
        (("--deny-path", "/admin"), ("GET", "/"), ("GET", "/x/..%2f%61dmin")),
        (("--deny-path", "/admin"), ("GET", "/a%20dmin"), ("GET", "/%2561dmin")),
        (("--deny-path", "/admin"), ("GET", "/"), ("GET", "//ADMIN;a=b/")),
        (("--allow-path", "/api,/docs"), ("GET", "/docs/"), ("GET", "/")),
        (("--allow-path", "/api"), ("GET", "/api/x"), ("GET", "/api/%2e%2e/etc")),
    ],
)
def test_methods_and_paths(tunnel, rule, good, bad):
    stack = tunnel(*rule)
    refused(stack.request(*bad), 403, "forbidden")
    assert stack.service.requests == []
    assert stack.request(*good).status == 200


def test_addresses(tunnel):
    stack = tunnel("--allow-ip", "192.0.2.0/24")
    refused(stack.request(headers=[("X-Forwarded-For", "192.0.2.1")]), 403, "forbidden")
    assert stack.service.requests == []
    stack = tunnel("--allow-ip", "127.0.0.0/8,::1")
    assert stack.request().status == 200
    refused(tunnel("--deny-ip", "127.0.0.1,::1").request(), 403, "forbidden")


@pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway says who the visitor is")
def test_addresses_behind_a_trusted_proxy(fresh):
    stack = fresh("--trusted-proxies", "127.0.0.0/8", ttf_options=("--allow-ip", "192.0.2.0/24"))
    assert stack.request(headers=[("X-Forwarded-For", "192.0.2.1")]).status == 200
    assert stack.request(headers=[("X-Forwarded-For", "10.9.9.9, 192.0.2.1")]).status == 200
    refused(stack.request(headers=[("X-Forwarded-For", "192.0.2.1, 198.51.100.1")]), 403, "forbidden")
    refused(stack.request(), 403, "forbidden")


@pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway lets no visitor's WebSocket through to a tunnel")
def test_a_websocket_is_held_to_them_too(tunnel):
    stack = tunnel("--basic-auth", "ann:secret-12")
    offer = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), ("Sec-WebSocket-Version", "13")]
    refused(stack.request(headers=offer), 401, "unauthorized")
    assert stack.service.requests == []


def test_visitors_cannot_say_it_themselves(tunnel):
    stack = tunnel("--basic-auth", "ann:secret-12")
    said = [("x-tunnel-let-in", "1"), ("x-tunnel-policy", ""), ("x-tunnel-hop", "1")]
    refused(stack.request(headers=said), 401, "unauthorized")


def test_rules_end_with_the_ttf_that_set_them(start, fresh, tmp_path):
    stack = fresh(ttf_options=("--basic-auth", "ann:secret-12", "--name", "ruled"), ttf_home=tmp_path)
    refused(stack.request(), 401, "unauthorized")
    stack.ttf.stop()
    refused(stack.request(headers=fields(EVE)), 401, "unauthorized")  # nor is it told that nobody is there
    stack.ttf = start.forwarder(stack.gateway, stack.service, "--name", "ruled", state_home=tmp_path)
    assert stack.request().status == 200


@pytest.mark.skipif(backends.STACK == "aws", reason="a setting of ttf-gateway")
def test_the_gateways_own_rules_cannot_be_loosened(fresh):
    stack = fresh("--visitor-policy", "methods=GET; deny-path=/internal", ttf_options=("--methods", "GET,POST"))
    assert stack.request().status == 200
    refused(stack.request("POST", body=b"x"), 403, "forbidden")
    refused(stack.request(target="/internal"), 403, "forbidden")


@pytest.mark.skipif(backends.STACK == "aws", reason="a setting of ttf-gateway")
@pytest.mark.parametrize(
    "options, says",
    [
        (("--visitor-policy", "country=DE"), "'country' for visitors is not known here"),
        (("--visitor-policy", "private=on"), "nobody could visit: no token is known here"),
        (("--trusted-proxies", "0.0.0.0/0", "--visitor-policy", "allow-ip=10.0.0.0/8"), "anybody could say that he comes from wherever he likes"),
        (("--trusted-proxies", "10.0.0.0/8,::/0"), "anybody could say that he comes from wherever he likes"),
        (("--dns-servers", "192.0.2.1"), "it says nothing without --custom-domains=true"),
    ],
)
def test_a_gateway_does_not_start_with_what_holds_nobody_or_everybody(start, tmp_path, options, says):
    program = start.program(BIN / "ttf-gateway", "--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                            "--state-dir", tmp_path, *options)  # fmt: skip
    assert ends_with(program) == 2
    assert any(says in line for line in program.err), program.dump()


@pytest.mark.parametrize(
    "options, says",
    [
        (("--basic-auth", "ann"), "--basic-auth wants user:password"),
        (("--basic-auth", "ann:short"), "--basic-auth wants a password of at least 8 characters"),
        (("--basic-auth-file", "/nowhere"), "--basic-auth-file cannot be read"),
        (("--allow-ip", "10.0.0.0/40"), "--allow-ip wants addresses"),
        (("--methods", "get"), "--methods wants methods in capitals"),
        (("--deny-path", "admin"), "--deny-path wants paths"),
        (("--deny-path", "/a;b"), "--deny-path holds a ';'"),
    ],
)
def test_what_is_no_rule_is_said_at_the_start(start, options, says):
    program = start.program(BIN / "ttf", "-e", "ws://127.0.0.1:9", "-p", "3000", *options)
    assert ends_with(program) == 2
    assert any(says in line for line in program.err), program.dump()


@pytest.mark.skipif(backends.STACK != "memory", reason="once is enough")
@pytest.mark.timeout(900)
def test_a_gateway_of_before_rules_is_not_used(start):
    kind = type("Before", (Gateway,), {"program": gateway_before()})
    gateway = start._keep(kind(start._folder("gateway")))
    service = start.service()
    ttf = start.forwarder(gateway, service, "--basic-auth", "ann:secret-12", wait=False)
    assert ends_with(ttf) == 1
    assert any("does not hold visitors to rules" in line for line in ttf.err), ttf.dump()
    assert service.requests == []


@pytest.mark.skipif(backends.STACK == "aws", reason="a request waits there for another reason")
def test_who_waits_for_an_agent_is_held_to_its_rules(start, tmp_path):
    """He was let in by those of before, which were others."""
    gateway = start.gateway("--grace", "60s")
    service, home = start.service(), tmp_path / "home"
    home.mkdir()
    start.forwarder(gateway, service, "--name", "shop", "--methods", "GET", state_home=home).stop()
    host = "shop.localhost"
    with http_raw.Connection(gateway.address) as connection:
        connection.send(http_raw.build(target="/early", host=host))
        wait_for(SimpleNamespace(gateway=gateway), "ttf_requests_in_flight", 1)
        start.forwarder(gateway, service, "--name", "shop", "--deny-ip", "127.0.0.1", state_home=home)
        refused(connection.read_response(), 403, "forbidden")
    assert service.requests == []
