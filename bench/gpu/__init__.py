"""What an NVIDIA GPU does with the networks: `bench/gpu.sh`."""
