"""compose.yaml with profile `aws`: the same stack's Lambda, behind the stand-in for API Gateway, on DynamoDB Local."""

import json
import os
import re
import shutil
import time
import urllib.request

import pytest

from test_stack import (CHROMIUM, DOMAIN, MIB, ROOT, browse, compose, containers, curl, echo, established, inspect, token,  # noqa: F401
                        ttf, use_todo)  # fmt: skip

HTTP, AGENTS, ADMIN = (int(os.environ[f"AWS_{name}_PORT"]) for name in ("PUBLIC", "AGENT", "ADMIN"))
SERVICES = ("dynamodb", "tables", "aws", "ttf-aws")


def visit(name, path, *options):
    return curl(f"http://{name}:{HTTP}{path}", "--connect-to", f"::127.0.0.1:{HTTP}", *options)


def wait_for(status, name, path):
    """Until a visitor gets that; the others that he has got."""
    seen, deadline = [], time.monotonic() + 120
    while (got := visit(name, path).status) != status:
        seen.append(got)
        assert time.monotonic() < deadline, seen
        time.sleep(0.2)
    return seen


def usage():
    with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/aws/usage", timeout=60) as answer:
        return json.load(answer)


def test_the_url_is_printed():
    log = compose("logs", "--no-log-prefix", "--no-color", "ttf-aws").stdout
    assert re.findall(r"Tunnel established: (\S+)", log) == [f"http://todo.{DOMAIN}:{HTTP}"]


def test_subdomain():
    use_todo(lambda path, *options: visit(f"todo.{DOMAIN}", path, *options))


@pytest.mark.parametrize("name", [DOMAIN, "localhost"])
def test_path_mode(name):
    use_todo(lambda path, *options: visit(name, f"/todo{path}", *options))


@pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="no chromium here")
def test_browser(tmp_path):
    page = browse(f"http://todo.{DOMAIN}:{HTTP}/", tmp_path)
    assert page.count('class="todo') >= 7, page


def test_answers_are_not_polled_for():
    """WAIT_MODE=direct, unless said otherwise: a request writes nothing, once its process has its WebSocket."""
    for _ in range(20):
        before = usage()
        assert visit(f"todo.{DOMAIN}", "/todos").status == 200
        after = usage()
        if after["dynamodbWrites"] == before["dynamodbWrites"]:
            return
    raise AssertionError(f"{before}\n{after}")


def test_2_mib_both_ways(ttf, token, echo, tmp_path):  # noqa: F811
    """By an agent of this machine; and its URL stays when the stand-in is started again."""
    agent = ttf(f"ws://localhost:{AGENTS}", "--port", str(echo), "-t", token)
    url = established(agent)
    name = re.fullmatch(rf"http://(\w+\.{DOMAIN}):{HTTP}", url)[1]
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(os.urandom(2 * MIB))
    options = ("-H", "Content-Type: application/octet-stream", "-H", "Expect:", "--data-binary", f"@{sent}", "-o", got)
    assert visit(name, "/", *options).status == 200
    assert got.read_bytes() == sent.read_bytes()
    compose("restart", "aws")
    assert established(agent) == url
    assert visit(name, "/", *options).status == 200
    assert got.read_bytes() == sent.read_bytes()


def test_an_agent_without_a_token(ttf):  # noqa: F811
    program = ttf(f"ws://localhost:{AGENTS}")
    output = program.communicate(timeout=100)[0]
    assert program.returncode != 0 and "token" in output, output


def test_dynamodb_is_away_for_a_while():
    wait_for(200, f"todo.{DOMAIN}", "/todos")
    compose("stop", "dynamodb")
    try:
        answer = visit(f"todo.{DOMAIN}", "/todos", "-D", "-", "-o", os.devnull, "--max-time", "60")  # it is tried to the last
        assert answer.status in (503, 504) and "x-tunnel-error: " in answer.body, answer
    finally:
        compose("start", "dynamodb")
    assert set(wait_for(200, f"todo.{DOMAIN}", "/todos")) <= {503, 504}


def test_health_sees_the_stand_in():
    for service, program in (("aws", "ttf-gateway"), ("ttf-aws", "ttf")):
        assert compose("exec", "-T", service, program, "--health").returncode == 0


def test_secrets_are_not_told(containers):  # noqa: F811
    """Though they are in the function's environment: not in what Docker tells, nor in a log, nor where nobody needs them."""
    secrets = compose("exec", "-T", "aws", "sh", "-c", "cat /run/gateway-secrets/*-secret").stdout.split()
    assert len(secrets) == 2
    told = json.dumps([containers[service] for service in SERVICES]) + compose("logs", "--no-color", *SERVICES).stdout
    assert len(told) > 1000 and not [secret for secret in secrets if secret in told]
    assert compose("exec", "-T", "ttf-aws", "ls", "/run").stdout.split() == ["agent-secrets", "lock"]
    assert "secrets" not in compose("exec", "-T", "dynamodb", "ls", "/run").stdout


def test_what_is_in_the_images():
    """Beside the gateway the function alone; and of DynamoDB Local what docker/dynamodb says."""
    aws, gateway = (inspect(f"http-tunnel-{name}")[0]["Size"] for name in ("aws", "gateway"))
    assert 0 < aws - gateway < 10 * MIB
    jars = compose("exec", "-T", "dynamodb", "sh", "-c", "cd /usr/share/dynamodb && sha256sum *").stdout
    assert jars == (ROOT / "docker/dynamodb/jars.sha256").read_text()
