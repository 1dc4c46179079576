"""Which regions an account sees, and which it has not switched on: those answer nobody.

IAM is one for all regions, whatever region a client signs for. It must never refuse a call in a region that is on.
"""

from . import envelopes
from .query import answer, filters, first, listed, meets, refuse
from .world import OPT_IN

GLOBAL = ("iam",)


class Switch:
    """An ASGI application in front of another, which the calls in regions that are off do not reach."""

    def __init__(self, app, world):
        self._app, self._world = app, world

    async def __call__(self, scope, receive, send):
        call = scope.get("local_aws.call")
        if call is None or call.region not in self._world.regions_off or call.service in GLOBAL:
            await self._app(scope, receive, send)
            return
        status, headers, body = envelopes.error(call.protocol, *envelopes.worded(call.service, "disabled"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def describe_regions(params: dict, emr):
    """Those that are on, or all with how they are."""
    from ministack.services import ec2

    off, asked, wanted = emr.world.regions_off, listed(params, "RegionName"), filters(params)
    names = [name for name, _ in ec2._AWS_REGIONS]
    for unknown in [name for name in asked if name not in names]:
        return refuse("InvalidParameterValue", f"Invalid region provided: {unknown}")
    items = []
    for name in names:
        status = "opt-in-not-required" if name not in OPT_IN else "not-opted-in" if name in off else "opted-in"
        fields = {"region-name": name, "opt-in-status": status, "endpoint": f"ec2.{name}.amazonaws.com"}
        told = first(params, "AllRegions").lower() == "true" or status != "not-opted-in" or name in asked
        if told and (not asked or name in asked) and all(meets(fields.get(key, ""), of) for key, of in wanted.items()):
            items.append(
                f"<item><regionName>{name}</regionName><regionEndpoint>{fields['endpoint']}</regionEndpoint>"
                f"<optInStatus>{status}</optInStatus></item>"
            )
    return answer("DescribeRegions", f"<regionInfo>{''.join(items)}</regionInfo>")


OPERATIONS = {"DescribeRegions": describe_regions}
