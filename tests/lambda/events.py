"""Events as API Gateway makes them; tests/golden/lambda says after which documents."""

import base64
import json
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "golden/lambda/ok"


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def http2(target="/", method="GET", headers=None, body=None, host="tunnel.example.com", stage="$default", **context):
    path, _, query = target.partition("?")
    event = golden("http_api_2_0")
    event.update(rawPath=path, rawQueryString=query, headers={"host": host, **(headers or {})})
    event.pop("queryStringParameters")
    event.pop("cookies")
    event.pop("body")
    event["requestContext"].update(stage=stage, domainName=host, **context)
    event["requestContext"]["http"].update(method=method, path=path)
    return with_body(event, body)


def http1(target="/", method="GET", headers=(), body=None, host="tunnel.example.com", stage="$default", **context):
    path, _, query = target.partition("?")
    event = golden("http_api_1_0")
    fields = {"Host": [host]}
    for name, value in headers:
        fields.setdefault(name, []).append(value)
    parameters = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        parameters.setdefault(name, []).append(value)
    event.update(httpMethod=method, path=path, multiValueHeaders=fields)
    event.update(headers={name: values[-1] for name, values in fields.items()})
    event.update(multiValueQueryStringParameters=parameters or None)
    event.update(queryStringParameters={name: values[-1] for name, values in parameters.items()} or None)
    event["requestContext"].update(stage=stage, domainName=host, **context)
    return with_body(event, body)


def with_body(event, body):
    if body is not None:
        event.update(body=base64.b64encode(body).decode(), isBase64Encoded=True)
        headers = event.get("multiValueHeaders")
        if headers:
            headers["Content-Length"] = [str(len(body))]
        else:
            event["headers"]["content-length"] = str(len(body))
    else:
        event.update(body=None, isBase64Encoded=False)
    return event


def alb(target="/", method="GET", headers=(), body=None, host="tunnel.example.com", client="192.0.2.7", many=False):
    """As a load balancer has it: names and values of the query as they came, X-Forwarded-For with the visitor at its end."""
    event, (path, _, query) = golden("alb_multi_value" if many else "alb"), target.partition("?")
    fields, parameters = {"host": [host], "x-forwarded-for": [client], "x-forwarded-proto": ["http"], "x-forwarded-port": ["80"]}, {}
    for name, value in headers:
        fields.setdefault(name.lower(), []).append(value)
    fields["x-forwarded-for"] = [", ".join(reversed(fields["x-forwarded-for"]))]
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        parameters.setdefault(name, []).append(value)
    event.update(httpMethod=method, path=path)
    if many:
        event.update(multiValueHeaders=fields, multiValueQueryStringParameters=parameters)
    else:
        event.update(headers={name: values[-1] for name, values in fields.items()},
                     queryStringParameters={name: values[-1] for name, values in parameters.items()})  # fmt: skip
    event.update(body=base64.b64encode(body).decode() if body is not None else "", isBase64Encoded=body is not None)
    return event


def connect(connection_id, query=None, headers=None):
    event = golden("websocket_connect")
    event["requestContext"].update(connectionId=connection_id)
    for name, value in (headers or {}).items():
        event["headers"][name] = value
        event["multiValueHeaders"][name] = [value]
    if query:
        event["queryStringParameters"] = query
        event["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()}
    return event


def message(connection_id, text):
    event = golden("websocket_message")
    event["requestContext"].update(connectionId=connection_id)
    event["body"] = text if isinstance(text, str) else json.dumps(text)
    return event


def disconnect(connection_id):
    event = golden("websocket_disconnect")
    event["requestContext"].update(connectionId=connection_id)
    return event


def schedule():
    return golden("schedule")


def stream(*records):
    event = golden("dynamodb_stream")
    event["Records"] = list(records)
    return event
