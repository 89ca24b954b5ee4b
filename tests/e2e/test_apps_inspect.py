"""The inspector and what was written for others: pyngrok, Stripe's and GitHub's ways to sign, axe's rules for pages."""

import hashlib
import hmac
import json
import re
import shutil
import subprocess
import time

import pytest

import apps
import http_raw
from apps import npm, pip
from browser import Page
from programs import SLOW
from service import Response
from test_inspect import ANY_PORT, Inspector, inspected  # noqa: F401

pytestmark = apps.marks

# ---- pyngrok, which starts a program that it takes for ngrok, and then asks the API that this one names ----

STAND_IN = """#!/bin/sh
case "$1" in --version) echo "ngrok version 3.30.0"; exit;; config) exit;; esac
echo 't=2026-01-01T00:00:00+0000 lvl=info msg="starting web service" obj=web addr=127.0.0.1:%d allow_hosts=[]'
echo 't=2026-01-01T00:00:00+0000 lvl=info msg="tunnel session started" obj=tunnels.session'
echo 't=2026-01-01T00:00:00+0000 lvl=info msg="client session established" obj=csess id=x'
exec sleep 600
"""

SCRIPT = """
import json, sys
from pyngrok import conf, ngrok
version, port, other = sys.argv[1:]
config = conf.PyngrokConfig(ngrok_path="./ngrok", config_path="./ngrok.yml", config_version=version)
conf.set_default(config)
(first,) = ngrok.get_tunnels()
assert first.name == "command_line" and first.public_url.startswith("http"), first
made = ngrok.connect(port)
assert made.public_url.startswith("http") and made.upstream["url"].endswith(port), made.data
named = ngrok.connect(f"http://localhost:{other}", name="blue")
assert {one.public_url for one in ngrok.get_tunnels()} == {first.public_url, made.public_url, named.public_url}
print(json.dumps({"made": made.public_url, "named": named.public_url}), flush=True)
input()
made.refresh_metrics()
print(json.dumps(made.metrics), flush=True)
api = ngrok.get_ngrok_process().api_url
captured = ngrok.api_request(api + "/api/requests/http", params={"tunnel_name": made.name})["requests"]
assert [one["request"]["uri"] for one in captured] == ["/hello", "/hello"], captured
ngrok.api_request(api + "/api/requests/http", "POST", data={"id": captured[0]["id"], "tunnel_name": made.name})
ngrok.disconnect(made.public_url)
ngrok.disconnect(named.public_url)
assert [one.public_url for one in ngrok.get_tunnels()] == [first.public_url]
try:
    ngrok.connect(port, proto="tcp")
except Exception as error:
    print(type(error).__name__, flush=True)
ngrok.kill()
"""


