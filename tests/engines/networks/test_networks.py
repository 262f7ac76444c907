import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from engines.errors import InputError  # noqa: E402
from engines.networks import NETWORKS, DeepFlow, Student, create  # noqa: E402
from engines.networks.deepflow import DUALS, REDUCTIONS, Down, Dual  # noqa: E402


def multiply_adds(network: nn.Module, shape: tuple[int, int, int]) -> int:
    """Count the products of the convolutions and linear layers for one cell."""
    total = 0

    def count(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        total += module.weight.numel() * output[0, 0].numel() if output.ndim == 4 else module.weight.numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.inference_mode():
        network.eval()(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("channels", "classes", "height", "width"), [(1, 2, 48, 48), (3, 7, 40, 40), (2, 5, 33, 52)])
def test_every_network_returns_logits_and_embedding_for_any_frame(name, channels, classes, height, width):
    network = create(name, channels, classes, height, width)
    logits, embedding = network(torch.zeros(2, channels, height, width))
    assert logits.shape == (2, classes)
    assert embedding.shape == (2, network.embedding)
    assert logits.dtype == embedding.dtype == torch.float32


def test_unknown_network_names_the_known_ones():
    with pytest.raises(InputError, match=r"network: found resnet, expected deepflow or student or student-wide"):
        create("resnet", 1, 2, 40, 40)


def test_student_refuses_frames_that_leave_no_pixel():
    with pytest.raises(InputError, match="at least 10×10 pixels"):
        create("student", 1, 2, 9, 40)
    assert create("student", 1, 2, 10, 10).embedding == 16


def test_deepflow_has_the_42_layers_of_the_paper():
    network = DeepFlow(2, 7)
    modules = list(network.modules_)
    assert [type(m) for m in modules] == [Down] * 3 + [Dual] * 10
    assert len(modules) == len(REDUCTIONS) + len(DUALS) == 13
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    # A reduction is convolution, pool, concatenation; a normal module two convolutions and a concatenation.
    assert len(convolutions) == 3 * 1 + 10 * 2 + 1
    assert 3 * len(modules) + 1 + 1 + 1 == 42


def test_deepflow_ends_in_336_maps_of_an_eighth_of_the_frame():
    network = DeepFlow(2, 7).eval()
    with torch.inference_mode():
        assert network.last(network.modules_(torch.zeros(1, 2, 64, 64))).shape == (1, 336, 8, 8)
        assert network.last(network.modules_(torch.zeros(1, 2, 40, 40))).shape == (1, 336, 5, 5)


def test_deepflow_costs_a_third_of_a_gigaflop_on_the_papers_frames():
    network = DeepFlow(2, 7)
    assert 2 * multiply_adds(network, (2, 64, 64)) == pytest.approx(0.33e9, rel=0.03)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(2.56e6, rel=0.01)


def test_deepflow_pools_any_number_of_maps_beside_its_convolution():
    network = DeepFlow(5, 3)
    maps = 5 + sum(REDUCTIONS)
    assert network.modules_[3].narrow[0].in_channels == maps


def test_student_is_the_published_shape():
    network = Student(1, 2, 48, 48)
    kernels = sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear))
    biases = 16 + 16 + 2
    assert network.embedding == 16 * 10 * 10
    assert kernels + biases == 5682
    assert multiply_adds(network, (1, 48, 48)) == 46 * 46 * 144 + 21 * 21 * 2304 + 3200


def test_width_of_a_student_can_be_chosen():
    assert Student(1, 2, 48, 48, kernels=24).embedding == 2400
