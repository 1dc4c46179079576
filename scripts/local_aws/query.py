"""EC2's query protocol: parameters as they are read, answers and refusals as they are written. It must never know an operation."""

from fnmatch import fnmatchcase

from . import envelopes

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


def first(params: dict, key: str) -> str:
    return (params.get(key) or [""])[0]


def listed(params: dict, prefix: str) -> list[str]:
    found = []
    while value := first(params, f"{prefix}.{len(found) + 1}"):
        found.append(value)
    return found


def filters(params: dict) -> dict[str, list[str]]:
    found, number = {}, 1
    while name := first(params, f"Filter.{number}.Name"):
        found[name] = listed(params, f"Filter.{number}.Value")
        number += 1
    return found


def meets(text: str, patterns: list[str]) -> bool:
    """As EC2's filters match: any of them, * and ? stand for anything."""
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def refuse(code: str, message: str):
    return envelopes.for_ministack(envelopes.error("ec2", 400, code, message))


def answer(operation: str, inner: str):
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    text = f'{head}<{operation}Response xmlns="{NAMESPACE}"><requestId>local</requestId>{inner}</{operation}Response>'
    return 200, {"Content-Type": "text/xml"}, text.encode()