@pytest.mark.parametrize("version", ["3", "2"])
def test_pyngrok(inspected, start, tmp_path, version):  # noqa: F811
    folder = tmp_path / "pyngrok"
    folder.mkdir()
    (folder / "ngrok").write_text(STAND_IN % inspected.inspector.port)
    (folder / "ngrok").chmod(0o755)
    (folder / "ngrok.yml").write_text(f'version: "{version}"\n')
    (folder / "script.py").write_text(SCRIPT)
    other = start.service()
    ports = [str(inspected.service.port), str(other.port)]
    with subprocess.Popen([pip("pyngrok") / "python", "script.py", version, *ports], cwd=folder, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as script:  # fmt: skip
        line = script.stdout.readline()
        assert line, script.stderr.read()
        host = re.match("https?://([^/]+)", json.loads(line)["made"])[1]
        for _ in range(2):
            assert inspected.request(target="/hello", host=host).status == 200
        inspected.inspector.wait_ended(2)
        said, errors = script.communicate("\n", timeout=60)
    assert script.returncode == 0, errors
    metrics, refused = said.splitlines()
    assert json.loads(metrics)["http"]["count"] == 2 and json.loads(metrics)["http"]["p50"] > 0
    assert refused == "PyngrokNgrokHTTPError"


# ---- webhooks that are signed, sent again ----

STRIPE = """
import sys, stripe
body, signature, secret = open(sys.argv[1], "rb").read(), sys.argv[2], sys.argv[3]
print(stripe.Webhook.construct_event(body, signature, secret)["type"])
"""
SECRET = "whsec_c2VjcmV0LW9mLWEtd2ViaG9vaw"


def stripe_signature(body, moment):
    """https://docs.stripe.com/webhooks#verify-manually"""
    signed = hmac.new(SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={signed}"


def test_a_webhook_of_stripe_verifies_again(inspected, tmp_path):  # noqa: F811
    """Its own library says so of what reached the service: the first time, and sent again."""
    python = pip("stripe") / "python"

    def verified(request):
        (tmp_path / "body").write_bytes(request.body)
        done = subprocess.run([python, "-c", STRIPE, tmp_path / "body", request.header("stripe-signature", ""), SECRET], capture_output=True, text=True)
        return Response(status=200 if done.returncode == 0 else 400, body=done.stdout or done.stderr)

    inspected.service.on("/stripe", verified)
    event = {"id": "evt_1", "object": "event", "type": "invoice.paid", "data": {"object": {"object": "invoice", "id": "in_ü"}}}
    body = json.dumps(event, indent=2, ensure_ascii=False).encode()
    headers = [("Stripe-Signature", stripe_signature(body, int(time.time()))), ("Content-Type", "application/json; charset=utf-8")]
    assert inspected.request("POST", "/stripe", body=body, headers=headers).body == b"invoice.paid\n"
    assert inspected.request("POST", "/stripe", body=body.replace(b"in_", b"IN_"), headers=headers).status == 400
    first = inspected.inspector.wait_ended(2)[1]
    answer = inspected.inspector.ask("POST", "/api/requests/http", body={"id": first["id"], "times": 2})
    assert answer.status == 204
    again = inspected.inspector.wait_ended(4)[:2]
    assert [one["response"]["status_code"] for one in again] == [200, 200]


# ---- the page, by axe's rules ----

AXE = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
    .map(one => one.id + " (" + one.impact + "): " + one.nodes.map(node => node.html).join(" ").slice(0, 400)))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(inspected, tmp_path, scheme, width):  # noqa: F811
    npm(tmp_path / "axe", "axe-core")
    axe = (tmp_path / "axe/node_modules/axe-core/axe.min.js").read_text()
    inspected.service.answer("/page", headers=[("Content-Type", "application/json"), ("X-Long", "y" * 500)], body='{"a": [1, 2, {"b": "c"}]}')
    inspected.service.answer("/gone", status=404)
    inspected.service.answer("/moved", status=302, headers=[("Location", "/")])
    inspected.service.answer("/broken", status=500)
    targets = ["/page", "/gone", "/moved", "/broken"]
    for target in targets:
        inspected.request("POST", target + "?token=x&q=" + "z" * 300, body=b"a=1&b=2", headers=[("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", "a=b")])
    inspected.inspector.wait_ended(4)
    with Page(tmp_path / "chromium", f"--window-size={width},800") as page:
        page.screen(width, 800, is_phone=False, scheme=scheme)

        def look():
            page.evaluate(axe + "; 1")
            found = page.command("Runtime.evaluate", expression=AXE, awaitPromise=True, returnByValue=True)["result"]["value"]
            assert not found, found
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

        page.open(inspected.inspector.url)
        page.wait("document.querySelectorAll('#list [role=option]').length === 4")
        assert page.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches && innerWidth === {width}")
        look()
        for chosen in range(4):
            page.evaluate(f"document.querySelectorAll('#list [role=option]')[{chosen}].click()")
            page.wait(f"document.querySelector('#detail h2').textContent.includes({targets[3 - chosen]!r})")
            look()
        page.evaluate("document.querySelector('#compare').click(); document.querySelector('#list [role=option]').click()")
        page.wait("!!document.querySelector('pre.added') || document.body.innerText.includes('Both answers')")
        look()
        page.evaluate("document.querySelector('#edit').click()")
        page.wait("!!document.querySelector('textarea')")
        look()
