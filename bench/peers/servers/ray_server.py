"""Ray Serve, set up as its documentation recommends.

- `serve.batch` on an async method (https://docs.ray.io/en/latest/serve/advanced-guides/dyn-req-batch.html);
- `max_ongoing_requests` well above the batch, a core reserved for each replica, and `RAY_SERVE_THROUGHPUT_OPTIMIZED=1`,
  which the bench sets (https://docs.ray.io/en/latest/serve/advanced-guides/performance.html).

Its HAProxy mode is left out: it listens on all interfaces, and a bench must not be reachable from elsewhere. One port
of each replica, for other replicas, does so whatever it is told.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from bench.peers.servers._network import Frames, Network
from bench.peers.servers._order import Order, read_order


def application(order: Order) -> Any:
    """Return the deployment of this order."""

    @serve.deployment(
        num_replicas=order.workers,
        max_ongoing_requests=max(64, 4 * order.batch),
        ray_actor_options={"num_cpus": 1},
    )
    class Classify:
        def __init__(self) -> None:
            self._network = Network(order)

        @serve.batch(max_batch_size=order.batch, batch_wait_timeout_s=order.wait_s)  # type: ignore[untyped-decorator]
        async def classify(self, cells: list[Frames]) -> list[bytes]:
            return [row.tobytes() for row in self._network(np.stack(cells))]

        async def __call__(self, request: Request) -> Response:
            cell = np.frombuffer(await request.body(), order.dtype).reshape(order.shape)
            if order.batch == 1:
                return _answer(self._network(cell[None]).tobytes())
            return _answer(await self.classify(cell))

    bind: Any = Classify
    return bind.bind()


def _answer(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream")


def main() -> None:
    """Serve until told to end."""
    order = read_order()
    # Processors are promised, not measured: one for each replica and one for all else.
    ray.init(num_cpus=order.workers + 1, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": order.port, "access_log": False})
    serve.run(application(order), route_prefix="/")
    threading.Event().wait()


if __name__ == "__main__":
    main()
