"""bootstrap between a Runtime API of ours, DynamoDB Local and an @connections of ours."""

import base64
import hmac
import json
import re
import random
import threading
import time

import pytest

import events
from tokens import key_set_and_token
from world import Failed

BODY = random.Random(3).randbytes(2 * 1024 * 1024)


def host_of(agent):
    return f"{agent.tunnel}.tunnel.example.com"


def body_of(answer):
    return base64.b64decode(answer["body"])


def wait_until(check, seconds=60):
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- the way of a request ----


def test_connect_ready_request_disconnect(aws, pair):
    visitors, agents, agent = pair
    assert agent.established["public_url"] == f"https://{agent.tunnel}.tunnel.example.com"
    assert agent.established["path_based_url"] == f"https://tunnel.example.com/{agent.tunnel}"
    answer = visitors.invoke(events.http2("/a?b=%20&b", host=host_of(agent)))
    assert answer["statusCode"] == 200 and answer["headers"]["x-uri"] == "/a?b=%20&b"
    visitors.idle()
    assert aws.tables.items(aws.tables.requests) == [], "nothing of a request outlives it"
    agent.leave()
    claim = aws.tables.item(aws.tables.connections, "tunnel#" + agent.tunnel)
    assert claim["claimState"] == {"S": "offline"} and "tunnelId" not in claim
    assert aws.tables.item(aws.tables.connections, agent.connection_id) is None


def test_what_stands_in_the_tables(aws):
    function = aws.function()
    seen = {}

    def answer(request):
        seen.update(aws.tables.item(aws.tables.requests, request["request_id"]))
        return {}

    agents = aws.function()
    agent = aws.agent(agents, answer).up()
    connection = aws.tables.item(aws.tables.connections, agent.connection_id)
    assert connection["tunnelId"] == {"S": agent.tunnel} and connection["publicUrl"] == {"S": f"https://{host_of(agent)}"}
    assert int(connection["ttl"]["N"]) - int(connection["createdAt"]["N"]) in range(7190, 7210)
    event = events.http2("/", host=host_of(agent))
    function.invoke(event)
    assert seen["connectionId"] == {"S": agent.connection_id} and seen["status"] == {"S": "pending"}
    assert seen["apiGatewayRequestId"] == {"S": event["requestContext"]["requestId"]}


def test_what_the_agent_gets(pair):
    visitors, _, agent = pair
    event = events.http1("/p", "POST", [("X-A", "1"), ("X-A", "2"), ("X-Tunnel-Id", "x"), ("Connection", "close")],
                         b"\x00\xff", host=host_of(agent))  # fmt: skip
    answer = visitors.invoke(event)
    assert answer["multiValueHeaders"]["x-uri"] == ["/p"] and body_of(answer) == b"\x00\xff"
    request = agent.requests[-1]
    assert request["method"] == "POST" and request["headers"]["x-a"] == ["1", "2"]
    assert request["headers"]["x-forwarded-for"] == ["192.0.2.1"] and request["headers"]["x-forwarded-proto"] == ["https"]
    assert not {"x-tunnel-id", "connection"} & set(request["headers"])


def test_repeated_fields_of_an_answer(aws):
    visitors, agents = aws.function(), aws.function()
    fields = {"set-cookie": ["a=1; Path=/", "b=2"], "vary": ["a", "b"], "x": ["\u00e9"]}
    agent = aws.agent(agents, lambda request: {"headers": fields}).up()
    answer = visitors.invoke(events.http2("/", host=host_of(agent)))
    assert answer["cookies"] == fields["set-cookie"] and answer["headers"]["vary"] == "a, b"
    assert "set-cookie" not in answer["headers"]
    answer = visitors.invoke(events.http1("/", host=host_of(agent)))
    assert {name: answer["multiValueHeaders"][name] for name in fields} == fields


