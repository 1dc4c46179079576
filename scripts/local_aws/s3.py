"""Mends to ministack's S3: bucket names are one world's, x-amz-expected-bucket-owner is honoured, dependent actions asked for.

Another account's bucket is closed: policies across accounts are not modelled. All else passes through unchanged.
"""

from . import authorisation, envelopes

EXPECTED = ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner")
TAKEN = (
    "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
    "Please select a different name and try again."
)


class Handler:
    def __init__(self, inner):
        self._inner = inner

    async def __call__(self, method, path, headers, body, query):
        from ministack.core.responses import get_account_id

        caller = get_account_id()
        bucket, _, key = path.lstrip("/").partition("/")
        if bucket and owner(bucket, caller) != caller:
            if method == "PUT" and not key and not query:
                return refuse(409, "BucketAlreadyExists", TAKEN)
            return refuse(403, "AccessDenied", "Access Denied")
        if any(headers.get(name, caller) != caller for name in EXPECTED):
            return refuse(403, "AccessDenied", "Access Denied")
        checks = authorisation.s3_checks(method, bucket, key, headers, query, body)
        refused = authorisation.refusal("s3", headers, query, checks)
        return refused or await self._inner(method, path, headers, body, query)


def owner(bucket: str, caller: str) -> str:
    """The account that has the bucket; the caller where nobody does, so that ministack says what is to be said."""
    from ministack.services import s3

    stored = s3._buckets._data
    if (caller, bucket) in stored:
        return caller
    return next((account for account, name in list(stored) if name == bucket), caller)


def refuse(status: int, code: str, message: str):
    return envelopes.for_ministack(envelopes.error("s3", status, code, message))
