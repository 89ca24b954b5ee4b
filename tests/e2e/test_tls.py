"""TLS of the gateway's own: certificates, names, sessions, what is refused, and all that visitors do, over it."""

import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

import http_raw
from http_raw import build
from programs import BIN
from service import Gate, Response, accept_key, echo
from tls_client import DOMAIN, Authority, TlsConnection, address_of, openssl, tls_options


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority):
    return authority.certificate()


@pytest.fixture
def secure(start, authority, pair):
    """make(*options): a gateway with TLS, a ttf that came by wss, and connect() to it."""

    def make(*options, pairs=(pair,), service=None):
        gateway = start.gateway("--domain", DOMAIN, *tls_options(*pairs), *options)
        agents = address_of(gateway, "Agents: +wss")
        made = start.forwarder(f"wss://localhost:{agents[1]}", service or start.service(), "--ca-file", authority.ca)
        made.gateway, made.address = gateway, address_of(gateway)
        made.connect = lambda *protocols, **more: TlsConnection(made.address, authority.context(*protocols), **more)
        return made

    return make


# ---- as a visitor has it ----


def test_a_request(secure, start):
    service = start.service()
    ttf = secure(service=service)
    assert ttf.url.startswith("https://") or hasattr(ttf.gateway, "front")  # to a pair it is said
    with ttf.connect("http/1.1") as connection:
        assert connection.get(ttf.host).status == 200
        assert connection.get(ttf.host, "/again").status == 200
        assert connection.socket.selected_alpn_protocol() == "http/1.1"
    assert service.seen("/again")[0].all("x-forwarded-proto") == ["https"]


def test_the_plain_port_remains(secure):
    ttf = secure()
    assert http_raw.request(ttf.gateway.address, host=ttf.host).status == 200


def test_large_bodies_both_ways(secure, start):
    body = os.urandom(5_000_000)
    service = start.service()
    service.on("/echo", lambda request: Response(body=request.body))
    ttf = secure(service=service)
    with ttf.connect() as connection:
        for _ in range(2):
            connection.send(build("POST", "/echo", ttf.host, body=body))  # one thread: two must not share Python's TLS
            assert connection.read_response().body == body


def test_pipelined_requests_in_one_record(secure):
    """More than a turn takes: nothing stays behind in TLS, where polling does not see it."""
    ttf = secure()
    with ttf.connect() as connection:
        connection.send(build(host=ttf.host) * 20)
        for _ in range(20):
            assert connection.read_response().status == 200


def test_a_head_in_many_records(secure):
    ttf = secure()
    with ttf.connect() as connection:
        for byte in build(host=ttf.host):
            connection.send(bytes([byte]))
        assert connection.read_response().status == 200


