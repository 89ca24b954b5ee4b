"""ttf login --oidc: a provider over TLS, written here from OpenID Connect Discovery and RFC 8628 alone, good and bad."""

import json
import signal
import stat
import subprocess
import threading
import time
import urllib.parse

import backends
import http_raw
import pytest
from programs import BIN, free_port
from relay import make_authority, make_certificate
from service import Response
from test_agent_file import home  # noqa: F401  (a fixture)
from test_jwks import P256, key_set
from test_token_command import wait_for

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
pytestmark = pytest.mark.skipif(backends.STACK != "memory", reason="what ttf does is the same on every stack")


class Issuer:
    """`says` changes what it answers at a path: a Response, or members that replace those of its JSON."""

    def __init__(self, start, folder):
        make_authority(folder)
        self.service = start.service(tls=make_certificate(folder, "issuer", "DNS:localhost,IP:127.0.0.1"))
        self.url, self.ca = f"https://localhost:{self.service.port}", folder / "ca.pem"
        self.says, self.life, self.pending = {}, 600, 1
        self.valid, self.used, self.forms = {"first"}, [], []
        self.lock = threading.Lock()
        for path, answer in {"/.well-known/openid-configuration": self.describe, "/device": self.device, "/token": self.token, "/keys": self.keys}.items():
            self.service.on(path, lambda request, path=path, answer=answer: self.answer(path, answer, request))

    def answer(self, path, answer, request):
        said = self.says.get(path, {})
        if isinstance(said, Response):
            return said
        with self.lock:
            status, body = answer(dict(urllib.parse.parse_qsl(request.body.decode())))
        body = {name: value for name, value in {**body, **said}.items() if value is not None}
        return Response(status, body=json.dumps(body))

    def keys(self, form):
        return 200, json.loads(key_set(P256))

    def describe(self, form):
        return 200, {"issuer": self.url, "token_endpoint": self.url + "/token", "device_authorization_endpoint": self.url + "/device"}

    def device(self, form):
        self.forms.append(form)
        return 200, {"device_code": "the device's", "user_code": "WDJB-MJHT", "verification_uri": self.url + "/confirm", "expires_in": 60, "interval": 1}

    def id_token(self):
        return P256.token("ES256", "anna", lifetime=self.life, iss=self.url, aud="ttf", jti=str(len(self.used)) + str(time.time()))

    def token(self, form):
        self.forms.append(form)
        if form.get("grant_type") == DEVICE and self.pending > 0:
            self.pending -= 1
            return 400, {"error": "authorization_pending"}
        if form.get("grant_type") == "refresh_token":
            if form["refresh_token"] not in self.valid:
                return 400, {"error": "invalid_grant", "error_description": "it was used\x1b[31m already"}
            self.used.append(form["refresh_token"])
            self.valid = {f"refresh {len(self.used)} &="}
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": self.id_token(), "refresh_token": next(iter(self.valid))}


@pytest.fixture
def issuer(start, tmp_path):
    return Issuer(start, tmp_path)


@pytest.fixture
def gateway(start, issuer):
    env = {"SSL_CERT_FILE": str(issuer.ca), "JWT_AUDIENCE": "ttf", "JWT_ISSUER": issuer.url, "RECONNECT_GRACE": "1s"}
    made = start.gateway("--require-auth", "--jwks-url", issuer.url + "/keys", env=env)
    made.wait_err("1 keys")
    return made


def login(home, endpoint, issuer, *options):  # noqa: F811
    home.env["SSL_CERT_FILE"] = str(issuer.ca)
    return subprocess.run([BIN / "ttf", "login", endpoint, "--oidc", issuer.url, "--client-id", "ttf", *options], env=home.env, cwd=home.work,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)  # fmt: skip


