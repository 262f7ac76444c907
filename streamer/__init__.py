"""The live path: wire protocol, ingest, decisions, journal, telemetry, and the loop that owns them."""
