"""EMR's rules for a cluster's tags. Pure. It must never touch what AWS reserves for itself."""

import re

from .errors import bad_request

LIMIT = 50
ALLOWED = re.compile(r"[\w\s.:/=+\-@]*", re.UNICODE)


def checked(present: list[dict], added: list[dict]) -> list[dict]:
    """`present` with `added`, sorted by key, or AWS's refusal."""
    merged = {tag["Key"]: tag["Value"] for tag in present}
    for tag in added:
        key, value = tag.get("Key") or "", tag.get("Value") or ""
        if not 1 <= len(key) <= 128:
            raise bad_request(f"Tag keys must have between 1 and 128 characters: '{key[:140]}'.")
        if len(value) > 256:
            raise bad_request(f"Tag values must have at most 256 characters: the value of '{key}' has {len(value)}.")
        if key.lower().startswith("aws:"):
            raise bad_request(f"Tag keys beginning with 'aws:' are reserved for AWS use: '{key}'.")
        for text in (key, value):
            if not ALLOWED.fullmatch(text):
                raise bad_request(f"Tags may hold letters, digits, spaces and _ . : / = + - @ only: '{text}'.")
        merged[key] = value
    if len(merged) > LIMIT:
        raise bad_request(f"A resource can have at most {LIMIT} tags.")
    return [{"Key": key, "Value": value} for key, value in sorted(merged.items())]


def without(present: list[dict], keys: list[str]) -> list[dict]:
    return [tag for tag in present if tag["Key"] not in keys]
