"""Ports for programs that want to be told one, or that are to find it again."""

import random
import socket

held = []  # until this process ends


def reserve(name):
    """A socket that holds this name on this machine for as long as it is open, as no file can: whatever ends its process gives it
    back. None: another process has it."""
    one = socket.socket(socket.AF_UNIX)
    try:
        one.bind(f"\0ttf-tests-{name}")
        return one
    except OSError:
        one.close()
        return None


def free_port():
    """A port that nobody listens on, outside the range from which the kernel serves port 0, and that no other test is given, of
    whatever run on this machine."""
    while True:
        port = random.randrange(15000, 30000)
        if not (reserved := reserve(f"port-{port}")):
            continue
        held.append(reserved)
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
