import numpy as np
import pytest

from engines.evaluation import figures
from engines.training._calibrate import calibrate, negative_log_likelihood


def overconfident(n=4000):
    """Return logits three times too large for the labels drawn from them."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (n, 4))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (p.cumsum(1) < generator.random((n, 1))).sum(1)
    return 3 * logits, labels


def test_temperature_is_found_and_lowers_the_loss():
    logits, labels = overconfident()
    found = calibrate(logits, labels, np.ones(4))
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert negative_log_likelihood(found.logits(logits), labels) < negative_log_likelihood(logits, labels) - 0.1


def test_calibration_error_falls():
    logits, labels = overconfident()

    def probabilities(values):
        return np.exp(values) / np.exp(values).sum(1, keepdims=True)

    found = calibrate(logits, labels, np.ones(4))
    names = ("a", "b", "c", "d")
    before, after = (figures(probabilities(v), labels, names) for v in (logits, found.logits(logits)))
    assert before["ece"] > 0.1
    assert after["ece"] < 0.03
    assert before["accuracy"] == after["accuracy"]


def test_prior_correction_takes_the_class_weights_out_again():
    weights = np.array([0.5, 2.0])
    found = calibrate(np.zeros((0, 2)), np.zeros(0, np.int64), weights)
    assert found.temperature == 1.0
    logits = found.logits(np.log(weights * np.array([[0.8, 0.2]])))
    assert np.exp(logits) == pytest.approx(np.array([[0.8, 0.2]]))


def test_a_rare_class_is_not_taken_for_rarer_than_the_floor():
    natural = np.log(np.array([[0.97, 0.02, 0.01], [0.5, 0.3, 0.2]]))
    shares = np.array([0.9, 0.09, 0.01])
    found = calibrate(natural[:0], np.zeros(0, np.int64), np.ones(3), shares=shares, prior_floor=0.05)
    stated = np.array([0.9, 0.09, 0.05]) / 1.04
    expected = np.exp(natural) * stated / shares
    p = np.exp(found.logits(natural))
    assert p / p.sum(1, keepdims=True) == pytest.approx(expected / expected.sum(1, keepdims=True))
    assert found.natural(natural) == pytest.approx(natural)


@pytest.mark.parametrize(("balance", "stated"), [(0.0, [0.81, 0.16, 0.03]), (0.5, [9, 4, 3**0.5]), (1.0, [1, 1, 1])])
def test_stated_mix_is_the_own_one_to_a_power(balance, stated):
    shares = np.array([0.81, 0.16, 0.03])
    found = calibrate(np.zeros((0, 3)), np.zeros(0, np.int64), np.ones(3), shares=shares, prior_balance=balance)
    expected = np.array(stated) / np.sum(stated)
    assert shares * np.exp(found.towards) == pytest.approx(expected)


def test_loss_is_exact_and_survives_large_logits():
    assert negative_log_likelihood(np.array([[0.0, 0.0]]), np.array([1])) == pytest.approx(np.log(2))
    assert negative_log_likelihood(np.array([[1e4, 0.0]]), np.array([1])) == pytest.approx(1e4)
