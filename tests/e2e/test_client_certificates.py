"""Agents that are known by a certificate (--agent-client-ca, docs/TLS.md)."""

import socket
import ssl
import time

import pytest

import backends
import http_raw
from programs import BIN, SLOW
from test_auth import SECRET, token
from tls_client import Authority, address_of, openssl, tls_options

pytestmark = pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway asks agents for no certificate")


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Who signs the gateway's certificate; agents trust it."""
    return Authority(tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Who signs the agents' certificates; the gateway trusts it."""
    return Authority(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("strangers"))


@pytest.fixture
def team(start, servers, people):
    """make(*options): a gateway that knows the people by their certificates, and how a ttf comes to it."""

    def make(*options, **more):
        pair = servers.certificate()
        gateway = start.gateway("--require-auth", "true", "--agent-client-ca", more.pop("ca", people.ca), *tls_options(pair), *options, **more)
        gateway.wss = f"wss://localhost:{address_of(gateway, 'Agents: +wss')[1]}"
        return gateway

    return make


@pytest.fixture
def join(start, servers):
    """join(gateway, pair, *options): a ttf with this certificate."""

    def make(gateway, pair, *options, **more):
        shown = ("--client-cert", pair[0], "--client-key", pair[1]) if pair else ()
        return start.forwarder(gateway.wss, more.pop("service", None) or start.service(), "--ca-file", servers.ca, *shown, *options, **more)

    return make


def refused(ttf, text):
    ttf.expect_killed = True
    assert ttf.wait_exit() == 1
    assert any(text in line for line in ttf.err), ttf.dump()


def test_a_certificate_is_as_good_as_a_token(team, join, people):
    gateway = team()
    ttf = join(gateway, people.certificate("ann", ""), "--name", "of-ann")
    assert http_raw.request(gateway.address, host=ttf.host).status == 200
    refused(join(gateway, None, wait=False), "a token is needed")
    refused(join(gateway, people.certificate("bob", ""), "--name", "of-ann", wait=False), "taken by somebody else")


def test_whose_it_is(team, join, people):
    """A name in the certificate's alternative names before its subject; the same subject has the same tunnels, whatever its key."""
    gateway = team()
    first = join(gateway, people.certificate("one", "email:ann@example.com,DNS:laptop.example"), "--name", "of-ann")
    first.stop()
    again = join(gateway, people.certificate("two", "email:ann@example.com"), "--name", "of-ann")
    assert http_raw.request(gateway.address, host=again.host).status == 200
    again.stop()
    for pair in (people.certificate("three", "URI:spiffe://example/ann"), people.certificate("laptop.example", ""), people.certificate("one", "DNS:laptop.example")):
        refused(join(gateway, pair, "--name", "of-ann", wait=False), "taken by somebody else")


def test_certificates_and_tokens_beside_each_other(team, join, people):
    gateway = team(env={"JWT_SECRET": SECRET})
    ann = people.certificate("ann", "")
    join(gateway, None, "--name", "by-token", env={"TTF_TOKEN": token("ann")}).stop()
    join(gateway, ann, "--name", "by-token").stop()  # the same ann
    refused(join(gateway, ann, "--name", "by-token", env={"TTF_TOKEN": token("bob")}, wait=False), "taken by somebody else")  # a token says more
    refused(join(gateway, ann, env={"TTF_TOKEN": token("ann", lifetime=-60)}, wait=False), "expired")


def expired(authority):
    """One that ended yesterday."""
    folder = authority.folder
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=late", "-keyout", "late.key", "-out", "late.csr", cwd=folder)
    (folder / "index.txt").write_text("")
    (folder / "ca.conf").write_text(
        f"[ca]\ndefault_ca=x\n[x]\ndatabase={folder}/index.txt\nnew_certs_dir={folder}\ncertificate=ca.pem\nprivate_key=ca.key\nrand_serial=yes\n"
        "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
    )
    openssl("ca", "-batch", "-config", "ca.conf", "-in", "late.csr", "-out", "late.pem", "-startdate", "200101000000Z", "-enddate", "210101000000Z", "-notext", cwd=folder)
    return folder / "late.pem", folder / "late.key"


def for_servers(authority):
    folder = authority.folder
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=web", "-keyout", "web.key", "-out", "web.csr", cwd=folder)
    (folder / "web.ext").write_text("extendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "web.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "web.ext", "-out", "web.pem", cwd=folder)
    return folder / "web.pem", folder / "web.key"


def by_one_who_may_not_sign(authority):
    """Signed by somebody's own certificate, which is none of an authority."""
    folder = authority.folder
    signer, key = authority.certificate("signer", "")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=ann", "-keyout", "below.key", "-out", "below.csr", cwd=folder)
    openssl("x509", "-req", "-in", "below.csr", "-CA", signer, "-CAkey", key, "-CAcreateserial", "-days", "2", "-out", "below.pem", cwd=folder)
    (folder / "below-chain.pem").write_text((folder / "below.pem").read_text() + signer.read_text())
    return folder / "below-chain.pem", folder / "below.key"


BAD = {
    "of strangers": (lambda people, strangers: strangers.certificate("ann", ""), "the certificate is not accepted: "),
    "expired": (lambda people, strangers: expired(people), "the certificate is not accepted: certificate has expired"),
    "for servers": (lambda people, strangers: for_servers(people), "the certificate is not accepted: unsu"),
    "by one who may not sign": (lambda people, strangers: by_one_who_may_not_sign(people), "the certificate is not accepted: "),
    "the gateway's own": (None, "the certificate is not accepted: "),
    "without a name": (lambda people, strangers: people.certificate("a" * 3, "DNS:" + "x" * 60 + "." + "y" * 60 + "." + "z" * 60), "it has no name"),
}


@pytest.mark.parametrize("make, says", BAD.values(), ids=BAD)
def test_one_that_is_not_good_is_told_so(team, join, people, strangers, servers, make, says):
    gateway = team()
    pair = make(people, strangers) if make else servers.certificate()
    ttf = join(gateway, pair, "--name", "of-nobody", wait=False)
    refused(ttf, says)
    host = "of-nobody.localhost"
    assert http_raw.request(gateway.address, host=host).error == "tunnel_not_found"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_a_session_is_not_taken_up_again(team, people, servers, version):
    """A certificate ends; a ticket of a session that it began would not."""
    gateway = team()
    context = ssl.create_default_context(cafile=servers.ca)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(*people.certificate("ann", ""))
    port = address_of(gateway, "Agents: +wss")[1]

    def shake(session=None):
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost", session=session) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            tls.recv(4096)
            return tls.session, tls.session_reused

    session, _ = shake()
    assert shake(session)[1] is False


def test_the_plain_port_knows_nobody_by_what_he_says(team, start):
    gateway = team()
    said = {"x-ssl-client-s-dn": "CN=ann", "x-forwarded-client-cert": "x", "x-tunnel-subject": "ann", "ssl-client-verify": "SUCCESS"}
    fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), *said.items()]
    answer = http_raw.request(gateway.agents, target="/", headers=fields)
    assert (answer.status, b"a token is needed" in answer.body) == (401, True), answer


