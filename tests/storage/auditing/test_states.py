"""Machines' states: whoever changes one, or a row that it holds open, is seen."""

from collections.abc import Callable

import pytest

from tests.storage.auditing.damages import Damage, names, seen

DAMAGES = (
    Damage(
        check="states_hold",
        sql=(
            "UPDATE machine_states SET body = replace(body, '\"closed_trades\":[', "
            '\'"closed_trades":["VM-2-t1",\') WHERE '
            "machine_id = 'VM-2'"
        ),
        sentence="machine VM-2: its state does not hold: a trade is open or closed, not both",
    ),
    Damage(
        check="states_hold",
        sql=(
            "UPDATE machine_states SET body = replace(body, ',10,5]', ',10,50]') WHERE "
            "machine_id = 'VM-2'"
        ),
        sentence="holds 50 of 10",
        companions=frozenset({"stock_is_what_is_in_the_column"}),
    ),
    Damage(
        check="states_hold",
        sql="UPDATE machine_states SET body = 'gone', phase = 'DISABLED' WHERE machine_id = 'VM-3'",
        sentence="machine VM-3: its state (format 1) cannot be read",
    ),
    Damage(
        check="states_hold",
        sql="UPDATE machine_states SET phase = 'DISABLED' WHERE machine_id = 'VM-3'",
        sentence="its row says phase DISABLED, its state ENABLED",
    ),
    Damage(
        check="states_hold",
        sql="UPDATE machine_states SET active = 0 WHERE machine_id = 'VM-2'",
        sentence="its row says that nothing is open",
    ),
    Damage(
        check="states_hold",
        sql="UPDATE machines SET revision = 0 WHERE machine_id = 'VM-1'",
        sentence="its state knows revision 1, the registry only 0",
    ),
    Damage(
        check="what_is_open_is_in_the_state",
        sql="UPDATE vends SET product = 'gold' WHERE vend_id = 'VM-2-v1'",
        sentence=(
            "vend VM-2-v1 of machine VM-2: product is 'gold' in its row and 'cola' in the state"
        ),
    ),
    Damage(
        check="what_is_open_is_in_the_state",
        sql="UPDATE trades SET status = 'OPEN' WHERE trade_id = 'VM-1-t1'",
        sentence="trade VM-1-t1 is open, but not in the state of machine VM-1",
    ),
    Damage(
        check="what_is_open_is_in_the_state",
        sql="UPDATE trades SET status = 'CLOSED' WHERE trade_id = 'VM-1-t3'",
        sentence=(
            "the state of machine VM-1 holds trade VM-1-t3 open, and there is no such open row"
        ),
    ),
    Damage(
        check="what_is_open_is_in_the_state",
        sql="UPDATE machine_commands SET status = 'SENT' WHERE command_id = 'c4'",
        sentence="command c4 is open, but not in the state of machine VM-4",
    ),
    Damage(
        check="nothing_was_taken_out",
        sql="DELETE FROM vends WHERE vend_id = 'VM-1-v3'",
        sentence="machine VM-1 has counted 4 vends, and there are 3",
    ),
    Damage(
        check="planograms_fit",
        sql=(
            "UPDATE planogram_columns SET stock = 11 WHERE machine_id = 'VM-1' AND \"column\" = "
            "'A2'"
        ),
        sentence="column A2 of machine VM-1 holds 11 of 10 at 300",
    ),
)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """The check that is for it tells of it, and its sentence says what and how much."""
    await seen(spoilt, one)
