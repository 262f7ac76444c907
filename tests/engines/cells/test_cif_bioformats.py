"""The reader and the tests' writer against Bio-Formats, which read real files of these instruments."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from engines.cells.cif import open_cif
from tests.support.cif_writer import make_frames, write_cif

JAR = os.environ.get("CELLGATE_BIOFORMATS_JAR", "")
DUMP = """
import java.io.*;
import java.lang.reflect.Field;
import loci.common.RandomAccessInputStream;
import loci.formats.in.FlowSightReader;
import loci.formats.tiff.IFD;
import loci.formats.tiff.TiffParser;

public class Dump {
  // The reader leaves lists of strips unread where there are several: its decoders read them, its parser does not.
  static class Filling extends TiffParser {
    Filling(RandomAccessInputStream in) { super(in); }
    @Override public IFD getIFD(long offset) throws IOException {
      IFD ifd = super.getIFD(offset);
      fillInIFD(ifd);
      return ifd;
    }
  }

  public static void main(String[] names) throws Exception {
    for (String name : names) {
      FlowSightReader reader = new FlowSightReader();
      reader.setId(name);
      RandomAccessInputStream in = new RandomAccessInputStream(name);
      Filling parser = new Filling(in);
      parser.setDoCaching(false);
      in.order(parser.checkHeader());
      Field field = FlowSightReader.class.getDeclaredField("tiffParser");
      field.setAccessible(true);
      field.set(reader, parser);
      try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(name + ".raw")))) {
        out.writeInt(reader.getSeriesCount());
        for (int series = 0; series < reader.getSeriesCount(); series++) {
          reader.setSeries(series);
          out.writeInt(reader.getSizeC());
          out.writeInt(reader.getSizeY());
          out.writeInt(reader.getSizeX());
          out.writeInt(reader.getBitsPerPixel());
          out.writeInt(reader.isLittleEndian() ? 1 : 0);
          for (int channel = 0; channel < reader.getSizeC(); channel++) {
            out.write(reader.openBytes(channel));
          }
        }
      }
      reader.close();
      in.close();
    }
  }
}
"""
FILES = {
    f"{name}{channels}{strips}.cif": {"order": order, "channels": channels, "strips": strips}
    for name, order in (("little", "<"), ("big", ">"))
    for channels in (1, 12)
    for strips in (1, 3)
}


@pytest.fixture(scope="module")
def dumped(tmp_path_factory):
    """The files, written and dumped by Bio-Formats plane by plane: all in one start of Java."""
    if not JAR:
        pytest.skip("CELLGATE_BIOFORMATS_JAR names no bioformats_package.jar")
    if not Path(JAR).is_file():
        pytest.fail(f"CELLGATE_BIOFORMATS_JAR names {JAR}, which is no file")
    if shutil.which("java") is None or shutil.which("javac") is None:
        pytest.skip("no Java development kit")
    folder = tmp_path_factory.mktemp("bioformats")
    for seed, (name, how) in enumerate(FILES.items()):
        frames, masks = cells(seed, how["channels"], how["strips"])
        write_cif(folder / name, frames, masks, order=how["order"], strips=how["strips"], in_use=in_use(how))
    (folder / "Dump.java").write_text(DUMP)
    command = ["java", "-cp", JAR, "Dump.java", *FILES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def cells(seed, channels, rows):
    """Cells as an instrument sees them, one of pure noise over the whole range, and one of few rows."""
    frames, masks = make_frames(seed, 6, channels)
    rng = np.random.default_rng(seed)
    for shape in ((channels, 17, 23), (channels, rows, 9)):
        frames.append(rng.integers(0, 1 << 16, shape).astype(np.uint16))
        masks.append(rng.integers(0, 4, shape).astype(np.uint8))
    return frames, masks


def in_use(how):
    return [1] * 12 if how["channels"] == 12 else [0, 0, 1, 0, 0, 0]


def planes(path):
    """What Bio-Formats saw: one `(C, h, w)` array for each IFD after the first."""
    data, found, at = path.read_bytes(), [], 4
    for _ in range(struct.unpack_from(">I", data)[0]):
        channels, height, width, bits, little = struct.unpack_from(">5I", data, at)
        dtype = np.dtype(f"{'<' if little else '>'}u{bits // 8}")
        found.append(np.frombuffer(data, dtype, channels * height * width, at + 20).reshape(channels, height, width))
        at += 20 + found[-1].nbytes
    assert at == len(data)
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_pixel_and_mask_is_what_bioformats_reads(dumped, name):
    theirs = planes(dumped / f"{name}.raw")
    with open_cif(dumped / name) as recording:
        ours = list(recording)
        assert len(recording) == len(ours) == len(theirs) // 2 == 8
        for i, cell in enumerate(ours):
            assert np.array_equal(cell.frame, theirs[2 * i])
            assert np.array_equal(recording.mask(i), theirs[2 * i + 1] == 1)
        assert {plane.dtype.itemsize for plane in theirs[0::2]} == {2}
