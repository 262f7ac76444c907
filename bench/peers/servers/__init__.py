"""The peers' servers, each a program of its own that runs in the peers' environment and knows nothing of Cellgate."""
