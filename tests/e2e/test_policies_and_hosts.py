"""Each rule for visitors, on every stack, against every way around it that we know. A rule's tunnel is visited by somebody whom it does not
let in; whatever he sends, nothing of it may reach the service. Then by somebody whom it lets in, or the table would pass with a dead tunnel."""

import base64
import urllib.parse

import pytest

import backends
import http_raw
from auth_services import SESSION, OAuth2Proxy
from test_auth import PROTECTED, token
from test_visitor_webhook import SECRET, generic

pytestmark = [pytest.mark.protocols("v1" if backends.STACK == "aws" else "v2"), pytest.mark.timeout(300)]

LOGIN = ("Authorization", "Basic " + base64.b64encode(b"ann:secret-12").decode())
WORD = "correct-horse"
FORM = ("Content-Type", "application/x-www-form-urlencoded")


# ---- rules: how a tunnel gets one, and what lets in ----


class Rule:
    """`options` of ttf, `env` of the gateway; `key(scene)`: (method, target, headers, body) of somebody who is let in, or None: nobody."""

    def __init__(self, *options, env=None, key=None):
        self.options, self.env, self.key = options, env or {}, key


def cookie_of_share(scene):
    secret = scene.ttf.wait_line(r"tunnel-token=(\S+)")[1]
    return "GET", "/open", [("Cookie", f"x-tunnel-share={secret}")], None


def cookie_of_password(scene):
    body = urllib.parse.urlencode({"to": "/", "password": WORD})
    led = http_raw.request(scene.gateway.address, "POST", "/.tunnel/login", scene.ttf.host, [FORM], body)
    assert led.status == 303, led
    return "GET", "/open", [("Cookie", led.header("set-cookie").split(";")[0])], None


def fixed(*headers, method="GET", target="/open", body=None):
    return lambda scene: (method, target, list(headers), body)


RULES = {
    "basic": Rule("--basic-auth", "ann:secret-12", key=fixed(LOGIN)),
    "share": Rule("--share", "2h", key=cookie_of_share),
    "password": Rule("--password", WORD, key=cookie_of_password),
    "private": Rule("--private", env=PROTECTED, key=lambda scene: ("GET", "/open", [("Authorization", f"Bearer {token('bob')}")], None)),
    "webhook": Rule("--verify-webhook", "generic-hmac", "--webhook-secret", SECRET, key=fixed(*generic(b"x", 0, ""), method="POST", body=b"x")),
    "allow-ip": Rule("--allow-ip", "192.0.2.0/24,2001:db8::/32"),
    "deny-ip": Rule("--deny-ip", "127.0.0.0/8,::1"),
    "forward-auth": Rule(env={"FORWARD_AUTH": "its URL"}, key=fixed(("Cookie", f"_oauth2_proxy={SESSION}"))),
    "the gateway's own": Rule(env={"VISITOR_POLICY": "allow-ip=192.0.2.0/24"}),
}


class Scene:
    def __init__(self, start, rule, tmp_path):
        env, options = dict(rule.env), list(rule.options)
        if "FORWARD_AUTH" in env:
            self.oauth = OAuth2Proxy(start)
            env["FORWARD_AUTH"] = self.oauth.url()
        if "REQUIRE_AUTH" in env:
            (tmp_path / "token").write_text(token(lifetime=600))
            options += ["--token-file", tmp_path / "token"]
        self.service, self.gateway = start.service(), start.gateway(env=env)
        self.ttf = start.forwarder(self.gateway, self.service, *options)
        self.start, self.options, self.rule = start, options, rule
        self.id, self.host = self.ttf.tunnel_id, self.ttf.host
        self.domain = self.host.partition(".")[2]

    def key(self):
        return self.rule.key(self)

    def another(self):
        """Likewise, of another tunnel with the same rule here: what opens that one."""
        other = Scene.__new__(Scene)
        other.__dict__.update(self.__dict__)
        other.ttf = self.start.forwarder(self.gateway, self.service, *self.options)
        return other

    def send(self, data, answers=1):
        """The last of so many answers, or None: nobody leaves before he is answered, or it would be told as refused what is only slow."""
        method, answer = data.partition(b" ")[0].decode(), None
        with http_raw.Connection(self.gateway.address, 60) as connection:
            try:
                connection.send(data)
                while answers:
                    answer = connection.read_response(method)
                    answers -= answer.status != 100
            except (ConnectionError, http_raw.Cut, http_raw.Malformed):
                pass
        return answer


