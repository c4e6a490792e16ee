"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def describe() -> str:
    """Processors, memory, kernel, in a line."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    total = re.search(r"^MemTotal:\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    virtual = re.search(r"^flags\s*:.*\bhypervisor\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = f"{int(total[1]) / 1048576:.0f} GiB" if total else "unknown memory"
    kind = "virtual machine" if virtual else "machine"
    name = model[1].strip() if model else platform.machine()
    return f"{kind}, {len(os.sched_getaffinity(0))} x {name}, {memory}, Linux {platform.release()}"


def load() -> float:
    """Processes that wanted to run during the last minute, on average."""
    return os.getloadavg()[0]
