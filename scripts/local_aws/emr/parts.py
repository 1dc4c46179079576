"""What groups, fleets and clusters have in common in a request, rewritten as EMR does it. Pure."""

from .errors import invalid

SECRET = ("password", "secret")


def required(data: dict, key: str) -> str:
    if not data.get(key):
        raise invalid(
            f"1 validation error detected: Value null at '{key[0].lower() + key[1:]}' failed to satisfy constraint: "
            "Member must not be null"
        )
    return data[key]


def configurations(asked: list[dict]) -> list[dict]:
    """Classifications in lower case, properties always there, secrets masked."""
    made = []
    for one in asked:
        properties = {k: mask(k, v) for k, v in (one.get("Properties") or {}).items()}
        item = {"Classification": required(one, "Classification").lower(), "Properties": properties}
        if one.get("Configurations"):
            item["Configurations"] = configurations(one["Configurations"])
        made.append(item)
    return made


def mask(key: str, value: str) -> str:
    return "********" if any(word in key.lower() for word in SECRET) else value


def volumes(ebs: dict) -> list[dict]:
    """One entry a volume: EMR splits `VolumesPerInstance`."""
    made = []
    for asked in ebs.get("EbsBlockDeviceConfigs") or []:
        of = asked.get("VolumeSpecification") or {}
        if not of.get("VolumeType") or not of.get("SizeInGB"):
            raise invalid("A volume specification needs a VolumeType and a SizeInGB.")
        made += [dict(of) for _ in range(asked.get("VolumesPerInstance") or 1)]
    return made
