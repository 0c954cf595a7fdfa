"""Redis as larger sites run it, on 127.0.0.1: a master watched by Sentinels, and a Cluster. For tests and drills.

with sentinel_trio(folder) as redis:       # or one_server(folder), cluster_of_three(folder)
    ...                                    # redis.options names it as TASKS["default"]["OPTIONS"] does
    redis.kill_master("{tasks:emails}")
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from launch import processes
from launch.errors import LaunchError
from launch.postgres import last_lines
from launch.valkey import program

PATIENCE = 30
SERVICE = "shop"
#: How long a server must be silent before the others elect another; short, for nobody likes to wait.
SILENCE_MS = 1_000
SLOTS = 16_384


class Node:
    """One server process, which keeps its data when it is killed and started again."""

    def __init__(self, folder: Path, *arguments: str | Path) -> None:
        self.port = processes.free_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir(parents=True)
        self.arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self, *words: str | int) -> Any:
        """The answer to one command: text, whole numbers and lists."""
        with redis.Redis(port=self.port, decode_responses=True, socket_timeout=5, protocol=2) as client:
            client.response_callbacks.clear()  # as the server says it
            return client.execute_command(*words)

    def start(self) -> None:
        base = [program(), *self.arguments, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder]
        log = self.folder / "log"
        self.process = processes.start([*base, "--daemonize", "no"], death_signal=signal.SIGKILL, log=log)
        try:
            until(lambda: self.command("PING") == "PONG", "a server did not start")
        except LaunchError as error:
            raise LaunchError(f"{error}; its log says: {last_lines(log)}") from None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is not None:
            processes.stop(self.process, signal.SIGKILL, patience=10)


@dataclass
class Topology:
    """Running servers.

    Attributes:
        options: how a client names them.
        nodes: those that hold data.
        master: of a key, the node that takes writes.
    """

    options: dict[str, Any]
    nodes: list[Node]
    master: Callable[[str], Node]
    others: list[Node] = field(default_factory=list)

    def kill_master(self, key: str) -> Node:
        """Kill the master that holds the key; returns it."""
        node = self.master(key)
        node.kill()
        return node

    def stop(self) -> None:
        for node in [*self.others, *self.nodes]:
            node.kill()


def until(is_so: Callable[[], bool], otherwise: str) -> None:
    """Wait until something is so; an error of Redis means "not yet"."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if is_so():
                return
        except redis.RedisError:
            pass
        if time.monotonic() > deadline:
            raise LaunchError(otherwise)
        time.sleep(0.02)


@contextmanager
def one_server(folder: Path) -> Iterator[Topology]:
    """One server that notes every write in a file before it answers."""
    node = Node(folder, "--appendonly", "yes", "--save", "")
    topology = Topology({"URL": f"redis://{node.address}/0"}, [node], lambda key: node)
    with _stopping(topology):
        node.start()
        yield topology


@contextmanager
def sentinel_trio(folder: Path) -> Iterator[Topology]:
    """A master, two replicas and three Sentinels, two of which must agree that the master is gone."""
    nodes = [Node(folder, "--appendonly", "no", "--save", "", "--repl-diskless-sync-delay", "0") for _ in range(3)]
    first = nodes[0]
    sentinels = [Node(folder, _sentinel_file(folder, number, first.port), "--sentinel") for number in range(3)]

    def master(key: str) -> Node:
        _, port = sentinels[0].command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(node for node in nodes if node.port == int(port))

    options = {"SENTINELS": [sentinel.address for sentinel in sentinels], "SERVICE": SERVICE}
    topology = Topology(options, nodes, master, sentinels)
    with _stopping(topology):
        for node in nodes:
            if node is not first:
                node.arguments = (*node.arguments, "--replicaof", f"127.0.0.1 {first.port}")
            node.start()
        until(lambda: len(_replicas(first)) == 2, "the replicas did not join")
        for sentinel in sentinels:
            sentinel.start()
        for sentinel in sentinels:
            until(lambda seen=sentinel: _sees_all(seen), "the Sentinels did not find each other")  # type: ignore[misc]
        yield topology