@pytest.mark.parametrize("many", [False, True], ids=["single", "multi-value"])
def test_behind_a_load_balancer(aws, many):
    visitors, agents = aws.function(), aws.function()
    fields = {"set-cookie": ["a=1", "b=2", "c=3"], "vary": ["a", "b"]}
    agent = aws.agent(agents, lambda request: {"body": request["body"], "headers": fields}).up()
    answer = visitors.invoke(events.alb("/a%2Fb?q=%26+%C3%A4&r", "POST", [("X-Forwarded-For", "203.0.113.9"), ("X-A", "1")],
                                        b"\0\xff", host=host_of(agent), many=many))  # fmt: skip
    assert answer["statusCode"] == 200 and body_of(answer) == b"\0\xff"
    request = agent.requests[-1]
    assert (request["method"], request["uri"]) == ("POST", "/a%2Fb?q=%26+%C3%A4&r=")
    assert request["headers"]["x-forwarded-for"] == ["192.0.2.7"] and request["headers"]["x-forwarded-proto"] == ["http"]
    assert request["headers"]["x-a"] == ["1"] and request["headers"]["x-forwarded-host"] == [host_of(agent)]
    if many:
        assert "headers" not in answer and {name: answer["multiValueHeaders"][name] for name in fields} == fields
    else:
        cookies = [value for name, value in answer["headers"].items() if name.lower() == "set-cookie"]
        assert cookies == fields["set-cookie"] and answer["headers"]["vary"] == "a, b" and "multiValueHeaders" not in answer
    missing = visitors.invoke(events.alb("/", host="nobodyishere.tunnel.example.com", many=many))
    assert missing["statusCode"] == 404


def test_a_named_stage_without_a_domain_of_its_own(aws):
    own = "abc123.execute-api.eu-west-1.amazonaws.com"
    environment = {"DOMAIN_NAME": own, "ENABLE_SUBDOMAIN_ROUTING": "false"}
    visitors, agents = aws.function(**environment), aws.function(**environment)
    agent = aws.agent(agents, lambda request: {"headers": {"x-uri": [request["uri"]]}}).up()
    assert agent.established["public_url"] == f"https://{own}/dev/{agent.tunnel}"
    context = {"host": own, "stage": "dev", "apiId": "abc123"}
    answer = visitors.invoke(events.http2(f"/dev/{agent.tunnel}/x y?z", **context))
    assert answer["headers"]["x-uri"] == "/x%20y?z"
    answer = visitors.invoke(events.http1(f"/dev/{agent.tunnel}/", **context))
    assert answer["multiValueHeaders"]["x-uri"] == ["/"]
    answer = visitors.invoke(events.http1(f"/dev/{agent.tunnel}", **context))
    assert (answer["statusCode"], answer["multiValueHeaders"]["location"]) == (308, [f"/dev/{agent.tunnel}/"])


@pytest.mark.parametrize("size", [0, 1, 90_000, 120_000, 400_000, 2 * 1024 * 1024])
def test_bodies_both_ways(aws, size):
    """Through messages of 128 KB and items of 400 KB: each piece of an answer is an invocation of its own."""
    visitors, agents, others = aws.function(), aws.function(), aws.function()

    class Chunked(type(aws.agent(agents))):
        def receive(self, text):
            message = json.loads(text)
            if message["type"] != "chunk":
                return super().receive(text)
            pieces = self.__dict__.setdefault("pieces", {})
            pieces[message["seq"]] = message["data"]
            if len(pieces) == message["total"]:
                super().receive("".join(pieces[seq] for seq in sorted(pieces)))

        def respond(self, request):
            text = json.dumps({"type": "http_response", "request_id": request["request_id"], "status_code": 200,
                               "headers": {}, "body": request["body"]})  # fmt: skip
            data = [text[at : at + 100_000] for at in range(0, len(text), 100_000)]
            if len(data) == 1:
                self.say(json.loads(text))
                return
            pieces = [{"type": "chunk", "request_id": request["request_id"], "seq": seq, "total": len(data), "data": piece}
                      for seq, piece in enumerate(data)]  # fmt: skip
            random.Random(4).shuffle(pieces)
            for number, piece in enumerate(pieces + pieces[:2]):
                (agents if number % 2 else others).begin(events.message(self.connection_id, piece))

    agent = Chunked(aws.connections, agents).up("chunks")
    answer = visitors.invoke(events.http2("/", "POST", host=host_of(agent), body=BODY[:size]))
    assert answer["statusCode"] == 200 and body_of(answer) == BODY[:size]
    for function in (visitors, agents, others):
        function.idle()
    assert aws.tables.items(aws.tables.requests) == []


