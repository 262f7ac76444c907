"""What a peer is, and with which settings it is tried."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.live import Speech


@dataclass(frozen=True)
class Setting:
    """How a server collects cells into batches.

    Attributes
    ----------
    batch
        Most cells of one call of the network.
    wait_ms
        For how long a batch that is not full may be held back.
    workers
        Copies of the network, each with as many threads as Cellgate's engine has.
    """

    batch: int = 1
    wait_ms: float = 0.0
    workers: int = 1

    def __str__(self) -> str:
        wait = f", wait {self.wait_ms:g} ms" if self.batch > 1 else ""
        return f"batch {self.batch}{wait}, {self.workers} worker{'s' * (self.workers > 1)}"


@dataclass(frozen=True)
class Peer:
    """A server people would use instead.

    Attributes
    ----------
    name
        As the command line has it.
    title
        As people know it.
    module
        The server, in `bench.peers.servers`.
    speaks
        How it is asked.
    package
        What must be installed in the peers' environment; None runs where the bench runs.
    settings
        What is tried; the best is measured.
    documents
        Where its makers say how to set it up.
    variables
        Environment variables it is started with.
    """

    name: str
    title: str
    module: str
    speaks: Speech
    package: str | None
    settings: tuple[Setting, ...]
    documents: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)


PEERS = (
    Peer(
        name="rep",
        title="REQ/REP loop, pyzmq",
        module="rep_server",
        speaks="rep",
        package=None,
        settings=(Setting(), Setting(workers=2)),
        documents=("https://zguide.zeromq.org/docs/chapter1/", "https://zguide.zeromq.org/docs/chapter2/"),
    ),
    Peer(
        name="litserve",
        title="LitServe",
        module="lit_server",
        speaks="base64",
        package="litserve",
        settings=(
            Setting(),
            Setting(workers=2),
            Setting(8, 1.0),
            Setting(32, 5.0),
            Setting(32, 5.0, 2),
        ),
        documents=(
            "https://lightning.ai/docs/litserve/features/batching",
            "https://lightning.ai/docs/litserve/features/request-response-format",
            "https://lightning.ai/docs/litserve/api-reference/litserver",
        ),
    ),
    Peer(
        name="pytriton",
        title="NVIDIA PyTriton",
        module="triton_server",
        speaks="triton",
        package="nvidia-pytriton",
        settings=(
            Setting(),
            Setting(workers=2),
            Setting(32, 0.0),
            Setting(32, 0.0, 2),
            Setting(32, 2.0),
        ),
        documents=(
            "https://triton-inference-server.github.io/pytriton/latest/binding_models",
            "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/batcher.html",
            "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_binary_data.html",
        ),
    ),
    Peer(
        name="ray",
        title="Ray Serve",
        module="ray_server",
        speaks="plain",
        package="ray",
        settings=(Setting(), Setting(8, 1.0), Setting(32, 10.0), Setting(32, 10.0, 2)),
        documents=(
            "https://docs.ray.io/en/latest/serve/advanced-guides/performance.html",
            "https://docs.ray.io/en/latest/serve/advanced-guides/dyn-req-batch.html",
        ),
        variables={
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # one machine: its processes listen on 127.0.0.1 only
        },
    ),
)
"""In the order in which they are measured."""