# ---- attempts: bytes of somebody who is not let in ----

OFFER = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
ADDRESSES = ["127.0.0.1", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "192.0.2.1, 127.0.0.1", "unknown"]
SAYING = ["X-Forwarded-For", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "Forwarded", "X-Client-IP", "X_Forwarded_For", "X-Forwarded-For "]
CLAIMS = [
    "x-tunnel-let-in: 1", "x-tunnel-let-in: true", "x-tunnel-hop: 1", "x-tunnel-policy: ", "x-tunnel-epoch: 1", "x-tunnel-skip-page: 1", "x-tunnel-id: other",
    "X-Forwarded-Host: localhost", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /x", "X-Original-URL: /open", "X-Rewrite-URL: /open",
    "X-HTTP-Method-Override: OPTIONS", "Remote-User: ann", "X-Auth-Request-User: ann", "REMOTE_USER: ann", "X-Forwarded-User: ann",
    "Authorization: Basic Og==", "Authorization: Basic YW5uOg==", "Authorization: Basic", "Authorization: ", "Authorization: Bearer ", "Authorization: Digest x",
    "Proxy-Authorization: Basic YW5uOnNlY3JldC0xMg==", "Connection: cookie, authorization, x-forwarded-for", "Connection: close, x-tunnel-let-in",
    "Cookie: x-tunnel-share=", "Cookie: x-tunnel-login=1", "Cookie: x-tunnel-token=x", "Cookie: x-tunnel-seen=1", "Cookie: _oauth2_proxy=", "Cookie: x-tunnel-share=1.1.1",
    "X-Signature: ", "X-Signature: sha256=", "X-Hub-Signature-256: sha256=00", "Expect: 100-continue", "Referer: http://localhost/.tunnel/login", "Accept: text/html",
    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document", "Origin: http://localhost", "Range: bytes=0-1", "If-None-Match: *", "Via: 1.1 gateway",
]  # fmt: skip
TARGETS = [
    "/", "/open", "//", "///open", "/..", "/../", "/%2e%2e/", "/%252e%252e/open", "/.", "/%2f", "/%00", "/\\open", "/?x=1", "/?tunnel-token=", "/?tunnel-token=1.1.x",
    "/?tunnel-token=x&tunnel-token=y", "/.tunnel/", "/.tunnel/../open", "/.tunnel/login/../../open", "/.tunnel/login/", "/.tunnel/login%2f..%2fopen", "/.TUNNEL/login",
    "/.tunnel//login", "/.tunnel/%6cogin", "/.tunnel/visit", "/.well-known/acme-challenge/x", "/favicon.ico", "/robots.txt", "/healthz", "/metrics", "/open#x",
]  # fmt: skip
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "TRACE", "get", "CONNECT", "X"]


def head(method, target, host, *lines, version="HTTP/1.1"):
    fields = "".join(line + "\r\n" for line in lines)
    return f"{method} {target} {version}\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n".encode("latin-1")


def by_its_host(scene):
    for method in METHODS:
        yield head(method, "/open", scene.host)
    for target in TARGETS:
        yield head("GET", target, scene.host)
    for claim in CLAIMS:
        yield head("GET", "/open", scene.host, claim)
    for field in SAYING:
        for address in ADDRESSES:
            yield head("GET", "/", scene.host, f"{field}: {'for=' if field == 'Forwarded' else ''}{address}")
    yield head("GET", "/", scene.host, "Cookie: a=b", "Cookie: x-tunnel-login=x; x-tunnel-share=y")


