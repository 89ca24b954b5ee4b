#!/usr/bin/env python3
"""What a deployment on AWS costs: list prices (infra/schema/prices.json) times what the stand-in counted, which stands in the
table of costs in docs/AWS.md. Each table there that is made of it stands between `<!-- NAME: made by infra/scripts/prices.py -->`
and `<!-- end -->`.

    prices.py           prints the tables
    prices.py --check   ends with 1 where the documentation says something else
    prices.py --write   writes them there
"""

import json
import math
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs/AWS.md"
PRICES = json.loads((ROOT / "infra/schema/prices.json").read_text())
MEMORY_GB = json.loads((ROOT / "infra/schema/stack.json").read_text())["function"]["memoryMb"] / 1024
KIB, MB = 1024, 1_000_000
BODIES = {"1 KB GET": KIB, "1 MB GET": MB, "1 MB POST": MB}  # the larger of the two directions
MODES = ("polling", "stream", "direct")
REQUESTS = (10**5, 10**6, 10**7)
MINUTES = 730 * 60  # of a month
HEARTBEATS = {"every 300 s, as the function says": 300, "every 20 s, as agents of before did": 20}
PING_MS = 3  # billed for the invocation that a ping is
LOG_BYTES = 650  # of a request: a line of the function's, one of the HTTP API's, and what CloudWatch adds to each
VM = "t4g.nano"  # two cores at 5 %, 0.5 GB
VM_DISK_GB = 8
AGENTS = (1, 10, 100)
# columns of the table of costs: the name of a count, and how many places it is printed with
COUNTS = {"invocations": 1, "billed ms": 0, "read units": 1, "write units": 1, "messages": 1}


def http_steps(body_bytes):
    """How many requests an HTTP API bills for one."""
    return max(1, math.ceil(body_bytes / PRICES["steps"]["httpBytes"]))


def dollars(counts, body_bytes, memory_gb=MEMORY_GB):
    """Of a million requests; `counts` of one."""
    price = PRICES["perMillion"]
    return (http_steps(body_bytes) * price["httpRequest"] + counts["invocations"] * price["invocation"]
            + counts["messages"] * price["message"] + counts["read units"] * price["readUnit"]
            + counts["write units"] * price["writeUnit"] + counts["billed ms"] / 1000 * memory_gb * price["gbSecond"])  # fmt: skip


def measured(docs):
    """{(kind, mode): counts of one request}, of the table of costs. A row that is missing, or cannot be read, is an error."""
    found = {}
    for line in docs.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > len(COUNTS) + 2 and cells[0] in BODIES and cells[1] in MODES:
            found[cells[0], cells[1]] = {name: float(cell) for name, cell in zip(COUNTS, cells[2:])}
    missing = [f"{kind} {mode}" for kind in BODIES for mode in MODES if (kind, mode) not in found]
    if missing:
        sys.exit(f"{DOCS}: the table of costs has no row for {', '.join(missing)}")
    return found


def money(value):
    return f"{value:,.2f}" if value < 1000 else f"{value:,.0f}"


def monthly(counts):
    yield f"| requests a month | WAIT_MODE | {' | '.join(f'{count:,}'.replace(',', ' ') for count in REQUESTS)} |"
    yield "|---|---|" + "---|" * len(REQUESTS)
    for kind in BODIES:
        for mode in MODES:
            million = dollars(counts[kind, mode], BODIES[kind])
            yield f"| {kind} | {mode} | {' | '.join('$' + money(million * count / 10**6) for count in REQUESTS)} |"


def idle_agent(seconds):
    """A month of one that is connected, and of its pings: each is a message, an invocation and a message back."""
    price, pings = PRICES["perMillion"], MINUTES * 60 / seconds
    ping = 2 * price["message"] + price["invocation"] + PING_MS / 1000 * MEMORY_GB * price["gbSecond"]
    return MINUTES * price["connectionMinute"] / 10**6, pings * ping / 10**6


def logs():
    """Of a million requests."""
    return LOG_BYTES / 1000 * PRICES["perGb"]["logs"]


def transfer(body_bytes):
    return body_bytes / 1000 * PRICES["perGb"]["transferOut"]


def machine():
    month = PRICES["perMonth"]
    return month["virtualMachine"] + month["publicIpv4"] + VM_DISK_GB * month["diskGb"]


