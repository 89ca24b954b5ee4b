#!/usr/bin/env python3
"""Makes the tables of tables.json, which infra and the tests read too.

    make_tables.py ENDPOINT [PREFIX]   at a DynamoDB, DynamoDB Local for one; prints NAME=table lines for an environment
    make_tables.py --wait              at $AWS_ENDPOINT_URL_DYNAMODB; prints that too, then "Ready", and stays

Tables that exist already stay as they are. Credentials and region come from the environment, as AWS's own tools take them.
"""

import json
import os
import signal
import sys
from pathlib import Path

import botocore.session

SCHEMA = Path(__file__).with_name("tables.json")


def client(endpoint):
    """Any credentials will do for DynamoDB Local."""
    return botocore.session.get_session().create_client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=os.environ.get("AWS_REGION", "us-east-1"),
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "local"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "local"),
        aws_session_token=os.environ.get("AWS_SESSION_TOKEN"),
    )


def make(dynamodb, prefix=""):
    """{environment variable: table name}"""
    names = {}
    for logical, table in json.loads(SCHEMA.read_text()).items():
        name = prefix + logical
        names[table["variable"]] = name
        try:
            dynamodb.create_table(TableName=name, **table["create"])
        except dynamodb.exceptions.ResourceInUseException:
            continue
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": table["ttlAttribute"]}
        )
    return names


def wait():
    endpoint = os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
    lines = {"AWS_ENDPOINT_URL_DYNAMODB": endpoint, **make(client(endpoint))}
    print(*(f"{name}={value}" for name, value in lines.items()), "Ready", sep="\n", flush=True)
    signal.pause()


if __name__ == "__main__":
    if sys.argv[1:] == ["--wait"]:
        wait()
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    for variable, name in make(client(sys.argv[1]), *sys.argv[2:]).items():
        print(f"{variable}={name}")
