"""DynamoDB and EventBridge in trouble: 503 or 504 to the visitor, no crash, no lost answer, and an end before the deadline."""

import http.client
import json
import threading
import time
import uuid

import pytest

import events
from world import Failed, Server


def error(status, name, message="no"):
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": message}).encode()
    return status, {"Content-Type": "application/x-amz-json-1.0"}, body


THROTTLED = error(400, "ProvisionedThroughputExceededException")
FAULTS = {
    "throttled": THROTTLED,
    "throttled 429": error(429, "ThrottlingException"),
    "down": error(500, "InternalServerError"),
    "busy": (503, {}, b"<html>Service Unavailable</html>"),
    "cut": None,
}
FATAL = {
    "denied": error(400, "AccessDeniedException", "User: arn:aws:sts::1:assumed-role/x is not authorized"),
    "expired": error(400, "ExpiredTokenException"),
    "invalid": error(400, "ValidationException"),
    "no table": error(400, "ResourceNotFoundException"),
    "garbage": (200, {}, b"\x00\xff not JSON"),
    "not an object": (200, {}, b"[]"),
    "empty": (200, {}, b""),
    "nonsense 400": (400, {}, b"{}"),
}


class Faulty:
    """In front of DynamoDB Local. `faults[operation]` is a list of what to answer first, instead of asking; `after` the same,
    once it was done. One that is callable is called for its answer."""

    def __init__(self, endpoint):
        self.host = endpoint.removeprefix("http://")
        self.faults, self.after, self.always = {}, {}, {}
        self.calls = []
        self.stopped = threading.Event()
        self.server = Server(self.handle)
        self.endpoint = f"http://{self.server.address}"

    def handle(self, method, path, headers, body):
        operation = headers["X-Amz-Target"].partition(".")[2]
        self.calls.append(operation)
        if operation in self.always:
            fault = self.always[operation]
            if fault == "hang":
                self.stopped.wait(30)
                return None
            return fault
        if self.faults.get(operation):
            fault = self.faults[operation].pop(0)
            return fault() if callable(fault) else fault
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, path, body, {name: headers[name] for name in ("X-Amz-Target", "Content-Type", "Authorization")})
        response = connection.getresponse()
        answer = response.status, {"Content-Type": "application/x-amz-json-1.0"}, response.read()
        connection.close()
        if self.after.get(operation):
            return self.after[operation].pop(0)
        return answer

    def stop(self):
        self.stopped.set()
        self.server.stop()


@pytest.fixture
def faulty(tables):
    proxy = Faulty(tables.endpoint)
    yield proxy
    proxy.stop()


@pytest.fixture
def world(aws, faulty):
    """(visitors behind the faulty DynamoDB, agents behind the same, an agent that is up)"""
    visitors = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint)
    agents = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint)
    agent = aws.agent(agents, lambda request: {"headers": {"x-uri": [request["uri"]]}}).up("resume")
    return visitors, agents, agent


def visit(visitors, agent, target="/", **more):
    return visitors.invoke(events.http2(target, host=f"{agent.tunnel}.tunnel.example.com"), **more)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "UpdateItem", "DeleteItem"])
def test_passing_trouble_is_not_seen(aws, world, faulty, operation, fault):
    visitors, _, agent = world
    faulty.faults[operation] = [FAULTS[fault]] * 2
    answer = visit(visitors, agent, "/x")
    assert answer["statusCode"] == 200 and answer["headers"]["x-uri"] == "/x"
    visitors.idle()
    assert aws.tables.items(aws.tables.requests) == []


# What AWS's own clients try again, and what DynamoDB Local never says: (status, code). With these nothing was done …
UNDONE = [(400, code) for code in (
    "ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "ThrottledException", "RequestThrottled",
    "RequestThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "LimitExceededException",
    "BandwidthLimitExceeded", "PriorRequestNotComplete", "SlowDown", "EC2ThrottledException", "TransactionConflictException",
    "ReplicatedWriteConflictException")] + [(429, "")]  # fmt: skip
