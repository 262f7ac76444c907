#!/usr/bin/env bash
# Everything there is to measure on an NVIDIA GPU, in one go and under 25 minutes; a table at the end, JSON beside it.
#
#   bench/gpu.sh [RESULT.json]           on a machine with a GPU and PyTorch for CUDA
#   bench/gpu.sh --dry-run [RESULT.json] the same steps on the processor, tiny: shows that they run, measures nothing
set -euo pipefail
cd "$(dirname "$0")/.."

dry=()
if [[ "${1:-}" == "--dry-run" ]]; then
    dry=(--dry-run)
    shift
fi
out="${1:-gpu.json}"
python="${PYTHON:-.venv/bin/python}"
[[ -x "$python" ]] || python=python3

if [[ ${#dry[@]} -eq 0 ]] && ! { command -v nvidia-smi > /dev/null && nvidia-smi > /dev/null; }; then
    echo "gpu.sh: no NVIDIA GPU here (nvidia-smi does not answer); --dry-run tries the steps on the processor" >&2
    exit 2
fi

# Each item has a time limit of its own inside; this one is for a GPU that hangs.
timeout 1500 "$python" -m bench.gpu --out "$out" "${dry[@]}"