def test_login_and_use(start, home, issuer, gateway):  # noqa: F811
    """The user is told where and what to type; nothing secret is shown, and all of it is the user's alone."""
    done = login(home, gateway.endpoint, issuer)
    assert done.returncode == 0, done.stderr
    assert f"Open {issuer.url}/confirm" in done.stderr and "WDJB-MJHT" in done.stderr
    assert issuer.forms[0] == {"client_id": "ttf", "scope": "openid offline_access"}
    assert issuer.forms[1] == {"grant_type": DEVICE, "device_code": "the device's", "client_id": "ttf"}
    kept = (home.config / "login.token").read_text().strip()
    for name in ("login.yaml", "login.token", "login.oidc"):
        assert stat.S_IMODE((home.config / name).stat().st_mode) == 0o600
        assert kept not in done.stdout + done.stderr and "first" not in done.stdout + done.stderr
    ttf = home.ttf(str(start.service().port))
    url = ttf.wait_line(r"^Tunnel established: (\S+)$")[1]
    assert http_raw.request(gateway.address, host=url.split("/")[2]).status == 200
    assert not issuer.used, "the token was good for long enough"
    assert ttf.stop(signal.SIGINT) == 0


def test_it_is_renewed_before_it_ends(start, home, issuer, gateway):  # noqa: F811
    """Each refresh token is used once, though two ttfs want it; no request is lost."""
    issuer.life = 10
    assert login(home, gateway.endpoint, issuer).returncode == 0
    service = start.service()
    both = [home.ttf(str(service.port), "-n", name) for name in ("first", "second")]
    for ttf in both:
        ttf.wait_line("^Tunnel established")
    issuer.life = 600
    statuses, end = [], time.monotonic() + 60
    while time.monotonic() < end and not all(any("There is a new token" in line for line in ttf.out) for ttf in both):
        statuses += [http_raw.request(gateway.address, host=f"{name}.localhost").status for name in ("first", "second")]
        time.sleep(0.02)
    assert all(any("There is a new token" in line for line in ttf.out) for ttf in both)
    assert set(statuses) == {200} and len(issuer.used) == len(set(issuer.used)) > 0
    for ttf in both:
        assert ttf.stop(signal.SIGINT) == 0


def run_token(home):  # noqa: F811
    return subprocess.run([BIN / "ttf", "token"], env=home.env, cwd=home.work, capture_output=True, text=True, timeout=60)


def test_a_login_that_is_not_renewed(start, home, issuer):  # noqa: F811
    issuer.life = 2
    assert login(home, "ws://127.0.0.1:1", issuer).returncode == 0
    issuer.valid = set()
    ends = json.loads((home.config / "login.oidc").read_text())["ends"]
    wait_for(lambda: time.time() > ends)
    done = run_token(home)
    assert done.returncode == 1 and not done.stdout
    assert "does not renew the login (invalid_grant: it was used[31m already): ttf login again" in done.stderr


def test_while_the_issuer_is_away_a_good_token_is_used(start, home, issuer):  # noqa: F811
    issuer.life = 60
    assert login(home, "ws://127.0.0.1:1", issuer).returncode == 0
    state = json.loads((home.config / "login.oidc").read_text())
    (home.config / "login.oidc").write_text(json.dumps({**state, "ends": int(time.time()) + 20, "got": 0}))
    issuer.service.go_away()
    done = run_token(home)
    assert done.returncode == 0 and done.stdout.strip() == (home.config / "login.token").read_text().strip()


def is_due(home):  # noqa: F811
    file = home.config / "login.oidc"
    file.write_text(json.dumps({**json.loads(file.read_text()), "ends": int(time.time()), "got": 0}))


def test_it_is_renewed_in_another_folder(home, issuer):  # noqa: F811
    """The file of authorities that was named when the user logged in is found from wherever ttf is started."""
    (home.work / "own.pem").write_bytes(issuer.ca.read_bytes())
    issuer.ca = "/dev/null"
    done = login(home, "ws://127.0.0.1:1", issuer, "--ca-file", "own.pem")
    assert done.returncode == 0, done.stderr
    is_due(home)
    home.work = home.config
    done = run_token(home)
    assert done.returncode == 0 and issuer.used == ["first"], done.stderr


def test_a_token_that_could_not_be_stored(home, issuer):  # noqa: F811
    """The disk is full, say, when it is renewed: the one of before is not given out for it."""
    assert login(home, "ws://127.0.0.1:1", issuer).returncode == 0
    file = home.config / "login.token"
    old, issuer.life = file.read_text(), 700
    is_due(home)
    file.unlink()
    file.mkdir()
    done = run_token(home)
    assert done.returncode == 1 and not done.stdout
    assert "login.token cannot be written" in done.stderr and "login again" not in done.stderr
    file.rmdir()
    file.write_text(old)
    done = run_token(home)
    assert done.returncode == 0 and done.stdout not in ("", old) and len(issuer.used) == 2


