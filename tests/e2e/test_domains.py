"""Domains of tunnels' owners (ttf --domain, docs/DOMAINS.md), on every stack."""

import hashlib
import urllib.request

import pytest

import backends
import http_raw
from dns_server import DnsServer
from programs import BIN
from test_auth import PROTECTED, token

pytestmark = pytest.mark.protocols("v2", "v1")

ON = {**PROTECTED, "CUSTOM_DOMAINS": "true"}
MINE = "app.example.com"


def name_of(domain):
    """As the gateway and ttf make it."""
    bits = "".join(f"{byte:08b}" for byte in hashlib.sha256(domain.encode()).digest())
    return "domain-" + "".join("abcdefghijklmnopqrstuvwxyz234567"[int(bits[i : i + 5], 2)] for i in range(0, 130, 5))


@pytest.fixture
def gateway(start):
    """One whose name server knows of nothing."""
    return start.gateway(env=ON if backends.STACK == "aws" else {**ON, "DNS_SERVERS": start._other(DnsServer()).address})


@pytest.fixture
def bring(start, tmp_path):
    """bring(gateway, domain, *options, subject=, **claims): a ttf with this domain."""

    def make(gateway, domain, *options, subject="ann", service=None, wait=True, **claims):
        file = tmp_path / f"token-{len(start.programs)}"
        file.write_text(token(subject, **claims))
        said = ("--domain", domain) if domain else ()
        service = service or start.service()
        ttf = start.forwarder(gateway, service, *said, "--token-file", file, *options, wait=wait)
        ttf.service = service
        return ttf

    return make


def visit(gateway, host, target="/", **more):
    return http_raw.request(gateway.address, target=target, host=host, **more)


def refused(ttf, says):
    ttf.expect_killed = True
    assert ttf.wait_exit() == 1
    if backends.STACK != "aws":  # API Gateway does not pass on why
        assert any(says in line for line in ttf.err), ttf.dump()


def test_a_domain_leads_to_its_tunnel(gateway, bring):
    ttf = bring(gateway, MINE, domains=[MINE])
    assert ttf.host.partition(":")[0] == MINE
    for host in (MINE, "APP.Example.COM", f"{MINE}.", f"{MINE}:8443", f"{MINE}.:80"):
        assert visit(gateway, host, "/page?x").status == 200, host
    assert {request.target for request in ttf.service.requests} == {"/page?x"}
    assert {request.header("x-forwarded-host").partition(":")[0].rstrip(".").lower() for request in ttf.service.requests} == {MINE}
    assert all(request.header("x-forwarded-prefix") is None for request in ttf.service.requests)


@pytest.mark.parametrize("host", ["example.com", "x.app.example.com", "app.example.org", "aapp.example.com", "app.example.com.evil.example", "app-example.com", "app.example.co", "app..example.com"])
def test_no_other_domain_does(gateway, bring, host):
    ttf = bring(gateway, MINE, domains=MINE)
    answer = visit(gateway, host)
    assert (answer.status, answer.error) == (421, "unknown_host") or answer.status == 400, answer
    assert ttf.service.requests == []


def test_in_an_absolute_url_too(gateway, bring):
    ttf = bring(gateway, MINE, domains=[MINE])
    if backends.STACK == "aws":
        return
    with http_raw.Connection(gateway.address) as connection:
        connection.send(f"GET http://{MINE}/a HTTP/1.1\r\nHost: elsewhere.example\r\n\r\nGET http://elsewhere.example/b HTTP/1.1\r\nHost: {MINE}\r\n\r\n".encode())
        assert [connection.read_response().status for _ in range(2)] == [200, 421]
    assert [request.target for request in ttf.service.requests] == ["/a"]


ALLOWED = [(MINE, MINE), ("a.b.example.com", "*.example.com"), ("xn--bcher-kva.example", ["other.example", "xn--bcher-kva.example"]), (MINE, ["*"])]


@pytest.mark.parametrize("domain, claim", ALLOWED, ids=[str(claim) for _, claim in ALLOWED])
def test_what_a_token_allows(gateway, bring, domain, claim):
    bring(gateway, domain, domains=claim, tunnels=["shop"])  # names of tunnels are another matter
    assert visit(gateway, domain).status == 200


FORBIDDEN = [(MINE, {}), (MINE, {"domains": []}), (MINE, {"domains": "example.com"}), ("example.com", {"domains": "*.example.com"}), ("evilexample.com", {"domains": "*.example.com"}), (MINE, {"tunnels": "*"})]


@pytest.mark.parametrize("domain, claims", FORBIDDEN, ids=[f"{domain} {claims}" for domain, claims in FORBIDDEN])
def test_what_a_token_does_not_allow(gateway, bring, domain, claims):
    refused(bring(gateway, domain, wait=False, **claims), "this token")
    assert visit(gateway, domain).error == "unknown_host"


@pytest.mark.parametrize("claim", ["App.example.com", 5, ["a b"], {"a": 1}, [None], "a/b", "x" * 2000])
def test_claims_that_are_none(gateway, bring, claim):
    refused(bring(gateway, MINE, domains=claim, wait=False), "the token's domains are not host names")


