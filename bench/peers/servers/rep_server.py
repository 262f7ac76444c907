"""A REP socket in a loop: what people write by hand. With more workers, the Guide's broker in front of them.

The loop is chapter 1 and the broker chapter 2 ("Multithreaded service") of the ZeroMQ Guide, https://zguide.zeromq.org.
One request is one call of the network; there is no batch across requests.
"""

from __future__ import annotations

import threading

import numpy as np
import zmq

from bench.peers.servers._network import Network
from bench.peers.servers._order import Order, read_order


def main() -> None:
    """Serve until killed."""
    order = read_order()
    context = zmq.Context()
    if order.workers == 1:
        socket = context.socket(zmq.REP)
        socket.bind(f"tcp://127.0.0.1:{order.port}")
        _loop(socket, order)
    front, back = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    back.bind("inproc://workers")
    for _ in range(order.workers):
        threading.Thread(target=_work, args=(context, order), daemon=True).start()
    front.bind(f"tcp://127.0.0.1:{order.port}")
    zmq.proxy(front, back)


def _work(context: zmq.Context[zmq.Socket[bytes]], order: Order) -> None:
    socket = context.socket(zmq.REP)
    socket.connect("inproc://workers")
    _loop(socket, order)


def _loop(socket: zmq.Socket[bytes], order: Order) -> None:
    network = Network(order)
    while True:
        frames = np.frombuffer(socket.recv(), order.dtype).reshape(-1, *order.shape)
        socket.send(network(frames).tobytes())


if __name__ == "__main__":
    main()
