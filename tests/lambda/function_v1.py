#!/usr/bin/env python3
"""A Lambda function as deployments had it before this project: protocol v1 and nothing of chunks, resume or claims. It runs
over the Lambda Runtime API like any custom runtime.

A visitor's request: the index over tunnelId, a pending record, a post to the agent, polling, deletion. The agent's answer
completes the record. `ready` is answered with connection_established."""

import base64
import http.client
import json
import os
import random
import string
import time
import uuid

import botocore.exceptions
import botocore.session

ENVIRONMENT = os.environ
CONNECTIONS, REQUESTS = ENVIRONMENT["CONNECTIONS_TABLE_NAME"], ENVIRONMENT["PENDING_REQUESTS_TABLE_NAME"]
DOMAIN = ENVIRONMENT["DOMAIN_NAME"]
WAIT_S = 25

session = botocore.session.get_session()
dynamodb = session.create_client(
    "dynamodb", region_name=ENVIRONMENT["AWS_REGION"], endpoint_url=ENVIRONMENT.get("AWS_ENDPOINT_URL_DYNAMODB")
)
agents = session.create_client(
    "apigatewaymanagementapi",
    region_name=ENVIRONMENT["AWS_REGION"],
    endpoint_url=ENVIRONMENT["WEBSOCKET_API_ENDPOINT"].replace("wss://", "https://").replace("ws://", "http://"),
)


def post(connection_id, message):
    """False: the agent is gone, and its record with it."""
    try:
        agents.post_to_connection(ConnectionId=connection_id, Data=json.dumps(message).encode())
        return True
    except agents.exceptions.GoneException:
        dynamodb.delete_item(TableName=CONNECTIONS, Key={"connectionId": {"S": connection_id}})
        return False


# ---- agents ----


def connect(connection_id):
    tunnel, now = "".join(random.choices(string.ascii_lowercase + string.digits, k=12)), int(time.time())
    url = f"https://{tunnel}.{DOMAIN}"
    dynamodb.put_item(TableName=CONNECTIONS, Item={
        "connectionId": {"S": connection_id}, "tunnelId": {"S": tunnel}, "publicUrl": {"S": url}, "subdomainUrl": {"S": url},
        "pathBasedUrl": {"S": f"https://{DOMAIN}/{tunnel}"}, "createdAt": {"N": str(now)}, "ttl": {"N": str(now + 7200)}})  # fmt: skip


def ready(connection_id):
    item = dynamodb.get_item(TableName=CONNECTIONS, Key={"connectionId": {"S": connection_id}}).get("Item")
    if item:
        post(connection_id, {"type": "connection_established", "connection_id": connection_id,
                             "tunnel_id": item["tunnelId"]["S"], "public_url": item["publicUrl"]["S"]})  # fmt: skip


def complete(answer):
    try:
        dynamodb.update_item(
            TableName=REQUESTS, Key={"requestId": {"S": answer["request_id"]}},
            UpdateExpression="SET #s = :completed, responseData = :data",
            ConditionExpression="attribute_exists(requestId)",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":completed": {"S": "completed"}, ":data": {"S": json.dumps(answer)}})  # fmt: skip
    except dynamodb.exceptions.ConditionalCheckFailedException:
        pass


def message(connection_id, body):
    parsed = json.loads(body)
    kind = parsed.get("type") or parsed.get("action")
    if kind == "ready":
        ready(connection_id)
    elif kind == "ping":
        post(connection_id, {"type": "pong"})
    elif kind == "http_response":
        complete(parsed)


# ---- visitors ----


def route(event):
    """(tunnel, path)"""
    host = event["headers"]["host"].partition(":")[0]
    if host.endswith("." + DOMAIN):
        return host.removesuffix("." + DOMAIN), event["rawPath"]
    _, tunnel, *rest = event["rawPath"].split("/", 2)
    return tunnel, "/" + "".join(rest)


def wait(request_id):
    pause, end = 0.05, time.monotonic() + WAIT_S
    while time.monotonic() < end:
        time.sleep(pause)
        pause = min(2 * pause, 0.5)
        item = dynamodb.get_item(TableName=REQUESTS, Key={"requestId": {"S": request_id}}, ConsistentRead=True).get("Item", {})
        if item.get("status") == {"S": "completed"}:
            return json.loads(item["responseData"]["S"])
    return None


def forward(event):
    tunnel, path = route(event)
    items = dynamodb.query(
        TableName=CONNECTIONS, IndexName="tunnel-id-index", KeyConditionExpression="tunnelId = :t",
        ExpressionAttributeValues={":t": {"S": tunnel}}, Limit=1)["Items"]  # fmt: skip
    if not items:
        return {"statusCode": 404, "body": "no such tunnel"}
    connection_id, request_id, now = items[0]["connectionId"]["S"], str(uuid.uuid4()), int(time.time())
    dynamodb.put_item(TableName=REQUESTS, Item={
        "requestId": {"S": request_id}, "connectionId": {"S": connection_id}, "status": {"S": "pending"},
        "apiGatewayRequestId": {"S": event["requestContext"]["requestId"]},
        "createdAt": {"N": str(now)}, "ttl": {"N": str(now + 30)}})  # fmt: skip
    body = event.get("body") or ""
    request = {
        "type": "http_request", "request_id": request_id, "method": event["requestContext"]["http"]["method"],
        "uri": path + ("?" + event["rawQueryString"] if event["rawQueryString"] else ""),
        "headers": {name: [value] for name, value in event["headers"].items()},
        "body": body if event.get("isBase64Encoded") else base64.b64encode(body.encode()).decode(),
        "timestamp": int(time.time() * 1000)}  # fmt: skip
    answer = wait(request_id) if post(connection_id, request) else {"status_code": 502}
    dynamodb.delete_item(TableName=REQUESTS, Key={"requestId": {"S": request_id}})
    if answer is None:
        return {"statusCode": 504}
    headers = {name: ",".join(values) for name, values in answer.get("headers", {}).items()}
    return {"statusCode": answer["status_code"], "headers": headers, "body": answer.get("body", ""), "isBase64Encoded": True}


# ---- the runtime ----


def handle(event):
    context = event.get("requestContext", {})
    if "http" in context:
        return forward(event)
    if context.get("routeKey") == "$connect":
        connect(context["connectionId"])
    elif context.get("routeKey") == "$disconnect":
        dynamodb.delete_item(TableName=CONNECTIONS, Key={"connectionId": {"S": context["connectionId"]}})
    elif context:  # and else the schedule's, with nothing to do: a process that ends of it costs the next event a new one
        message(context["connectionId"], event["body"])
    return {"statusCode": 200}


def call(method, path, body=None):
    connection = http.client.HTTPConnection(ENVIRONMENT["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, "/2018-06-01/runtime/invocation" + path, body)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.headers, text


def main():
    while True:
        headers, text = call("GET", "/next")
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        try:
            call("POST", f"/{request_id}/response", json.dumps(handle(json.loads(text))))
        except botocore.exceptions.ClientError as error:
            call("POST", f"/{request_id}/error", json.dumps({"errorType": "Failed", "errorMessage": str(error)}))


if __name__ == "__main__":
    try:
        main()
    except (OSError, http.client.HTTPException):
        raise SystemExit(1) from None  # the Runtime API is gone