def test_it_is_its_owners(gateway, bring, start):
    first = bring(gateway, MINE, domains=[MINE])
    refused(bring(gateway, MINE, subject="bob", domains=[MINE], wait=False), "taken by somebody else")
    first.stop()
    refused(bring(gateway, MINE, subject="bob", domains=[MINE], wait=False), "taken by somebody else")  # for the time that names are kept
    again = bring(gateway, MINE, domains=[MINE])
    assert visit(gateway, MINE).status == 200
    assert len(again.service.requests) == 1


def test_its_name_is_no_way_around(gateway, bring):
    """The name that stands for a domain is given to nobody without it, not by --name and not by what the tunnel had been."""
    refused(bring(gateway, None, "--name", name_of(MINE), wait=False), "this name stands for a domain")
    refused(bring(gateway, None, "--name", name_of(MINE), tunnels=[name_of(MINE)], domains=[MINE], wait=False), "this name stands for a domain")
    assert visit(gateway, MINE).error == "unknown_host"


@pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway says little of a refused handshake")
def test_what_an_agent_may_not_say(gateway):
    domain, name = MINE, name_of(MINE)
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")]

    def ask(said_domain, said_name, **claims):
        fields = [*upgrade, ("Authorization", f"Bearer {token('ann', **claims)}"), ("x-tunnel-domain", said_domain)]
        fields += [("x-tunnel-name", said_name)] if said_name else []
        return http_raw.request(gateway.agents, headers=fields)

    anything = {"domains": ["*"]}
    for said_domain, said_name in (
        (domain, None), (domain, "shop"), (domain, name_of("other.example")), (domain + ".", name), (domain.upper(), name), ("", name_of("")),
        ("localhost", name_of("localhost")), ("abc.localhost", name_of("abc.localhost")), ("a.b.localhost", name_of("a.b.localhost")),
        ("127.0.0.1", name_of("127.0.0.1")), ("10.1", name_of("10.1")), ("a_b.example", name_of("a_b.example")), ("-a.example", name_of("-a.example")),
        ("bücher.example", name_of("bücher.example")), ("a..example", name_of("a..example")), (".example", name_of(".example")), ("example", name_of("example")),
        ("a/b.example", name_of("a/b.example")), ("x" * 64 + ".example", name_of("x" * 64 + ".example")), ("a." * 130 + "example", name_of("a." * 130 + "example")),
    ):  # fmt: skip
        answer = ask(said_domain.encode().decode("latin-1"), said_name, **anything)
        assert answer.status in (400, 403), (said_domain, answer)
    assert visit(gateway, domain).error == "unknown_host"


def test_a_gateway_that_has_none(start, bring):
    gateway = start.gateway(env=PROTECTED)
    refused(bring(gateway, MINE, domains=[MINE], wait=False), "this gateway has no domains but its own")
    assert visit(gateway, MINE).error == "unknown_host"


@pytest.mark.skipif(backends.STACK != "aws", reason="a gateway does not start so")
def test_without_tokens_nobody_brings_one(start):
    gateway = start.gateway(env={"CUSTOM_DOMAINS": "true"})
    ttf = start.forwarder(gateway, start.service(), "--domain", MINE, wait=False)
    refused(ttf, "not for the domain")


def test_rules_hold_for_it(gateway, bring):
    ttf = bring(gateway, MINE, "--share", "1h", domains=[MINE])
    link = ttf.wait_line(r"Share this link, .*: (http\S+)")[1]
    assert link.partition("://")[2].startswith(MINE)
    assert visit(gateway, MINE).error == "link_required"
    assert visit(gateway, name_of(MINE) + ".localhost").error == "link_required"
    led = visit(gateway, MINE, "/?" + link.partition("?")[2], headers=[("Accept", "text/html")])
    assert led.status == 303
    assert visit(gateway, MINE, headers=[("Cookie", led.header("set-cookie").split(";")[0])]).status == 200


@pytest.mark.skipif(backends.STACK == "aws", reason="a port of gateways")
def test_a_certificate_may_be_had_for_it(gateway, bring):
    def may_have(domain):
        url = "http://%s:%d/api/v1/tls-ask?domain=%s" % (*gateway.admin, domain)
        try:
            return urllib.request.urlopen(url, timeout=30).status == 200
        except urllib.error.HTTPError:
            return False

    assert not may_have(MINE)
    bring(gateway, MINE, domains=[MINE])
    assert may_have(MINE)
    assert not may_have("other.example.com")


@pytest.mark.parametrize("domain", ["App.example.com", "example", "app.example.com.", "https://app.example.com", "bücher.example", "1.2.3.4", "app.example.com:80"])
def test_what_ttf_takes_for_none(start, domain):
    program = start.program(BIN / "ttf", "-e", "ws://127.0.0.1:9", "3000", "--domain", domain)
    program.expect_killed = True
    assert program.wait_exit() == 2
    assert any("domain wants a host name in lower case" in line for line in program.err), program.dump()


def test_a_name_or_a_domain(start):
    program = start.program(BIN / "ttf", "-e", "ws://127.0.0.1:9", "3000", "--domain", MINE, "--name", "shop")
    program.expect_killed = True
    assert program.wait_exit() == 2
    assert any("one of them" in line for line in program.err), program.dump()
