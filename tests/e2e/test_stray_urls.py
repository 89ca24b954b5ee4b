"""Path mode: URLs that miss the prefix, as scripts make them, and "/<id>" itself."""

import pytest

import http_raw
from service import Response

pytestmark = pytest.mark.protocols("v1", "v2")

NAVIGATION = [("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
FETCH = [("Accept", "*/*"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")]
NOBODY = "aaaaaaaaaaaa"


def origin(stack):
    return f"localhost:{stack.gateway.address[1]}"


def page(stack, tunnel=None, path="/page?x"):
    return ("Referer", f"http://{origin(stack)}/{tunnel or stack.ttf.tunnel_id}{path}")


def cookie(tunnel):
    return ("Cookie", f"a=b; x-tunnel-path=/{tunnel}; c=d")


def ask(stack, target, *headers, method="GET", **more):
    return stack.request(method, target, host=origin(stack), headers=list(headers), **more)


def another(stack, start, *options):
    """A second tunnel, of a service of its own; its name is a path that applications have."""
    service = start.service()
    return service, start.forwarder(stack.gateway, service, *options)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize("query", ["", "?a=%2F&b"])
def test_without_its_slash(stack, method, query):
    tunnel = stack.ttf.tunnel_id
    got = ask(stack, f"/{tunnel}{query}", method=method)
    assert (got.status, got.header("location")) == (308, f"/{tunnel}/{query}"), got
    assert (got.header("cache-control"), got.body, got.error) == ("no-store", b"", None)
    assert stack.service.seen() == []


def test_without_its_slash_and_nobody_there(stack):
    got = ask(stack, f"/{NOBODY}")
    assert (got.status, got.error) == (404, "tunnel_not_found")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD"])
def test_a_page_asks_for_what_misses_the_prefix(stack, method):
    tunnel = stack.ttf.tunnel_id
    body = b"" if method in ("GET", "HEAD") else b"x" * 70000
    got = ask(stack, "/api/x?y=%2F", page(stack), *FETCH, method=method, body=body)
    assert (got.status, got.header("cache-control"), got.header("x-tunnel-routing-mode")) == (200, "no-store", "path")
    (seen,) = stack.service.seen()
    assert (seen.method, seen.target, seen.body) == (method, "/api/x?y=%2F", body)
    assert seen.all("x-forwarded-prefix") == [f"/{tunnel}"]
    assert seen.all("referer") == [f"http://{origin(stack)}/page?x"]


@pytest.mark.parametrize("target", ["/", "/deep/link?x=1", "/login", "/x.html", "//twice"])
def test_a_navigation_is_redirected(stack, target):
    tunnel = stack.ttf.tunnel_id
    for said in (page(stack), cookie(tunnel)):
        for how in (NAVIGATION, NAVIGATION[:1]):
            got = ask(stack, target, said, *how)
            assert (got.status, got.header("location")) == (307, f"/{tunnel}{target}"), (said, got)
            assert (got.header("cache-control"), got.body) == ("no-store", b"")
    assert stack.service.seen() == []
    posted = ask(stack, target, page(stack), *NAVIGATION, method="POST", body=b"x")
    assert posted.status == 200 and stack.service.seen()[0].target == target


def test_tunnels_never_get_each_others_requests(stack, start):
    """Not even the one that is called like another's path, or was opened last."""
    service, ttf = another(stack, start, "-n", "login")
    for target in ("/login", "/login/", "/login/x", "/x"):
        for method in ("GET", "POST"):
            for more in ([], [cookie("login")]):
                got = ask(stack, target, page(stack), *FETCH, *more, method=method)
                assert got.status == 200 and stack.service.seen()[-1].target == target, (target, got)
    assert service.seen() == []
    assert ask(stack, "/x", page(stack, "login"), *FETCH, cookie(stack.ttf.tunnel_id)).status == 200
    assert ask(stack, "/login/y", *FETCH, cookie(stack.ttf.tunnel_id)).status == 200
    assert ask(stack, f"/{stack.ttf.tunnel_id}/z", page(stack, "login"), *FETCH).status == 200
    assert [seen.target for seen in service.seen()] == ["/x", "/y", f"/{stack.ttf.tunnel_id}/z"]


def test_a_page_sets_a_cookie_and_no_service_sees_it(stack):
    tunnel = stack.ttf.tunnel_id
    first = ask(stack, f"/{tunnel}/", *NAVIGATION)
    (said,) = first.all("set-cookie")
    assert said.startswith(f"x-tunnel-path=/{tunnel}; Path=/; HttpOnly; SameSite=Lax")
    again = ask(stack, f"/{tunnel}/x", ("Cookie", said.partition(";")[0]), *NAVIGATION)
    assert again.all("set-cookie") == [] and stack.service.seen()[-1].all("cookie") == []
    other = ask(stack, f"/{tunnel}/x", cookie(NOBODY), *NAVIGATION)
    assert len(other.all("set-cookie")) == 1 and stack.service.seen()[-1].all("cookie") == ["a=b; c=d"]
    assert ask(stack, "/img/x", cookie(tunnel), *FETCH).status == 200
    seen = stack.service.seen()[-1]
    assert (seen.target, seen.all("cookie")) == ("/img/x", ["a=b; c=d"])


def test_what_sets_no_cookie(stack):
    tunnel = stack.ttf.tunnel_id
    frame = [NAVIGATION[0], NAVIGATION[1], ("Sec-Fetch-Dest", "iframe")]
    for how in (FETCH, [], frame):
        assert ask(stack, f"/{tunnel}/", *how).all("set-cookie") == []
    assert ask(stack, f"/{tunnel}/", *NAVIGATION, method="POST").all("set-cookie") == []
    assert stack.request(headers=NAVIGATION).all("set-cookie") == []


def test_cookies_of_a_service_stay_with_it(stack):
    """Browsers take the directory of the URL where a cookie names no path; here that would be all tunnels'."""
    tunnel = stack.ttf.tunnel_id
    stack.service.on("/in/login", lambda request: Response(headers=[
        ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/x; HttpOnly"), ("Set-Cookie", "c=3; path=x"), ("Set-Cookie", "x-tunnel-path=/x")]))  # fmt: skip
    got = ask(stack, "/in/login", page(stack), *FETCH, method="POST")
    cookies = {value.partition("=")[0]: value for value in got.all("set-cookie")}
    assert cookies["a"] == f"a=1; Path=/{tunnel}/in"
    assert cookies["b"] == f"b=2; Path=/{tunnel}/x; HttpOnly"
    assert cookies["c"].endswith(f"; Path=/{tunnel}/in") and "x-tunnel-path" not in cookies
    assert "a=1" in ask(stack, f"/{tunnel}/in/login").all("set-cookie")


@pytest.mark.parametrize(
    "referer",
    [
        "http://evil.example/{id}/x",
        "http://localhost:1/{id}/x",
        "http://{origin}.evil.example/{id}/x",
        "http://evil@{origin}/{id}/x",
        "http://{origin}/{id}",
        "http://{origin}/{ID}/x",
        "http://{origin}/x/../{id}/x",
        "http://{origin}/%{id}/x",
        "http://{origin}",
        "/{id}/x",
        "{id}",
        "x" * 4000,
    ],
)
def test_a_referer_that_says_nothing(stack, referer):
    tunnel = stack.ttf.tunnel_id
    value = referer.replace("{origin}", origin(stack)).replace("{id}", tunnel).replace("{ID}", tunnel.upper() + "X")
    for target in ("/x.js", "/"):
        got = ask(stack, target, ("Referer", value), *FETCH)
        assert (got.status, got.error) == (404, "tunnel_not_found"), got
    assert stack.service.seen() == []


@pytest.mark.parametrize("value", ["{id}", "/{id}/", "/../{id}", "/{id}x", "", "/", "/ab", "/" + "a" * 64, '"/{id}"', "/{id}, /{id}"])
def test_a_cookie_that_says_nothing(stack, value):
    got = ask(stack, "/x.js", ("Cookie", "x-tunnel-path=" + value.replace("{id}", stack.ttf.tunnel_id)), *FETCH)
    assert (got.status, got.error) == (404, "tunnel_not_found"), got


def test_the_first_that_is_a_tunnels_has_it(stack):
    tunnel = stack.ttf.tunnel_id
    got = ask(stack, "/static/x.png", page(stack, "static"), cookie(tunnel), *FETCH)
    assert got.status == 200 and stack.service.seen()[-1].target == "/static/x.png"
    assert ask(stack, f"/{tunnel}/x", page(stack, "static"), *FETCH).json()["target"] == "/x"
    got = ask(stack, "/static/x.png", page(stack, "static"), cookie(NOBODY), *FETCH)
    assert (got.status, got.error) == (404, "tunnel_not_found")


def test_a_service_worker_stays_within_its_prefix(stack):
    """Its scope would be that of its script: all tunnels'."""
    for field in (("Service-Worker", "script"), ("Sec-Fetch-Dest", "serviceworker")):
        got = ask(stack, "/sw.js", page(stack), cookie(stack.ttf.tunnel_id), field)
        assert (got.status, got.error) == (404, "tunnel_not_found"), got
    assert stack.service.seen() == []


@pytest.mark.parametrize("scope, allowed", [("/", "~/"), ("/app/", "~/app/"), ("../../", "~/"), ("/~/../", "~/"), ("~", "~/"), ("~/x", "~/x")])
def test_scopes_of_service_workers(stack, scope, allowed):
    prefix = f"/{stack.ttf.tunnel_id}"
    stack.service.on("/sw.js", lambda request: Response(headers=[("Service-Worker-Allowed", scope.replace("~", prefix))]))
    assert ask(stack, f"{prefix}/sw.js").header("service-worker-allowed") == allowed.replace("~", prefix)


@pytest.mark.parametrize("target", ["/../x", "/%2e%2e/x", "/a/../../x"])
def test_dots_lead_nowhere(stack, target):
    got = ask(stack, target, page(stack), *FETCH)
    assert (got.status, got.error) == (400, "bad_request"), got


def test_subdomains_never_look(stack):
    got = stack.request(target="/x.js", headers=[page(stack, NOBODY), cookie(NOBODY), *FETCH])
    assert got.status == 200 and got.header("cache-control") is None
    seen = dict(stack.service.seen()[-1].headers)
    assert seen["cookie"] == f"a=b; x-tunnel-path=/{NOBODY}; c=d"
    assert stack.request(host=f"{NOBODY}.{origin(stack)}", headers=[page(stack), cookie(stack.ttf.tunnel_id)]).status == 404


def test_a_tunnel_whose_agent_has_gone(start):
    """It is still the one that is meant: nobody else gets what its pages ask for."""
    gateway = start.gateway("--grace", "300ms")
    service = start.service()
    gone, other = start.forwarder(gateway, service, "-n", "gone"), start.forwarder(gateway, service, "-n", "other")
    gone.stop()
    referer = ("Referer", f"http://localhost:{gateway.address[1]}/gone/")
    got = http_raw.request(gateway.address, target="/other/x", host=f"localhost:{gateway.address[1]}", headers=[referer])
    assert (got.status, got.error) == (502, "agent_offline"), got
    assert other.process.poll() is None and service.seen() == []
