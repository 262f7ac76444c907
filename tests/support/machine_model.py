"""A machine whose costs are known, as `cellgate bench scale` would have fitted them."""

import msgspec

from bench.scale import EngineModel, Fitted, Model, StreamingModel


def fitted(**terms):
    return Fitted(terms, 20, 5, 0.02, 0.05)


def engine(network, precision, *, per_cell_s, threads=1):
    """An engine that takes so long for each cell of 2×64×64, in proportion to the pixels."""
    clock = fitted(per_batch=0.0, per_multiply_add=per_cell_s / 1e6)
    return EngineModel(
        network=network,
        engine="made up CPU",
        precision=precision,
        clock=clock,
        own=fitted(per_batch=32e-6),
        all=fitted(per_multiply_add=threads * per_cell_s / 1e6),
        work=fitted(per_pixel=1e6 / 64**2),
        top=32,
    )


def model(*engines, cores=4, copy=1e10):
    """A streamer of 20 µs a message, 5 µs a cell, 0.25 ns a byte."""
    loop = fitted(per_message=20e-6, per_cell=5e-6, per_byte=0.25e-9)
    transport = fitted(per_message=1e-6, per_byte=0.2e-9)
    sender = fitted(per_message=10e-6, per_byte=0.2e-9)
    found = engines or (engine("deepflow", "fp32", per_cell_s=1e-3), engine("deepflow", "int8", per_cell_s=2e-4))
    return Model(cores, copy, StreamingModel(loop, transport, sender), tuple(found))


def write_model(path, found):
    path.write_bytes(msgspec.json.encode(found))
    return path
