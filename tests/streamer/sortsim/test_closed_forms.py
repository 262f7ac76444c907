"""A million simulated cells against the closed forms, and the closed forms against simpler ones and each other."""

import math

import pytest

from streamer.decision.windows import Mode, SortRule
from streamer.sortsim import Setting, predict, simulate

SPAN_NS = 150_000
LOADS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def setting(mode, load, **more):
    """Return a setting whose λw is `load`."""
    rule = SortRule(mode, SPAN_NS // 3, SPAN_NS - SPAN_NS // 3)
    return Setting(**{"rate": load / SPAN_NS * 1e9, "wanted": 0.07, "rule": rule, "cells": 1_000_000, **more})


def within(figures, names, errors=3.0):
    for name in names:
        value = getattr(figures, "yield_" if name == "yield" else name)
        error = figures.standard_errors[name]
        assert abs(value - figures.predicted[name]) <= errors * error + 1e-12, name


# Seeded: the same streams each time. Of some hundred figures at three standard errors chance may fail one.
@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("mode", list(Mode))
def test_a_million_cells_agree_with_the_closed_forms(mode, load):
    figures = simulate(setting(mode, load, seed=round(load * 1000) + 17))
    within(figures, ("coincidence", "yield", "recovery", "purity", "abort_rate"))
    assert figures.ideal


@pytest.mark.slow
@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(("sensitivity", "specificity", "wanted"), [(0.9, 0.95, 0.3), (0.8, 0.99, 0.01)])
def test_so_they_do_with_a_classifier_that_errs(mode, load, sensitivity, specificity, wanted):
    more = {"sensitivity": sensitivity, "specificity": specificity, "wanted": wanted}
    figures = simulate(setting(mode, load, seed=round(load * 1000) + 5, **more))
    # Over a thousand figures in all: a bound that chance passes about once in ten such grids.
    within(figures, figures.predicted, errors=4.0)


@pytest.mark.parametrize("load", LOADS)
def test_for_a_perfect_classifier_they_are_the_textbook_ones(load):
    f = 0.07
    assert predict(setting(Mode.PURITY, load))["yield"] == pytest.approx(math.exp(-load * (1 - f)))
    assert predict(setting(Mode.SINGLE, load))["yield"] == pytest.approx(math.exp(-load))
    assert predict(setting(Mode.YIELD, load))["yield"] == 1
    for mode in Mode:
        assert predict(setting(mode, load))["coincidence"] == pytest.approx(1 - math.exp(-load))
        assert predict(setting(mode, load))["purity"] == (
            pytest.approx(1) if mode is not Mode.YIELD else pytest.approx(f / (f + (1 - f) * (1 - math.exp(-load * f))))
        )


def test_enrichment_without_masks_is_the_limit_for_small_windows():
    f, load = 0.07, 1e-4
    predicted = predict(setting(Mode.YIELD, load))["purity"]
    fired = load * f  # the rate of wanted cells, each of which fires a window
    assert predicted == pytest.approx(f / (f + (1 - f) * fired), rel=1e-6)


def test_without_wanted_cells_there_is_nothing_to_divide_by():
    figures = simulate(setting(Mode.PURITY, 0.5, wanted=0.0, cells=1000))
    assert figures.yield_ is figures.purity is figures.predicted["purity"] is None
    assert figures.sort_rate == 0
