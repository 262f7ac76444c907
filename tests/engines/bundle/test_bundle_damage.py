"""A bundle that was altered or is not one is refused, and the error says where."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.bundle import InputSpec, OutputSpec, load_bundle, write_bundle
from engines.errors import BundleError


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(
        tmp_path / "b",
        name="small",
        classes=("a", "b"),
        inputs=InputSpec(("bf", "df"), "uint8", 5, 7),
        outputs=OutputSpec(3, ("x",)),
        graphs={"fp32": (b"thirty-two bits", 18), "int8": (b"eight bits", 18)},
        seen=np.array([1, 2], np.uint64),
    )


@pytest.mark.parametrize("name", ["fp32.onnx", "int8.onnx", "seen.u64"])
def test_every_altered_byte_is_found(bundle, name):
    file = bundle.path / name
    whole = file.read_bytes()
    for position in range(len(whole)):
        altered = bytearray(whole)
        altered[position] ^= 1 << position % 8
        file.write_bytes(altered)
        with pytest.raises(BundleError) as caught:
            load_bundle(bundle.path)
        assert caught.value.source == str(file)
        assert caught.value.field == "sha256"
    file.write_bytes(whole)
    assert load_bundle(bundle.path) == bundle


@pytest.mark.parametrize("name", ["fp32.onnx", "int8.onnx", "seen.u64"])
@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda _: b""])
def test_a_file_of_another_length_is_found(bundle, name, change):
    file = bundle.path / name
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(BundleError, match="sha256"):
        load_bundle(bundle.path)


@pytest.mark.parametrize("name", ["fp32.onnx", "int8.onnx", "seen.u64"])
def test_a_file_that_is_gone_is_named(bundle, name):
    (bundle.path / name).unlink()
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle.path)
    assert caught.value.source == str(bundle.path / name)
    assert "No such file" in str(caught.value)


def test_a_directory_in_place_of_a_file_is_named(bundle):
    (bundle.path / "fp32.onnx").unlink()
    (bundle.path / "fp32.onnx").mkdir()
    with pytest.raises(BundleError, match=r"fp32\.onnx"):
        load_bundle(bundle.path)


def test_a_directory_without_a_manifest_is_no_bundle(tmp_path):
    for place in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(BundleError, match=r"manifest\.json: found No such file"):
            load_bundle(place)


def put(name, value):
    """Set a field by its dotted path."""

    def change(tree):
        *steps, last = name.split(".")
        for step in steps:
            tree = tree[int(step) if step.isdigit() else step]
        tree[last] = value

    return change


def drop(name):
    return lambda tree: tree.pop(name)


@pytest.mark.parametrize(
    ("change", "field", "found"),
    [
        (put("format", "other"), "format", "other"),
        (drop("format"), "format", "None"),
        (put("version", 2), "version", "2"),
        (put("version", "1"), "version", "1"),
        (drop("version"), "version", "None"),
        (put("surprise", 1), "manifest", "unknown field `surprise`"),
        (put("input.surprise", 1), "manifest", "unknown field `surprise`"),
        (put("graphs.0.surprise", 1), "manifest", "unknown field `surprise`"),
        (drop("classes"), "manifest", "missing required field `classes`"),
        (drop("graphs"), "manifest", "missing required field `graphs`"),
        (put("input.dtype", "int16"), "manifest", "int16"),
        (put("input.fit", "stretch"), "manifest", "stretch"),
        (put("graphs.0.precision", "fp16"), "manifest", "fp16"),
        (put("input.height", "5"), "manifest", "`int`, got `str`"),
        (put("name", "../x"), "name", "../x"),
        (put("name", ""), "name", ""),
        (put("name", "a" * 65), "name", "aaa"),
        (put("classes", ["a", "a"]), "classes", "('a', 'a')"),
        (put("classes", ["a"]), "classes", "('a',)"),
        (put("classes", ["a", ""]), "classes", "('a', '')"),
        (put("input.channels", []), "input.channels", "()"),
        (put("input.channels", ["bf", "bf"]), "input.channels", "('bf', 'bf')"),
        (put("input.channels", [str(i) for i in range(65)]), "input.channels", "('0', '1'"),
        (put("input.height", 0), "input.height", "0"),
        (put("input.width", -3), "input.width", "-3"),
        (put("input.width", 4097), "input.width", "4097"),
        (put("outputs.embedding", 0), "outputs.embedding", "0"),
        (put("graphs", []), "graphs", "()"),
        (put("graphs.0.precision", "int8"), "graphs", "GraphEntry"),
        (put("graphs.0.file", "../fp32.onnx"), "file", "../fp32.onnx"),
        (put("graphs.0.file", "/etc/passwd"), "file", "/etc/passwd"),
        (put("graphs.0.file", "a/b"), "file", "a/b"),
        (put("graphs.0.file", ".."), "file", ".."),
        (put("graphs.0.file", "fp32.onnx\0"), "file", "fp32.onnx"),
        (put("graphs.0.file", ""), "file", ""),
        (put("seen.file", "../../seen.u64"), "file", "../../seen.u64"),
        (put("graphs.0.sha256", "0" * 64), "sha256", ""),
        (put("seen.sha256", "x"), "sha256", ""),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(bundle, change, field, found):
    manifest = bundle.path / "manifest.json"
    tree = msgspec.json.decode(manifest.read_bytes())
    change(tree)
    manifest.write_bytes(msgspec.json.encode(tree))
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle.path)
    assert caught.value.field == field
    assert found in caught.value.found
    assert str(bundle.path) in caught.value.source
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_outside_the_bundle_is_not_even_looked_at(bundle):
    """With the right hash and all: a manifest may only name what lies beside it."""
    (bundle.path.parent / "outside.onnx").write_bytes((bundle.path / "fp32.onnx").read_bytes())
    manifest = bundle.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"fp32.onnx"', '"../outside.onnx"'))
    with pytest.raises(BundleError, match="plain file name"):
        load_bundle(bundle.path)


@pytest.mark.parametrize(
    "raw",
    [b"", b"not JSON", b"{", b'{"format": "cellgate-bundle"', b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000],
    ids=lambda raw: repr(raw[:12]),
)
def test_a_manifest_that_is_no_json_object_is_refused(bundle, raw):
    (bundle.path / "manifest.json").write_bytes(raw)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load_bundle(bundle.path)


def test_an_oversized_manifest_is_refused(bundle):
    manifest = bundle.path / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" " * (4 << 20))
    with pytest.raises(BundleError, match="size: found over 4 MiB"):
        load_bundle(bundle.path)


def test_a_path_that_cannot_be_one_is_refused():
    with pytest.raises(BundleError):
        load_bundle("a\0b")


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.data())
def test_any_damage_to_a_manifest_gives_a_bundle_or_a_bundle_error(tmp_path_factory, data):
    directory = tmp_path_factory.getbasetemp() / "damaged"
    if not directory.exists():
        write_bundle(
            directory,
            name="small",
            classes=("a", "b"),
            inputs=InputSpec(("bf",), "uint8", 5, 7),
            outputs=OutputSpec(3, ()),
            graphs={"fp32": (b"x", 18)},
        )
        (directory / "whole").write_bytes((directory / "manifest.json").read_bytes())
    raw = bytearray((directory / "whole").read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    (directory / "manifest.json").write_bytes(raw)
    try:
        load_bundle(directory)
    except BundleError as error:
        assert len(str(error).splitlines()) == 1
