"""Private tunnels, what search engines may list, and the gateway's own rules by its environment (docs/VISITORS.md)."""

import pytest

import backends
from service import Response
from test_auth import PROTECTED, token, unsigned

pytestmark = pytest.mark.protocols("v2", "v1")


def bearer(text):
    return [("Authorization", f"Bearer {text}")]


@pytest.fixture
def private(fresh, tmp_path):
    pass_file = tmp_path / "token"
    pass_file.write_text(token(lifetime=600))
    return fresh(env=PROTECTED, ttf_options=("--private", "--token-file", pass_file, "--name", "private-tunnel"))


def shut(stack, **more):
    answer = stack.request(**more)
    assert (answer.status, answer.error) == (401, "token_required"), answer
    assert stack.service.requests == []
    return answer


def test_a_token_lets_in_and_stays_at_the_gateway(private):
    assert shut(private).header("www-authenticate") == 'Bearer realm="private-tunnel"'
    shut(private, method="POST", body=b"x" * 100_000)
    assert private.request(headers=bearer(token("bob"))).status == 200
    assert private.request(headers=[("Cookie", f"a=b; x-tunnel-token={token('bob')}"), *bearer("the service's own")]).status == 200
    first, second = private.service.requests
    assert first.header("authorization") is None
    assert (second.header("authorization"), second.header("cookie")) == ("Bearer the service's own", "a=b")


def test_what_is_no_token(private):
    bad = [token(lifetime=-60), token(secret="another secret of more than thirty-two bytes"), unsigned(), token(alg="none"), token()[:-2], "", "x" * 5000]
    for text in bad:
        shut(private, headers=bearer(text))
        shut(private, headers=[("Cookie", f"x-tunnel-token={text}")])
    shut(private, headers=[*bearer(token()), *bearer(token())])
    shut(private, headers=[("Authorization", f"Basic {token()}")])
    shut(private, headers=[("x-tunnel-token", token())])
    shut(private, target=f"/?token={token()}&x-tunnel-token={token()}&tunnel-token={token()}")
    shut(private, headers=[("Cookie", f"x-tunnel-tokens={token()}; x-tunnel-share={token()}")])


def test_nobody_is_private_where_nobody_has_a_token(start, fresh):
    stack = fresh()
    ttf = start.forwarder(stack.gateway, stack.service, "--private", wait=False)
    ttf.expect_killed = True
    assert ttf.wait_exit() == 1
    if backends.STACK != "aws":  # API Gateway does not pass on why
        assert any("knows no tokens" in line for line in ttf.err), ttf.dump()


# ---- search engines ----


def test_a_generated_name_is_not_for_search_engines(start, fresh):
    stack = fresh()
    assert stack.request().header("x-robots-tag") == "noindex"
    stack.service.on("/own", lambda request: Response(headers=[("X-Robots-Tag", "nofollow")], body=b"x"))
    assert ", ".join(stack.request(target="/own").all("x-robots-tag")) in ("nofollow, noindex", "nofollow,noindex")
    for options in (("--index",), ("--name", "chosen-name"), ("--name", "chosenname12")):
        other = start.forwarder(stack.gateway, stack.service, *options)
        assert stack.request(host=other.host).header("x-robots-tag") is None, options


# ---- the gateway's own rules ----


def test_the_gateways_own_rules_by_its_environment(fresh):
    stack = fresh(env={"VISITOR_POLICY": "methods=GET; deny-path=/internal"}, ttf_options=("--methods", "GET,POST"))
    assert stack.request().status == 200
    assert stack.request("POST", body=b"x").error == "forbidden"
    assert stack.request(target="/internal").error == "forbidden"
    assert len(stack.service.requests) == 1
