"""What AWS refuses, and what botocore cannot do, as one sentence: fact, subject, remedy."""

import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from botocore import exceptions as boto
from urllib3.exceptions import NameResolutionError

from lasercats.core.errors import LaserCatsError, MachineError, Unreachable
from lasercats.core.instruction import Failure
from lasercats.core.loose import ODD
from lasercats.machines.aws_answers import short

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
_RENEW = "renew them, by `aws sso login` or as they were got"
_BARRED: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"),
        ("says that the credentials have expired", _RENEW),
    ),
    "RequestExpired": ("says that the request has expired", f"set the clock, if it is wrong; else {_RENEW}"),
    "OptInRequired": (
        "says that the account has no EC2 in this region",
        "sign up, or enable the region by `aws account enable-region`",
    ),
    "Blocked": ("says that the account is blocked", "ask AWS Support"),
    "PendingVerification": ("says that the account is being verified", "wait for the mail of AWS"),
    "SignatureDoesNotMatch": (
        "refuses the secret key, which does not fit the access key",
        "check its profile, or AWS_SECRET_ACCESS_KEY, and the clock",
    ),
    "AuthFailure": (
        "refuses the credentials",
        "check its profile and the clock; a region that is not enabled refuses all: "
        "see `aws account list-regions`",
    ),
    **dict.fromkeys(
        (
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "IncompleteSignature",
            "MissingAuthenticationToken",
        ),
        ("refuses the credentials", "check its profile, or AWS_ACCESS_KEY_ID, and the clock"),
    ),
}
"""Codes by which AWS lets nobody in: the fact and the remedy of each."""
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
)


class Unsure(Exception):
    """The last error of several attempts, an earlier one of which was lost: nobody knows what that did."""

    def __init__(self, last: Exception) -> None:
        """Carry the last error."""
        super().__init__(str(last))
        self.last = last


_UNUSABLE: Sequence[tuple[tuple[type[Exception], ...], str]] = (
    ((boto.ProfileNotFound,), "`aws configure list-profiles` lists those there are"),
    ((boto.ConfigParseError, boto.ConfigNotFound), "mend that file, or name another by AWS_CONFIG_FILE"),
    (
        (boto.SSOTokenLoadError, boto.UnauthorizedSSOTokenError, boto.TokenRetrievalError, boto.SSOError),
        "sign in by `aws sso login`",
    ),
    ((boto.PartialCredentialsError,), "give both keys; `aws configure` asks for them"),
    (
        (boto.CredentialRetrievalError, boto.MetadataRetrievalError, boto.InvalidConfigError),
        "see what its profile names as the source of its credentials",
    ),
    ((boto.NoCredentialsError,), "run `aws configure`, or set AWS_PROFILE"),
)
"""What boto3 cannot do before it asks anybody, and the remedy."""


