"""What turns frames into predictions: bundles, backends, networks, the trainer and the readers of cells."""