def test_a_large_request_for_an_agent_without_chunks(aws):
    visitors, agents = aws.function(), aws.function()
    agent = aws.agent(agents).up()
    answer = visitors.invoke(events.http2("/", "POST", host=host_of(agent), body=b"x" * 200_000))
    assert answer["statusCode"] == 413 and answer["headers"]["x-tunnel-error"] == "body_too_large"


@pytest.mark.parametrize("status, code, target, headers, size", [
    (431, "headers_too_large", "/", {"x": "y" * 8193}, None),
    (414, "uri_too_long", "/" + "x" * 2048, {}, None),
    (413, "body_too_large", "/", {}, 2 * 1024 * 1024 + 1),
    (200, None, "/" + "x" * 2047, {"x": "y" * 8192}, 2 * 1024 * 1024),
], ids=["value", "path", "body", "all that fits"])  # fmt: skip
def test_bounds_that_are_the_functions(aws, status, code, target, headers, size):
    """As docs/AWS.md lists them."""
    visitors, agents = aws.function(), aws.function()
    agent = aws.agent(agents).up("chunks")
    if status == 200:
        agent.receive = lambda text: None if '"seq":0' not in text else agent.say(
            {"type": "http_response", "request_id": json.loads(text)["request_id"], "status_code": 200, "headers": {}, "body": ""})
    answer = visitors.invoke(events.http2(target, "POST", headers=headers, host=host_of(agent), body=size and b"x" * size))
    assert answer["statusCode"] == status and answer["headers"].get("x-tunnel-error") == code


def test_the_agents_own_errors(aws):
    visitors, agents = aws.function(), aws.function()

    class Failing(type(aws.agent(agents))):
        def respond(self, request):
            self.say({"type": "error", "request_id": request["request_id"], "code": "local_service_unavailable", "message": ""})

    agent = Failing(aws.connections, agents).up()
    answer = visitors.invoke(events.http2("/", host=host_of(agent)))
    assert answer["statusCode"] == 503 and answer["headers"]["x-tunnel-error"] == "local_service_unavailable"


# ---- agents come and go ----


def test_no_such_tunnel(aws):
    answer = aws.function().invoke(events.http2("/", host="nobodyishere.tunnel.example.com"))
    assert answer["statusCode"] == 404 and answer["headers"]["x-tunnel-error"] == "tunnel_not_found"


def test_refused_agents(aws):
    function = aws.function()
    assert aws.agent(function).connect(headers={"Origin": "https://evil.example"})["statusCode"] == 403
    assert aws.agent(function).connect(query={"name": "-"})["statusCode"] == 400
    assert aws.agent(function).connect(query={"name": "mine"})["statusCode"] == 200
    assert aws.agent(function).connect(query={"name": "mine"})["statusCode"] == 409


def test_names_of_the_gateways_own(aws):
    function = aws.function()
    answer = aws.agent(function).connect(query={"name": "admin"})
    assert answer["statusCode"] == 403
    function = aws.function(ALLOWED_NAMES="admin, xn--bcher-kva")
    assert aws.agent(function).connect(query={"name": "admin"})["statusCode"] == 200
    assert aws.agent(function).connect(query={"name": "xn--bcher-kva"})["statusCode"] == 200
    assert aws.agent(function).connect(query={"name": "api"})["statusCode"] == 403


def test_a_key_set_that_others_can_write_is_refused(aws, tmp_path):
    path = tmp_path / "jwks.json"
    path.write_text(key_set_and_token("me")[0])
    path.chmod(0o666)
    function = aws.function(REQUIRE_AUTH="true", JWKS_PATH=str(path))
    assert function.process.wait(60) == 1
    assert function.init_error["errorMessage"] == f"JWKS_PATH: {path}: others can write the file (chmod go-w)"


def token_of(subject, secret):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    text = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps({"sub": subject, "exp": int(time.time()) + 600}).encode())
    return (text + b"." + part(hmac.digest(secret.encode(), text, "sha256"))).decode()


