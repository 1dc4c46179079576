"""What EMR refuses, with AWS's codes. It must never be used for a fault of this server itself."""


class Refused(Exception):
    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code, self.message = code, message


def invalid(message: str) -> Refused:
    """ValidationException: the older half of the API (RunJobFlow, AddJobFlowSteps, TerminateJobFlows, ...)."""
    return Refused("ValidationException", message)


def bad_request(message: str) -> Refused:
    """InvalidRequestException: the newer half (Describe..., List..., AddTags, ...)."""
    return Refused("InvalidRequestException", message)


def denied(message: str) -> Refused:
    return Refused("AccessDeniedException", message)
