"""Which engine is taken, and what is said of it."""

import pytest

from engines import backends
from engines.backends import CANDIDATES, _on_the_cpu, _open, choose_engine, measure_ladder, open_engine, paying
from engines.errors import BundleError, EngineError, InputError, MissingExtraError


class Fake:
    def __init__(self, name, ladder):
        self.name, self.ladder, self.closed = name, tuple(ladder), False

    def warm(self):
        # A batch of 8 costs what one cell costs, and from there on nothing is gained.
        return {rung: max(1.0, rung / 8) for rung in self.ladder}

    def close(self):
        self.closed = True


def openers(**failing):
    """Openers of fakes; those named raise what they are given."""
    opened = []

    def opener(name):
        def build(bundle, options, ladder):
            if name in failing:
                raise failing[name]
            opened.append(Fake(name, ladder))
            return opened[-1]

        return build

    return {name: opener(name) for name in backends.ENGINES[1:]}, opened


@pytest.fixture
def machine(monkeypatch):
    """Say what the machine has: a GPU, TensorRT, a PyTorch that sees the GPU; and ONNX Runtime, which else is not."""

    def has(gpu=None, tensorrt=None, torch=None, *, onnxruntime=False):
        monkeypatch.setattr(_on_the_cpu, "onnxruntime_is_there", lambda: onnxruntime)
        for name, because in (("no_gpu", gpu), ("no_tensorrt", tensorrt), ("no_torch_cuda", torch)):
            monkeypatch.setattr(_open, name, lambda because=because: because)

    return has


@pytest.mark.parametrize(
    ("has", "precision", "taken", "said"),
    [
        ({}, "fp32", "tensorrt", "chosen for the GPU"),
        ({"tensorrt": "TensorRT is not installed"}, "fp32", "torch", "TensorRT is not installed"),
        ({"tensorrt": "no T", "torch": "no P"}, "fp32", "openvino", "chosen for the CPU; no T; no P"),
        ({"tensorrt": "no T"}, "int8", "openvino", "no int8 kernels"),
        ({"gpu": "no NVIDIA driver is loaded"}, "fp32", "openvino", "no NVIDIA driver is loaded"),
        ({"gpu": "no driver", "onnxruntime": True}, "fp32", "onnxruntime", "no driver; the graph is small"),
        ({"gpu": "no driver", "onnxruntime": True}, "int8", "openvino", "no driver"),
        ({"tensorrt": "no T", "torch": "no P", "onnxruntime": True}, "fp32", "onnxruntime", "CPU; the graph is small"),
    ],
)
def test_auto_takes_the_best_there_is_and_says_why(toy_bundle, machine, has, precision, taken, said):
    machine(**has)
    choice = choose_engine(toy_bundle, precision=precision, openers=openers()[0])
    assert choice.engine.name == taken
    assert choice.reason.startswith(f"{taken}, ")
    assert said in choice.reason
    assert not choice.fell


def test_auto_takes_openvino_for_large_graphs_and_for_throughput(toy_bundle, machine, monkeypatch):
    machine(gpu="none", onnxruntime=True)
    assert choose_engine(toy_bundle, mode="throughput", openers=openers()[0]).engine.name == "openvino"
    monkeypatch.setattr(_on_the_cpu, "SMALL_BYTES", 10)
    assert choose_engine(toy_bundle, openers=openers()[0]).engine.name == "openvino"


@pytest.mark.parametrize("fallback", [True, False])
def test_auto_always_goes_on_from_onnxruntime_to_openvino(toy_bundle, machine, fallback):
    machine(gpu="none", onnxruntime=True)
    choice = choose_engine(toy_bundle, fallback=fallback, openers=openers(onnxruntime=EngineError("odd"))[0])
    assert (choice.engine.name, choice.fell) == ("openvino", True)
    assert "onnxruntime failed: odd" in choice.reason
    with pytest.raises(EngineError, match="odd"):
        choose_engine(toy_bundle, "onnxruntime", openers=openers(onnxruntime=EngineError("odd"))[0])


def test_auto_goes_on_only_if_it_may(toy_bundle, machine):
    machine()
    built, _ = openers(tensorrt=EngineError("too little GPU memory"), torch=MissingExtraError("it", "torch"))
    with pytest.raises(EngineError, match="too little GPU memory"):
        choose_engine(toy_bundle, openers=built)
    choice = choose_engine(toy_bundle, fallback=True, openers=built)
    assert choice.engine.name == "openvino"
    assert choice.fell
    assert "tensorrt failed: too little GPU memory" in choice.reason
    assert "torch failed: it needs the optional dependencies" in choice.reason