def test_agents_that_must_show_a_token(aws):
    secret = "a secret of thirty-two bytes, or more"
    function = aws.function(REQUIRE_AUTH="true", JWT_SECRET=secret)
    mine, others = token_of("me", secret), token_of("another", secret)
    assert aws.agent(function).connect()["statusCode"] == 401
    assert aws.agent(function).connect(query={"token": token_of("me", secret + "x")})["statusCode"] == 401
    assert aws.agent(function).connect(headers={"Authorization": f"Bearer {mine}"}, query={"name": "mine"})["statusCode"] == 200
    assert aws.agent(function).connect(query={"token": others, "name": "mine"})["statusCode"] == 409
    again = aws.agent(function)
    assert again.connect(query={"token": mine, "name": "mine"})["statusCode"] == 200
    assert again.ready().tunnel == "mine"


@pytest.mark.parametrize("how", ["text", "file", "text over a file"])
def test_tokens_of_a_key_set(aws, tmp_path, how):
    keys, token = key_set_and_token("me")
    path = tmp_path / "jwks.json"
    path.write_text(keys if how == "file" else "{}")
    environment = {"text": {"JWKS": keys}, "file": {"JWKS": "", "JWKS_PATH": str(path)},
                   "text over a file": {"JWKS": keys, "JWKS_PATH": str(path)}}[how]  # fmt: skip
    function = aws.function(REQUIRE_AUTH="true", **environment)
    assert aws.agent(function).connect()["statusCode"] == 401
    assert aws.agent(function).connect(query={"token": key_set_and_token("me")[1]})["statusCode"] == 401
    assert aws.agent(function).connect(query={"token": token_of("me", keys)})["statusCode"] == 401
    assert aws.agent(function).connect(query={"token": token, "name": "mine"})["statusCode"] == 200


def test_keys_are_looked_at_only_where_tokens_are(aws):
    """Nor need the default file be there, or a text that is empty say anything."""
    secret = "a secret of thirty-two bytes, or more"
    for environment in {"JWKS": "", "JWT_SECRET": secret, "REQUIRE_AUTH": "true"}, {"JWKS_PATH": "/nonexistent"}:
        function = aws.function(**environment)
        assert aws.agent(function).connect(query={"token": token_of("me", secret)})["statusCode"] == 200


def test_an_agent_that_comes_back_keeps_its_tunnel(aws, pair):
    visitors, agents, agent = pair
    again = aws.agent(agents, lambda request: {"headers": {"x-who": ["again"]}})
    again.up("resume", headers={"x-tunnel-resume": agent.established["resume"]})
    assert again.tunnel == agent.tunnel
    assert agent.wait_for("error")["code"] == "taken_over"
    assert visitors.invoke(events.http2("/", host=host_of(again)))["headers"]["x-who"] == "again"
    listed = aws.tables.client.query(
        TableName=aws.tables.connections, IndexName="tunnel-id-index", KeyConditionExpression="tunnelId = :t",
        ExpressionAttributeValues={":t": {"S": agent.tunnel}})["Items"]  # fmt: skip
    assert [item["connectionId"]["S"] for item in listed] == [again.connection_id], "an earlier version lists these"
    agent.leave()
    assert visitors.invoke(events.http2("/", host=host_of(again)))["statusCode"] == 200


def test_a_request_between_connect_and_ready(aws):
    visitors, agents = aws.function(), aws.function()
    agent = aws.agent(agents)
    agent.connect(query={"name": "early"})
    waiting = visitors.begin(events.http2("/", host="early.tunnel.example.com"))
    time.sleep(0.3)  # it must wait, however long: this is what the test is about
    assert not waiting.done.is_set()
    agent.ready()
    assert waiting.result()["statusCode"] == 200


def killed_in_flight(aws, method):
    visitors, agents = aws.function(), aws.function()
    dead = aws.agent(agents, lambda request: None).up("resume")
    waiting = visitors.begin(events.http2("/", method, host=host_of(dead)))
    wait_until(lambda: dead.requests)
    dead.leave()
    again = aws.agent(agents, lambda request: {"headers": {"x-who": ["again"]}})
    again.up("resume", headers={"x-tunnel-resume": dead.established["resume"]})
    return waiting.result(), dead, again


def test_an_agent_that_dies_in_flight_get(aws):
    answer, dead, again = killed_in_flight(aws, "GET")
    assert answer["headers"].get("x-who") == "again"
    assert again.requests[0]["request_id"] != dead.requests[0]["request_id"]
    aws.functions[0].idle()
    assert aws.tables.items(aws.tables.requests) == []


