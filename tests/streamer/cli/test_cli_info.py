"""`cellgate info`: what is in a file, as text, as JSON and as a picture."""

import json
import os

import h5py
import numpy as np
import pytest
from PIL import Image

from engines.errors import CellsError, InputError
from streamer.cli.info import info_command
from tests.support.made_cells import write_image


@pytest.fixture
def folder(tmp_path):
    for label, count in (("flat", 3), ("round", 2)):
        for number in range(count):
            for channel in (1, 2):
                pixels = np.full((8 + number, 9), 100 * channel, np.uint16)
                write_image(tmp_path / "cells" / label / f"{number}_Ch{channel}.png", pixels)
    write_image(tmp_path / "cells" / "flat" / "9_Ch1.png", np.zeros((8, 9), np.uint16))
    return tmp_path / "cells"


def info(file, **options):
    settings = {"sheet": None, "json": False, "look_at": 10_000, "hint": None}
    info_command(file, **{**settings, **options})


def test_a_folder_in_words(folder, capsys):
    info(folder)
    told = capsys.readouterr().out
    for line in (
        "kind         folder",
        "cells        5",
        "size         8–9–10 × 9 pixels",
        "channels     Ch1, Ch2",
        "dtype        uint16",
        "classes      flat 3, round 2",
        "groups       none",
        "skipped      1: channel Ch2: no image",
        "about        files: one per cell and channel",
    ):
        assert line in told


def test_json_has_the_same_figures(folder, capsys):
    info(folder, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["cells"] == told["looked_at"] == 5
    assert told["classes"] == {"flat": 3, "round": 2}
    assert told["heights"] == [8, 9, 10]
    assert told["skipped"] == {"channel Ch2: no image": 1}


def test_looking_at_some_cells_is_said(folder, capsys):
    info(folder, look_at=2)
    assert "5; what follows is of 2 spread over them" in capsys.readouterr().out


def test_a_contact_sheet_is_written(folder, tmp_path):
    info(folder, sheet=tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
    with pytest.raises(InputError, match="--contact-sheet"):
        info(folder, sheet=tmp_path / "nowhere" / "sheet.png")


def test_a_recording_without_cells_is_told_and_has_no_sheet(tmp_path, capsys):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["frames"] = np.zeros((0, 2, 8, 9), np.uint16)
    info(tmp_path / "a.h5", sheet=tmp_path / "sheet.png")
    told = capsys.readouterr()
    assert "cells        0" in told.out
    assert "no cell to show" in told.err
    assert not (tmp_path / "sheet.png").exists()


def test_cells_that_cannot_be_read_are_not_cells_that_were_not_asked_for(tmp_path, capsys):
    frames = np.ones((5, 1, 4, 4), np.float32)
    frames[2] = np.nan
    np.savez(tmp_path / "a.npz", frames=frames, channels=["a"])
    info(tmp_path / "a.npz")
    told = capsys.readouterr().out
    assert "cells        5\n" in told
    assert "skipped      1: frames: NaN or infinite counts" in told


def test_hints_go_to_the_reader(folder, capsys):
    info(folder, hint=["levels=group", r"pattern=(?P<cell>\d+)_(?P<channel>Ch\d)", "kind=folder"])
    assert "groups       flat 3, round 2" in capsys.readouterr().out
    info(folder, hint=["channels=Ch2"])
    assert "channels     Ch2" in capsys.readouterr().out
    with pytest.raises(InputError, match="--hint: hint: found levels"):
        info(folder, hint=["levels"])


def test_a_montage_is_cut_as_the_hint_says(tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(1, 200, (66, 528)).astype(np.uint8)
    write_image(tmp_path / "montage.png", pixels)
    with pytest.raises(CellsError, match=r"--hint tile=66"):
        info(tmp_path / "montage.png")
    info(tmp_path / "montage.png", hint=["tile=66"])
    assert "cells        8\nsize         66 × 66 pixels" in capsys.readouterr().out
    info(tmp_path / "montage.png", hint=["tile=33x66"])
    assert "cells        16\nsize         33 × 66 pixels" in capsys.readouterr().out


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path, capsys):
    np.savez(
        tmp_path / "c.npz",
        frames=np.zeros((1, 1, 4, 4), np.uint8),
        channels=np.array(["\x1b[31mred"]),
        labels=np.array([0]),
        classes=np.array(["\x1b]0;title\x07\nkind  x"]),
    )
    info(tmp_path / "c.npz")
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\x07" not in told
    assert sum(line.startswith("kind ") for line in told.splitlines()) == 1


def test_what_is_no_recording_is_one_line(tmp_path):
    (tmp_path / "x").write_text("hello")
    with pytest.raises(CellsError, match="text: hello"):
        info(tmp_path / "x")


def test_a_folder_whose_name_is_no_utf8(folder, tmp_path, capsys):
    odd = tmp_path / os.fsdecode(b"bl\xfc")
    try:
        folder.rename(odd)
    except OSError:
        pytest.skip("this file system has no such names")
    info(odd, json=True)
    assert json.loads(capsys.readouterr().out)["name"].endswith("bl\ufffd")
