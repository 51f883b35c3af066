"""Secrets that an operator exchanged, given to the parts of a gateway that use them.

Flows in: the settings as their files say them by now. Flows out: nothing; the next notification is
proved, the next payer found and the next certificate signed with what is new.
"""

from gateway.process.configs import Configs
from gateway.process.refusals import SettingsRefused
from gateway.serving.assemble import Gateway
from gateway.trust.authority import CannotIssue
from gateway.trust.enrolling import issuer_of


def use(gateway: Gateway, made: Configs) -> None:
    """Use the keys, salts and the issuing CA of ``made`` from now on, all of them or none. Raises
    SettingsRefused.
    """
    if gateway.certificates is not None and made.enrolment is not None:
        try:
            issuer = issuer_of(made.enrolment, made.spiffe_domain)
        except CannotIssue as error:
            raise SettingsRefused((f"{error}.",)) from None
        gateway.certificates.enrolling.issuer = issuer
    gateway.ingress.use(made.keys, salt=made.payer_salt, other_salts=made.other_payer_salts)