# … with these nobody knows.
UNKNOWN = [(400, code) for code in (
    "TransactionInProgressException", "RequestTimeout", "RequestTimeoutException", "InternalServerError", "InternalFailure",
    "ServiceUnavailable")] + [(status, "") for status in (500, 502, 503, 504)]  # fmt: skip
RETRYABLE = UNDONE + UNKNOWN
CALLS = ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "Query", "Scan", "BatchGetItem", "BatchWriteItem"]


def in_two_pieces(agent, request):
    text = json.dumps({"type": "http_response", "request_id": request["request_id"], "status_code": 200, "headers": {}, "body": ""})
    for seq, data in enumerate((text[:20], text[20:])):
        agent.say({"type": "chunk", "request_id": request["request_id"], "seq": seq, "total": 2, "data": data})


@pytest.mark.parametrize("operation", CALLS)
def test_what_aws_calls_retryable_is_tried_again(aws, faulty, operation):
    """Each code, at each call that the function makes."""
    function = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint)
    agent = aws.agent(aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint)).up("resume", "chunks")
    if operation.startswith("Batch"):
        agent.answer = lambda request: in_two_pieces(agent, request)
    for status, code in RETRYABLE:
        faulty.faults[operation] = [error(status, code)]
        if operation == "TransactWriteItems":
            aws.agent(function).up("resume").leave()
        elif operation == "Query":
            absent = function.invoke(events.http2("/", host="absent.tunnel.example.com"))
            assert absent["headers"]["x-tunnel-error"] not in ("overloaded", "timeout"), (status, code)
        elif operation == "Scan":
            function.invoke(events.schedule())
        else:
            assert visit(function, agent)["statusCode"] == 200, (status, code)
        function.idle()
        assert faulty.faults[operation] == [], "it was asked"


def test_what_aws_calls_retryable_is_posted_again(aws):
    """`@connections`: where a visitor waits only what was not done; what nobody waits for always."""
    visitors, agents = aws.function(), aws.function()
    agent = aws.agent(agents).up("resume")
    for status, code in RETRYABLE:
        before = len(aws.connections.posts)
        aws.connections.answers = [error(status, code)]
        again = (status, code) in UNDONE
        assert visit(visitors, agent)["statusCode"] == (200 if again else 503), (status, code)
        assert len(aws.connections.posts) == before + (2 if again else 1), (status, code)
        aws.connections.answers = [error(status, code)]
        agent.ready("resume")


def test_what_aws_calls_retryable_is_closed_again(aws):
    """`@connections`, DELETE: of connections that were taken over."""
    function = aws.function()
    for number, (status, code) in enumerate(RETRYABLE):
        connection, now = f"c{number}=", int(time.time())
        item = {"connectionId": {"S": connection}, "ttl": {"N": str(now + 1000)}, "retireAt": {"N": str(now - 60)}}
        aws.tables.client.put_item(TableName=aws.tables.connections, Item=item)
        aws.connections.agents[connection] = aws.agent(function, connection_id=connection)
        aws.connections.answers = [error(status, code)]
        function.invoke(events.schedule())
        function.idle()
        assert aws.connections.deletes[-2:] == [connection] * 2, (status, code)
        assert connection not in aws.connections.agents, (status, code)
        aws.tables.client.delete_item(TableName=aws.tables.connections, Key={"connectionId": {"S": connection}})


def cancelled(reason):
    reasons = [{"Code": "None"}, {"Code": reason}]
    return 400, {}, json.dumps({"__type": "x#TransactionCanceledException", "CancellationReasons": reasons}).encode()


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_others_were_in_the_way_of(aws, faulty, reason):
    function = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint)
    faulty.faults["TransactWriteItems"] = [cancelled(reason)]
    assert aws.agent(function).connect(query={"name": "mine"})["statusCode"] == 200
    assert faulty.calls.count("TransactWriteItems") == 2