@contextmanager
def cluster_of_three(folder: Path) -> Iterator[Topology]:
    """Three masters with a third of the slots each, and one replica of each."""
    common = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(SILENCE_MS), "--save", "", "--appendonly", "no")
    nodes = [
        Node(folder, *common, "--cluster-port", str(processes.free_port()), "--repl-diskless-sync-delay", "0")
        for _ in range(6)
    ]

    def master(key: str) -> Node:
        return _holder(nodes, key_slot(key.encode()))

    topology = Topology({"CLUSTER": [node.address for node in nodes[:3]]}, nodes, master)
    with _stopping(topology):
        for node in nodes:
            node.start()
        _join(nodes[:3], nodes[3:])
        yield topology


def _join(masters: list[Node], replicas: list[Node]) -> None:
    """Make one cluster of servers that do not know each other."""
    nodes = [*masters, *replicas]
    for node in nodes[1:]:
        node.command("CLUSTER MEET", "127.0.0.1", nodes[0].port, _bus_port(nodes[0]))
    for number, node in enumerate(masters):
        node.command("CLUSTER ADDSLOTSRANGE", number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1)
    for node in nodes:
        until(lambda seen=node: _is_whole(seen, 6), "the nodes did not find each other")  # type: ignore[misc]
    for of, node in zip(masters, replicas, strict=True):
        node.command("CLUSTER REPLICATE", of.command("CLUSTER MYID"))
    for node in masters:
        until(lambda seen=node: len(_replicas(seen)) == 1, "the replicas did not join")  # type: ignore[misc]
    for node in nodes:
        until(lambda seen=node: _knows_replicas(seen), "the replicas are not known to all")  # type: ignore[misc]


def _holder(nodes: list[Node], slot: int) -> Node:
    for asked in nodes:
        try:
            ranges = asked.command("CLUSTER SLOTS")
        except redis.RedisError:
            continue
        port = next((node[1] for low, high, node, *_ in ranges if low <= slot <= high), None)
        return next(node for node in nodes if node.port == port)
    raise LaunchError("no node of the cluster answers")


def _bus_port(node: Node) -> str:
    """The port on which a node of a cluster talks to the others."""
    return str(node.arguments[node.arguments.index("--cluster-port") + 1])


@contextmanager
def _stopping(topology: Topology) -> Iterator[None]:
    with ExitStack() as stack:
        stack.callback(topology.stop)
        yield


def _sentinel_file(folder: Path, number: int, port: int) -> Path:
    """Sentinels write what they learn into their configuration, so each has its own."""
    path = folder / f"sentinel-{number}.conf"
    lines = [
        f"sentinel monitor {SERVICE} 127.0.0.1 {port} 2",
        f"sentinel down-after-milliseconds {SERVICE} {SILENCE_MS}",
        f"sentinel failover-timeout {SERVICE} 6000",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _replicas(node: Node) -> list[str]:
    """The lines about replicas that follow this node and are up to date."""
    lines = node.command("INFO", "replication").splitlines()
    return [line for line in lines if line.startswith("slave") and "state=online" in line]


def _sees_all(sentinel: Node) -> bool:
    facts = sentinel.command("SENTINEL", "MASTER", SERVICE)
    known = dict(zip(facts[::2], facts[1::2], strict=True))
    return int(known["num-other-sentinels"]) == 2 and int(known["num-slaves"]) == 2


def _is_whole(node: Node, size: int) -> bool:
    known = dict(line.split(":") for line in node.command("CLUSTER INFO").split())
    return known["cluster_state"] == "ok" and int(known["cluster_known_nodes"]) == size


def _knows_replicas(node: Node) -> bool:
    ranges = node.command("CLUSTER SLOTS")
    return len(ranges) == 3 and all(len(of_range) == 4 for of_range in ranges)
