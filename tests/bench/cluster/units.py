"""The units of our services as units of systemd: the same programs with the same arguments, order and limits."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

from driver.errors import TholeError

# What our own schema says where node.ini is silent, for `${kubernetes.KEY}`.
VALUES = {
    "kubernetes.pod-range": "10.42.0.0/16",
    "kubernetes.service-range": "10.43.0.0/16",
    "kubernetes.cluster-domain": "cluster.local",
    "kubernetes.dns-address": "10.43.0.10",
    "kubernetes.reserved-cpu": "100",
    "kubernetes.reserved-memory": "256",
    "kubernetes.dns": "yes",
    "kubernetes.metrics": "yes",
    "kubernetes.local-storage": "yes",
    "kubernetes.network-policy": "yes",
}
ENVIRONMENT = "/etc/thole/kubernetes.env"
_KEY = re.compile(r"\$\{([a-z]+\.[a-z-]+)\}")
# Keys with the same meaning and the same words.
_SAME = {
    "restart": "Restart",
    "restart-delay": "RestartSec",
    "stop-timeout": "TimeoutStopSec",
    "readiness-timeout": "TimeoutStartSec",
    "oom-score-adjust": "OOMScoreAdjust",
    "nice": "Nice",
}


def render(text: str, values: dict[str, str] = VALUES) -> str:
    """A template with node.ini's values in it."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise TholeError(f"nothing is known for ${{{match[1]}}}", "see tests/bench/cluster/units.py")
        return values[match[1]]

    return _KEY.sub(value, text)


def to_systemd(path: Path, present: set[str]) -> str:
    """One unit's text; of the units that it names only those that are present."""
    parser = ConfigParser(interpolation=None, strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.read_string(path.read_text(), str(path))
    unit, service = parser["unit"], parser["service"]
    requires = _present(unit.get("requires", ""), present)
    wants = _present(unit.get("wants", ""), present)
    after = _present(unit.get("after", ""), present)
    lines = [
        "[Unit]",
        f"Description={unit['description']}",
        *(f"Requires={name}" for name in requires),
        *(f"Wants={name}" for name in wants),
        *(f"After={name}" for name in (*requires, *wants, *after)),
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        f"ExecStart={render(' '.join(service['command'].split()))}",
        *_kind(service.get("type", ""), service.get("readiness", "")),
        *(f"{name}={service[key]}" for key, name in _SAME.items() if key in service),
    ]
    if "environment" in service:
        lines.append(f"Environment={service['environment']}")
    if "environment-file" in service:
        lines.append(f"EnvironmentFile={ENVIRONMENT}")
    if service.get("kill") == "process":
        lines += ["KillMode=process", "Delegate=yes", "TasksMax=infinity"]
    if parser.has_option("cgroup", "cpu.weight"):
        lines.append(f"CPUWeight={parser['cgroup']['cpu.weight']}")
    return "\n".join([*lines, ""])


def _present(names: str, present: set[str]) -> list[str]:
    return [f"{name}.service" for name in names.split() if name in present]


def _kind(kind: str, readiness: str) -> list[str]:
    if kind == "oneshot":
        return ["Type=oneshot", "RemainAfterExit=yes"]
    return ["Type=notify"] if readiness == "notify" else ["Type=exec"]
