"""Tunnels through the stand-in for API Gateway and Lambda: our function, an earlier version of it, and both in turn on the
same tables, with ttf and with a plain v1 agent."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import aws
import backends
import http_raw
from agent_v1 import answer, hello
from aws_function import together, usage, wait_until
from programs import BIN, ROOT, SLOW
from service import Response
from test_cli import fails

pytestmark = pytest.mark.skipif(backends.STACK != "memory", reason="it brings its own stack")


@pytest.fixture
def earlier(tmp_path):
    """The earlier version of the function, as a program."""
    path = tmp_path / "earlier"
    path.write_text(f"#!/bin/sh\nexec {sys.executable} {ROOT}/tests/lambda/function_v1.py\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def stand_in(start):
    def make(*options, bootstrap=BIN / "bootstrap", **more):
        return start._keep(aws.StandIn(start._folder("standin"), *options, bootstrap=bootstrap, **more))

    return make


def visit(gateway, host, target="/", method="GET", **more):
    return http_raw.request(gateway.address, method, target, host, **more)


@pytest.fixture(params=["polling", "direct"])
def waiting(request, stand_in):
    """The stand-in, with a function that learns of answers in that way."""

    def make(*options):
        return stand_in(*options, env={"WAIT_MODE": request.param})

    make.mode = request.param
    return make


def test_an_earlier_function_serves_our_ttf(stand_in, start, earlier):
    gateway, service = stand_in(bootstrap=earlier), start.service()
    ttf = start.forwarder(gateway, service)
    host = f"{ttf.tunnel_id}.localhost"
    got = visit(gateway, host, "/a?b=c", "POST", body=bytes(range(256)) * 40)
    assert got.status == 200
    report = json.loads(got.body)
    assert (report["method"], report["target"], report["length"]) == ("POST", "/a?b=c", 256 * 40)
    assert visit(gateway, "unknown12345.localhost").status == 404

    def cost():
        before = usage(gateway)["invocationsOf"]
        assert visit(gateway, host).status == 200
        after = usage(gateway)["invocationsOf"]
        return after["http"] - before["http"], after["message"] - before["message"]

    wait_until(lambda: cost() == (1, 1))  # as always, where ttf says nothing else meanwhile


def test_the_function_has_the_secrets_that_are_in_files(stand_in, start, tmp_path):
    files = {}
    for name in ("tunnel", "jwt"):
        files[name] = tmp_path / name
        files[name].write_text(f"the {name} secret in a file, of 32 bytes or more\n")
    gateway = stand_in("--require-auth", "--jwt-secret-file", files["jwt"], "--tunnel-secret-file", files["tunnel"],
                       env={"TUNNEL_SECRET": ""})  # fmt: skip
    token = start.program(BIN / "ttf-gateway", "token", "--sub", "alice", "--jwt-secret-file", files["jwt"])
    assert token.wait_exit() == 0, token.dump()
    ttf = start.forwarder(gateway, start.service(), "--token", token.out[0], "--name", "alices")
    assert ttf.tunnel_id == "alices" and visit(gateway, "alices.localhost").status == 200
    assert "token" in fails(start, BIN / "ttf", "-e", gateway.endpoint)


def test_secrets_that_the_function_cannot_have(stand_in, tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"zero \0 in a secret of 32 bytes or more")
    for file, why in ((path, "zero bytes"), (tmp_path / "none", "No such file")):
        with pytest.raises(AssertionError, match=why):
            stand_in("--tunnel-secret-file", file, env={"TUNNEL_SECRET": ""})


def exchange(gateway, link, program):
    """A new version of the function, as a deployment would put it there."""
    fresh = link.with_name("fresh")
    fresh.symlink_to(program)
    os.replace(fresh, link)
    seen = len(gateway.err)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_err("a new version", after=seen)


def test_upgrade_and_roll_back_under_live_agents(stand_in, start, tmp_path, earlier):
    link = tmp_path / "bootstrap"
    link.symlink_to(earlier)
    gateway, service = stand_in(bootstrap=link), start.service()
    old_ttf, old_agent = start.forwarder(gateway, service), start.agent(gateway, hello)
    hosts = [f"{old_ttf.tunnel_id}.localhost", f"{old_agent.tunnel_id}.localhost"]
    statuses, stop = [], threading.Event()

    def go_on_visiting():
        while not stop.is_set():
            statuses.extend(visit(gateway, host).status for host in list(hosts))

    visitor = threading.Thread(target=go_on_visiting)
    visitor.start()
    try:
        wait_until(lambda: len(statuses) > 4)
        for program in (BIN / "bootstrap", earlier, BIN / "bootstrap"):
            exchange(gateway, link, program)
            seen = len(statuses)
            ttf, agent = start.forwarder(gateway, service), start.agent(gateway, hello)
            hosts += [f"{ttf.tunnel_id}.localhost", f"{agent.tunnel_id}.localhost"]
            wait_until(lambda: len(statuses) > seen + 2 * len(hosts))
    finally:
        stop.set()
        visitor.join(60)
    assert len(hosts) == 8 and set(statuses) == {200}


def test_two_environments_and_one_tunnel(stand_in, start):
    gateway, service = stand_in(), start.service()
    gate = threading.Barrier(2)
    service.on("/both", lambda request: gate.wait(60) >= 0 and Response(body="both"))
    ttf = start.forwarder(gateway, service)
    assert [got.body for got in together(2, lambda n: visit(gateway, ttf.host, "/both"))] == [b"both"] * 2
    assert usage(gateway)["environments"] >= 2


def test_connections_are_reset_behind_a_thaw(waiting, start):
    """Those that were idle: the function's first request on each is sent again, and visitors see nothing of it."""
    gateway, service = waiting("--aws-idle", "100ms"), start.service()
    host = f"{start.forwarder(gateway, service).tunnel_id}.localhost"
    for number in range(6):
        before = usage(gateway)["idleConnectionsCut"]
        time.sleep(0.3)  # for so long it is frozen: that is what the test is about
        answer = visit(gateway, host, f"/{number}", "POST", body=b"x" * 3000)
        assert answer.status == 200 and json.loads(answer.body)["target"] == f"/{number}", answer
        assert number == 0 or usage(gateway)["idleConnectionsCut"] > before
    assert len([request for request in service.requests if request.method == "POST"]) == 6


