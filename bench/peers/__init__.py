"""Cellgate beside the servers people would use instead: the same graph, cells, machine, client and run."""

from bench.peers._catalogue import PEERS, Peer, Setting
from bench.peers._environment import make_environment, peer_versions
from bench.peers._measure import choose
from bench.peers._processes import end_tree, family
from bench.peers._run import measure
from bench.peers._server import Server
from bench.peers._tables import draw, tables
from bench.peers._verdict import verdict

__all__ = [
    "PEERS",
    "Peer",
    "Server",
    "Setting",
    "choose",
    "draw",
    "end_tree",
    "family",
    "make_environment",
    "measure",
    "peer_versions",
    "tables",
    "verdict",
]
