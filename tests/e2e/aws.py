"""The stack `aws`: bootstrap in the stand-in for API Gateway and Lambda, on tables of DynamoDB Local."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from programs import BIN, ROOT, Gateway

sys.path += [str(ROOT / "tests/lambda"), str(ROOT / "infra/schema")]

import make_tables  # noqa: E402
from dynamodb_local import CREDENTIALS, DynamoDBLocal, Missing  # noqa: E402

shared = SimpleNamespace(dynamodb=None, tables={})

# What the scenarios of the other stacks ask for and this one has not, and why: file, beginnings of the tests' names, reason.
BUFFERED = "API Gateway reads bodies to their end, of up to 10 MB, before the function sees the request"
HEADS = "API Gateway's own bound: request line and fields of 10 240 bytes together"
DECODED = "API Gateway decodes paths, joins repeated fields, and its events are JSON: bytes are not kept as they came"
FRONT = "API Gateway answers, or takes off, that itself: Expect, Upgrade, OPTIONS *, Content-Length of HEAD and 304"
FIELDS = "API Gateway adds x-amzn-trace-id and x-forwarded-*, and https is what visitors of AWS come by"
PINGS = "API Gateway neither pings agents nor notices that one sleeps, for 10 minutes"
LEAVING = "API Gateway does not tell the function that a visitor has left"
BOUND = "each process has one request: what bounds those of a tunnel is the function's concurrency"
MESSAGES = "messages of 128 KB: an agent that knows no chunks gets no more, nor can it send more"
PATHS = "a WebSocket API has one path"
START = "the function reads its keys when an environment starts; a new package brings new ones"
PIECES = "an answer of 2 MiB is 30 invocations that put 100 KB: ten at once, or twenty, take DynamoDB Local longer than a request may"
SLEEPS = "no invocation waits for a token's end: who comes next finds it, and the schedule closes the connection 30 s later"
LONG = "4000 requests one after the other, each polled for 50 ms and more, take minutes"
NAMES = "HTTP APIs write the names of an answer's fields in lower case"
MANY = "hundreds of requests at once are as many processes of the function"
GATEWAYS = "a setting of gateways: the function has none such"

EXCEPTIONS = [
    ("http", "chunked_request_body_too_large request_body_too_large_is_known expect_with_a_body_too_large", BUFFERED),
    ("http", "60_kib_of_request request_headers_too_large[v1-65 request_headers_too_large[v1-90 request_headers_too_large[v1-257"
             " request_headers_too_large[v1-a_value large_values[v1-15000 large_values[v1-60000 target_of_", HEADS),
    ("http", "raised_bounds_of_heads lowered_bounds_of_heads", GATEWAYS),
    ("http", "names_of_fields_are_in", NAMES),
    ("http", 'repeated_headers_keep header_values_of_any target_is_raw[v1-/a%2F target_is_raw[v1-/%00 target_is_raw[v1-/?]'
             ' target_is_raw[v1-/"<>', DECODED),
    ("smuggling", "one_clear_request there_are_many", FRONT),
    ("hostile_services", "a_proper_answer an_answer_that_nobody there_are_many", MESSAGES),
    ("hostile_agents", "fields_that messages_that what_is_of lines_of handshakes names_of", FRONT),
    ("sandbox", "a_gateway a_successor", GATEWAYS),
    ("routing", "path_mode[", DECODED),
    ("agents", "what_a_request_looks", DECODED),
    ("http", "head[ 304_keeps unknown_expect upgrade_is_refused", FRONT),
    ("routing", "asterisk_form", FRONT),
    ("http", "nothing_of_our_clients", FIELDS),
    ("routing", "forwarded_headers", FIELDS),
    ("routing", "a_setting_lets_claims a_trusted_proxy_that_adds caps_count_the_visitor", GATEWAYS),
    ("failures", "agent_that_falls ttf_finds_out a_link_that_died", PINGS),
    ("agents", "half_a_frame", PINGS),
    ("failures", "visitor_who_leaves_frees", LEAVING),
    ("errors", "too_many_at_once long_polls_take_no_place", BOUND),
    ("agents", "body_of_two_mib", MESSAGES),
    ("chunks", "an_agent_without_the_capability", MESSAGES),
    ("agents", "any_path_will_do[/ws any_path_will_do[/any", PATHS),
    ("tls", "a_ an_ ciphers going large metrics no_ old pipelined plain sessions the_ what who", GATEWAYS),
    ("h2", "a_ an_ answers bodies clients continue cookies each going many more trailers unknown what who windows", GATEWAYS),
    ("h2_hostile", "bodies malformed what who there", GATEWAYS),
    ("proxy_protocol", "a_ before byte each ipv6 others the_ what without", GATEWAYS),
    ("jwks", "the_file_changes", START),
    ("auth", "several_files", GATEWAYS),
    ("token_end", "nor_by_a_stream", "ttf speaks v1 with API Gateway"),
    ("token_end", "the_connection_is_closed", SLEEPS),
    ("chunks", "pieces_that_make_no_sense_are_dropped[too_long", PIECES),
    ("failures", "slow_reader_does_not visitor_who_leaves_within_the_answer", PIECES),
    ("failures", "memory_stays_bounded", LONG),
    ("ttf_turns", "the_other", MANY),
]  # fmt: skip


def exception(item):
    name = f"{item.path.name}::{item.name.replace(' ', '_')}"
    for file, beginnings, reason in EXCEPTIONS:
        if name.startswith(tuple(f"test_{file}.py::test_{beginning}" for beginning in beginnings.split())):
            return f"aws: {reason}"
    if hasattr(item, "callspec") and item.callspec.params.get("protocol") == "v2":
        return "aws: ttf speaks v1 with API Gateway, and that is tested"
    return None


def tables(key):
    """Names of tables for each key, as environment variables: what is started again with it finds what it has left."""
    if shared.dynamodb is None:
        local = DynamoDBLocal()
        try:
            shared.dynamodb = local.__enter__()
        except Missing as missing:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(missing))
    if key not in shared.tables:
        client = make_tables.client(shared.dynamodb.endpoint)
        shared.tables[key] = make_tables.make(client, f"e{len(shared.tables)}-")
    return shared.tables[key]


def stop():
    if shared.dynamodb is not None:
        shared.dynamodb.stop()


# Settings of ttf-gateway that say nothing to API Gateway: tests of every stack may give them.
GATEWAY_ONLY = {"--agent-protocols", "--agent-ping-interval", "--agent-link-requests", "--allowed-origins", "--body-idle-timeout",
                "--header-timeout", "--keepalive-timeout", "--drain-delay", "--lease", "--max-body", "--peer-url"}  # fmt: skip


def without_gateway_only(options):
    options = list(options)
    while found := [i for i, word in enumerate(options) if word in GATEWAY_ONLY]:
        del options[found[0] : found[0] + 2]
    return options


# ---- what infra/ would make is what is played ----

DESCRIPTIONS = ROOT / "infra/schema/descriptions"


def seconds(text):
    """None: a description, which has whole seconds, cannot say it."""
    return int(text[:-1]) if text.endswith("s") and text[:-1].isdigit() else None


def milliseconds(text):
    return int(text[:-2]) if text.endswith("ms") else int(text[:-1]) * 1000


def without_domains(description, said):
    if said == "false":
        description["http"].update(customDomain=None, wildcard=None)
        description["websocket"]["customDomain"] = None
        description["function"]["environment"]["ENABLE_SUBDOMAIN_ROUTING"] = "false"
    return said


# Options of tests that are part of what is deployed: where they stand in a description, and how they are written there.
DESCRIBED = {
    "--api-stage": ("stage", str),
    "--api-payload": ("http.routes.$default.payload", str),
    "--api-timeout": ("http.routes.$default.timeoutMs", milliseconds),
    "--api-rate": ("throttling.ratePerSecond", int),
    "--api-burst": ("throttling.burst", int),
    "--lambda-concurrency": ("function.reservedConcurrency", int),
    "--lambda-timeout": ("function.timeoutSeconds", seconds),
    "--cleanup-interval": ("schedule.seconds", seconds),
    "--stream-retries": ("mapping.retries", int),
    "--stream-max-age": ("mapping.maximumAgeSeconds", seconds),
    "--stream-bisect": ("mapping.bisect", lambda text: text == "true"),
    "--stream-report-failures": ("mapping.reportBatchItemFailures", lambda text: text == "true"),
}
# Variables that tests say by an option of the stand-in's: it is told, and not the description.
BY_OPTION = {"--require-auth": "REQUIRE_AUTH", "--per-tunnel-rate-limit": "PER_TUNNEL_RATE_LIMIT", "--jwks-path": "JWKS_PATH",
             "--enable-subdomain-routing": "ENABLE_SUBDOMAIN_ROUTING", "--routing": "ENABLE_SUBDOMAIN_ROUTING", "--tunnel-secret-file": "TUNNEL_SECRET",
             "--config": "REQUIRE_AUTH"}  # fmt: skip


def put(description, place, value):
    *path, last = place.split(".")
    for name in path:
        description = description.get(name) or {}
    description[last] = value


def described(options, variables, stream):
    """The description that infra/ makes for this mode, with what a test says otherwise: (it, the options that are left)."""
    mode = variables.get("WAIT_MODE") or os.environ.get("WAIT_MODE") or "polling"
    description = json.loads((DESCRIPTIONS / f"{'stream' if stream else mode}.json").read_text())
    environment, left, options = description["function"]["environment"], [], list(options)
    own = {name: value for name, value in variables.items() if not name.startswith("AWS_")}
    environment.update({**own, "WAIT_MODE": mode})
    description["region"] = variables.get("AWS_REGION", description["region"])
    if description["mapping"]:
        description["mapping"]["table"] = variables["PENDING_REQUESTS_TABLE_NAME"]
    while options:
        flag, value = str(options.pop(0)), str(options[0]) if options else ""
        place, write = DESCRIBED.get(flag, (None, None))
        if place and write(value) is not None:
            put(description, place, write(options.pop(0)))
        elif flag == "--api-custom-domain":
            without_domains(description, options.pop(0))
        else:
            left.append(flag)
            environment.pop(BY_OPTION.get(flag, ""), None)
    environment = {name: value for name, value in environment.items() if value}
    description["function"]["environment"] = environment
    return description, left


class ApiGateway(Gateway):
    program, keeps_state = "ttf-apigw", False


class StandIn(ApiGateway):
    """`stream`: the function is invoked with the stream in any mode."""

    def __init__(self, state_dir, *options, env=None, bootstrap=BIN / "bootstrap", stream=False, **more):
        names = tables(state_dir)
        options = without_gateway_only(options)
        # an account's own bound; 30 s and a bit; connections to AWS are dead as early as they may be behind a thaw
        for name, value in (("--lambda-concurrency", "1000"), ("--cleanup-interval", "5s"), ("--aws-idle", "1s")):
            if name not in options:
                options = [name, value, *options]
        variables = {**names, "TUNNEL_SECRET": f"a secret for {state_dir}", **(env or {})}
        description, options = described(options, variables, stream)
        file = Path(state_dir) / "description.json"
        file.write_text(json.dumps(description, indent=2))
        environment = {**CREDENTIALS, "AWS_ENDPOINT_URL_DYNAMODB": shared.dynamodb.endpoint,
                       **{name: value for name, value in variables.items() if name.startswith("AWS_")}}  # fmt: skip
        self.tables = names
        super().__init__(state_dir, "--bootstrap", bootstrap, "--description", file, *options, env=environment, **more)
