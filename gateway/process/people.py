"""What the settings say of people: which role the name in a certificate has, which tokens are
believed, and what those may who prove nothing.

Flows in: the settings of the administrators' listener. Flows out: ``RolesOf``, and a sentence for
each rule that cannot be. Nothing lets anybody in by being left out, but for the loopback address of
a computer where nobody is asked who they are.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.process.files import Problems
from gateway.process.sections import Admin, AdminTokens, is_loopback_host
from gateway.rpc.roles import NOBODY, Role, Roles, RolesOf, TokenRules


def people(admin: Admin, problems: Problems, *, console_asks: bool = False) -> RolesOf:
    """Return who may do what, and note in ``problems`` what cannot be. ``console_asks``: the pages
    take certificates, whether or not the administrators' listener does.
    """
    for sentence in (*_certificate_problems(admin, console_asks), *_token_problems(admin.tokens)):
        problems.add(sentence)
    proves = asks_for_proof(admin)
    default = NOBODY if proves or not admin.address.loopback else frozenset({Role.OWNER})
    return RolesOf(
        names=admin.roles,
        units=admin.unit_roles,
        unproven=default if admin.unproven_role is None else _role(admin.unproven_role),
        socket=_role(admin.socket_role) if admin.socket_file else NOBODY,
        tokens=_tokens(admin.tokens),
        claims_are_people=not proves,
    )


def asks_for_proof(admin: Admin) -> bool:
    """Return whether people can prove who they are, by a certificate or by a token."""
    return admin.client_ca_file is not None or admin.tokens is not None


def _role(name: str) -> Roles:
    return NOBODY if name == "none" else frozenset({Role(name)})


def _certificate_problems(admin: Admin, console_asks: bool) -> Iterator[str]:
    named = bool(admin.roles or admin.unit_roles)
    if admin.client_ca_file and admin.has_tls and not named and admin.tokens is None:
        yield (
            "admin.client_ca_file asks for certificates, and nothing says what their holders may "
            'do: give admin.roles, for example roles = { ann = "owner" } with the name in the '
            "certificate (its URI, else its common name), or admin.unit_roles."
        )
    if console_asks and not named:
        yield (
            "console.client_ca_file asks for certificates, and nothing says what their holders may "
            "do: give admin.roles or admin.unit_roles, or leave it out: links sign people in."
        )
    if named and not admin.client_ca_file and not console_asks:
        yield (
            "admin.roles and admin.unit_roles are about certificates, and nobody is asked for "
            "one: give admin.client_ca_file or console.client_ca_file, or leave them out."
        )
    if admin.unproven_role not in {None, "none"} and not admin.address.loopback:
        yield (
            f"admin.unproven_role is {admin.unproven_role!r} and admin.listen is {admin.listen}, "
            "which others can reach: whoever does would have that role; leave it out."
        )


def _token_problems(tokens: AdminTokens | None) -> Iterator[str]:
    if tokens is None:
        return
    if (tokens.keys_file is None) == (not tokens.keys_url):
        yield (
            "admin.tokens: give keys_file or keys_url, where the provider's public keys (JWKS) "
            "are, and not both."
        )
    if tokens.keys_url and not _is_safe(tokens.keys_url):
        yield (
            f"admin.tokens.keys_url: {tokens.keys_url!r} must begin with https://; whoever can "
            "change what stands there can be anybody."
        )
    if not tokens.roles:
        yield (
            "admin.tokens.roles is empty, so that no token gives a role: say which role each "
            f"value of the claim {tokens.roles_claim!r} gives, for example "
            'roles = { vending-admins = "owner" }.'
        )


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = parts.scheme == "http" and is_loopback_host(parts.hostname or "")
    return bool(parts.hostname) and parts.username is None and (parts.scheme == "https" or plain)


def _tokens(tokens: AdminTokens | None) -> TokenRules | None:
    return (
        None
        if tokens is None
        else TokenRules(
            issuer=tokens.issuer,
            audience=tokens.audience,
            roles=tokens.roles,
            keys_file=tokens.keys_file,
            keys_url=tokens.keys_url,
            roles_claim=tokens.roles_claim,
            name_claim=tokens.name_claim,
            leeway_s=tokens.leeway_s,
            life_max_s=tokens.life_max_s,
        )
    )
