"""Every form a gate may take in the configuration, and what is said of one that makes no sense."""

import pytest

from engines.errors import InputError
from streamer.config import Asinh, Bound, Ellipsoid, Linear, Log, Logicle, Polygon, load_config

HEAD = '[streamer]\nbundle = "b"\n'
GATE = '[[gate]]\nname = "g"\n'
FORMS = """
[decision]
max_unfamiliarity = 12.5
gating_ml = "gates.xml"
ways = { "P1" = "left" }

[[gate]]
name = "large"
where = { "bf:area" = { min = 100, max = 1e6 }, "embedding[3]" = { max = -0.5 }, unfamiliarity = { max = 9 } }
classes = ["Metaphase", "Anaphase"]

[[gate]]
name = "sharp"
parent = "large"
polygon = { x = "bf:area", y = "bf:focus", vertices = [[0, 0], [1, 0], [0.5, 1.5]] }
scale = { "bf:area" = { kind = "logicle", T = 1e5 }, "bf:focus" = { kind = "asinh", T = 1e3, M = 4 } }

[[gate]]
name = "round"
ellipsoid = { dimensions = ["a:b", "c:d"], mean = [0, 1], covariance = [[1, 0.5], [0.5, 2]], distance_squared = 4 }
scale = { "a:b" = { kind = "log", T = 1e4, M = 5 }, "c:d" = { kind = "linear", T = 100, A = 10 } }

[[gate]]
name = "both"
way = "left"
priority = 2
all_of = ["sharp", "!round"]

[[gate]]
name = "either"
way = "right"
any_of = ["sharp", "round"]

[[gate]]
name = "neither"
way = "waste"
none_of = ["sharp", "round"]
"""