def test_many_requests_at_once_on_cold_environments(waiting, start):
    gateway, service = waiting("--lambda-concurrency", "200"), start.service()
    ttf = start.forwarder(gateway, service)
    before, count = usage(gateway), 40 // SLOW  # each is a process, and a function has 5 s for what it asks of AWS
    got = together(count, lambda n: visit(gateway, ttf.host, f"/{n}"))
    assert [answer.status for answer in got] == [200] * count
    assert sorted(json.loads(answer.body)["target"] for answer in got) == sorted(f"/{n}" for n in range(count))
    assert usage(gateway)["coldStarts"] - before["coldStarts"] >= count // 2  # some are done before others have come


@pytest.mark.parametrize("method, status", [("GET", 200), ("POST", 502)])
def test_an_agent_killed_in_flight(waiting, start, method, status):
    """A GET is sent once more to the agent that has come back, a POST is executed at most once."""
    gateway, service = waiting(), start.service()
    asked, executed, go_on = threading.Semaphore(0), [], threading.Event()

    def slow(request):
        executed.append(request.method)
        asked.release()
        if len(executed) == 1:
            go_on.wait(60)
        return Response(body="done")

    service.on("/slow", slow)
    home = start._folder("ttf")
    ttf = start.forwarder(gateway, service, state_home=home)
    for _ in range(3 if waiting.mode == "direct" else 0):  # the first ones are polled for
        assert visit(gateway, ttf.host).status == 200
    got = []
    thread = threading.Thread(target=lambda: got.append(visit(gateway, ttf.host, "/slow", method)))
    thread.start()
    asked.acquire()
    ttf.kill()
    again = start.forwarder(gateway, service, state_home=home)
    assert again.tunnel_id == ttf.tunnel_id
    thread.join(40)
    go_on.set()
    assert got[0].status == status and executed == [method] * (2 if status == 200 else 1)
    if status == 502:
        assert got[0].all("x-tunnel-error") == ["agent_lost"]


