"""Manifests fit Kubernetes' schemas and its restricted policy; alerts name metrics that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
MONITORING = ROOT / "deploy" / "monitoring"
NAME = re.compile(r"\blossatlas_[a-z_]+")
PROMTOOL = shutil.which("promtool")


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "kubernetes" / name).read_text())
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = loaded("deployment.yaml")["spec"]["template"]
    return found


@pytest.mark.parametrize("path", [one for one in MANIFESTS if one.name != "kustomization.yaml"])
def test_a_manifest_fits_its_schema(path: Path) -> None:
    kubernetes_validate.validate(yaml.safe_load(path.read_text()), "1.34", strict=True)


def test_a_wrong_manifest_does_not_fit() -> None:
    wrong = loaded("deployment.yaml")
    wrong["spec"]["replicaz"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.34", strict=True)


def test_kustomize_lists_every_manifest() -> None:
    listed = loaded("kustomization.yaml")["resources"]
    assert sorted([*listed, "kustomization.yaml"]) == [path.name for path in MANIFESTS]


def test_the_pod_keeps_the_restricted_policy() -> None:
    """Pod Security Standards, restricted: each of its rules that concerns us."""
    spec = pod()["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == _user_of_the_image() > 0
    assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert all({"emptyDir", "persistentVolumeClaim"} & volume.keys() for volume in spec["volumes"])
    enforced = loaded("namespace.yaml")["metadata"]["labels"]
    assert enforced["pod-security.kubernetes.io/enforce"] == "restricted"


def _user_of_the_image() -> int:
    found = re.search(r"useradd --uid (\d+)", (ROOT / "Dockerfile").read_text())
    assert found
    return int(found[1])


def test_variables_of_services_are_not_handed_to_the_pod() -> None:
    assert pod()["spec"]["enableServiceLinks"] is False


def test_selectors_find_the_pod() -> None:
    labels = pod()["metadata"]["labels"]
    for name in ("deployment.yaml", "disruption.yaml"):
        assert loaded(name)["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert loaded("service.yaml")["spec"]["selector"].items() <= labels.items()
    target = loaded("autoscaler.yaml")["spec"]["scaleTargetRef"]
    assert target["name"] == loaded("deployment.yaml")["metadata"]["name"]


def test_probes_ask_addresses_that_answer_without_a_key(client: httpx.Client) -> None:
    (container,) = pod()["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert client.get(asked["path"]).status_code in (200, 503)
        assert asked["port"] in {port["name"] for port in container["ports"]}


def shown(client: httpx.Client) -> set[str]:
    """The names of all metrics, those without a value too."""
    text = client.get("/metrics").text
    families = re.findall(r"# TYPE (\S+) (\S+)", text)
    parts = {"histogram": ("_bucket", "_sum", "_count")}
    return {name + end for name, kind in families for end in parts.get(kind, ("",))}


@pytest.mark.parametrize("name", ["alerts.yml", "alerts.test.yml", "dashboard.json"])
def test_every_metric_that_is_watched_exists(name: str, client: httpx.Client) -> None:
    used = set(NAME.findall((MONITORING / name).read_text()))
    assert len(used) > 5
    assert used <= shown(client)


def test_the_autoscaler_s_metric_exists(client: httpx.Client) -> None:
    (metric,) = loaded("autoscaler.yaml")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in shown(client)


def test_the_dashboard_has_a_source_for_each_panel() -> None:
    board = json.loads((MONITORING / "dashboard.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) > 8
    for panel in board["panels"]:
        assert panel["targets"]
        assert panel["datasource"]["uid"] == "${datasource}"


def test_each_alert_has_a_test() -> None:
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((MONITORING / "alerts.test.yml").read_text())["tests"][0]
    firing = {one["alertname"] for one in tests["alert_rule_test"] if one["exp_alerts"]}
    assert firing == {rule["alert"] for rule in rules}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: apt-get install prometheus")
def test_the_alerts_fire_when_they_should() -> None:
    for arguments in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]):
        command = [str(PROMTOOL), *arguments]
        ended = subprocess.run(command, check=False, cwd=MONITORING, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_process_metrics_have_values(client: httpx.Client) -> None:
    def value(name: str) -> float:
        found = re.search(rf"^{name}(?:{{.*}})? (\S+)$", client.get("/metrics").text, re.M)
        assert found, name
        return float(found[1])

    assert value("lossatlas_memory_bytes") > 10e6
    assert value("lossatlas_workers_wanted") == value("lossatlas_workers_alive") == 1
    assert value("lossatlas_data_free_bytes") > 0
    assert 0 < value("lossatlas_cpu_seconds_total") <= value("lossatlas_cpu_seconds_total")
