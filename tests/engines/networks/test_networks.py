import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from engines.errors import InputError  # noqa: E402
from engines.networks import (  # noqa: E402
    NETWORKS,
    DeepFlow,
    DeepFlowReleased,
    DeepLoc,
    Student,
    YaoConvNet,
    cost,
    create,
)
from engines.networks.deepflow import DUALS, REDUCTIONS, Down, Dual  # noqa: E402

# The least side each takes.
LEAST = {
    "deeploc": 8,
    "yao-convnet": 64,
    "student": 10,
    "student-wide": 18,
    "student-micro": 7,
    "student-deep": 7,
    "compact": 7,
    "compact-fine": 8,
}


def outputs(network, channels, height, width):
    return [layer.output for layer in cost(network, channels, height, width).layers]


# All of them


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("channels", "classes", "height", "width"), [(1, 2, 64, 64), (12, 3, 65, 71), (2, 5, 40, 40), (5, 1, 33, 52)]
)
def test_every_network_returns_logits_and_embedding_for_any_frame_it_takes(name, channels, classes, height, width):
    if min(height, width) < LEAST.get(name, 1):
        with pytest.raises(InputError, match=f"networks: {name}: found {height}×{width} pixels, expected at least"):
            create(name, channels, classes, height, width)
        return
    torch.manual_seed(0)
    network = create(name, channels, classes, height, width)
    logits, embedding = network(torch.randn(2, channels, height, width))
    assert logits.shape == (2, classes)
    assert embedding.shape == (2, network.embedding)
    assert logits.dtype == embedding.dtype == torch.float32


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_the_head_of_the_embedding_and_both_are_finite_at_the_start(name):
    torch.manual_seed(1)
    network = create(name, 3, 4, 64, 64).eval()
    with torch.inference_mode():
        logits, embedding = network(torch.randn(3, 3, 64, 64))
        assert type(network.head) is nn.Linear
        assert network.head.in_features == network.embedding
        torch.testing.assert_close(network.head(embedding), logits)
    assert torch.isfinite(logits).all()
    # Cells that differ must not all look the same to a fresh network that starts to learn.
    learning = network.train()(torch.randn(8, 3, 64, 64))[1]
    assert (learning.std(dim=0) > 1e-3).float().mean() > 0.5


AVERAGING = (
    "compact",
    "compact-fine",
    "deepflow",
    "deepflow-released",
    "student-wide",
    "student-micro",
    "student-deep",
)


@pytest.mark.parametrize("name", AVERAGING)
def test_embedding_is_the_average_of_the_maps_of_the_module_named_spatial(name):
    torch.manual_seed(2)
    network = create(name, 2, 3, 32, 40).eval()
    kept = []
    network.get_submodule(network.spatial).register_forward_hook(lambda _module, _given, maps: kept.append(maps))
    with torch.inference_mode():
        embedding = network(torch.randn(2, 2, 32, 40))[1]
    assert kept[0].ndim == 4
    torch.testing.assert_close(kept[0].mean(dim=(2, 3)), embedding)


def test_networks_that_flatten_their_maps_name_no_spatial_module():
    assert {name for name in NETWORKS if hasattr(create(name, 1, 2, 64, 64), "spatial")} == set(AVERAGING)


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_least_side_works_and_one_pixel_less_is_refused(name, least):
    network = create(name, 1, 2, least, least + 1).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, least, least + 1))[1].shape == (1, network.embedding)
    for height, width in ((least - 1, 80), (80, least - 1)):
        with pytest.raises(
            InputError, match=f"found {height}×{width} pixels, expected at least {least}×{least} pixels"
        ):
            create(name, 1, 2, height, width)


def test_unknown_network_names_the_known_ones():
    with pytest.raises(InputError, match=r"network: found resnet, expected deepflow or .* or student or student-wide"):
        create("resnet", 1, 2, 40, 40)


@pytest.mark.parametrize("field", ["channels", "classes", "height", "width"])
def test_nothing_of_which_there_must_be_one_can_be_zero(field):
    numbers = {"channels": 1, "classes": 2, "height": 64, "width": 64, field: 0}
    with pytest.raises(InputError, match=f"networks: {field}: found 0, expected 1 or more"):
        create("deepflow", **numbers)


# Cost


class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(4, 6, 3, stride=2, groups=2)
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 5)

    def forward(self, frames):
        embedding = self.norm(self.grouped(frames)).mean(dim=(2, 3))
        return self.head(embedding), embedding


def test_cost_is_that_counted_by_hand():
    found = cost(Toy(), 4, 9, 7)
    first, last = found.layers
    assert (first.name, first.kind, first.output) == ("grouped", "convolution", (6, 4, 3))
    assert (first.parameters, first.multiply_adds) == (6 * 2 * 9 + 6, 6 * 2 * 9 * 12)
    assert (last.name, last.kind, last.output) == ("head", "linear", (5,))
    assert (last.parameters, last.multiply_adds) == (30 + 5, 30)
    assert found.multiply_adds == first.multiply_adds + last.multiply_adds
    assert found.parameters == first.parameters + 12 + last.parameters


