import numpy as np
import pytest

from engines.training._calibrate import calibrate, negative_log_likelihood
from engines.training._score import score


def overconfident(n=4000):
    """Return logits three times too large for the labels drawn from them."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (n, 4))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (p.cumsum(1) < generator.random((n, 1))).sum(1)
    return 3 * logits, labels


def test_temperature_is_found_and_lowers_the_loss():
    logits, labels = overconfident()
    found = calibrate(logits, labels, np.ones(4), prior_correction=1.0)
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert negative_log_likelihood(found.logits(logits), labels) < negative_log_likelihood(logits, labels) - 0.1


def test_calibration_error_falls():
    logits, labels = overconfident()

    def probabilities(values):
        return np.exp(values) / np.exp(values).sum(1, keepdims=True)

    found = calibrate(logits, labels, np.ones(4), prior_correction=1.0)
    names = ("a", "b", "c", "d")
    before, after = (score(probabilities(v), labels, names) for v in (logits, found.logits(logits)))
    assert before["ece"] > 0.1
    assert after["ece"] < 0.03
    assert before["accuracy"] == after["accuracy"]


def test_prior_correction_takes_the_class_weights_out_again():
    weights = np.array([0.5, 2.0])
    found = calibrate(np.zeros((0, 2)), np.zeros(0, np.int64), weights, prior_correction=1.0)
    assert found.temperature == 1.0
    logits = found.logits(np.log(weights * np.array([[0.8, 0.2]])))
    assert np.exp(logits) == pytest.approx(np.array([[0.8, 0.2]]))


def test_loss_is_exact_and_survives_large_logits():
    assert negative_log_likelihood(np.array([[0.0, 0.0]]), np.array([1])) == pytest.approx(np.log(2))
    assert negative_log_likelihood(np.array([[1e4, 0.0]]), np.array([1])) == pytest.approx(1e4)


def test_score_counts_what_it_says():
    p = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0]], np.float32)
    figures = score(p, np.array([0, 1, 1, 1]), ("a", "b", "c"))
    assert figures["confusion"] == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]
    assert figures["accuracy"] == 0.75
    assert figures["recall"] == {"a": 1.0, "b": pytest.approx(2 / 3), "c": None}
    assert figures["balanced_accuracy"] == pytest.approx(5 / 6)
    assert figures["nll"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.7]).mean(), rel=1e-6)
    assert figures["ece"] == pytest.approx((0.1 + 0.6 + 0.2 + 0.3) / 4, abs=1e-6)
