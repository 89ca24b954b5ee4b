"""Programs that work on a running ttf: a coding agent's side of ttf mcp, by the protocol's own SDK of PyPI, and npm's client of ngrok's
agent API."""

import subprocess

import pytest

import apps
from apps import npm, pip
from programs import BIN, ROOT, SLOW
from test_mcp import inspected  # noqa: F401

pytestmark = [mark for mark in apps.marks if mark is not apps.needs_chromium]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_protocols_own_client(inspected, mode):  # noqa: F811
    wanted = (ROOT / "tests/e2e/requirements-mcp.txt").read_text().splitlines()
    python = pip(*(line for line in wanted if not line.startswith("#"))) / "python"
    inspected.service.answer("/hook", status=500, body='{"error": "x"}')
    done = subprocess.run([python, ROOT / "tests/e2e/mcp_client.py", BIN / "ttf", inspected.inspect_url, inspected.ttf.url, mode,
                           str(inspected.gateway.address[1])], capture_output=True, text=True, timeout=120 * SLOW)  # fmt: skip
    assert done.returncode == 0 and done.stdout.endswith("fine\n"), done.stdout + done.stderr


def test_npms_client_of_ngroks_agent_api(inspected, start, tmp_path):  # noqa: F811
    npm(tmp_path / "app", "ngrok@4.3.3", "--ignore-scripts")  # one of them would fetch ngrok itself
    (tmp_path / "app/agent_api.cjs").write_bytes((ROOT / "tests/e2e/agent_api.cjs").read_bytes())
    done = subprocess.run(["node", "agent_api.cjs", inspected.inspect_url, str(inspected.gateway.address[1]), str(start.service().port)],
                          cwd=tmp_path / "app", capture_output=True, text=True, timeout=120 * SLOW)  # fmt: skip
    assert done.returncode == 0 and done.stdout == "fine\n", done.stdout + done.stderr
