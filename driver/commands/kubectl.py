"""kubectl with the kubeconfig of the node that `./thole run` started: all arguments are kubectl's."""

from __future__ import annotations

_USAGE = """usage: ./thole kubectl [--name NODE] KUBECTL-ARGUMENTS...

Runs kubectl of the build with the admin kubeconfig of the node that `./thole run` started; --name NODE for one that was
started with the same option. All else is kubectl's own."""


def main(arguments: list[str]) -> int:
    """Become kubectl."""
    from qemu.artifacts import Artifacts
    from qemu.session import exec_kubectl

    if arguments in ([], ["-h"], ["--help"]):
        print(_USAGE)
        return 0
    name = "node"
    if arguments[0] == "--name" and len(arguments) > 1:
        name, arguments = arguments[1], arguments[2:]
    return exec_kubectl(arguments, Artifacts.find().kubernetes, name)
