"""A certificate authority of the test's own that speaks ACME (RFC 8555), over TLS. It is harsh: a request that the RFC does not allow is
refused and kept in `faults`; it looks at challenges itself (http-01, tls-alpn-01, dns-01), at the addresses that it is told."""

import base64
import datetime
import hashlib
import http.server
import json
import re
import secrets
import socket
import ssl
import threading
import time

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID

import http_raw
from relay import make_authority, make_certificate

ALPN_EXTENSION = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


def decode(text):
    assert re.fullmatch(r"[A-Za-z0-9_-]*", text), "it is no base64url"
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Refused(Exception):
    def __init__(self, kind, detail="", status=400, **fields):
        super().__init__(detail)
        self.kind, self.detail, self.status, self.fields = kind, detail, status, fields


class AcmeAuthority:
    """`ways`: what it offers. `life_s`: of its certificates. `answers`: {path's first part: a function that gives (status, fields, body)
    instead of what would be right}. `is_down`: it answers 503 to all. `old_nonces`: so many good ones are refused."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.ca = make_authority(folder)
        certificate, key = make_certificate(folder, "authority", "DNS:localhost")
        self.ways = ["http-01", "tls-alpn-01", "dns-01"]
        self.life_s, self.answers, self.is_down, self.old_nonces, self.retry_after = 86400, {}, False, 0, None
        self.http_address = self.tls_address = None  # None: it waits until it is told
        self.txt, self.gives_nonces = {}, True
        self.nonces, self.accounts, self.orders, self.authorizations, self.certificates = set(), {}, {}, {}, {}
        self.faults, self.asked, self.looked = [], [], []
        self.lock = threading.RLock()
        self.signing_key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the test")])
        self.root = self._sign(self.name, self.signing_key.public_key(), [], is_authority=True)
        self.root_path = folder / "root.pem"
        self.root_path.write_bytes(self.root.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = f"https://localhost:{self.port}"
        self.directory = f"{self.url}/directory"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def env(self):
        return {"SSL_CERT_FILE": str(self.ca), "ACME_DIRECTORY": self.directory}

    def context(self, *protocols):
        context = ssl.create_default_context(cafile=self.root_path)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def count(self, what):
        """How often this was asked for."""
        with self.lock:
            return self.asked.count(what)

    # ---- HTTP ----

    def _handler(authority):  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.answer(b"")

            def do_GET(self):
                self.answer(b"")

            def do_POST(self):
                self.answer(self.rfile.read(int(self.headers["content-length"])))

            def answer(self, body):
                try:
                    status, fields, text = authority._serve(self.command, self.path, self.headers, body)
                except ConnectionAbortedError:
                    self.close_connection = True
                    return
                fields = {**authority._nonce_field(), "Cache-Control": "no-store", **fields}
                self.send_response(status)
                for name, value in fields.items():
                    if value is not None:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        return Handler

    def _nonce_field(self):
        return {"Replay-Nonce": self._nonce()} if self.gives_nonces else {}

    def _nonce(self):
        nonce = encode(secrets.token_bytes(16))
        with self.lock:
            self.nonces.add(nonce)
        return nonce

    def _serve(self, method, path, headers, body):
        what = path.split("/")[1]
        with self.lock:
            self.asked.append(what)
        if what in self.answers:
            return self.answers[what]()
        if self.is_down:
            return 503, {"Retry-After": self.retry_after}, b""
        try:
            return self._route(method, what, path, headers, body)
        except Refused as refused:
            if refused.kind not in ("badNonce", "rateLimited"):
                self.faults.append(f"{method} {path}: {refused.kind}: {refused.detail}")
            problem = {"type": f"urn:ietf:params:acme:error:{refused.kind}", "detail": refused.detail}
            return refused.status, {"Content-Type": "application/problem+json", **refused.fields}, json.dumps(problem).encode()

    def _route(self, method, what, path, headers, body):
        if not headers.get("user-agent"):
            raise Refused("malformed", "no User-Agent (6.1)")
        if what == "directory" and method == "GET":
            return self._json(200, {"newNonce": f"{self.url}/nonce", "newAccount": f"{self.url}/account", "newOrder": f"{self.url}/order",
                                    "meta": {"termsOfService": f"{self.url}/terms"}})  # fmt: skip
        if what == "nonce" and method in ("GET", "HEAD"):
            return 204 if method == "GET" else 200, {}, b""
        if method != "POST":
            raise Refused("malformed", "only POST (6.3)", 405)
        account, payload = self._open(path, headers, body)
        with self.lock:
            if what == "account":
                return self._account(account, payload)
            handler = {"order": self._order, "authorization": self._authorization, "challenge": self._challenge,
                       "finalize": self._finalize, "certificate": self._certificate}[what]  # fmt: skip
            return handler(account, path, payload)

    @staticmethod
    def _json(status, content, **fields):
        return status, {"Content-Type": "application/json", **fields}, json.dumps(content).encode()

    # ---- the signature (6.2) ----

    def _open(self, path, headers, body):
        if headers.get("content-type") != "application/jose+json":
            raise Refused("malformed", "another Content-Type")
        try:
            jws = json.loads(body)
            assert set(jws) == {"protected", "payload", "signature"}, "other members"
            protected, payload, signature = json.loads(decode(jws["protected"])), decode(jws["payload"]), decode(jws["signature"])
            assert set(protected) in ({"alg", "nonce", "url", "kid"}, {"alg", "nonce", "url", "jwk"}), "other fields"
            assert protected["alg"] == "ES256" and len(signature) == 64, "no ES256"
        except (AssertionError, ValueError, KeyError) as fault:
            raise Refused("malformed", str(fault)) from None
        if protected["url"] != self.url + path:
            raise Refused("unauthorized", "another url")
        self._use_nonce(protected["nonce"])
        is_new = path == "/account"
        if is_new != ("jwk" in protected):
            raise Refused("malformed", "kid or jwk where the other belongs")
        jwk = protected["jwk"] if is_new else self.accounts.get(protected["kid"])
        if jwk is None:
            raise Refused("accountDoesNotExist", "nobody")
        self._verify(jwk, f"{jws['protected']}.{jws['payload']}".encode(), signature)
        return jwk, payload

    def _use_nonce(self, nonce):
        with self.lock:
            if nonce not in self.nonces:
                raise Refused("badNonce", "it was used, or never given")
            self.nonces.discard(nonce)
            if self.old_nonces:
                self.old_nonces -= 1
                raise Refused("badNonce", "it is old")

    @staticmethod
    def _verify(jwk, text, signature):
        try:
            x, y = decode(jwk["x"]), decode(jwk["y"])
            assert set(jwk) == {"kty", "crv", "x", "y"} and jwk["kty"] == "EC" and jwk["crv"] == "P-256" and len(x) == len(y) == 32
            key = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()).public_key()
            pair = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            key.verify(encode_dss_signature(*pair), text, ec.ECDSA(hashes.SHA256()))
        except (AssertionError, KeyError, InvalidSignature, ValueError) as fault:
            raise Refused("badSignature", repr(fault)) from None

    @staticmethod
    def thumbprint(jwk):
        text = json.dumps({name: jwk[name] for name in sorted(jwk)}, separators=(",", ":"))
        return encode(hashlib.sha256(text.encode()).digest())

    # ---- things ----

    def _account(self, jwk, payload):
        asked = json.loads(payload)
        if asked.get("termsOfServiceAgreed") is not True:
            raise Refused("userActionRequired", "the terms")
        if not all(re.fullmatch(r"mailto:[^@]+@[^@]+", contact) for contact in asked["contact"]):
            raise Refused("invalidContact", "no address")
        url = f"{self.url}/account/{self.thumbprint(jwk)}"
        status = 200 if url in self.accounts else 201
        self.accounts[url] = jwk
        self.contact = asked["contact"]
        return self._json(status, {"status": "valid"}, Location=url)

    def _show_order(self, order, status=200):
        shown = {name: order[name] for name in ("status", "identifiers", "authorizations", "finalize")}
        if order["status"] == "pending" and all(self.authorizations[url]["status"] == "valid" for url in order["authorizations"]):
            shown["status"] = order["status"] = "ready"
        if any(self.authorizations[url]["status"] == "invalid" for url in order["authorizations"]):
            shown["status"] = order["status"] = "invalid"
        if order.get("certificate"):
            shown["certificate"] = order["certificate"]
        return self._json(status, shown, Location=order["url"])

    def _order(self, jwk, path, payload):
        if path != "/order":
            order = self.orders.get(self.url + path)
            if payload or not order or order["account"] != jwk:
                raise Refused("malformed", "no such order, or not asked for with an empty payload")
            return self._show_order(order)
        identifiers = json.loads(payload)["identifiers"]
        number = secrets.token_hex(6)
        order = {"url": f"{self.url}/order/{number}", "account": jwk, "status": "pending", "identifiers": identifiers,
                 "finalize": f"{self.url}/finalize/{number}", "authorizations": []}  # fmt: skip
        for identifier in identifiers:
            if identifier["type"] != "dns" or not re.fullmatch(r"(\*\.)?[a-z0-9.-]+\.[a-z0-9-]+", identifier["value"]):
                raise Refused("rejectedIdentifier", identifier["value"])
            order["authorizations"].append(self._new_authorization(jwk, identifier["value"]))
        self.orders[order["url"]] = order
        return self._show_order(order, 201)

    def _new_authorization(self, jwk, name):
        is_wildcard, number = name.startswith("*."), secrets.token_hex(6)
        url = f"{self.url}/authorization/{number}"
        ways = [way for way in self.ways if way == "dns-01" or not is_wildcard]
        challenges = [{"type": way, "status": "pending", "url": f"{self.url}/challenge/{number}/{way}",
                       "token": encode(secrets.token_bytes(24))} for way in ways]  # fmt: skip
        self.authorizations[url] = {"identifier": {"type": "dns", "value": name.removeprefix("*.")}, "status": "pending",
                                    "account": jwk, "challenges": challenges}  # fmt: skip
        return url

    def _authorization(self, jwk, path, payload):
        authorization = self.authorizations.get(self.url + path)
        if payload or not authorization or authorization["account"] != jwk:
            raise Refused("malformed", "no such authorization")
        return self._json(200, {name: authorization[name] for name in ("identifier", "status", "challenges")})

    def _challenge(self, jwk, path, payload):
        _, _, number, way = path.split("/")
        authorization = self.authorizations.get(f"{self.url}/authorization/{number}")
        if payload != b"{}" or not authorization or authorization["account"] != jwk:
            raise Refused("malformed", "no such challenge, or not taken up with {}")
        challenge = next(one for one in authorization["challenges"] if one["type"] == way)
        challenge["status"] = "processing"
        threading.Thread(target=self._look, args=(authorization, challenge, self.thumbprint(jwk)), daemon=True).start()
        return self._json(200, challenge)

    # ---- looking (8.3, 8.4, RFC 8737) ----

    def _look(self, authorization, challenge, thumbprint):
        name, proof = authorization["identifier"]["value"], f"{challenge['token']}.{thumbprint}"
        look = {"http-01": self._look_http, "tls-alpn-01": self._look_tls, "dns-01": self._look_dns}[challenge["type"]]
        try:
            look(name, challenge["token"], proof)
            fault = None
        except (AssertionError, OSError, ValueError) as failure:
            fault = f"{challenge['type']}: {failure!r}"
        with self.lock:
            self.looked.append((challenge["type"], name, fault))
            challenge["status"] = authorization["status"] = "invalid" if fault else "valid"
            if fault:
                challenge["error"] = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": fault}

    def _address(self, name):
        end = time.monotonic() + 60
        while getattr(self, name) is None:
            assert time.monotonic() < end, "nobody said where to look"
            time.sleep(0.01)
        return getattr(self, name)

    def _look_http(self, name, token, proof):
        response = http_raw.request(self._address("http_address"), target=f"/.well-known/acme-challenge/{token}", host=name)
        assert response.status == 200, response.status
        assert response.body.decode().rstrip() == proof, response.body

    def _look_tls(self, name, token, proof):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["acme-tls/1"])
        with socket.create_connection(self._address("tls_address"), 30) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
            assert tls.selected_alpn_protocol() == "acme-tls/1"
            certificate = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
            assert tls.recv(1) == b"", "it was not closed behind the handshake (RFC 8737 3)"
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert list(names) == [x509.DNSName(name)], names
        extension = certificate.extensions.get_extension_for_oid(ALPN_EXTENSION)
        assert extension.critical and extension.value.value == b"\x04\x20" + hashlib.sha256(proof.encode()).digest()
        assert certificate.issuer == certificate.subject

    def _look_dns(self, name, token, proof):
        found = self.txt.get(f"_acme-challenge.{name}", [])
        assert encode(hashlib.sha256(proof.encode()).digest()) in found, found

    # ---- certificates ----

    def _sign(self, subject, key, names, is_authority=False):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key)
                   .serial_number(x509.random_serial_number()).not_valid_before(now)
                   .not_valid_after(now + datetime.timedelta(seconds=86400 * 3650 if is_authority else self.life_s))
                   .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True))  # fmt: skip
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        return builder.sign(self.signing_key, hashes.SHA256())

    def _finalize(self, jwk, path, payload):
        number = path.split("/")[2]
        order = self.orders.get(f"{self.url}/order/{number}")
        if not order or order["account"] != jwk or order["status"] != "ready":
            raise Refused("orderNotReady", "it is not", 403)
        request = x509.load_der_x509_csr(decode(json.loads(payload)["csr"]))
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
        if not request.is_signature_valid or sorted(names) != sorted(one["value"] for one in order["identifiers"]):
            raise Refused("badCSR", str(names))
        if encode(request.public_key().public_numbers().x.to_bytes(32, "big")) == jwk["x"]:
            raise Refused("badCSR", "the account's key (11.1)")
        certificate = self._sign(x509.Name([]), request.public_key(), names)
        chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (certificate, self.root))
        order["status"], order["certificate"] = "processing", None
        self.certificates[number] = chain

        def finish():
            with self.lock:
                order["status"], order["certificate"] = "valid", f"{self.url}/certificate/{number}"

        threading.Timer(0.2, finish).start()
        return self._show_order(order)

    def _certificate(self, jwk, path, payload):
        if payload:
            raise Refused("malformed", "not asked for with an empty payload")
        return 200, {"Content-Type": "application/pem-certificate-chain"}, self.certificates[path.split("/")[2]]
