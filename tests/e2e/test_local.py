"""How ttf speaks to the local service: the Host it says, TLS, unix sockets, kept connections."""

import contextlib
import socket
import time

import pytest

import http_raw
from programs import free_port
from service import Gate, Response

pytestmark = pytest.mark.protocols("v1", "v2")


@pytest.fixture
def local(start):
    """local(*options): (service, gateway, ttf) with ttf started so. `gateway`: options of that one."""

    def make(*options, service=None, gateway=()):
        service = service or start.service()
        gateway = start.gateway(*gateway)
        return service, gateway, start.forwarder(gateway, service, *options)

    return make


def seen(service, gateway, host, headers=()):
    response = http_raw.request(gateway.address, target="/seen", host=host, headers=headers)
    assert response.status == 200, response
    return service.seen("/seen")[-1]


@pytest.mark.parametrize("options", [(), ("--host-header", "preserve")])
def test_host_is_the_visitors(local, options):
    service, gateway, ttf = local(*options)
    request = seen(service, gateway, ttf.host, [("Origin", f"http://{ttf.host}"), ("Referer", f"http://{ttf.host}/a?b")])
    assert request.all("host") == [ttf.host]
    assert request.all("origin") == [f"http://{ttf.host}"]
    assert request.all("referer") == [f"http://{ttf.host}/a?b"]


def test_host_is_the_services_own(local):
    service, gateway, ttf = local("--host-header", "rewrite")
    own = f"localhost:{service.port}"
    request = seen(service, gateway, ttf.host, [("Origin", f"http://{ttf.host}"), ("Referer", f"http://{ttf.host}/a?b=http://{ttf.host}/")])
    assert request.all("host") == [own]
    assert request.all("origin") == [f"http://{own}"]
    assert request.all("referer") == [f"http://{own}/a?b=http://{ttf.host}/"]
    assert request.all("x-forwarded-host") == [own]
    assert request.all("x-forwarded-proto") == ["http"]


def test_one_view_of_hosts_with_rewrite(local):
    """A gateway behind a proxy that does TLS; the visitor copies a file by WebDAV."""
    service, gateway, ttf = local("--host-header", "rewrite", gateway=("--trusted-proxies", "127.0.0.1"))
    own = f"localhost:{service.port}"
    headers = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"), ("Destination", f"https://{ttf.host}/b"),
               ("Origin", f"https://{ttf.host}")]  # fmt: skip
    request = seen(service, gateway, ttf.host, headers)
    for name, value in {"host": own, "origin": f"http://{own}", "destination": f"http://{own}/b", "x-forwarded-host": own,
                        "x-forwarded-proto": "http"}.items():  # fmt: skip
        assert request.all(name) == [value], name
    assert not request.all("x-forwarded-port") and request.all("x-forwarded-for")


@pytest.mark.parametrize("options", [("--host-header", "rewrite"), ()])
def test_the_local_name_does_not_leak(local, options):
    """A service makes its URLs of the Host that it sees, and nginx of its own port."""
    service, gateway, ttf = local(*options)

    def redirect(request):
        host = request.header("host")
        name = host.partition(":")[0]
        return Response(
            status=302,
            headers=[
                ("Location", f"http://{host}/login"),
                ("Content-Location", f"http://{name}:{service.port}/dir/"),
                ("Link", f"<http://{host}/next>; rel=next"),
                ("Refresh", f"1; url=http://{host}/"),
                ("Access-Control-Allow-Origin", f"http://{host}"),
                ("Content-Security-Policy", f"connect-src ws://{host}"),
                ("Set-Cookie", f"a=b; Domain={name}"),
                ("Set-Cookie", "c=d; Domain=other.test"),
                ("X-Url", f"http://localhost:{service.port + 1}/"),
            ],
        )

    service.on("/", redirect)
    response = http_raw.request(gateway.address, host=ttf.host)
    name = ttf.host.partition(":")[0]
    for field, value in {
        "location": f"http://{ttf.host}/login",
        "content-location": f"http://{ttf.host}/dir/",
        "link": f"<http://{ttf.host}/next>; rel=next",
        "refresh": f"1; url=http://{ttf.host}/",
        "access-control-allow-origin": f"http://{ttf.host}",
        "content-security-policy": f"connect-src ws://{ttf.host}",
    }.items():
        assert response.header(field) == value, (field, response)
    assert response.all("set-cookie") == [f"a=b; Domain={name}", "c=d; Domain=other.test"]


