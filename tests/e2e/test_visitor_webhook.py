"""Webhooks whose signature the gateway checks (docs/VISITORS.md), on every stack: what is let through comes as it was sent."""

import base64
import hashlib
import hmac
import time
import urllib.parse

import pytest

import backends
from programs import BIN

pytestmark = pytest.mark.protocols("v2", "v1")

SECRET = "It's a secret to everybody: 100%"
BODY = b'{"action": "opened", "n": "\xc3\xa9"}\n'


def mac(text, algorithm=hashlib.sha256, secret=SECRET):
    return hmac.new(secret.encode(), text, algorithm)


def github(body, now, url):
    return [("X-Hub-Signature-256", "sha256=" + mac(body).hexdigest())]


def stripe(body, now, url):
    return [("Stripe-Signature", f"t={now},v1={mac(b'%d.%b' % (now, body)).hexdigest()},v0=00")]


def slack(body, now, url):
    return [("X-Slack-Signature", "v0=" + mac(b"v0:%d:%b" % (now, body)).hexdigest()), ("X-Slack-Request-Timestamp", str(now))]


def shopify(body, now, url):
    return [("X-Shopify-Hmac-Sha256", base64.b64encode(mac(body).digest()).decode())]


def generic(body, now, url):
    return [("X-Signature", mac(body).hexdigest())]


def twilio(body, now, url):
    pairs = sorted(set(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)))
    text = url + "".join(name + value for name, value in pairs)
    signature = base64.b64encode(mac(text.encode(), hashlib.sha1).digest()).decode()
    return [("X-Twilio-Signature", signature), ("Content-Type", "application/x-www-form-urlencoded")]


SENDERS = {"github": github, "stripe": stripe, "slack": slack, "shopify": shopify, "generic-hmac": generic, "twilio": twilio}
TIMED = ("stripe", "slack")


class Hooked:
    def __init__(self, stack, sender):
        self.stack, self.service, self.sign = stack, stack.service, SENDERS[sender]

    def send(self, body=BODY, fields=None, target="/hook?a=1&b=%20", **more):
        if fields is None:
            fields = self.sign(body, int(time.time()), f"http://{self.stack.ttf.host}{target}")
        return self.stack.request("POST", target, headers=fields, body=body, **more)

    def stays_shut(self, answer):
        assert (answer.status, answer.error) == (401, "bad_signature"), answer
        assert self.service.requests == []


@pytest.fixture
def hooked(fresh, tmp_path):
    def make(sender, *options):
        secret = tmp_path / "secret"
        secret.write_text(SECRET + "\n")
        return Hooked(fresh(ttf_options=("--verify-webhook", sender, "--webhook-secret-file", secret, *options)), sender)

    return make


@pytest.mark.parametrize("sender", SENDERS)
def test_what_is_signed_comes_through(hooked, sender):
    tunnel = hooked(sender)
    body = b"From=%2B15551234&Body=a+b%26c&Body=z&Empty=" if sender == "twilio" else BODY
    fields = tunnel.sign(body, int(time.time()), f"http://{tunnel.stack.ttf.host}/hook")
    tunnel.stays_shut(tunnel.send(body, []))
    tunnel.stays_shut(tunnel.send(body + b"x", fields, "/hook"))
    tunnel.stays_shut(tunnel.send(body, [(fields[0][0], ""), *fields[1:]], "/hook"))
    if backends.STACK != "aws":  # API Gateway makes one field of both, which Stripe's scheme allows
        tunnel.stays_shut(tunnel.send(body, [*fields, fields[0]], "/hook"))
    tunnel.stays_shut(tunnel.send(b"", fields, "/hook"))
    tunnel.stays_shut(tunnel.stack.request(target="/hook"))
    assert tunnel.send(body, fields, "/hook").status == 200
    (seen,) = tunnel.service.requests
    assert (seen.method, seen.target, seen.body) == ("POST", "/hook", body)
    assert seen.header(fields[0][0].lower()) == fields[0][1]  # the service may check it once more


@pytest.mark.parametrize("sender", TIMED)
def test_an_old_one_is_not_sent_again(hooked, sender):
    tunnel = hooked(sender)
    now = int(time.time())
    for age in (-400, 400):
        tunnel.stays_shut(tunnel.send(BODY, tunnel.sign(BODY, now - age, "")))
    for age in (-200, 200):
        assert tunnel.send(BODY, tunnel.sign(BODY, now - age, "")).status == 200


@pytest.mark.parametrize("sender, secret", [("github", "stripe"), ("stripe", "slack")])
def test_one_sender_is_not_another(hooked, sender, secret):
    tunnel = hooked(sender)
    tunnel.stays_shut(tunnel.send(BODY, SENDERS[secret](BODY, int(time.time()), "")))


