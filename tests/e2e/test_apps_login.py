"""oauth2-proxy itself before all tunnels (--forward-auth), as docs/VISITORS.md says it is run: logins at an OpenID provider (a fake one of
the test's) and by a file of passwords. The test goes where a browser would be led."""

import base64
import hashlib
import json
import secrets
import urllib.parse
from types import SimpleNamespace

import pytest

import backends
import http_raw
from apps import go, serve
from service import Response
from test_jwks import RSA, key_set

pytestmark = [
    pytest.mark.apps,
    pytest.mark.heavy,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(backends.STACK == "aws", reason="what it answers is the same there"),
]

OAUTH2_PROXY = ("github.com/oauth2-proxy/oauth2-proxy/v7", "v7.15.6")
HTML = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]
LOGIN = "login.localhost"


class Provider:
    """Of OpenID: whoever comes is ann. `codes`: what it has given out."""

    def __init__(self, start):
        self.service = start.service()
        self.url, self.codes = f"http://127.0.0.1:{self.service.port}", {"good"}
        self.service.on("/token", self.token)
        self.service.on("/keys", lambda request: Response(headers=[("Content-Type", "application/json")], body=key_set(RSA)))

    def token(self, request):
        code = dict(urllib.parse.parse_qsl(request.body.decode())).get("code")
        if code not in self.codes:
            return Response(400, [("Content-Type", "application/json")], body='{"error":"invalid_grant"}')
        self.codes.discard(code)
        known = RSA.token("RS256", "ann", iss=self.url, aud="tunnels", email="ann@example.com", email_verified=True, preferred_username="ann")
        body = {"access_token": "a", "token_type": "Bearer", "expires_in": 600, "id_token": known}
        return Response(200, [("Content-Type", "application/json")], body=json.dumps(body))


def start_proxy(start, provider, *options):
    command = (
        "--reverse-proxy", "--trusted-proxy-ip", "127.0.0.1", "--upstream", "static://202", "--set-xauthrequest", "--skip-provider-button",
        "--cookie-domain", ".localhost", "--whitelist-domain", ".localhost:*", "--redirect-url", f"http://{LOGIN}/oauth2/callback",
        "--email-domain", "*", "--client-id", "tunnels", "--client-secret", "unused", "--cookie-secret", secrets.token_urlsafe(24),
        # what is not on the web: a provider without TLS and discovery
        "--cookie-secure=false", "--provider", "oidc", "--skip-oidc-discovery", "--oidc-issuer-url", provider.url,
        "--login-url", provider.url + "/authorize", "--redeem-url", provider.url + "/token", "--oidc-jwks-url", provider.url + "/keys",
    )  # fmt: skip
    return serve(start, go(*OAUTH2_PROXY) / "oauth2-proxy", "--http-address", "127.0.0.1:{port}", *command, *options, cwd=start._folder("proxy"))


@pytest.fixture
def guarded(start):
    """make(*options): tunnels behind an oauth2-proxy that has these options, too."""

    def make(*options, path="/"):
        made = SimpleNamespace(provider=Provider(start), service=start.service())
        made.proxy = start_proxy(start, made.provider, *options)
        made.gateway = start.gateway("--forward-auth", f"http://127.0.0.1:{made.proxy}{path}")
        made.ttf = start.forwarder(made.gateway, made.service, "--name", "shop")
        made.visit = lambda *words, **more: http_raw.request(made.gateway.address, *words, host=made.ttf.host, **more)
        made.login = lambda method, target, **more: http_raw.request(("127.0.0.1", made.proxy), method, target, host=LOGIN, **more)
        return made

    return make


def cookies_of(answer):
    """As a browser would send them: without those that are taken back."""
    pairs = [value.split(";")[0] for name, value in answer.headers if name.lower() == "set-cookie"]
    return [("Cookie", "; ".join(pair for pair in pairs if pair.partition("=")[2]))]


def log_in(scene, target="/deep/page?q=1"):
    """The cookies of somebody who was led to the provider, through the login, and back."""
    led = scene.visit("GET", target, headers=HTML)
    where = urllib.parse.urlsplit(led.header("location"))
    asked = dict(urllib.parse.parse_qsl(where.query))
    assert (led.status, f"{where.scheme}://{where.netloc}{where.path}") == (302, scene.provider.url + "/authorize"), led
    assert asked["redirect_uri"] == f"http://{LOGIN}/oauth2/callback"
    scene.provider.codes.add("good")
    back = scene.login("GET", "/oauth2/callback?" + urllib.parse.urlencode({"code": "good", "state": asked["state"]}), headers=cookies_of(led))
    assert (back.status, back.header("location")) == (302, f"http://{scene.ttf.host}{target}"), back
    return cookies_of(back)


def test_a_login_at_an_openid_provider(guarded):
    scene = guarded()
    session = log_in(scene)
    assert scene.service.requests == []
    assert scene.visit("POST", "/deep/page?q=1", headers=[*session, ("X-Auth-Request-Email", "root@example.com")], body=b"abc").status == 200
    (got,) = scene.service.requests
    assert (got.all("x-auth-request-user"), got.all("x-auth-request-email"), got.body) == (["ann"], ["ann@example.com"], b"abc")
    assert got.header("cookie") is None


def test_who_is_no_browser_or_shows_another_session(guarded):
    scene = guarded()
    name, _, value = log_in(scene)[0][1].partition("=")
    plain = scene.visit("GET", "/", headers=[("Accept", "application/json")])
    assert (plain.status, plain.error) == (401, "unauthorized")
    for forged in (value[:-3] + "AAA", "x", "", "x|1|x", value.replace("|", "|9", 1)):
        assert scene.visit("GET", "/", headers=[("Cookie", f"{name}={forged}"), *HTML]).status == 302
    assert scene.service.requests == []


def test_logins_of_a_file(guarded, tmp_path):
    """By a page of its own, at its own name."""
    digest = base64.b64encode(hashlib.sha1(b"correct-horse").digest()).decode()
    (tmp_path / "logins").write_text(f"ann:{{SHA}}{digest}\n")
    scene = guarded("--htpasswd-file", tmp_path / "logins", path="/oauth2/auth")
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    refused = scene.login("POST", "/oauth2/sign_in", headers=form, body=b"username=ann&password=wrong")
    assert "_oauth2_proxy=" not in cookies_of(refused)[0][1]
    led = scene.login("POST", "/oauth2/sign_in", headers=form, body=b"username=ann&password=correct-horse")
    assert led.status == 302, led
    assert (scene.visit().status, scene.visit(headers=cookies_of(led)).status) == (401, 200)
    (got,) = scene.service.requests
    assert got.all("x-auth-request-user") == ["ann"]


def test_it_is_away(guarded, start):
    scene = guarded()
    session = log_in(scene)
    start.programs[0].kill()
    answer = scene.visit(headers=session)
    assert (answer.status, answer.error, scene.service.requests) == (503, "auth_unavailable", [])