@pytest.mark.parametrize("name", ["tensorrt,torch,openvino", ["tensorrt", "torch", "openvino"]])
def test_a_list_is_gone_through_in_order(toy_bundle, name):
    built, _ = openers(tensorrt=EngineError("no"))
    choice = choose_engine(toy_bundle, name, openers=built)
    assert choice.engine.name == "torch"
    assert choice.fell
    built, _ = openers(tensorrt=EngineError("first"), torch=EngineError("second"), openvino=EngineError("last"))
    with pytest.raises(EngineError, match="last"):
        choose_engine(toy_bundle, name, openers=built)


def test_it_says_what_may_take_the_place_of_the_one_chosen(toy_bundle, machine):
    built, _ = openers(tensorrt=EngineError("no"))
    assert choose_engine(toy_bundle, "tensorrt,torch,openvino", openers=built).names == (
        "torch",
        "openvino",
        "tensorrt",
    )
    assert choose_engine(toy_bundle, "openvino", openers=built).names == ("openvino",)
    machine()
    assert choose_engine(toy_bundle, openers=openers()[0]).names == ("tensorrt",)
    assert choose_engine(toy_bundle, openers=built, fallback=True).names == ("torch", "openvino", "tensorrt")


def test_a_bundle_that_is_wrong_is_wrong_for_every_engine(toy_bundle):
    built, opened = openers(torch=BundleError("b", "sha256", "x", "y"))
    with pytest.raises(BundleError):
        choose_engine(toy_bundle, "torch,openvino", openers=built)
    assert not opened


@pytest.mark.parametrize("name", ["auto,openvino", "openvino,", "warp", [], ["openvino", "warp"]])
def test_names_that_are_none_are_refused(toy_bundle, name):
    with pytest.raises(InputError, match="engine: name"):
        choose_engine(toy_bundle, name, openers=openers()[0])


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_half_precision_is_not_for_engines_of_the_cpu(toy_bundle, name):
    with pytest.raises(EngineError, match="has no fp16: take the precision fp32 or int8"):
        open_engine(toy_bundle, name, precision="fp16")


@pytest.mark.parametrize(("name", "library"), [("onnxruntime", "onnxruntime"), ("torch", "torch")])
def test_a_missing_library_is_named_with_its_remedy(toy_bundle, name, library, monkeypatch):
    import importlib.util
    import sys

    pytest.importorskip(library)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr("engines.pytorch._engine.find_spec", lambda name: None if name == library else importlib.util)
    with pytest.raises(MissingExtraError, match=rf"pip install 'cellgate\[{library}\]'"):
        open_engine(toy_bundle, name)


def test_tensorrt_without_a_gpu_or_its_library_is_one_line_with_the_remedy(toy_bundle, machine):
    machine(gpu="no NVIDIA driver is loaded")
    with pytest.raises(EngineError, match="no NVIDIA driver is loaded; take an engine of the CPU"):
        open_engine(toy_bundle, "tensorrt")
    machine(tensorrt="TensorRT is not installed")
    with pytest.raises(MissingExtraError, match=r"pip install 'cellgate\[gpu\]'"):
        open_engine(toy_bundle, "tensorrt")


def test_a_measured_ladder_is_used_and_the_measuring_engine_closed(toy_bundle):
    built, opened = openers()
    engine = choose_engine(toy_bundle, "torch", ladder="auto", openers=built).engine
    assert [one.ladder for one in opened] == [CANDIDATES, (1, 2, 4, 8)]
    assert [one.closed for one in opened] == [True, False]
    assert engine is opened[1]


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        ({1: 1.0, 2: 1.0, 4: 1.0}, (1, 2, 4)),
        ({1: 1.0, 2: 2.0, 4: 4.0}, (1,)),
        ({1: 1.0, 2: 1.9, 4: 2.0, 8: 3.8}, (1, 4)),
        ({8: 1.0}, (8,)),
    ],
)
def test_a_rung_pays_if_it_makes_cells_a_tenth_cheaper(times, kept):
    assert paying(times) == kept


def test_measuring_a_real_engine_gives_a_ladder_it_can_be_built_with(toy_bundle):
    def build(ladder):
        return open_engine(toy_bundle, "openvino", threads=1, ladder=ladder)

    ladder = measure_ladder(build, (1, 16))
    assert ladder in ((1,), (1, 16))
    build(ladder).close()
