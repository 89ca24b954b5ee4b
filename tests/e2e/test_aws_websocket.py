"""The WebSocket API of the stand-in for API Gateway (ttf-apigw), and its `@connections`, with AWS's own client."""

import json
import threading
import time
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatusCode

import backends
import http_raw
from aws_function import OK, Failure, function, management, stand_in, state_of, usage, visit, wait_until  # noqa: F401 (fixtures)
from ws_client import Socket

pytestmark = pytest.mark.skipif(backends.STACK != "memory", reason="it brings its own stack")


def test_connect_may_refuse_and_is_the_only_event_with_headers(stand_in, function):
    gateway = stand_in()
    function.handle = lambda event: {"statusCode": 401, "body": "no"}
    with pytest.raises(InvalidStatusCode) as refused:
        Socket(gateway.endpoint + "/?token=/@connections/t", {"Authorization": "Bearer x"})
    assert refused.value.status_code == 401
    event = function.next("$connect")
    assert event["headers"]["Authorization"] == "Bearer x" and event["queryStringParameters"] == {"token": "/@connections/t"}
    function.handle = lambda event: OK
    with Socket(gateway.endpoint) as agent:
        agent.send("x")
        assert "headers" not in function.next("$default")


@pytest.mark.parametrize("what, code", [("frame", 1009), ("message", 1009), ("binary", 1003)])
def test_frames_messages_and_kinds_are_bounded(stand_in, function, what, code):
    gateway = stand_in()
    with Socket(gateway.endpoint) as agent:
        whole = ["a" * 32_000] * 4
        agent.send(whole)
        assert function.next("$default")["body"] == "".join(whole)
        agent.send("a" * 32768)
        assert len(function.next("$default")["body"]) == 32768
        agent.send({"frame": "a" * 32769, "message": ["a" * 32_000] * 5, "binary": b"x"}[what])
        assert agent.closed() == code
    assert function.next("$disconnect")["requestContext"]["disconnectStatusCode"] == code
    counted = usage(gateway)
    assert counted["messagesIn"] == 4 + 1 and counted["connections"] == 0


def test_text_is_utf_8(stand_in, function):
    gateway = stand_in()
    with Socket(gateway.endpoint) as agent:
        agent.send("ä\0")
        assert function.next("$default")["body"] == "ä\0"
        agent.send_raw(1, b"\xff")
        assert agent.closed() == 1007
    assert function.next("$disconnect")["requestContext"]["disconnectStatusCode"] == 1007


def test_the_function_is_told_why_a_client_has_closed(stand_in, function):
    gateway = stand_in()
    with Socket(gateway.endpoint) as agent:
        agent.close(4000, "enough, ä")
    about = function.next("$disconnect")["requestContext"]
    assert (about["disconnectStatusCode"], about["disconnectReason"]) == (4000, "enough, ä")


def refused_to_connect(gateway):
    """The status, or None when it was let in."""
    try:
        with Socket(gateway.endpoint):
            return None
    except InvalidStatusCode as refused:
        return refused.status_code


def test_beyond_the_rate_nothing_reaches_the_function(stand_in, function):
    """The rate is the account's: of visitors, agents and @connections together."""
    gateway = stand_in("--api-rate", "1", "--api-burst", "4")
    client, sent = management(gateway, retry=False), 0

    def status_of_get():
        try:
            return client.get_connection(ConnectionId=connection)["ResponseMetadata"]["HTTPStatusCode"]
        except client.exceptions.LimitExceededException as refused:
            return refused.response["ResponseMetadata"]["HTTPStatusCode"]

    with Socket(gateway.endpoint) as agent:
        connection = function.next("$connect")["requestContext"]["connectionId"]
        for call in (lambda: refused_to_connect(gateway), status_of_get, lambda: visit(gateway).status):
            status = None
            while status != 429:  # a second later there is one for it after all
                [agent.send("x") for _ in range(8)]
                sent, status = sent + 8, call()
        wait_until(lambda: usage(gateway)["messagesIn"] == sent)
        told = usage(gateway)["invocationsOf"]["message"]
        assert 0 < told < sent
        errors = [json.loads(agent.recv()) for _ in range(sent - told)]
    assert {(error["message"], error["connectionId"]) for error in errors} == {("Too Many Requests", connection)}
    assert len({error["requestId"] for error in errors}) == len(errors)


