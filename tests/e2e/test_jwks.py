"""Agents' tokens that an identity provider signed: keys and tokens here are made by libraries that have nothing to do with ours
(cryptography, PyJWT)."""

import base64
import hashlib
import hmac
import json
import os
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from agent_v1 import hello
from programs import BIN
from test_agents import refused, visit
from test_auth import SECRET, bearer
from test_cli import fails


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size):
    return base64url(value.to_bytes(size, "big"))


class Key:
    def __init__(self, kid, private, **members):
        self.kid, self.private, self.members = kid, private, members

    @property
    def jwk(self):
        if isinstance(self.private, bytes):
            says = {"kty": "oct", "k": base64url(self.private)}
        elif isinstance(self.private, rsa.RSAPrivateKey):
            public = self.private.public_key().public_numbers()
            says = {"kty": "RSA", "n": number(public.n, self.private.key_size // 8), "e": number(public.e, 3)}
        elif isinstance(self.private, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
            crv = "Ed25519" if isinstance(self.private, ed25519.Ed25519PrivateKey) else "Ed448"
            raw = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            says = {"kty": "OKP", "crv": crv, "x": base64url(raw)}
        else:
            size = (self.private.key_size + 7) // 8
            public = self.private.public_key().public_numbers()
            says = {"kty": "EC", "crv": f"P-{self.private.key_size}", "x": number(public.x, size), "y": number(public.y, size)}
        return {**says, **({"kid": self.kid} if self.kid else {}), **self.members}

    @property
    def pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def token(self, alg, subject="alice", kid=..., lifetime=36000, headers=None, **claims):
        claims = {"sub": subject, "exp": int(time.time()) + lifetime, **claims}
        kid = self.kid if kid is ... else kid
        return jwt.encode(claims, self.private, alg, {**({"kid": kid} if kid else {}), **(headers or {})})


RSA = Key("rsa", rsa.generate_private_key(65537, 2048))
STRONG = Key("strong", rsa.generate_private_key(65537, 4096), alg="RS512", use="sig")
ANOTHER = Key("rsa", rsa.generate_private_key(65537, 2048))
P256 = Key("p256", ec.generate_private_key(ec.SECP256R1()), alg="ES256")
P384 = Key("p384", ec.generate_private_key(ec.SECP384R1()), key_ops=["verify"])
P521 = Key("p521", ec.generate_private_key(ec.SECP521R1()))
ED25519 = Key("ed25519", ed25519.Ed25519PrivateKey.generate(), use="sig")
ED448 = Key("ed448", ed448.Ed448PrivateKey.generate(), alg="EdDSA")
SHARED = Key("shared", os.urandom(64))
OTHERS = [{"kty": "OKP", "crv": "X25519", "x": "AA"}, {**RSA.jwk, "kid": "encrypts", "use": "enc"}]


def key_set(*keys):
    return json.dumps({"keys": [getattr(key, "jwk", key) for key in keys]})


ALL = key_set(*OTHERS, RSA, STRONG, P256, P384, P521, ED25519, ED448, SHARED)
GOOD = {
    "PS256": RSA, "PS384": RSA, "PS512": RSA, "EdDSA": ED25519,
    "RS256": RSA, "RS384": RSA, "RS512": STRONG, "ES256": P256, "ES384": P384, "ES512": P521, "HS256": SHARED, "HS512": SHARED,
}  # fmt: skip


@pytest.fixture
def gateway(start):
    return start.gateway(env={"REQUIRE_AUTH": "true", "JWKS": ALL})


def test_tokens_of_each_algorithm_get_in(start, gateway):
    for alg, key in GOOD.items():
        agent = start.agent(gateway, hello, name=alg.lower(), headers=bearer(key.token(alg)))
        assert visit(gateway, agent, "/x").body == b"GET /x"
    start.agent(gateway, hello, headers=bearer(ED448.token("EdDSA")))
    agent.stop()
    ttf = start.forwarder(gateway, start.service(), "-n", "by-ttf", "-t", STRONG.token("RS512"))
    assert ttf.tunnel_id == "by-ttf"
    assert refused(start, gateway, name="by-ttf", headers=bearer(RSA.token("RS256", "bob"))) == 409


def swapped(alg):
    """Another algorithm's name over the signature of a good token."""
    head, _, rest = RSA.token("RS256").partition(".")
    return base64url(json.dumps({"alg": alg, "kid": "rsa"}).encode()) + "." + rest


def by_public_key():
    """HS256 with what everybody knows as the secret (PyJWT refuses to do that)."""
    text = base64url(b'{"alg":"HS256","kid":"rsa"}') + "." + base64url(json.dumps({"sub": "a", "exp": 9999999999}).encode())
    return text + "." + base64url(hmac.new(RSA.pem, text.encode(), hashlib.sha256).digest())


REFUSED = {
    "another key": (ANOTHER.token("RS256"), "signature does not hold"),
    "an unknown kid": (RSA.token("RS256", kid="other"), "kid"),
    "a kid like a path": (RSA.token("RS256", kid="../../../../dev/null"), "kid"),
    "pinned to another algorithm": (STRONG.token("RS256"), "not for its algorithm"),
    "the key of another kind": (P256.token("ES256", kid="rsa"), "not for its algorithm"),
    "another algorithm's name": (swapped("ES256"), "not for its algorithm"),
    "no algorithm": (swapped("none"), "algorithm is not"),
    "PS256 with a key for RS512": (STRONG.token("PS256"), "not for its algorithm"),
    "EdDSA of another": (Key("ed25519", ed25519.Ed25519PrivateKey.generate()).token("EdDSA"), "signature does not hold"),
    "HS256 with the public key": (by_public_key(), "not for its algorithm"),
    "an encryption key": (RSA.token("RS256", kid="encrypts"), "kid"),
    "crit": (RSA.token("RS256", headers={"crit": ["x"], "x": 1}), "extensions"),
    "expired": (P256.token("ES256", lifetime=-60), "expired"),
    "not yet": (P256.token("ES256", nbf=int(time.time()) + 36000, lifetime=72000), "not valid yet"),
    "an unsigned part": (P256.token("ES256").rpartition(".")[0] + ".", "malformed"),
    "8 KB": (RSA.token("RS256", pad="x" * 5000), "too long"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tokens_that_are_refused(start, gateway, name):
    text, says = REFUSED[name]
    assert refused(start, gateway, headers=bearer(text)) == 401
    gateway.wait_err(f"401.*{says}")
    assert not any(text[-20:] in line for line in gateway.err + gateway.out)


def test_a_token_that_names_no_key(start):
    """One of a few is found; of many none is tried."""
    gateway = start.gateway(env={"REQUIRE_AUTH": "true", "JWKS": key_set(RSA, P256, Key("second", ANOTHER.private))})
    for token in RSA.token("RS256", kid=None), ANOTHER.token("RS256", kid=None), P256.token("ES256", kid=None):
        start.agent(gateway, hello, headers=bearer(token))
    many = key_set(*[Key(f"k{n}", RSA.private) for n in range(5)])
    gateway = start.gateway(env={"REQUIRE_AUTH": "true", "JWKS": many})
    assert refused(start, gateway, headers=bearer(RSA.token("RS256", kid=None))) == 401
    gateway.wait_err("401.*does not say which of many keys")
    start.agent(gateway, hello, headers=bearer(RSA.token("RS256", kid="k4")))


def test_a_secret_and_a_set(start):
    """HS256 is the secret's, all else the set's."""
    gateway = start.gateway(env={"REQUIRE_AUTH": "true", "JWT_SECRET": SECRET, "JWKS": ALL, "JWT_AUDIENCE": "tunnels"})
    secret = Key(None, SECRET.encode())
    for token in secret.token("HS256", aud="tunnels"), RSA.token("RS256", aud="tunnels"), SHARED.token("HS384", aud="tunnels"):
        start.agent(gateway, hello, headers=bearer(token))
    assert refused(start, gateway, headers=bearer(SHARED.token("HS256", aud="tunnels"))) == 401
    assert refused(start, gateway, headers=bearer(RSA.token("RS256", aud="other"))) == 401
    gateway.wait_err("401.*another audience")


def test_a_file(start, tmp_path):
    path = tmp_path / "jwks.json"
    path.write_text(ALL)
    gateway = start.gateway(env={"REQUIRE_AUTH": "true", "JWKS_PATH": str(path)})
    agent = start.agent(gateway, hello, headers=bearer(P256.token("ES256")))
    assert visit(gateway, agent, "/x").body == b"GET /x"


# ---- what only a gateway does ----


def test_the_file_changes(start, tmp_path):
    """New keys count for who comes from then on; a broken or lost file is told once and changes nothing; nobody is cut off."""
    path = tmp_path / "jwks.json"
    path.write_text(key_set(RSA))
    gateway = start.gateway("--require-auth", "--jwks-path", path)
    agent = start.agent(gateway, hello, headers=bearer(RSA.token("RS256")))
    assert refused(start, gateway, headers=bearer(P256.token("ES256"))) == 401

    path.write_text(key_set(P256))
    gateway.wait_err("1 keys from now on")
    start.agent(gateway, hello, headers=bearer(P256.token("ES256")))
    assert refused(start, gateway, headers=bearer(RSA.token("RS256"))) == 401

    seen = len(gateway.err)
    path.write_text(key_set(P256, {"kty": "RSA", "kid": "broken", "e": "AQAB"}))
    gateway.wait_err(r'jwks.json": key 2 \(kid "broken"\): its n is missing.* stay', after=seen)
    start.agent(gateway, hello, headers=bearer(P256.token("ES256")))

    seen = len(gateway.err)
    path.unlink()
    gateway.wait_err('jwks.json": No such file.* stay', after=seen)
    start.agent(gateway, hello, headers=bearer(P256.token("ES256")))

    other = tmp_path / "other.json"
    other.write_text(key_set(RSA, P256))
    seen = len(gateway.err)
    other.rename(path)
    gateway.wait_err("2 keys from now on", after=seen)
    start.agent(gateway, hello, headers=bearer(RSA.token("RS256")))
    assert sum("stay" in line for line in gateway.err) == 2, "told once each"
    assert visit(gateway, agent, "/x").body == b"GET /x"


BROKEN = key_set({"kty": "oct", "kid": "mine", "k": base64url(b"a brief secret")})


@pytest.mark.parametrize(
    "env,says",
    [
        ({"REQUIRE_AUTH": "true"}, "JWKS, JWKS_PATH or JWKS_URL"),
        ({"REQUIRE_AUTH": "true", "JWKS": ""}, "JWKS, JWKS_PATH or JWKS_URL"),
        ({"REQUIRE_AUTH": "true", "JWKS": "{}"}, "JWKS: it is no object with a list of keys"),
        ({"REQUIRE_AUTH": "true", "JWKS": "nonsense"}, "JWKS: it is no JSON (line 1, column"),
        ({"REQUIRE_AUTH": "true", "JWKS": BROKEN}, 'JWKS: key 1 (kid "mine"): its k has fewer than 32 bytes'),
        ({"REQUIRE_AUTH": "true", "JWKS_PATH": "/nonexistent"}, 'JWKS_PATH "/nonexistent": No such file'),
        ({"REQUIRE_AUTH": "true", "JWKS_PATH": "/dev"}, 'JWKS_PATH "/dev": Is a directory'),
        ({"REQUIRE_AUTH": "true", "JWKS_PATH": "/dev/null"}, 'JWKS_PATH "/dev/null": Invalid argument'),
        ({"REQUIRE_AUTH": "true", "JWKS": ALL, "JWKS_PATH": "/x"}, "JWKS and JWKS_PATH contradict"),
        ({"REQUIRE_AUTH": "true", "JWKS": ALL, "JWT_SECRET": "too short"}, "fewer than 32 bytes"),
        ({"REQUIRE_AUTH": "false", "JWKS": ALL}, "REQUIRE_AUTH and JWKS contradict"),
        ({"JWKS": ALL}, "REQUIRE_AUTH"),
    ],
)
def test_sets_that_let_nobody_in(start, env, says):
    ports = ["--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    line = fails(start, BIN / "ttf-gateway", *ports, "--state-dir", start._folder("state"), env=env)
    assert says in line and "too short" not in line and base64url(b"a brief secret") not in line, line
