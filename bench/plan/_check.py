"""Whether a prediction holds: the same camera played to the same streamer on this machine, flat out."""

from __future__ import annotations

import msgspec

from bench.live import How, Load, Streaming, frames_for, play
from bench.plan._answer import answer
from bench.plan._camera import Camera, Setup
from bench.subject import Options
from engines.bundle import Bundle

_TRIAL = 512


def check(camera: Camera, setup: Setup, options: Options, bundle: Bundle) -> dict[str, float]:
    """Return predicted and measured maximum, with the sender on this machine, and the prediction's relative error."""
    here = msgspec.structs.replace(camera, sender_here=True, link_bytes_per_s=None)
    predicted = answer(here, setup).prediction.maximum
    frames = frames_for(bundle, least=max(128, camera.per_message))
    how = How(options.engine, options.precision, options.threads, options.ladder)
    window = max(256, 4 * camera.per_message)
    with Streaming(bundle, how) as streamer:
        target = streamer.target()
        play(target, frames, Load(max(_TRIAL, window), per_message=camera.per_message, window=window))
        cells = max(_TRIAL, 2 * window, int(predicted * options.seconds))
        measured = play(target, frames, Load(cells, per_message=camera.per_message, window=window))
    return {
        "predicted_cells_per_s": round(predicted, 1),
        "measured_cells_per_s": round(measured.steady_cells_per_s, 1),
        "predicted_over_measured": round(predicted / measured.steady_cells_per_s, 4),
    }
