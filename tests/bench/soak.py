"""A day in a few minutes: two gateways that share a Redis, many tunnels of mixed kinds (idle, asked again and again, streams,
WebSockets, protocol v1, one that is greedy), bad tokens, slow visitors, Prometheus with our alerts (their times shortened); then each
part is restarted, killed and replaced in turn. Between two incidents all is calm: then no request may fail, and what the gateways
have counted must be what the visitors have. `./dev bench --soak [SECONDS] [--tunnels N]`; ends with 1 where something is missed."""

import argparse
import asyncio
import base64
import collections
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from soak_load import BadTokens, Visitors
from soak_service import digest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from agent_v1 import AgentV1, answer  # noqa: E402

A_PROCESS = 125  # tunnels of one ttf; its file takes 128
EXPECTED = {"TtfGatewayDown", "TtfStoreDown", "TtfAgentsRefused", "TtfConnectionsNearlyFull"}
# What a machine that is busy with other things, or the incidents themselves, may make fire.
ALLOWED = EXPECTED | {"TtfErrors", "TtfOwnTimeHigh", "TtfLoopLag"}
PATIENCE_S = 120
STILL_S, STILL_TRIES = 1.0, 3
DRIFT = 0.05
SLACK_KIB = 1024  # what an allocator may hold back, also of a process of 10 MiB


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def is_there(pid):
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def look_for_dead():
    """Those that should be there: nothing is waited for that cannot come."""
    for program in Program.running:
        if program.process.poll() and program.pid == program.process.pid:
            raise RuntimeError(f"{program.log.name}: ended with {program.process.returncode}\n{program.text()[-1000:]}")


async def until(true, what):
    end = time.monotonic() + PATIENCE_S
    while True:
        found = true()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {PATIENCE_S} s")
        look_for_dead()
        await asyncio.sleep(0.05)


class Program:
    """Its output goes to a file; it may be killed and started again."""

    running = set()

    def __init__(self, folder, name, *arguments, env=None):
        self.log, self.arguments, self.env = folder / f"{name}.log", [str(a) for a in arguments], env or {}
        self.process, self.pid = None, None

    def start(self, *more):
        with self.log.open("ab") as out:
            self.process = subprocess.Popen([*self.arguments, *more], stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={**os.environ, **self.env})
        self.pid = self.process.pid
        Program.running.add(self)

    def text(self):
        return self.log.read_text(errors="replace")

    def end(self, number=signal.SIGTERM):
        Program.running.discard(self)
        for pid in {self.pid, self.process.pid}:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        self.process.wait()
        while is_there(self.pid):  # an heir is no child of ours
            time.sleep(0.02)


class Gateway(Program):
    def __init__(self, folder, name, binary, store):
        self.ports = [free_port() for _ in range(3)]
        public, agent, admin = (f"127.0.0.1:{port}" for port in self.ports)
        super().__init__(
            folder, name, binary / "ttf-gateway", "--public-listen", public, "--agent-listen", agent, "--admin-listen", admin,
            "--state-dir", folder / name, "--store", store, "--per-tunnel-rate-limit", "50", "--log-level", "info",
            "--access-log-format", "off", "--max-connections", "5000", "--tunnel-secret-file", folder / "secret",
            env={"JWT_SECRET_FILE": str(folder / "jwt"), "REQUIRE_AUTH": "true"},
        )  # fmt: skip

    def scrape(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[2]}/metrics", timeout=20) as page:
            return page.read().decode()

    def counts(self):
        """{(name, first label's value): number} of what the soak compares."""
        found = re.findall(r'^(ttf_requests_total|ttf_agent_connects_total)\{\w+="(\w+)"\} (\S+)$', self.scrape(), re.M)
        return collections.Counter({(name, label): int(float(value)) for name, label, value in found})

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[2]}/readyz", timeout=5) as page:
                return b"redis" not in page.read()
        except OSError:
            return False

    async def take_over(self):
        old, before = self.pid, len(self.text())
        os.kill(old, signal.SIGUSR2)
        self.pid = int((await until(lambda: re.search(r"process (\d+) has taken over", self.text()[before:]), "the takeover"))[1])
        return old


