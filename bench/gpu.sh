#!/usr/bin/env bash
# Everything there is to measure on an NVIDIA GPU, in one go and under 25 minutes; a table at the end, JSON beside it.
#
#   bench/gpu.sh [OPTIONS] [RESULT.json]
#
#   --cells JURKAT.npz   labelled cells; with them deepflow and deepflow-released are trained five-fold
#   --wheels DIR         install what Python lacks from these wheels, into a directory that is removed afterwards
#   --only NAMES         only steps whose names have one of these words in them, separated by commas
#   --dry-run            the same steps on the processor, tiny: shows that they run, measures nothing
#
# PYTHON names the interpreter; it must have PyTorch for CUDA. docs/gpu.md says how to bring the wheels.
set -euo pipefail
here="$(cd "$(dirname "$0")/.." && pwd)"

dry=no wheels="" arguments=()
while [[ $# -gt 0 ]]; do
    case "$1" in
        --wheels) wheels="${2:?gpu.sh: --wheels needs a directory}"; shift 2 ;;
        --dry-run) dry=yes; arguments+=("$1"); shift ;;
        *) arguments+=("$1"); shift ;;
    esac
done

python="${PYTHON:-$here/.venv/bin/python}"
[[ -x "$(command -v "$python")" ]] || python=python3

if [[ "$dry" == no ]] && ! { command -v nvidia-smi > /dev/null && nvidia-smi > /dev/null; }; then
    echo "gpu.sh: no NVIDIA GPU here (nvidia-smi does not answer); --dry-run tries the steps on the processor" >&2
    exit 2
fi

export PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}"
mapfile -t missing < <("$python" -m bench.gpu.missing)
if [[ ${#missing[@]} -gt 0 && -n "$wheels" ]]; then
    installed="$(mktemp -d)"
    trap 'rm -rf "$installed"' EXIT
    # Beside the interpreter's own packages, so that its PyTorch stays the one that is used.
    "$python" -m venv --system-site-packages --without-pip "$installed"
    "$python" -c 'import sys; print(*(p for p in sys.path if p.endswith("-packages")), sep="\n")' \
        > "$(echo "$installed"/lib/python3*/site-packages)/beside.pth"
    "$python" -m pip --python "$installed/bin/python" install --quiet --no-index --find-links "$wheels" "${missing[@]}"
    python="$installed/bin/python"
elif [[ ${#missing[@]} -gt 0 ]]; then
    echo "gpu.sh: $python lacks ${missing[*]}; --wheels DIR installs them (docs/gpu.md)" >&2
    exit 2
fi

# Each step has a time limit of its own inside; this one is for a machine that hangs.
timeout --kill-after=10 1500 "$python" -m bench.gpu "${arguments[@]}"
