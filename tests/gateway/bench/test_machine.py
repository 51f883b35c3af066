"""A machine of the load keeps the protocol."""

from gateway.bench.load import Load
from gateway.bench.machine import now_s
from tests.gateway.bench.pretend_gateway import pretend_gateway
from tests.support.patience import until


async def test_a_vend_is_four_frames_with_their_numbers() -> None:
    """Hello has none; the wish and the result count on, and acknowledge what was heard."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, ["m"]) as load:
        (machine,) = load.machines
        await load.connect([machine])
        tally = load.count_anew()

        machine.ask(now_s())
        await until(lambda: tally.vends == 1)

        hello, wish, result = gateway.heard
        assert "m" == hello.hello.machine_id
        assert [0, 1, 2] == [frame.seq for frame in gateway.heard]
        assert [0, 1, 2] == [frame.ack for frame in gateway.heard]
        assert wish.vend_request.request_id.startswith(hello.hello.boot_id)
        assert "v-1" == result.vend_success.vend_id
        assert (1, 1) == (len(tally.approvals), len(tally.results))
        assert machine.idle


async def test_a_refusal_frees_the_machine_and_is_counted() -> None:
    """It is no vend."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, ["m"]) as load:
        (machine,) = load.machines
        await load.connect([machine])
        gateway.deny = 1
        tally = load.count_anew()

        machine.ask(now_s())
        await until(lambda: machine.idle)

        assert {"BUSY": 1} == tally.denied
        assert 0 == tally.vends


async def test_a_heartbeat_has_no_number() -> None:
    """The next wish is still the first numbered frame."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, ["m"]) as load:
        (machine,) = load.machines
        await load.connect([machine])

        machine.beat()
        machine.ask(now_s())
        await until(lambda: len(gateway.heard) >= 3)

        assert ["hello", "heartbeat", "vend_request"] == [
            frame.WhichOneof("payload") for frame in gateway.heard[:3]
        ]
        assert [0, 0, 1] == [frame.seq for frame in gateway.heard[:3]]
