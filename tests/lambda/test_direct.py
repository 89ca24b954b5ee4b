"""WAIT_MODE=direct and stream: the waiting invocation is woken through a WebSocket of its own, and loses nothing when that dies."""

import base64
import json
import random
import threading
import time

import pytest

import events
from test_faults import THROTTLED, Faulty

BODY, PIECE = random.Random(6).randbytes(70_000), 7000  # small: DynamoDB Local is slow


class Direct:
    def __init__(self, aws, mode="direct"):
        self.aws = aws
        self.proxy = Faulty(aws.tables.endpoint)
        # no limit of requests a second: the write that tells of them comes when it comes (test_faults.py has it)
        self.visitors = aws.function(WAIT_MODE=mode, LOG_LEVEL="debug", PER_TUNNEL_RATE_LIMIT="0",
                                     AWS_ENDPOINT_URL_DYNAMODB=self.proxy.endpoint)  # fmt: skip
        self.agents = aws.function(LOG_LEVEL="debug", AWS_ENDPOINT_URL_DYNAMODB=self.proxy.endpoint)
        aws.connections.function = self.agents
        self.before = lambda request: None
        self.answer = lambda request: {"body": request["body"]}
        self.agent = aws.agent(self.agents, self.respond).up("resume", "chunks")

    def respond(self, request):
        self.before(request)
        return self.answer(request)

    def visit(self, **more):
        return self.visitors.invoke(events.http2("/x", host=f"{self.agent.tunnel}.tunnel.example.com", **more))

    def warm(self):
        """The first request polls, and the waiter is opened beside it."""
        for _ in range(100):
            assert self.visit()["statusCode"] == 200
            self.visitors.idle()
            if self.agent.requests[-1]["request_id"].startswith("d1."):
                return self
            time.sleep(0.05)
        raise AssertionError("the waiter is not up:\n" + "".join(self.visitors.log + self.agents.log))

    def calls_of(self, act):
        self.settle()
        del self.proxy.calls[:]
        result = act()
        self.settle()
        return result, sorted(self.proxy.calls)

    def undisturbed(self, act):
        """Its result, of a time in which nothing was silent for 300 ms: there was one read, of the claim, and no other call."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            result, calls = self.calls_of(act)
            if calls == ["GetItem"]:
                return result
        raise AssertionError(calls)

    def settle(self):
        self.visitors.idle()
        self.agents.idle()

    def nothing_left(self):
        self.settle()
        assert self.aws.tables.items(self.aws.tables.requests) == []


@pytest.fixture
def streamed(aws):
    made = Direct(aws, "stream")
    made.images = []

    def answer(request):
        """As the agent and the mapping of the stream do it."""
        image = {**aws.tables.item(aws.tables.requests, request["request_id"]), "status": {"S": "completed"}}
        made.images.append(image)
        made.agent.say({"type": "http_response", "request_id": request["request_id"], "status_code": 200, "headers": {},
                        "body": request["body"]}).result()  # fmt: skip
        if made.streams:
            record = {"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": "1", "NewImage": image}}
            made.agents.invoke(events.stream(record, {"eventSource": "aws:dynamodb"}))

    made.answer, made.streams = answer, True
    yield made
    made.proxy.stop()


@pytest.fixture
def direct(aws):
    made = Direct(aws)
    yield made
    made.proxy.stop()


def test_the_first_request_polls(direct):
    assert direct.visit()["statusCode"] == 200
    assert not direct.agent.requests[0]["request_id"].startswith("d1.")


def test_one_read_and_nothing_else(direct):
    direct.warm()
    assert direct.undisturbed(direct.visit)["statusCode"] == 200
    assert direct.aws.connections.opened == 1
    direct.nothing_left()


def test_bodies_both_ways(direct):
    direct.warm()
    answer = direct.undisturbed(lambda: direct.visit(method="POST", body=bytes(range(256))))
    assert base64.b64decode(answer["body"]) == bytes(range(256))


def pieces_of(request, body, size=PIECE):
    text = json.dumps({"type": "http_response", "request_id": request["request_id"], "status_code": 200, "headers": {},
                       "body": base64.b64encode(body).decode()})  # fmt: skip
    data = [text[at : at + size] for at in range(0, len(text), size)]
    return [{"type": "chunk", "request_id": request["request_id"], "seq": seq, "total": len(data), "data": piece}
            for seq, piece in enumerate(data)]  # fmt: skip


def in_pieces(direct, body, between=lambda number: None, size=PIECE):
    def answer(request):
        pieces = pieces_of(request, body, size)
        random.Random(7).shuffle(pieces)
        for number, piece in enumerate(pieces):
            between(number)
            direct.agent.say(piece).done.wait(60)

    direct.answer = answer


def test_an_answer_in_pieces(direct):
    direct.warm()
    in_pieces(direct, BODY)
    assert base64.b64decode(direct.undisturbed(direct.visit)["body"]) == BODY
    direct.nothing_left()


SPOILT = {
    "another total": lambda pieces: [{**pieces[1], "total": len(pieces) + 1}],
    "garbage": lambda pieces: [{**pieces[0], "total": 1, "data": "garbage"}],
    "too long": lambda pieces: [{**pieces[0], "seq": seq, "total": 35, "data": "x" * 100_000} for seq in range(35)],
    "another's": lambda pieces: pieces_of({"request_id": "another"}, BODY[:10_000]),
}


@pytest.mark.parametrize("where", ["to the waiter", "into the store", "the waiter dies"])
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_pieces_that_contradict_the_answer(direct, spoil, where):
    direct.warm()

    def answer(request):
        pieces = pieces_of(request, BODY)
        spoilt = [{**piece, "request_id": request["request_id"]} for piece in spoil(pieces)]
        if where == "into the store":
            direct.aws.connections.answers = [500] * (len(spoilt) + len(pieces))
        for piece in spoilt:
            direct.agent.say(piece).done.wait(60)
        if where == "the waiter dies":
            direct.aws.connections.cut_sockets()
        for piece in pieces:
            direct.agent.say(piece).done.wait(60)
        direct.aws.connections.answers = []

    direct.answer = answer
    assert base64.b64decode(direct.visit()["body"]) == BODY
    direct.nothing_left()


@pytest.mark.parametrize("where", ["to the waiter", "into the store"])
def test_a_whole_answer_behind_pieces_that_join_to_none(direct, where):
    direct.warm()

    def answer(request):
        if where == "into the store":
            direct.aws.connections.answers = [500] * 2
        piece = {"type": "chunk", "request_id": request["request_id"], "seq": 0, "total": 1, "data": "garbage"}
        direct.agent.say(piece).done.wait(60)
        return {"body": base64.b64encode(b"whole").decode()}

    direct.answer = answer
    assert base64.b64decode(direct.visit()["body"]) == b"whole"
    direct.nothing_left()


@pytest.mark.parametrize("forget", [True, False], ids=["told", "not told"])
def test_the_waiter_dies_after_the_request_was_sent(direct, forget):
    """API Gateway answers 410 for it, or, not told of its end, has trouble with it."""
    direct.warm()
    direct.before = lambda request: direct.aws.connections.cut_sockets(forget)
    began = time.monotonic()
    answer = direct.visit(method="POST", body=b"once")
    assert base64.b64decode(answer["body"]) == b"once" and time.monotonic() - began < 5
    assert len(direct.agent.requests[-1]["request_id"]) <= 256
    direct.before = lambda request: None
    direct.nothing_left()
    direct.warm()  # a new one is opened
    assert direct.aws.connections.opened == 2


def test_the_waiter_dies_within_an_answer(direct):
    direct.warm()
    in_pieces(direct, BODY, lambda number: direct.aws.connections.cut_sockets() if number == 5 else None)
    assert base64.b64decode(direct.visit()["body"]) == BODY
    direct.nothing_left()


def test_a_post_to_the_waiter_that_fails(direct):
    """The record is put after all; the waiter itself is fine."""
    direct.warm()

    def before(request):
        direct.aws.connections.answers = [500]

    direct.before = before
    assert direct.visit(method="POST", body=b"kept")["statusCode"] == 200
    direct.nothing_left()


@pytest.mark.parametrize("which", [0, 4, 13])
def test_a_piece_that_cannot_be_posted(direct, which):
    """One piece is stored, the others came: they meet in the store."""
    direct.warm()

    def between(number):
        if number == which:
            direct.aws.connections.answers = [500]

    in_pieces(direct, BODY, between)
    assert base64.b64decode(direct.visit()["body"]) == BODY
    direct.nothing_left()


def test_a_slow_service(direct):
    """After 300 ms of silence the record is looked for; there is none, and none is deleted."""
    direct.warm()
    direct.before = lambda request: time.sleep(1)
    answer, calls = direct.calls_of(direct.visit)
    assert answer["statusCode"] == 200 and set(calls) == {"GetItem"} and len(calls) > 2
    direct.nothing_left()


@pytest.mark.parametrize("trouble", [{"PutItem": THROTTLED}, {"GetItem": THROTTLED}], ids=["written late", "never read"])
def test_pieces_that_went_into_the_store_beside_leave_nothing(direct, trouble):
    """After a silence they go there too. The answer is complete before they are there, or before anybody has read their record."""
    direct.warm()
    calls = direct.proxy.calls

    def before(request):
        seen, deadline = len(calls), time.monotonic() + 60
        while len(calls) == seen:  # it polls
            assert time.monotonic() < deadline
            time.sleep(0.01)
        direct.proxy.always.update(trouble)

    direct.before = before
    in_pieces(direct, BODY[:3000], size=500)
    assert base64.b64decode(direct.visit()["body"]) == BODY[:3000]
    direct.proxy.always.clear()
    direct.nothing_left()
    assert "UpdateItem" in calls


def test_answers_of_others_are_refused(direct):
    direct.warm()
    other = direct.aws.agent(direct.agents).up()
    forged = threading.Event()

    def answer(request):
        for request_id in (request["request_id"], request["request_id"][:-1] + "A", request["request_id"] + "A", "d1.x.y.z.w"):
            other.say({"type": "http_response", "request_id": request_id, "status_code": 200, "headers": {}, "body": "Zm9yZ2Vk"}
                      ).result()  # fmt: skip
        forged.set()
        return {"body": "dHJ1ZQ=="}

    direct.answer = answer
    assert base64.b64decode(direct.visit()["body"]) == b"true" and forged.is_set()
    direct.nothing_left()


def test_late_and_repeated_answers_are_dropped(direct):
    direct.warm()
    requests = []

    def answer(request):
        requests.append(request)
        return {"body": base64.b64encode(b"%d" % len(requests)).decode()}

    direct.answer = answer
    for number in (1, 2):
        assert base64.b64decode(direct.visit()["body"]) == b"%d" % number
        direct.agent.say({"type": "http_response", "request_id": requests[0]["request_id"], "status_code": 200, "headers": {},
                          "body": "bGF0ZQ=="}).result()  # fmt: skip


@pytest.mark.parametrize("token", ["", "x", "1.x", "99999999999999.AAAAAAAAAAAAAAAAAAAAAA"])
def test_nobody_else_may_be_a_waiter(direct, token):
    assert direct.agents.invoke(events.connect("c=", query={"waiter": token})) == {"statusCode": 401}
    message = {"type": "waiter", "token": token}
    text = json.dumps(message, separators=(",", ":"))
    posts = len(direct.aws.connections.posts)
    assert direct.agents.invoke(events.message("c=", text))["statusCode"] == 401
    assert len(direct.aws.connections.posts) == posts


def test_an_agent_in_flight_that_is_replaced(direct):
    direct.warm()
    direct.answer = lambda request: None
    waiting = direct.visitors.begin(events.http2("/", host=f"{direct.agent.tunnel}.tunnel.example.com"))
    count = len(direct.agent.requests)
    deadline = time.monotonic() + 60
    while len(direct.agent.requests) == count and time.monotonic() < deadline:
        time.sleep(0.01)
    direct.agent.leave()
    again = direct.aws.agent(direct.agents)
    again.up("resume", headers={"x-tunnel-resume": direct.agent.established["resume"]})
    assert waiting.result()["statusCode"] == 200 and again.requests
    direct.nothing_left()


def warm_stream(streamed):
    for _ in range(100):
        assert streamed.visit()["statusCode"] == 200
        if "waiterConnection" in streamed.images[-1]:
            return
        time.sleep(0.05)
    raise AssertionError("the waiter is not up")


def test_woken_by_the_stream(streamed):
    warm_stream(streamed)
    for _ in range(30):  # on a busy machine one of them at least
        began = time.monotonic()
        answer, calls = streamed.calls_of(lambda: streamed.visit(method="POST", body=b"x"))
        assert base64.b64decode(answer["body"]) == b"x"
        if time.monotonic() - began < 0.25:
            break
    else:
        raise AssertionError("it was not woken, but polled")
    assert calls == ["DeleteItem", "GetItem", "GetItem", "PutItem", "UpdateItem"]
    streamed.nothing_left()


@pytest.mark.parametrize("trouble", ["no stream", "waiter cut", "post fails"])
def test_the_stream_or_the_waiter_fails(streamed, trouble):
    """Then the request polls."""
    warm_stream(streamed)
    streamed.streams = trouble != "no stream"

    def before(request):
        if trouble == "waiter cut":
            streamed.aws.connections.cut_sockets()
        if trouble == "post fails":
            streamed.aws.connections.answers = [500]

    streamed.before = before
    answer = streamed.visit(method="POST", body=b"x")
    assert base64.b64decode(answer["body"]) == b"x"
    streamed.aws.connections.answers = []
    streamed.nothing_left()