def test_a_redirect_to_another_port_stays(local):
    service, gateway, ttf = local("--host-header", "rewrite")
    url = f"http://localhost:{service.port + 1}/login"
    service.answer("/", status=302, headers=[("Location", url)])
    assert http_raw.request(gateway.address, host=ttf.host).header("location") == url


def test_foreign_origins_are_left_alone(local):
    """What is not of the visitor's own origin stays what it is: a service's check of it must still hold."""
    service, gateway, ttf = local("--host-header", "rewrite")
    for value in ("http://evil.example", "null", f"http://{ttf.host}.evil.example", f"http://x{ttf.host}", f"http://{ttf.tunnel_id}.localhost.:1"):
        request = seen(service, gateway, ttf.host, [("Origin", value), ("Referer", value + "/x")])
        assert request.all("origin") == [value]
        assert request.all("referer") == [value + "/x"]


def test_rewrite_with_a_host_of_its_own(start):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service, "--host", "localhost", "--host-header", "rewrite")
    assert seen(service, gateway, ttf.host).all("host") == [f"localhost:{service.port}"]


@pytest.fixture
def on_ipv6(start):
    """(a service on ::1, a socket): that holds its port on 127.0.0.1, where another test's server may get it otherwise."""
    with contextlib.ExitStack() as kept:
        while True:
            service, held = start.service(address="::1"), kept.enter_context(socket.socket())
            try:
                held.bind(("127.0.0.1", service.port))
            except OSError:
                continue
            yield service, held
            return


@pytest.mark.parametrize("options", [(), ("--host", "[::1]"), ("--host", "::1"), ("--host", "localhost")])
def test_a_service_on_ipv6_alone(local, on_ipv6, options):
    """What Node since 17 makes of "localhost"."""
    service, gateway, ttf = local(*options, service=on_ipv6[0])
    for _ in range(3):
        assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_a_service_that_moves_to_the_other_family(local, start, on_ipv6):
    """What answered last is tried first, and the other one when that is refused."""
    service, gateway, ttf = local(service=on_ipv6[0])
    assert http_raw.request(gateway.address, "POST", target="/", host=ttf.host, body=b"x").status == 200
    service.go_away()
    on_ipv6[1].close()
    second = start.service(service.port)
    end = time.monotonic() + 60
    while http_raw.request(gateway.address, "POST", target="/", host=ttf.host, body=b"x").status != 200:
        assert time.monotonic() < end
    assert second.seen("/")


def test_host_is_a_fixed_value(local):
    service, gateway, ttf = local("--host-header", "app.test:1234")
    request = seen(service, gateway, ttf.host, [("Origin", f"http://{ttf.host}"), ("Referer", "http://evil.example/")])
    assert request.all("host") == ["app.test:1234"]
    assert request.all("origin") == ["http://app.test:1234"]
    assert request.all("referer") == ["http://evil.example/"]


@pytest.mark.parametrize("value", ["", "a b", "a\r\nx: y", "a\tb"])
def test_bad_host_values_are_refused(start, value):
    ttf = start.forwarder("ws://127.0.0.1:1", 1, "--host-header", value, wait=False)
    ttf.expect_killed = True
    assert ttf.wait_exit() not in (0, None)
    assert any("host-header" in line for line in ttf.err), ttf.dump()


HINTS = [
    (403, 'Blocked request. This host ("x.localhost") is not allowed.\nTo allow this host, add it to `server.allowedHosts`.'),
    (403, "Invalid Host header"),
    (400, "Invalid HTTP_HOST header: 'x.localhost'. You may need to add 'x.localhost' to ALLOWED_HOSTS."),
    (403, "<h1>Blocked hosts: x.localhost</h1>"),
]


@pytest.mark.parametrize("status,text", HINTS)
def test_hint_for_a_service_that_refuses_the_host(local, status, text):
    service, gateway, ttf = local()
    service.answer("/", status=status, body=text)
    for _ in range(3):
        response = http_raw.request(gateway.address, host=ttf.host)
        assert (response.status, response.body.decode()) == (status, text)
    end = time.monotonic() + 60
    while not (hints := [line for line in ttf.out + ttf.err if "--host-header" in line]) and time.monotonic() < end:
        time.sleep(0.02)
    assert len(hints) == 1, ttf.dump()


RAILS = "<style>" + "x" * 9000 + "</style><h1>Blocked hosts: x.localhost</h1>"
MORE_HINTS = [
    (403, RAILS),
    (403, "Unauthorized"),
    (403, "<p>CSRF verification failed. Request aborted.</p>"),
    (403, "Blocking request with non-local 'Host' x"),
]


