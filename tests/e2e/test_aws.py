"""The stand-in for API Gateway and Lambda (ttf-apigw), with a function whose handler is the test's own. What the events
must look like is said by files made after AWS's documentation (tests/golden/lambda, its README names the documents) and by a
library that is not ours."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatusCode

import aws
import backends
import http_raw
from aws_function import FUNCTION, OK, Exit, Failure, function, stand_in, state_of, together, usage, visit, wait_until  # noqa: F401 (fixtures)
from programs import BIN, ROOT
from ws_client import Socket

pytestmark = pytest.mark.skipif(backends.STACK != "memory", reason="it brings its own stack")

GOLDEN = ROOT / "tests/golden/lambda/ok"


# ---- events ----

VOLATILE = {"requestId", "extendedRequestId", "time", "timeEpoch", "requestTime", "requestTimeEpoch", "connectedAt", "messageId",
            "connectionId", "apiId", "domainName", "domainPrefix", "accountId", "stage", "sourceIp", "authentication"}  # fmt: skip
ADDED = {"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"}
# of routes, variables and authorizers that this API has not
NOT_OURS = {"pathParameters", "stageVariables", "authorizer"}


def shape(value, name=""):
    """Types, names and all values but those that no two requests have in common."""
    if name in VOLATILE:
        return type(value).__name__
    if name in ("headers", "multiValueHeaders"):
        return {k.lower(): v for k, v in value.items() if k.lower() not in ADDED | {"host"}}
    if isinstance(value, dict):
        return {k: shape(v, k) for k, v in value.items() if k not in NOT_OURS | {"authentication"}}
    return value


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def raw_request(gateway, target, headers, body=b"", method="POST"):
    return http_raw.request(gateway.address, method, target, "id.execute-api.us-east-1.amazonaws.com", headers, body)


def test_payload_2_0_is_as_documented(stand_in, function):
    gateway, expected = stand_in(), golden("http_api_2_0")
    raw_request(gateway, "/my/path?" + expected["rawQueryString"],
                [("Header1", "value1"), ("Header2", "value1"), ("Header2", "value2"), ("User-Agent", "agent"),
                 ("Cookie", "cookie1; cookie2"), ("Content-Type", "text/plain")], b"Hello from Lambda")  # fmt: skip
    expected["headers"].update({"user-agent": "agent", "content-type": "text/plain", "content-length": "17"})
    assert shape(function.next()) == shape(expected)


def test_payload_1_0_is_as_documented(stand_in, function):
    gateway, expected = stand_in("--api-payload", "1.0"), golden("http_api_1_0")
    raw_request(gateway, expected["path"] + "?parameter1=value1&parameter1=value2&parameter2=value",
                [("Header1", "value1"), ("Header2", "value1"), ("Header2", "value2"), ("User-Agent", "user-agent"),
                 ("Content-Type", "text/plain")], expected["body"].encode(), expected["httpMethod"])  # fmt: skip
    got = function.next()
    more = {"user-agent": "user-agent", "content-type": "text/plain", "content-length": str(len(expected["body"]))}
    expected["headers"] = {**{k.lower(): v for k, v in expected["headers"].items()}, **more}
    expected["multiValueHeaders"] = {**{k.lower(): v for k, v in expected["multiValueHeaders"].items()},
                                     **{k: [v] for k, v in more.items()}}  # fmt: skip
    for field in ("resource", "resourceId", "resourcePath"):  # the example has a route of its own, ours is $default
        for where in (expected, expected["requestContext"]):
            if field in where:
                where[field] = "$default"
    wanted, came = shape(expected), shape(got)
    wanted["requestContext"].pop("identity"), came["requestContext"].pop("identity")
    assert came == wanted
    assert set(expected["requestContext"]["identity"]) - {"clientCert"} <= set(got["requestContext"]["identity"])


def test_routes_of_a_websocket_api_are_as_documented(stand_in, function):
    gateway = stand_in("--api-stage", "dev", "--api-custom-domain", "false")
    assert gateway.endpoint
    with Socket(gateway.endpoint + "/dev") as agent:
        came = function.next("$connect")
        expected = golden("websocket_connect")
        for about in (expected["headers"], expected["multiValueHeaders"]):
            about.pop("Sec-WebSocket-Extensions")  # what the client of the example offered
        assert set(shape(expected)["headers"]) <= set(shape(came)["headers"])
        for event in (came, expected):
            for field in ("headers", "multiValueHeaders"):
                event.pop(field)
            event["requestContext"]["identity"].pop("userAgent", None)
        assert shape(came) == shape(expected)
        agent.send('{"type":"ready"}')
        came, expected = function.next("$default"), golden("websocket_message")
        came["requestContext"]["identity"].pop("userAgent", None)
        assert shape(came) == shape(expected)
        connection = came["requestContext"]["connectionId"]
        assert len(connection) == 16 and connection.endswith("=")
        agent.abort()
    came, expected = function.next("$disconnect"), golden("websocket_disconnect")
    assert came["requestContext"]["connectionId"] == connection
    for event in (came, expected):
        event["requestContext"]["identity"].pop("userAgent", None)
        event["requestContext"].pop("disconnectStatusCode"), event["requestContext"].pop("disconnectReason")
    assert shape(came) == shape(expected)


def test_the_schedule_is_as_documented(stand_in, function):
    stand_in("--cleanup-interval", "1s")
    came, expected = function.next(), golden("schedule")
    assert set(came) == set(expected)
    assert came["source"] == expected["source"] and came["detail-type"] == expected["detail-type"]


CHECK = """
import json, sys
from aws_lambda_powertools.utilities.parser import models
for line in sys.stdin:
    name, event = json.loads(line)
    getattr(models, name).model_validate(event)
