"""What the machine must be before Kubernetes: PID 1, control groups, the kernel log."""

from __future__ import annotations

import re
import struct

from qemu.agent import AgentError
from qemu.checks.registry import CheckFailed, Lab, check, expect, expect_equal
from qemu.rootfs import members, read_member

CONTROLLERS = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"}
MOUNT_OPTIONS = {"nsdelegate", "memory_recursiveprot"}
CGROUP = "/sys/fs/cgroup"
PT_INTERP = 3
FORBIDDEN = re.compile(r"^(dbus|systemd)")
KMSG_RECORD = re.compile(rb"^\d+,\d+,\d+,")


@check("the node boots and its guest agent answers")
def boots(lab: Lab) -> str:
    lab.node.wait_agent()
    kernel = lab.node.agent.read_text("/proc/sys/kernel/osrelease").strip()
    uptime = lab.node.agent.read_text("/proc/uptime").split()[0]
    return f"Linux {kernel}, {uptime} s after the kernel's start"


@check("the firewall of node.ini is in force", needs=("boots",))
def firewall_in_force(lab: Lab) -> str:
    lab.node.agent.check_output(["/usr/bin/thole", "firewall", "check"])
    actual = lab.node.agent.check_output(["/usr/bin/thole", "firewall", "show", "--actual"])
    for part in ("hook input priority filter; policy drop;", "tcp dport 6443 accept", 'iifname "wg0" accept'):
        expect(part in actual, f"{part!r} is not among the rules in force:\n{actual}")
    return f"{actual.count('accept')} rules accept, and the API server's port is one"


@check("PID 1 is our static binary", needs=("boots",))
def pid1_is_ours(lab: Lab) -> str:
    running = lab.node.agent.read_file("/proc/1/exe")
    expect(running[:4] == b"\x7fELF", f"/proc/1/exe is no ELF file: it begins with {running[:4]!r}")
    expect(not interpreter_of(running), f"PID 1 asks for the dynamic loader {interpreter_of(running)}")
    built = read_member(lab.config.artifacts.root_tar, "usr/sbin/init")
    expect(
        running == built,
        f"PID 1 ({len(running)} bytes) is not /usr/sbin/init of the image ({len(built)} bytes)",
    )
    libraries = re.findall(r"\S+\.so[.\d]*", lab.node.agent.read_text("/proc/1/maps"))
    expect(not libraries, f"PID 1 has libraries mapped: {sorted(set(libraries))}")
    anonymous = re.search(r"RssAnon:\s+(\d+) kB", lab.node.agent.read_text("/proc/1/status"))
    return f"{len(running)} bytes, RssAnon {anonymous[1] if anonymous else '?'} kB"


@check("cgroup2 delegates its controllers from the root", needs=("boots",))
def cgroup_delegation(lab: Lab) -> str:
    read = lab.node.agent.read_text
    mounts = [line.split() for line in read("/proc/1/mounts").splitlines()]
    options = [
        set(fields[3].split(",")) for fields in mounts if fields[1] == CGROUP and fields[2] == "cgroup2"
    ]
    expect(options, f"no cgroup2 is mounted on {CGROUP}")
    expect(
        options[0] >= MOUNT_OPTIONS, f"{CGROUP} lacks the mount options {sorted(MOUNT_OPTIONS - options[0])}"
    )
    for name in ("cgroup.controllers", "cgroup.subtree_control"):
        missing = CONTROLLERS - set(read(f"{CGROUP}/{name}").split())
        expect(not missing, f"{CGROUP}/{name} lacks {sorted(missing)}")
    expect_equal("PID 1's control group", read("/proc/1/cgroup").strip(), "0::/init.scope")
    return " ".join(sorted(CONTROLLERS))


@check("the root mount is shared", needs=("boots",))
def shared_root(lab: Lab) -> None:
    for line in lab.node.agent.read_text("/proc/1/mountinfo").splitlines():
        fields = line.split()
        if fields[4] == "/":
            optional = fields[6 : fields.index("-")]
            expect(
                any(field.startswith("shared:") for field in optional), f"the root mount is private: {line}"
            )


@check("/dev/kmsg is the kernel's log (1:11) and readable", needs=("boots",))
def kernel_log(lab: Lab) -> str:
    agent = lab.node.agent
    device = agent.read_text("/sys/dev/char/1:11/uevent")
    expect("DEVNAME=kmsg" in device.split(), f"character device 1:11 is not kmsg: {device!r}")
    mounts = [line.split()[1:3] for line in agent.read_text("/proc/1/mounts").splitlines()]
    expect(["/dev", "devtmpfs"] in mounts, "/dev is no devtmpfs, so its kmsg may be anything")
    try:
        # One short read gives the start of one record: more would wait for the next one.
        start = agent.read_start("/dev/kmsg", 16)
    except AgentError as error:
        raise CheckFailed(f"/dev/kmsg cannot be read: {error.what}") from error
    expect(KMSG_RECORD.match(start), f"/dev/kmsg does not begin with a record of the kernel's log: {start!r}")
    return f"first record {start.decode(errors='replace').splitlines()[0]!r}..."


@check("no binary of the image is named dbus or systemd")
def no_dbus_or_systemd_binary(lab: Lab) -> str:
    names = [one.path for one in members(lab.config.artifacts.root_tar) if one.executable]
    found = [path for path in names if FORBIDDEN.match(path.rpartition("/")[2]) and ".so" not in path]
    expect(not found, f"the image holds {found}")
    return f"{len(names)} executables"


def interpreter_of(elf: bytes) -> str:
    """The dynamic loader that an ELF file asks for; empty for a static one."""
    (offset,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for at in range(offset, offset + size * count, size):
        kind, _flags, start, _, _, length = struct.unpack_from("<IIQQQQ", elf, at)
        if kind == PT_INTERP:
            return elf[start : start + length].rstrip(b"\0").decode(errors="replace")
    return ""