def test_beyond_the_concurrency_of_the_function(stand_in, function):
    gateway = stand_in("--lambda-concurrency", "1", "--cleanup-interval", "3600s")  # it would be counted too
    busy, go_on = threading.Event(), threading.Event()
    with Socket(gateway.endpoint) as agent:
        function.handle = lambda event: (busy.set(), go_on.wait(60)) and OK
        early = 0  # before the function, which has just let the agent in, has asked for more
        while not busy.is_set():
            agent.send("x")
            wait_until(lambda: busy.is_set() or usage(gateway)["throttled"] > early)
            early = usage(gateway)["throttled"]
        agent.send("y")
        for _ in range(early + 1):
            assert json.loads(agent.recv())["message"] == "Too Many Requests"
        assert refused_to_connect(gateway) == 429
        assert usage(gateway)["throttled"] == early + 2
        function.handle = lambda event: OK
        go_on.set()


def test_the_function_is_not_waited_for_without_end(stand_in, function):
    gateway = stand_in("--api-timeout", "3s")
    wait_until(lambda: visit(gateway).status == 200)  # there is a process now, however slowly it has come
    go_on = threading.Event()
    with Socket(gateway.endpoint) as agent:
        connection = function.next("$connect")["requestContext"]["connectionId"]
        function.handle = lambda event: go_on.wait(60) and OK
        agent.send("x")
        assert json.loads(agent.recv())["message"] == "Endpoint request timed out"
        assert refused_to_connect(gateway) == 504
        assert visit(gateway).status == 503
        go_on.set()
        wait_until(lambda: all(state_of(pid) == "T" for pid in function.pids))
        management(gateway).post_to_connection(ConnectionId=connection, Data=b"next")
        assert agent.recv() == "next"  # and nothing more of the late ones
    assert usage(gateway)["timeouts"] == 0  # the function was not cut off


def test_posts_come_in_frames_of_32_kb(stand_in, function):
    gateway = stand_in()
    with http_raw.Connection(gateway.agents) as connection:
        connection.send(HANDSHAKE)
        assert connection.read_response().status == 101
        connection_id = function.next("$connect")["requestContext"]["connectionId"]
        management(gateway).post_to_connection(ConnectionId=connection_id, Data=b"a" * 70_000)
        data, frames = bytes(connection.buffer), []
        while not frames or frames[-1][0] < 0x80:
            while len(data) < 4 or len(data) < 4 + int.from_bytes(data[2:4], "big"):
                data += connection.socket.recv(65536)
            assert data[1] == 126  # unmasked, and the length in two bytes
            frames.append((data[0], size := int.from_bytes(data[2:4], "big")))
            data = data[4 + size :]
        assert frames == [(0x01, 32768), (0x00, 32768), (0x80, 70_000 - 65536)]


@pytest.mark.parametrize("option", ["--ws-idle", "--ws-life"])
def test_idle_and_old_connections_are_closed(stand_in, function, option):
    gateway = stand_in(option, "300ms")
    with Socket(gateway.endpoint) as agent:
        assert agent.closed() == 1001
    assert function.next("$disconnect")["requestContext"]["disconnectReason"] == "Going away"


def test_a_client_hears_of_an_integration_that_failed(stand_in, function):
    gateway = stand_in()
    with Socket(gateway.endpoint) as agent:

        def fail(event):
            raise Failure("no")

        function.handle = fail
        agent.send("x")
        assert json.loads(agent.recv())["message"] == "Internal server error"
        function.handle = lambda event: OK


# ---- subprotocols ----


def choose(function, **answer):
    """$connect is answered with these fields."""
    function.handle = lambda event: {**OK, **answer} if event["requestContext"]["routeKey"] == "$connect" else OK


@pytest.mark.parametrize("answer", [{"headers": {"Sec-WebSocket-Protocol": "two.v1"}},
                                    {"multiValueHeaders": {"sec-websocket-protocol": ["two.v1"]}}])  # fmt: skip
def test_connect_may_choose_a_subprotocol(stand_in, function, answer):
    gateway = stand_in()
    choose(function, **answer)
    with Socket(gateway.endpoint, subprotocols=["one", "two.v1"]) as agent:
        assert agent.subprotocol == "two.v1"
        agent.send("x")
        assert function.next("$connect")["headers"]["Sec-WebSocket-Protocol"] == "one, two.v1"
        assert function.next("$default")["body"] == "x"