def test_no_token_and_no_issuer(home, issuer):  # noqa: F811
    assert login(home, "ws://127.0.0.1:1", issuer).returncode == 0
    (home.config / "login.token").unlink()
    issuer.service.go_away()
    done = run_token(home)
    assert done.returncode == 1 and not done.stdout


def test_another_login_ends_it(start, home, issuer):  # noqa: F811
    assert login(home, "ws://127.0.0.1:1", issuer).returncode == 0
    done = subprocess.run([BIN / "ttf", "login", "ws://127.0.0.1:1"], env=home.env, cwd=home.work, input="plain\n", capture_output=True, text=True, timeout=90)
    assert done.returncode == 0 and not (home.config / "login.oidc").exists()
    assert run_token(home).returncode == 1


WELL_KNOWN = "/.well-known/openid-configuration"
BAD = {
    "it is another's": ({WELL_KNOWN: {"issuer": "https://evil.example"}}, "is another issuer's"),
    "no JSON": ({WELL_KNOWN: Response(body="<html>")}, "is no JSON"),
    "twice the same": ({WELL_KNOWN: Response(body='{"issuer":"a","issuer":"b"}')}, "is no JSON"),
    "an error": ({WELL_KNOWN: Response(500)}, "answers 500"),
    "a redirect": ({WELL_KNOWN: Response(302, headers=[("location", "http://x/")])}, "answers 302"),
    "too much": ({WELL_KNOWN: Response(body=" " * 70000)}, "larger than 64 KiB"),
    "tokens over http": ({WELL_KNOWN: {"token_endpoint": "http://localhost/token"}}, "no https URL as token_endpoint"),
    "no devices": ({WELL_KNOWN: {"device_authorization_endpoint": None}}, "does not offer logins by a code"),
    "a code for terminals": ({"/device": {"user_code": "\x1b[2J"}}, "has no code"),
    "a page over http": ({"/device": {"verification_uri": "http://localhost/"}}, "no https URL to type it at"),
    "an unknown client": ({"/device": Response(401, body='{"error":"invalid_client"}')}, "gives no code: invalid_client"),
    "the user said no": ({"/token": Response(400, body='{"error":"access_denied"}')}, "refuses: access_denied"),
    "no id_token": ({"/token": {"id_token": None}}, "gave no id_token"),
    "an id_token of another": ({"/token": {"id_token": P256.token("ES256", iss="https://evil.example")}}, "of another issuer"),
    "an id_token that is none": ({"/token": {"id_token": "a.b"}}, "of another issuer, or has no end"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_issuers(home, issuer, name):  # noqa: F811
    said, says = BAD[name]
    issuer.says, issuer.pending = said, 0
    done = login(home, "ws://127.0.0.1:1", issuer)
    assert done.returncode == 1 and says in done.stderr, done.stderr
    assert "\x1b" not in done.stderr and not list(home.config.glob("login.*"))


def test_an_issuer_that_does_not_prove_its_name(home, issuer):  # noqa: F811
    issuer.ca = "/dev/null"
    done = login(home, "ws://127.0.0.1:1", issuer)
    assert done.returncode == 1 and "cannot be asked" in done.stderr and not issuer.service.seen()


@pytest.mark.parametrize(
    "options,says",
    [
        (["--oidc", "https://localhost:1"], "--oidc wants --client-id"),
        (["--oidc", "http://localhost:1", "--client-id", "x"], "https URL"),
        (["--oidc", f"https://localhost:{free_port()}", "--client-id", "x"], "cannot be asked"),
    ],
)
def test_bad_options(home, options, says):  # noqa: F811
    done = subprocess.run([BIN / "ttf", "login", "ws://x", *options], env=home.env, cwd=home.work, capture_output=True, text=True, timeout=90)
    assert done.returncode == 1 and says in done.stderr, done.stderr