def hints_of(ttf, seconds=10):
    end = time.monotonic() + seconds
    while not (hints := [line for line in ttf.out + ttf.err if "Hint:" in line]) and time.monotonic() < end:
        time.sleep(0.02)
    return hints


@pytest.mark.parametrize("status,text", MORE_HINTS)
def test_hints_by_text(local, status, text):
    service, gateway, ttf = local()
    service.answer("/", status=status, body=text)
    assert http_raw.request(gateway.address, "POST", host=ttf.host, body=b"x").status == status
    assert "--host-header rewrite" in hints_of(ttf)[0]
    assert len(service.seen("/")) == 1


def by_host(request):
    """A service that knows its own name and says nothing of why it refuses others."""
    own = request.header("host").startswith("localhost:")
    return Response(status=200 if own else 403, body="welcome" if own else "")


def test_hint_by_a_second_try(local):
    """The visitor has his 403; the same GET, once, with the service's own host shows why."""
    service, gateway, ttf = local()
    service.on("/lab", by_host)
    response = http_raw.request(gateway.address, target="/lab?a=1", host=ttf.host, headers=[("Cookie", "a=b"), ("Origin", f"http://{ttf.host}")])
    assert response.status == 403
    assert "--host-header rewrite" in hints_of(ttf)[0]
    first, second = service.seen("/lab")
    assert (second.method, second.target, second.all("cookie")) == ("GET", "/lab?a=1", ["a=b"])
    own = f"localhost:{service.port}"
    assert (second.header("host"), second.header("origin"), first.header("host")) == (own, f"http://{own}", ttf.host)
    assert http_raw.request(gateway.address, target="/lab", host=ttf.host).status == 403
    assert len(service.seen("/lab")) == 3 and len(hints_of(ttf)) == 1


@pytest.mark.parametrize("method,options", [("GET", ("--no-hints",)), ("POST", ()), ("HEAD", ()), ("GET", ("--host-header", "rewrite"))])
def test_no_second_try(local, method, options):
    service, gateway, ttf = local(*options)
    service.answer("/lab", status=403)
    for count in (1, 2):
        assert http_raw.request(gateway.address, method, target="/lab", host=ttf.host).status == 403
        ttf.wait_line(rf"{method} /lab 403", after=0)
        assert http_raw.request(gateway.address, target="/fine", host=ttf.host).status == 200
        assert len(service.seen("/lab")) == count
    assert not hints_of(ttf, 0)


def test_a_second_try_that_is_refused_too_says_nothing(local):
    service, gateway, ttf = local()
    service.answer("/lab", status=403)
    for count in (2, 3, 4):  # once
        assert http_raw.request(gateway.address, target="/lab", host=ttf.host).status == 403
        service.wait_seen("/lab", count)
    assert http_raw.request(gateway.address, target="/fine", host=ttf.host).status == 200
    assert len(service.seen("/lab")) == 4 and not hints_of(ttf, 0)


def test_a_second_try_that_never_ends_holds_nobody_up(local):
    service, gateway, ttf = local()
    gate = Gate()
    service.on("/lab", lambda request: gate(request) if request.header("host").startswith("localhost") else Response(status=403))
    assert http_raw.request(gateway.address, target="/lab", host=ttf.host).status == 403
    gate.wait_arrived()
    assert http_raw.request(gateway.address, target="/fine", host=ttf.host).status == 200
    assert ttf.stop() == 0
    gate.open()


def test_what_is_no_http_is_shown(local):
    service, gateway, ttf = local()
    service.answer("/", raw=b"Unauthorized\x1b[31m", close=True)
    response = http_raw.request(gateway.address, host=ttf.host)
    assert response.status == 502
    ttf.wait_line(r'GET / 502 .*not HTTP/1\.x; it begins with "Unauthorized\\x1b\[31m"\)$')
    assert "--host-header rewrite" in hints_of(ttf)[0]


def test_no_hint_where_it_would_not_help(local):
    service, gateway, ttf = local("--host-header", "rewrite")
    service.answer("/", status=403, body=HINTS[0][1])
    service.answer("/fine", status=200, body=HINTS[0][1])
    http_raw.request(gateway.address, host=ttf.host)
    http_raw.request(gateway.address, target="/fine", host=ttf.host)
    assert not [line for line in ttf.out + ttf.err if "--host-header" in line]


