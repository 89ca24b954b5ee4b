"""JWKS_URL of the function: it asks the issuer when somebody shows a token whose key it has not, and that one waits. (The same
settings of gateways: test_jwks_url.py.)"""

import pytest

import backends
from agent_v1 import hello
from aws_function import usage
from relay import make_authority, make_certificate
from service import Gate, Response
from test_agents import refused, visit
from test_auth import bearer
from test_jwks import ED25519, P256, P384, RSA, SHARED, key_set
from test_jwks_url import AUD, BAD, Issuer, asked

pytestmark = pytest.mark.skipif(backends.STACK != "aws", reason="of the function")


@pytest.fixture
def issuer(start, tmp_path):
    make_authority(tmp_path)
    made = Issuer(start, make_certificate(tmp_path, "issuer", "DNS:localhost,IP:127.0.0.1"))
    made.gateway = lambda path="/keys", **env: start.gateway(
        env={"AWS_CA_BUNDLE": str(tmp_path / "ca.pem"), "JWKS_URL": f"https://localhost:{made.port}{path}", "JWT_AUDIENCE": "tunnels",
             "REQUIRE_AUTH": "true", **env})  # fmt: skip
    return made


def shown(key, alg, **more):
    return bearer(key.token(alg, **AUD, **more))


def asks_once_each(gateway, issuer):
    """Each environment, however many of them there are."""
    return 1 <= asked(issuer) <= usage(gateway)["coldStarts"]


def test_who_comes_first_waits_for_the_keys_and_the_others_have_them(start, issuer):
    gateway = issuer.up().gateway()
    assert refused(start, gateway) == 401
    assert asked(issuer) == 0, "nobody has needed them"
    for _ in range(3):
        for alg, key in {"ES256": P256, "RS256": RSA, "PS256": RSA}.items():
            start.agent(gateway, hello, headers=shown(key, alg)).stop()
    agent = start.agent(gateway, hello, headers=shown(P256, "ES256"))
    assert visit(gateway, agent, "/x").body == b"GET /x"
    assert refused(start, gateway, headers=bearer(P256.token("ES256", aud="others"))) == 401
    assert asks_once_each(gateway, issuer)


def test_made_up_keys_ask_no_more(start, issuer):
    gateway = issuer.up().gateway()
    start.agent(gateway, hello, headers=shown(P256, "ES256"))
    for n in range(9):
        assert refused(start, gateway, headers=shown(P384, "ES384", kid=f"made-up-{n}")) == 401
    assert asks_once_each(gateway, issuer)


def test_ttf_gets_in(start, issuer):
    gateway = issuer.up().gateway()
    ttf = start.forwarder(gateway, start.service(), env={"TTF_TOKEN": P256.token("ES256", **AUD)})
    assert ttf.tunnel_id


def test_the_issuer_comes_later(start, issuer):
    gateway = issuer.gateway()
    assert refused(start, gateway, headers=shown(P256, "ES256")) == 503
    ttf = start.forwarder(gateway, start.service(), env={"TTF_TOKEN": P256.token("ES256", **AUD)}, wait=False)
    ttf.wait_line("try again.*503")
    issuer.up()
    ttf.wait_established(seconds=90)


def test_a_private_tunnel_waits_for_keys_as_well(start, issuer):
    """Its visitor may come to an environment that has none; what he has sent is not sent twice."""
    gateway, service = issuer.up().gateway(), start.service()
    ttf = start.forwarder(gateway, service, "--private", env={"TTF_TOKEN": P256.token("ES256", **AUD)})
    service.on("/once", lambda request: Response(body=request.body))
    good, bad = (list(shown(key, alg).items()) for key, alg in ((RSA, "RS256"), (P384, "ES384")))
    for count in range(1, 5):
        answer = visit(gateway, ttf, "/once", method="POST", headers=good, body=b"once")
        assert (answer.status, answer.body, len(service.seen("/once"))) == (200, b"once", count)
    assert visit(gateway, ttf, "/once", headers=bad).error == "token_required"
    assert asks_once_each(gateway, issuer)


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_set_lets_nobody_in(start, issuer, name):
    handler, says = BAD[name]
    issuer.up().service.on("/bad", handler)
    gateway = issuer.gateway("/bad")
    assert refused(start, gateway, headers=shown(P256, "ES256")) == 503
    gateway.wait_err(f"JWKS_URL .*: {says}")


def test_secrets_that_anybody_can_read_are_none(start, issuer):
    issuer.keys = key_set(SHARED, ED25519)
    gateway = issuer.up().gateway()
    start.agent(gateway, hello, headers=shown(ED25519, "EdDSA"))
    assert refused(start, gateway, headers=shown(SHARED, "HS512")) == 401


def test_an_issuer_that_does_not_prove_its_name_is_not_believed(start, issuer):
    gateway = issuer.up().gateway(AWS_CA_BUNDLE="/dev/null")
    assert refused(start, gateway, headers=shown(P256, "ES256")) == 503
    assert asked(issuer) == 0


def test_an_issuer_that_does_not_answer_is_waited_for_three_seconds(start, issuer):
    gate = Gate(lambda request: Response(body=issuer.keys))
    issuer.up().service.on("/slow", gate)
    gateway = issuer.gateway("/slow")
    assert refused(start, gateway, headers=shown(P256, "ES256")) == 503
    gateway.wait_err("it does not answer .*agents are told to try again")
    gate.open()


def test_the_stand_in_tells_the_function(start, issuer, tmp_path):
    issuer.up()
    options = ("--require-auth", "true", "--jwks-url", f"https://localhost:{issuer.port}/keys", "--jwt-audience", "tunnels")
    gateway = start.gateway(*options, env={"AWS_CA_BUNDLE": str(tmp_path / "ca.pem")})
    start.agent(gateway, hello, headers=shown(P256, "ES256"))
    assert refused(start, gateway, headers=shown(P384, "ES384")) == 401