def test_a_large_one(hooked):
    tunnel = hooked("github")
    body = bytes(range(256)) * 4096  # 1 MiB
    assert tunnel.send(body).status == 200
    assert tunnel.service.requests[0].body == body
    assert tunnel.send(body + b"x").error == "body_too_large"
    assert len(tunnel.service.requests) == 1


def test_without_a_signature_nothing_is_read(hooked):
    tunnel = hooked("github")
    tunnel.stays_shut(tunnel.send(b"x" * 3_000_000, []))


@pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway has the body whole")
def test_a_body_in_pieces_and_one_that_is_waited_for(hooked):
    tunnel = hooked("github")
    signature = tunnel.sign(BODY, 0, "")[0][1]
    head = f"POST /hook HTTP/1.1\r\nHost: {tunnel.stack.ttf.host}\r\nX-Hub-Signature-256: {signature}\r\n"
    with tunnel.stack.connect() as connection:
        connection.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for piece in (BODY[:5], BODY[5:]):
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
        assert connection.read_response("POST").status == 200
        connection.send(f"{head}Expect: 100-continue\r\nContent-Length: {len(BODY)}\r\n\r\n".encode())
        assert connection.read_response("POST").status == 100
        connection.send(BODY)
        assert connection.read_response("POST").status == 200
        connection.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        try:
            connection.send(b"100001\r\n" + b"x" * 0x100001 + b"\r\n0\r\n\r\n")
        except ConnectionError:
            pass  # the answer may stand there already
        assert connection.read_response("POST").error == "body_too_large"
    assert [request.body for request in tunnel.service.requests] == [BODY, BODY]
    for _ in range(3):  # who leaves within the body leaves nothing behind
        with tunnel.stack.connect() as connection:
            connection.send(f"{head}Content-Length: 100\r\n\r\nabc".encode())
    assert tunnel.send().status == 200


@pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway's paths are the function's")
def test_twilio_signs_the_url_of_path_mode(hooked):
    tunnel = hooked("twilio")
    host, path = f"localhost:{tunnel.stack.gateway.address[1]}", f"/{tunnel.stack.ttf.tunnel_id}/sms?x=1"
    body = b"Body=hello"
    for base in (f"http://{host}", "https://localhost"):
        assert tunnel.send(body, twilio(body, 0, f"{base}{path}"), path, host=host).status == 200
    assert tunnel.send(body, twilio(body, 0, f"http://{host}/sms?x=1"), path, host=host).error == "bad_signature"


def test_it_stands_beside_other_rules(hooked):
    tunnel = hooked("github", "--allow-path", "/hook", "--deny-ip", "192.0.2.1")
    assert tunnel.send(target="/other").error == "forbidden"
    assert tunnel.send().status == 200


def test_neither_log_nor_command_line_has_the_secret(start, hooked):
    tunnel = hooked("github")
    tunnel.send()
    tunnel.stack.ttf.wait_line(r"POST /hook\S* 200")
    encoded = base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")
    for text in (tunnel.stack.gateway.dump(), tunnel.stack.ttf.dump()):
        assert SECRET not in text and encoded not in text


def test_the_secret_of_the_environment(start, fresh):
    stack = fresh()
    stack.ttf = start.forwarder(stack.gateway, stack.service, "--verify-webhook", "github", env={"TTF_WEBHOOK_SECRET": SECRET})
    tunnel = Hooked(stack, "github")
    tunnel.stays_shut(tunnel.send(BODY, []))
    assert tunnel.send().status == 200


@pytest.mark.parametrize(
    "options, says",
    [
        (["--verify-webhook=gitlab", "--webhook-secret=x"], "--verify-webhook wants github"),
        (["--verify-webhook=github"], "--verify-webhook wants the sender's secret"),
        (["--verify-webhook=github", "--webhook-secret-file=/nowhere"], "--webhook-secret-file cannot be read"),
        (["--verify-webhook=github", "--webhook-secret=" + "x" * 257], "--webhook-secret wants a secret of 1 to 256 bytes"),
        (["--webhook-secret-file=/nowhere"], "--webhook-secret-file wants --verify-webhook"),
        (["--webhook-secret=x"], "--webhook-secret wants --verify-webhook, too"),
        (["--verify-webhook=github", "--webhook-secret=x", "--webhook-secret-file=/nowhere"], "the secret was said twice"),
    ],
)
def test_what_is_not_whole(start, options, says):
    program = start.program(BIN / "ttf", "-e", "ws://127.0.0.1:9", "-p", "3000", *options)
    program.expect_killed = True
    assert program.wait_exit() == 2
    assert any(says in line for line in program.err), program.dump()