print("all parsed")
"""


def test_events_are_parsed_by_a_library_that_is_not_ours(stand_in, function):
    python = Path(os.environ.get("TTF_POWERTOOLS", ROOT / "build/powertools/bin/python"))
    if not python.exists():
        if os.environ.get("CI"):
            raise AssertionError(f"no aws-lambda-powertools: {python} is not there")
        pytest.skip("no aws-lambda-powertools")
    lines = [(model, golden(name)) for name, model in (
        ("http_api_2_0", "APIGatewayProxyEventV2Model"), ("http_api_1_0", "APIGatewayProxyEventModel"),
        ("websocket_connect", "APIGatewayWebSocketConnectEventModel"), ("websocket_message", "APIGatewayWebSocketMessageEventModel"),
        ("websocket_disconnect", "APIGatewayWebSocketDisconnectEventModel"), ("dynamodb_stream", "DynamoDBStreamModel"),
        ("schedule", "EventBridgeModel"))]  # fmt: skip
    for payload, model in (("2.0", "APIGatewayProxyEventV2Model"), ("1.0", "APIGatewayProxyEventModel")):
        gateway = stand_in("--api-payload", payload)
        visit(gateway, "/a%20b?x=1&x=%C3%A4", headers=[("Cookie", "a=b; c=d"), ("User-Agent", "tests")])
        visit(gateway, "/", "POST", headers=[("User-Agent", "tests")], body=bytes(range(256)))
        lines += [(model, function.next()), (model, function.next())]
        lines[-1][1]["requestContext"].get("identity", {})
    with Socket(gateway.endpoint + "/?token=x") as agent:
        agent.send("hello")
        lines += [("APIGatewayWebSocketConnectEventModel", function.next("$connect"))]
        lines += [("APIGatewayWebSocketMessageEventModel", function.next("$default"))]
    lines += [("APIGatewayWebSocketDisconnectEventModel", function.next("$disconnect"))]
    wait_for_stream(gateway)
    put_completed(gateway, "x")
    lines += [("DynamoDBStreamModel", function.next())]
    text = "\n".join(json.dumps(line) for line in lines)
    ran = subprocess.run([python, "-c", CHECK], input=text, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and "all parsed" in ran.stdout, ran.stderr


def test_paths_are_decoded_and_queries_are_not(stand_in, function):
    gateway = stand_in()
    visit(gateway, "/a%2Fb/%41%C3%A4?q=%2F+%41&q=&&e")
    event = function.next()
    assert event["rawPath"] == "/a/b/Aä" == event["requestContext"]["http"]["path"]
    assert event["rawQueryString"] == "q=%2F+%41&q=&&e"
    assert event["queryStringParameters"] == {"q": "/ A,", "e": ""}


def test_trace_ids_are_well_formed(stand_in, function):
    gateway = stand_in()
    root = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"
    visit(gateway), visit(gateway)
    fields = [function.next()["headers"]["x-amzn-trace-id"] for _ in range(2)]
    assert all(re.fullmatch(root, field) for field in fields) and len(set(fields)) == 2
    assert len(set(function.traces)) == 2
    assert all(re.fullmatch(root + ";Parent=[0-9a-f]{16};Sampled=[01]", trace) for trace in function.traces)
    assert all(abs(int(trace[7:15], 16) - time.time()) < 60 for trace in fields + function.traces)


def test_what_the_function_is_told_to_be_the_websocket_api(start, function, tmp_path):
    """A function that knows wss:// alone gets that, of a proxy's."""
    for options, said in ([], r"ws://127\.0\.0\.1:\d+"), (["--websocket-url", "wss://a.example/dev"], "wss://a.example/dev"):
        bootstrap, variables = tmp_path / "bootstrap", tmp_path / "variables"
        bootstrap.write_text(f"#!/bin/sh\nenv >{variables}\nexec {sys.executable} {FUNCTION}\n")
        bootstrap.chmod(0o755)
        gateway = start._keep(aws.StandIn(start._folder("standin"), *options, bootstrap=bootstrap, env={"HANDLER": function.address}))
        assert visit(gateway).status == 200
        known = dict(line.split("=", 1) for line in variables.read_text().splitlines() if "=" in line)
        assert re.fullmatch(said, known["WEBSOCKET_API_ENDPOINT"])