def comparison(counts):
    """From how many requests a month on a gateway on a small machine is cheaper; what leaves AWS costs the same from both."""
    yield f"| agents that are always connected | {' | '.join(f'{kind}, {mode}' for kind, mode in COMPARED)} |"
    yield "|---|" + "---|" * len(COMPARED)
    for agents in AGENTS:
        left = machine() - agents * sum(idle_agent(300))
        cells = []
        for kind, mode in COMPARED:
            million = dollars(counts[kind, mode], BODIES[kind]) + logs()
            cells.append(f"{max(0, round(left / million * 10**6, -3)):,.0f}".replace(",", " "))
        yield f"| {agents} | {' | '.join(cells)} |"


def extras():
    """What does not go by requests."""
    month, gb = PRICES["perMonth"], PRICES["perGb"]
    yield "| what | setting | $ a month |"
    yield "|---|---|---|"
    yield f"| an alarm (the stack has 6; 8 with the stream's mapping) | `enableMonitoring` | {month['alarm']:.2f} each |"
    yield f"| the dashboard | `enableMonitoring` | {month['dashboard']:.2f} |"
    yield f"| a secret in Secrets Manager (in Systems Manager: nothing) | `secretStore` | {month['secret']:.2f} each |"
    yield f"| a key of yours | `kmsKeyArn` | {month['key']:.2f} |"
    yield f"| a NAT gateway, where the function is in a VPC | `vpcSubnetIds` | {month['natGateway']:.2f}, and {gb['natTransfer']:.3f} a GB |"
    connection = idle_agent(300)[0]
    yield f"| an agent that is connected all the month: {MINUTES:,} minutes".replace(",", " ") + f" | | {connection:.3f} |"
    for how, seconds in HEARTBEATS.items():
        pings = f"{MINUTES * 60 // seconds:,}".replace(",", " ")
        yield f"| its pings {how}: {pings}, each two messages and an invocation | | {idle_agent(seconds)[1]:.3f} |"
    yield (f"| logs, {gb['logs']:.2f} a GB: a million requests ({LOG_BYTES} bytes each) | `logLevel`, `logRetentionDays` "
           f"| {logs():.2f} |")  # fmt: skip
    yield f"| answers that leave AWS, {gb['transferOut']:.2f} a GB: a million of 1 KB | | {transfer(KIB):.2f} |"
    yield f"| the same: a million of 1 MB | | {transfer(MB):.2f} |"
    yield (f"| for comparison, a machine for a gateway ({VM}, with its public address and {VM_DISK_GB} GB of disk) | "
           f"| {machine():.2f} |")  # fmt: skip


COMPARED = (("1 KB GET", "direct"), ("1 KB GET", "polling"), ("1 MB POST", "direct"), ("1 MB GET", "direct"))
TABLES = {"monthly": monthly, "extras": lambda _counts: extras(), "comparison": comparison}


def with_dollars(docs, counts):
    """The table of costs with its dollars computed again: they stand behind the counts."""

    def again(line):
        cells = line.split("|")
        key = tuple(cell.strip() for cell in cells[1:3])
        if len(cells) > len(COUNTS) + 4 and key in counts:
            cells[3 + len(COUNTS)] = f" {dollars(counts[key], BODIES[key[0]]):.2f} "
        return "|".join(cells)

    return "\n".join(again(line) if line.startswith("| ") else line for line in docs.split("\n"))


def updated(docs):
    counts = measured(docs)
    docs = with_dollars(docs, counts)
    for name, make in TABLES.items():
        place = re.compile(rf"(<!-- {name}: made by infra/scripts/prices.py -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(docs):
            sys.exit(f"{DOCS}: it has no <!-- {name}: … -->")
        docs = place.sub(lambda found: found[1] + "\n".join(make(counts)) + "\n" + found[2], docs)
    return docs


def main(arguments):
    docs = DOCS.read_text()
    if arguments not in ([], ["--check"], ["--write"]):
        sys.exit(__doc__)
    if not arguments:
        counts = measured(docs)
        for make in TABLES.values():
            print(*make(counts), "", sep="\n")
    elif arguments == ["--write"]:
        DOCS.write_text(updated(docs))
    elif updated(docs) != docs:
        sys.exit("docs/AWS.md says other prices: infra/scripts/prices.py --write")


if __name__ == "__main__":
    main(sys.argv[1:])