@pytest.mark.parametrize("faster, status, lookups, writes", [(False, 200, 2, 2), (True, 409, 2, 1)])
def test_a_transaction_whose_condition_failed(aws, faulty, faster, status, lookups, writes):
    """The claim is looked at again, and decides: nobody has it, or somebody was faster."""
    function, other = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint), aws.function()

    def lose():
        if faster:
            assert aws.agent(other).connect(query={"name": "mine"})["statusCode"] == 200
        return cancelled("ConditionalCheckFailed")

    faulty.faults["TransactWriteItems"] = [lose]
    assert aws.agent(function).connect(query={"name": "mine"})["statusCode"] == status
    assert (faulty.calls.count("GetItem"), faulty.calls.count("TransactWriteItems")) == (lookups, writes)


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
@pytest.mark.parametrize("fault", [*FATAL, "throttled", "down", "hang"])
def test_lasting_trouble_is_an_answer(world, faulty, operation, fault):
    visitors, _, agent = world
    faulty.always[operation] = "hang" if fault == "hang" else {**FATAL, **FAULTS}[fault]
    began = time.monotonic()
    answer = visit(visitors, agent, seconds=4)
    assert answer["statusCode"] in (503, 504) and answer["headers"]["x-tunnel-error"] in ("overloaded", "timeout")
    assert time.monotonic() - began < 4
    faulty.always.clear()
    assert visit(visitors, agent)["statusCode"] == 200, "the next one is served"


@pytest.mark.parametrize("fault", ["denied", "garbage", "throttled", "hang"])
def test_an_answer_that_cannot_be_stored(world, faulty, fault):
    visitors, agents, agent = world
    faulty.always["UpdateItem"] = "hang" if fault == "hang" else {**FATAL, **FAULTS}[fault]
    errors = []
    say = agent.say

    def note(message):
        invocation = say(message)
        invocation.deadline_ms = int((time.time() + 2) * 1000)
        errors.append(invocation)

    agent.say = note
    answer = visit(visitors, agent, seconds=4)
    assert answer["statusCode"] == 504
    with pytest.raises(Failed) as failed:
        errors[0].result()
    assert failed.value.error["errorType"] == "Handler.StoreFailed"
    faulty.always.clear()
    agent.say = say
    assert visit(visitors, agent)["statusCode"] == 200


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "DeleteItem"])
def test_done_and_nobody_heard_of_it(aws, world, faulty, operation):
    """A conditional write that is tried again finds its own doing."""
    visitors, _, agent = world
    faulty.after[operation] = [None]
    assert visit(visitors, agent)["statusCode"] == 200
    visitors.idle()
    assert aws.tables.items(aws.tables.requests) == []


@pytest.mark.parametrize("operation, fault", [("TransactWriteItems", None), ("TransactWriteItems", FAULTS["down"]), ("UpdateItem", None)])
def test_connecting_and_nobody_heard_of_it(aws, faulty, operation, fault):
    function = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint)
    faulty.after[operation] = [fault]
    agent = aws.agent(function).up("resume")
    claim = aws.tables.item(aws.tables.connections, "tunnel#" + agent.tunnel)
    assert claim["claimConnection"] == {"S": agent.connection_id} and claim["claimState"] == {"S": "ready"}


def test_a_role_that_may_put_and_not_update(aws, faulty):
    """As earlier deployments have it: claims are written whole, and that is said once."""
    function = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint)
    faulty.always["UpdateItem"] = FATAL["denied"]
    agent = aws.agent(function).up("resume")
    again = aws.agent(function)
    again.up("resume", headers={"x-tunnel-resume": agent.established["resume"]})
    claim = aws.tables.item(aws.tables.connections, "tunnel#" + agent.tunnel)
    assert claim["claimConnection"] == {"S": again.connection_id} and claim["claimState"] == {"S": "ready"}
    assert sum("dynamodb:UpdateItem" in line for line in function.log) == 1


