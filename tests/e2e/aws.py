"""The stack `aws`: bootstrap in the stand-in for API Gateway and Lambda, on tables of DynamoDB Local."""

import re
import sys
from types import SimpleNamespace

from programs import BIN, ROOT, Gateway

sys.path += [str(ROOT / "tests/lambda"), str(ROOT / "infra/schema")]

import make_tables  # noqa: E402
from dynamodb_local import CREDENTIALS, DynamoDBLocal  # noqa: E402

shared = SimpleNamespace(dynamodb=None, tables={})

# What the scenarios of the other stacks ask for and this one has not, and why.
EXCEPTIONS = []


def exception(item):
    name = item.nodeid.rpartition("/")[2]
    for pattern, reason in EXCEPTIONS:
        if re.search(pattern, name):
            return f"aws: {reason}"
    return None


def tables(key):
    """Names of tables for each key, as environment variables: what is started again with it finds what it has left."""
    if shared.dynamodb is None:
        shared.dynamodb = DynamoDBLocal()
        shared.dynamodb.__enter__()
    if key not in shared.tables:
        client = make_tables.client(shared.dynamodb.endpoint)
        shared.tables[key] = make_tables.make(client, f"e{len(shared.tables)}-")
    return shared.tables[key]


def stop():
    if shared.dynamodb is not None:
        shared.dynamodb.stop()


class StandIn(Gateway):
    def __init__(self, state_dir, *options, env=None, bootstrap=BIN / "bootstrap", **more):
        names = tables(state_dir)
        environment = {**CREDENTIALS, **names, "AWS_ENDPOINT_URL_DYNAMODB": shared.dynamodb.endpoint,
                       "TUNNEL_SECRET": f"a secret for {state_dir}", **(env or {})}  # fmt: skip
        self.tables = names
        super().__init__(
            state_dir, "--backend", "lambda", "--bootstrap", bootstrap,
            "--stream-table", names["PENDING_REQUESTS_TABLE_NAME"], *options, env=environment, **more,
        )  # fmt: skip
