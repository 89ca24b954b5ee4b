"""Which tunnel a request goes to, and what the local service is told about the visitor."""

import pytest

import http_raw
from service import Gate


pytestmark = pytest.mark.protocols("v1", "v2")


def origin(stack, name="localhost"):
    return f"{name}:{stack.gateway.address[1]}"


def test_subdomain(stack):
    response = stack.request(target="/a/../b/./c")
    assert response.status == 200
    assert response.json()["target"] == "/a/../b/./c"
    assert response.header("x-tunnel-routing-mode") == "subdomain"


@pytest.mark.parametrize(
    "host",
    ["{id}.localhost", "{id}.localhost:1", "{ID}.LocalHost:{port}", "{id}.localhost.", "{id}.localhost.:{port}"],
)
def test_subdomain_spellings(stack, host):
    tunnel = stack.ttf.tunnel_id
    host = host.format(id=tunnel, ID=tunnel.upper(), port=stack.gateway.address[1])
    response = stack.request(host=host)
    assert response.status == 200, response
    assert dict(response.json()["headers"])["host"] == host


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "localhost."])
def test_path_mode(stack, name):
    tunnel = stack.ttf.tunnel_id
    for rest, seen in [("/a/b?x=1", "/a/b?x=1"), ("/", "/"), ("", "/"), ("?q", "/?q"), ("//a", "//a"), ("/a%2Fb/./c", "/a%2Fb/./c")]:
        response = stack.request(target=f"/{tunnel}{rest}", host=origin(stack, name))
        if rest in ("", "?q") and response.status in (301, 302, 307, 308):
            assert response.header("location", "").split("?")[0].endswith(f"/{tunnel}/")
            continue
        assert response.status == 200, (rest, response)
        assert response.json()["target"] == seen
        assert response.header("x-tunnel-routing-mode") != "subdomain"
        headers = dict(response.json()["headers"])
        assert headers["x-forwarded-prefix"] == f"/{tunnel}"
        assert headers["x-forwarded-host"] == origin(stack, name)
        assert headers["host"] == origin(stack, name)


ESCAPES = [
    "/..",
    "/../x",
    "/a/../../x",
    "/%2e%2e/x",
    "/%2E./x",
    "/.%2e/x",
    "/..%2fx",
    "/a/..%2F..%2fx",
    "/a%2f..%2f..%2fx",
    "/..%5cx",
    "/..\\x",
    "/./../x",
    "//../../x",
]


@pytest.mark.parametrize("rest", ESCAPES)
def test_path_mode_does_not_climb_above_the_prefix(stack, rest):
    response = stack.request(target=f"/{stack.ttf.tunnel_id}{rest}", host=origin(stack))
    assert (response.status, response.error) == (400, "bad_request"), response
    assert stack.service.seen() == []


def test_dots_that_stay_within_the_prefix(stack):
    for rest in ("/a/../b", "/a/b/../../c", "/...", "/..a", "/a..", "/a?x=../../.."):
        response = stack.request(target=f"/{stack.ttf.tunnel_id}{rest}", host=origin(stack))
        assert response.status == 200, (rest, response)


@pytest.mark.parametrize("host", ["example.com", "evil-localhost", "localhost.example.com", "a.b.localhost", "xlocalhost"])
def test_foreign_host(stack, host):
    response = stack.request(target=f"/{stack.ttf.tunnel_id}/", host=host)
    assert (response.status, response.error) == (421, "unknown_host"), response
    assert b"DOMAIN_NAME" in response.body or b"--domain" in response.body
    assert stack.service.seen() == []


@pytest.mark.parametrize("host", ["aaaaaaaaaaaa.localhost", "some-name.localhost", "-x-.localhost", "x_y.localhost", "ab.localhost"])
def test_unknown_tunnel_by_subdomain(stack, host):
    response = stack.request(host=host)
    assert (response.status, response.error) in [(404, "tunnel_not_found"), (421, "unknown_host")], response
    if host in ("aaaaaaaaaaaa.localhost", "some-name.localhost"):
        assert response.status == 404


@pytest.mark.parametrize("target", ["/", "/aaaaaaaaaaaa/", "/favicon.ico", "/some-name/x", "/UPPERCASE/", "/%61bc/", "/?q=1"])
def test_unknown_tunnel_by_path(stack, target):
    response = stack.request(target=target, host=origin(stack))
    assert (response.status, response.error) == (404, "tunnel_not_found"), response