def test_only_text_bodies_go_as_they_are(stand_in, function):
    gateway = stand_in()
    for content_type, body, is_text in [("application/json", '{"a":"ä"}'.encode(), True), ("text/plain", b"\xff", False),
                                        ("application/octet-stream", b"abc", False), (None, b"abc", False),
                                        ("application/x-www-form-urlencoded", b"a=b", False)]:  # fmt: skip
        visit(gateway, "/", "POST", headers=[("Content-Type", content_type)] if content_type else [], body=body)
        event = function.next()
        assert event["isBase64Encoded"] is not is_text
        assert (event["body"].encode() if is_text else base64.b64decode(event["body"])) == body
    visit(gateway)
    assert "body" not in (event := function.next()) and event["isBase64Encoded"] is False


def test_a_named_stage_stands_in_front_of_paths(stand_in, function):
    gateway = stand_in("--api-stage", "dev", "--api-custom-domain", "false")
    assert visit(gateway, "/dev/x/y").status == 200
    event = function.next()
    assert event["rawPath"] == "/dev/x/y" and event["requestContext"]["stage"] == "dev"
    assert event["requestContext"]["domainName"] == event["requestContext"]["apiId"] + ".execute-api.localhost"
    for target in ("/x", "/devx", "/"):
        answer = visit(gateway, target)
        assert answer.status == 404 and json.loads(answer.body) == {"message": "Not Found"}
    for target in ("", "/other", "/dev/x", "/devx"):
        with pytest.raises(InvalidStatusCode):
            Socket(gateway.endpoint + target)
    with Socket(gateway.endpoint + "/dev"), Socket(gateway.endpoint + "/dev/?a=b"):
        pass


def test_the_default_stage_stands_in_front_of_nothing(stand_in, function):
    gateway = stand_in("--api-custom-domain", "false", "--api-stage", "$default")
    assert visit(gateway, "/x/y").status == 200 and function.next()["rawPath"] == "/x/y"
    with Socket(gateway.endpoint), Socket(gateway.endpoint + "/$default"):
        pass


# ---- answers ----


def test_answers_of_payload_2_0(stand_in, function):
    gateway = stand_in()
    function.handle = lambda event: {"statusCode": 201, "headers": {"X-A": "1", "Content-Length": "99", "n": 5},
                                     "cookies": ["a=1; Path=/", "b=2"], "body": base64.b64encode(b"\0\xff").decode(),
                                     "isBase64Encoded": True}  # fmt: skip
    answer = visit(gateway)
    assert (answer.status, answer.body) == (201, b"\0\xff")
    assert answer.all("set-cookie") == ["a=1; Path=/", "b=2"] and answer.all("x-a") == ["1"] and answer.all("n") == ["5"]
    assert answer.all("apigw-requestid")
    function.handle = lambda event: {"hello": "there"}
    answer = visit(gateway)
    assert answer.status == 200 and json.loads(answer.body) == {"hello": "there"}
    assert answer.all("content-type") == ["application/json"]


