"""The Debian of the other column: tests/bench/vm's with SLURM's packages, their own units, and a node's settings."""

from __future__ import annotations

import secrets
from pathlib import Path

from bench.vm import debian
from bench.vm.debian import Recipe

HOST = "debian"
# As services/slurm/slurm_conf.cpp writes it on a node; run.py compares what `scontrol show config` says on both.
_SLURM_CONF = """\
ClusterName=thole
SlurmctldHost={host}
MaxNodeCount=1024
AuthType=auth/munge
CredType=cred/munge
SlurmUser=slurm
SlurmctldParameters=enable_configless
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/lib/slurm/slurmd
SlurmctldPidFile=/run/slurmctld/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup,task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/cgroup
ReturnToService=2
GresTypes=gpu
MailProg=/usr/bin/true
SlurmdTimeout=300
JobCompType=jobcomp/filetxt
JobCompLoc=/var/log/slurm/jobs
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
_CGROUP_CONF = """\
CgroupPlugin=cgroup/v2
EnableControllers=yes
ConstrainCores=yes
ConstrainRAMSpace=yes
ConstrainSwapSpace=yes
ConstrainDevices=yes
"""
# What the packages' scripts do by chown; here systemd does it at the start, as it does for many others. It gives
# nothing away below a folder that is not root's, so /etc/munge remains root's.
_OWNERS = """\
z /etc/munge/munge.key 0400 munge munge
d /var/lib/munge 0711 munge munge
d /var/log/munge 0700 munge munge
d /var/lib/slurm 0755 slurm slurm
d /var/lib/slurm/slurmctld 0755 slurm slurm
d /var/lib/slurm/slurmd 0755 slurm slurm
d /var/log/slurm 0755 slurm slurm
"""
_KEY = "etc/munge/munge.key"
_KEY_SIZE = 128


def recipe(memory: int) -> Recipe:
    """One node that is controller and computes, with so many MiB for jobs."""
    files = {
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {HOST}\n",
        "etc/slurm/slurm.conf": _SLURM_CONF.format(host=HOST),
        "etc/slurm/cgroup.conf": _CGROUP_CONF,
        "etc/default/slurmd": f"SLURMD_OPTIONS=-Z --conf RealMemory={memory}\n",
        # Debian starts both at once, and a slurmd that comes too early tries again only seconds later.
        "etc/systemd/system/slurmd.service.d/bench.conf": "[Unit]\nAfter=slurmctld.service\n",
        "usr/lib/tmpfiles.d/bench.conf": _OWNERS,
        "usr/lib/sysusers.d/munge.conf": 'u munge - "MUNGE" /nonexistent\n',
    }
    links = {
        "usr/sbin/slurmctld": "slurmctld-wlm",
        "usr/sbin/slurmd": "slurmd-wlm",
        "usr/sbin/slurmstepd": "slurmstepd-wlm",
    }
    wants = "multi-user.target.wants"
    return Recipe(
        "bench-slurm-debian",
        packages=(*debian.PACKAGES, "slurmctld", "slurmd", "slurm-client", "munge", "qemu-guest-agent"),
        files=debian.FILES | files,
        links=debian.LINKS | links,
        enabled=debian.ENABLED | {
            wants: (*debian.ENABLED[wants], "munge.service", "slurmctld.service", "slurmd.service"),
            "network-online.target.wants": ("systemd-networkd-wait-online.service",),
        },
        finish=_key,
        size="2G",
    )  # fmt: skip


def _key(tree: Path) -> None:
    """What `mungekey` does when the package is installed."""
    path = tree / _KEY
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(secrets.token_bytes(_KEY_SIZE))
