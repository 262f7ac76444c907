"""The classical baseline: image features of each cell and boosted trees, to compare networks with.

Source: T. Blasi, H. Hennig, H. D. Summers et al., "Label-free cell cycle analysis for high-throughput imaging flow
cytometry", Nature Communications 7, 10256 (2016): bright-field and dark-field features in the manner of CellProfiler,
and boosting. Eulenberg et al. 2017 compare DeepFlow with it.
"""

from engines.classical._classical import Classical, fit_classical
from engines.classical._features import features

__all__ = ["Classical", "features", "fit_classical"]