def code_of(error: Exception) -> str:
    """Return the error code of AWS, "" for an error that is none of its own."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, boto.ClientError) else ""


def failure(error: Exception, *, changes: bool, where: str) -> Failure:
    """Return the failure that an error means, for something that changes or only looks."""
    return Failure(reason=sentence(error, where), in_doubt=changes and is_lost(error))


def is_lost(error: Exception) -> bool:
    """Tell whether an error leaves open what became of the call."""
    if isinstance(error, boto.SSLError):  # a certificate is refused before anything is sent
        return not isinstance(_cause(error), ssl.SSLCertVerificationError)
    lost = isinstance(error, _LOST) and not isinstance(error, _NEVER_SENT)
    return lost or is_garbled(error) or code_of(error) in _BROKEN or _is_foreign(error)


def _cause(error: boto.SSLError) -> BaseException | None:
    """Return what the ssl module said, which urllib3 and botocore wrap."""
    cause: Any = error.kwargs.get("error")
    while isinstance(cause, BaseException) and not isinstance(cause, ssl.SSLError):
        cause = next((a for a in cause.args if isinstance(a, BaseException)), cause.__cause__)
    return cause if isinstance(cause, BaseException) else None


def is_garbled(error: Exception) -> bool:
    """Tell whether an error is none of AWS nor of boto3: an answer came, and it cannot be understood."""
    return not isinstance(error, boto.ClientError | boto.BotoCoreError | LaserCatsError)


def _is_foreign(error: Exception) -> bool:
    """Tell whether something before EC2 answered, of which only the HTTP status is understood."""
    return code_of(error).isdigit()


def sentence(error: Exception, where: str) -> str:
    """Return an error as one sentence."""
    if isinstance(error, Unsure):
        return f"a call was lost on its way to {where}, and then: {sentence(error.last, where)}"
    if isinstance(error, boto.ClientError):
        return _refused(error, where)
    if isinstance(error, boto.SSLError):
        return f"{where} does not answer: {_line(error)}; {_way(error)}"
    if is_garbled(error):
        return f"what {where} answers cannot be understood: {_line(error)}; is its endpoint one of EC2?"
    if isinstance(error, _NEVER_SENT):
        return f"{where} does not answer: {_line(error)}; {_way(error)}"
    if isinstance(error, _LOST):
        return f"the connection to {where} was lost in the middle: {_line(error)}"
    remedy = next((remedy for types, remedy in _UNUSABLE if isinstance(error, types)), None)
    return _line(error) + (f"; {remedy}" if remedy else "")


def _refused(error: boto.ClientError, where: str) -> str:
    """Return what AWS refuses, with what to do about it."""
    code, said = code_of(error), short(str(error.response.get("Error", {}).get("Message", ""))).rstrip(".")
    if _is_foreign(error):
        return f"what {where} answers is none of EC2: HTTP status {code} {said}".rstrip()
    if code in THROTTLED:
        return f"AWS throttles our calls ({code}), also after several attempts; try again later"
    if code in SCARCE:
        return f"{said} ({code}); ask for a larger quota, or take another type"
    if code in _BARRED:
        fact, way = _BARRED[code]
        return f"{where} {fact}: {said} ({code}); {way}"
    remedy = _REMEDIES.get(code) or next((r for word, r in _ABOUT.items() if word in said), None)
    return f"{said} ({code})" + (f"; {remedy}" if remedy else "")


def _way(error: Exception) -> str:
    """Return what to do about an endpoint that does not answer."""
    if isinstance(error, boto.SSLError):
        return "check option endpoint, and the certificates by AWS_CA_BUNDLE"
    if isinstance(error, boto.ProxyConnectionError):
        return "check HTTPS_PROXY"
    if _is_unknown(error):
        return "no host has that name: check the region, see `aws account list-regions`, and the DNS"
    return "check the network, and option endpoint"


def _is_unknown(error: BaseException | None) -> bool:
    """Tell whether the name of an endpoint means no host: there is no such region."""
    cause = getattr(error, "kwargs", {}).get("error")
    return isinstance(cause, NameResolutionError | socket.gaierror)


def unusable(error: Exception, where: str) -> LaserCatsError:
    """Return the error for a machine that cannot be used at all."""
    said = sentence(error, where)
    if isinstance(error, (*_NEVER_SENT, *_LOST, boto.SSLError)):
        return Unreachable(said)
    return MachineError(said if where in said else f"{where}: {said}")


def no_credentials(where: str) -> MachineError:
    """Return the error for an endpoint that nobody gave us credentials for."""
    return MachineError(f"{where}: no AWS credentials are found; run `aws configure`, or set AWS_PROFILE")


def _line(error: Exception) -> str:
    """Return the first line of what an error says; of one that botocore does not know, with what it is."""
    first = next(iter(str(error).strip().splitlines()), "").rstrip(".:")
    kind = type(error).__name__
    return short(f"{kind}: {first}" if isinstance(error, ODD) else first or kind)