def test_local_https_with_a_self_signed_certificate(local, start, authority):
    service = start.service(tls=authority.other)
    _, gateway, ttf = local("--local-https", service=service)
    response = http_raw.request(gateway.address, "POST", "/tls", ttf.host, body=b"x" * 300_000)
    assert (response.status, response.json()["length"]) == (200, 300_000)
    service.answer("/big", body=b"y" * 1_500_000)
    assert http_raw.request(gateway.address, target="/big", host=ttf.host).body == b"y" * 1_500_000
    for number in range(20):
        assert http_raw.request(gateway.address, target=f"/{number}", host=ttf.host).status == 200


def test_local_https_toward_a_plain_service(local):
    service, gateway, ttf = local("--local-https")
    response = http_raw.request(gateway.address, host=ttf.host)
    assert response.status in (502, 503) and response.error in ("local_service_unavailable", "bad_response"), response
    assert "without --local-https" in hints_of(ttf)[0]


def test_plain_toward_a_tls_service(local, start, authority):
    service = start.service(tls=authority.other)
    _, gateway, ttf = local(service=service)
    response = http_raw.request(gateway.address, host=ttf.host)
    assert response.status in (502, 503) and response.error in ("local_service_unavailable", "bad_response"), response
    assert "with --local-https" in hints_of(ttf)[0]


@pytest.mark.parametrize(
    "answer",
    [
        Response(raw=b"\x15\x03\x01\x00\x02\x02\x16"),
        Response(status=400, body="<center>The plain HTTP request was sent to HTTPS port</center>"),
        Response(raw=b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"),
    ],
)
def test_services_that_want_tls_say_so_each_in_its_way(local, answer):
    service, gateway, ttf = local()
    service.on("/", lambda request: answer)
    for _ in range(2):
        assert http_raw.request(gateway.address, "POST", host=ttf.host).status in (400, 502)
    assert "start ttf with --local-https" in hints_of(ttf)[0] and len(hints_of(ttf)) == 1


@pytest.mark.parametrize("where", [lambda path: (f"--unix={path}",), lambda path: (f"unix:{path}",)])
def test_unix_socket(start, tmp_path, where):
    path = tmp_path / "app.sock"
    service = start.service(unix=path)
    gateway = start.gateway()
    ttf = start.forwarder(gateway, *where(path))
    response = http_raw.request(gateway.address, "POST", "/unix", ttf.host, body=b"hello")
    assert (response.status, response.json()["length"]) == (200, 5)
    assert service.seen("/unix")[0].all("host") == [ttf.host]
    service.stop()
    path.unlink()
    response = http_raw.request(gateway.address, host=ttf.host)
    assert (response.status, response.error) == (503, "local_service_unavailable")


def test_connections_to_the_service_are_kept(local):
    service, gateway, ttf = local()
    for number in range(30):
        assert http_raw.request(gateway.address, target=f"/{number}", host=ttf.host).status == 200
    with service.lock:
        assert len(service.connections) <= 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_service_that_closes_kept_connections(local, method):
    """The usual race: the service closes an idle connection just as it is used again. Nobody notices, and nothing is executed
    twice."""
    service, gateway, ttf = local()
    service.on("/close", lambda request: Response(body="x"))
    for number in range(100):
        response = http_raw.request(gateway.address, method, f"/{number}", ttf.host, body=b"x" if method == "POST" else None)
        assert response.status == 200, (number, response)
        with service.lock:
            connections = list(service.connections)
        for connection in connections:
            try:
                connection.shutdown(2)
            except OSError:
                pass
    for number in range(100):
        assert len(service.seen(f"/{number}")) == 1


def test_service_that_closes_a_kept_connection_upon_a_request(start):
    """It read the request and closed without an answer: a safe method is asked once more on a fresh connection, others get
    502, for they may have been executed."""
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    counts = {}

    def close_on_kept(request):
        counts[request.method] = counts.get(request.method, 0) + 1
        return None if counts[request.method] == 1 else Response(body="second")

    service.on("/again", close_on_kept)
    for method, expected in (("GET", (200, 2)), ("POST", (502, 1))):
        assert http_raw.request(gateway.address, target="/first", host=ttf.host).status == 200
        response = http_raw.request(gateway.address, method, "/again", ttf.host, body=b"x" if method == "POST" else None)
        assert (response.status, counts[method]) == expected, response


def test_service_that_is_not_there(start):
    gateway = start.gateway()
    ttf = start.forwarder(gateway, free_port())
    for method in ("GET", "POST"):
        response = http_raw.request(gateway.address, method, "/", ttf.host, body=b"x")
        assert (response.status, response.error) == (503, "local_service_unavailable")
