import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra/schema"))

import make_tables  # noqa: E402
import world  # noqa: E402
from dynamodb_local import CREDENTIALS, DynamoDBLocal, Missing  # noqa: E402


@pytest.fixture(scope="session")
def dynamodb():
    try:
        with DynamoDBLocal() as local:
            yield local
    except Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


class Tables:
    """Tables of one test's own."""

    count = 0

    def __init__(self, endpoint):
        Tables.count += 1
        self.endpoint = endpoint
        self.client = make_tables.client(endpoint)
        self.names = make_tables.make(self.client, f"t{Tables.count}-")
        self.connections, self.requests = self.names["CONNECTIONS_TABLE_NAME"], self.names["PENDING_REQUESTS_TABLE_NAME"]

    def items(self, table):
        return [item for page in self.client.get_paginator("scan").paginate(TableName=table) for item in page["Items"]]

    def item(self, table, key):
        name = "connectionId" if table == self.connections else "requestId"
        return self.client.get_item(TableName=table, Key={name: {"S": key}}, ConsistentRead=True).get("Item")

    def drop(self):
        for name in self.names.values():
            self.client.delete_table(TableName=name)


@pytest.fixture
def tables(dynamodb):
    tables = Tables(dynamodb.endpoint)
    yield tables
    tables.drop()


class World:
    """The function's surroundings, and as many environments of it as a test wants."""

    def __init__(self, tables):
        self.tables = tables
        self.connections = world.Connections()
        self.functions = []
        self.environment = {
            **CREDENTIALS,
            **tables.names,
            "AWS_SESSION_TOKEN": "session",
            "AWS_ENDPOINT_URL_DYNAMODB": tables.endpoint,
            "WEBSOCKET_API_ENDPOINT": self.connections.endpoint,
            "DOMAIN_NAME": "tunnel.example.com",
            "ENABLE_SUBDOMAIN_ROUTING": "true",
            "REQUIRE_AUTH": "false",
            "PER_TUNNEL_RATE_LIMIT": "1000",  # as deployments have it
            "TUNNEL_SECRET": "a secret of the tests",
            "ASAN_OPTIONS": "detect_leaks=1:exitcode=99",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=98",
        }

    def function(self, command=(world.BOOTSTRAP,), **environment):
        merged = {k: v for k, v in {**self.environment, **environment}.items() if v is not None}
        self.functions.append(world.Function(merged, command))
        return self.functions[-1]

    def function_v1(self):
        """As it was before this project."""
        command = [sys.executable, str(Path(__file__).with_name("function_v1.py"))]
        self.functions.append(world.Function({**self.environment, "ASAN_OPTIONS": ""}, command))
        return self.functions[-1]

    def agent(self, function, answer=None, **more):
        return world.Agent(self.connections, function, answer, **more)

    def stop(self):
        codes = []
        for function in self.functions:
            function.stop()
            codes.append(function.process.returncode)
        self.connections.stop()
        assert all(code in (1, -9) for code in codes), codes


@pytest.fixture
def aws(tables):
    """A world of this test's own."""
    made = World(tables)
    yield made
    made.stop()


@pytest.fixture
def pair(aws):
    """Two environments, one for visitors and one for agents, and an agent that is up and echoes."""
    visitors, agents = aws.function(), aws.function()
    agent = aws.agent(agents, lambda request: {"body": request["body"], "headers": {"x-uri": [request["uri"]]}})
    agent.up("resume", "chunks")
    return visitors, agents, agent


def pytest_collection_modifyitems(config, items):
    """The soaks take minutes each, and first of all each goes to a worker of its own: pytest-xdist begins with a run of neighbours for each."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    soaks = [item for item in items if item.path.name == "test_soak.py"]
    others = [item for item in items if item.path.name != "test_soak.py"]
    run = max(len(items) // (4 * workers), 2)
    for number, soak in enumerate(soaks):
        others.insert(number * run, soak)
    items[:] = others
