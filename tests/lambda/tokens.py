"""Agents' tokens as an identity provider makes them, by libraries that are not ours."""

import base64
import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa


def number(value, size):
    return base64.urlsafe_b64encode(value.to_bytes(size, "big")).rstrip(b"=").decode()


def key_set_and_token(subject, kind="EC"):
    """(the text of a set with one new key, a token that is signed with it)"""
    if kind == "EC":
        private, alg = ec.generate_private_key(ec.SECP256R1()), "ES256"
        public = private.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "x": number(public.x, 32), "y": number(public.y, 32)}
    else:
        private, alg = rsa.generate_private_key(65537, 2048), "RS256"
        public = private.public_key().public_numbers()
        key = {"kty": "RSA", "n": number(public.n, 256), "e": number(public.e, 3)}
    claims = {"sub": subject, "exp": int(time.time()) + 600, "iat": int(time.time()) + 5}  # clocks differ
    return json.dumps({"keys": [{**key, "kid": "one"}]}), jwt.encode(claims, private, alg, {"kid": "one"})
