"""NVIDIA PyTriton on the CPU, set up as its documentation recommends.

- the `batch` decorator and a `DynamicBatcher` (https://triton-inference-server.github.io/pytriton/latest/binding_models);
- several instances as a list of callables, at the same place under "Multi-instance model inference";
- requests with binary tensors
  (https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_binary_data.html).
"""

from __future__ import annotations

import os
import sysconfig
from typing import Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from bench.peers.servers._network import Frames, Network
from bench.peers.servers._order import Order, read_order

MODEL = "cells"


class Instance:
    """A copy of the network. Each is called from a process of its own, which compiles it at its first call."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._network: Network | None = None

    @batch  # type: ignore[untyped-decorator]
    def __call__(self, frames: Frames) -> list[Any]:
        """Run a batch."""
        if self._network is None:
            self._network = Network(self._order)
        return [self._network(frames)]


def main() -> None:
    """Serve until told to end."""
    order = read_order()
    # Its processes embed Python and would take the system's library, which need not fit this environment's packages
    # (https://triton-inference-server.github.io/pytriton/latest/installation).
    places = (str(sysconfig.get_config_var("LIBDIR")), os.environ.get("LD_LIBRARY_PATH", ""))
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, places))
    config = TritonConfig(
        http_address="127.0.0.1", http_port=order.port, allow_grpc=False, allow_metrics=False, log_verbose=0
    )
    batcher = DynamicBatcher(max_queue_delay_microseconds=int(order.wait_s * 1e6))
    with Triton(config=config) as triton:
        triton.bind(
            model_name=MODEL,
            infer_func=[Instance(order) for _ in range(order.workers)],
            inputs=[Tensor(name="frames", dtype=np.dtype(order.dtype).type, shape=order.shape)],
            outputs=[Tensor(name="probabilities", dtype=np.float32, shape=(order.classes,))],
            config=ModelConfig(max_batch_size=order.batch, batcher=batcher),
            strict=False,
        )
        triton.serve()


if __name__ == "__main__":
    main()