def ends_with(program, code, says):
    program.expect_killed = True
    assert program.wait_exit() == code
    assert any(says in line for line in program.err), program.dump()


def test_settings_that_do_not_go_together(start, servers, people, tmp_path):
    tls = tls_options(servers.certificate())
    (tmp_path / "empty.pem").write_text("nothing\n")
    for code, says, options in (
        (2, "say --agent-tls-listen", ("--require-auth", "true", "--agent-client-ca", people.ca)),
        (2, "without --require-auth=true", (*tls, "--agent-client-ca", people.ca)),
        (2, "without --require-auth=true", (*tls, "--require-auth", "false", "--agent-client-ca", people.ca)),
        (1, "holds no certificates of authorities", (*tls, "--require-auth", "true", "--agent-client-ca", tmp_path / "empty.pem")),
        (1, "nowhere.pem", (*tls, "--require-auth", "true", "--agent-client-ca", tmp_path / "nowhere.pem")),
    ):
        ports = ("--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--state-dir", tmp_path)
        ends_with(start.program(BIN / "ttf-gateway", *ports, *options), code, says)


def test_settings_of_ttf_that_do_not_go_together(start, people, tmp_path):
    certificate, key = people.certificate("ann", "")
    locked = tmp_path / "locked.key"
    openssl("ec", "-in", key, "-aes128", "-passout", "pass:secret", "-out", locked, cwd=tmp_path)
    for code, says, options in (
        (2, "--client-key wants --client-cert", ("-e", "wss://127.0.0.1:9", "--client-key", key)),
        (2, "--client-cert is for wss://", ("-e", "ws://127.0.0.1:9", "--client-cert", certificate, "--client-key", key)),
        (1, "no certificate (PEM) can be read from", ("-e", "wss://127.0.0.1:9", "--client-cert", "/nowhere", "--client-key", key)),
        (1, "no key for the certificate", ("-e", "wss://127.0.0.1:9", "--client-cert", certificate)),
        (1, "no key for the certificate", ("-e", "wss://127.0.0.1:9", "--client-cert", certificate, "--client-key", locked)),
        (1, "no key for the certificate", ("-e", "wss://127.0.0.1:9", "--client-cert", certificate, "--client-key", people.folder / "ca.key")),
    ):
        ends_with(start.program(BIN / "ttf", "3000", *options), code, says)


def test_both_in_one_file(team, join, people, tmp_path):
    certificate, key = people.certificate("ann", "")
    both = tmp_path / "ann.pem"
    both.write_text(certificate.read_text() + key.read_text())
    gateway = team()
    ttf = join(gateway, None, "--client-cert", both)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def lasting(authority, name, seconds):
    """A certificate that ends in so many seconds."""
    folder = authority.folder
    expired(authority)
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr", cwd=folder)
    openssl("ca", "-batch", "-config", "ca.conf", "-in", f"{name}.csr", "-out", f"{name}.pem", "-startdate", "20200101000000Z", "-enddate", end, "-notext", cwd=folder)
    return folder / f"{name}.pem", folder / f"{name}.key"


def test_it_ends_with_its_certificate_and_comes_back_with_a_renewed_one(team, join, people, tmp_path):
    gateway, both = team(), tmp_path / "soon.pem"
    certificate, key = lasting(people, "soon", 6 * SLOW)
    both.write_text(certificate.read_text() + key.read_text())
    ttf = join(gateway, None, "--client-cert", both, "--name", "of-soon")
    renewed, key = lasting(people, "soon", 3600)
    both.write_text(renewed.read_text() + key.read_text())
    gateway.wait_err("its certificate has expired")
    ttf.wait_line("The certificate has expired")
    ttf.wait_established(after=len(ttf.out) if not ttf.out else 1)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200
