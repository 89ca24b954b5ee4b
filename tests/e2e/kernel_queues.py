"""What the kernel holds of TCP connections: how much it is that is up to the kernel, which lets receive buffers grow from 128 KiB to
tens of MiB (net.ipv4.tcp_rmem) with the speed of what came before. What the programs hold is the rest."""

from pathlib import Path

LISTEN = "0A"


def queued_bytes(ports):
    """Written and not acknowledged, or received and not read, by the kernel's count: of connections from or to one of these ports
    of this machine, both ends of each."""
    ports, total = {f"{port:04X}" for port in ports}, 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, remote, state, queues, *_ = line.split()
            if state != LISTEN and ports & {local.rpartition(":")[2], remote.rpartition(":")[2]}:
                total += sum(int(count, 16) for count in queues.split(":"))
    return total