HANDSHAKE = (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: one\r\n\r\n")  # fmt: skip


def test_no_subprotocol_is_answered_by_itself(stand_in, function):
    gateway = stand_in()
    choose(function, headers={"x-other": "stays here"})
    with http_raw.Connection(gateway.agents) as connection:
        connection.send(HANDSHAKE)
        answer = connection.read_response()
    assert answer.status == 101
    assert not answer.all("sec-websocket-protocol") and not answer.all("x-other")


def test_a_subprotocol_that_was_not_offered_is_an_error_of_the_function(stand_in, function):
    gateway = stand_in()
    for chosen in ("three", "one, two", "ONE", ""):
        choose(function, headers={"Sec-WebSocket-Protocol": chosen})
        for offered in (["one", "two"], None):
            with pytest.raises(InvalidStatusCode) as refused:
                Socket(gateway.endpoint, subprotocols=offered)
            assert refused.value.status_code == 502
    gateway.wait_err("did not offer")


# ---- @connections ----


def error_of(call, *arguments, **more):
    with pytest.raises(ClientError) as failed:
        call(*arguments, **more)
    response = failed.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def test_connections_are_posted_to_read_about_and_closed(stand_in, function):
    gateway = stand_in()
    client = management(gateway)
    inside = []

    def post_inside(event):
        if event["requestContext"]["routeKey"] == "$connect":
            try:
                client.post_to_connection(ConnectionId=event["requestContext"]["connectionId"], Data=b"too early")
            except client.exceptions.GoneException as gone:
                inside.append(gone.response["ResponseMetadata"]["HTTPStatusCode"])
        return OK

    function.handle = post_inside
    with Socket(gateway.endpoint, {"User-Agent": "tests/1"}) as agent:
        connection = function.next("$connect")["requestContext"]["connectionId"]
        assert inside == [410]
        client.post_to_connection(ConnectionId=connection, Data="hällo".encode())
        assert agent.recv() == "hällo"
        client.post_to_connection(ConnectionId=connection, Data=b"a" * (128 * 1024))
        assert len(agent.recv()) == 128 * 1024
        with pytest.raises(client.exceptions.PayloadTooLargeException):
            client.post_to_connection(ConnectionId=connection, Data=b"a" * (128 * 1024 + 1))
        about = client.get_connection(ConnectionId=connection)
        assert about["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "tests/1"}
        assert abs(about["ConnectedAt"].timestamp() - time.time()) < 60
        client.delete_connection(ConnectionId=connection)
        assert agent.closed() == 1000
    assert function.next("$disconnect")["requestContext"]["connectionId"] == connection
    for call in (lambda: client.post_to_connection(ConnectionId=connection, Data=b"x"),
                 lambda: client.get_connection(ConnectionId=connection),
                 lambda: client.delete_connection(ConnectionId=connection)):  # fmt: skip
        with pytest.raises(client.exceptions.GoneException):
            call()


def test_whatever_the_id_is_the_signature_is_the_same_there(stand_in):
    client = management(stand_in())
    for connection in ("a", "a/b", "ä ö", "a%2Fb", "=+&?#", "~'!*()", "x" * 200):
        for call in (client.get_connection, client.delete_connection):
            assert error_of(call, ConnectionId=connection)[:2] == (410, "GoneException")
        assert error_of(client.post_to_connection, ConnectionId=connection, Data=b"x")[:2] == (410, "GoneException")


def test_connections_of_a_named_stage(stand_in, function):
    gateway = stand_in("--api-stage", "dev", "--api-custom-domain", "false")
    with Socket(gateway.endpoint + "/dev") as agent:
        connection = function.next("$connect")["requestContext"]["connectionId"]
        management(gateway, stage="/dev").post_to_connection(ConnectionId=connection, Data=b"here")
        assert agent.recv() == "here"
        for stage in ("", "/other", "/devx"):
            refused = error_of(management(gateway, stage=stage).post_to_connection, ConnectionId=connection, Data=b"x")
            assert refused == (403, "ForbiddenException", "Forbidden")


WRONG_TOKEN = (403, "UnrecognizedClientException", "The security token included in the request is invalid.")


def test_who_signs_with_other_credentials_is_refused(stand_in):
    gateway = stand_in()

    def get(**more):
        return error_of(management(gateway, **more).get_connection, ConnectionId="x")

    assert get(key="stranger") == get(token="one") == WRONG_TOKEN
    status, code, message = get(secret="other")
    assert (status, code) == (403, "InvalidSignatureException")
    assert message.startswith("The request signature we calculated does not match the signature you provided.")
    assert "'GET\n/%40connections/x\n\nhost:127.0.0.1:" in message
    assert get(region="eu-west-1") == (403, "InvalidSignatureException", "Credential should be scoped to a valid region. ")


def test_the_session_token_belongs_to_the_credentials(stand_in, function):
    gateway = stand_in(env={"AWS_SESSION_TOKEN": "to/ken+="})
    with Socket(gateway.endpoint) as agent:
        connection = function.next("$connect")["requestContext"]["connectionId"]
        management(gateway, token="to/ken+=").post_to_connection(ConnectionId=connection, Data=b"x")
        assert agent.recv() == "x"
        for token in (None, "another"):
            client = management(gateway, token=token)
            assert error_of(client.post_to_connection, ConnectionId=connection, Data=b"x") == WRONG_TOKEN


class Signer(SigV4Auth):
    """Botocore's, at another time."""

    def __init__(self, seconds=0, service="execute-api"):
        super().__init__(Credentials("local", "local"), service, "us-east-1")
        self.seconds = seconds

    def _modify_request_before_signing(self, request):
        then = time.gmtime(time.time() + self.seconds)
        request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", then)
        super()._modify_request_before_signing(request)


def post_signed(gateway, connection, signer, body=b"hello", change=lambda headers: headers):
    """Posts what the signer has signed for `hello`: (status, x-amzn-ErrorType, message)"""
    url = "http://127.0.0.1:%d/@connections/%s" % (gateway.agents[1], quote(connection, safe=""))
    request = AWSRequest("POST", url, data=b"hello", headers={"X-Amz-Other": "as signed"})
    signer.add_auth(request)
    headers = change(dict(request.headers.items()))
    answer = http_raw.request(gateway.agents, "POST", url.partition(":%d" % gateway.agents[1])[2],
                              "127.0.0.1:%d" % gateway.agents[1], list(headers.items()), body)  # fmt: skip
    message = json.loads(answer.body)["message"] if answer.body else None
    return answer.status, (answer.all("x-amzn-errortype") or [None])[0], message


def without(name):
    return lambda headers: {key: value for key, value in headers.items() if key.lower() != name}


def replaced(old, new):
    return lambda headers: {key: value.replace(old, new) for key, value in headers.items()}


def test_what_was_not_signed_is_refused(stand_in, function):
    gateway = stand_in()
    with Socket(gateway.endpoint) as agent:
        connection = function.next("$connect")["requestContext"]["connectionId"]

        def post(*arguments, signer=None, **more):
            return post_signed(gateway, connection, signer or Signer(), *arguments, **more)

        assert post() == (200, None, None) and agent.recv() == "hello"
        assert post(signer=Signer(-200))[0] == post(signer=Signer(200))[0] == 200
        for refused in (post(body=b"jello"), post(change=replaced("as signed", "as changed")), post(change=without("x-amz-other"))):
            assert refused[:2] == (403, "InvalidSignatureException") and "does not match the signature" in refused[2]
        assert post(change=lambda headers: {**headers, "X-Amz-More": "1"}) == (
            403, "InvalidSignatureException", "'x-amz-more' must be a 'SignedHeader' in the AWS Authorization.")  # fmt: skip
        for seconds, says in ((-301, "Signature expired: "), (310, "Signature not yet current: ")):
            status, error, message = post(signer=Signer(seconds))
            assert (status, error) == (403, "InvalidSignatureException") and message.startswith(says)
        assert post(signer=Signer(service="apigateway")) == (
            403, "InvalidSignatureException", "Credential should be scoped to correct service: 'execute-api'. ")  # fmt: skip
        assert post(change=without("authorization")) == (
            403, "MissingAuthenticationTokenException", "Missing Authentication Token")  # fmt: skip
        for bad in (without("x-amz-date"), replaced("AWS4-HMAC-SHA256", "Bearer x"), replaced("Signature=", "Sig="),
                    replaced("us-east-1/", "")):  # fmt: skip
            assert post(change=bad)[:2] == (403, "IncompleteSignatureException")
        assert post() == (200, None, None) and agent.recv() == "hello" == agent.recv() == agent.recv()
