"""What infra/kubernetes says of a gateway is true of the program: its settings start it, and its probes answer to the pod's address."""

import re
import secrets

import http_raw
import pytest
import yaml
from programs import ROOT, Gateway, free_port

BASE = ROOT / "infra/kubernetes/base"


def deployment():
    return yaml.safe_load((BASE / "deployment.yaml").read_text())["spec"]["template"]["spec"]


def container():
    return deployment()["containers"][0]


@pytest.fixture
def pod(tmp_path):
    """A gateway with the environment of the manifest; ports and paths are this test's."""
    files = {"gateway.yaml": "store: memory\n", "tunnel-secret": secrets.token_hex(32), "jwt-secret": secrets.token_hex(32)}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o400)
    env = {one["name"]: one.get("value", "127.0.0.1").replace("/run/gateway", str(tmp_path)) for one in container()["env"]}
    env["PEER_URL"] = env["PEER_URL"].replace("$(POD_IP)", "127.0.0.1")
    env.update(DOMAIN_NAME="tunnel.example.com", PUBLIC_URL="https://tunnel.example.com")
    gateway = Gateway(tmp_path, ports=tuple(f":{free_port()}" for _ in range(3)), env=env)
    yield gateway
    gateway.finish()


def test_the_settings_start_a_gateway_that_wants_tokens(pod):
    assert http_raw.request(pod.address, host="abc.tunnel.example.com").status == 404
    upgrade = [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "13"), ("sec-websocket-key", "MDEyMzQ1Njc4OWFiY2RlZg==")]
    assert http_raw.request(pod.agents, host="10.1.2.3:8081", headers=upgrade).status == 401


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_are_answered_by_the_address_of_the_pod(pod, probe):
    ask = container()[probe]["httpGet"]
    assert ask["port"] == "admin"
    for host in ("10.1.2.3:8082", "[fd00::1]:8082"):
        assert http_raw.request(pod.admin, target=ask["path"], host=host).status == 200


def seconds(text):
    return float(re.fullmatch(r"(\d+)s", text)[1])


def test_there_is_time_to_drain():
    env = {one["name"]: one.get("value") for one in container()["env"]}
    probe = container()["readinessProbe"]
    until_unready = probe["periodSeconds"] * probe["failureThreshold"]
    assert seconds(env["DRAIN_DELAY"]) >= until_unready
    takes = container()["lifecycle"]["preStop"]["sleep"]["seconds"] + seconds(env["DRAIN_DELAY"]) + seconds(env["DRAIN_TIMEOUT"])
    assert deployment()["terminationGracePeriodSeconds"] > takes + 2


def test_the_autoscaler_asks_for_a_metric_that_there_is(pod):
    scaler = yaml.safe_load((BASE / "autoscaler.yaml").read_text())
    name = next(one["pods"]["metric"]["name"] for one in scaler["spec"]["metrics"] if one["type"] == "Pods")
    rules = yaml.safe_load((BASE.parent / "prometheus-adapter.yaml").read_text())["rules"]
    assert any(rule["name"]["as"] == name and rule["seriesQuery"].startswith(name + "{") for rule in rules)
    page = http_raw.request(pod.admin, target="/metrics", host="10.1.2.3:8082").body.decode()
    assert re.search(rf"^{name} \d+$", page, re.M)


def test_what_selects_pods_finds_them():
    """Labels, ports and names that one file takes from another."""
    documents = [one for path in sorted(BASE.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text()) if one["kind"] != "Kustomization"]
    pods = next(one for one in documents if one["kind"] == "Deployment")["spec"]["template"]
    ports = {port["name"] for port in container()["ports"]}
    for one in documents:
        if one["kind"] == "Service":
            assert one["spec"]["selector"].items() <= pods["metadata"]["labels"].items()
            assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports
        if one["kind"] in ("PodDisruptionBudget", "NetworkPolicy"):
            selector = one["spec"].get("selector") or one["spec"]["podSelector"]
            assert selector["matchLabels"].items() <= pods["metadata"]["labels"].items()
    named = {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]) == named
