"""What is known to have let strangers in by a JSON Web Token elsewhere (RFC 8725, and the lists of those who look for such faults), shown
to a whole gateway: one table, each row with what the gateway must say to it. Tokens are made here byte by byte."""

import base64
import hashlib
import hmac
import json
import re
import socket
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

import backends
from test_auth import SECRET
from test_jwks import ED448, ED25519, P256, P384, P521, RSA, STRONG, base64url, key_set

NOW = int(time.time())
CLAIMS = {"sub": "alice", "exp": NOW + 3600, "aud": "tunnels", "iss": "us"}


def mac(text, secret=SECRET, name="sha256"):
    return hmac.new(secret if isinstance(secret, bytes) else secret.encode(), text, getattr(hashlib, name)).digest()


def text_of(header, claims):
    """`header` and `claims`: something for JSON, or bytes as they are."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    return b".".join(base64url(part).encode() for part in parts)


def signed(header=None, claims=None, by=mac, more=b""):
    """By HS256 with our secret unless it is said otherwise."""
    text = text_of(header if header is not None else {"alg": "HS256"}, claims if claims is not None else CLAIMS)
    return text + b"." + base64url(by(text)).encode() + more


def says(**members):
    return signed({"alg": "HS256", **members})


def claims(**members):
    return signed(claims={name: value for name, value in {**CLAIMS, **members}.items() if value is not ...})


def written(members):
    """The claims with these members, as they stand there."""
    return signed(claims=json.dumps(CLAIMS)[:-1].encode() + b"," + members + b"}")


def rs(key=RSA, name=hashes.SHA256):
    return lambda text: key.private.sign(text, padding.PKCS1v15(), name())


def ps(key=RSA, name=hashes.SHA256, salt=None, mask=None):
    size = name.digest_size if salt is None else salt
    return lambda text: key.private.sign(text, padding.PSS(padding.MGF1((mask or name)()), size), name())


def raw(r, s, size=32):
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def es(key=P256, name=hashes.SHA256, size=32, change=lambda r, s: (r, s)):
    def sign(text):
        r, s = decode_dss_signature(key.private.sign(text, ec.ECDSA(name())))
        return raw(*change(r, s), size)

    return sign


def of(alg, kid, **more):
    return {"alg": alg, "kid": kid, **more}


def b64(text):
    return base64.urlsafe_b64encode(text).rstrip(b"=")


N256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GOOD_TEXT, GOOD_MAC = signed().rsplit(b".", 1)
HEAD, BODY = GOOD_TEXT.split(b".")
WEAK = rsa.generate_private_key(65537, 1024)
K256 = ec.generate_private_key(ec.SECP256K1())
DER = P256.private.sign(text_of(of("ES256", "p256"), CLAIMS), ec.ECDSA(hashes.SHA256()))

CONTROLS = {
    "HS256": signed(), "RS256": signed(of("RS256", "rsa"), by=rs()), "RS512": signed(of("RS512", "strong"), by=rs(STRONG, hashes.SHA512)),
    "PS256": signed(of("PS256", "rsa"), by=ps()), "PS384": signed(of("PS384", "rsa"), by=ps(name=hashes.SHA384)),
    "ES256": signed(of("ES256", "p256"), by=es()), "ES384": signed(of("ES384", "p384"), by=es(P384, hashes.SHA384, 48)),
    "ES512": signed(of("ES512", "p521"), by=es(P521, hashes.SHA512, 66)), "EdDSA": signed(of("EdDSA", "ed25519"), by=ED25519.private.sign),
    "Ed448": signed(of("EdDSA", "ed448"), by=ED448.private.sign),
}  # fmt: skip

ORDER_25519 = 2**252 + 27742317777372353535851937790883648493


def malleable(text):
    made = ED25519.private.sign(text)
    return made[:32] + (int.from_bytes(made[32:], "little") + ORDER_25519).to_bytes(32, "little")


ATTACKS = {
    # no signature
    **{f"alg {name}": (signed({"alg": name}, by=lambda text: b"x"), "algorithm") for name in ("none", "None", "NONE", "nOnE", " none", "none ")},
    "none with a kid": (signed(of("none", "rsa"), by=lambda text: b"x"), "algorithm"),
    "no signature": (GOOD_TEXT + b".", "malformed"),
    "none without a signature": (text_of({"alg": "none"}, CLAIMS) + b".", "malformed"),
    "two parts": (GOOD_TEXT, "malformed"),
    "a signature of another token": (claims(sub="root").rsplit(b".", 1)[0] + b"." + GOOD_MAC, "signature"),
    "half a signature": (signed()[:-20], "signature"),
    "one byte of a signature": (GOOD_TEXT + b".AA", "signature"),
    "a signature that is too long": (signed(by=lambda text: mac(text) + b"\0"), "signature"),
    "another payload under the signature": (HEAD + b"." + b64(json.dumps({**CLAIMS, "sub": "root"}).encode()) + b"." + GOOD_MAC, "signature"),
    "another secret": (signed(by=lambda text: mac(text, "another secret of more than thirty-two bytes")), "signature"),
    "an empty secret": (signed(by=lambda text: mac(text, b"")), "signature"),
    "a secret of zeros": (signed(by=lambda text: mac(text, bytes(32))), "signature"),
    # another algorithm than the key's
    "HS256 with the public key": (signed(of("HS256", "rsa"), by=lambda text: mac(text, RSA.pem)), "signature"),
    "HS256 with the EC public key": (signed(of("HS256", "p256"), by=lambda text: mac(text, P256.pem)), "signature"),
    "HS256 with n of the public key": (signed(of("HS256", "rsa"), by=lambda text: mac(text, RSA.jwk["n"])), "signature"),
    "HS384 with the public key": (signed(of("HS384", "rsa"), by=lambda text: mac(text, RSA.pem, "sha384")), "not for its algorithm"),
    "HS512 with our secret": (signed({"alg": "HS512"}, by=lambda text: mac(text, name="sha512")), "no key for"),
    "RS256 over an HMAC": (signed(of("RS256", "rsa")), "signature"),
    "ES256 over an HMAC": (signed(of("ES256", "p256")), "signature"),
    "EdDSA over an HMAC": (signed(of("EdDSA", "ed25519")), "signature"),
    "RS256 said of PS256": (signed(of("RS256", "rsa"), by=ps()), "signature"),
    "PS256 said of RS256": (signed(of("PS256", "rsa"), by=rs()), "signature"),
    "RS384 over SHA-256": (signed(of("RS384", "rsa"), by=rs()), "signature"),
    "RS256 with a key for RS512": (signed(of("RS256", "strong"), by=rs(STRONG)), "not for its algorithm"),
    "PS512 with a key for RS512": (signed(of("PS512", "strong"), by=ps(STRONG, hashes.SHA512)), "not for its algorithm"),
    "ES256K": (signed(of("ES256K", "p256"), by=es()), "algorithm"),
    "RS1": (signed(of("RS1", "rsa"), by=rs()), "algorithm"),
    "an algorithm in lower case": (signed(of("rs256", "rsa"), by=rs()), "algorithm"),
    "an algorithm in a list": (signed({"alg": ["HS256"]}), "algorithm"),
    "an algorithm that is a number": (signed({"alg": 256}), "algorithm"),
    "no algorithm": (signed({"typ": "JWT"}), "algorithm"),
    "two algorithms": (signed(b'{"alg":"none","alg":"HS256"}'), "malformed"),
    "an algorithm with a NUL": (signed(b'{"alg":"HS256\\u0000"}'), "malformed"),
    # keys of the attacker's
    "a key in the header": (signed(of("RS256", "rsa", jwk=RSA.jwk), by=lambda text: WEAK.sign(text, padding.PKCS1v15(), hashes.SHA256())), "signature"),
    "a secret in the header": (signed({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}, by=lambda text: mac(text, bytes(3))), "signature"),
    "jku": (signed(of("RS256", "mine", jku="https://evil.example/keys"), by=rs()), "kid"),
    "x5u and x5c": (signed(of("RS256", "mine", x5u="https://evil.example/", x5c=["AA"]), by=rs()), "kid"),
    "a kid like a path": (signed(of("HS384", "../../../../dev/null"), by=lambda text: mac(text, b"", "sha384")), "kid"),
    "a kid like SQL": (signed(of("RS256", "' UNION SELECT 'x"), by=rs()), "kid"),
    "a kid like a command": (signed(of("RS256", "rsa;id|"), by=rs()), "kid"),
    "a kid like a URL": (signed(of("RS256", "https://evil.example/rsa"), by=rs()), "kid"),
    "a kid that is a number": (signed(of("RS256", 1), by=rs()), "kid is no text"),
    "a kid that is a list": (signed(of("RS256", ["rsa"]), by=rs()), "kid is no text"),
    "a kid that is empty": (signed(of("RS256", ""), by=rs()), "kid"),
    "a kid of 2000 bytes": (signed(of("RS256", "k" * 2000), by=lambda text: b"x"), "kid"),
    "a kid with more behind it": (signed(of("RS256", "rsa2"), by=rs()), "kid"),
    "a kid in capitals": (signed(of("RS256", "RSA"), by=rs()), "kid"),
    "a kid of another kind of key": (signed(of("RS256", "p256"), by=rs()), "not for its algorithm"),
    "a small RSA key": (signed(of("RS256", "rsa"), by=lambda text: WEAK.sign(text, padding.PKCS1v15(), hashes.SHA256())), "signature"),
    "a key of another curve": (signed(of("ES256", "p256"), by=lambda text: raw(*decode_dss_signature(K256.sign(text, ec.ECDSA(hashes.SHA256()))))), "signature"),
    "P-384 said to be P-256": (signed(of("ES256", "p384"), by=es(P384, hashes.SHA256, 48)), "not for its algorithm"),
    "an encryption key": (signed(of("RS256", "encrypts"), by=rs()), "kid"),
    # signatures of curves
    "ECDSA of zeros": (signed(of("ES256", "p256"), by=lambda text: raw(0, 0)), "signature"),
    "ECDSA with r 0": (signed(of("ES256", "p256"), by=es(change=lambda r, s: (0, s))), "signature"),
    "ECDSA with s 0": (signed(of("ES256", "p256"), by=es(change=lambda r, s: (r, 0))), "signature"),
    "ECDSA with r and s the order": (signed(of("ES256", "p256"), by=lambda text: raw(N256, N256)), "signature"),
    "ECDSA with s beyond the order": (signed(of("ES256", "p256"), by=es(change=lambda r, s: ((r + N256) % 2**256, s))), "signature"),
    "ECDSA in DER": (text_of(of("ES256", "p256"), CLAIMS) + b"." + b64(DER), "signature"),
    "ECDSA in 63 bytes": (signed(of("ES256", "p256"), by=lambda text: es()(text)[:-1]), "signature"),
    "ECDSA in 65 bytes": (signed(of("ES256", "p256"), by=lambda text: es()(text) + b"\0"), "signature"),
    "ECDSA in 96 bytes": (signed(of("ES256", "p256"), by=es(size=48)), "signature"),
    "ES384 in 64 bytes": (signed(of("ES384", "p384"), by=lambda text: es(P384, hashes.SHA384, 48)(text)[:64]), "signature"),
    "EdDSA of zeros": (signed(of("EdDSA", "ed25519"), by=lambda text: bytes(64)), "signature"),
    "EdDSA of another key": (signed(of("EdDSA", "ed25519"), by=ed25519.Ed25519PrivateKey.generate().sign), "signature"),
    "EdDSA in 65 bytes": (signed(of("EdDSA", "ed25519"), by=lambda text: ED25519.private.sign(text) + b"\0"), "signature"),
    "Ed448 said to be Ed25519": (signed(of("EdDSA", "ed25519"), by=ED448.private.sign), "signature"),
    "EdDSA with s beyond the order": (signed(of("EdDSA", "ed25519"), by=malleable), "signature"),
    # signatures of RSA
    "RSA of zeros": (signed(of("RS256", "rsa"), by=lambda text: bytes(256)), "signature"),
    "RSA of ones": (signed(of("RS256", "rsa"), by=lambda text: (1).to_bytes(256, "big")), "signature"),
    "RSA in 257 bytes": (signed(of("RS256", "rsa"), by=lambda text: b"\0" + rs()(text)), "signature"),
    "RSA in 255 bytes": (signed(of("RS256", "rsa"), by=lambda text: rs()(text)[1:]), "signature"),
    "PS256 without a salt": (signed(of("PS256", "rsa"), by=ps(salt=0)), "signature"),
    "PS256 with the longest salt": (signed(of("PS256", "rsa"), by=ps(salt=222)), "signature"),
    "PS256 with a mask of SHA-1": (signed(of("PS256", "rsa"), by=ps(mask=hashes.SHA1)), "signature"),
    "PS384 over SHA-256": (signed(of("PS384", "rsa"), by=ps()), "signature"),
    "PS256 of zeros": (signed(of("PS256", "rsa"), by=lambda text: bytes(256)), "signature"),
    # the header
    "crit": (says(crit=["exp"]), "extensions"),
    "crit that is empty": (says(crit=[]), "extensions"),
    "b64 is false": (says(b64=False, crit=["b64"]), "extensions"),
    "zip": (says(zip="DEF"), "extensions"),
    "typ of something else": (says(typ="JWE"), "type JWT"),
    "a header that is a list": (signed(b'["HS256"]'), "malformed"),
    "a header with more behind it": (signed(b'{"alg":"HS256"}{}'), "malformed"),
    "a header in UTF-16": (signed('{"alg":"HS256"}'.encode("utf-16")), "malformed"),
    "a header of UTF-8 that is none": (signed(b'{"alg":"HS256","x":"\xff\xfe"}'), "malformed"),
    "a header that is deep": (signed(b'{"alg":"HS256","x":' + b"[" * 1100 + b"]" * 1100 + b"}", by=lambda text: b"x"), "signature"),
    # the claims
    "expired": (claims(exp=NOW - 60), "expired"),
    "exp of 1970": (claims(exp=0), "expired"),
    "exp is negative": (claims(exp=-1), "not a date"),
    "exp is a text": (claims(exp=str(NOW + 60)), "not a date"),
    "exp is null": (claims(exp=None), "not a date"),
    "exp is true": (claims(exp=True), "not a date"),
    "exp is a list": (claims(exp=[NOW + 60]), "not a date"),
    "exp is missing": (claims(exp=...), "never expires"),
    "exp beyond dates": (signed(claims=b'{"sub":"a","aud":"tunnels","iss":"us","exp":1e300}'), "not a date"),
    "exp beyond floats": (signed(claims=b'{"sub":"a","aud":"tunnels","iss":"us","exp":1e999}'), "malformed"),
    "exp beyond integers": (signed(claims=b'{"sub":"a","aud":"tunnels","iss":"us","exp":99999999999999999999}'), "malformed"),
    "exp twice": (written(b'"exp":99999999999'), "malformed"),
    "nbf to come": (claims(nbf=NOW + 3600), "not valid yet"),
    "nbf is a text": (claims(nbf="0"), "nbf"),
    "iat to come": (claims(iat=NOW + 3600), "future"),
    "another issuer": (claims(iss="them"), "issuer"),
    "an issuer with a slash": (claims(iss="us/"), "issuer"),
    "an issuer in a list": (claims(iss=["us"]), "issuer"),
    "no issuer": (claims(iss=...), "issuer"),
    "another audience": (claims(aud="others"), "audience"),
    "audience as part": (claims(aud="tunnels,others"), "audience"),
    "audience nested": (claims(aud=[["tunnels"]]), "audience"),
    "audience as a key": (claims(aud={"tunnels": 1}), "audience"),
    "no audience": (claims(aud=...), "audience"),
    "sub twice": (written(b'"sub":"root"'), "malformed"),
    "sub with a NUL": (signed(claims=json.dumps(CLAIMS).replace("alice", "al\\u0000ice").encode()), "malformed"),
    "sub with a line break": (claims(sub="alice\nroot"), "subject"),
    "sub that is a number": (claims(sub=7), "subject"),
    "sub that is empty": (claims(sub=""), "subject"),
    "sub of 129 bytes": (claims(sub="a" * 129), "subject"),
    "claims that are a list": (signed(claims=b"[]"), "malformed"),
    "claims that are a token": (signed(claims=signed()), "malformed"),
    "claims of UTF-8 that is none": (signed(claims=json.dumps(CLAIMS).encode().replace(b"alice", b"al\xc0\x80")), "malformed"),
    "claims behind a byte order mark": (signed(claims=b"\xef\xbb\xbf" + json.dumps(CLAIMS).encode()), "malformed"),
    # the text
    "nothing": (b"x", "malformed"),
    "dots": (b"..", "malformed"),
    "four parts": (signed() + b".AAAA", "malformed"),
    "a JWE, in five parts": (b".".join([b64(b'{"alg":"dir","enc":"A256GCM"}'), b"", b"AAAA", b"AAAA", b"AAAA"]), "malformed"),
    "a dot before": (b"." + signed(), "malformed"),
    "a dot behind": (signed() + b".", "malformed"),
    "padding": (signed() + b"=", "malformed"),
    "padding of the header": (b64(b'{"alg":"HS256" }') + b"=." + BODY + b"." + GOOD_MAC, "malformed"),
    "plus and slash": (GOOD_TEXT + b"." + b"+/" * 21 + b"A", "malformed"),
    "a space within": (signed().replace(b".", b". ", 1), "malformed"),
    "a percent": (signed().replace(b".", b"%2E", 1), "malformed"),
    "base64url that has bits left over": (GOOD_TEXT + b"." + GOOD_MAC[:-1] + bytes([GOOD_MAC[-1] + 1]), "malformed|signature"),
    "a byte above ASCII": (signed() + b"\xe9", "malformed"),
    "5000 bytes": (claims(pad="x" * 4000), "too long"),
    "JSON serialisation": (json.dumps({"payload": BODY.decode(), "protected": HEAD.decode(), "signature": GOOD_MAC.decode()}).encode(), "malformed"),
    "two tokens": (signed() + b"," + signed(), "malformed"),
}  # fmt: skip


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """With a secret and a set at once, which is where they could be taken for each other."""
    keys = key_set(RSA, STRONG, P256, P384, P521, ED25519, ED448, {**RSA.jwk, "kid": "encrypts", "use": "enc"})
    env = {"REQUIRE_AUTH": "true", "JWT_SECRET": SECRET, "JWKS": keys, "JWT_AUDIENCE": "tunnels", "JWT_ISSUER": "us"}
    made = backends.make_gateway(tmp_path_factory.mktemp("gateway"), env=env)
    yield made
    made.finish()


def shown(gateway, token):
    """What a handshake with these very bytes as its token gets: status, and the text for people."""
    host, port = re.search(r"//(.*):(\d+)", gateway.endpoint).groups()
    head = (
        f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer "
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(head.encode() + token + b"\r\n\r\n")
        answer = connection.recv(65536)
        while b"\r\n\r\n" not in answer or (not answer.startswith(b"HTTP/1.1 101") and (more := connection.recv(65536))):
            answer += more if not answer.startswith(b"HTTP/1.1 101") else b""
        return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2].decode("latin-1")


@pytest.mark.parametrize("name", CONTROLS)
def test_what_is_right_gets_in(gateway, name):
    """So that what follows is refused for what is wrong with it."""
    status, text = shown(gateway, CONTROLS[name])
    assert status == 101, text


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(gateway, name):
    token, says = ATTACKS[name]
    status, text = shown(gateway, token)
    assert status == 401 and (re.search(says, text) or backends.STACK == "aws"), (status, text)
    assert token.decode("latin-1")[-16:] not in text or len(token) < 16


def test_there_are_enough_of_them():
    assert len(ATTACKS) >= 60
