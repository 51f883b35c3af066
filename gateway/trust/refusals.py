"""How a machine gets no certificate, in the words of ``gateway.rpc.statuses``."""

import grpc

from gateway.rpc.statuses import Refusal

TOKEN_WRONG = Refusal(
    code=grpc.StatusCode.PERMISSION_DENIED,
    reason="ENROLMENT_TOKEN_WRONG",
    message=(
        "the token is wrong, was replaced, or is locked after five wrong tries: type it again, or "
        "have an administrator make a new one with MachineCertificateService/CreateEnrolmentToken"
    ),
    retry_after_ms=10_000,
)
TOKEN_EXPIRED = Refusal(
    code=grpc.StatusCode.PERMISSION_DENIED,
    reason="ENROLMENT_TOKEN_EXPIRED",
    message=(
        "the token is good no longer: have an administrator make a new one with "
        "MachineCertificateService/CreateEnrolmentToken"
    ),
)
TOKEN_USED = Refusal(
    code=grpc.StatusCode.PERMISSION_DENIED,
    reason="ENROLMENT_TOKEN_USED",
    message=(
        "the token was used for another request: if that was not this machine, somebody else has "
        "its identity now; have an administrator make a new token, which denies what was issued"
    ),
)
REQUEST_WRONG = Refusal(
    code=grpc.StatusCode.INVALID_ARGUMENT,
    reason="CERTIFICATE_REQUEST_WRONG",
    message="the certificate request cannot be granted: {why}",
)
TOO_MANY_ATTEMPTS = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="TOO_MANY_ATTEMPTS",
    message="more is asked, from this address or from all, than is answered: come back later",
    retry_after_ms=10_000,
)
TOO_MANY_CERTIFICATES = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="TOO_MANY_CERTIFICATES",
    message=(
        "machine {machine_id} has as many certificates as it may: repeat the same request when an "
        "answer was lost, rather than make another one"
    ),
    retry_after_ms=3_600_000,
)
ENROLLED_TOO_OFTEN = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="ENROLLED_TOO_OFTEN",
    message=(
        "machine {machine_id} was enrolled a hundred times, and none of those certificates has "
        "ended: come back with the same token when one has; what it has now stays good"
    ),
    retry_after_ms=3_600_000,
)
NO_CERTIFICATE = Refusal(
    code=grpc.StatusCode.UNAUTHENTICATED,
    reason="NO_CERTIFICATE",
    message="only a certificate is renewed, and this connection shows none: enrol the machine",
)
NOT_IN_FLEET = Refusal(
    code=grpc.StatusCode.FAILED_PRECONDITION,
    reason="NOT_IN_FLEET",
    message=(
        "machine {machine_id} is not registered, or was retired: it gets no certificate until "
        "somebody registers it"
    ),
    retry_after_ms=3_600_000,
)
CANNOT_ISSUE = Refusal(
    code=grpc.StatusCode.UNAVAILABLE,
    reason="CANNOT_ISSUE",
    message="the gateway cannot issue certificates now: come back later; its log says why",
    retry_after_ms=600_000,
)
SQL_AWAY = Refusal(
    code=grpc.StatusCode.UNAVAILABLE,
    reason="CERTIFICATES_AWAY",
    message="the database does not answer: send the same request again, which is safe",
    retry_after_ms=5_000,
)
FAILED = Refusal(
    code=grpc.StatusCode.INTERNAL,
    reason="CERTIFICATE_FAILED",
    message="the gateway failed on this call: send the same request again; its log says more",
    retry_after_ms=60_000,
)
