"""Gating-ML 2.0: what is written is read back equal, and what is not understood is refused by name."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import InputError
from streamer.config import (
    Asinh,
    Bound,
    Ellipsoid,
    GateSection,
    Linear,
    Log,
    Logicle,
    Polygon,
    check_gates,
    parse_config,
)
from streamer.decision import (
    Gates,
    Spec,
    format_gatingml,
    parse_gatingml,
    read_gatingml,
    with_gating_file,
    write_gatingml,
)
from streamer.decision._gatingml_names import id_of, name_of

XY = ("bf:x", "bf:y")
GATES = (
    GateSection("mitotic cells", "left", {"Prophase+Metaphase": Bound(0.5), "top": Bound(None, 0.9)}, priority=-3),
    GateSection("2 of them", None, {"bf:x": Bound(1e-300, 1e300)}, classes=("Metaphase", "Anaphase")),
    GateSection("classes", "waste", classes=("G1",), parent="2 of them"),
    GateSection(
        "p", "tube 1", polygon=Polygon(*XY, ((0.1, 0.2), (1.0, 0.0), (0.5, 1 / 3))), scale={XY[1]: Log(1e4, 5.0)}
    ),
    GateSection(
        "e",
        None,
        ellipsoid=Ellipsoid((*XY, "embedding[7]"), (0.1, 0.2, 0.3), ((1, 0.1, 0), (0.1, 2, 0), (0, 0, 3)), 0.7),
        scale={XY[0]: Logicle(1e5, 0.5, 4.5, 0.0), XY[1]: Asinh(1e3, 4.0, 1.0)},
        parent="p",
    ),
    GateSection("s", None, {XY[0]: Bound(-0.5)}, scale={XY[0]: Linear(1000.0, 10.0)}),
    GateSection("and", "right", all_of=("p", "!e", "mitotic cells")),
    GateSection("or", "right", any_of=("!p", "!e"), parent="and"),
    GateSection("not", None, none_of=("or",)),
    GateSection("none", None, none_of=("or", "2 of them")),
)


def test_what_is_written_is_read_back_equal(tmp_path):
    check_gates(GATES, "test")
    write_gatingml(GATES, tmp_path / "gates.xml")
    assert read_gatingml(tmp_path / "gates.xml") == GATES


NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,20}", fullmatch=True)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    NAME,
    st.sampled_from([None, "left", "waste"]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1),
)
def test_any_name_number_and_feature_come_back(name, way, value, feature):
    gates = (GateSection(name, way, {f"x:{feature}": Bound(value)}),)
    try:
        document = format_gatingml(gates)
        assert parse_gatingml(document) == gates
    except InputError as error:
        # Some characters have no place in XML 1.0.
        assert "XML" in str(error)


@pytest.mark.parametrize(
    "name", ["a", "1 a", "a_x0041 b", "_x0041_"[1:], "a_x0041_", "a__x", "3", "9_x0020_", "a b-c.d"]
)
def test_a_name_has_an_identifier_of_its_own(name):
    assert name_of(id_of(name)) == name
    assert " " not in id_of(name)
    assert not id_of(name)[0].isdigit()


HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
 xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
 xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">"""


def dim(name="A", attributes="", inside=""):
    return (
        f'<gating:dimension gating:compensation-ref="uncompensated" {attributes}>'
        f'<data-type:fcs-dimension data-type:name="{name}"/>{inside}</gating:dimension>'
    )


def rectangle(inside, attributes='gating:id="g"'):
    return f"<gating:RectangleGate {attributes}>{inside}</gating:RectangleGate>"


def transformation(inside, attributes='transforms:id="t"'):
    return f"<transforms:transformation {attributes}>{inside}</transforms:transformation>"


MIN = 'gating:min="0.5"'
VERTEX = (
    '<gating:vertex><gating:coordinate data-type:value="{}"/><gating:coordinate data-type:value="{}"/></gating:vertex>'
)
SCALED = dim("x:y", f'{MIN} gating:transformation-ref="t"')


def polygon(*corners, dims=None):
    dims = dim("x:a") + dim("x:b") if dims is None else dims
    return f'<gating:PolygonGate gating:id="g">{dims}{"".join(VERTEX.format(*c) for c in corners)}</gating:PolygonGate>'