def test_an_agent_that_dies_in_flight_post(aws):
    answer, _, again = killed_in_flight(aws, "POST")
    assert answer["statusCode"] == 502 and answer["headers"]["x-tunnel-error"] == "agent_lost"
    assert again.requests == []


def test_an_agent_that_is_gone_and_nobody_said_so(aws, pair):
    visitors, agents, agent = pair
    agent.leave(tell=False)
    waiting = visitors.begin(events.http2("/", host=host_of(agent)))
    claim = "tunnel#" + agent.tunnel
    wait_until(lambda: aws.tables.item(aws.tables.connections, claim)["claimState"] == {"S": "offline"})
    again = aws.agent(agents)
    again.up("resume", headers={"x-tunnel-resume": agent.established["resume"]})
    assert waiting.result()["statusCode"] == 200
    assert again.requests


def test_connection_established_is_tried_three_times(aws):
    function = aws.function()
    agent = aws.agent(function)
    agent.connect()
    aws.connections.answers = [500, 500]
    agent.ready()
    assert len(aws.connections.posts) == 3


def test_a_post_whose_fate_is_unknown_is_not_made_twice(aws, pair):
    visitors, _, agent = pair
    visitors.invoke(events.http2("/", host=host_of(agent)))
    before = len(aws.connections.posts)
    aws.connections.answers = [500]
    answer = visitors.invoke(events.http2("/", host=host_of(agent)))
    assert answer["statusCode"] == 503 and len(aws.connections.posts) == before + 1


def test_agents_are_told_how_often_to_ping(pair):
    assert pair[2].established["heartbeat_seconds"] == 300


def test_a_kept_connection_that_is_dead_costs_nothing(aws, pair):
    """It is made once more, on a fresh connection, and not a third time."""
    visitors, _, agent = pair
    for cuts, status in ([None], 200), ([None, None], 503), ([None], 200):
        assert visitors.invoke(events.http2("/", host=host_of(agent)))["statusCode"] == 200
        before = len(aws.connections.posts)
        aws.connections.answers = list(cuts)
        answer = visitors.invoke(events.http2("/", host=host_of(agent), method="POST", body=b"x" * 3000))
        assert answer["statusCode"] == status and len(aws.connections.posts) == before + 2


# ---- tunnels of an earlier version ----


def test_a_tunnel_of_an_earlier_version(aws):
    visitors, agents = aws.function(), aws.function()
    agent = aws.agent(agents)
    now = str(int(time.time()))
    aws.tables.client.put_item(TableName=aws.tables.connections, Item={
        "connectionId": {"S": agent.connection_id}, "tunnelId": {"S": "oldtunnel123"}, "publicUrl": {"S": "https://x"},
        "createdAt": {"N": now}, "ttl": {"N": str(int(now) + 7200)}})  # fmt: skip
    aws.connections.agents[agent.connection_id] = agent
    host = "oldtunnel123.tunnel.example.com"
    assert visitors.invoke(events.http2("/", host=host))["statusCode"] == 200
    agent.ready()
    assert agent.tunnel == "oldtunnel123"
    assert visitors.invoke(events.http2("/", host=host))["statusCode"] == 200
    agent.leave()
    assert aws.tables.item(aws.tables.connections, agent.connection_id) is None


# ---- many at once ----


def test_forty_requests_on_cold_environments(aws):
    agents = aws.function()
    agent = aws.agent(agents, lambda request: {"headers": {"x-uri": [request["uri"]]}}).up()
    cold = [aws.function() for _ in range(8)]
    waiting = [cold[n % len(cold)].begin(events.http2(f"/{n}", host=host_of(agent)), seconds=100) for n in range(40)]
    answers = [one.result() for one in waiting]
    assert [answer["headers"]["x-uri"] for answer in answers] == [f"/{n}" for n in range(40)]