def test_a_role_that_may_not_update_within_a_transaction(aws, faulty):
    function = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint)
    agent = aws.agent(function).up("resume")
    faulty.faults["TransactWriteItems"] = [FATAL["denied"]]
    again = aws.agent(function)
    again.up("resume", headers={"x-tunnel-resume": agent.established["resume"]})
    assert again.tunnel == agent.tunnel


@pytest.mark.parametrize("fault", ["denied", "garbage", "down", "throttled", "hang"])
def test_an_agent_that_cannot_be_stored_is_refused(aws, faulty, fault):
    function = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint)
    faulty.always["TransactWriteItems"] = "hang" if fault == "hang" else {**FATAL, **FAULTS}[fault]
    answer = function.invoke(events.connect("c=" + uuid.uuid4().hex), seconds=3)
    assert answer["statusCode"] == 503


def test_cleanup_that_fails_says_so(aws, faulty):
    function = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint)
    faulty.always["Scan"] = FATAL["denied"]
    with pytest.raises(Failed):
        function.invoke(events.schedule())
    faulty.always.clear()
    assert function.invoke(events.schedule())["connectionsDeleted"] == 0


def test_the_calls_of_a_request(world, faulty):
    """What a GET costs: get the claim, put, get the answer, update, delete."""
    visitors, agents, agent = world
    visit(visitors, agent)
    visitors.idle()
    agents.idle()
    del faulty.calls[:]
    visit(visitors, agent)
    visitors.idle()
    agents.idle()
    reads = faulty.calls.count("GetItem")
    assert reads >= 2 and sorted(call for call in faulty.calls if call != "GetItem") == ["DeleteItem", "PutItem", "UpdateItem"]


# ---- requests a second ----


def limited(aws, faulty, limit):
    """(a function for visitors that counts, an agent of another one)"""
    visitors = aws.function(AWS_ENDPOINT_URL_DYNAMODB=faulty.endpoint, PER_TUNNEL_RATE_LIMIT=str(limit))
    return visitors, aws.agent(aws.function(), lambda request: {"headers": {"x-uri": [request["uri"]]}}).up("resume")


def burst(visitors, agent, count=24):
    """How many were let through; the others are told to come again, and their agent hears nothing of them."""
    heard = len(agent.requests)
    answers = [visit(visitors, agent) for _ in range(count)]
    for answer in answers:
        if answer["statusCode"] != 200:
            assert answer["statusCode"] == 429 and answer["headers"]["x-tunnel-error"] == "rate_limited"
            assert int(answer["headers"]["retry-after"]) >= 1
    passed = sum(answer["statusCode"] == 200 for answer in answers)
    assert len(agent.requests) - heard == passed
    return passed


def test_a_limit_is_counted_in_the_claim(aws, faulty):
    visitors, agent = limited(aws, faulty, 3)
    before = aws.tables.item(aws.tables.connections, "tunnel#" + agent.tunnel)
    began = time.monotonic()
    passed = burst(visitors, agent)
    assert 3 <= passed <= 3 * (1 + time.monotonic() - began) + 1
    visitors.idle()
    after = aws.tables.item(aws.tables.connections, "tunnel#" + agent.tunnel)
    assert int(after.pop("rateCount")["N"]) >= 2 and abs(int(after.pop("rateSince")["N"]) / 1000 - time.time()) < 30
    assert after == before, "nothing else of it has changed"
    assert faulty.calls.count("UpdateItem") <= 1 + (time.monotonic() - began), "once a second at most"


