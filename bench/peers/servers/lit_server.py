"""LitServe, set up as its documentation recommends.

- `fast_queue=True` for more than 100 requests a second, and as many HTTP servers as workers (`LitServer`'s and `run`'s
  own documentation);
- batching with `max_batch_size` and `batch_timeout`, `batch` and `unbatch`
  (https://lightning.ai/docs/litserve/features/batching);
- pictures as base64 in JSON, and the answer as a `Response` with bytes
  (https://lightning.ai/docs/litserve/features/request-response-format).
"""

import base64
from collections.abc import Sequence

import litserve
import numpy as np
from fastapi import Request, Response

from bench.peers.servers._network import Frames, Network, Probabilities
from bench.peers.servers._order import Order, read_order


class Classify(litserve.LitAPI):  # type: ignore[misc]
    """One cell a request: raw counts in, probabilities out."""

    def __init__(self, order: Order) -> None:
        super().__init__(max_batch_size=order.batch, batch_timeout=order.wait_s)
        self._order = order

    def setup(self, device: str) -> None:
        """Compile the network, once per worker."""
        self._network = Network(self._order)

    def decode_request(self, request: Request) -> Frames:
        """Return a cell's counts, `(C, H, W)`; `Request` stands for what was in its JSON."""
        return np.frombuffer(base64.b64decode(request["frame"]), self._order.dtype).reshape(self._order.shape)

    def batch(self, inputs: Sequence[Frames]) -> Frames:
        """Put cells into one array."""
        return np.stack(inputs)

    def predict(self, frames: Frames) -> Probabilities:
        """Run the network; LitServe calls it with one cell where it does not batch."""
        return self._network(frames if frames.ndim == 4 else frames[None])

    def unbatch(self, output: Probabilities) -> list[Probabilities]:
        """Give each cell its row."""
        return list(output)

    def encode_response(self, output: Probabilities) -> Response:
        """Send the row as it lies in memory."""
        return Response(content=output.tobytes(), media_type="application/octet-stream")


def main() -> None:
    """Serve until told to end."""
    order = read_order()
    server = litserve.LitServer(
        Classify(order), accelerator="cpu", devices=1, workers_per_device=order.workers, fast_queue=True, timeout=30
    )
    server.run(host="127.0.0.1", port=order.port, log_level="warning", generate_client_file=False)


if __name__ == "__main__":
    main()
