"""`python -m streamer.cli`, the same as `cellgate`."""

from streamer.cli import main

main()
