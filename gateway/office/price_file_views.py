"""What became of a price list's file, as an administrator reads it. Pure and total."""

from collections import Counter

from gateway.office.price_calls import ImportedPrices
from gateway.office.v1 import price_service_pb2 as wire
from gateway.office.v1 import product_service_pb2
from gateway.office.v1.product_service_pb2 import (
    IMPORT_RESULT_CHANGED,
    IMPORT_RESULT_CREATED,
    IMPORT_RESULT_REFUSED,
    IMPORT_RESULT_UNCHANGED,
)
from gateway.office.views import LINES_SHOWN_MAX, PROBLEMS_SHOWN_MAX, SAID_LENGTH_MAX, price_list
from gateway.process.texts import plain
from storage.office.price_files import PriceOutcome


def imported(done: ImportedPrices) -> wire.ImportPricesResponse:
    """Return what became of a file, line by line."""
    outcomes = iter(done.outcomes)
    shown, counts = [], Counter[product_service_pb2.ImportResult.ValueType]()
    for line in done.lines:
        outcome = None if line.wish is None else next(outcomes)
        problems = line.problems[:PROBLEMS_SHOWN_MAX]
        if outcome is not None and outcome.problem:
            problems = (*problems, outcome.problem)
        result = IMPORT_RESULT_REFUSED if problems or outcome is None else _result(outcome)
        counts[result] += 1
        if result != IMPORT_RESULT_UNCHANGED:
            shown.append(
                product_service_pb2.ImportLine(
                    line=line.number,
                    product=plain(line.product)[:SAID_LENGTH_MAX],
                    result=result,
                    difference="" if outcome is None else plain(outcome.said)[:SAID_LENGTH_MAX],
                    problems=[
                        plain(one)[:SAID_LENGTH_MAX] for one in problems[:PROBLEMS_SHOWN_MAX]
                    ],
                )
            )
    shown.sort(key=lambda line: line.result != IMPORT_RESULT_REFUSED)
    return wire.ImportPricesResponse(
        price_list=price_list(done.price_list),
        lines=shown[:LINES_SHOWN_MAX],
        created=counts[IMPORT_RESULT_CREATED],
        changed=counts[IMPORT_RESULT_CHANGED],
        unchanged=counts[IMPORT_RESULT_UNCHANGED],
        refused=counts[IMPORT_RESULT_REFUSED],
    )


def _result(outcome: PriceOutcome) -> product_service_pb2.ImportResult.ValueType:
    if not outcome.said:
        return IMPORT_RESULT_UNCHANGED
    nothing = outcome.before is None or outcome.before.price_minor is None
    return IMPORT_RESULT_CREATED if nothing else IMPORT_RESULT_CHANGED