def boolean(inside):
    return rectangle(dim(attributes=MIN)) + f'<gating:BooleanGate gating:id="b">{inside}</gating:BooleanGate>'


def read(body):
    return parse_gatingml(f"{HEAD}{body}</gating:Gating-ML>".encode(), "gates.xml")


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('<gating:TreeGate gating:id="g"/>', "gating:TreeGate: found g, expected a supported"),
        ('<transforms:spectrumMatrix transforms:id="m"/>', "transforms:spectrumMatrix: found m"),
        (transformation('<transforms:hyperlog transforms:T="1"/>'), "transformation t: found transforms:hyperlog"),
        (transformation("<transforms:fratio/>"), "transformation t: found transforms:fratio"),
        (transformation("", 'transforms:id="t" transforms:boundMin="0"'), "found transforms:boundMin"),
        (transformation('<transforms:flog transforms:T="-1" transforms:M="4"/>'), "transformation t: .*T"),
        (transformation('<transforms:flog transforms:T="1"/>'), "transforms:M: found nothing"),
        (
            transformation('<transforms:flog transforms:T="x" transforms:M="4"/>'),
            "transforms:T: found x, expected a number",
        ),
        (2 * transformation('<transforms:flog transforms:T="1" transforms:M="4"/>'), "an id of its own"),
        (
            transformation(
                '<transforms:logicle transforms:T="1000" transforms:W="3" transforms:M="4" transforms:A="0"/>'
            )
            + rectangle(SCALED),
            r"gate g: scale\.x:y\.W: found 3\.0, expected 0 to M/2",
        ),
        (rectangle(SCALED), "gate g: gating:transformation-ref: found t, expected the id of a transformation"),
        (rectangle(dim()), r"gate g: where\.A: found no bound"),
        (rectangle(dim(attributes='gating:min="0.5" gating:max="0.25"')), "min below max"),
        (rectangle(dim(attributes='gating:min="7"')), r"gate g: where\.A\.min: found 7\.0, expected a probability"),
        (rectangle(dim(attributes='gating:min="nan"')), "gate g: gating:min: found nan, expected a finite"),
        (rectangle(2 * dim(attributes=MIN)), "gate g: gating:dimension: found A twice"),
        (rectangle(""), "gate g: gating:dimension: found nothing"),
        (rectangle(dim(attributes=MIN), ""), "RectangleGate: gating:id: found nothing"),
        (rectangle(dim(attributes=MIN), 'gating:id="_g"'), "gate _g"),
        (2 * rectangle(dim(attributes=MIN)), r"gate\.name: found g, expected a name of its own"),
        (rectangle(dim(attributes=MIN).replace("uncompensated", "spill")), "compensation-ref: found spill"),
        (
            rectangle(dim(attributes=MIN).replace("fcs-dimension data", "new-dimension data")),
            "gating:dimension: found data-type:new-dimension",
        ),
        (polygon((0, 0), (1, 1)), "gate g.*length >= 3"),
        (polygon((0, 0), (1, 1), (1, 0), (0, 1)), r"gate g: polygon\.vertices: found self-crossing: edge 0"),
        (polygon((0, 0), (1, 1), (0, 1), dims=dim("x:a")), "found 1 dimensions, expected 2"),
        (boolean("<gating:xor/>"), "gate b: found gating:xor"),
        (boolean('<gating:and><gating:gateReference gating:ref="g"/></gating:and>'), "two gates or more"),
        (
            boolean('<gating:not><gating:gateReference gating:ref="g" gating:use-as-complement="true"/></gating:not>'),
            "gate b: gating:not: found !g",
        ),
        (
            f'<gating:EllipsoidGate gating:id="g">{dim("x:a")}{dim("x:b")}<gating:mean>'
            + 2 * '<gating:coordinate data-type:value="1"/>'
            + "</gating:mean></gating:EllipsoidGate>",
            "gate g: .*covariance",
        ),
        ("<gating:Gating-ML/>", "gating:Gating-ML"),
    ],
)
def test_what_is_not_supported_is_refused_whole_and_by_name(body, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        read(body)
    assert str(caught.value).startswith("gates.xml: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"", "XML: found no element"),
        (b"<a>", "XML"),
        (b"<a/>", "root element: found a"),
        (b"\xff\xfe<\x00a\x00/\x00>\x00", "encoding"),
        (b'<?xml version="1.0" encoding="UTF-16"?><a/>', "root element"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "document type"),
        (b'<!DOCTYPE a [<!ENTITY b "bbb">]><a>&b;</a>', "document type"),
        (b"<a>&b;</a>", "undefined entity"),
        (b"<a>" * 100 + b"</a>" * 100, "too deep"),
        (b" " * ((4 << 20) + 1), "over 4 MiB"),
    ],
    ids=range(10),
)
def test_xml_that_could_do_harm_is_not_parsed(raw, complaint):
    with pytest.raises(InputError, match=complaint):
        parse_gatingml(raw)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.integers(0, 5000), st.integers(0, 40), st.binary(max_size=20))