@pytest.mark.parametrize("target", ["http://{host}/abs?x=1", "HTTP://{host}/abs?x=1"])
def test_absolute_form_replaces_host(stack, target):
    response = stack.exchange(
        f"GET {target.format(host=stack.ttf.host)} HTTP/1.1\r\nHost: example.com\r\n\r\n".encode()
    )
    assert response.status == 200, response
    assert response.json()["target"] == "/abs?x=1"
    assert dict(response.json()["headers"])["host"] == stack.ttf.host


def test_absolute_form_with_a_foreign_authority(stack):
    response = stack.exchange(f"GET http://example.com/ HTTP/1.1\r\nHost: {stack.ttf.host}\r\n\r\n".encode())
    assert (response.status, response.error) == (421, "unknown_host")


def test_asterisk_form(stack):
    response = stack.exchange(f"OPTIONS * HTTP/1.1\r\nHost: {stack.ttf.host}\r\n\r\n".encode())
    assert response.status == 200, response
    assert response.json()["method"] == "OPTIONS"
    assert response.json()["target"] == "*"


def test_forwarded_headers_are_ours(stack):
    response = stack.request(
        headers=[
            ("X-Forwarded-For", "6.6.6.6"),
            ("X-Forwarded-For", "7.7.7.7"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "bank.example"),
            ("X-Forwarded-Prefix", "/admin"),
        ]
    )
    headers = response.json()["headers"]
    values = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    assert values["x-forwarded-for"] == ["127.0.0.1"]
    assert values["x-forwarded-proto"] == ["http"]
    assert values["x-forwarded-host"] == [stack.ttf.host]
    assert "x-forwarded-prefix" not in values


def test_x_tunnel_headers_are_taken_off_both_ways(stack):
    stack.service.answer(
        "/ours", headers=[("X-Tunnel-Error", "agent_lost"), ("X-Tunnel-Id", "x"), ("X-Tunnel-Anything", "1"), ("X-Fine", "1")]
    )
    response = stack.request(
        target="/ours", headers=[("X-Tunnel-Id", "other"), ("X-Tunnel-Epoch", "9"), ("X-TUNNEL-Hop", "1"), ("X-Tunneling", "1")]
    )
    seen = stack.service.seen("/ours")[0]
    assert [n for n, _ in seen.headers if n.startswith("x-tunnel-")] == []
    assert seen.header("x-tunneling") == "1"
    ours = {n.lower() for n, _ in response.headers if n.lower().startswith("x-tunnel-")}
    assert ours <= {"x-tunnel-routing-mode"}, ours
    assert response.error is None
    assert response.header("x-fine") == "1"