def load(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_text(HEAD + text)
    return load_config(path)


def test_every_form_is_read(tmp_path):
    config = load(tmp_path, FORMS)
    large, sharp, round_, both, either, neither = config.gate
    assert large.where == {
        "bf:area": Bound(100.0, 1e6),
        "embedding[3]": Bound(None, -0.5),
        "unfamiliarity": Bound(None, 9.0),
    }
    assert (large.way, large.classes) == (None, ("Metaphase", "Anaphase"))
    assert sharp.polygon == Polygon("bf:area", "bf:focus", ((0, 0), (1, 0), (0.5, 1.5)))
    assert sharp.scale == {"bf:area": Logicle(1e5, 0.5, 4.5, 0.0), "bf:focus": Asinh(1e3, 4.0, 0.0)}
    assert sharp.parent == "large"
    assert round_.ellipsoid == Ellipsoid(("a:b", "c:d"), (0, 1), ((1, 0.5), (0.5, 2)), 4)
    assert round_.scale == {"a:b": Log(1e4, 5.0), "c:d": Linear(100.0, 10.0)}
    assert (both.all_of, both.way, both.priority) == (("sharp", "!round"), "left", 2)
    assert (either.any_of, neither.none_of) == (("sharp", "round"), ("sharp", "round"))
    assert config.decision.max_unfamiliarity == 12.5
    assert config.decision.gating_ml == str(tmp_path / "gates.xml")
    assert config.decision.ways == {"P1": "left"}


def polygon(vertices, y="bf:y"):
    return f'polygon = {{ x = "bf:x", y = "{y}", vertices = {vertices} }}'


def ellipsoid(covariance="[[1, 0], [0, 1]]", mean="[0, 0]", dimensions='["a:b", "c:d"]', distance="1"):
    return (
        f"ellipsoid = {{ dimensions = {dimensions}, mean = {mean}, covariance = {covariance}, "
        f"distance_squared = {distance} }}"
    )


def scale(text):
    return f'where = {{ "a:b" = {{ min = 1 }} }}\nscale = {{ "a:b" = {{ {text} }} }}'


@pytest.mark.parametrize(
    ("text", "field", "found", "expected"),
    [
        ('classes = ["A"]\nall_of = ["x", "y"]', "gate g: all_of", "where as well", "one kind"),
        (
            polygon("[[0,0],[1,0],[1,1]]") + "\nwhere = { A = { min = 0.5 } }",
            "gate g: polygon",
            "where as well",
            "one kind",
        ),
        ("classes = []", "gate[0].classes", "[]", "length >= 1"),
        ('all_of = ["a"]', "gate[0].all_of", "a", "length >= 2"),
        ('all_of = ["!a", "!b"]', "gate g: all_of", "!a, !b", "none_of"),
        ('none_of = ["!a"]', "gate[0].none_of[0]", "!a", "regex"),
        ("where = { top = { min = -0.5 } }", "gate g: where.top.min", "-0.5", ">= 0"),
        ('where = { "a:b" = { min = inf } }', "gate[0].where[...].min", "", "<="),
        ('where = { "a:b" = { min = nan } }', "gate[0].where[...].min", "", ">="),
        (polygon("[[0,0],[1,0]]"), "gate[0].polygon.vertices", "[[0, 0], [1, 0]]", "length >= 3"),
        (polygon("[[0,0],[1,0],[0,0],[1,0]]"), "gate g: polygon.vertices", "self-crossing", "cross or touch"),
        (polygon("[[0,0],[0,0],[1,0]]"), "gate g: polygon.vertices", "2 distinct", "3 or more"),
        (polygon("[[0,0],[1,1],[1,0],[0,1]]"), "gate g: polygon.vertices", "edge 0 (0,0 to 1,1) meets edge 2", "cross"),
        (polygon("[[0,0],[4,0],[4,4],[2,0]]"), "gate g: polygon.vertices", "self-crossing", "touch"),
        (polygon("[[0,0],[1,1],[2,2]]"), "gate g: polygon.vertices", "self-crossing", "cross"),
        (polygon("[[0,0],[1,0],[1]]"), "gate[0].polygon.vertices[2]", "[1]", "array"),
        (polygon("[[0,0],[1,0],[1,1]]", "bf:x"), "gate g: polygon.y", "bf:x", "another"),
        (ellipsoid("[[1, 2], [2, 1]]"), "gate g: ellipsoid.covariance", "((1", "positive definite"),
        (ellipsoid("[[1, 1], [1, 1]]"), "gate g: ellipsoid.covariance", "((1", "positive definite"),
        (ellipsoid("[[1, 0.5], [0.4, 1]]"), "gate g: ellipsoid.covariance", "0.4", "symmetric"),
        (ellipsoid("[[1, 0], [0, 1], [0, 0]]"), "gate g: ellipsoid.covariance", "((1", "2 rows of 2"),
        (ellipsoid(mean="[0, 0, 0]"), "gate g: ellipsoid.mean", "3 values", "2, one for each"),
        (ellipsoid(dimensions='["a:b", "a:b"]'), "gate g: ellipsoid.dimensions", "a:b, a:b", "distinct"),
        (ellipsoid(distance="0"), "gate[0].ellipsoid.distance_squared", "0", "> 0"),
        (scale('kind = "hyperlog", T = 1'), "gate[0].scale[...].kind", "", "hyperlog"),
        (scale('kind = "log", T = 0, M = 4'), "gate[0].scale[...].T", "", "> 0"),
        (scale('kind = "log", T = 10, M = 400'), "gate g: scale.a:b.M", "400", "decades"),
        (scale('kind = "linear", T = 10, A = 20'), "gate g: scale.a:b.A", "20", "0 to T"),
        (scale('kind = "asinh", T = 10, M = 4, A = 5'), "gate g: scale.a:b.A", "5", "0 to M"),
        (scale('kind = "logicle", T = 10, W = 3'), "gate g: scale.a:b.W", "3", "0 to M/2"),
        (scale('kind = "logicle", T = 10, A = 4'), "gate g: scale.a:b.A", "4", "-W to M - 2W"),
        (
            'where = { A = { min = 0.5 } }\nscale = { "a:b" = { kind = "log", T = 10, M = 4 } }',
            "gate g: scale.a:b",
            "a scale",
            "a dimension of the gate",
        ),
        ("where = { A = { min = 0.5 } }\npriority = 1.5", "gate[0].priority", "1.5", "int"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused_by_name(tmp_path, text, field, found, expected):
    with pytest.raises(InputError) as caught:
        load(tmp_path, GATE + text)
    error = caught.value
    assert error.field == field
    assert found in error.found
    assert expected in error.expected
    assert len(str(error).splitlines()) == 1


def test_ways_without_a_file_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"decision\.gating_ml: found nothing"):
        load(tmp_path, '[decision]\nways = { a = "left" }')
