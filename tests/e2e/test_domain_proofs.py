"""Domains whose owner says by DNS that they are a subject's (docs/DOMAINS.md), with a name server of the test's own."""

import contextlib
import time

import pytest

import backends
import http_raw
from dns_server import DnsServer
from programs import BIN
from test_auth import token
from test_domains import MINE, ON, bring, name_of, refused, visit  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(backends.STACK == "aws", reason="the function asks no name server")

NAME = f"_ttf.{MINE}"
PROOF = "ttf-owner=ann@localhost"


@pytest.fixture
def dns(start):
    return start._other(DnsServer())


@pytest.fixture
def gateway(start, dns):
    return start.gateway(env={**ON, "DNS_SERVERS": dns.address})


@pytest.mark.parametrize("records", [[PROOF], ["v=spf1 -all", PROOF], [("ttf-owner=", "ann@local", "host")], ["ttf-owner=bob@localhost", PROOF]])
def test_a_record_is_as_good_as_a_claim(gateway, dns, bring, records):  # noqa: F811
    dns.records[NAME] = records
    ttf = bring(gateway, MINE)
    assert visit(gateway, MINE).status == 200
    assert len(ttf.service.requests) == 1
    assert set(dns.asked) == {(NAME, 16)}


WRONG = [
    None, [], ["ttf-owner=bob@localhost"], ["ttf-owner=ann"], ["ttf-owner=ann@elsewhere.example"], ["ttf-owner=ann@localhost "], [" " + PROOF], [PROOF.upper()],
    ["ttf-owner=ann@localhost.example"], ["xttf-owner=ann@localhost"], ["ttf-owner=", "ann@localhost"], [("x", PROOF)], ["*"], ["ttf-owner=*@localhost"], ["x" * 255],
    [("x" * 200, PROOF)],
]  # fmt: skip


@pytest.mark.parametrize("records", WRONG, ids=[str(records)[:40] for records in WRONG])
def test_what_proves_nothing(gateway, dns, bring, records):  # noqa: F811
    dns.records.update({} if records is None else {NAME: records})
    dns.records[MINE] = dns.records["_ttf.example.com"] = [PROOF]
    refused(bring(gateway, MINE, wait=False), f"neither this token nor a TXT record of {NAME} says that the domain is yours")
    assert visit(gateway, MINE).error == "unknown_host"


def test_a_token_that_speaks_of_domains_decides(gateway, dns, bring):  # noqa: F811
    dns.records[NAME] = [PROOF]
    refused(bring(gateway, MINE, domains=["other.example"], wait=False), "this token is not for the domain")
    refused(bring(gateway, MINE, domains=[], wait=False), "this token is not for the domain")
    bring(gateway, MINE, domains=[MINE])
    assert dns.asked == []


ODD = {
    "silence": None,
    "nothing": b"",
    "garbage": b"\xff" * 40,
    "cut": lambda question, section: DnsServer.head(question, 0, 1) + section + DnsServer.txt(PROOF)[:-3],
    "more than there is": lambda question, section: DnsServer.head(question, 0, 9) + section + DnsServer.txt(PROOF)[:15],
    "names that go round": lambda question, section: DnsServer.head(question, 0, 1) + b"\xc0\x0c\0\x10\0\x01" + b"\xc0\x0c",
    "a failure": lambda question, section: DnsServer.head(question, 2, 0) + section,
    "refused": lambda question, section: DnsServer.head(question, 5, 0) + section,
    "somebody else's answer": lambda question, section: b"\0\0" + DnsServer.head(question, 0, 1)[2:] + section + DnsServer.txt(PROOF),
    "another question's": lambda question, section: DnsServer.head(question, 0, 1) + b"\x03abc\0\0\x10\0\x01" + DnsServer.txt(PROOF),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_server_lets_nobody_in(gateway, dns, bring, odd):  # noqa: F811
    dns.odd[NAME] = odd
    ttf = bring(gateway, MINE, wait=False)
    gateway.wait_err(r"refused with (503|403): .*_ttf\.app\.example\.com", 60)
    assert visit(gateway, MINE).error == "unknown_host"
    other = bring(gateway, None)  # and it keeps nobody waiting
    assert visit(gateway, other.host).status == 200
    ttf.expect_killed = True


def test_so_many_are_asked_at_once(gateway, dns):
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")]
    domains = [f"d{i}.example" for i in range(65)]
    dns.odd.update({f"_ttf.{domain}": None for domain in domains})
    with contextlib.ExitStack() as stack:
        for domain in domains:
            connection = stack.enter_context(http_raw.Connection(gateway.agents))
            fields = [*upgrade, ("Authorization", f"Bearer {token('ann')}"), ("x-tunnel-domain", domain), ("x-tunnel-name", name_of(domain))]
            connection.send(http_raw.build(headers=fields))
        assert connection.read_response().status == 503
        while len(asked := {name for name, _ in dns.asked}) < 64:  # the server may be behind; what it has missed is asked for again
            time.sleep(0.02)
        assert f"_ttf.{domains[64]}" not in asked


def test_what_holds_is_remembered_for_a_while(gateway, dns, bring):  # noqa: F811
    dns.records[NAME] = [PROOF]
    bring(gateway, MINE).stop()
    bring(gateway, MINE).stop()
    assert len(dns.asked) == 1
    refused(bring(gateway, MINE, subject="bob", wait=False), "neither this token")
    assert len(dns.asked) == 2


def test_servers_that_are_none(start):
    program = start.program(BIN / "ttf-gateway", "--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                            "--dns-servers", "not a server", env={**ON})  # fmt: skip
    program.expect_killed = True
    assert program.wait_exit() != 0
    assert any("--dns-servers" in line for line in program.err), program.dump()
