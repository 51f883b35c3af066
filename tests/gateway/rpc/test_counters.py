"""What is counted is there before it happens for the first time."""

import ast
import inspect
from types import ModuleType

import alipay_client.notify
import gateway.alipay.notify
import gateway.serving.http_door
from gateway.rpc.counters import (
    HTTP_DOORS,
    HTTP_ENDINGS,
    NOTIFICATION_REASONS,
    VEND_ANSWERS,
    Counters,
)


def _reasons(module: ModuleType, error: str) -> set[str]:
    """The words that the module raises this error with."""
    calls = (node for node in ast.walk(ast.parse(inspect.getsource(module))) if _is(node, error))
    return {
        word.value
        for call in calls
        for word in call.args[:1]  # type: ignore[attr-defined]  # it is a call
        if isinstance(word, ast.Constant) and isinstance(word.value, str) and word.value
    }


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def test_every_verdict_on_a_notification_is_there_at_zero() -> None:
    """Prometheus sees no increase from nothing to one."""
    registry = Counters().registry
    for verdict, reasons in NOTIFICATION_REASONS.items():
        for reason in reasons:
            labels = {"verdict": verdict, "reason": reason}
            assert 0 == registry.get_sample_value("vendgate_notifications_total", labels), labels


def test_every_reason_of_the_ingress_is_known() -> None:
    """A new refusal of a notification is counted from the start, too."""
    raised = _reasons(gateway.alipay.notify, "Unacceptable")
    raised |= _reasons(alipay_client.notify, "NotificationRefused")
    assert {"bad_signature", "foreign_currency"} <= raised
    assert set() == raised - set(NOTIFICATION_REASONS["refused"])


def test_every_call_is_there_with_every_status() -> None:
    """An alarm on an administrator's failing call hears of the first one."""
    counters = Counters()
    counters.admin_calls.expect(("GetMachine", "ListMachines"), ("OK", "INTERNAL"))
    text = {
        (sample.labels["method"], sample.labels["status"]): sample.value
        for metric in counters.registry.collect()
        for sample in metric.samples
        if sample.name == "vendgate_admin_calls_total"
    }
    assert (
        dict.fromkeys(
            [
                (method, status)
                for method in ("GetMachine", "ListMachines")
                for status in ("OK", "INTERNAL")
            ],
            0.0,
        )
        == text
    )


def test_every_ending_at_a_door_is_there_at_zero() -> None:
    """The door's own words, each of which is counted from the start."""
    tree = ast.parse(inspect.getsource(gateway.serving.http_door))
    said = {
        word.value
        for node in ast.walk(tree)
        if (isinstance(node, ast.Call) and ast.unparse(node.func) in {"self._ended", "self._end"})
        or (isinstance(node, ast.FunctionDef) and node.name == "overdue")
        for part in ([node] if isinstance(node, ast.Call) else node.body[1:])
        for word in ast.walk(part)
        if isinstance(word, ast.Constant) and isinstance(word.value, str) and word.value
    }
    registry = Counters().registry

    assert set(HTTP_ENDINGS) == said
    for door in HTTP_DOORS:
        for reason in HTTP_ENDINGS:
            labels = {"door": door, "reason": reason}
            assert 0 == registry.get_sample_value("vendgate_connections_ended_total", labels)


def test_an_answered_vend_is_timed_by_its_answer() -> None:
    """The other answers are there at 0."""
    counters = Counters()
    counters.vend_answered("approved", 0.25)
    name = "vendgate_vend_answer_seconds"
    got = {
        answer: counters.registry.get_sample_value(f"{name}_sum", {"answer": answer})
        for answer in VEND_ANSWERS
    }

    assert {"approved": 0.25, "denied": 0.0, "payment_asked": 0.0} == got
