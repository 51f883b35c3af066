"""A change of a product sets what it names."""

from storage.office.product_content import ProductChange, ProductContent, difference

COLA = ProductContent(names={"en": "Cola", "de": "Kola"}, category="drinks", shelf_life_days=9)


def test_nothing_named_is_nothing_changed() -> None:
    """An empty change leaves all of it."""
    assert COLA == ProductChange().of(COLA)
    assert "" == difference(COLA, ProductChange().of(COLA))


def test_all_names_or_single_ones() -> None:
    """All of them are replaced; single ones are set beside the others; an empty one goes."""
    assert {"fr": "Coca"} == ProductChange(names={"fr": "Coca"}).of(COLA).names
    some = ProductChange(some_names={"fr": "Coca", "de": ""})
    assert {"en": "Cola", "fr": "Coca"} == some.of(COLA).names


def test_a_difference_names_both_sides() -> None:
    """In the words of the audit log; a cost of 0 is not none."""
    after = ProductChange(plain={"unit_cost_minor": 0, "category": ""}).of(COLA)
    assert "category 'drinks' -> none; unit_cost_minor none -> 0" == difference(COLA, after)
