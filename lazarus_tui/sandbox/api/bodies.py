"""Request bodies: JSON, YAML or protobuf objects and the media types of patches."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.sandbox.api.answers import JSON
from lazarus_tui.sandbox.api.errors import ApiError, bad_request, unsupported_media_type
from lazarus_tui.sandbox.api.protobuf import PROTOBUF, decode_protobuf
from lazarus_tui.sandbox.api.render import YAML

# Upstream's cap on the size of a request.
MAX_BODY = 3 * 1024 * 1024
_YAML_TYPES = (YAML, "application/x-yaml", "text/yaml")


def media_type(request: HttpRequest) -> str:
    """The content type without its parameters, in lower case."""
    for name, value in request.headers.items():
        if name.lower() == "content-type":
            return value.split(";")[0].strip().lower()
    return ""


def check_size(request: HttpRequest) -> None:
    if len(request.body) > MAX_BODY:
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY}")


def decode_value(body: bytes, *, yaml_body: bool = False) -> Any:
    """Any JSON (or YAML) value; a body that is JSON takes the fast path even when it is called YAML."""
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise bad_request("the body is nested too deeply") from None
    except msgspec.MsgspecError as error:
        if not yaml_body:
            raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None
    try:
        return yaml.safe_load(body)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise bad_request(f"error converting YAML to JSON: {error}") from None


def decode_object(request: HttpRequest) -> dict[str, Any]:
    """The object of a create or update; 415 for media types this server does not read, 400 for anything else."""
    media = media_type(request)
    if media == PROTOBUF:
        return decode_protobuf(request.body)
    if media not in (JSON, *_YAML_TYPES):
        raise unsupported_media_type((JSON, YAML, PROTOBUF))
    value = decode_value(request.body, yaml_body=media != JSON)
    if not isinstance(value, dict):
        raise bad_request("the object provided is unrecognized (must be an object)")
    return value


def decode_options(request: HttpRequest) -> dict[str, Any]:
    """The DeleteOptions a DELETE may carry; an empty body is none."""
    if not request.body.strip():
        return {}
    if media_type(request) == PROTOBUF:
        return decode_protobuf(request.body)
    if media_type(request) not in ("", JSON, *_YAML_TYPES):
        raise unsupported_media_type((JSON, YAML))
    value = decode_value(request.body, yaml_body=True)
    return value if isinstance(value, dict) else {}
