"""The bare ZeroMQ echo: what comes in with a frame goes back without it, and nothing else is done.

python -m bench.live.echo ENDPOINT

A message is `[records, frames]`, the records being decision records of 40 bytes with seq and trigger filled in; the
records are the answer. No Python program that receives frames and answers each can be quicker than this one.
"""

from __future__ import annotations

import signal
import sys

import zmq


def main() -> None:
    """Echo until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind(sys.argv[1])
        print("ready: echo", flush=True)
        while True:
            peer, records, _ = socket.recv_multipart()
            socket.send_multipart((peer, records))


if __name__ == "__main__":
    main()