@pytest.mark.parametrize("fault", ["denied", "throttled", "down", "invalid", "garbage", "hang"])
def test_a_count_that_cannot_be_stored(aws, faulty, fault):
    """The environment goes on by its own count; that the role may not is said once, and not tried again."""
    visitors, agent = limited(aws, faulty, 3)
    faulty.always["UpdateItem"] = "hang" if fault == "hang" else {**FATAL, **FAULTS}[fault]
    began = time.monotonic()
    passed = burst(visitors, agent)
    visitors.idle()
    assert 3 <= passed <= 3 * (1 + time.monotonic() - began) + 1
    assert time.monotonic() - began < 60  # of the 72 s that 24 would wait
    said = [line for line in visitors.log if "PER_TUNNEL_RATE_LIMIT" in line]
    assert len(said) == (1 if fault == "denied" else 0)
    if fault == "denied":
        assert faulty.calls.count("UpdateItem") == 1


@pytest.mark.parametrize("limit", [0, 1000])
def test_a_limit_that_is_not_reached_costs_nothing(aws, faulty, limit):
    visitors, agent = limited(aws, faulty, limit)
    assert burst(visitors, agent, 4) == 4
    visitors.idle()
    assert faulty.calls.count("UpdateItem") == 0


# ---- EventBridge ----


class Bus:
    def __init__(self):
        self.entries, self.answers = [], []
        self.server = Server(self.handle)

    def handle(self, method, path, headers, body):
        assert headers["X-Amz-Target"] == "AWSEvents.PutEvents" and "/events/aws4_request" in headers["Authorization"]
        entries = json.loads(body)["Entries"]
        self.entries += entries
        if self.answers:
            return self.answers.pop(0)
        return 200, {}, json.dumps({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}] * len(entries)}).encode()


@pytest.fixture
def bus(aws):
    bus = Bus()
    bus.function = aws.function(PUBLISH_EVENTS="true", EVENT_BUS_NAME="bus",
                                AWS_ENDPOINT_URL_EVENTS=f"http://{bus.server.address}")  # fmt: skip
    yield bus
    bus.server.stop()


def record(number, **image):
    return {"eventName": "MODIFY", "eventSource": "aws:dynamodb",
            "dynamodb": {"SequenceNumber": str(number), "NewImage": {k: {"S": v} for k, v in image.items()}}}  # fmt: skip


def test_completed_requests_are_published(bus):
    records = [record(n, requestId=f"r{n}", connectionId="c", status="completed") for n in range(23)]
    records += [record(90, requestId="p", status="pending"), record(91, requestId="r0#0"), {"eventSource": "aws:dynamodb"}]
    answer = bus.function.invoke(events.stream(*records))
    assert answer == {"statusCode": 200, "batchItemFailures": []}
    assert [json.loads(entry["Detail"])["requestId"] for entry in bus.entries] == [f"r{n}" for n in range(23)]
    assert {(entry["Source"], entry["DetailType"], entry["EventBusName"]) for entry in bus.entries} == {
        ("http-tunnel.response", "HttpResponseReady", "bus")}  # fmt: skip


def test_what_aws_calls_retryable_is_published_again(bus):
    for status, code in RETRYABLE:
        del bus.entries[:]
        bus.answers = [error(status, code)]
        answer = bus.function.invoke(events.stream(record(7, requestId="r7", connectionId="c", status="completed")))
        assert answer["batchItemFailures"] == [] and len(bus.entries) == 2, (status, code)


@pytest.mark.parametrize(
    "answers, again",
    [
        ([(200, {}, b'{"FailedEntryCount":1,"Entries":[{"EventId":"1"},{"ErrorCode":"ThrottlingException"}]}')], ["8"]),
        ([(500, {}, b"")] * 4, ["7", "8"]),
        ([(500, {}, b"")] * 3, []),
        ([error(400, "AccessDeniedException")], []),
        ([(200, {}, b"garbage")], []),
    ],
    ids=["one refused", "down", "down for a moment", "denied", "garbage"],
)
def test_what_the_bus_did_not_take_comes_again(bus, answers, again):
    bus.answers = list(answers)
    records = [record(n, requestId=f"r{n}", connectionId="c", status="completed") for n in (7, 8)]
    answer = bus.function.invoke(events.stream(*records))
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == again
