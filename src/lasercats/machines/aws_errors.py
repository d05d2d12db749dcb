"""What AWS refuses, and what botocore cannot do, as one sentence: fact, subject, remedy."""

from collections.abc import Mapping
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from lasercats.core.errors import LaserCatsError, MachineError, Unreachable
from lasercats.core.instruction import Failure

THROTTLED = {"RequestLimitExceeded", "Throttling", "ThrottlingException", "RequestThrottled"} | {
    "RequestThrottledException",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
    "SlowDown",
}
"""Codes by which AWS says: not now. What was asked was not done."""
SCARCE = {
    "InstanceLimitExceeded",
    "VcpuLimitExceeded",
    "InsufficientInstanceCapacity",
    "MaxSpotInstanceCountExceeded",
}
"""Codes by which AWS says: not so many."""
_BARRED = {"AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"} | {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "OptInRequired",
}
_REMEDIES: Mapping[str, str] = {
    "DependencyViolation": "something that LaserCats does not manage may use it; remove that first",
    "VolumeInUse": "detach it first",
    "InvalidAMIID.NotFound": "an image belongs to one region; see `aws ec2 describe-images`",
    "InvalidAMIID.Malformed": "an image id is like ami-0abcdef1234567890",
    "UnauthorizedOperation": "give the credentials the permission for it",
    "OperationNotPermitted": "`lasercats ec2 unprotect` lifts the protection from termination",
    "IdempotentParameterMismatch": "this is a fault of LaserCats; please report it",
}
_ABOUT: Mapping[str, str] = {
    "InstanceType": "`aws ec2 describe-instance-types` lists those of the region",
    "vailability zone": "`aws ec2 describe-availability-zones` lists those of the region",
}
"""Remedies for what a message speaks of, where its code says nothing."""
_LOST = (
    boto.ConnectionClosedError,
    boto.ReadTimeoutError,
    boto.ResponseStreamingError,
    boto.HTTPClientError,
)
_BROKEN = {"InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "Unavailable"}
"""Codes by which AWS says that it failed itself, and not what became of the call."""
_NEVER_SENT = (
    boto.EndpointConnectionError,
    boto.ConnectTimeoutError,
    boto.ProxyConnectionError,
    boto.SSLError,
)


def code_of(error: Exception) -> str:
    """Return the error code of AWS, "" for an error that is none of its own."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, boto.ClientError) else ""


def failure(error: Exception, *, changes: bool, where: str) -> Failure:
    """Return the failure that an error means, for something that changes or only looks."""
    lost = isinstance(error, _LOST) and not isinstance(error, _NEVER_SENT)
    lost = lost or isinstance(error, ResponseParserError) or code_of(error) in _BROKEN
    return Failure(reason=told(error, where), in_doubt=changes and lost)


def told(error: Exception, where: str) -> str:
    """Return an error as one sentence."""
    code = code_of(error)
    if isinstance(error, boto.ClientError):
        said = str(error.response.get("Error", {}).get("Message", "")).strip().rstrip(".")
        if code in THROTTLED:
            return f"AWS throttles our calls ({code}), also after several attempts; try again later"
        if code in SCARCE:
            return f"{said} ({code}); ask for a larger quota, or take another type"
        if code in _BARRED:
            return f"{where} refuses the credentials: {said} ({code}); check its profile and the clock"
        remedy = _REMEDIES.get(code) or next((r for word, r in _ABOUT.items() if word in said), None)
        return f"{said} ({code})" + (f"; {remedy}" if remedy else "")
    if isinstance(error, _NEVER_SENT):
        return f"{where} does not answer: {_line(error)}"
    if isinstance(error, _LOST):
        return f"the connection to {where} was lost in the middle: {_line(error)}"
    return _line(error)


def unusable(error: Exception, where: str) -> LaserCatsError:
    """Return the error for a machine that cannot be used at all."""
    if isinstance(error, boto.ProfileNotFound):
        return MachineError(f"{where}: {_line(error)}; `aws configure list-profiles` lists those there are")
    if isinstance(error, _NEVER_SENT):
        return Unreachable(told(error, where))
    return MachineError(f"{where}: {told(error, where)}")


def no_credentials(where: str) -> MachineError:
    """Return the error for an endpoint that nobody gave us credentials for."""
    return MachineError(f"{where}: no AWS credentials are found; run `aws configure`, or set AWS_PROFILE")


def _line(error: Any) -> str:  # noqa: ANN401
    return str(error).strip().splitlines()[0].rstrip(".")
