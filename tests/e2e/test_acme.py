"""Certificates that come by themselves (--acme-email, docs/TLS.md): an empty machine serves https; renewal; an authority that is not
there, or says something else than it should."""

import concurrent.futures
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

import backends
import http_raw
from acme_authority import AcmeAuthority
from programs import BIN, ROOT, SLOW, Gateway, Program, free_port
from redis_server import PROGRAM, Redis
from test_auth import PROTECTED, token
from tls_client import TlsConnection, address_of

DOMAIN = "tunnel.example"
LONG = 90

pytestmark = pytest.mark.skipif(backends.STACK in ("aws", "redis2"), reason="API Gateway has its own; several gateways are below")


def wait_for(true, seconds=60):
    end = time.monotonic() + seconds * SLOW
    while not (value := true()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return value


@pytest.fixture
def authority(start, tmp_path):
    return start._other(AcmeAuthority(tmp_path / "acme"))


@pytest.fixture
def acme(start, authority):
    """make(*options): a gateway whose certificates come from the authority, which can look at it."""

    def make(*options, env=None, **more):
        gateway = start.gateway("--domain", DOMAIN, "--public-tls-listen", "127.0.0.1:0", "--acme-email", "me@example.com", "--acme-agree",
                                *options, env={**authority.env(), **(env or {})}, **more)  # fmt: skip
        authority.http_address, authority.tls_address = gateway.address, address_of(gateway)
        return gateway

    return make


def comes(gateway, name=DOMAIN, after=0):
    """A certificate, and it is used."""
    gateway.wait_err(rf"acme: a certificate for {re.escape(name)}.* is here", LONG, after)
    return gateway.wait_err(r"tls: \d+ certificates were read anew", LONG, after)


def shown(gateway, authority, name=DOMAIN):
    """The certificate for this name, which is trusted; None: there is none."""
    try:
        with TlsConnection(address_of(gateway), authority.context(), name) as connection:
            return connection.socket.getpeercert()
    except (ssl.SSLError, ConnectionError):
        return None


def no_faults(authority):
    assert authority.faults == []


# ---- as one has it ----


def test_an_empty_machine_serves_https(acme, authority, start):
    gateway = acme()
    assert shown(gateway, authority)  # who comes too early waits
    comes(gateway)
    ttf = start.forwarder(gateway, start.service())
    with TlsConnection(address_of(gateway), authority.context()) as connection:
        assert connection.get(DOMAIN, f"/{ttf.tunnel_id}/").status == 200
    assert authority.contact == ["mailto:me@example.com"]
    assert authority.looked == [("http-01", DOMAIN, None)]
    no_faults(authority)


def test_what_is_kept_is_used_again(acme, authority, tmp_path):
    state = tmp_path / "state"
    first = acme(state_dir=state)
    comes(first)
    first.stop()
    second = acme(state_dir=state)
    assert shown(second, authority)
    second.stop()
    assert authority.count("order") - authority.count("finalize") >= 1
    assert len(authority.orders) == 1
    kept = [path for path in (state / "acme").rglob("*") if path.is_file()]
    assert sorted(path.name for path in kept) == ["account.key", f"{DOMAIN}.pem"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in kept)


def test_by_tls(acme, authority):
    authority.ways = ["tls-alpn-01"]
    gateway = acme("--header-timeout", "120s")
    comes(gateway)
    assert authority.looked == [("tls-alpn-01", DOMAIN, None)]
    no_faults(authority)


def test_the_other_way_when_the_first_is_closed(acme, authority):
    gateway = acme()
    authority.http_address = ("127.0.0.1", 1)
    authority.nonces.clear()
    gateway.wait_err("unauthorized: http-01", LONG)
    comes(gateway)
    assert [way for way, _, _ in authority.looked] == ["http-01", "tls-alpn-01"]


def test_all_subdomains_by_a_program(acme, authority, tmp_path):
    hook, log = tmp_path / "hook", tmp_path / "records"
    hook.write_text('#!/bin/sh\nenv > "$ACME_DNS_LOG.env"\necho "$1 $2 $3" >> "$ACME_DNS_LOG"\n')
    hook.chmod(0o755)

    class Records(dict):
        def get(self, name, default):
            lines = [line.split() for line in log.read_text().splitlines()]
            return [value for verb, of, value in lines if verb == "set" and of == name and ["clear", of, value] not in lines]

    authority.txt = Records()
    gateway = acme("--acme-dns-hook", hook, "--sandbox", "off", env={"ACME_DNS_LOG": str(log), "MY_SECRET": "hidden"})
    comes(gateway)
    wait_for(lambda: shown(gateway, authority, f"any.{DOMAIN}"))
    names = shown(gateway, authority)["subjectAltName"]
    assert sorted(name for _, name in names) == [f"*.{DOMAIN}", DOMAIN]
    verbs = [line.split()[0] for line in log.read_text().splitlines()]
    assert verbs == ["set", "clear"] * 2
    assert "hidden" not in Path(f"{log}.env").read_text()
    no_faults(authority)


def test_a_program_that_fails(acme, authority, tmp_path):
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\nexit 3\n")
    hook.chmod(0o755)
    gateway = acme("--acme-dns-hook", hook)
    gateway.wait_err(r"acme: no certificate for tunnel.example .*--acme-dns-hook: it exited with 3; tried again in", LONG)
    assert authority.looked == []


# ---- names of others ----


def test_a_tunnel_with_a_name(acme, authority, start):
    """Somebody comes for it by https: then it is asked for, once, and he waits for it."""
    gateway = acme(env=PROTECTED)
    comes(gateway)
    ttf = start.forwarder(gateway, start.service(), "--name", "shop", "--token", token())
    assert ttf.host.startswith("shop.tunnel.example")
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        assert all(pool.map(lambda name: shown(gateway, authority, name), ["shop.tunnel.example", "SHOP.tunnel.example"] * 3))
    assert len(authority.orders) == 2


def test_a_domain_of_an_owner(acme, authority, start, tmp_path):
    gateway = acme(env={**PROTECTED, "CUSTOM_DOMAINS": "true"})
    comes(gateway)
    file = tmp_path / "token"
    file.write_text(token("ann", domains=["app.example.com"]))
    service = start.service()
    start.forwarder(gateway, service, "--domain", "app.example.com", "--token-file", file)
    with TlsConnection(address_of(gateway), authority.context(), "app.example.com") as connection:  # who comes first waits
        assert connection.get("app.example.com").status == 200
    assert shown(gateway, authority)  # and the gateway's own is still there
    no_faults(authority)


def test_a_name_whose_tunnel_has_gone_is_not_renewed(acme, authority, start, tmp_path):
    authority.life_s = 20
    gateway = acme("--admin-socket", tmp_path / "admin", env=PROTECTED)
    ttf = start.forwarder(gateway, start.service(), "--name", "shop", "--token", token())
    assert shown(gateway, authority, "shop.tunnel.example")
    ttf.stop()
    subprocess.run([BIN / "ttf-gateway", "admin", "release", "shop", "--admin-socket", tmp_path / "admin"], check=True, timeout=60)
    gateway.wait_err("acme: shop.tunnel.example has no tunnel any more", LONG)


def has_one(acme, authority, start, state):
    """A tunnel's name has a certificate; then its gateway, and its tunnel, have gone. Returns when the certificate ends."""
    gateway = acme(state_dir=state, env=PROTECTED)
    ttf = start.forwarder(gateway, start.service(), "--name", "shop", "--token", token())
    certificate = wait_for(lambda: shown(gateway, authority, "shop.tunnel.example"), LONG)
    ttf.stop()
    gateway.stop()
    return ssl.cert_time_to_seconds(certificate["notAfter"])


def is_due(state, name, failures, seconds):
    """It is asked for anew so soon, as one that was refused so often before the start."""
    [folder] = (path for path in (state / "acme").iterdir() if path.is_dir())
    kept = folder.with_name(folder.name + ".waits")
    kept.write_text(f"{name} {failures} {int((time.time() + seconds) * 1000)}\n")
    return kept


def test_a_name_whose_tunnel_comes_back_is_renewed_in_time(acme, authority, start, tmp_path):
    authority.life_s = 60 * SLOW
    end = has_one(acme, authority, start, tmp_path / "state")
    is_due(tmp_path / "state", "shop.tunnel.example", 1, 5)
    gateway, orders = acme(state_dir=tmp_path / "state", env=PROTECTED), authority.count("finalize")
    gateway.wait_err("acme: shop.tunnel.example has no tunnel any more", LONG)
    start.forwarder(gateway, start.service(), "--name", "shop", "--token", token())
    gateway.wait_err("acme: a certificate for shop.tunnel.example is here", LONG)
    assert authority.count("finalize") > orders and time.time() < end


def test_a_name_with_a_certificate_is_not_forgotten(acme, authority, start, tmp_path):
    """The authority is away for long while the certificate is good: nobody who comes asks for another one, so the gateway has to."""
    authority.life_s = 200 * SLOW
    has_one(acme, authority, start, tmp_path / "state")
    authority.is_down = True
    kept = is_due(tmp_path / "state", "shop.tunnel.example", 7, 5)
    gateway = acme(state_dir=tmp_path / "state", env=PROTECTED)
    start.forwarder(gateway, start.service(), "--name", "shop", "--token", token())
    gateway.wait_err("acme: no certificate for shop.tunnel.example .*: it answers 503; tried again in", LONG)
    wait_for(lambda: kept.exists() and "shop.tunnel.example 8 " in kept.read_text())


@pytest.mark.parametrize("name", ["nobody.tunnel.example", "other.example", "a.b.tunnel.example", "localhost", "x" * 63 + ".example"])
def test_names_that_nobody_has(acme, authority, name):
    gateway = acme()
    comes(gateway)
    for _ in range(3):
        shown(gateway, authority, name)
    with TlsConnection(address_of(gateway), authority.context()) as connection:
        assert connection.get(DOMAIN).status == 404
    assert len(authority.orders) == 1


def test_challenges_of_services_reach_them(acme, authority, start):
    """Only what is looked for now, at its name, is the gateway's."""
    gateway = acme()
    comes(gateway)
    service = start.service()
    service.answer("/.well-known/acme-challenge/mine", body=b"of the service")
    ttf = start.forwarder(gateway, service)
    response = http_raw.request(gateway.address, target="/.well-known/acme-challenge/mine", host=ttf.host)
    assert response.status == 200 and response.body == b"of the service"


def test_a_token_is_answered_at_its_name_alone_and_not_for_long(acme, authority):
    """While the authority looks: elsewhere, and afterwards, it is a request as any other."""
    seen = {}

    def look(name, token, proof):
        target = f"/.well-known/acme-challenge/{token}"
        seen["there"] = http_raw.request(authority.http_address, target=target, host=name).body
        seen["elsewhere"] = http_raw.request(authority.http_address, target=target, host=f"x.{name}").status
        seen["other token"] = http_raw.request(authority.http_address, target=target + "x", host=name).status
        seen["longer"] = http_raw.request(authority.http_address, target=target + "?a", host=name).status
        seen["post"] = http_raw.request(authority.http_address, "POST", target, name).status
        seen["target"], seen["proof"] = target, proof.encode()

    authority._look_http = lambda *a: (authority._address("http_address"), look(*a))
    gateway = acme()
    comes(gateway)
    assert seen["there"] == seen["proof"]
    assert [seen[name] for name in ("elsewhere", "other token", "longer", "post")] == [404] * 4
    assert http_raw.request(gateway.address, target=seen["target"], host=DOMAIN).status == 404


# ---- time ----


def test_renewal_without_a_lost_connection(acme, authority):
    authority.life_s = 15
    gateway = acme()
    comes(gateway)
    first = wait_for(lambda: shown(gateway, authority))
    with TlsConnection(address_of(gateway), authority.context()) as connection:
        assert connection.get(DOMAIN).status == 404
        wait_for(lambda: (now := shown(gateway, authority)) and now["serialNumber"] != first["serialNumber"], LONG)
        assert connection.get(DOMAIN).status == 404
    no_faults(authority)


def test_an_authority_that_is_down(acme, authority):
    authority.is_down = True
    gateway = acme()
    gateway.wait_err(r"acme: no certificate for tunnel.example from .*: it answers 503; tried again in \d+ s", LONG)
    assert http_raw.request(gateway.address, host=DOMAIN).status == 404  # all else goes on
    authority.is_down = False
    comes(gateway)


def test_an_authority_that_says_when(acme, authority):
    authority.is_down, authority.retry_after = True, "7200"
    acme().wait_err(r"it answers 503; tried again in 7200 s", LONG)


def test_who_is_started_again_waits_as_before(acme, authority, tmp_path):
    authority.answers["order"] = lambda: (429, {"Retry-After": "3600"}, b'{"type":"urn:ietf:params:acme:error:rateLimited","detail":"no"}')
    state = tmp_path / "state"
    first = acme(state_dir=state)
    first.wait_err("rateLimited: no; tried again in 3600 s", LONG)
    first.stop()
    asked = authority.count("order")
    second = acme(state_dir=state)
    second.wait_err(rf"{DOMAIN} gets no certificate for 3[0-9]{{3}} s: it was refused before the start", LONG)
    assert http_raw.request(second.address, host=DOMAIN).status == 404
    assert authority.count("order") == asked
    [kept] = (state / "acme").glob("*.waits")
    assert kept.stat().st_mode & 0o777 == 0o600


def test_nonces_that_are_old(acme, authority):
    authority.old_nonces = 3
    comes(acme())
    assert authority.old_nonces == 0


def test_nonces_that_are_always_old(acme, authority):
    authority.old_nonces = 10**6
    acme().wait_err(r"badNonce: it is old; tried again", LONG)
    assert authority.count("account") <= 5


# ---- what it may say ----

GOOD = {"newNonce": "https://localhost/n", "newAccount": "https://localhost/a", "newOrder": "https://localhost/o"}


@pytest.mark.parametrize(
    "what, answer",
    [
        ("directory", (200, {}, b"")),
        ("directory", (200, {}, b"[]")),
        ("directory", (200, {}, b"{" * 100000)),
        ("directory", (200, {}, b'{"a":' * 1000)),
        ("directory", (200, {}, json.dumps({**GOOD, "newNonce": "http://localhost/n"}).encode())),
        ("directory", (200, {}, json.dumps({**GOOD, "newOrder": 'https://localhost/"x'}).encode())),
        ("directory", (200, {}, json.dumps({**GOOD, "newNonce": "https://localhost/" + "n" * 5000}).encode())),
        ("directory", (200, {}, json.dumps({**GOOD, "meta": {"externalAccountRequired": True}}).encode())),
        ("directory", (302, {"Location": "https://localhost/x"}, b"")),
        ("directory", (200, {}, b"x" * 2_000_000)),
        ("nonce", (200, {"Replay-Nonce": None}, b"")),
        ("nonce", (200, {"Replay-Nonce": 'a"b'}, b"")),
        ("nonce", (200, {"Replay-Nonce": "a" * 5000}, b"")),
        ("account", (201, {}, b"{}")),
        ("account", (201, {"Location": "http://localhost/a"}, b"{}")),
        ("account", (403, {}, b'{"type":"urn:ietf:params:acme:error:unauthorized","detail":"no \\u0007\\n you"}')),
        ("order", (201, {"Location": "https://localhost/o"}, b"{}")),
        ("order", (201, {"Location": "https://localhost/o"}, b'{"status":"pending","authorizations":[]}')),
        ("order", (201, {"Location": "https://localhost/o"},
                   json.dumps({"status": "pending", "finalize": "https://localhost/f",
                               "authorizations": ["https://localhost/a"] * 3}).encode())),  # fmt: skip
        ("order", (201, {"Location": "https://localhost/o"}, b'{"status":"invalid","authorizations":["https://a/a"],"finalize":"https://a/f"}')),
        ("order", (429, {"Retry-After": "3600"}, b'{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many"}')),
        ("authorization", (200, {}, b'{"status":"pending","identifier":{"type":"dns","value":"other.example"},"challenges":[]}')),
        ("authorization", (200, {}, b'{"status":"pending","identifier":{"type":"dns","value":"tunnel.example"},"challenges":[]}')),
        ("authorization", (200, {}, b'{"status":"pending","identifier":{"type":"dns","value":"tunnel.example"},"challenges":'
                                    b'[{"type":"http-01","url":"https://localhost/c","token":"../../x"}]}')),
        ("authorization", (200, {}, b'{"status":"revoked","identifier":{"type":"dns","value":"tunnel.example"},"challenges":[]}')),
        ("finalize", (200, {}, b'{"status":"valid","authorizations":["https://a/a"],"finalize":"https://a/f"}')),
        ("finalize", (403, {}, b'{"type":"urn:ietf:params:acme:error:badCSR"}')),
        ("certificate", (200, {}, b"")),
        ("certificate", (200, {}, b"no PEM")),
        ("certificate", (200, {}, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
    ],
)  # fmt: skip
def test_wrong_answers(acme, authority, what, answer):
    authority.answers[what] = lambda: answer
    authority.gives_nonces = what != "nonce"
    gateway = acme()
    line = gateway.wait_err(r"acme: no certificate for tunnel.example from \S+: (.+); tried again in \d+ s", LONG)
    assert line[1].strip()
    assert http_raw.request(gateway.address, host=DOMAIN).status == 404
    assert shown(gateway, authority) is None  # and nobody waits for what has failed


def test_an_authorization_of_another_name(acme, authority):
    """Nothing is shown for what was not ordered."""
    other = {"status": "pending", "identifier": {"type": "dns", "value": "other.example"},
             "challenges": [{"type": "http-01", "url": f"{authority.url}/challenge/1/http-01", "token": "abc"}]}  # fmt: skip
    authority.answers["authorization"] = lambda: (200, {}, json.dumps(other).encode())
    gateway = acme()
    gateway.wait_err("it asks for something that was not ordered", LONG)
    assert authority.count("challenge") == 0


def test_a_certificate_of_somebody_else(acme, authority):
    """A chain that is none of our key's is not kept."""
    authority.answers["certificate"] = lambda: (200, {}, authority.root_path.read_bytes())
    gateway = acme()
    gateway.wait_err("no certificate of our key comes first in it", LONG)


def test_it_hangs_and_we_go_down(acme, authority):
    """An order under way is no reason to stay."""
    authority.http_address = None
    gateway = acme()
    authority.http_address = None
    assert gateway.stop() == 0


# ---- settings ----


@pytest.mark.parametrize(
    "options, says",
    [
        (("--acme-email", "me@example.com", "--acme-agree"), "say --public-tls-listen :443"),
        (("--acme-email", "me@example.com", "--public-tls-listen", ":0"), "say --acme-agree"),
        (("--acme-email", "me", "--acme-agree", "--public-tls-listen", ":0"), "expected one address"),
        (("--acme-email", 'a"@b.c', "--acme-agree", "--public-tls-listen", ":0"), "bytes that are not expected"),
        (("--acme-email", "a@b.c", "--acme-agree", "--public-tls-listen", ":0", "--acme-directory", "http://a/"), "expected https://"),
        (("--acme-email", "a@b.c", "--acme-agree", "--public-tls-listen", ":0", "--acme-dns-hook", "/nowhere"), "it cannot be found"),
        (("--acme-email", "a@b.c", "--acme-agree", "--public-tls-listen", ":0", "--acme-dns-hook", "/etc/passwd"), "no program"),
        (("--acme-email", "a@b.c", "--acme-agree", "--public-tls-listen", ":0", "--domain", "localhost"), "say a domain of yours"),
        (("--acme-email", "a@b.c", "--acme-agree", "--public-tls-listen", ":0", "--domain", "192.0.2.1"), "not for addresses"),
        (("--acme-dns-hook", "/bin/true"), "says nothing without --acme-email"),
        (("--acme-directory", "https://a/"), "says nothing without --acme-email"),
    ],
)
def test_settings_that_contradict_each_other(tmp_path, options, says):
    domain = () if "--domain" in options else ("--domain", DOMAIN)
    done = subprocess.run([BIN / "ttf-gateway", "--state-dir", tmp_path, *domain, *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and says in done.stderr, done.stderr


def test_a_key_that_is_none(start, authority, tmp_path):
    folder = tmp_path / "state" / "acme" / f"localhost_{authority.port}_directory"
    folder.mkdir(parents=True)
    (folder / "account.key").write_text("nothing")
    done = subprocess.run([BIN / "ttf-gateway", "--state-dir", tmp_path / "state", "--domain", DOMAIN, "--acme-email", "a@b.c", "--acme-agree",
                           "--public-tls-listen", "127.0.0.1:0", "--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0",
                           "--admin-listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **authority.env()})  # fmt: skip
    assert done.returncode == 1 and "it holds no key of P-256" in done.stderr, done.stderr


# ---- several gateways ----


@pytest.fixture
def pair(start, authority, tmp_path):
    """make(name): one more gateway that shares a store with those before. `looks_at`: where the authority looks, at all of them."""
    if PROGRAM is None:
        pytest.skip("redis-server is not installed")
    redis = start._other(Redis())
    looks_at = []

    def make(name, *options):
        (tmp_path / name).mkdir(exist_ok=True)
        gateway = start._keep(Gateway(tmp_path / name, "--store", redis.url(), "--domain", DOMAIN, "--public-tls-listen", "127.0.0.1:0",
                                      "--acme-email", "me@example.com", "--acme-agree", *options, env=authority.env()))  # fmt: skip
        looks_at.append(gateway)
        return gateway

    http, tls = authority._look_http, authority._look_tls

    def everywhere(look, which):
        def looks(*arguments):
            wait_for(lambda: make.is_whole)
            for gateway in looks_at:
                authority.http_address, authority.tls_address = gateway.address, address_of(gateway)
                look(*arguments)

        return looks

    authority._look_http, authority._look_tls = everywhere(http, "http"), everywhere(tls, "tls")
    make.is_whole, make.redis, make.looks_at = False, redis, looks_at
    return make


@pytest.mark.parametrize("way", ["http-01", "tls-alpn-01"])
def test_two_gateways_order_once(pair, authority, way):
    """The authority may come to either while it looks, and both serve what comes of it."""
    authority.ways = [way]
    one, other = pair("one"), pair("other")
    pair.is_whole = True
    serials = {wait_for(lambda gateway=gateway: shown(gateway, authority), LONG)["serialNumber"] for gateway in (one, other)}
    assert len(serials) == 1 and len(authority.orders) == 1 and len(authority.accounts) == 1
    later = pair("later")
    assert wait_for(lambda: shown(later, authority), LONG)["serialNumber"] in serials
    assert len(authority.orders) == 1
    no_faults(authority)


def test_who_comes_to_another_one_waits(pair, authority):
    """The first orders; a visitor of the second is not told that there is no certificate."""
    held = threading.Event()
    real = authority._look_http
    authority._look_http = lambda *arguments: (held.set(), real(*arguments))
    pair("one")
    assert held.wait(LONG)
    other = pair("other", "--header-timeout", "120s")
    wait_for(lambda: pair.redis.ask("GET", "ttf1:lock:acme"))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        wait_for(lambda: http_raw.request(other.address, host=DOMAIN).status == 404)
        visitors = [pool.submit(shown, other, authority) for _ in range(4)]
        pair.is_whole = True
        assert all(visitor.result(LONG) for visitor in visitors)
    assert len(authority.orders) == 1


def test_private_keys_are_sealed_in_the_store(pair, authority, tmp_path):
    """With a secret that the store has not; one that has another secret takes none of it, and gets its own."""
    secret, another = tmp_path / "secret", tmp_path / "another"
    secret.write_text("a secret of all gateways")
    another.write_text("one that nobody else has")
    pair.is_whole = True
    one, other = (pair(name, "--tunnel-secret-file", secret) for name in ("one", "other"))
    serials = {wait_for(lambda gateway=gateway: shown(gateway, authority), LONG)["serialNumber"] for gateway in (one, other)}
    assert len(serials) == 1 and len(authority.orders) == 1 and len(authority.accounts) == 1
    fields = ["account", f"certificate {DOMAIN}"]
    records = [wait_for(lambda field=field: pair.redis.ask("HGET", "ttf1:acme", field)) for field in fields]
    for record in records:
        assert str(record).count("sealed 1") == 1 and "PRIVATE KEY" not in str(record) and "CERTIFICATE" not in str(record)
    stranger = pair("stranger", "--tunnel-secret-file", another)
    stranger.wait_err("what the store has of account is passed over: it is not sealed with the secret of this gateway", LONG)
    assert wait_for(lambda: shown(stranger, authority), LONG)["serialNumber"] not in serials


def test_a_store_without_a_secret_of_its_own_is_warned_of(pair, authority):
    pair.is_whole = True
    one = pair("one")
    one.wait_err("private keys of certificates lie in the store for all who can read it", LONG)
    assert wait_for(lambda: shown(one, authority), LONG)


def test_renewal_by_one_of_them(pair, authority):
    authority.life_s = 40
    one, other = pair("one"), pair("other")
    pair.is_whole = True
    first = wait_for(lambda: shown(one, authority), LONG)["serialNumber"]
    for gateway in (one, other):
        wait_for(lambda gateway=gateway: (now := shown(gateway, authority)) and now["serialNumber"] != first, LONG)
    assert shown(one, authority)["serialNumber"] == shown(other, authority)["serialNumber"]
    assert len(authority.orders) == 2 and len(authority.accounts) == 1


@pytest.mark.slow
def test_the_one_that_orders_dies(pair, authority):
    """In the middle of it; the right to order ends by itself."""
    held = threading.Event()
    real = authority._look_http
    authority._look_http = lambda *arguments: (held.set(), time.sleep(0) if pair.is_whole else wait_for(lambda: pair.is_whole, 300), real(*arguments))
    one = pair("one")
    assert held.wait(LONG)
    other = pair("other")
    one.kill()
    pair.looks_at.remove(one)
    pair.is_whole = True
    wait_for(lambda: shown(other, authority), 150)
    assert len(authority.accounts) == 1


def test_what_fails_is_tried_by_one_of_them(pair, authority):
    """A second gateway does not ask at once what the first was refused."""
    pair.is_whole = True
    authority.answers["order"] = lambda: (429, {"Retry-After": "3600"}, b'{"type":"urn:ietf:params:acme:error:rateLimited","detail":"no"}')
    one = pair("one")
    one.wait_err("rateLimited: no; tried again in 3600 s", LONG)
    asked = authority.count("order")
    other = pair("other")
    wait_for(lambda: http_raw.request(other.address, host=DOMAIN).status == 404)
    end = time.monotonic() + 3
    while time.monotonic() < end:  # nothing is to come: there is nothing to wait for
        assert authority.count("order") == asked
        time.sleep(0.1)


def test_a_store_that_has_lost_it_is_given_it_again(pair, authority):
    one = pair("one")
    pair.is_whole = True
    serial = wait_for(lambda: shown(one, authority), LONG)["serialNumber"]
    pair.redis.ask("DEL", "ttf1:acme")
    one.stop()
    again = pair("one")
    assert shown(again, authority)["serialNumber"] == serial
    wait_for(lambda: pair.redis.ask("HEXISTS", "ttf1:acme", f"certificate {DOMAIN}") == 1)
    assert len(authority.orders) == 1


# ---- an authority that others have written ----

PEBBLE = os.environ.get("TTF_PEBBLE") or shutil.which("pebble") or str(ROOT / "build" / "pebble" / "pebble")
NAMES = os.environ.get("TTF_CHALLTESTSRV") or shutil.which("pebble-challtestsrv") or str(ROOT / "build" / "pebble" / "pebble-challtestsrv")


@pytest.fixture
def pebble(start, tmp_path, authority):
    """Let's Encrypt's own, for tests: refuses what is not as the RFC has it, and one good nonce in twenty."""
    if not (os.path.exists(PEBBLE) and os.path.exists(NAMES)):
        pytest.skip("Pebble is not here: ./dev test fetches it where there is Go")
    ports = {name: free_port() for name in ("acme", "management", "http", "tls", "dns", "names")}
    config = tmp_path / "pebble.json"
    certificate = tmp_path / "acme" / "authority"
    config.write_text(json.dumps({"pebble": {
        "listenAddress": f"127.0.0.1:{ports['acme']}", "managementListenAddress": f"127.0.0.1:{ports['management']}",
        "certificate": f"{certificate}.pem", "privateKey": f"{certificate}.key", "httpPort": ports["http"], "tlsPort": ports["tls"],
        "keyAlgorithm": "ecdsa", "retryAfter": {"authz": 1, "order": 1},
        "profiles": {"default": {"description": "as it is", "validityPeriod": 3600}}}}))  # fmt: skip
    names = start._keep(Program([NAMES, "-dnsserver", f"127.0.0.1:{ports['dns']}", "-management", f"127.0.0.1:{ports['names']}", "-http01", "",
                                 "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv6", ""], expect_killed=True))  # fmt: skip
    program = start._keep(Program([PEBBLE, "-strict", "-config", config, "-dnsserver", f"127.0.0.1:{ports['dns']}"],
                                  env={"PEBBLE_VA_NOSLEEP": "1"}, expect_killed=True))  # fmt: skip
    names.wait_line("Starting management server", stream=names.out)
    program.wait_line("ACME directory available", stream=program.out)
    program.names, program.known = ports, ports
    return program


@pytest.mark.parametrize("way", ["http", "tls"])
def test_pebble(start, pebble, authority, way):
    ports = pebble.known
    tls = ports["tls"] if way == "tls" else 0
    public = ports["http"] if way == "http" else 0
    gateway = start.gateway("--domain", DOMAIN, "--public-tls-listen", f"127.0.0.1:{tls}", "--acme-email", "me@example.com", "--acme-agree",
                            "--acme-directory", f"https://localhost:{ports['acme']}/dir", ports=(public, 0, 0),
                            env={"SSL_CERT_FILE": str(authority.ca)})  # fmt: skip
    comes(gateway)
