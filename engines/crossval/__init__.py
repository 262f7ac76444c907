"""Cross-validation and learning curves of networks and of the classical baseline."""

from engines.crossval._entry import crossval
from engines.crossval._scheme import Scheme, Trial, trials
from engines.crossval._summary import Asked

__all__ = ["Asked", "Scheme", "Trial", "crossval", "trials"]
