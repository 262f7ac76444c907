"""Recordings in HDF5 (RT-DC files and plain stacks) and Zarr, and the scores written back into RT-DC files.

Nothing here imports h5py or zarr before a file is opened.
"""

from engines.cells.hdf5._hdf5 import open_hdf5, sniff_hdf5
from engines.cells.hdf5._rtdc import open_rtdc, sniff_rtdc
from engines.cells.hdf5._scores import write_rtdc_scores
from engines.cells.hdf5._zarr import open_zarr, sniff_zarr

__all__ = ["open_hdf5", "open_rtdc", "open_zarr", "sniff_hdf5", "sniff_rtdc", "sniff_zarr", "write_rtdc_scores"]
