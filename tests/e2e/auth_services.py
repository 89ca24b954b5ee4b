"""Services that a gateway asks whether a visitor may come in, which behave as the two do that people use.

`OAuth2Proxy`: `/oauth2/auth` says 202 with X-Auth-Request-* or 401, and `/` (with `--upstream static://202`) leads to the login.
`Authelia`: `/api/authz/forward-auth` (4.38): 200 with Remote-*, 302 to the portal for who takes HTML, else 401; 403 by its rules, which go by
host and path."""

import urllib.parse

from service import Response

SESSION = "opened-by-the-fake"


def cookies(request):
    pairs = (pair.strip().partition("=") for value in request.all("cookie") for pair in value.split(";"))
    return {name: value for name, _, value in pairs}


def wanted(request):
    return "%s://%s%s" % tuple(request.header(f"x-forwarded-{name}", "?") for name in ("proto", "host", "uri"))


class OAuth2Proxy:
    COOKIE = "_oauth2_proxy"

    def __init__(self, start):
        self.service = start.service()
        self.service.on("/oauth2/auth", self.auth)
        self.service.on("/", self.page)
        self.refreshes = False

    def url(self, path="/oauth2/auth"):
        return f"http://127.0.0.1:{self.service.port}{path}"

    @property
    def questions(self):
        return self.service.requests

    def is_in(self, request):
        return cookies(request).get(self.COOKIE) == SESSION

    def welcome(self):
        fields = [("X-Auth-Request-User", "ann"), ("X-Auth-Request-Email", "ann@example.com"), ("X-Other", "1")]
        if self.refreshes:
            fields.append(("Set-Cookie", f"{self.COOKIE}=fresh; Path=/; HttpOnly"))
        return Response(202, fields)

    def auth(self, request):
        return self.welcome() if self.is_in(request) else Response(401, body="Unauthorized")

    def page(self, request):
        if self.is_in(request):
            return self.welcome()
        where = "https://idp.example/authorize?state=" + urllib.parse.quote(wanted(request), safe="")
        return Response(302, [("Location", where), ("Set-Cookie", f"{self.COOKIE}_csrf=abc; Path=/; HttpOnly"), ("X-Internal", "secret")])


class Authelia:
    COOKIE = "authelia_session"

    def __init__(self, start, forbidden=()):
        self.service = start.service()
        self.service.on("/api/authz/forward-auth", self.authz)
        self.forbidden = forbidden

    @property
    def url(self):
        return f"http://127.0.0.1:{self.service.port}/api/authz/forward-auth"

    @property
    def questions(self):
        return self.service.requests

    def authz(self, request):
        if any(request.header(f"x-forwarded-{name}") is None for name in ("method", "proto", "host", "uri", "for")):
            return Response(400)
        if cookies(request).get(self.COOKIE) != SESSION:
            portal = "https://auth.example/?rd=%s&rm=%s" % (urllib.parse.quote(wanted(request), safe=""), request.header("x-forwarded-method"))
            status = 302 if "text/html" in request.header("accept", "") and not request.header("x-requested-with") else 401
            return Response(status, [("Location", portal)], body=f'<a href="{portal}">{status}</a>')
        if any(request.header("x-forwarded-uri").startswith(path) for path in self.forbidden):
            return Response(403, body="403 Forbidden")
        return Response(200, [("Remote-User", "ann"), ("Remote-Groups", "admins,dev"), ("Remote-Name", "Ann"), ("Remote-Email", "ann@example.com")])
