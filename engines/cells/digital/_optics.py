"""The microscope: each channel's image as a transfer function applied in the Fourier plane.

Bright field follows the contrast transfer function of a thin phase object, `sin(pi λz f²)` (partially coherent light
dims the high frequencies): out of focus it makes the dark rim and the bright interior that real cells show, and it
leaves the mean count where the empty field has it. Fluorescence and scatter are blurred by Gaussians.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cells.digital._draws import Floats


class Optics:
    """Transfer functions for images of `height` x `width` pixels, which wrap around: leave a margin.

    The norm is "ortho" throughout: with the others NumPy computes one direction in double precision, at many times
    the time.
    """

    def __init__(self, height: int, width: int) -> None:
        self._shape = (height, width)
        fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
        self._square: Floats = (fy * fy + fx * fx).astype(np.float32)

    def phase(self, thickness: Floats, points: Floats, focus: Floats, strength: Floats) -> Floats:
        """Return the brightness change of phase objects `(n, h, w)` `focus` px² from focus, and of points in them.

        The points lie throughout the cell, nearer to focus than its outline, and so stay sharper.
        """
        spectrum = self._wave(focus, 0.62 + 0.19 * np.sqrt(focus)) * np.fft.rfft2(thickness, norm="ortho")
        spectrum += self._wave(0.5 * focus, 0.5 + 0.09 * np.sqrt(focus)) * np.fft.rfft2(points, norm="ortho")
        spectrum *= strength[:, None, None]
        return self._back(spectrum)

    def blur(self, image: Floats, sigma: Floats) -> Floats:
        """Return images `(n, h, w)` blurred by a Gaussian of `sigma` `(n,)` px."""
        return self._apply(image, self._gauss(sigma))

    def spots(self, points: Floats, core: float, halo: float, share: float) -> Floats:
        """Return points as spots: a Gaussian core and a wider halo that holds `share` of the light (sigmas in px)."""
        widths = np.array([core, halo], dtype=np.float32)
        both = self._gauss(widths)
        return self._apply(points, (1 - np.float32(share)) * both[:1] + np.float32(share) * both[1:])

    def _wave(self, focus: Floats, coherence: Floats) -> Floats:
        wave = np.sin(np.float32(np.pi) * focus[:, None, None] * self._square)
        wave *= self._gauss(coherence)
        return wave

    def _gauss(self, sigma: Floats) -> Floats:
        return np.exp(np.float32(-2 * np.pi**2) * (sigma * sigma)[:, None, None] * self._square)

    def _apply(self, image: Floats, transfer: Floats) -> Floats:
        spectrum: NDArray[np.complexfloating[Any, Any]] = np.fft.rfft2(image, norm="ortho")
        spectrum *= transfer
        return self._back(spectrum)

    def _back(self, spectrum: NDArray[np.complexfloating[Any, Any]]) -> Floats:
        return np.fft.irfft2(spectrum, s=self._shape, norm="ortho").astype(np.float32, copy=False)