def test_a_nul_in_an_answer_is_a_byte_of_the_body(stand_in, function):
    gateway = stand_in()
    function.handle = lambda event: {"statusCode": 200, "headers": {"a": "\0", "b": "2"}, "body": "one\0two"}
    answer = visit(gateway)
    assert (answer.status, answer.body, answer.all("a"), answer.all("b")) == (200, b"one\0two", [], ["2"])


def test_answers_of_payload_1_0(stand_in, function):
    gateway = stand_in("--api-payload", "1.0")
    function.handle = lambda event: {"statusCode": 200, "headers": {"a": "lost", "b": "2"},
                                     "multiValueHeaders": {"a": ["1", "2"]}, "body": "text"}  # fmt: skip
    answer = visit(gateway)
    assert answer.all("a") == ["1", "2"] and answer.all("b") == ["2"] and answer.body == b"text"
    function.handle = lambda event: {"hello": "there"}
    assert visit(gateway).status == 500


@pytest.mark.parametrize("bad", ["no JSON", '{"statusCode":99}', '{"statusCode":"x"}', '{"statusCode":200,"body":"*","isBase64Encoded":true}'])
def test_answers_that_make_no_sense_are_500(stand_in, function, bad):
    gateway = stand_in()
    function.handle = lambda event: bad
    answer = visit(gateway)
    assert answer.status == 500 and json.loads(answer.body) == {"message": "Internal Server Error"}


# ---- processes ----


def test_processes_are_started_on_demand_used_again_and_frozen(stand_in, function):
    gateway = stand_in()
    assert usage(gateway)["coldStarts"] == 0
    for _ in range(5):
        assert visit(gateway).status == 200
        wait_until(lambda: state_of(function.pids[0]) == "T")
    assert len(set(function.pids)) == 1
    assert 25_000 < function.deadlines[0] - time.time() * 1000 <= 30_000
    counted = usage(gateway)
    assert counted["coldStarts"] == 1 and counted["invocations"] == 5 and counted["billedMs"] >= 5