def test_a_request_between_connect_and_ready_waits(stand_in, start):
    gateway = stand_in()
    agent = start.agent(gateway, hello, ready={"type": "ready", "capabilities": ["resume"]})
    host = f"{agent.tunnel_id}.localhost"
    before = usage(gateway)["invocationsOf"]["http"]
    agent.stop()
    again = start.agent(gateway, hello, ready={}, headers={"x-tunnel-resume": agent.established["resume"]})
    got = []
    thread = threading.Thread(target=lambda: got.append(visit(gateway, host)))
    thread.start()
    wait_until(lambda: usage(gateway)["invocationsOf"]["http"] == before + 1)
    assert not got
    again.send({"type": "ready"})
    thread.join(30)
    assert got[0].status == 200


@pytest.mark.parametrize("payload", ["1.0", "2.0"])
@pytest.mark.parametrize("custom", ["true", "false"])
def test_stages_domains_and_payloads(stand_in, start, custom, payload):
    gateway = stand_in("--api-stage", "dev", "--api-custom-domain", custom, "--api-payload", payload,
                       env={"AWS_SESSION_TOKEN": "a/token+="})  # fmt: skip
    service = start.service()
    ttf = start.forwarder(gateway.endpoint + ("" if custom == "true" else "/dev"), service)
    host, path = ttf.host, urlsplit(ttf.url).path
    tunnel = host.partition(".")[0] if custom == "true" else path.rpartition("/")[2]
    assert ttf.url.endswith("" if custom == "true" else f".execute-api.localhost:{gateway.address[1]}/dev/{tunnel}")
    got = visit(gateway, host, path + "/x%20y?a=1&a=2", headers=[("X-Twice", "1"), ("X-Twice", "2")])
    assert got.status == 200
    report = json.loads(got.body)
    assert report["target"] == "/x%20y?a=1&a=2"
    twice = [value for name, value in report["headers"] if name == "x-twice"]
    assert twice == (["1", "2"] if payload == "1.0" else ["1,2"])


def test_path_mode_behind_a_stage(stand_in, start):
    """The stage is the beginning of every URL that a browser is told; what misses the prefix has it at least."""
    gateway = stand_in("--api-stage", "dev", "--api-custom-domain", "false")
    ttf = start.forwarder(gateway.endpoint + "/dev", start.service())
    tunnel = urlsplit(ttf.url).path.rpartition("/")[2]
    navigation = [("Accept", "text/html")]
    ask = lambda target, *headers: visit(gateway, ttf.host, target, headers=list(headers))
    got = ask(f"/dev/{tunnel}?x=1")
    assert (got.status, got.header("location")) == (308, f"/dev/{tunnel}/?x=1")
    (cookie,) = ask(f"/dev/{tunnel}/", *navigation).all("set-cookie")
    assert cookie == f"x-tunnel-path=/{tunnel}; Path=/dev/; HttpOnly; SameSite=Lax; Secure"
    for said in (("Referer", f"https://{ttf.host}/dev/{tunnel}/page"), ("Cookie", cookie.partition(";")[0])):
        got = ask("/dev/login?a=b", said, *navigation)
        assert (got.status, got.header("location")) == (307, f"/dev/{tunnel}/login?a=b")
        assert json.loads(ask("/dev/api/x?a=b", said).body)["target"] == "/api/x?a=b"
    assert ask("/dev/api/x", ("Referer", f"https://{ttf.host}/{tunnel}/page")).status == 404


