"""A tunnel lasts no longer than the token that it was opened with, and ttf moves to a new one before that."""

import threading
import time

import pytest

import http_raw
from agent_v1 import hello
from programs import SLOW
from service import Gate, Response
from test_agents import visit
from test_auth import PROTECTED, bearer, token
from test_token_command import wait_for

LIFE = 6 if SLOW == 1 else 12  # seconds, in which a program has to start: who comes later has the leeway, too


@pytest.fixture
def gateway(start):
    return start.gateway(env={**PROTECTED, "RECONNECT_GRACE": "200ms"})


def is_gone(gateway, agent):
    """No answer of the agent's."""
    return visit(gateway, agent).status == 502


def test_nothing_is_given_to_it_afterwards(start, gateway):
    """It is told the reason."""
    end = int(time.time()) + LIFE
    agent = start.agent(gateway, hello, headers=bearer(token(exp=end)))
    assert visit(gateway, agent).status == 200
    assert 1 <= agent.established["token_seconds"] <= LIFE + 1
    wait_for(lambda: time.time() > end + 0.1, LIFE + 2)
    assert is_gone(gateway, agent)
    assert agent.messages.get(timeout=60 * SLOW)["code"] == "token_expired"


def test_nor_by_a_stream(start, gateway):
    end = int(time.time()) + LIFE
    agent = start.agent_v2(gateway, lambda agent, request: agent.answer(request.stream), headers=bearer(token(exp=end)))
    assert visit(gateway, agent).status == 200
    assert agent.lines.get(timeout=(LIFE + 20) * SLOW)["code"] == "token_expired"
    assert is_gone(gateway, agent)
    assert agent.closed.wait(60 * SLOW)


def test_the_connection_is_closed(start, gateway):
    agent = start.agent(gateway, hello, headers=bearer(token(lifetime=LIFE)))
    assert agent.closed.wait(60 * SLOW)
    assert is_gone(gateway, agent)


def test_it_lasts_where_that_is_said(start):
    gateway = start.gateway(env={**PROTECTED, "ENFORCE_EXP": "false"})
    end = int(time.time()) + 2
    agent = start.agent(gateway, hello, headers=bearer(token(exp=end)))
    assert "token_seconds" not in agent.established
    wait_for(lambda: time.time() > end + 2, 10)
    assert visit(gateway, agent).status == 200


def test_ttf_that_has_one_token_says_so_and_ends(start, gateway):
    ttf = start.forwarder(gateway, start.service(), env={"TTF_TOKEN": token(lifetime=LIFE)})
    ttf.expect_killed = True
    assert ttf.wait_exit() == 1
    assert any("its token has expired" in line for line in ttf.err), ttf.dump()


class Visits(threading.Thread):
    """One after another, as long as it is not stopped."""

    def __init__(self, gateway, ttf):
        super().__init__(daemon=True)
        self.call = lambda: http_raw.request(gateway.address, host=ttf.host).status
        self.is_over = threading.Event()
        self.statuses = []
        self.start()

    def run(self):
        while not self.is_over.is_set():
            self.statuses.append(self.call())

    def stop(self):
        self.is_over.set()
        self.join(30)
        return self.statuses


def test_a_renewed_file_costs_no_request(start, gateway, tmp_path):
    """The file is renewed some time before the end, as who writes such files does."""
    path = tmp_path / "token"
    path.write_text(token(lifetime=LIFE))
    ttf = start.forwarder(gateway, start.service(), "--token-file", path)
    visits = Visits(gateway, ttf)
    before = len(ttf.out)
    path.write_text(token(lifetime=60))
    ttf.wait_line("There is a new token; connecting again", after=before)
    ttf.wait_established(after=before)
    assert set(visits.stop()) == {200}
    assert not any("expired" in line for line in ttf.out + ttf.err)


def test_a_command_is_asked_before_the_end(start, gateway, tmp_path):
    path = tmp_path / "token"
    path.write_text(token(lifetime=LIFE))
    ttf = start.forwarder(gateway, start.service(), "--token-command", f"cat {path}; echo run >> {tmp_path}/runs")
    visits = Visits(gateway, ttf)
    before = len(ttf.out)
    path.write_text(token(lifetime=60))
    ttf.wait_line("There is a new token; connecting again", after=before)
    ttf.wait_established(after=before)
    assert set(visits.stop()) == {200}
    assert len((tmp_path / "runs").read_text().split()) < 6


def test_a_file_that_is_renewed_too_late_is_used_then(start, gateway, tmp_path):
    """The tunnel keeps its URL."""
    path = tmp_path / "token"
    path.write_text(token(lifetime=LIFE))
    ttf = start.forwarder(gateway, start.service(), "--token-file", path)
    url, before = ttf.url, len(ttf.out)
    ttf.wait_line("The token has expired; connecting again")
    path.write_text(token(lifetime=60))
    assert ttf.wait_established(after=before) == url


def test_what_is_under_way_may_end(start, gateway):
    """An answer that the service is still making when the token ends comes."""
    gate = Gate(lambda request: Response(body=b"late"))
    service = start.service()
    service.on("/slow", gate)
    ttf = start.forwarder(gateway, service, env={"TTF_TOKEN": token(lifetime=LIFE)})
    ttf.expect_killed = True
    answer = []
    thread = threading.Thread(target=lambda: answer.append(http_raw.request(gateway.address, target="/slow", host=ttf.host)), daemon=True)
    thread.start()
    gate.wait_arrived()
    ttf.wait_err("its token has expired")
    gate.open()
    thread.join(30)
    assert answer and answer[0].body == b"late"
    assert ttf.wait_exit() == 1