def test_what_a_process_has_started_is_frozen_and_killed_with_it(start, function, tmp_path):
    bootstrap, variables = tmp_path / "bootstrap", tmp_path / "variables"
    bootstrap.write_text(f"#!/bin/sh\nenv >{variables}\n{sys.executable} {FUNCTION}\n:\n")
    bootstrap.chmod(0o755)
    gateway = start._keep(aws.StandIn(start._folder("standin"), "--lambda-timeout", "3s", bootstrap=bootstrap,
                                      env={"HANDLER": function.address}))  # fmt: skip
    assert visit(gateway).status == 200
    wait_until(lambda: state_of(function.pids[0]) == "T")
    known = dict(line.split("=", 1) for line in variables.read_text().splitlines() if "=" in line)
    assert (known["LAMBDA_TASK_ROOT"], known["_HANDLER"]) == (str(tmp_path), "bootstrap")
    assert known["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST" and known["AWS_LAMBDA_RUNTIME_API"]
    go_on = threading.Event()
    function.handle = lambda event: go_on.wait(60) and OK
    assert visit(gateway).status == 503
    process = Path(f"/proc/{function.pids[0]}")
    wait_until(lambda: not process.exists() or state_of(process.name) == "Z")  # nobody here waits for it
    go_on.set()


def test_each_process_has_one_event_at_a_time(stand_in, function):
    gateway = stand_in()
    gate = threading.Barrier(8)
    function.handle = lambda event: gate.wait(60) >= 0 and OK
    assert [answer.status for answer in together(8, lambda n: visit(gateway))] == [200] * 8
    assert len(set(function.pids)) == 8 == usage(gateway)["coldStarts"]


def test_beyond_the_concurrency_is_503(stand_in, function):
    gateway = stand_in("--lambda-concurrency", "2", "--cleanup-interval", "3600s")  # it would be counted too
    busy, go_on = threading.Semaphore(0), threading.Event()
    function.handle = lambda event: (busy.release(), go_on.wait(60)) and OK
    results = []
    threads = [threading.Thread(target=lambda: results.append(visit(gateway).status)) for _ in range(2)]
    [thread.start() for thread in threads]
    busy.acquire(), busy.acquire()
    answer = visit(gateway)
    assert answer.status == 503 and json.loads(answer.body) == {"message": "Service Unavailable"}
    go_on.set()
    [thread.join() for thread in threads]
    assert results == [200, 200] and usage(gateway)["throttled"] == 1


def test_a_process_that_takes_too_long_is_killed(stand_in, function):
    gateway = stand_in("--lambda-timeout", "3s")
    go_on = threading.Event()
    function.handle = lambda event: go_on.wait(60) and OK
    assert visit(gateway).status == 503
    wait_until(lambda: not Path(f"/proc/{function.pids[0]}").exists())
    go_on.set()
    assert visit(gateway).status == 200
    counted = usage(gateway)
    assert counted["timeouts"] == 1 and counted["coldStarts"] == 2 and counted["billedMs"] >= 3000


def test_errors_and_ends_of_the_function_are_500_and_the_next_is_served(stand_in, function):
    gateway = stand_in()
    for ending in (Failure("no"), Exit()):

        def fail(event, ending=ending):
            raise ending

        function.handle = fail
        answer = visit(gateway)
        assert answer.status == 500 and json.loads(answer.body) == {"message": "Internal Server Error"}
        function.handle = lambda event: OK
        assert visit(gateway).status == 200
    assert usage(gateway)["errors"] == 2 and len(set(function.pids)) == 2


def test_idle_processes_end_after_a_while(stand_in, function):
    gateway = stand_in("--lambda-idle", "100ms")
    assert visit(gateway).status == 200
    wait_until(lambda: usage(gateway)["environments"] == 0)
    assert visit(gateway).status == 200 and len(set(function.pids)) == 2


def test_processes_die_with_the_stand_in(stand_in, function):
    gateway = stand_in()
    visit(gateway)
    gateway.kill()
    wait_until(lambda: not Path(f"/proc/{function.pids[0]}").exists())


def test_a_new_version_takes_over_without_a_gap(stand_in, function):
    gateway = stand_in()
    busy, go_on = threading.Event(), threading.Event()
    function.handle = lambda event: (busy.set(), go_on.wait(60)) and OK
    slow = []
    thread = threading.Thread(target=lambda: slow.append(visit(gateway).status))
    thread.start()
    assert busy.wait(60)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_err("a new version")
    function.handle = lambda event: OK
    assert visit(gateway).status == 200  # by a new process, while the old one works
    go_on.set()
    thread.join()
    assert slow == [200] and len(set(function.pids)) == 2
    wait_until(lambda: usage(gateway)["environments"] == 1)


# ---- bounds of the HTTP API ----


def test_throttled_visitors_get_429(stand_in):
    gateway = stand_in("--api-rate", "1", "--api-burst", "3")
    assert [visit(gateway).status for _ in range(3)] == [200] * 3
    wait_until(lambda: 429 in [answer.status for answer in together(8, lambda n: visit(gateway))])  # one is let in each second


def test_the_head_has_10240_bytes(stand_in, function):
    """The request line and the values of the fields, not their names."""
    gateway = stand_in()
    assert visit(gateway, headers=[("x", "a" * 10100)]).status == 200
    assert visit(gateway, headers=[(f"{'x' * 1000}{n}", "a" * 1000) for n in range(10)]).status == 200
    assert len(function.next()) and len(function.next())
    answer = visit(gateway, headers=[("x", "a" * 10240)])
    assert answer.status == 431 and function.events.empty()


def test_bodies_of_10_mb_and_payloads_of_6(stand_in, function):
    gateway = stand_in()
    plain = [("Content-Type", "text/plain")]
    assert visit(gateway, "/", "POST", headers=plain, body=b"a" * (5 << 20)).status == 200
    assert len(function.next()["body"]) == 5 << 20
    for size in (6_400_000, (10 << 20) + 1):  # the event is too large for Lambda; the body for API Gateway
        answer = visit(gateway, "/", "POST", headers=plain, body=b"a" * size)
        assert answer.status == 413 and json.loads(answer.body) == {"message": "Request Entity Too Large"}
    assert function.events.empty()
    function.handle = lambda event: {"statusCode": 200, "body": "a" * 6_300_000}
    assert visit(gateway).status == 500
    function.handle = lambda event: {"statusCode": 200, "body": "a" * 6_000_000}
    assert len(visit(gateway).body) == 6_000_000


@pytest.mark.parametrize("bad", [b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                                 b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"])  # fmt: skip
def test_malformed_requests_do_not_reach_the_function(stand_in, function, bad):
    gateway = stand_in()
    with http_raw.Connection(gateway.address) as connection:
        connection.send(bad)
        assert connection.read_response().status == 400
    assert function.events.empty()


# ---- the stream ----


def dynamodb():
    return aws.make_tables.client(aws.shared.dynamodb.endpoint)


def put_completed(gateway, *keys, status="completed"):
    for key in keys:
        dynamodb().put_item(TableName=gateway.tables["PENDING_REQUESTS_TABLE_NAME"],
                            Item={"requestId": {"S": key}, "status": {"S": status}})  # fmt: skip


def keys_of(event):
    """None of an event of the schedule."""
    return [record["dynamodb"]["Keys"]["requestId"]["S"] for record in event.get("Records", [])]


def no_more(function):
    return not any(map(keys_of, list(function.events.queue)))


def next_keys(function):
    while not (keys := keys_of(function.next())):
        pass
    return keys


def wait_for_stream(gateway):
    """The mapping reads from where the stream is when it begins."""
    wait_until(lambda: usage(gateway)["streamReads"] > 0)


def test_the_stream_is_filtered_and_in_order(stand_in, function):
    gateway = stand_in()
    wait_for_stream(gateway)
    put_completed(gateway, "p", status="pending")
    put_completed(gateway, *"abcdef")
    got = []
    while len(got) < 6:
        got += next_keys(function)
    assert got == list("abcdef")


def test_a_poison_record_does_not_block_the_stream(stand_in, function):
    gateway = stand_in("--stream-retries", "3")
    wait_for_stream(gateway)
    taken, alone = [], []

    def handle(event):
        if "bad" in keys_of(event):
            alone.extend(key for key in keys_of(event) if len(event["Records"]) == 1)
            raise Failure("poison")
        taken.extend(keys_of(event))
        return OK

    function.handle = handle
    put_completed(gateway, "a", "b", "bad", "c", "d")
    wait_until(lambda: len(taken) == 4, 40)
    assert taken == list("abcd") and alone == ["bad"] * 4  # once, and three times again: cuts are no tries
    wait_until(lambda: usage(gateway)["streamDropped"] == 1)
    put_completed(gateway, "e")
    wait_until(lambda: "e" in taken)


def test_what_a_function_reports_of_a_batch_comes_again(stand_in, function):
    gateway = stand_in()
    wait_for_stream(gateway)
    batches = []

    def handle(event):
        numbers = {key: record["dynamodb"]["SequenceNumber"] for key, record in zip(keys_of(event), event["Records"])}
        batches.append("".join(numbers))
        if "c" not in numbers or "abcde" not in "".join(batches) or batches.count("cde"):
            return OK
        return {"batchItemFailures": [{"itemIdentifier": numbers[key]} for key in "ecd"]}  # the first in the stream counts

    busy, go_on = threading.Event(), threading.Event()
    function.handle = lambda event: (busy.set(), go_on.wait(60)) and OK
    put_completed(gateway, "before")
    assert busy.wait(60)  # so that the next ones wait for each other, and are one batch
    put_completed(gateway, *"abcde")
    function.handle = handle
    go_on.set()
    wait_until(lambda: "".join(batches).endswith("e") and len(batches) > 1)
    assert batches == ["abcde", "cde"]


def test_a_report_that_makes_no_sense_is_a_failure_of_all(stand_in, function):
    gateway = stand_in("--stream-retries", "1")
    wait_for_stream(gateway)
    function.handle = lambda event: {"batchItemFailures": [{"itemIdentifier": ""}]}
    put_completed(gateway, "a")
    wait_until(lambda: usage(gateway)["streamDropped"] == 1)
    assert [next_keys(function), next_keys(function)] == [["a"], ["a"]]
    assert no_more(function)


AS_AWS_HAS_IT = ["--stream-retries", "2", "--stream-bisect", "false", "--stream-report-failures", "false", "--stream-max-age", "86400s"]


def in_one_batch(gateway, function, handle, *keys):
    busy, go_on = threading.Event(), threading.Event()
    function.handle = lambda event: (busy.set(), go_on.wait(60)) and OK
    put_completed(gateway, "before")
    assert busy.wait(60)  # so that the next ones wait for each other
    put_completed(gateway, *keys)
    function.handle = handle
    go_on.set()
    assert next_keys(function) == ["before"]


def test_without_bisecting_a_batch_stays_whole(stand_in, function):
    gateway = stand_in(*AS_AWS_HAS_IT)
    wait_for_stream(gateway)

    def fail(event):
        raise Failure("no")

    in_one_batch(gateway, function, fail, *"abc")
    wait_until(lambda: usage(gateway)["streamDropped"] == 3)
    assert [next_keys(function) for _ in range(3)] == [list("abc")] * 3 and no_more(function)


def test_reports_count_only_where_the_mapping_says_so(stand_in, function):
    gateway = stand_in(*AS_AWS_HAS_IT)
    wait_for_stream(gateway)
    function.handle = lambda event: {"batchItemFailures": [{"itemIdentifier": ""}]}
    put_completed(gateway, "a")
    assert next_keys(function) == ["a"]
    put_completed(gateway, "b")
    assert next_keys(function) == ["b"] and usage(gateway)["streamDropped"] == 0


def test_records_that_are_too_old_are_dropped(stand_in, function):
    gateway = stand_in("--stream-max-age", "2s", "--stream-bisect", "false", "--stream-retries", "10000")
    wait_for_stream(gateway)

    def fail(event):
        raise Failure("no")

    function.handle = fail
    put_completed(gateway, "old")
    wait_until(lambda: usage(gateway)["streamDropped"] == 1, 40)
    function.handle = lambda event: OK
    put_completed(gateway, "new")
    seen = []
    while "new" not in seen:
        seen += next_keys(function)
    assert seen.count("old") >= 2 and seen.count("new") == 1


def test_records_are_of_the_region(stand_in, function):
    gateway = stand_in(env={"AWS_REGION": "eu-west-1"})
    wait_for_stream(gateway)
    put_completed(gateway, "a")
    while "Records" not in (event := function.next()):
        pass
    record = event["Records"][0]
    assert record["awsRegion"] == "eu-west-1" and record["eventSourceARN"].startswith("arn:aws:dynamodb:eu-west-1:")
    assert "/stream/" in record["eventSourceARN"]


# ---- settings ----


@pytest.mark.parametrize("options, said", [
    ([], "bootstrap: expected the function"), (["--bootstrap", "x"], "dynamodb-endpoint: expected the URL"),
    (["--agent-protocols", "v1"], "unknown flag \"--agent-protocols\": it is a setting of ttf-gateway"),
    (["--bootstrap", "/nonexistent", "--dynamodb-endpoint", "http://127.0.0.1:1"], "No such file"),
    (["--bootstrap", "/bin/true", "--dynamodb-endpoint", "http://127.0.0.1:1", "--api-payload", "3"], "2.0 or 1.0"),
    (["--bootstrap", "/bin/true", "--dynamodb-endpoint", "http://127.0.0.1:1", "--stream-table", "t",
      "--stream-filter", '{"a":[{"numeric":[">",1]}]}'], "none of prefix"),
    (["--bootstrap", "x", "--description", "/nonexistent"], "/nonexistent: No such file"),
    (["--bootstrap", "x", "--description", aws.DESCRIPTIONS / "dev.json", "--api-stage", "prod"],
     "dev.json: stage contradict each other"),
    (["--bootstrap", "/bin/true", "--dynamodb-endpoint", "http://127.0.0.1:1", "--names", ",".join(["x" * 60 + ".example"] * 58)],
     "4 KB of variables"),
])  # fmt: skip
def test_settings_that_make_no_sense_are_said(start, options, said):
    program = start.program(BIN / "ttf-apigw", "--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0",
                            "--admin-listen", "127.0.0.1:0", *options, expect_killed=True)  # fmt: skip
    assert program.wait_exit() in (1, 2)
    assert said in "\n".join(program.err)


@pytest.mark.parametrize("options, said", [
    (["--backend", "lambda"], "ttf-apigw"), (["--backend", "other"], "expected gateway"),
    (["--bootstrap", "x"], "it is a setting of ttf-apigw"),
])  # fmt: skip
def test_a_gateway_says_what_the_stand_in_is_called(start, options, said):
    program = start.program(BIN / "ttf-gateway", *options, expect_killed=True)
    assert program.wait_exit() == 2
    assert said in "\n".join(program.err)