@pytest.mark.slow
def test_the_stand_in_does_not_grow(stand_in, start):
    gateway, service = stand_in(), start.service()
    ttf = start.forwarder(gateway, service)
    body = b"x" * 200_000

    def load(count):
        for _ in range(count):
            assert visit(gateway, ttf.host, "/", "POST", body=body).status == 200
        return gateway.rss_kib()

    before = load(15)
    assert load(45) < before + 12_000


def test_the_usage_page_counts_what_a_request_costs(stand_in, start):
    gateway, service = stand_in(), start.service()
    ttf = start.forwarder(gateway, service)
    assert visit(gateway, ttf.host).status == 200  # the way is warm
    before = wait_until(lambda: settled(gateway))
    for _ in range(10):
        assert visit(gateway, ttf.host).status == 200
    after = wait_until(lambda: settled(gateway))
    spent = {name: after[name] - before[name] for name in after if isinstance(after[name], (int, float))}
    assert spent["requests"] == 10 == spent["messagesOut"] == spent["messagesIn"]
    http, messages = (after["invocationsOf"][kind] - before["invocationsOf"][kind] for kind in ("http", "message"))
    assert (http, messages) == (10, 10) and spent["billedMs"] >= 20
    assert spent["coldStarts"] <= 1  # where an event comes before the process of the one before it is back
    assert 1 <= spent["writeUnits"] / 10 <= 8 and 1 <= spent["readUnits"] / 10 <= 10


def settled(gateway):
    """The counts, once nothing is being counted."""
    first = usage(gateway)
    time.sleep(0.3)
    second = usage(gateway)
    for counted in (first, second):
        counted.pop("streamReads")
    return second if first == second else None


# ---- what infra/ deploys, as it is ----


@pytest.fixture
def deployed(start):
    """make(name): the stand-in on a description of infra/'s, on its own tables."""

    def make(name, env=None):
        folder = start._folder("standin")
        description = json.loads((aws.DESCRIPTIONS / f"{name}.json").read_text())
        description["function"]["environment"].update(aws.tables(folder))
        file = folder / "description.json"
        file.write_text(json.dumps(description))
        environment = {**aws.CREDENTIALS, "AWS_ENDPOINT_URL_DYNAMODB": aws.shared.dynamodb.endpoint, **(env or {})}
        options = ("--bootstrap", BIN / "bootstrap", "--description", file)
        return start._keep(aws.ApiGateway(folder, *options, env=environment))

    return make


def test_a_tunnel_on_the_deployment_of_all_defaults(deployed, start, tmp_path):
    gateway, service = deployed("dev", {"SECRET_OF_OURS": "not the function's", "LOG_LEVEL": "debug"}), start.service()
    secret = tmp_path / "secret"
    secret.write_text(json.loads((aws.DESCRIPTIONS / "dev.json").read_text())["function"]["environment"]["JWT_SECRET"])
    assert "401" in fails(start, BIN / "ttf", "-e", f"{gateway.endpoint}/dev", "-p", service.port)
    token = start.program(BIN / "ttf-gateway", "token", "--sub", "alice", "--jwt-secret-file", secret)
    token.wait_exit()
    ttf = start.forwarder(f"{gateway.endpoint}/dev", service, "--token", token.out[0])
    url = urlsplit(ttf.wait_line(r"^Tunnel established: (\S+)")[1])
    assert url.hostname == "tunnelhttp.execute-api.localhost" and url.path.startswith("/dev/")
    answer = visit(gateway, url.hostname, url.path + "/a")
    assert answer.status == 200 and json.loads(answer.body)["target"] == "/a"
    functions = [int(child) for child in Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()]
    for function in functions:
        variables = Path(f"/proc/{function}/environ").read_bytes()
        assert b"SECRET_OF_OURS" not in variables and b"LOG_LEVEL=info" in variables and b"WAIT_MODE=direct" in variables
    assert functions and usage(gateway)["memoryMiB"] == 256
