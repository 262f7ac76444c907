"""Read a configuration file and check it as a whole."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from engines.errors import InputError
from streamer.config._check_gates import check_gates
from streamer.config._model import Config
from streamer.wire import check_endpoint

_MAX_CONFIG_BYTES = 1 << 20
_AT = re.compile(r" - at (?:key in )?`\$\.?(.*)`$", re.DOTALL)


def load_config(path: str | Path) -> Config:
    """Read the TOML file at `path`; `InputError` names the field that is wrong, what it says and what it may say.

    Relative paths in the file are taken from the file's own directory.
    """
    source = Path(path)
    try:
        with source.open("rb") as stream:
            raw = stream.read(_MAX_CONFIG_BYTES + 1)
        if len(raw) > _MAX_CONFIG_BYTES:
            raise InputError(source, "size", "over 1 MiB", "a configuration file")
        tree = tomllib.loads(raw.decode())
    except OSError as error:
        raise InputError(source, "file", error.strerror or str(error), "a readable configuration file") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, numbers or nesting beyond all measure
        raise InputError(source, "TOML", str(error), "a valid TOML file") from error
    return parse_config(tree, source, source.parent)


def parse_config(tree: dict[str, object], source: object, base: Path) -> Config:
    """Turn a decoded TOML tree into a checked `Config`; relative paths are taken from `base`."""
    try:
        config = msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        raise _explain(error, tree, source) from None
    section = config.streamer
    curve = config.security.server_secret_key is not None
    endpoints = {f"streamer.{name}": getattr(section, name) for name in ("cells", "decisions", "telemetry", "control")}
    if config.recording.endpoint is not None:
        endpoints["recording.endpoint"] = config.recording.endpoint
    for field, endpoint in endpoints.items():
        try:
            check_endpoint(endpoint, field, curve=curve)
        except InputError as error:
            raise InputError(source, error.field, error.found, error.expected) from None
    if curve and config.security.authorized_keys is None:
        raise InputError(source, "security.authorized_keys", "nothing", "a directory of clients' public keys")
    check_gates(config.gate, source)
    decision = config.decision
    if decision.ways is not None and decision.gating_ml is None:
        raise InputError(source, "decision.gating_ml", "nothing", "the file whose gates decision.ways names")
    security = msgspec.structs.replace(
        config.security,
        server_secret_key=_from(base, config.security.server_secret_key),
        authorized_keys=_from(base, config.security.authorized_keys),
    )
    section = msgspec.structs.replace(section, bundle=str(base / section.bundle), journal=str(base / section.journal))
    decision = msgspec.structs.replace(decision, gating_ml=_from(base, decision.gating_ml))
    return msgspec.structs.replace(config, streamer=section, security=security, decision=decision)


def _from(base: Path, path: str | None) -> str | None:
    return None if path is None else str(base / path)


def _explain(error: msgspec.ValidationError, tree: object, source: object) -> InputError:
    text = str(error)
    match = _AT.search(text)
    path = match[1] if match else ""
    complaint = text[: match.start()] if match else text
    if missing := re.fullmatch(r"Object missing required field `(.*)`", complaint):
        return InputError(source, _join(path, missing[1]), "nothing", "a value")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", complaint, re.DOTALL):
        return InputError(source, _join(path, unknown[1]), "an unknown key", "the keys of docs/configuration.md")
    return InputError(source, path or "file", _value_at(tree, path), complaint.removeprefix("Expected "))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _value_at(tree: object, field: str) -> object:
    """Return what the file says at a path like `gate[0].way`; the path comes from msgspec, which hides map keys."""
    value = tree
    for step in re.findall(r"[^.\[\]]+", field):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            break
    return value