def test_two_agents_want_one_name_at_once(aws):
    functions = [aws.function() for _ in range(4)]
    statuses = []
    threads = [
        threading.Thread(target=lambda f=f: statuses.append(aws.agent(f).connect(query={"name": "prize"})["statusCode"]))
        for f in functions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [200, 409, 409, 409]


def test_nul_is_one_odd_request(aws, pair):
    """API Gateway decodes paths and parameters; NUL is %00 to the service, as at the gateway."""
    visitors, _, agent = pair
    event = events.http2("/x", host=host_of(agent), method="POST")
    event |= {"rawPath": "/a\0b", "rawQueryString": "q=%00&%00=1", "queryStringParameters": {"q": "\0", "\0": "1"},
              "body": "one\0two", "isBase64Encoded": False}  # fmt: skip
    answer = visitors.invoke(event)
    assert answer["statusCode"] == 200 and answer["headers"]["x-uri"].endswith("/a%00b?q=%00&%00=1")
    assert base64.b64decode(answer["body"]) == b"one\0two" if answer["isBase64Encoded"] else answer["body"] == "one\0two"


# ---- schedule and stream ----


def test_cleanup_removes_what_has_expired(aws, pair):
    visitors, _, agent = pair
    client, old, new = aws.tables.client, str(int(time.time()) - 10), str(int(time.time()) + 1000)
    for number, ttl in enumerate([old, old, new]):
        client.put_item(TableName=aws.tables.connections, Item={"connectionId": {"S": f"c{number}"}, "ttl": {"N": ttl}})
        client.put_item(TableName=aws.tables.requests, Item={"requestId": {"S": f"r{number}"}, "ttl": {"N": ttl}})
    answer = visitors.invoke(events.schedule())
    assert set(answer) == {"connectionsDeleted", "requestsDeleted", "timestamp"}
    assert abs(answer["timestamp"] - time.time()) < 30
    left = {item["connectionId"]["S"] for item in aws.tables.items(aws.tables.connections)}
    assert left == {"c2", agent.connection_id, "tunnel#" + agent.tunnel}
    assert [item["requestId"]["S"] for item in aws.tables.items(aws.tables.requests)] == ["r2"]


@pytest.mark.parametrize("seconds", [30, 0])
def test_cleanup_goes_through_all_pages(aws, pair, seconds):
    """Within one invocation, or, where there is no time, a page an invocation, each in an environment that is new."""
    visitors, _, agent = pair
    client, old, new = aws.tables.client, str(int(time.time()) - 10), str(int(time.time()) + 1000)
    tables = (aws.tables.requests, "requestId"), (aws.tables.connections, "connectionId")
    for table, key in tables:
        items = [{key: {"S": f"r{n}"}, "ttl": {"N": old if n % 13 == 0 else new}, "more": {"S": "x" * 2000}} for n in range(1300)]
        for at in range(0, len(items), 25):
            client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in items[at : at + 25]]})
    answers = []
    for turn in range(1 if seconds else 3):
        function = aws.function() if turn else visitors
        function.idle()

        def is_as_far():
            """What is through is forgotten. On a busy machine there may be no time for a page at all."""
            answers.append(function.invoke(events.schedule(), seconds=seconds or 2.9))  # noqa: B023
            place = aws.tables.item(aws.tables.connections, "sweep#place")
            return (place is not None) == (turn < 2 and not seconds)  # noqa: B023

        wait_until(is_as_far, 0 if seconds else 60)
    assert seconds or answers[0]["requestsDeleted"] < 70, "a page, and no more"
    assert visitors.invoke(events.http2("/", host=host_of(agent)))["statusCode"] == 200
    for table, _ in tables:  # some of them DynamoDB may have removed itself
        items = aws.tables.items(table)
        assert not [item for item in items if item.get("ttl", {}).get("N") == old], answers
        assert len(items) >= 1200


def record(number, **image):
    return {"eventName": "MODIFY", "eventSource": "aws:dynamodb",
            "dynamodb": {"SequenceNumber": str(number), "NewImage": {k: {"S": v} for k, v in image.items()}}}  # fmt: skip


def test_a_stream_is_taken_as_it_is(aws):
    answer = aws.function().invoke(events.golden("dynamodb_stream"))
    assert answer == {"statusCode": 200, "batchItemFailures": []}


def test_poison_in_a_stream_holds_nothing_up(aws):
    poison = [{"eventSource": "aws:dynamodb"}, {"eventSource": "aws:dynamodb", "dynamodb": "x"}, 7, None, [],
              {"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": 1, "NewImage": []}}]  # fmt: skip
    answer = aws.function().invoke(events.stream(*poison))
    assert answer == {"statusCode": 200, "batchItemFailures": []}


# ---- the process ----


