"""Secrets in Systems Manager and in Secrets Manager: read when an environment starts, before its first event; what can go wrong with that
is an init error that says which variable, and never the secret."""

import json
import time

import jwt
import pytest

import world

JWT_SECRET, TUNNEL_SECRET = "mJ4vT0x9QfRz8uYbWc2kLh6NsEo1DgPa", "q7Hd2xV9sKf4Lm0TzR8bYw3J"
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:http-tunnel-abc"


class Stores:
    """Both services; `answers`: of the next calls, (status, body), instead of what is right; None: the connection is cut."""

    def __init__(self):
        self.kept = {"/t/jwt": JWT_SECRET, "/t/tunnel:3": TUNNEL_SECRET, ARN: JWT_SECRET, ARN + "#v1": TUNNEL_SECRET}
        self.calls, self.answers = [], []
        self.server = world.Server(self.handle)

    def handle(self, method, path, headers, body):
        target, asked = headers["X-Amz-Target"], json.loads(body)
        service = headers["Authorization"].split("/")[3]
        self.calls.append((service, target, asked))
        if self.answers:
            answer = self.answers.pop(0)
            return answer and (answer[0], {"x-amzn-ErrorType": "no"} if answer[0] == 418 else {}, answer[1].encode())
        if target == "AmazonSSM.GetParameter":
            assert asked["WithDecryption"] is True and service == "ssm"
            value = self.kept.get(asked["Name"])
            found, missing = {"Parameter": {"Name": asked["Name"], "Value": value}}, "ParameterNotFound"
        else:
            assert target == "secretsmanager.GetSecretValue" and service == "secretsmanager"
            value = self.kept.get(asked["SecretId"] + ("#" + asked["VersionId"] if "VersionId" in asked else ""))
            found, missing = {"Name": "n", "SecretString": value}, "ResourceNotFoundException"
        if value is None:
            return 400, {}, json.dumps({"__type": missing, "message": asked.get("Name") or ""}).encode()
        return 200, {}, json.dumps(found).encode()


@pytest.fixture
def stores():
    made = Stores()
    yield made
    made.server.stop()


@pytest.fixture
def function(aws, stores):
    """make(...): a function without secrets of its own, that finds both stores."""

    def make(**environment):
        url = f"http://{stores.server.address}"
        return aws.function(**{"TUNNEL_SECRET": None, "AWS_ENDPOINT_URL_SSM": url, "AWS_ENDPOINT_URL_SECRETSMANAGER": url, **environment})

    return make


def token(secret):
    return "Bearer " + jwt.encode({"sub": "alice", "exp": int(time.time()) + 600}, secret, "HS256")


@pytest.mark.parametrize("tunnel, secret", [("ssm:/t/tunnel:3", "ssm:/t/jwt"),
                                            (f"secretsmanager:{ARN}#v1", f"secretsmanager:{ARN}"),
                                            ("ssm:/t/tunnel:3", f"secretsmanager:{ARN}")])  # fmt: skip
def test_secrets_come_from_there(aws, stores, function, tunnel, secret):
    one = function(REQUIRE_AUTH="true", TUNNEL_SECRET_FROM=tunnel, JWT_SECRET_FROM=secret)
    agent = aws.agent(one)
    assert agent.connect(headers={"Authorization": token("x" * 32)})["statusCode"] == 401
    assert agent.connect(headers={"Authorization": token(JWT_SECRET)})["statusCode"] == 200
    resume = agent.ready("resume").established["resume"]
    assert len(stores.calls) == 2  # once, and not for each event
    # whoever has the same secret as a variable believes the resume token
    other = aws.function(REQUIRE_AUTH="true", TUNNEL_SECRET=TUNNEL_SECRET, JWT_SECRET=JWT_SECRET)
    again = aws.agent(other).up("resume", headers={"Authorization": token(JWT_SECRET), "x-tunnel-resume": resume})
    assert again.tunnel == agent.tunnel


def test_a_cut_connection_and_throttling_are_tried_again(stores, function):
    stores.answers = [None, (400, '{"__type":"ThrottlingException"}')]
    one = function(TUNNEL_SECRET_FROM="ssm:/t/tunnel:3")
    one.idle()
    assert one.init_error is None and len(stores.calls) == 3


@pytest.mark.parametrize("environment, answers, said", [
    ({"TUNNEL_SECRET_FROM": "ssm:/t/none"}, [], "TUNNEL_SECRET_FROM: ParameterNotFound"),
    ({"JWT_SECRET_FROM": "secretsmanager:none"}, [], "JWT_SECRET_FROM: ResourceNotFoundException"),
    ({"JWT_SECRET_FROM": "ssm:/t/jwt"}, [(400, '{"__type":"AccessDeniedException"}')], "JWT_SECRET_FROM: AccessDeniedException"),
    ({"JWT_SECRET_FROM": "ssm:/t/jwt"}, [(200, "{}")], "JWT_SECRET_FROM: there is no text in it"),
    ({"JWT_SECRET_FROM": "ssm:/t/jwt"}, [(200, '{"Parameter":{"Value":7}}')], "JWT_SECRET_FROM: there is no text in it"),
    ({"JWT_SECRET_FROM": "ssm:/t/jwt"}, [(200, "hunter2")], "JWT_SECRET_FROM: "),
    ({"JWT_SECRET_FROM": "ssm:/t/jwt"}, [(200, '{"Parameter":{"Value":"hunter2"}}')], "JWT_SECRET: it has fewer than 32 bytes"),
    ({"JWT_SECRET_FROM": "ssm:"}, [], "JWT_SECRET_FROM: expected ssm:NAME or secretsmanager:ARN"),
    ({"JWT_SECRET_FROM": "/t/jwt"}, [], "JWT_SECRET_FROM: expected ssm:NAME or secretsmanager:ARN"),
    ({"JWT_SECRET_FROM": "ssm:/t/jwt", "JWT_SECRET": JWT_SECRET}, [], "JWT_SECRET_FROM: the secret itself is set, too"),
    ({"JWT_SECRET_FROM": "ssm:/t/jwt", "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:1"}, [], "JWT_SECRET_FROM: "),
    ({"JWT_SECRET_FROM": "ssm:/t/jwt"}, [(200, "x" * 200_000)] * 3, "JWT_SECRET_FROM: "),
])  # fmt: skip
def test_what_goes_wrong_is_an_init_error(stores, function, environment, answers, said):
    stores.answers = answers
    one = function(REQUIRE_AUTH="true", **environment)
    assert one.process.wait(60) == 1
    assert one.init_error["errorType"] == "Runtime.BadConfiguration"
    assert one.init_error["errorMessage"].startswith(said)
    assert "hunter2" not in one.init_error["errorMessage"] and "hunter2" not in "".join(one.log)
