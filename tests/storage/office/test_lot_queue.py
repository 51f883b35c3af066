"""What of a lot is in a column is what a queue holds from which people take what they read."""

import random
from collections import deque

import pytest

from storage.office.lot_queue import LotMove, left_of


def move(number: int, lot: str, quantity: int) -> LotMove:
    return LotMove(id=number, lot=lot, quantity=quantity)


@pytest.mark.parametrize(
    ("loads", "taken", "stock", "expected"),
    [
        ([("A", 3), ("B", 5)], [], 8, 3),
        ([("A", 3), ("B", 5)], [], 5, 0),
        ([("A", 3), ("B", 5)], [("A", 3)], 5, 0),
        ([("A", 3), ("B", 5)], [("A", 2)], 6, 1),
        ([("B", 5), ("A", 3)], [("A", 3)], 5, 0),
        ([("B", 5), ("A", 3)], [("A", 2)], 6, 1),
        # Nobody said so, but the newer ones were taken out: the older ones are still there.
        ([("A", 3), ("B", 5)], [("B", 5)], 3, 3),
        ([("A", 3)], [], 9, 3),
        ([("A", 3)], [("A", 9)], 2, 0),
        ([], [("A", 1)], 2, 0),
    ],
)
def test_what_was_taken_out_by_its_lot_is_not_there(
    loads: list[tuple[str, int]], taken: list[tuple[str, int]], stock: int, expected: int
) -> None:
    """Wherever in the column it stood; the rest is first in, first out."""
    ins = [move(number, *one) for number, one in enumerate(loads, 1)]
    outs = [move(number, *one) for number, one in enumerate(taken, 10)]
    assert expected == left_of("A", ins, outs, stock)
    assert expected == left_of("A", ins[::-1], outs, stock)


def test_what_came_later_was_not_taken_out_before() -> None:
    """A lot that was taken out and loaded again is there."""
    assert 3 == left_of("A", [move(1, "A", 3), move(3, "A", 3)], [move(2, "A", 3)], 3)


def test_a_queue_of_one_lot_each_says_the_same() -> None:
    """Loads of many lots, sales from the front, and some of a lot taken out by its name, in one
    order of luck.
    """
    luck = random.Random(5)
    queue: deque[str] = deque()
    loads: list[LotMove] = []
    taken: list[LotMove] = []
    for number in range(400):
        what = luck.random()
        if what < 0.3:
            lot = f"L{len(loads)}"
            loads.append(move(number, lot, luck.randint(1, 4)))
            queue.extend([lot] * loads[-1].quantity)
        elif queue and what < 0.9:
            queue.popleft()
        elif queue:
            lot = luck.choice(queue)
            queue.remove(lot)
            taken.append(move(number, lot, 1))
        for load in loads[-9:]:
            assert queue.count(load.lot) == left_of(load.lot, loads, taken, len(queue))