def test_cut_by_the_deadline(aws):
    visitors, agents = aws.function(), aws.function()
    agent = aws.agent(agents, lambda request: None).up()
    began = time.monotonic()
    answer = visitors.invoke(events.http2("/", host=host_of(agent)), seconds=3)
    assert answer["statusCode"] == 504 and answer["headers"]["x-tunnel-error"] == "timeout"
    assert time.monotonic() - began < 3
    visitors.idle()
    assert aws.tables.items(aws.tables.requests) == []


@pytest.mark.parametrize("name", sorted(path.stem for path in (events.GOLDEN.parent / "bad").glob("*.json")))
def test_bad_events(shared_function, name):
    text = (events.GOLDEN.parent / "bad" / f"{name}.json").read_bytes()
    with pytest.raises(Failed) as failed:
        shared_function.invoke(text)
    assert failed.value.error["errorType"] == "Handler.BadEvent" and failed.value.error["errorMessage"]
    answer = shared_function.invoke(events.golden("dynamodb_stream"))
    assert answer["statusCode"] == 200, "the next event is served"


@pytest.mark.parametrize(
    "message",
    ["", "{", "[]", '"x"', '{"type":"http_response"}', '{"type":"http_response","request_id":"x","status_code":"y"}',
     '{"type":"chunk","request_id":"a","seq":9,"total":2,"data":"x"}', '{"type":"nonsense"}', "\u00ff" * 1000,
     '{"type":"http_response","request_id":"x#1","status_code":200,"headers":{},"body":""}'],
)  # fmt: skip
def test_bad_messages_of_agents_are_dropped(shared_function, message):
    assert shared_function.invoke(events.message("nobody=", message)) == {"statusCode": 200}


@pytest.fixture(scope="module")
def shared_function(dynamodb):
    from conftest import Tables, World

    tables = Tables(dynamodb.endpoint)
    aws = World(tables)
    yield aws.function()
    aws.stop()
    tables.drop()


def test_metrics_are_told_when_asked_for(aws):
    silent, loud = aws.function(), aws.function(METRICS="emf")
    for function in (silent, loud):
        function.invoke(events.http2("/?token=hush-token", host="nobodyishere.tunnel.example.com"))
        function.idle()
    wait_until(lambda: '"_aws"' in "".join(loud.log))
    told = [json.loads(line) for line in "".join(loud.log).splitlines() if '"_aws"' in line]
    assert len(told) == 1 and '"_aws"' not in "".join(silent.log)
    line = told[0]
    assert (line["status"], line["ttf_requests_total"], line["ttf_request_errors_total"]) == ("4xx", 1, 1)
    assert line["error"] == "tunnel_not_found" and 0 < line["ttf_request_duration_seconds"] < 30
    names = {metric["Name"] for directive in line["_aws"]["CloudWatchMetrics"] for metric in directive["Metrics"]}
    assert names == {name for name in line if name.startswith("ttf_")}


def test_nothing_secret_is_logged(aws, pair):
    visitors, agents, agent = pair
    agent.leave()
    aws.agent(agents).connect(query={"token": "hush-token", "resume": agent.established["resume"]})
    visitors.invoke(events.http2("/?token=hush-token", headers={"authorization": "Bearer hush-header"}, host=host_of(agent)))
    loud = aws.function(LOG_LEVEL="debug")
    loud.invoke(events.http2("/?token=hush-token", host="nobodyishere.tunnel.example.com"))
    for function in aws.functions:
        function.idle()
    text = "".join(sum((function.log for function in aws.functions), []))
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines and all({"timestamp", "time", "level", "component", "message"} <= set(line) for line in lines)
    for line in lines:  # what Lambda's filter wants to see (RFC 3339), and what there was before
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"]) and line["time"] == line["timestamp"]
        assert line["level"] in ("ERROR", "WARN", "INFO", "DEBUG")
    assert any(line.get("requestId") and line.get("tunnelId") == agent.tunnel for line in lines)
    for secret in ("hush", agent.established["resume"], "a secret of the tests", "Signature=", '"session"'):
        assert secret not in text


