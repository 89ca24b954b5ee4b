"""Settings of ttf-gateway that are no good, or contradict each other: said at the start, with what to do about it."""

import pytest

import backends
import http_raw
from programs import BIN
from test_auth import PROTECTED

pytestmark = pytest.mark.skipif(backends.STACK != "memory", reason="settings of ttf-gateway, once is enough")

PORTS = ("--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")


@pytest.mark.parametrize(
    "options, says",
    [
        (["--domain", "https://tunnel.example"], "--domain: expected a host name, without a scheme or a port"),
        (["--names", "dev.example.org:8080"], "--names: expected host names, without a scheme or a port"),
        (["--domain", "192.0.2.1", "--routing", "subdomain"], "an address has no subdomains: say a name of yours with --domain"),
        (["--allowed-names", "api.tunnel.example"], "--allowed-names: expected names as a tunnel may have them, such as api"),
        (["--allowed-origins", "*"], "--allowed-origins: expected origins as browsers write them"),
        (["--pass-fields", "cf connecting ip"], "--pass-fields: expected names of fields, such as cf-connecting-ip"),
        (["--public-url", "https://tunnel.example?a=b"], "--public-url: expected a host and perhaps a port"),
        (["--first-visit-page", "--routing", "path"], "--first-visit-page and --routing contradict each other"),
        (["tokn", "--sub", "ann"], "did you mean token as the first word?"),
        (["--access-log", "log"], "say --access-log-format json or combined, too"),
        (["--custom-domains"], "--custom-domains: nobody could bring one"),
    ],
)
def test_what_is_no_good_is_refused(start, tmp_path, options, says):
    program = start.program(BIN / "ttf-gateway", *PORTS, "--state-dir", tmp_path, *options)
    program.expect_killed = True  # not with 0
    assert program.wait_exit() == 2
    assert any(says in line for line in program.err), program.dump()


@pytest.mark.parametrize(
    "options, env, says",
    [
        (["--first-visit-page"], PROTECTED, "nobody is shown the page"),
        (["--first-visit-page", "--domain", "tunnel.example"], {}, "tunnels are reached by paths as well"),
        (["--allowed-origins", "https://app.example,null"], {}, "null is the origin of every local file"),
        (["--access-log-query"], {}, "it says nothing without --access-log-format"),
        (["--enforce-exp=false"], {}, "--enforce-exp: it says nothing without --require-auth=true"),
        (["--public-url", "http://other.example", "--domain", "tunnel.example"], {}, "a name that is none of the gateway's"),
    ],
)
def test_what_may_not_be_meant_is_told_of(start, options, env, says):
    gateway = start.gateway(*options, env=env)
    gateway.wait_err(says)


@pytest.mark.parametrize(
    "options",
    [
        ["--public-url", "http://Tunnel.Example:80/", "--domain", "tunnel.example"],
        ["--public-url", "http://dev.example", "--domain", "tunnel.example", "--names", "DEV.example"],
        ["--public-url", "http://192.0.2.1:8080"],
        ["--first-visit-page", "--domain", "tunnel.example", "--routing", "subdomain"],
        ["--access-log-query", "--access-log-format", "json"],
    ],
)
def test_of_what_is_right_nothing_is_told(start, options):
    gateway = start.gateway(*options)
    gateway.stop()
    assert not [line for line in gateway.err if line.startswith("ttf-gateway: --")], gateway.dump()


def test_a_domain_may_be_written_in_capitals(start):
    """Host fields are compared in lower case: so is what the settings say."""
    gateway = start.gateway("--domain", "Tunnel.Example.", "--names", "DEV.Example")
    ttf = start.forwarder(gateway, start.service())
    assert f"{ttf.tunnel_id}.tunnel.example" in ttf.url
    assert http_raw.request(gateway.address, target="/", host=f"{ttf.tunnel_id}.tunnel.example").status == 200
    assert http_raw.request(gateway.address, target=f"/{ttf.tunnel_id}/", host="dev.example").status == 200