def test_a_damaged_file_is_only_ever_an_input_error(at, cut, instead):
    raw = format_gatingml(GATES)
    try:
        parse_gatingml(raw[:at] + instead + raw[at + cut :])
    except InputError as error:
        assert len(str(error).splitlines()) == 1


def test_gates_of_other_programs_are_read_without_ways():
    body = transformation('<transforms:fasinh transforms:T="1" transforms:M="4" transforms:A="0"/>') + rectangle(
        "<data-type:custom_info><x/></data-type:custom_info>" + SCALED, 'gating:id="g" other="1"'
    )
    assert read(body) == (GateSection("g", None, {"x:y": Bound(0.5)}, scale={"x:y": Asinh(1.0, 4.0, 0.0)}),)


def config(tmp_path, decision, gates=()):
    tree = {"streamer": {"bundle": "b"}, "decision": decision, "gate": list(gates)}
    return parse_config(tree, "c.toml", tmp_path)


def test_the_gates_of_the_file_come_after_those_of_the_tables(tmp_path):
    write_gatingml(GATES, tmp_path / "gates.xml")
    own = {"name": "own", "way": "left", "all_of": ["p", "!e"]}
    decision = {"gating_ml": "gates.xml", "ways": {"e": "right", "p": "tube 2"}}
    joined = with_gating_file(config(tmp_path, decision, [own]))
    assert [gate.name for gate in joined.gate] == ["own", *(gate.name for gate in GATES)]
    ways = {gate.name: gate.way for gate in joined.gate}
    assert (ways["e"], ways["p"], ways["and"]) == ("right", "tube 2", "right")
    plain = config(tmp_path, {})
    assert with_gating_file(plain) is plain


def test_a_way_for_a_gate_that_is_not_in_the_file_is_refused(tmp_path):
    write_gatingml(GATES[:2], tmp_path / "gates.xml")
    with pytest.raises(InputError, match=r"decision\.ways\.x: found x, expected a gate of .*mitotic cells, 2 of them"):
        with_gating_file(config(tmp_path, {"gating_ml": "gates.xml", "ways": {"x": "left"}}))
    own = {"name": "2 of them", "way": "left", "where": {"A": {"min": 0.5}}}
    with pytest.raises(InputError, match="a name of its own"):
        with_gating_file(config(tmp_path, {"gating_ml": "gates.xml"}, [own]))
    with pytest.raises(InputError, match="No such file"):
        with_gating_file(config(tmp_path, {"gating_ml": "nothing.xml"}))


def test_the_examples_of_the_gating_page_are_gates():
    page = (Path(__file__).parents[3] / "docs/gating.md").read_text()
    gates, file = (tomllib.loads(text) for text in re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    parsed = parse_config({"streamer": {"bundle": "b"}} | gates, "docs/gating.md", Path())
    assert parse_gatingml(format_gatingml(parsed.gate)) == parsed.gate
    spec = Spec(("Metaphase", "Anaphase"), 4, ("brightfield:area", "brightfield:focus"))
    assert len(Gates(parsed.gate, spec).names) == 4
    parse_config({"streamer": {"bundle": "b"}} | file, "docs/gating.md", Path())
