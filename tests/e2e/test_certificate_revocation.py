"""Certificates of agents that were revoked: lists (--agent-client-crl, docs/TLS.md), and the administration."""

import os
import signal
import time

import pytest

import backends
import http_raw
from admin_api import ask
from programs import BIN
from test_admin import OPEN
from test_auth import SECRET, token
from test_client_certificates import ends_with, join, people, refused, servers, strangers, team  # noqa: F401 (fixtures)
from test_redis import eventually
from tls_client import openssl, tls_options

pytestmark = pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway asks agents for no certificate")

CONFIGURATION = """[ca]
default_ca=x
[x]
database={folder}/revoked.txt
certificate=ca.pem
private_key=ca.key
default_md=sha256
default_crl_days=2
[delta]
2.5.29.27=critical,DER:02:01:01
"""


class Lists:
    """What an authority has revoked, in `path`."""

    def __init__(self, authority, path):
        self.folder, self.path, self.revoked = authority.folder, path, []
        (self.folder / "revoked.conf").write_text(CONFIGURATION.format(folder=self.folder))
        self.write()

    def made(self, *options):
        """A list of those that are revoked, as PEM."""
        (self.folder / "revoked.txt").write_text("")
        for certificate in self.revoked:
            openssl("ca", "-config", "revoked.conf", "-revoke", certificate, cwd=self.folder)
        openssl("ca", "-config", "revoked.conf", "-gencrl", "-out", "list.pem", *options, cwd=self.folder)
        return (self.folder / "list.pem").read_text()

    def write(self, *more, options=()):
        """Whole or not at all."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text("".join((self.made(*options), *more)))
        os.rename(fresh, self.path)

    def revoke(self, pair, **more):
        self.revoked.append(pair[0])
        self.write(**more)


@pytest.fixture
def lists(people, tmp_path):  # noqa: F811
    return Lists(people, tmp_path / "crl.pem")


@pytest.mark.protocols("v2", "v1")
def test_a_revoked_one_is_disconnected_and_not_let_in_again(team, join, people, lists, protocol):  # noqa: F811
    gateway = team("--agent-client-crl", lists.path)
    ann, bob = people.certificate("ann", ""), people.certificate("bob", "")
    of_ann, of_bob = join(gateway, ann, "--name", "of-ann"), join(gateway, bob, "--name", "of-bob")
    lists.revoke(ann)
    of_ann.wait_err("kicked: the certificate is not accepted any more: certificate revoked")
    refused(of_ann, "the certificate is not accepted: certificate revoked")
    gateway.wait_err("audit: 127.0.0.1: revocation tunnel=of-ann owner=sub:ann: certificate revoked")
    refused(join(gateway, ann, wait=False), "the certificate is not accepted: certificate revoked")
    assert http_raw.request(gateway.address, host=of_bob.host).status == 200
    assert http_raw.request(gateway.address, host=of_ann.host).error == "agent_offline"
    join(gateway, people.certificate("ann-anew", "DNS:ann"), "--name", "of-another")


def test_who_has_shown_a_token_goes_on(team, join, people, lists):  # noqa: F811
    gateway = team("--agent-client-crl", lists.path, env={"JWT_SECRET": SECRET})
    carol, dan = people.certificate("carol", ""), people.certificate("dan", "")
    by_token = join(gateway, carol, env={"TTF_TOKEN": token("carol")})
    by_certificate = join(gateway, dan)
    lists.revoked.append(carol[0])
    lists.revoke(dan)
    refused(by_certificate, "certificate revoked")
    assert http_raw.request(gateway.address, host=by_token.host).status == 200


def test_what_is_no_good_at_a_reload_is_told_and_the_lists_of_before_stay(team, join, people, lists, strangers, tmp_path):  # noqa: F811
    gateway = team("--agent-client-crl", lists.path)
    eve, ann = people.certificate("eve", ""), people.certificate("ann", "")
    lists.revoke(eve)
    gateway.wait_err("read anew; 1 certificates are revoked")
    lists.path.write_text("nothing\n")
    gateway.wait_err("it holds no lists of revoked certificates.*of before stay")
    lists.path.write_text(Lists(strangers, tmp_path / "other.pem").made())
    gateway.wait_err("signed by none of the authorities.*of before stay")
    os.kill(gateway.process.pid, signal.SIGHUP)
    refused(join(gateway, eve, wait=False), "certificate revoked")
    ttf = join(gateway, ann)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200
    assert sum("authorities of agents' certificates were read anew" in line for line in gateway.err) == 1
    lists.revoked.clear()
    lists.write()
    gateway.wait_err("read anew; 0 certificates are revoked")
    join(gateway, eve)


def test_an_authority_that_is_taken_away(team, join, people, strangers, tmp_path):  # noqa: F811
    both = tmp_path / "authorities.pem"
    both.write_text(people.ca.read_text() + strangers.ca.read_text())
    gateway = team(ca=both)
    stays, goes = join(gateway, people.certificate("ann", "")), join(gateway, strangers.certificate("eve", ""))
    both.write_text(people.ca.read_text())
    refused(goes, "the certificate is not accepted: ")
    assert http_raw.request(gateway.address, host=stays.host).status == 200


def read_while_it_lasts(gateway, lists):
    """A list that is over soon, but not before the gateway has read it; in how many seconds."""
    for seconds in (4, 16, 64):
        begin = len(gateway.err)
        lists.write(options=("-crlsec", str(seconds)))
        if gateway.wait_err("certificates were read anew|of before stay", after=begin)[0].endswith("anew"):
            return seconds
    raise AssertionError(gateway.dump())


def test_when_the_time_of_a_list_is_over_nobody_is_let_in(team, join, people, lists):  # noqa: F811
    ann = people.certificate("ann", "")
    gateway = team("--agent-client-crl", lists.path)
    connected = join(gateway, ann, "--name", "of-ann")
    seconds = read_while_it_lasts(gateway, lists)
    gateway.wait_err("the time of a list is over", seconds=seconds + 20)
    refused(join(gateway, ann, wait=False), "the certificate is not accepted: CRL has expired")
    assert http_raw.request(gateway.address, host=connected.host).status == 200
    begin = len(gateway.err)
    lists.write()
    gateway.wait_err("certificates were read anew", after=begin)
    join(gateway, ann)


def later(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))


BAD = {
    "over": (lambda lists, other: lists.made("-crl_lastupdate", later(-7200), "-crl_nextupdate", later(-3600)), "is not valid any more: fetch"),
    "not yet": (lambda lists, other: lists.made("-crl_lastupdate", later(3600), "-crl_nextupdate", later(7200)), "is not valid yet"),
    "of strangers": (lambda lists, other: lists.made() + other.made(), "signed by none of the authorities"),
    "of strangers alone": (lambda lists, other: other.made(), "signed by none of the authorities"),
    "delta": (lambda lists, other: lists.made("-crlexts", "delta"), "is a delta"),
    "a certificate": (lambda lists, other: (lists.folder / "ca.pem").read_text(), "it holds no lists"),
    "cut": (lambda lists, other: lists.made()[:200], "it holds no lists"),
    "the second is cut": (lambda lists, other: lists.made() + lists.made()[:200], "not only whole ones"),
    "empty": (lambda lists, other: "", "it is empty"),
    "binary": (lambda lists, other: "\x00\x01" * 5000, "it holds no lists"),
    "too large": (lambda lists, other: "x" * (9 << 20), "it is too large"),
}


@pytest.mark.parametrize("make, says", BAD.values(), ids=BAD)
def test_the_start_is_refused(start, people, servers, strangers, lists, tmp_path, make, says):  # noqa: F811
    lists.path.write_text(make(lists, Lists(strangers, tmp_path / "other.pem")))
    ports = ("--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--state-dir", tmp_path)
    options = (*tls_options(servers.certificate()), "--require-auth", "true", "--agent-client-ca", people.ca, "--agent-client-crl", lists.path)
    ends_with(start.program(BIN / "ttf-gateway", *ports, *options), 1, says)


def test_an_authority_without_a_list(start, people, servers, strangers, lists, tmp_path):  # noqa: F811
    both = tmp_path / "authorities.pem"
    both.write_text(people.ca.read_text() + strangers.ca.read_text())
    ports = ("--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--state-dir", tmp_path)
    tls = (*ports, *tls_options(servers.certificate()), "--require-auth", "true")
    ends_with(start.program(BIN / "ttf-gateway", *tls, "--agent-client-ca", both, "--agent-client-crl", lists.path), 1, "there is no list of")
    ends_with(start.program(BIN / "ttf-gateway", *tls, "--agent-client-ca", people.ca, "--agent-client-crl", tmp_path / "nowhere"), 1, "nowhere")
    ends_with(start.program(BIN / "ttf-gateway", *tls, "--agent-client-crl", lists.path, env={"JWT_SECRET": SECRET}), 2, "without --agent-client-ca")


# ---- by the administration ----


def test_a_blocked_owner(team, join, people):  # noqa: F811
    gateway = team(env=OPEN)
    ann = people.certificate("ann", "")
    ttf, other = join(gateway, ann, "--name", "of-ann"), join(gateway, people.certificate("bob", ""))
    assert ask(gateway, "blocks", "POST", owner="sub:ann").status == 200
    ttf.wait_err("kicked: this owner is blocked")
    refused(ttf, "this owner is blocked")
    refused(join(gateway, ann, wait=False), "this owner is blocked")
    assert http_raw.request(gateway.address, host=other.host).status == 200


def test_certificates_of_before(team, join, people):  # noqa: F811
    """Whose validity begins later is let in."""
    gateway = team(env=OPEN)
    old = people.certificate("ann", "")
    ttf = join(gateway, old)
    assert ask(gateway, "revocations", "POST", owner="sub:ann").status == 200
    says = "this owner's tokens and certificates of before have been revoked"
    ttf.wait_err(f"kicked: {says}")
    refused(ttf, says)
    since = int(time.time())
    eventually(lambda: int(time.time()) > since)
    join(gateway, people.certificate("anew", "DNS:ann"))
