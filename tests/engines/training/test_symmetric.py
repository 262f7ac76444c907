import pytest

torch = pytest.importorskip("torch")

from engines import networks  # noqa: E402
from engines.training._symmetric import Symmetric  # noqa: E402


@pytest.mark.parametrize(("poses", "height", "width"), [(2, 14, 12), (4, 14, 12), (8, 14, 14)])
def test_answer_does_not_change_with_the_pose(poses, height, width):
    torch.manual_seed(0)
    network = Symmetric(networks.create("student", 1, 3, height, width).eval(), poses)
    frames = torch.randn(5, 1, height, width)
    turned = {
        2: [frames.flip(2)],
        4: [frames.flip(2), frames.rot90(2, (2, 3))],
        8: [frames.transpose(2, 3), frames.rot90(1, (2, 3))],
    }
    with torch.inference_mode():
        logits, embedding = network(frames)
        for other in turned[poses]:
            assert torch.allclose(network(other)[0], logits, atol=1e-5)
            assert torch.allclose(network(other)[1], embedding, atol=1e-5)
        plain, _ = Symmetric(network.network, 1)(frames)
    assert not torch.allclose(plain, logits, atol=1e-5)


def test_oblong_frames_have_four_symmetries():
    network = Symmetric(networks.create("student", 1, 3, 14, 12).eval(), 8)
    with torch.inference_mode():
        assert network(torch.randn(2, 1, 14, 12))[0].shape == (2, 3)
