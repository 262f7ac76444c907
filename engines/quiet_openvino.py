"""OpenVINO, imported so that it reports to nobody: `from engines.quiet_openvino import ov`. See decision 011."""

from __future__ import annotations

import sys

# As it comes, importing OpenVINO sends an event to its maker's web analytics. Without this package it cannot.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402 - only after the line above

__all__ = ["ov"]
