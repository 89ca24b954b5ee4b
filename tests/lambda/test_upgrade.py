"""An earlier version of the function and ours, exchanged under live agents on the same tables: no tunnel is lost."""

import base64

import pytest

import events


@pytest.fixture
def both(aws):
    """(the earlier version, ours): an environment of each for visitors, and of each for agents"""

    class Both:
        old, new = aws.function_v1(), aws.function()
        old_agents, new_agents = aws.function_v1(), aws.function()

    return Both


def echo(request):
    return {"headers": {"x-uri": [request["uri"]]}, "body": request["body"]}


def visit(function, tunnel, **more):
    return function.invoke(events.http2("/a?b", host=f"{tunnel}.tunnel.example.com", **more))


def check(function, agent, body=b"body"):
    answer = visit(function, agent.tunnel, method="POST", body=body)
    assert answer["statusCode"] == 200 and answer["headers"]["x-uri"] == "/a?b"
    assert base64.b64decode(answer["body"]) == body


def listed(aws):
    """All that the index shows: what an earlier version can come across."""
    return aws.tables.client.scan(TableName=aws.tables.connections, IndexName="tunnel-id-index")["Items"]


@pytest.mark.parametrize("agents", ["old_agents", "new_agents"])
@pytest.mark.parametrize("connected", ["old_agents", "new_agents"])
@pytest.mark.parametrize("visitors", ["old", "new"])
def test_each_serves_the_others_tunnels(aws, both, visitors, connected, agents):
    """Connected by one, visited by another, answered to a third."""
    agent = aws.agent(getattr(both, connected), echo).up()
    agent.function = getattr(both, agents)
    check(getattr(both, visitors), agent)
    check(getattr(both, visitors), agent, bytes(range(256)) * 100)


@pytest.mark.parametrize("first, then", [("old_agents", "new_agents"), ("new_agents", "old_agents")])
def test_exchanged_between_connect_and_ready(aws, both, first, then):
    agent = aws.agent(getattr(both, first), echo)
    agent.connect()
    agent.function = getattr(both, then)
    agent.ready()
    check(both.new if then == "new_agents" else both.old, agent)


def test_there_and_back_again(aws, both):
    """Upgraded, rolled back, upgraded: agents of each time go on."""
    agents = []
    for name in ("old", "new", "old", "new"):
        agents.append(aws.agent(getattr(both, name + "_agents"), echo).up())
        for agent in agents:
            agent.function = getattr(both, name + "_agents")
            check(getattr(both, name), agent)
            agent.say({"type": "ping"})
            assert agent.wait_for("pong")


def test_the_index_shows_connections_alone(aws, both):
    first = aws.agent(both.new_agents, echo).up("resume")
    second = aws.agent(both.new_agents, echo)
    second.up("resume", headers={"x-tunnel-resume": first.established["resume"]})
    third = aws.agent(both.old_agents, echo).up()
    items = listed(aws)
    assert {item["connectionId"]["S"] for item in items} == {second.connection_id, third.connection_id}
    assert all({"connectionId", "tunnelId", "publicUrl", "createdAt", "ttl"} <= set(item) for item in items)
    check(both.old, second)


@pytest.mark.parametrize("connected, told", [("old_agents", "new_agents"), ("new_agents", "old_agents")])
def test_an_agent_that_leaves_is_gone_for_both(aws, both, connected, told):
    agent = aws.agent(getattr(both, connected), echo).up()
    check(both.new, agent)
    agent.function = getattr(both, told)
    agent.leave()
    assert listed(aws) == []
    assert visit(both.old, agent.tunnel)["statusCode"] == 404
    assert visit(both.new, agent.tunnel)["headers"]["x-tunnel-error"] in ("agent_offline", "tunnel_not_found")


def test_an_agent_of_the_earlier_version_that_is_gone(aws, both):
    agent = aws.agent(both.old_agents, echo).up()
    agent.leave(tell=False)
    assert visit(both.new, agent.tunnel)["statusCode"] == 502
    assert visit(both.old, agent.tunnel)["statusCode"] in (404, 502)


def test_an_agent_that_the_earlier_version_accepted_may_resume(aws, both):
    agent = aws.agent(both.old_agents, echo)
    agent.connect()
    agent.function = both.new_agents
    agent.ready("resume")
    again = aws.agent(both.new_agents, echo)
    again.up("resume", headers={"x-tunnel-resume": agent.established["resume"]})
    assert again.tunnel == agent.tunnel
    check(both.new, again)
    check(both.old, again)
