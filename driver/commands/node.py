"""A command of `thole` on a node of a cluster, from this machine."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path

_USAGE = """usage: ./thole node NODE [--client FILE] [--endpoint HOST[:PORT]] COMMAND...
       ./thole -n NODE [--client FILE] [--endpoint HOST[:PORT]] COMMAND...

Does `thole COMMAND...` on NODE, as the client of FILE (`./thole config client` makes one). The connection goes to
the endpoint, which hands it on to NODE by the mesh; its node.ini must have `remote.outside = yes`. Without --client
the only *.client file here, or $THOLE_CLIENT; without --endpoint the one in that file. docs/remote.md says what can
be asked."""
_PORT = 51874
_OPTIONS = ("--client", "--endpoint")


def main(arguments: list[str]) -> int:
    """Become the node's own binary."""
    from driver import node_program

    if arguments in ([], ["-h"], ["--help"]):
        print(_USAGE)
        return 0
    node, *rest = arguments
    given, words = split(rest)
    client = find_client(given.get("--client", ""))
    endpoint = numeric(given.get("--endpoint") or stored_endpoint(client))
    sys.stdout.flush()
    program = node_program.path()
    os.execv(program, ["thole", "-n", node, "--client", str(client), "--endpoint", endpoint, *words])


def split(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Our own options, and the command's words."""
    from driver.errors import TholeError

    given: dict[str, str] = {}
    while arguments and arguments[0].startswith("-"):
        name, equals, value = arguments[0].partition("=")
        if name not in _OPTIONS:
            raise TholeError(f"unknown option {name} before the command", "./thole node --help")
        if not equals and len(arguments) < 2:
            raise TholeError(f"{name} needs a value", "./thole node --help")
        given[name] = value if equals else arguments[1]
        arguments = arguments[1:] if equals else arguments[2:]
    if not arguments:
        raise TholeError("the command is missing", "such as ./thole -n NODE status")
    return given, arguments


def find_client(named: str) -> Path:
    """The client's file: the one named, that of the environment, or the only one here or one folder below."""
    from driver.errors import TholeError

    named = named or os.environ.get("THOLE_CLIENT", "")
    if named:
        path = Path(named)
        if not path.is_file():
            raise TholeError(f"there is no client's file {path}", "./thole config client makes one")
        return path
    found = sorted([*Path().glob("*.client"), *Path().glob("*/*.client")])
    if len(found) != 1:
        have = f"{len(found)} of them: {', '.join(map(str, found))}" if found else "none"
        raise TholeError(f"which client's file? Here is {have}", "name one with --client")
    return found[0]


def stored_endpoint(client: Path) -> str:
    """The endpoint that a client's file names."""
    from driver.errors import TholeError

    if stat.S_IMODE(client.stat().st_mode) & 0o077:
        raise TholeError(f"others than you may read {client}, which has a key in it", f"chmod 600 {client}")
    for line in client.read_text().splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "endpoint":
            return value.strip()
    raise TholeError(f"{client} names no node to connect to", "say --endpoint HOST[:PORT]")


def numeric(endpoint: str) -> str:
    """The endpoint with its address and port in numbers, as the node's binary takes it."""
    from driver.errors import TholeError

    host, port = host_and_port(endpoint)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TholeError(f"the endpoint '{endpoint}' cannot be found: {error}", "--endpoint HOST[:PORT]") from None
    family, _, _, _, where = found[0]
    return f"[{where[0]}]:{where[1]}" if family == socket.AF_INET6 else f"{where[0]}:{where[1]}"


def host_and_port(endpoint: str) -> tuple[str, int]:
    """HOST, HOST:PORT, IPV6 or [IPV6]:PORT."""
    from driver.errors import TholeError

    host, colon, port = endpoint.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = endpoint, str(_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise TholeError(f"'{port}' of the endpoint '{endpoint}' is no port", "1 to 65535")
    return host.strip("[]"), int(port)