def test_counting_leaves_the_network_as_it_was():
    network = Toy()
    network.norm.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cost(network, 4, 9, 7)
    assert network.training
    assert network.grouped.training
    assert not network.norm.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with pytest.raises(RuntimeError, match="channels"):
        cost(network, 3, 9, 7)
    assert network.training
    assert not network.grouped._forward_hooks
    assert not network.norm.training


# DeepFlow, as the paper's text has it


def test_deepflow_has_the_42_layers_of_the_paper():
    network = DeepFlow(2, 7)
    modules = list(network.modules_)
    assert [type(m) for m in modules] == [Down] * 3 + [Dual] * 10
    assert len(modules) == len(REDUCTIONS) + len(DUALS) == 13
    layers = cost(network, 2, 64, 64).layers
    # A reduction is convolution, pool, concatenation; a normal module two convolutions and a concatenation.
    assert [layer.kind for layer in layers] == ["convolution"] * (3 * 1 + 10 * 2 + 1) + ["linear"]
    assert 3 * len(modules) + 1 + 1 + 1 == 42


def test_deepflow_ends_in_336_maps_of_an_eighth_of_the_frame():
    network = DeepFlow(2, 7)
    assert [o[1:] for o in outputs(network, 2, 64, 64)[:4]] == [(32, 32), (16, 16), (8, 8), (8, 8)]
    assert outputs(network, 2, 64, 64)[-2] == (336, 8, 8)
    assert outputs(network, 2, 40, 40)[-2] == (336, 5, 5)
    assert outputs(network, 2, 41, 57)[-2] == (336, 6, 8)


def test_deepflow_costs_a_third_of_a_gigaflop_on_the_papers_frames():
    found = cost(DeepFlow(2, 7), 2, 64, 64)
    assert 2 * found.multiply_adds == pytest.approx(0.33e9, rel=0.015)
    assert found.parameters == pytest.approx(2.56e6, rel=0.002)


def test_deepflow_pools_any_number_of_maps_beside_its_convolution():
    network = DeepFlow(5, 3)
    assert network.modules_[3].narrow[0].in_channels == 5 + sum(REDUCTIONS)


# DeepFlow, as the released code has it


def test_released_deepflow_has_the_order_of_the_code():
    network = DeepFlowReleased(3, 7)
    kinds = "".join("R" if isinstance(module, Down) else "n" for module in network.modules_)
    assert kinds == "nnRnnnnRnnRnn"
    found = outputs(network, 3, 64, 64)
    assert len(found) == 24 + 1
    sides = [output[1] for output in found[:-1]]
    # Reductions at 32, 16 and 8; maps before and after each from the code.
    assert sides == [64] * 5 + [32] * 9 + [16] * 5 + [8] * 5
    assert [network.modules_[i].unit[0].in_channels for i in (2, 7, 10)] == [80, 144, 336]
    assert [output[0] for output in found[-3:-1]] == [176, 160]


def test_released_deepflow_costs_what_the_code_does():
    found = cost(DeepFlowReleased(3, 7), 3, 64, 64)
    assert found.multiply_adds == pytest.approx(1.165e9, rel=0.0005)
    # The code's convolutions have a bias each, which the batch norm behind them takes off again: 3.19 M with them.
    biases = sum(layer.output[0] for layer in found.layers if layer.kind == "convolution")
    assert biases == 2480
    assert found.parameters + biases == pytest.approx(3.19e6, abs=0.005e6)
    assert found.parameters == 3_183_031


def test_released_deepflow_starts_with_the_variance_of_the_code():
    torch.manual_seed(0)
    network = DeepFlowReleased(3, 7)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 20_000:
            assert module.weight.std().item() == pytest.approx((2.34 / module.weight[0].numel()) ** 0.5, rel=0.03)
    assert not network.head.bias.any()


# DeepLoc


def test_deeploc_is_the_published_size():
    network = DeepLoc(2, 19, 60, 60)
    found = cost(network, 2, 60, 60)
    expected = [(64, 60, 60)] * 2 + [(128, 30, 30)] * 2 + [(256, 15, 15)] * 4 + [(512,)] * 2 + [(19,)]
    assert [layer.output for layer in found.layers] == expected
    assert network.features[-6].in_features == 8 * 8 * 256
    assert found.parameters == pytest.approx(10.99e6, rel=0.0005)
    assert found.multiply_adds == pytest.approx(0.81e9, rel=0.002)


def test_deeploc_drops_only_on_the_way_to_the_logits():
    torch.manual_seed(0)
    network = DeepLoc(1, 3, 16, 16, dropout=0.5).eval()
    frames = torch.randn(4, 1, 16, 16)
    with torch.inference_mode():
        whole, embedding = network(frames)
        network.dropout.train()
        dropped, same = network(frames)
        assert torch.equal(embedding, same)
        assert not torch.allclose(whole, dropped)
        network.dropout.p = 0.0
        torch.testing.assert_close(network(frames)[0], whole)
    assert create("deeploc", 1, 3, 16, 16).dropout.p == 0


