"""What a gateway that is ready says to whoever has started it by hand."""

import shlex

from gateway.process.sections import Admin
from gateway.serving.wiring import Addresses

DESK = (
    '{"machine_id":"VM-0001","store_name":"Desk","currency":"HKD","country_code":"HK",'
    '"address":"1 Queens Road","columns":[{"column":"A1","product":"Cola","price_minor":850,'
    '"capacity":10,"stock":10}]}'
)
"""The machine of README's first ten minutes: whoever registers it there too is answered alike."""


def welcome(addresses: Addresses, admin: Admin) -> str:
    """Return what to do with a gateway that listens at ``addresses``; ``admin`` says how
    administrators come in.
    """
    how, where = "-cacert CA.pem -cert YOU.pem -key YOU.key", addresses.admin
    if admin.socket_file is not None:
        how, where = "-plaintext", shlex.quote(f"unix:{admin.socket_file.absolute()}")
    elif not admin.has_tls:
        how = "-plaintext"
    call = f"grpcurl {how} -d '{{}}' {where} gateway.fleet.v1"
    return (
        f"gateway {addresses.gateway_id} is ready\n"
        f"  machines        {addresses.machines}\n"
        f"  administrators  {addresses.admin}\n"
        f"  notifications   {addresses.http}   (/alipay/notify/)\n"
        f"  health          {addresses.health}   (/healthz, /readyz, /metrics)\n"
        f"  console         {addresses.console or 'off'}"
        f"{'   (vendgate console login prints a link)' if addresses.console else ''}\n"
        f"  enrolment       {addresses.enrolment or 'off'}\n"
        f"  Alipay reaches  {addresses.public_url}\n"
        "  hosts           "
        f"{', '.join(f'pid {pid}' for pid in addresses.host_pids) or 'elsewhere'}\n"
        "\n"
        f"  grpcurl {how} {where} list gateway.fleet.v1.FleetService\n"
        f"  {call.replace('{}', DESK)}.FleetService/RegisterMachine\n"
        f"  {call}.FleetService/ListMachines\n"
        f"  {call}.EventService/WatchEvents"
    )
