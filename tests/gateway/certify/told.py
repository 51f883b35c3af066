"""Recordings by hand: each line is a moment, a second after the one before."""

from typing import Any

from gateway.certify.moments import MachineMoment, MomentKind, Recording
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb


class Tale:
    """Writes moments down, one after the other."""

    def __init__(self) -> None:
        self.moments: list[MachineMoment] = []
        self.at_ms = 0

    def note(
        self, kind: MomentKind, *, stream: int = 1, frame: Any = None, text: str = ""
    ) -> "Tale":
        self.at_ms += 1_000
        self.moments.append(
            MachineMoment(
                number=len(self.moments) + 1,
                at_ms=self.at_ms,
                kind=kind,
                stream=stream,
                frame=frame,
                text=text,
            )
        )
        return self

    def heard(self, seq: int = 0, *, ack: int = 0, stream: int = 1, **payload: Any) -> "Tale":
        frame = service_pb.ConnectRequest(seq=seq, ack=ack, **payload)
        return self.note(MomentKind.HEARD, stream=stream, frame=frame)

    def said(self, seq: int = 0, *, ack: int = 0, stream: int = 1, **payload: Any) -> "Tale":
        frame = service_pb.ConnectResponse(seq=seq, ack=ack, **payload)
        return self.note(MomentKind.SAID, stream=stream, frame=frame)

    def connected(self, boot_id: str = "b1", *, stream: int = 1, **hello: Any) -> "Tale":
        """Hello and Welcome."""
        able = pb.Capabilities(response_time_ms=40_000, resume_token=True, commands=True)
        told = pb.Hello(machine_id="VM-0001", boot_id=boot_id, capabilities=able, **hello)
        self.heard(stream=stream, hello=told)
        return self.said(1, stream=stream, welcome=pb.Welcome(resume_token=f"t{stream}"))

    def asked(self, seq: int = 2, request_id: str = "r1", **more: Any) -> "Tale":
        wish = pb.VendRequest(
            request_id=request_id, column="A1", price_minor=500, planogram_version=1
        )
        return self.heard(seq, vend_request=wish, **more)

    def approved(self, vend_id: str = "v1", request_id: str = "r1", **more: Any) -> "Tale":
        approved = pb.VendApproved(vend_id=vend_id, request_id=request_id, column="A1")
        return self.said(2, vend_approved=approved, **more)

    def succeeded(self, seq: int = 3, vend_id: str = "v1", **more: Any) -> "Tale":
        evidence = pb.Evidence(motor=pb.MOTOR_EVIDENCE_RAN, drop=pb.DROP_EVIDENCE_SEEN)
        return self.heard(
            seq, vend_success=pb.VendSuccess(vend_id=vend_id, evidence=evidence), **more
        )

    def refused(self, seq: int = 3, vend_id: str = "v1", **more: Any) -> "Tale":
        failure = pb.VendFailure(
            vend_id=vend_id,
            cause=pb.VEND_FAILURE_CAUSE_NOT_WAITING,
            evidence=pb.Evidence(motor=pb.MOTOR_EVIDENCE_NOT_RUN),
        )
        return self.heard(seq, vend_failure=failure, **more)

    @property
    def seen(self) -> Recording:
        return Recording(self.moments)
