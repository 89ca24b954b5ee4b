"""Agents' tokens that an identity provider signed, whose keys the gateway asks for: a provider over TLS, which changes its keys, is
slow, lies, or is away."""

import time

import pytest

import backends
from agent_v1 import hello
from programs import BIN, SLOW, free_port
from relay import make_authority, make_certificate
from service import Gate, Response
from test_agents import refused, visit
from test_auth import bearer
from test_cli import fails
from test_jwks import ED25519, P256, P384, RSA, SHARED, key_set
from test_token_command import wait_for

AUD = {"aud": "tunnels"}


pytestmark = pytest.mark.skipif(backends.STACK == "aws", reason="a setting of gateways")


GATEWAYS = 2 if backends.STACK == "redis2" else 1  # each asks by itself


class Issuer:
    """Its keys are at /keys; `keys` can be changed."""

    def __init__(self, start, tls):
        self.start, self.tls, self.keys, self.port, self.service = start, tls, key_set(P256, RSA), free_port(), None

    def up(self, **more):
        self.service = self.start.service(port=self.port, tls=self.tls, **more)
        self.service.on("/keys", lambda request: Response(body=self.keys))
        return self


@pytest.fixture
def issuer(start, tmp_path):
    make_authority(tmp_path)
    made = Issuer(start, make_certificate(tmp_path, "issuer", "DNS:localhost,IP:127.0.0.1"))
    made.gateway = lambda path="/keys", **env: start.gateway(
        "--require-auth", "--jwks-url", f"https://localhost:{made.port}{path}",
        env={"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "JWT_AUDIENCE": "tunnels", **env})  # fmt: skip
    return made


def asked(issuer):
    return len(issuer.service.seen("/keys"))


def test_tokens_of_the_issuer_get_in(start, issuer):
    gateway = issuer.up().gateway()
    gateway.wait_err("JWKS_URL .*: 2 keys, 0 passed over")
    wait_for(lambda: asked(issuer) == GATEWAYS)
    for alg, key in {"ES256": P256, "RS256": RSA, "PS256": RSA}.items():
        agent = start.agent(gateway, hello, headers=bearer(key.token(alg, **AUD)))
        assert visit(gateway, agent, "/x").body == b"GET /x"
    assert refused(start, gateway, headers=bearer(P256.token("ES256", aud="others"))) == 401
    assert asked(issuer) == GATEWAYS


def test_a_new_key_is_asked_for_once_a_minute(start, issuer):
    """ttf is told to try again, and does; tokens with made-up keys cause no more questions."""
    gateway = issuer.up().gateway()
    gateway.wait_err("2 keys")
    wait_for(lambda: asked(issuer) == GATEWAYS)
    issuer.keys = key_set(P384)
    ttf = start.forwarder(gateway, start.service(), env={"TTF_TOKEN": P384.token("ES384", **AUD)})
    assert ttf.tunnel_id
    assert asked(issuer) == GATEWAYS + 1
    for n in range(5):
        assert refused(start, gateway, headers=bearer(P384.token("ES384", kid=f"made-up-{n}", **AUD))) == 401
    assert refused(start, gateway, headers=bearer(P256.token("ES256", **AUD))) == 401, "it is not the issuer's any more"
    assert asked(issuer) == GATEWAYS + 1


def test_the_issuer_comes_later_than_the_gateway(start, issuer):
    gateway = issuer.gateway()
    gateway.wait_err("it does not answer .*agents are told to try again")
    assert refused(start, gateway, headers=bearer(P256.token("ES256", **AUD))) == 503
    ttf = start.forwarder(gateway, start.service(), env={"TTF_TOKEN": P256.token("ES256", **AUD)}, wait=False)
    ttf.wait_line("being asked for its keys: try again.*503")
    issuer.up()
    ttf.wait_established(seconds=60)


def test_while_the_issuer_is_away_its_keys_stay(start, issuer):
    gateway = issuer.up().gateway()
    gateway.wait_err("2 keys")
    issuer.service.go_away()
    assert refused(start, gateway, headers=bearer(P384.token("ES384", **AUD))) == 503
    gateway.wait_err("it does not answer .*the keys of before stay")
    start.agent(gateway, hello, headers=bearer(P256.token("ES256", **AUD)))
    wait_for(lambda: refused(start, gateway, headers=bearer(P384.token("ES384", **AUD))) == 401)


BAD = {
    "a redirect": (lambda request: Response(302, headers=[("location", "http://localhost/keys")]), "it answers 302"),
    "an error": (lambda request: Response(500, body=key_set(P256)), "it answers 500"),
    "a page": (lambda request: Response(body="<html>"), "it is no JSON"),
    "no keys": (lambda request: Response(body='{"keys":[]}'), "no key of it can verify"),
    "secrets alone": (lambda request: Response(body=key_set(SHARED)), "no key of it can verify"),
    "too much": (lambda request: Response(body=key_set(P256) + " " * 70000), "it does not answer"),
    "a broken key": (lambda request: Response(body=key_set(P256, {"kty": "EC", "crv": "P-256"})), "key 2: its x is missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_set_lets_nobody_in(start, issuer, name):
    handler, says = BAD[name]
    issuer.up().service.on("/bad", handler)
    gateway = issuer.gateway("/bad")
    gateway.wait_err(f"JWKS_URL .*: {says}")
    assert refused(start, gateway, headers=bearer(P256.token("ES256", **AUD))) == 503


def test_secrets_that_anybody_can_read_are_none(start, issuer):
    issuer.keys = key_set(SHARED, ED25519)
    gateway = issuer.up().gateway()
    gateway.wait_err("1 keys, 1 passed over")
    start.agent(gateway, hello, headers=bearer(ED25519.token("EdDSA", **AUD)))
    assert refused(start, gateway, headers=bearer(SHARED.token("HS512", **AUD))) in (401, 503)


def test_an_issuer_that_does_not_prove_its_name_is_not_believed(start, issuer):
    gateway = issuer.up().gateway(SSL_CERT_FILE="/dev/null")
    gateway.wait_err("it does not answer")
    assert refused(start, gateway, headers=bearer(P256.token("ES256", **AUD))) == 503


def test_an_issuer_that_takes_its_time_holds_nothing_up(start, issuer):
    """The loop goes on meanwhile, and the gateway asks for no second time."""
    gate = Gate(lambda request: Response(body=issuer.keys))
    issuer.up().service.on("/slow", gate)
    gateway = issuer.gateway("/slow")
    gate.wait_arrived(GATEWAYS)
    begin = time.monotonic()
    for _ in range(5):
        assert refused(start, gateway, headers=bearer(P256.token("ES256", **AUD))) == 503
    assert time.monotonic() - begin < 5 * SLOW
    assert len(issuer.service.seen("/slow")) == GATEWAYS
    gate.open()
    wait_for(lambda: refused(start, gateway, headers=bearer(P256.token("ES256", lifetime=-60, **AUD))) == 401)


@pytest.mark.parametrize(
    "env,says",
    [
        ({"JWKS_URL": "http://localhost/keys"}, "expected https://"),
        ({"JWKS_URL": "https:///keys"}, "it names no host"),
        ({"JWKS_URL": "https://a:b@localhost/keys"}, "it names a user"),
        ({"JWKS_URL": "https://localhost/ keys"}, "bytes that no URL has"),
        ({"JWKS_URL": "https://localhost/keys", "JWKS_PATH": "/x"}, "one key set is enough"),
        ({"JWKS_URL": "https://localhost/keys", "JWT_AUDIENCE": ""}, "say what their aud must be"),
        ({"JWKS_URL": "https://localhost/keys", "REQUIRE_AUTH": "false"}, "contradict"),
    ],
)
def test_settings_that_are_refused(start, env, says):
    env = {"REQUIRE_AUTH": "true", "JWT_AUDIENCE": "tunnels", **env}
    ports = ["--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    assert says in fails(start, BIN / "ttf-gateway", *ports, "--state-dir", start._folder("state"), env=env)
