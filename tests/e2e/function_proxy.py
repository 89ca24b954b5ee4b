#!/usr/bin/python3
"""A function for the stand-in whose handler is the test's: each event goes to $HANDLER, and what that answers goes back."""

import http.client
import os
import sys

runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
handler = http.client.HTTPConnection(os.environ["HANDLER"])
ROOT = "/2018-06-01/runtime/"


def call(connection, method, path, body=None, headers={}):
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer, answer.read()


while True:
    answer, event = call(runtime, "GET", ROOT + "invocation/next")
    invocation = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    trace = {"Trace": answer.headers["Lambda-Runtime-Trace-Id"]}
    answer, body = call(handler, "POST", f"/{os.getpid()}/{answer.headers['Lambda-Runtime-Deadline-Ms']}", event, trace)
    if answer.status == 555:
        sys.exit(3)
    call(runtime, "POST", f"{ROOT}invocation/{invocation}/{'response' if answer.status == 200 else 'error'}", body)