def by_other_spellings_of_the_host(scene):
    name, _, port = scene.host.partition(":")
    for host in (name, name.upper() + ":" + port, name + ".:" + port, name + ".", f" {scene.host}", f"{scene.host}:80", f"x.{scene.host}", f"{name}:1"):
        yield head("GET", "/open", host)
    yield f"GET http://{scene.host}/open HTTP/1.1\r\nHost: {scene.domain}\r\nConnection: close\r\n\r\n".encode()
    yield f"GET http://{scene.domain}/open HTTP/1.1\r\nHost: {scene.host}\r\nConnection: close\r\n\r\n".encode()
    yield f"GET http://{scene.domain}/{scene.id}/open HTTP/1.1\r\nHost: {scene.host}\r\nConnection: close\r\n\r\n".encode()
    yield f"GET http://ann:secret-12@{scene.host}/open HTTP/1.1\r\nHost: {scene.host}\r\nConnection: close\r\n\r\n".encode()
    yield f"GET /open HTTP/1.1\r\nHost: {scene.domain}\r\nHost: {scene.host}\r\nConnection: close\r\n\r\n".encode()
    yield f"OPTIONS * HTTP/1.1\r\nHost: {scene.host}\r\nConnection: close\r\n\r\n".encode()


def by_older_and_newer_protocols(scene):
    yield head("GET", "/open", scene.host, version="HTTP/1.0")
    yield f"GET /open HTTP/1.0\r\nHost: {scene.host}\r\n\r\n".encode()
    yield b"GET /open\r\n\r\n"
    yield f"GET /open HTTP/1.1\r\nHost: {scene.host}\r\n{OFFER}\r\n".encode()
    yield f"POST /open HTTP/1.1\r\nHost: {scene.host}\r\n{OFFER}Content-Length: 0\r\n\r\n".encode()
    yield f"GET /open HTTP/1.1\r\nHost: {scene.host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n".encode()
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def with_bodies(scene):
    body = f"to=/open&password=wrong-password&tunnel-token=x&_method=GET&cookie={'x' * 2000}".encode()
    for target in ("/open", "/.tunnel/login", "/.tunnel/visit"):
        yield head("POST", target, scene.host, f"Content-Length: {len(body)}", "Content-Type: application/x-www-form-urlencoded") + body
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        yield head("POST", target, scene.host, "Transfer-Encoding: chunked") + chunk
        yield head("GET", target, scene.host, "Content-Length: 3") + b"x=y"
    yield head("POST", "/open", scene.host, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\nGET /open HTTP/1.1\r\n"


def by_path(scene):
    """As above with the tunnel's id in the path."""
    prefix = f"/{scene.id}"
    for path in (prefix, f"{prefix}/", f"{prefix}/open", f"/{prefix}/open", f"/.{prefix}/open", f"/x/..{prefix}/open", f"/%2e{prefix}/open", f"{prefix}%2fopen", f"{prefix}//open",
                 f"{prefix}/../{scene.id}/open", f"{prefix}/.tunnel/../open", f"{prefix.upper()}/open", f"/%{ord(scene.id[0]):x}{scene.id[1:]}/open", f"{prefix};x/open"):  # fmt: skip
        yield head("GET", path, scene.domain)
        yield head("GET", path, scene.domain, version="HTTP/1.0")
    for claim in CLAIMS:
        yield head("GET", f"{prefix}/open", scene.domain, claim)
    for method in METHODS:
        yield head(method, f"{prefix}/open", scene.domain)
    yield f"GET http://{scene.domain}{prefix}/open HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n".encode()
    yield f"GET {prefix}/open HTTP/1.1\r\nHost: {scene.domain}\r\n{OFFER}\r\n".encode()


def by_strays(scene):
    """Requests that miss the prefix, and are known by where they come from."""
    prefix = f"/{scene.id}"
    for came in (f"Referer: http://{scene.domain}{prefix}/", f"Referer: http://{scene.domain}{prefix}/x?y", f"Cookie: x-tunnel-page={scene.id}", f"Cookie: x-tunnel-id={scene.id}"):
        for method in ("GET", "POST", "OPTIONS"):
            for mode in ("navigate", "cors", "no-cors", "websocket"):
                yield head(method, "/open", scene.domain, came, f"Sec-Fetch-Mode: {mode}", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Dest: empty")


def with_keys_of_another_tunnel(scene):
    if scene.rule.key and set(scene.rule.options) & {"--share", "--password"}:
        _, _, headers, _ = scene.another().key()
        stolen = [f"{name}: {value}" for name, value in headers]
        secret = headers[0][1].partition("=")[2]
        for host, prefix in ((scene.host, ""), (scene.domain, f"/{scene.id}")):
            yield head("GET", f"{prefix}/open", host, *stolen)
            yield head("GET", f"{prefix}/open?tunnel-token={secret}", host)
            yield head("GET", f"{prefix}/open", host, f"Cookie: x-tunnel-share={secret}; x-tunnel-login={secret}; x-tunnel-token={secret}")


ATTEMPTS = [by_its_host, by_other_spellings_of_the_host, by_older_and_newer_protocols, with_bodies, by_path, by_strays, with_keys_of_another_tunnel]


def behind_a_request_that_is_let_in(scene):
    """On one connection: what opens the tunnel is nothing to the request behind it."""
    method, target, headers, body = scene.key()
    for behind in (head("GET", "/behind", scene.host), f"GET /behind HTTP/1.0\r\nHost: {scene.host}\r\n\r\n".encode()):
        scene.send(http_raw.build(method, target, scene.host, headers, body) + behind, answers=2)
        assert [request.target for request in scene.service.requests] == [target]
        scene.service.reset()


def at_other_doors(scene):
    """The ports of agents, peers and the admin: nobody is served a tunnel's page there."""
    for address in {scene.gateway.agents, scene.gateway.admin}:
        for data in (head("GET", "/open", scene.host), head("GET", f"/{scene.id}/open", scene.domain), head("POST", "/open", scene.host, "x-tunnel-let-in: 1")):
            with http_raw.Connection(address) as connection:
                connection.send(data)
                connection.read_until_close(30)


@pytest.mark.parametrize("name", RULES)
def test_nobody_else_comes_in(start, tmp_path, name):
    scene = Scene(start, RULES[name], tmp_path)
    if scene.rule.key:
        behind_a_request_that_is_let_in(scene)
    for attempt in ATTEMPTS:
        for data in attempt(scene):
            answer = scene.send(data)
            if scene.service.requests:
                pytest.fail(f"{attempt.__name__}: {data!r} reached the service as {scene.service.requests[-1].__dict__}: {answer}")
            assert answer is None or answer.status >= 300, (data, answer)
    at_other_doors(scene)
    assert scene.service.requests == []
    if scene.rule.key:  # the tunnel is there, after all this; of logins too many were wrong
        method, target, headers, body = scene.key()
        answer = http_raw.request(scene.gateway.address, method, target, scene.host, headers, body)
        assert (answer.status, len(scene.service.requests)) in ((200, 1), (429, 0)), answer


# ---- rules of what may be asked for ----

DENIED = [
    "/admin", "/admin/", "/admin/x", "/admin?x", "/admin;x=y", "/admin;/x", "//admin", "/./admin", "/x/../admin", "/x/%2e%2e/admin", "/x/..%2fadmin", "/x/..%252fadmin",
    "/x/..;/admin", "/x/..;a=b/admin", "/x/.%2e/admin", "/%61dmin", "/%2561dmin", "/%252561dmin", "/%41DMIN", "/ADMIN", "/Admin/x", "/\\admin", "/x\\..\\admin", "/x%5c..%5cadmin",
    "/admin%2fx", "/admin%3fx", "/admin%23x", "/admin%00", "/admin%00.png", "/admin%20", "/admin%09", "/admin%0a", "/admin.", "/admin.json", "/admin%2e", "/%2fadmin", "/%2e/admin",
    "/admin%3bx", "/admin/../admin", "/x//../admin", "/x/y/../../admin", "/..//admin", "/%252fadmin", "/admin%25", "/admin/%2e%2e/x", "/%c1%a1dmin", "/x/%c0%ae%c0%ae/admin", "/x/%e0%80%ae%e0%80%ae/admin", "/x/..%c0%afadmin",
]  # fmt: skip
NOT_ALLOWED = [
    "/", "/apis", "/API", "/api/../etc", "/api/%2e%2e/etc", "/api/..%2fetc", "/api/..;/etc", "/api%2f..%2fetc", "/api\\..\\etc", "/api/%252e%252e/etc", "/api/%25252e%25252e/etc",
    "/x/../api/../etc", "/api/x/../../etc", "/api/./../etc", "//etc", "/api/..%5cetc", "/api/%c0%ae%c0%ae/../etc", "/api%00/../etc", "/%2e%2e/api/../etc", "/api/..", "/api/../",
    "/x;/api", "/apix/", "/api%2e%2e/etc/..", "/api%3f/../../etc",
]  # fmt: skip
WRONG_METHODS = [
    ("POST", []), ("PUT", []), ("DELETE", []), ("OPTIONS", []), ("PATCH", []), ("PROPFIND", []), ("TRACE", []), ("get", []), ("Get", []), ("GETX", []),
    ("GET", [("X-HTTP-Method-Override", "DELETE")]), ("GET", [("X-HTTP-Method", "PUT")]), ("GET", [("X-Method-Override", "POST")]), ("HEAD", [("x-http-method-override", "delete")]),
    ("GET", [("X-HTTP-Method-Override", "GET"), ("X-HTTP-Method-Override", "DELETE")]), ("GET", [("X-HTTP-Method-Override", "GET, DELETE")]),
]  # fmt: skip
OF_SERVICES = [("--deny-path", "/admin", [("GET", target, []) for target in DENIED], ("GET", "/administrator", [])),
               ("--allow-path", "/api", [("GET", target, []) for target in NOT_ALLOWED], ("GET", "/api/x%20y?z", [])),
               ("--methods", "GET,HEAD", [(method, "/x", headers) for method, headers in WRONG_METHODS], ("GET", "/x", [("X-HTTP-Method-Override", "HEAD")]))]  # fmt: skip


@pytest.mark.parametrize("flag, value, bad, good", OF_SERVICES, ids=[row[0] for row in OF_SERVICES])
@pytest.mark.parametrize("whose", ["owner", "gateway"])
def test_nothing_else_is_asked_for(fresh, flag, value, bad, good, whose):
    policy = {"VISITOR_POLICY": f"{flag[2:]}={value}"} if whose == "gateway" else {}
    stack = fresh(env=policy, ttf_options=() if policy else (flag, value))
    name, domain = stack.ttf.host, stack.ttf.host.partition(".")[2]
    for host, prefix in ((name, ""), (domain, f"/{stack.ttf.tunnel_id}")):
        for method, target, headers in bad:
            stack.request(method, prefix + target, host, headers=headers)
            stack.exchange(http_raw.build(method, prefix + target, host, headers, version="HTTP/1.0").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), method)
            stack.exchange(http_raw.build(method, f"http://{host}{prefix}{target}", "elsewhere.example", [*headers, ("Connection", "close")]), method)
            assert stack.service.requests == [], (host, method, target, headers, stack.service.requests[-1].target)
        assert stack.request(good[0], prefix + good[1], host, headers=good[2]).status == 200
        stack.service.reset()


def test_the_table_is_as_large_as_it_says():
    """In docs/SECURITY.md: attempts for each rule, and in all."""
    scene = type("", (), {"host": "abcdefghijkl.localhost:8080", "domain": "localhost:8080", "id": "abcdefghijkl", "rule": Rule()})
    each = sum(len(list(attempt(scene))) for attempt in ATTEMPTS)
    of_services = sum(len(row[2]) * 6 * 2 for row in OF_SERVICES)
    assert each >= 250 and each * len(RULES) + of_services >= 3000, (each, of_services)