def test_hop_by_hop_headers_of_the_request(stack):
    response = stack.request(
        target="/hop",
        headers=[
            ("Connection", "keep-alive, X-Private"),
            ("Connection", "X-Also"),
            ("X-Private", "1"),
            ("X-Also", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("Proxy-Authorization", "Basic Zm9v"),
            ("TE", "trailers"),
            ("Trailer", "X-T"),
            ("X-Kept", "1"),
        ],
    )
    assert response.status == 200
    names = {n for n, _ in stack.service.seen("/hop")[0].headers}
    gone = {"x-private", "x-also", "keep-alive", "proxy-connection", "proxy-authorization", "te", "trailer"}
    assert not names & gone, names
    assert "x-kept" in names


def test_connection_cannot_name_what_matters(stack):
    response = stack.request(
        "POST",
        "/hop",
        headers=[
            ("Connection", "Host, Authorization, Cookie, Content-Type, Content-Length, X-Forwarded-For, X-Forwarded-Host"),
            ("Authorization", "Bearer abc"),
            ("Cookie", "a=1"),
            ("Content-Type", "text/plain"),
        ],
        body=b"hello",
    )
    assert response.status == 200, response
    seen = stack.service.seen("/hop")[0]
    assert seen.header("authorization") == "Bearer abc"
    assert seen.header("cookie") == "a=1"
    assert seen.header("content-type") == "text/plain"
    assert seen.header("x-forwarded-for") == "127.0.0.1"
    assert seen.header("host") == stack.ttf.host
    assert seen.body == b"hello"


def test_hop_by_hop_headers_of_the_answer(stack):
    stack.service.answer(
        "/hop",
        headers=[
            ("Connection", "X-Private"),
            ("X-Private", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Authenticate", "Basic"),
            ("Upgrade", "h2c"),
            ("Trailer", "X-T"),
            ("X-Kept", "1"),
        ],
        body="ok",
    )
    response = stack.request(target="/hop")
    assert response.body == b"ok"
    names = {n.lower() for n, _ in response.headers}
    assert not names & {"x-private", "keep-alive", "proxy-authenticate", "upgrade", "trailer"}, names
    assert "x-kept" in names


def test_own_domain_and_public_url(start):
    """Names shown to people come from --public-url, not from a Host header."""
    service = start.service()
    gateway = start.gateway("--domain", "tunnel.example", "--public-url", "https://tunnel.example")
    ttf = start.forwarder(gateway, service, "-n", "shop")
    assert ttf.url == "https://shop.tunnel.example"
    ask = lambda host, target="/": http_raw.request(gateway.address, target=target, host=host)
    assert ask("shop.tunnel.example").status == 200
    assert ask("shop.tunnel.example:8443").status == 200
    assert ask("tunnel.example", "/shop/x").json()["target"] == "/x"
    assert ask("shop.localhost").status == 421
    assert ask("a.shop.tunnel.example").status == 421


def test_names(start):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service, "-n", "my-app-1")
    assert ttf.host.startswith("my-app-1.localhost:")
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_generated_ids(stack):
    tunnel = stack.ttf.tunnel_id
    assert len(tunnel) == 12 and tunnel.isascii() and tunnel.isalnum() and tunnel == tunnel.lower()


def test_admin(stack):
    for path in ("/healthz", "/readyz"):
        response = http_raw.request(stack.gateway.admin, target=path, host=f"127.0.0.1:{stack.gateway.admin[1]}")
        assert response.status == 200, (path, response)
    response = http_raw.request(stack.gateway.admin, target="/nothing", host="127.0.0.1")
    assert (response.status, response.header("x-content-type-options")) == (404, "nosniff")
    assert response.header("content-security-policy") == "default-src 'none'; frame-ancestors 'none'"


def test_health_by_the_program_itself(start):
    from programs import BIN

    gateway = start.gateway()
    ask = start.program(BIN / "ttf-gateway", "--health", "--admin-listen", f"127.0.0.1:{gateway.admin[1]}")
    assert ask.wait_exit() == 0
    gateway.stop()
    ask = start.program(BIN / "ttf-gateway", "--health", "--admin-listen", f"127.0.0.1:{gateway.admin[1]}")
    ask.expect_killed = True
    assert ask.wait_exit() == 1


def test_forwarded_headers_behind_a_trusted_proxy(start):
    service = start.service()
    gateway = start.gateway("--trusted-proxies", "127.0.0.0/8")
    ttf = start.forwarder(gateway, service)
    headers = [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example")]
    http_raw.request(gateway.address, target="/behind", host=ttf.host, headers=headers)
    seen = service.seen("/behind")[0]
    assert seen.all("x-forwarded-for") == ["203.0.113.7, 127.0.0.1"]
    assert seen.all("x-forwarded-proto") == ["https"]
    assert seen.all("x-forwarded-host") == ["shop.example"]


CLAIMS = ["Forwarded", "X-Real-IP", "X-Forwarded-Port", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Server",
          "X-Forwarded-By", "True-Client-IP", "X-Original-URL", "X-Rewrite-URL", "CF-Connecting-IP"]  # fmt: skip
FOLDED = ["Proxy", "X_Forwarded_For", "X-Forwarded_Proto", "Content_Length", "X_Real_IP", "Transfer_Encoding", "X_Tunnel_Id"]


@pytest.mark.protocols("v1", "v2")
def test_claims_about_the_visitor_do_not_reach_the_service(stack):
    headers = [(name, "203.0.113.99") for name in CLAIMS + FOLDED] + [("X_Plain", "stays"), ("X-Forwarded-For", "203.0.113.99")]
    stack.request(target="/claims", headers=headers)
    seen = stack.service.seen("/claims")[0]
    assert seen.all("x-forwarded-for") == ["127.0.0.1"] and seen.all("x_plain") == ["stays"]
    for name in CLAIMS + FOLDED:
        assert seen.all(name.lower()) == [], name


def test_a_setting_lets_claims_pass(start):
    service = start.service()
    gateway = start.gateway("--pass-fields", "CF-Connecting-IP,x-forwarded-for")
    ttf = start.forwarder(gateway, service)
    headers = [(name, "203.0.113.99") for name in ("CF-Connecting-IP", "X-Real-IP", "X-Forwarded-For")]
    http_raw.request(gateway.address, target="/pass", host=ttf.host, headers=headers)
    seen = service.seen("/pass")[0]
    assert (seen.all("cf-connecting-ip"), seen.all("x-real-ip")) == (["203.0.113.99"], [])
    assert seen.all("x-forwarded-for") == ["127.0.0.1"]


def test_a_trusted_proxy_that_adds_lines(start):
    """HAProxy adds a field of its own behind what the visitor wrote: both are one list, and the last address counts."""
    service = start.service()
    gateway = start.gateway("--trusted-proxies", "127.0.0.0/8,198.51.100.0/24")
    ttf = start.forwarder(gateway, service)

    def ask(target, headers):
        http_raw.request(gateway.address, target=target, host=ttf.host, headers=headers)
        return service.seen(target)[0]

    spoof, true = ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "203.0.113.7")
    seen = ask("/lines", [spoof, true, ("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http"), ("X-Real-IP", "203.0.113.7"),
                          ("X_Forwarded_For", "6.6.6.6"), ("Proxy", "http://evil")])  # fmt: skip
    assert seen.all("x-forwarded-for") == ["6.6.6.6, 203.0.113.7, 127.0.0.1"]
    assert seen.all("x-forwarded-proto") == ["http"] and seen.all("x-real-ip") == ["203.0.113.7"]
    assert not seen.all("x_forwarded_for") and not seen.all("proxy")
    gateway.wait_err(r"access: 203\.0\.113\.7 GET /lines ")
    seen = ask("/hops", [("X-Forwarded-For", "6.6.6.6, [2001:db8::7]:4711, 198.51.100.1"), ("X-Forwarded-Proto", "ftp, https, http")])
    assert seen.all("x-forwarded-proto") == ["https"]
    gateway.wait_err(r"access: 2001:db8::7 GET /hops ")
    ask("/odd", [("X-Forwarded-For", "unknown")])
    gateway.wait_err(r"access: 127\.0\.0\.1 GET /odd ")


def test_caps_count_the_visitor_behind_a_proxy(start):
    gate = Gate()
    service = start.service()
    service.on("/slow", gate)
    gateway = start.gateway("--trusted-proxies", "127.0.0.0/8", "--max-connections-per-address", "2")
    ttf = start.forwarder(gateway, service)
    greedy, other = [("X-Forwarded-For", "203.0.113.7")], [("X-Forwarded-For", "203.0.113.8")]
    held = [http_raw.Connection(gateway.address) for _ in range(2)]
    for connection in held:
        connection.send(http_raw.build("GET", "/slow", ttf.host, greedy))
    gate.wait_arrived(2)
    refused = http_raw.request(gateway.address, host=ttf.host, headers=greedy)
    assert (refused.status, refused.error) == (503, "overloaded")
    assert http_raw.request(gateway.address, host=ttf.host, headers=other).status == 200
    gate.open()
    for connection in held:
        assert connection.read_response().status == 200
        connection.close()
    assert http_raw.request(gateway.address, host=ttf.host, headers=greedy).status == 200


def test_other_names_take_path_mode(start):
    service = start.service()
    gateway = start.gateway("--names", "gate.example,www.gate.example")
    ttf = start.forwarder(gateway, service)
    response = http_raw.request(gateway.address, target=f"/{ttf.tunnel_id}/x", host="www.gate.example")
    assert response.json()["target"] == "/x"
    assert http_raw.request(gateway.address, host=f"{ttf.tunnel_id}.gate.example").status == 421


@pytest.mark.parametrize("options", [("--enable-subdomain-routing", "false"), ("--routing", "path")])
def test_path_mode_alone(start, options):
    service = start.service()
    gateway = start.gateway(*options)
    ttf = start.forwarder(gateway, service, wait=False)
    url = ttf.wait_line(r"Tunnel established: http://localhost:\d+(/\S+)")[1]
    assert http_raw.request(gateway.address, target=url.rstrip("/") + "/x", host="localhost").json()["target"] == "/x"
    tunnel = url.strip("/")
    assert http_raw.request(gateway.address, host=f"{tunnel}.localhost").status == 421


def test_subdomains_alone(start):
    service = start.service()
    gateway = start.gateway("--routing", "subdomain")
    ttf = start.forwarder(gateway, service)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200
    for host in ("localhost", "127.0.0.1"):
        got = http_raw.request(gateway.address, target=f"/{ttf.tunnel_id}/x", host=f"{host}:{gateway.address[1]}")
        assert (got.status, got.error) == (404, "tunnel_not_found")