def test_a_websocket(secure, start):
    service = start.websockets(echo)
    ttf = secure(service=service.port)
    with ttf.connect() as connection:
        key = "AAAAAAAAAAAAAAAAAAAAAA=="
        connection.send(build(host=ttf.host, headers=[("Upgrade", "websocket"), ("Connection", "Upgrade"),
                              ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", key)]))  # fmt: skip
        head = connection.read_head()
        assert head.status == 101 and head.header("sec-websocket-accept") == accept_key(key)
        connection.send(b"\x81\x85\0\0\0\0hello")
        assert connection.read_until(b"hello")


def test_an_answer_that_is_cut_does_not_look_whole(secure, start):
    """No orderly end of TLS where the answer has none."""
    service = start.service()
    is_read = threading.Event()

    def half(exchange):
        exchange.head(200, ("Transfer-Encoding", "chunked"))
        exchange.chunk(b"x" * 1000)
        is_read.wait(60)

    service.stream("/half", half)
    ttf = secure(service=service)
    with ttf.connect() as connection:
        connection.send(build(target="/half", host=ttf.host))
        connection.read_head()
        is_read.set()
        with pytest.raises(OSError):
            while connection.socket.recv(65536):
                pass
            raise AssertionError("it ended in order")


def test_an_orderly_end(secure):
    ttf = secure()
    with ttf.connect() as connection:
        connection.send(build(host=ttf.host, headers=[("Connection", "close")]))
        assert connection.read_response().status == 200
        assert connection.socket.recv(1) == b"", "close_notify"


def test_a_slow_reader_is_waited_for(secure, start):
    body = os.urandom(3_000_000)
    service = start.service()
    service.answer("/large", body=body)
    ttf = secure(service=service)
    with ttf.connect() as connection:
        connection.send(build(target="/large", host=ttf.host))
        got, head = b"", connection.read_head()
        assert int(head.header("content-length")) == len(body)
        while len(got) < len(body):
            got += connection._some(4096)
        assert got == body


# ---- certificates ----


def shown(address, context, name):
    with TlsConnection(address, context, name) as connection:
        return {value for _, value in connection.socket.getpeercert()["subjectAltName"]}


def test_the_certificate_is_chosen_by_name(secure, authority, pair):
    ttf = secure(pairs=(pair, authority.certificate("other", "DNS:other.example,DNS:*.wild.example")))
    context = authority.context()
    assert "other.example" in shown(ttf.address, context, "other.example")
    assert "other.example" in shown(ttf.address, context, "a.wild.example")
    assert DOMAIN in shown(ttf.address, context, f"abc.{DOMAIN}")
    assert DOMAIN in shown(ttf.address, context, "127.0.0.1")
    context.check_hostname = False
    assert DOMAIN in shown(ttf.address, context, "nobody.example"), "the first where no name fits"


@pytest.mark.parametrize("how", ["changed", "SIGHUP"])
def test_a_new_certificate_is_taken(secure, authority, tmp_path, how):
    """A connection that is open does not notice."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    chain, key = folder / "chain.pem", folder / "key.pem"

    def put(name, subject):
        for source, to in zip(authority.certificate(name, subject), (chain, key)):
            (folder / "new").write_bytes(source.read_bytes())
            (folder / "new").rename(to)

    put("before", f"DNS:localhost,DNS:{DOMAIN},DNS:before.example")
    ttf = secure(pairs=((chain, key),))
    front = getattr(ttf.gateway, "front", ttf.gateway)
    with ttf.connect() as connection:
        assert connection.get(ttf.host).status == 200
        put("after", f"DNS:localhost,DNS:{DOMAIN},DNS:after.example")
        if how == "SIGHUP":
            front.process.send_signal(signal.SIGHUP)
        front.wait_err("read anew")
        assert connection.get(ttf.host).status == 200
    assert "after.example" in shown(ttf.address, authority.context(), DOMAIN)
    chain.write_text("nonsense")
    front.wait_err("no certificate in it.*the certificates of before stay")
    assert "after.example" in shown(ttf.address, authority.context(), DOMAIN)


def refusal(start, *options):
    program = start.program(BIN / "ttf-gateway", "--public-listen", "127.0.0.1:0", "--state-dir", start.folder / "s", *options)
    program.expect_killed = True
    assert program.wait_exit() in (1, 2)
    return program.dump()


def test_what_is_refused_at_start(start, authority, pair, tmp_path):
    certificate, key = map(str, pair)
    other_key = str(authority.certificate("another")[1])
    nameless = str(authority.certificate("nameless", "")[0])
    nameless_key = str(authority.folder / "nameless.key")
    expired, ahead = tmp_path / "expired.pem", tmp_path / "ahead.pem"
    authority.certificate("old")
    base = ("ca", "-batch", "-config", "ca.cnf", "-in", "old.csr", "-extfile", "old.ext")
    (authority.folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=ca.serial\nnew_certs_dir=.\ncertificate=ca.pem\nprivate_key=ca.key\n"
        "default_md=sha256\nunique_subject=no\npolicy=p\n[p]\ncommonName=supplied\n"
    )
    (authority.folder / "index").write_text("")
    (authority.folder / "ca.serial").write_text("4000")
    openssl(*base, "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-out", str(expired), cwd=authority.folder)
    openssl(*base, "-startdate", "20980101000000Z", "-enddate", "20990101000000Z", "-out", str(ahead), cwd=authority.folder)
    old_key = str(authority.folder / "old.key")
    encrypted, weak, weak_key, empty = (tmp_path / name for name in ("enc.key", "weak.pem", "weak.key", "empty"))
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", str(encrypted), cwd=tmp_path)
    openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-days", "2", "-subj", "/CN=w", "-addext", "subjectAltName=DNS:w.example",
            "-keyout", str(weak_key), "-out", str(weak), cwd=tmp_path)  # fmt: skip
    empty.write_text("")
    cut, garbled = tmp_path / "cut.pem", tmp_path / "garbled.pem"
    cut.write_text(open(certificate).read() + open(authority.ca).read()[:-60])
    garbled.write_text(open(certificate).read() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    rows = [
        (certificate, other_key, "does not belong to the key"),
        (cut, key, "its chain is broken"),
        (garbled, key, "its chain is broken"),
        (nameless, nameless_key, "names no host"),
        (expired, old_key, "expired at 2020-02-01"),
        (ahead, old_key, "not valid before 2098-01-01"),
        (certificate, encrypted, "the key is encrypted"),
        (certificate, tmp_path / "nowhere", "No such file"),
        (tmp_path, key, "Invalid argument"),
        (empty, key, "it is empty"),
        (key, key, "no certificate in it"),
        (certificate, certificate, "no private key in it"),
        (weak, weak_key, "key too small"),
        (certificate, "", "each certificate needs its key"),
        (f"{certificate},{certificate}", key, "each certificate needs its key"),
    ]
    for chain, secret, words in rows:
        said = refusal(start, "--public-tls-listen", "127.0.0.1:0", "--tls-cert", chain, "--tls-key", secret)
        assert any(word in said for word in words.split("|")), said
    assert "needs a certificate" in refusal(start, "--public-tls-listen", ":0")
    assert "no port has TLS" in refusal(start, "--tls-cert", certificate, "--tls-key", key)
    said = refusal(start, "--agent-tls-listen", "*:0", "--tls-cert", certificate, "--tls-key", key)
    assert "others than this machine could open tunnels" in said, said


def test_metrics(secure):
    """When the certificate ends, and how handshakes went."""
    ttf = secure()
    front = getattr(ttf.gateway, "front", ttf.gateway)
    with socket.create_connection(ttf.address, timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while connection.recv(4096):
            pass
    with ttf.connect() as connection:
        assert connection.get(ttf.host).status == 200
    page = http_raw.request(front.admin, target="/metrics").body.decode()
    values = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert float(values['ttf_tls_handshakes_total{result="ok"}']) >= 1
    assert float(values['ttf_tls_handshakes_total{result="failed"}']) == 1
    assert 0 < float(values["ttf_tls_certificate_end_seconds"]) - time.time() < 3 * 86400


# ---- TLS itself ----


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(secure):
    ttf = secure()
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with pytest.raises((ssl.SSLError, ConnectionError)):
            TlsConnection(ttf.address, context)


@pytest.mark.parametrize("ciphers, taken", [("ECDHE+AESGCM", True), ("ECDHE+CHACHA20", True), ("AES256-SHA", False),
                                            ("AES128-GCM-SHA256", False), ("ECDHE+AES:!AESGCM:!AESCCM", False)])  # fmt: skip
def test_ciphers_of_tls_1_2(secure, authority, ciphers, taken):
    ttf = secure()
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    if taken:
        with TlsConnection(ttf.address, context) as connection:
            assert connection.get(ttf.host).status == 200
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            TlsConnection(ttf.address, context)


def test_a_protocol_that_nobody_speaks(secure):
    ttf = secure()
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        ttf.connect("spdy/3")


def test_sessions_are_taken_up_again(secure, authority):
    ttf = secure()
    context = authority.context()
    with TlsConnection(ttf.address, context) as connection:
        connection.get(ttf.host)  # the tickets have come with that
        session = connection.socket.session
    with TlsConnection(ttf.address, context, session=session) as connection:
        assert connection.socket.session_reused
        assert connection.get(ttf.host).status == 200


def test_sessions_are_taken_up_by_another_gateway(start, authority, pair):
    """Gateways that share a secret."""
    secret = start.folder / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef")
    secret.chmod(0o600)
    gateways = [start.gateway("--domain", DOMAIN, *tls_options(pair), "--tunnel-secret-file", secret) for _ in range(2)]
    context = authority.context()
    with TlsConnection(address_of(gateways[0]), context) as connection:
        connection.get(DOMAIN)
        session = connection.socket.session
    with TlsConnection(address_of(gateways[1]), context, session=session) as connection:
        assert connection.socket.session_reused


def test_no_renegotiation(secure, authority):
    ttf = secure()
    said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{ttf.address[1]}", "-tls1_2", "-CAfile", authority.ca],
                          input="R\n", capture_output=True, text=True, timeout=90)  # fmt: skip
    assert "no renegotiation" in said.stderr + said.stdout or "handshake failure" in said.stderr + said.stdout, said


@pytest.mark.parametrize(
    "data", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
             b"\x80\x2e\x01\x00\x02" + b"\0" * 60, os.urandom(3000), b"\x16\x03\x01\xff\xff" + b"\x01\xff\xff\xff" * 30000],
    ids=["nothing", "begun", "http", "half", "sslv2", "noise", "endless"],
)  # fmt: skip
def test_who_does_not_shake_hands_is_cut(secure, data):
    ttf = secure("--header-timeout", "1s")
    with socket.create_connection(ttf.address, timeout=30) as connection:
        try:
            connection.sendall(data)
            while connection.recv(65536):
                pass  # an alert, perhaps
        except ConnectionError:
            pass
    with ttf.connect() as connection:
        assert connection.get(ttf.host).status == 200


def test_plain_http_is_told_what_is_spoken(secure):
    ttf = secure()
    for address in (ttf.address, address_of(ttf.gateway, "Agents: +wss")):
        answer = http_raw.request(address, host=ttf.host)
        assert answer.status == 400 and b"https://" in answer.body


def test_who_stands_at_the_door_makes_room(secure):
    """All connections are taken by handshakes that do not go on."""
    ttf = secure("--max-connections", "20")
    waiting = [socket.create_connection(ttf.address) for _ in range(40)]
    with ttf.connect() as connection:
        assert connection.get(ttf.host).status == 200
    for each in waiting:
        each.close()


def test_going_down_finishes_what_runs(secure, start):
    service = start.service()
    gate = service.on("/held", Gate())
    ttf = secure(service=service)
    with ttf.connect() as connection:
        connection.send(build(target="/held", host=ttf.host))
        gate.wait_arrived()
        front = getattr(ttf.gateway, "front", ttf.gateway)
        front.process.send_signal(signal.SIGTERM)
        front.wait_err("accepting nobody any more")
        gate.open()
        assert connection.read_response().body == b"at last"