class Prometheus(Program):
    def __init__(self, folder, gateways, factor):
        self.port = free_port()
        rules = (ROOT / "docker/observe/alerts.yml").read_text()
        (folder / "alerts.yml").write_text(shorten(rules, factor))
        targets = ", ".join(f"127.0.0.1:{gateway.ports[2]}" for gateway in gateways)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [alerts.yml]\n"
            f"scrape_configs: [{{job_name: ttf, static_configs: [{{targets: [{targets}]}}]}}]\n"
        )
        super().__init__(folder, "prometheus", shutil.which("prometheus"), f"--config.file={folder}/prometheus.yml",
                         f"--storage.tsdb.path={folder}/prometheus", f"--web.listen-address=127.0.0.1:{self.port}")  # fmt: skip
        self.fired = {}

    def firing(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/alerts", timeout=5) as page:
                alerts = json.load(page)["data"]["alerts"]
        except OSError:
            return set()
        now = {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}
        for name in now:
            self.fired.setdefault(name, time.strftime("%H:%M:%S"))
        return now

    async def watch(self):
        while True:
            await asyncio.to_thread(self.firing)
            await asyncio.sleep(1)


def shorten(rules, factor):
    """The same rules, their times by that factor shorter: at least 2 s, and 5 s to take a rate of."""

    def shorter(least):
        return lambda found: f"{found[1]}{max(least, round(int(found[2]) * 60 / factor))}s{found[3]}"

    rules = re.sub(r"(for: )(\d+)m()", shorter(2), rules)
    return re.sub(r"(\[)(\d+)m(\])", shorter(5), rules)


def make_token(folder, options):
    command = [options.bin / "ttf-gateway", "token", "--sub", "soak", "--ttl", "1d"]
    done = subprocess.run(command, env={**os.environ, "JWT_SECRET_FILE": str(folder / "jwt")}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Soak:
    def __init__(self, folder, options):
        self.folder, self.options, self.rows, self.notes, self.others = folder, options, [], [], []
        (folder / "secret").write_text(os.urandom(32).hex())
        (folder / "jwt").write_text(os.urandom(32).hex())
        for name in ("secret", "jwt"):
            (folder / name).chmod(0o600)
        self.redis = Program(folder, "redis", shutil.which("redis-server"), "--port", "0", "--unixsocket", folder / "redis.socket", "--save", "")
        self.token = make_token(folder, options)
        store = f"redis+unix://{folder}/redis.socket?db=0"
        self.gateways = [Gateway(folder, f"gateway-{n}", options.bin, store) for n in (1, 2)]
        self.service_port = free_port()
        self.service = Program(folder, "service", sys.executable, "-B", HERE / "soak_service.py", self.service_port)
        self.prometheus = Prometheus(folder, self.gateways, options.factor)
        self.names = [f"soak-{n:04}" for n in range(options.tunnels)]
        self.agents = [self._agent(at) for at in range(0, options.tunnels, A_PROCESS)]
        self.old_agents, self.drained_agents = [], []
        self.visitors = Visitors([("127.0.0.1", gateway.ports[0]) for gateway in self.gateways])
        self.memory, self.stood_still = [], 0

    # ---- the parts ----

    def _agent(self, at):
        number = at // A_PROCESS
        folder = self.folder / f"ttf-{number}"
        folder.mkdir()
        lines = [f"endpoint: ws://127.0.0.1:{self.gateways[number % 2].ports[1]}\ntunnels:\n"]
        for name in self.names[at : at + A_PROCESS]:
            lines.append(f"  {name}:\n    service: {self.service_port}\n    name: {name}\n")
        (folder / "soak.yaml").write_text("".join(lines))
        return Program(self.folder, f"ttf-{number}", self.options.bin / "ttf", "--config", folder / "soak.yaml",
                       env={"XDG_STATE_HOME": str(folder), "HOME": str(folder), "TTF_INSPECT": "off", "TTF_TOKEN": self.token})  # fmt: skip

    def _old_agent(self):
        """Of protocol v1: it does not come back by itself, so each look for its host may make a new one: where the connection has
        ended, or the gateway has said that it drains (the older one then finishes what it has)."""
        def reply(request):
            fields = {name.lower(): values[0] for name, values in request["headers"].items()}
            body = base64.b64decode(request.get("body") or "")
            text = json.dumps({"digest": digest(fields["x-forwarded-host"], request["uri"], body)}).encode()
            return answer(request, headers={"content-type": ["application/json"]}, body=text)

        gateway = self.gateways[len(self.old_agents) % 2]
        place = len(self.old_agents)
        self.old_agents.append(AgentV1(f"ws://127.0.0.1:{gateway.ports[1]}", reply, {"authorization": f"Bearer {self.token}"}).start())

        def renew():
            agent = self.old_agents[place]
            if agent.closed.is_set() or not agent.messages.empty():
                self.drained_agents.append(agent)
                self.old_agents[place] = AgentV1(f"ws://127.0.0.1:{gateway.ports[1]}", reply, {"authorization": f"Bearer {self.token}"}).start()
            return self.old_agents[place]

        return renew

    async def start(self):
        self.redis.start()
        await until(lambda: (self.folder / "redis.socket").exists(), "Redis")
        self.service.start()
        await until(lambda: "port" in self.service.text(), "the service")
        for gateway in self.gateways:
            gateway.start()
        await until(lambda: all(gateway.is_ready() for gateway in self.gateways), "the gateways")
        for agent in self.agents:
            agent.start()
        self.prometheus.start()
        self.others.append(asyncio.ensure_future(self.prometheus.watch()))
        self.renewals = [self._old_agent() for _ in range(min(10, self.options.tunnels // 4))]
        await self.all_answer("all tunnels are there")

    async def stop(self):
        for task in self.others:
            task.cancel()
        await self.visitors.stop()
        for agent in self.old_agents + self.drained_agents:
            agent.stop()
        for program in (*self.agents, *self.gateways, self.prometheus, self.service, self.redis):
            if program.process:
                program.end()

    # ---- visitors ----

    def host(self, name):
        return f"{name}.localhost"

    def begin_load(self):
        visitors, names = self.visitors, iter(self.names)

        def some(kind, count, pause, **more):
            for _ in range(min(count, len(self.names) // 8)):
                host = self.host(next(names))
                visitors.add(kind, lambda host=host: host, pause, **more)
                self.asked.append(host)

        self.asked = []
        some(visitors.ask, 20, 0.2)
        some(visitors.stream, 20, 0.5)
        some(visitors.socket, 20, 0.5)
        some(visitors.ask, 10, 0.2, pace=0.1)
        greedy = self.host(next(names))
        for _ in range(4):
            visitors.add(visitors.ask, lambda: greedy, 0.02)
        for renew in self.renewals:
            visitors.add(visitors.ask, lambda renew=renew: f"{renew().tunnel_id}.localhost", 0.5)
        self.bad = BadTokens([("127.0.0.1", gateway.ports[1]) for gateway in self.gateways], 0.2)
        self.others += [self.bad.task, asyncio.ensure_future(self.feel())]

    async def answers(self, host):
        """Through either gateway?"""
        for address in self.visitors.gateways:
            probe = Visitors([address])
            try:
                if await asyncio.wait_for(probe.ask(host), 20) not in (200, 429) or probe.wrong:
                    return False
            except (OSError, EOFError, asyncio.TimeoutError):
                return False
        return True

    async def all_answer(self, what, hosts=None):
        left = list(hosts or map(self.host, self.names))

        async def look():
            for host in list(left):
                if not await self.answers(host):
                    return False
                left.remove(host)
            return True

        await until(look, what)
        for renew in self.renewals:
            await until(lambda renew=renew: self.old_answers(renew), f"{what}: an agent of v1")

    async def old_answers(self, renew):
        try:
            agent = await asyncio.to_thread(renew)
        except (OSError, AssertionError):  # its gateway is not there yet
            return False
        return await self.answers(self.host(agent.tunnel_id))

    # ---- calm times ----

    def counted(self):
        return sum((gateway.counts() for gateway in self.gateways), collections.Counter())

    async def feel(self):
        """How long the machine has let nobody run."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.1)
            self.stood_still = max(self.stood_still, time.monotonic() - before - 0.1)

    async def calm(self, title, seconds):
        """Once more where the machine stood still within, of which deadlines pass."""
        for _ in range(STILL_TRIES):
            self.stood_still = 0
            well, note = await self.calm_once(title, seconds)
            if well or self.stood_still < STILL_S:
                break
            self.notes.append(f"(the machine stood still for {self.stood_still:.1f} s: again) {note}")
        self.rows.append(well)
        if not well:
            self.notes.append(note)

    async def calm_once(self, title, seconds):
        """No request fails, and both sides have counted the same. (is it so, what was)"""
        visitors = self.visitors
        before, tokens, seen = await asyncio.to_thread(self.counted), self.bad.refused, collections.Counter(visitors.counts)
        failed, wrong = collections.Counter(visitors.failed), len(visitors.wrong)
        visitors.start()
        self.bad.go.set()
        await asyncio.sleep(seconds)
        await asyncio.gather(visitors.rest(), self.bad.rest())
        await asyncio.sleep(0.3)
        after = await asyncio.to_thread(self.counted)
        gained = {label: after[name, label] - before[name, label] for name, label in after if name == "ttf_requests_total"}
        gained = {label: number for label, number in gained.items() if number}
        ours = dict(visitors.counts - seen)
        refused = after["ttf_agent_connects_total", "unauthorized"] - before["ttf_agent_connects_total", "unauthorized"]
        failures = visitors.failed - failed
        self.memory.append({gateway.log.stem: rss_kib(gateway.pid) for gateway in self.gateways} | {"ttf": sum(rss_kib(agent.pid) for agent in self.agents)})
        well = gained == ours and refused == self.bad.refused - tokens and not failures and len(visitors.wrong) == wrong
        print(f"  {title:46} {sum(ours.values()):6} requests, {refused:4} bad tokens: {'same' if well else 'MISS'}", flush=True)
        return well, f"{title}: gateways counted {gained}, visitors {ours}; bad tokens {refused} and {self.bad.refused - tokens}; failed {dict(failures)}"

    async def incident(self, title, happen, harmless=False):
        """Under load; then all must come back."""
        visitors = self.visitors
        began, failed, count = time.monotonic(), collections.Counter(visitors.failed), visitors.counts.total()
        visitors.start()
        self.bad.go.set()
        await asyncio.sleep(1)
        await happen()
        await asyncio.sleep(1)
        await asyncio.gather(visitors.rest(), self.bad.rest())
        await until(lambda: all(gateway.is_ready() for gateway in self.gateways), f"{title}: the gateways")
        await self.all_answer(f"{title}: what visitors ask", self.asked)
        failures = visitors.failed - failed
        print(f"  {title:46} {visitors.counts.total() - count:6} requests, {failures.total():4} failed, {time.monotonic() - began:.0f} s", flush=True)
        if harmless:
            self.rows.append(not failures)
        if failures:
            self.notes.append(f"{title}: {dict(failures.most_common(6))}")

    # ---- what happens ----

    async def fires(self, alert):
        await until(lambda: alert in self.prometheus.fired and alert in self.prometheus.firing(), f"{alert} fires")

    async def new_program(self):
        for gateway in self.gateways:
            old = await gateway.take_over()
            await until(lambda old=old: not is_there(old), "the old program has ended")

    async def restart(self):
        await asyncio.to_thread(self.gateways[1].end)
        self.gateways[1].start()
        await until(self.gateways[1].is_ready, "the gateway")

    async def kill_gateway(self):
        self.gateways[0].end(signal.SIGKILL)
        await self.fires("TtfGatewayDown")
        self.gateways[0].start()

    async def kill_redis(self):
        """It comes back empty."""
        self.redis.end(signal.SIGKILL)
        await self.fires("TtfStoreDown")
        (self.folder / "redis.socket").unlink(missing_ok=True)
        self.redis.start()

    async def kill_agent(self):
        self.agents[0].end(signal.SIGKILL)
        await asyncio.sleep(1)
        self.agents[0].start()

    async def kill_service(self):
        self.service.end(signal.SIGKILL)
        await asyncio.sleep(1)
        self.service.start()

    async def stalled_scrapers(self):
        """They ask for pages and never read: the port's connections are nearly all taken. Those that time out come again."""
        held = collections.deque()

        def one_more():
            one = socket.create_connection(("127.0.0.1", self.gateways[1].ports[2]), 20)
            one.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20)
            held.append(one)

        async def hold():
            while True:
                await asyncio.sleep(0.05)
                held.popleft().close()
                one_more()

        for _ in range(60):
            one_more()
        holding = asyncio.ensure_future(hold())
        try:
            await self.fires("TtfConnectionsNearlyFull")
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
            for one in held:
                one.close()

    async def run(self):
        each = max(3, self.options.seconds / 16)
        await self.start()
        print(f"{len(self.names)} tunnels of {len(self.agents)} ttf, {len(self.renewals)} of protocol v1; times of alerts by {self.options.factor} shorter")
        self.begin_load()
        lives = [("a new program takes over, of both gateways", self.new_program, True), ("a gateway is stopped and started", self.restart, False),
                 ("a gateway is killed", self.kill_gateway, False)]  # fmt: skip
        others = [("scrapers that do not read", self.stalled_scrapers, True), ("Redis is killed, and comes back empty", self.kill_redis, False),
                  ("the service is killed", self.kill_service, False), ("ttf is killed", self.kill_agent, False)]  # fmt: skip
        await self.calm("warming up", each)
        for title, happen, harmless in lives + others:
            await self.incident(title, happen, harmless)
            await self.calm("calm", each)
        self.baseline = self.memory[-1]  # of programs that have been through all of it, and live on
        for title, happen, harmless in others if self.options.seconds >= 600 else []:
            await self.incident(title, happen, harmless)
            await self.calm("calm", each)
        await self.calm("calm, at the end", each)
        await self.fires_at_last("TtfAgentsRefused")
        await self.all_answer("each tunnel answers at the end")

    async def fires_at_last(self, alert):
        if alert not in self.prometheus.fired:
            self.bad.go.set()
            await self.fires(alert)
            await self.bad.rest()

    # ---- what came of it ----

    def drift(self):
        return {name: (self.baseline[name], last) for name, last in self.memory[-1].items()}

    def report(self):
        fired = set(self.prometheus.fired)
        rows = [("calm times in which both sides counted the same, and harmless incidents", all(self.rows)), ("no wrong answer", not self.visitors.wrong),
                ("alerts that should fire have fired", fired >= EXPECTED), ("no other has", fired <= ALLOWED)]  # fmt: skip
        for name, (first, last) in self.drift().items():
            flat = abs(last - first) <= max(DRIFT * first, SLACK_KIB)
            rows.append((f"memory of {name} is flat: {first / 1024:.1f} -> {last / 1024:.1f} MiB", flat))
        for title, well in rows:
            print(f"  {title:76} {'pass' if well else 'miss'}")
        print(f"  alerts: {', '.join(f'{name} at {at}' for name, at in self.prometheus.fired.items())}")
        print(f"  answers by status: {dict(self.visitors.counts)}; bad tokens refused: {self.bad.refused}")
        for note in self.notes + self.visitors.wrong[:5]:
            print(f"    {note}")
        return all(well for _, well in rows)


async def soak(folder, options):
    one = Soak(folder, options)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    try:
        await one.run()
    except BaseException:
        print("\n".join(f"---- {p.log.name}\n{p.text()[-1500:]}" for p in (*one.gateways, one.agents[0], one.service) if p.log.exists()))
        print(one.notes)
        raise
    finally:
        await one.stop()
    return one


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --soak", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("seconds", type=int, nargs="?", default=900, help="about so long, of which half is calm")
    parser.add_argument("--tunnels", type=int, default=2000)
    options = parser.parse_args()
    options.factor = 6 if options.seconds >= 600 else 30
    options.bin = options.bin.resolve()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        one = asyncio.run(soak(Path(name), options))
    well = one.report()
    found = {"seconds": options.seconds, "tunnels": options.tunnels, "well": well, "notes": one.notes, "memory_kib": one.memory, "alerts": one.prometheus.fired}
    (options.out / "soak.json").write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
