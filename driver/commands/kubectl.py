"""kubectl with the kubeconfig of the node that `./thole run` started: all arguments are kubectl's."""

from __future__ import annotations

import os
import sys

_USAGE = """usage: ./thole kubectl [--name NODE] KUBECTL-ARGUMENTS...

Runs kubectl of the build with the admin kubeconfig of the node that `./thole run` started; --name NODE for
one that was started with the same option. All else is kubectl's own."""


def main(arguments: list[str]) -> int:
    """Become kubectl."""
    from driver.errors import TholeError
    from qemu.artifacts import Artifacts
    from qemu.node import kubectl_environment
    from qemu.session import folder_of

    if arguments in ([], ["-h"], ["--help"]):
        print(_USAGE)
        return 0
    name = "node"
    if arguments[0] == "--name" and len(arguments) > 1:
        name, arguments = arguments[1], arguments[2:]
    folder = folder_of(name)
    if not (folder / "kubeconfig").is_file():
        raise TholeError(
            f"no node '{name}' is running and ready", "./thole run starts one; wait until it says Ready"
        )
    program = Artifacts.find().kubernetes
    if not program:
        raise TholeError("the build has no Kubernetes", "./thole build --profile kubernetes makes it")
    sys.stdout.flush()
    # The multi-call binary goes by the name that it is called by.
    os.execve(program, ["kubectl", *arguments], kubectl_environment(folder))