# Yao et al.


def test_yao_convnet_ends_in_the_288_features_of_the_paper():
    network = YaoConvNet(1, 2, 224, 224)
    assert outputs(network, 1, 224, 224) == [(32, side, side) for side in (224, 112, 56, 28, 14, 7)] + [(2,)]
    assert network.embedding == 288
    assert [tuple(network.features[i].kernel_size) for i in range(0, 24, 4)] == [(11, 11)] + [(5, 5)] * 5
    assert [type(m) for m in network.features][:4] == [nn.Conv2d, nn.ReLU, nn.BatchNorm2d, nn.AvgPool2d]


def test_yao_convnet_costs_what_its_shape_says():
    found = cost(YaoConvNet(1, 2, 224, 224), 1, 224, 224)
    kernels = 121 * 32 + 5 * 25 * 32 * 32
    assert found.parameters == kernels + 6 * 32 + 6 * 64 + 288 * 2 + 2
    pixels = sum(side**2 for side in (112, 56, 28, 14, 7))
    assert found.multiply_adds == 224**2 * 121 * 32 + pixels * 25 * 32 * 32 + 576


@pytest.mark.parametrize(("side", "features"), [(64, 32), (127, 32), (128, 128), (192, 288), (255, 288)])
def test_yao_convnet_keeps_fewer_features_of_smaller_frames(side, features):
    network = YaoConvNet(2, 2, side, side).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 2, side, side))[1].shape == (1, features)


def test_yao_convnet_of_fewer_blocks_takes_smaller_frames():
    assert YaoConvNet(1, 2, 40, 40, blocks=4).embedding == 32 * 2 * 2
    with pytest.raises(ValueError, match="at least 16×16 pixels for 4 blocks"):
        YaoConvNet(1, 2, 15, 40, blocks=4)


# Students


def test_student_is_the_published_shape():
    network = Student(1, 2, 48, 48)
    found = cost(network, 1, 48, 48)
    kernels = sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear))
    biases = 16 + 16 + 2
    assert network.embedding == 16 * 10 * 10
    assert kernels + biases == 5682
    assert found.multiply_adds == 46 * 46 * 144 + 21 * 21 * 2304 + 3200


def test_width_of_a_student_can_be_chosen():
    assert Student(1, 2, 48, 48, kernels=24).embedding == 2400


def test_students_are_a_family_ordered_by_cost():
    costs = {name: cost(create(name, 2, 7, 40, 40), 2, 40, 40) for name in NETWORKS if name.startswith("student")}
    assert sorted(costs, key=lambda name: costs[name].multiply_adds) == [
        "student-micro",
        "student",
        "student-wide",
        "student-deep",
    ]
    teacher = cost(DeepFlow(2, 7), 2, 40, 40).multiply_adds
    assert costs["student-deep"].multiply_adds <= teacher / 20


def test_compact_costs_a_fifth_of_deepflow():
    found = cost(create("compact", 2, 7, 40, 40), 2, 40, 40)
    assert (found.parameters, found.multiply_adds) == (131_879, 12_154_272)
    assert found.multiply_adds < cost(create("deepflow", 2, 7, 40, 40), 2, 40, 40).multiply_adds / 5
    maps = [layer.output for layer in found.layers if layer.kind == "convolution"]
    assert maps == [(24, 20, 20), (48, 20, 20), (64, 10, 10), (64, 10, 10), (96, 5, 5)]


def test_compact_fine_sees_every_pixel_at_half_of_deepflows_cost():
    found = cost(create("compact-fine", 2, 7, 40, 40), 2, 40, 40)
    assert (found.parameters, found.multiply_adds) == (297_031, 35_482_496)
    assert found.multiply_adds < 0.55 * cost(create("deepflow", 2, 7, 40, 40), 2, 40, 40).multiply_adds
    maps = [layer.output for layer in found.layers if layer.kind == "convolution"]
    assert maps == [(16, 40, 40), (64, 20, 20), (64, 20, 20), (96, 10, 10), (96, 10, 10), (128, 5, 5)]


def test_new_students_halve_the_frame_as_they_go():
    found = outputs(create("student-micro", 2, 7, 40, 40), 2, 40, 40)
    assert found == [(16, 20, 20), (32, 10, 10), (48, 5, 5), (7,)]
    found = outputs(create("student-deep", 2, 7, 40, 40), 2, 40, 40)
    assert found == [(24, 20, 20), (48, 10, 10), (64, 5, 5), (64, 5, 5), (7,)]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("student")])
def test_students_are_made_of_what_every_engine_folds_and_quantises(name):
    allowed = nn.Conv2d | nn.BatchNorm2d | nn.ReLU | nn.MaxPool2d | nn.Flatten | nn.Linear
    leaves = [m for m in create(name, 2, 7, 40, 40).modules() if not list(m.children())]
    assert leaves
    assert all(isinstance(m, allowed) for m in leaves)
