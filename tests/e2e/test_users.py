"""Where ttf lives: without a home, and two users of one machine."""

import os
import shutil
import subprocess

import pytest

from programs import BIN

AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
NOWHERE = ["env", "-u", "HOME", "-u", "XDG_STATE_HOME", "-u", "XDG_CONFIG_HOME"]


def may_be_nobody():
    if os.getuid() != 0 or not shutil.which("setpriv"):
        return False
    return subprocess.run([*AS_NOBODY, BIN / "ttf", "--version"], capture_output=True, cwd="/").returncode == 0


needs_another_user = pytest.mark.skipif(not may_be_nobody(), reason="only root may become another user, who must be able to run ttf")


def ttf(start, folder, gateway, service, *before, env=None):
    return start.program(*before, BIN / "ttf", "-e", gateway.endpoint, "-p", service.port, cwd=folder, env=env)


def test_no_home(start, tmp_path):
    """The home is then that of the user's account."""
    gateway, service = start.gateway(), start.service()
    ttf(start, tmp_path, gateway, service, *NOWHERE).wait_line("Tunnel established: ")


@needs_another_user
def test_no_home_that_is_there(start):
    """Debian's nobody has none. The tunnel works; what does not is said."""
    gateway, service = start.gateway(), start.service()
    agent = ttf(start, "/", gateway, service, *NOWHERE, *AS_NOBODY)
    agent.wait_line("Tunnel established: ")
    agent.wait_err("the tunnel's URL will not survive a restart of ttf: /nonexistent")
    assert not os.path.exists("/nonexistent")


@needs_another_user
def test_two_users(inspectors_ports, start, tmp_path):
    """Each has tunnel, state and inspector of its own: the second one's is at the next free port."""
    gateway, service = start.gateway(), start.service()
    pages, states = [], []
    for name, before in (("root", []), ("nobody", AS_NOBODY)):
        home = f"/tmp/{tmp_path.parent.name}-{tmp_path.name}-{name}"  # pytest's folders are the user's own
        os.mkdir(home)
        if before:
            shutil.chown(home, "nobody", "nogroup")
        try:
            env = {"HOME": home, "XDG_STATE_HOME": f"{home}/state", "TTF_INSPECT": "127.0.0.1:4040"}
            agent = ttf(start, home, gateway, service, *before, env=env)
            pages.append(agent.wait_line(r"Inspector: http://(127\.0\.0\.1:\d+)/")[1])
            agent.wait_line("Tunnel established: ")
            states.append({os.stat(os.path.join(folder, file)).st_uid for folder, _, files in os.walk(f"{home}/state") for file in files})
        finally:
            shutil.rmtree(home)
    assert pages[0] != pages[1]
    assert states == [{0}, {65534}]