@pytest.mark.parametrize(
    "change, said",
    [
        ({"CONNECTIONS_TABLE_NAME": None}, "CONNECTIONS_TABLE_NAME"),
        ({"PENDING_REQUESTS_TABLE_NAME": None}, "PENDING_REQUESTS_TABLE_NAME"),
        ({"WEBSOCKET_API_ENDPOINT": None}, "WEBSOCKET_API_ENDPOINT"),
        ({"DOMAIN_NAME": None}, "DOMAIN_NAME"),
        ({"AWS_REGION": None}, "AWS_REGION"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "AWS_SECRET_ACCESS_KEY"),
        ({"REQUIRE_AUTH": None}, "REQUIRE_AUTH"),
        ({"REQUIRE_AUTH": "true"}, "JWT_SECRET"),
        ({"REQUIRE_AUTH": "true", "JWT_SECRET": "short"}, "JWT_SECRET"),
        ({"REQUIRE_AUTH": "true", "JWT_SECRET": "default-secret-change-in-production"}, "JWT_SECRET"),
        ({"REQUIRE_AUTH": "false", "JWT_SECRET": "default-secret-change-in-production", "TUNNEL_SECRET": None}, "JWT_SECRET"),
        ({"REQUIRE_AUTH": "true", "JWT_SECRET": "0123456789" * 4}, "JWT_SECRET"),
        ({"REQUIRE_AUTH": "true", "JWT_SECRET": "short", "JWKS": '{"keys":[]}'}, "JWKS"),
        ({"REQUIRE_AUTH": "true", "JWKS": '{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}'}, "JWKS"),
        ({"REQUIRE_AUTH": "true", "JWKS_PATH": "/nonexistent/jwks.json"}, "JWKS_PATH"),
        ({"REQUIRE_AUTH": "true", "JWKS": "", "JWKS_PATH": "/"}, "JWKS_PATH"),
        ({"REQUIRE_AUTH": "true", "JWKS_URL": "http://issuer/keys", "JWT_AUDIENCE": "a"}, "JWKS_URL"),
        ({"REQUIRE_AUTH": "true", "JWKS_URL": "https://a:b@issuer/keys", "JWT_AUDIENCE": "a"}, "JWKS_URL"),
        ({"REQUIRE_AUTH": "true", "JWKS_URL": "https://issuer/keys"}, "JWKS_URL"),
        ({"REQUIRE_AUTH": "true", "JWKS_URL": "https://issuer/keys", "JWT_AUDIENCE": "a", "JWKS_PATH": "/x"}, "JWKS_URL"),
        ({"REQUIRE_AUTH": "perhaps"}, "REQUIRE_AUTH"),
        ({"ENABLE_SUBDOMAIN_ROUTING": "perhaps"}, "ENABLE_SUBDOMAIN_ROUTING"),
        ({"ROUTING": "paths"}, "ROUTING"),
        ({"ROUTING": "path", "ENABLE_SUBDOMAIN_ROUTING": "true"}, "ROUTING"),
        ({"TUNNEL_SECRET": "short"}, "TUNNEL_SECRET"),
        ({"PER_TUNNEL_RATE_LIMIT": "many"}, "PER_TUNNEL_RATE_LIMIT"),
        ({"PER_TUNNEL_RATE_LIMIT": "-1"}, "PER_TUNNEL_RATE_LIMIT"),
        ({"PER_TUNNEL_RATE_LIMIT": "1000001"}, "PER_TUNNEL_RATE_LIMIT"),
        ({"PUBLISH_EVENTS": "true"}, "EVENT_BUS_NAME"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"METRICS": "loud"}, "METRICS"),
        ({"VISITOR_POLICY": "country=DE"}, "VISITOR_POLICY"),
        ({"VISITOR_POLICY": "private=on", "REQUIRE_AUTH": "false"}, "VISITOR_POLICY"),
        ({"WAIT_MODE": "telepathy"}, "WAIT_MODE"),
        ({"USE_EVENT_DRIVEN": "perhaps"}, "USE_EVENT_DRIVEN"),
    ],
)
def test_a_wrong_environment_is_an_init_error(aws, change, said):
    function = aws.function(**change)
    assert function.process.wait(60) == 1
    assert function.init_error["errorType"] == "Runtime.BadConfiguration"
    assert function.init_error["errorMessage"].startswith(said + ":")
    assert "short" not in function.init_error["errorMessage"]


def test_the_runtime_api_is_gone(aws):
    function = aws.function()
    function.idle()
    function.stop()
    assert function.process.returncode == 1
