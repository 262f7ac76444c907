# Two images:
#   docker build --target cpu -t cellgate:cpu .      the streamer on the embedded CPU engine
#   docker build --target gpu -t cellgate:gpu .      the same on NVIDIA's CUDA runtime (see the note at that stage)
#
# Run one, its endpoints as files (ipc://) in a directory that camera, sorter and observer share:
#   docker run --rm --init -v "$PWD/config.toml:/etc/cellgate/config.toml:ro" -v /run/cellgate:/run/cellgate \
#     -v cellgate-journals:/var/lib/cellgate cellgate:cpu
# with, in config.toml:
#   bundle    = "/opt/cellgate/bundles/NAME"           # or any directory you mount
#   cells     = "ipc:///run/cellgate/cells"            # and so on; TCP beyond the container needs CURVE keys
#   journal   = "/var/lib/cellgate"
# Both mounted directories must be writable for user 10001. Nothing is exposed by default: no port leaves the
# container unless you configure CURVE keys, bind to 0.0.0.0 and publish it yourself. For the lowest jitter on a
# sorting machine add --cpuset-cpus and run on the host's network and IPC; a container is convenience, not isolation
# from a busy host.

# The interpreter of constraints.txt.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
RUN python -m venv /opt/cellgate \
    && python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > base.txt \
    && /opt/cellgate/bin/pip install --no-cache-dir -c constraints.txt -r base.txt
# The dependencies above are a layer of their own: a change in the code does not install them again.
COPY bench/ bench/
COPY engines/ engines/
COPY streamer/ streamer/
RUN /opt/cellgate/bin/pip install --no-cache-dir --no-deps . \
    && cp -r engines/pretrained /opt/cellgate/bundles

FROM python:3.11-slim-bookworm AS cpu
COPY --from=build /opt/cellgate /opt/cellgate
ENV PATH=/opt/cellgate/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --create-home cellgate \
    && install -d -o cellgate -g cellgate /var/lib/cellgate /run/cellgate /etc/cellgate
USER 10001
WORKDIR /var/lib/cellgate
VOLUME ["/var/lib/cellgate"]
# Whether the streamer is well is known to its observer, a process (or container) of its own: name the address of its
# /healthz in CELLGATE_HEALTHZ. Without it the check only says that the installation works.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, streamer.cli, urllib.request as web; url = os.environ.get('CELLGATE_HEALTHZ'); url and web.urlopen(url, timeout=3)"]
ENTRYPOINT ["cellgate"]
CMD ["run", "--config", "/etc/cellgate/config.toml"]

# Honest note: Cellgate has no TensorRT engine yet, so this image computes on the CPU like the other one and only
# prepares the ground: CUDA's runtime, and room for the bindings. What comes with that engine: `tensorrt` (from pip) and
# `pycuda`, which is source only and compiles against CUDA's headers, hence the -devel image in the first stage. Plans
# are built on the machine that sorts, at first start; none is ever put into an image. Needs the NVIDIA container
# toolkit on the host (docker run --gpus all).
FROM nvidia/cuda:13.0.1-devel-ubuntu24.04 AS build-gpu
WORKDIR /src
# Ubuntu 24.04's Python, 3.12: the pins of constraints.txt were made with 3.11 and have wheels for both.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv python3-dev g++ \
    && rm -rf /var/lib/apt/lists/*
COPY constraints.txt pyproject.toml README.md LICENSE ./
RUN python3 -m venv /opt/cellgate \
    && python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > base.txt \
    && /opt/cellgate/bin/pip install --no-cache-dir -c constraints.txt -r base.txt
# To come, pinned in constraints.txt: RUN /opt/cellgate/bin/pip install --no-cache-dir -c constraints.txt tensorrt pycuda
COPY bench/ bench/
COPY engines/ engines/
COPY streamer/ streamer/
RUN /opt/cellgate/bin/pip install --no-cache-dir --no-deps . \
    && cp -r engines/pretrained /opt/cellgate/bundles

FROM nvidia/cuda:13.0.1-runtime-ubuntu24.04 AS gpu
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home cellgate \
    && install -d -o cellgate -g cellgate /var/lib/cellgate /run/cellgate /etc/cellgate
COPY --from=build-gpu /opt/cellgate /opt/cellgate
ENV PATH=/opt/cellgate/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /var/lib/cellgate
VOLUME ["/var/lib/cellgate"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
    CMD ["python", "-c", "import os, streamer.cli, urllib.request as web; url = os.environ.get('CELLGATE_HEALTHZ'); url and web.urlopen(url, timeout=3)"]
ENTRYPOINT ["cellgate"]
CMD ["run", "--config", "/etc/cellgate/config.toml"]
