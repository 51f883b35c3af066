"""Who is denied, as a gateway knows it."""

from gateway.rpc.denylist import Denylist


def test_each_kind_is_held_against_its_own() -> None:
    """A person who is called as a machine is none."""
    denied = Denylist()
    assert denied.set([("MACHINE", "VM-1", ""), ("PERSON", "ann", ""), ("CERTIFICATE", "4f", "")])
    assert [True, False, True] == [
        denied.machine("VM-1"),
        denied.machine("ann"),
        denied.machine("VM-2", "4f"),
    ]
    assert [True, False, True] == [
        denied.person("x", "ann"),
        denied.person("VM-1"),
        denied.person("bob", serial="4f"),
    ]


def test_a_number_that_is_denied_as_one_machines_is_another_ones_to_use() -> None:
    """Another machine's, whose CA gave it the same number, and a person's."""
    denied = Denylist()
    assert denied.set([("CERTIFICATE", "1", "VM-1")])
    assert [True, False, False] == [
        denied.machine("VM-1", "1"),
        denied.machine("VM-1", "2"),
        denied.machine("VM-2", "1"),
    ]
    assert not denied.person("ann", serial="1")
    assert denied.set([("CERTIFICATE", "1", "VM-2")])
    assert denied.set([("CERTIFICATE", "1", "")])
    assert denied.person("ann", serial="1")


def test_nobody_is_denied_who_has_no_name() -> None:
    """Neither without any denial, nor among others'."""
    denied = Denylist()
    assert not denied.set([])
    denied.set([("MACHINE", "VM-1", ""), ("CERTIFICATE", "4f", ""), ("PERSON", "ann", "")])
    assert not denied.machine("", "")
    assert not denied.person("", serial="")


def test_it_says_whether_anything_changed() -> None:
    """So that doors are asked to close somebody only when there may be somebody."""
    denied = Denylist()
    assert denied.set([("MACHINE", "VM-1", "")])
    assert not denied.set([("MACHINE", "VM-1", "")])
    assert denied.set([])
    assert not denied.machine("VM-1")
