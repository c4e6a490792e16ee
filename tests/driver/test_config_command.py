"""`./thole config`: clusters, nodes and clients as files, and what is said of files that are not right."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from driver.commands import node
from driver.errors import TholeError

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS = 600  # the first command builds the node's binary


def thole(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ./thole in a folder."""
    return subprocess.run(
        [sys.executable, CHECKOUT / "thole", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def secret_of(file: Path) -> str:
    """The secret in an ini file."""
    (line,) = [line for line in file.read_text().splitlines() if line.startswith("secret = ")]
    return line.removeprefix("secret = ")


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster's folder."""
    place = tmp_path_factory.mktemp("config")
    done = thole("config", "new", "harbour", "--seeds", "n1.example:51872", "10.0.0.2", folder=place)
    assert done.returncode == 0, done.stderr
    folder = place / "harbour"
    assert secret_of(folder / "cluster.ini") not in done.stdout + done.stderr
    assert "./thole config join harbour" in done.stdout
    return folder


def test_new(harbour: Path) -> None:
    """A folder for its owner alone, with a file that the node's own code takes."""
    shared = harbour / "cluster.ini"
    assert mode(harbour) == 0o700 and mode(shared) == 0o600
    text = shared.read_text()
    assert "cluster = harbour\n" in text and "range = 10.41.0.0/16\n" in text and "ula = fd" in text
    assert "seeds = n1.example:51872, 10.0.0.2\n" in text
    assert thole("config", "validate", shared, folder=harbour).stdout == f"{shared} is right\n"


def test_every_cluster_has_a_secret_of_its_own(harbour: Path, tmp_path: Path) -> None:
    """And addresses of its own."""
    done = thole("config", "new", "quay", "--folder", "here", "--range", "10.99.0.0/20", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    ours, other = (harbour / "cluster.ini").read_text(), (tmp_path / "here" / "cluster.ini").read_text()
    assert "range = 10.99.0.0/20" in other and "seeds" not in other
    for key in ("secret = ", "ula = "):
        lines = [line for text in (ours, other) for line in text.splitlines() if line.startswith(key)]
        assert len(set(lines)) == 2


def test_new_refuses(harbour: Path, tmp_path: Path) -> None:
    """What is there already stays; names and ranges must be right."""
    before = (harbour / "cluster.ini").read_text()
    done = thole("config", "new", "harbour", folder=harbour.parent)
    assert done.returncode == 1 and "is there already, and was not touched" in done.stderr
    assert (harbour / "cluster.ini").read_text() == before
    for words, said in (
        (["Harbour"], "'Harbour' cannot be a cluster's name"),
        (["../x"], "cannot be a cluster's name"),
        (["x", "--range", "10.41.1.0/16"], "has host bits set"),
        (["x", "--range", "10.0.0.0/28"], "/8 to /24"),
        (["x", "--range", "fd00::/64"], "is not right"),
        (["x", "--seeds", "n1:99999"], "the port of 'n1:99999'"),
    ):
        done = thole("config", "new", *words, folder=tmp_path)
        assert done.returncode == 1 and said in done.stderr, (words, done.stderr)
        assert list(tmp_path.iterdir()) == [], words


def test_join(harbour: Path) -> None:
    """The node.ini of one node."""
    done = thole("config", "join", harbour, "--name", "n7", "--seed", "10.0.0.9:7", folder=harbour)
    assert done.returncode == 0, done.stderr
    file = harbour / "n7.ini"
    assert mode(file) == 0o600 and secret_of(file) == secret_of(harbour / "cluster.ini")
    assert "name = n7\n" in file.read_text() and "seeds = n1.example:51872, 10.0.0.2, 10.0.0.9:7\n" in file.read_text()
    assert secret_of(file) not in done.stdout
    again = thole("config", "join", harbour, "--name", "n7", folder=harbour)
    assert again.returncode == 1 and "is there already" in again.stderr
    assert "cannot be the name of a node" in thole("config", "join", harbour, "--name", "N 7", folder=harbour).stderr
    assert "is no cluster's folder" in thole("config", "join", ".", folder=harbour.parent).stderr


def test_client(harbour: Path) -> None:
    """A client's file has a key of its own and not the cluster's secret."""
    done = thole("config", "client", harbour, "alice", "--role", "admin", "--days", "7", folder=harbour)
    assert done.returncode == 0, done.stderr
    file = harbour / "alice.client"
    text = file.read_text()
    assert mode(file) == 0o600 and "role = admin\n" in text and "endpoint = n1.example\n" in text
    assert secret_of(harbour / "cluster.ini") not in text
    assert "cannot be good for 0 days" in thole("config", "client", harbour, "bob", "--days", "0", folder=harbour).stderr
    assert not (harbour / "bob.client").exists()


def test_validate_names_lines(harbour: Path, tmp_path: Path) -> None:
    """The node's own words for what is wrong, and exit status 1."""
    good, bad, clash, public = (tmp_path / name for name in ("good.ini", "bad.ini", "clash.ini", "public.ini"))
    good.write_text("[node]\nname = n1\n")
    bad.write_text("[network]\nadress = dhcp\n")
    clash.write_text("[kubernetes]\nservice-range = 10.42.128.0/20\n")
    public.write_text((harbour / "cluster.ini").read_text())
    public.chmod(0o644)
    assert thole("config", "validate", good, folder=tmp_path).returncode == 0
    done = thole("config", "validate", good, bad, clash, public, folder=tmp_path)
    assert done.returncode == 1
    assert f"{bad}:2: unknown key 'adress' in [network]; did you mean 'address'?" in done.stderr
    assert "overlaps" in done.stderr and "mode 0600" in done.stderr
    assert secret_of(public) not in done.stdout + done.stderr
    missing = thole("config", "validate", tmp_path / "none.ini", folder=tmp_path)
    assert missing.returncode == 1 and "none.ini" in missing.stderr


def test_nobody_there(harbour: Path) -> None:
    """A node that cannot be reached is one message."""
    thole("config", "client", harbour, "carol", folder=harbour)
    client = harbour / "carol.client"
    done = thole("-n", "n1", "--client", client, "--endpoint", "127.0.0.1:9", "status", folder=harbour)
    assert done.returncode == 1 and "n1: cannot connect to 127.0.0.1: Connection refused" in done.stderr
    client.chmod(0o644)
    done = thole("-n", "n1", "--client", client, "--endpoint", "127.0.0.1:9", "status", folder=harbour)
    assert done.returncode == 1 and "chmod 600" in done.stderr


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("n1", "n1", 51874), ("n1:7", "n1", 7), ("10.0.0.1", "10.0.0.1", 51874), ("fd00::1", "fd00::1", 51874),
        ("[fd00::1]:7", "fd00::1", 7), ("[fd00::1]", "fd00::1", 51874),
    ],
)  # fmt: skip
def test_endpoints(text: str, host: str, port: int) -> None:
    """Names and addresses, with a port or without."""
    assert node.host_and_port(text) == (host, port)


def test_bad_endpoints() -> None:
    """A port that is none."""
    for text in ("n1:", "n1:x", "n1:70000"):
        with pytest.raises(TholeError, match="is no port"):
            node.host_and_port(text)


TABLE = """\
# who is where
name, network.address, kubernetes.role, slurm.role
n11, 192.168.1.11/24, server, "controller, login"
n12, , agent,
"""


def test_a_table_of_nodes(harbour: Path, tmp_path: Path) -> None:
    """A file for each line, with the cluster's secret, what is common, and the line's own keys."""
    table = tmp_path / "nodes.csv"
    table.write_text(TABLE)
    common = tmp_path / "common.ini"
    common.write_text("[time]\nservers = 10.0.0.1,\n  10.0.0.2\n[kubernetes]\nrole = agent\n")
    done = thole("config", "nodes", harbour, table, "--common", common, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = harbour / "n11.ini", harbour / "n12.ini"
    assert mode(first) == mode(second) == 0o600
    text = first.read_text()
    assert secret_of(first) == secret_of(harbour / "cluster.ini")
    assert "[kubernetes]\nrole = server\n" in text and "servers = 10.0.0.1, 10.0.0.2\n" in text
    assert "[slurm]\nrole = controller, login\n" in text and "address = 192.168.1.11/24\n" in text
    assert "address" not in second.read_text() and "slurm" not in second.read_text()
    again = thole("config", "nodes", harbour, table, folder=tmp_path)
    assert again.returncode == 1 and "n11.ini is there already, and nothing was written" in again.stderr


@pytest.mark.parametrize(("text", "said"), [
    ("", "has no nodes"),
    ("name\n", "has no nodes"),
    ("name, role\nn21, x\n", "'role' is no key"),
    ("network.address\n10.0.0.1/8\n", "a column 'name' once"),
    ("name, node.roles\nn21\n", ":2 has 1 cells, its first line 2"),
    ("name\nn21\nn21\n", ":3: there are two nodes 'n21'"),
    ("name\nN_1\n", "'N_1' cannot be the name of a node"),
    ("name, network.adress\nn21, 10.0.0.1/8\nn22, \n", "did you mean 'address'"),
])  # fmt: skip
def test_a_table_that_is_not_right(harbour: Path, tmp_path: Path, text: str, said: str) -> None:
    """Nothing is written for any line."""
    table = tmp_path / "nodes.csv"
    table.write_text(text)
    done = thole("config", "nodes", harbour, table, folder=tmp_path)
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert not list(harbour.glob("n2?.ini"))
