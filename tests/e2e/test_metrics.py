"""/metrics on the admin port: what it counts is what visitors got."""

import json
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

import backends
import http_raw
import ws_client
from programs import BIN, ROOT
from service import Gate, Response

pytestmark = pytest.mark.skipif(backends.STACK == "aws", reason="of ttf-gateway")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def gateways(stack):
    return [stack.gateway, *([stack.gateway.front] if hasattr(stack.gateway, "front") else [])]


def scrape(gateway, accept=None):
    fields = [("Accept", accept)] if accept else []
    answer = http_raw.request(gateway.admin, "GET", "/metrics", "localhost", headers=fields)
    assert answer.status == 200
    return answer


def numbers(gateway):
    """{"name{label="value"}": number}"""
    lines = scrape(gateway).body.decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


def total(stack, name):
    return sum(numbers(gateway).get(name, 0) for gateway in gateways(stack))


def wait_for(stack, name, value, seconds=60):
    end = time.monotonic() + seconds
    while (now := total(stack, name)) != value:
        assert time.monotonic() < end, f"{name} is {now}, not {value}"
        time.sleep(0.02)


def test_the_format_is_negotiated(fresh):
    gateway = fresh().gateway
    plain, open_ = scrape(gateway), scrape(gateway, OPENMETRICS)
    assert plain.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert open_.header("content-type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert open_.body.endswith(b"# EOF\n") and b"# EOF" not in plain.body


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian's package prometheus) is not there")
def test_promtool_has_nothing_to_say(fresh):
    stack = fresh()
    assert stack.request().status == 200
    for gateway in gateways(stack):
        check = subprocess.run(["promtool", "check", "metrics"], input=scrape(gateway).body, capture_output=True, timeout=60)
        assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


@pytest.mark.protocols("v2", "v1")
def test_totals_are_what_visitors_counted(fresh, protocol):
    stack = fresh()
    received = 0
    for n in range(30):
        received += len(stack.request(target=f"/{n}").body)
    received += len(stack.request("POST", body=b"x" * 5000).body)
    missing = stack.request(host="nobody-has-it.localhost:1")
    assert missing.status == 404 and missing.error == "tunnel_not_found"
    strange = stack.request(host="elsewhere.example")
    assert strange.status == 421
    wait_for(stack, 'ttf_requests_total{status="2xx"}', 31)
    wait_for(stack, 'ttf_requests_total{status="4xx"}', 2)
    wait_for(stack, 'ttf_request_errors_total{error="tunnel_not_found"}', 1)
    wait_for(stack, 'ttf_gate_refusals_total{error="tunnel_not_found"}', 0)
    wait_for(stack, 'ttf_gate_refusals_total{error="unknown_host"}', 1)
    wait_for(stack, "ttf_request_body_bytes_total", 5000)
    wait_for(stack, "ttf_response_body_bytes_total", received + len(missing.body) + len(strange.body))
    wait_for(stack, "ttf_request_duration_seconds_count", 33)
    wait_for(stack, "ttf_request_service_seconds_count", 31)
    wait_for(stack, "ttf_request_own_seconds_count", 33)
    wait_for(stack, "ttf_requests_in_flight", 0)
    between = 31 if backends.STACK == "redis2" and protocol == "v2" else 0
    wait_for(stack, 'ttf_peer_requests_total{status="2xx"}', between)


def test_a_slow_service_is_told_apart_from_us(fresh):
    stack = fresh()

    def slow(request):
        time.sleep(1)
        return Response(body="at last")

    stack.service.on("/slow", slow)
    assert stack.request(target="/slow").status == 200
    wait_for(stack, "ttf_request_service_seconds_count", 1)
    assert total(stack, "ttf_request_service_seconds_sum") >= 1
    assert total(stack, 'ttf_request_service_seconds_bucket{le="0.25"}') == 0
    assert total(stack, "ttf_request_own_seconds_sum") < total(stack, "ttf_request_service_seconds_sum")


def test_what_is_under_way(fresh):
    stack, gate = fresh(), Gate()
    stack.service.on("/held", gate)
    with stack.connect() as visitor:
        visitor.send(http_raw.build("GET", "/held", stack.ttf.host))
        gate.wait_arrived()
        gateways_on_the_way = len(gateways(stack))
        wait_for(stack, "ttf_requests_in_flight", gateways_on_the_way)
        wait_for(stack, 'ttf_connections{port="public"}', 1)
        assert total(stack, "ttf_streams") == 2 * gateways_on_the_way - 1  # between gateways it has two ends here
        gate.open()
        assert visitor.read_response("GET").status == 200
    wait_for(stack, "ttf_requests_in_flight", 0)
    wait_for(stack, "ttf_streams", 0)


def test_websockets_are_counted_while_they_last(fresh, start):
    async def hold(socket):
        async for message in socket:
            await socket.send(message)

    stack = fresh()
    service = start.websockets(hold)
    ttf = start.forwarder(stack.gateway, service)
    with ws_client.Socket(f"ws://127.0.0.1:{stack.gateway.address[1]}/{ttf.tunnel_id}/") as visitor:
        visitor.send("x" * 1000)
        assert visitor.recv() == "x" * 1000
        assert total(stack, "ttf_websockets") == 1
        assert total(stack, "ttf_response_body_bytes_total") >= 1000  # counted as they pass
    wait_for(stack, "ttf_websockets", 0)
    wait_for(stack, 'ttf_requests_total{status="1xx"}', 1)
    assert total(stack, "ttf_request_duration_seconds_count") == 0


@pytest.mark.protocols("v2", "v1")
def test_agents_are_counted(fresh, start, protocol):
    stack = fresh()
    wait_for(stack, f'ttf_agents{{protocol="{protocol}"}}', 1)
    assert total(stack, 'ttf_agent_connects_total{outcome="accepted"}') == 1
    stack.ttf.stop()
    wait_for(stack, f'ttf_agents{{protocol="{protocol}"}}', 0)


def test_a_stalled_scraper_and_ten_others(fresh):
    stack = fresh()
    stalled = socket.create_connection(stack.gateway.admin)
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    for _ in range(200):  # it asks and asks, and reads nothing
        try:
            stalled.settimeout(0.2)
            stalled.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        except OSError:
            break
    good, threads = [], []
    for _ in range(10):
        threads.append(threading.Thread(target=lambda: good.extend(scrape(stack.gateway).status for _ in range(10))))
        threads[-1].start()
    assert all(stack.request(target=f"/{n}").status == 200 for n in range(20))
    for thread in threads:
        thread.join(30)
    assert good == [200] * 100
    stalled.close()


@pytest.mark.protocols("v2", "v1")
def test_tunnels_have_their_own_when_asked_for(fresh, start):
    stack = fresh("--metrics-tunnels", "1")
    other = start.forwarder(stack.gateway, stack.service)
    assert [stack.request(host=host).status for host in [stack.ttf.host] * 3 + [other.host] * 2] == [200] * 5
    assert stack.request(host="nobody-has-it.localhost").status == 404
    wait_for(stack, f'ttf_tunnel_requests_total{{tunnel="{other.tunnel_id}"}}', 2)
    assert total(stack, 'ttf_tunnel_requests_total{tunnel="_other"}') == 3
    assert total(stack, f'ttf_tunnel_response_body_bytes_total{{tunnel="{other.tunnel_id}"}}') > 0
    assert b"nobody-has-it" not in scrape(stack.gateway).body
    assert b"ttf_tunnel_" not in scrape(fresh().gateway).body


def test_alerts_and_dashboard_ask_for_what_there_is(fresh):
    folder = ROOT / "docker" / "observe"
    panels = json.loads((folder / "dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    queries += re.findall(r"expr: (.*?)\n +(?:for|labels):", (folder / "alerts.yml").read_text(), re.DOTALL)
    assert len(queries) > 25
    there = {series.split("{")[0] for series in numbers(fresh().gateway)}
    asked = {name for query in queries for name in re.findall(r"\b(?:ttf|process)_\w+", query)}
    assert len(asked) > 20 and asked <= there, asked - there


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian's package prometheus) is not there")
def test_each_alert_fires_and_rests():
    rules = ROOT / "docker" / "observe" / "alerts_test.yml"
    check = subprocess.run(["promtool", "test", "rules", rules], capture_output=True, text=True, timeout=60)
    assert check.returncode == 0, check.stdout + check.stderr
    alerts = re.findall(r"alert: (\w+)", rules.with_name("alerts.yml").read_text())
    assert alerts == re.findall(r"- name: (\w+)", rules.read_text())
    assert alerts == re.findall(r"^\| `(Ttf\w+)`", (ROOT / "docs/OPERATIONS.md").read_text(), re.M), "what to do for each"


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian's package prometheus) is not there")
def test_the_stack_s_prometheus_asks_the_gateways_that_there_are():
    file = ROOT / "docker/observe/prometheus.yml"
    check = subprocess.run(["promtool", "check", "config", file], capture_output=True, text=True, timeout=60)
    assert check.returncode == 0 and "rules found" in check.stdout, check.stdout + check.stderr
    gateways = re.findall(r"^  (gateway-\d+):$", (ROOT / "compose.yaml").read_text(), re.M)
    assert re.findall(r"(gateway-\d+):8082", file.read_text()) == gateways


def test_the_documents_table_is_what_the_program_makes(start):
    program = start.program(BIN / "ttf-gateway", "--help-metrics")
    assert program.wait_exit() == 0
    assert "\n".join(program.out) + "\n" in (ROOT / "docs" / "METRICS.md").read_text()


def test_the_admin_port_says_it_to_this_machine_only(fresh):
    gateway = fresh().gateway
    assert http_raw.request(gateway.admin, "GET", "/metrics", "evil.example").status == 421
    assert http_raw.request(gateway.admin, "POST", "/metrics", "localhost").status == 405
