"""GetMetricData as CloudWatch answers it about EMR's clusters, in place of ministack's: points come late and with gaps, and in
pages ("our model", from the API reference).

Everything else passes through to ministack unchanged, and so does the Query protocol. It must never show a point before its time.
"""

import base64
import json
import statistics

from .emr import metrics
from .emr.errors import Refused
from .emr.model import Scope

NAMESPACE = "AWS/ElasticMapReduce"
QUERIES = 500
POINTS = 100_800  # in one answer
LATE = 180
STATISTICS = {
    "Average": statistics.fmean, "Maximum": max, "Minimum": min, "Sum": sum, "SampleCount": lambda values: float(len(values)),
}


class Handler:
    def __init__(self, inner, emr, world):
        self._inner, self._emr, self._world = inner, emr, world

    async def __call__(self, method, path, headers, body, query):
        from ministack.core.responses import get_account_id, get_region
        from ministack.services import cloudwatch

        packed = "cbor" in headers.get("content-type", "")
        target = headers.get("x-amz-target", "")
        if not (path.endswith("/operation/GetMetricData") and packed) and not target.endswith(".GetMetricData"):
            return await self._inner(method, path, headers, body, query)
        await self._emr.settle()
        try:
            answer = self._get_metric_data(parse(body, packed), self._emr.clusters(Scope(get_account_id(), get_region())))
        except Refused as refusal:
            return cloudwatch._error(refusal.code, refusal.message, 400, use_json=not packed, use_cbor=packed)
        if packed:
            answer["MetricDataResults"] = [cloudwatch._cbor_metric_data_result(one) for one in answer["MetricDataResults"]]
        return (cloudwatch._cbor_ok if packed else cloudwatch._json_ok)(answer)

    def _get_metric_data(self, data: dict, clusters: dict) -> dict:
        from ministack.services.cloudwatch import _parse_ts

        start, end = (_parse_ts(data.get(key)) for key in ("StartTime", "EndTime"))
        queries = data.get("MetricDataQueries") or []
        check(start, end, queries, data)
        ascending = data.get("ScanBy") == "TimestampAscending"
        series = [
            (query, self._series(query, clusters, start - start % 60, end)[::1 if ascending else -1])
            for query in queries if query.get("ReturnData") is not False
        ]
        skip = offset(data.get("NextToken"))
        stop = skip + min(data.get("MaxDatapoints") or POINTS, self._world.metrics.get("page", POINTS))
        total, told, results = sum(len(found) for _, found in series), 0, []
        for query, found in series:
            page = found[max(0, skip - told):max(0, stop - told)]
            # One without points has a place all the same, and is told with those around it.
            if page or not found and (skip <= told < stop or told == stop == total):
                whole = told + len(found) <= stop
                results.append(result(query, page, "Complete" if whole else "PartialData"))
            told += len(found)
        token = {"NextToken": base64.b64encode(f"after-{stop}".encode()).decode()} if total > stop else {}
        return {"MetricDataResults": results, "Messages": [], **token}

    def _series(self, query: dict, clusters: dict, start: float, end: float) -> list[tuple[float, float]]:
        asked = query["MetricStat"]
        metric, period = asked["Metric"], int(asked["Period"])
        dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions") or []}
        c = clusters.get(dimensions.get("JobFlowId", ""))
        if metric["Namespace"] != NAMESPACE or len(dimensions) != 1 or c is None:
            return []
        there = self._world.now() - self._world.metrics.get("late", LATE)
        buckets: dict[float, list[float]] = {}
        for moment, value in metrics.points(c, metric["MetricName"], start, end):
            if moment <= there and not self._missing(c.id, moment):
                buckets.setdefault(moment // period * period, []).append(value)
        return [(moment, float(STATISTICS[asked["Stat"]](values))) for moment, values in sorted(buckets.items())]

    def _missing(self, cluster: str, moment: float) -> bool:
        return any(
            gap.get("cluster") in (None, cluster) and gap["from"] <= moment < gap["until"]
            for gap in self._world.metrics.get("gaps", [])
        )


def parse(body: bytes, packed: bool) -> dict:
    import cbor2

    try:
        data = cbor2.loads(body) if packed else json.loads(body)
    except (ValueError, cbor2.CBORDecodeError) as problem:
        raise Refused("SerializationException", str(problem)) from None
    return data


def check(start: float | None, end: float | None, queries: list, data: dict) -> None:
    if start is None or end is None or not queries:
        raise refuse("The parameters StartTime, EndTime and MetricDataQueries are required.")
    if start >= end:
        raise refuse("The parameter StartTime must be less than the parameter EndTime.")
    if len(queries) > QUERIES:
        raise refuse(f"The collection MetricDataQueries must not have a size greater than {QUERIES}.")
    if not 1 <= data.get("MaxDatapoints", POINTS) <= POINTS:
        raise refuse(f"The parameter MaxDatapoints must be from 1 to {POINTS}.")
    if len({query.get("Id") for query in queries}) < len(queries):
        raise refuse("The values for parameter id in MetricDataQueries are not unique.")
    for query in queries:
        asked = query.get("MetricStat")
        if not asked:
            raise refuse("Our model computes no expressions.")
        if asked.get("Stat") not in STATISTICS:
            raise refuse(f"Our model has the statistics {', '.join(STATISTICS)} only, not {asked.get('Stat')}.")
        if not isinstance(asked.get("Period"), int) or asked["Period"] <= 0 or asked["Period"] % 60:
            raise refuse("The parameter Period must be a multiple of 60.")


def refuse(message: str) -> Refused:
    return Refused("ValidationError", message)


def offset(token: str | None) -> int:
    try:
        return int(base64.b64decode(token, validate=True).removeprefix(b"after-")) if token else 0
    except ValueError:
        raise Refused("InvalidNextToken", "The next token specified is invalid.") from None


def result(query: dict, page: list[tuple[float, float]], code: str) -> dict:
    return {
        "Id": query["Id"], "Label": query.get("Label") or query["MetricStat"]["Metric"]["MetricName"],
        "Timestamps": [moment for moment, _ in page], "Values": [value for _, value in page], "StatusCode": code,
    }
