"""Pictures are counted in whole numbers, and what is not known is drawn as nothing."""

from gateway.web.charts import (
    BAR_LENGTH,
    DOT_MAX,
    DOT_MIN,
    MAP_HEIGHT,
    MAP_WIDTH,
    bars,
    dots,
    shelf,
    short,
)


def test_bars_share_one_scale() -> None:
    """The longest is as long as may be; nothing known has no bar, and zero an empty one."""
    drawn = bars(
        [("a", 200, "200"), ("b", 50, "50"), ("c", 0, "0"), ("d", None, "?"), ("e", -5, "-5")]
    )
    assert [BAR_LENGTH, BAR_LENGTH // 4, 0, None, 0] == [one.length for one in drawn]
    assert [0, 0] == [one.length for one in bars([("a", 0, ""), ("b", 0, "")])]
    assert [] == bars([])


def test_a_shelf_has_rows() -> None:
    """Columns stand in the order of their numbers; how full one is is said in a word, too."""
    slots = shelf(
        [("B1", "tea", 0, 5), ("A10", "cola", 9, 9), ("A2", "cola", 1, 9), ("7", "x", 3, 0)]
    )
    assert [
        ("7", 0, 0, "unknown"),
        ("A2", 1, 0, "low"),
        ("A10", 1, 1, "full"),
        ("B1", 2, 0, "empty"),
    ] == [(one.column, one.row, one.place, one.state) for one in slots]
    assert [100] == [one.percent for one in shelf([("A1", "x", 12, 9)])]


def test_a_map_has_north_above_and_east_on_the_right() -> None:
    """All of it is within the picture, in one scale both ways; more machines are a larger dot."""
    places = [
        ("N", "n", 22_300_000, 114_100_000),
        ("S", "s", 22_200_000, 114_100_000),
        ("E", "e", 22_200_000, 114_200_000),
    ]
    north, south, east = dots(places, {"n": 4, "s": 2})
    assert (north.x, south.y) == (south.x, east.y)
    assert north.y < south.y
    assert east.x > south.x
    assert abs((south.y - north.y) - (east.x - south.x)) <= 1
    assert [DOT_MAX, (DOT_MIN + DOT_MAX) // 2, DOT_MIN] == [
        one.size for one in (north, south, east)
    ]
    assert all(0 <= one.x <= MAP_WIDTH and 0 <= one.y <= MAP_HEIGHT for one in (north, south, east))


def test_a_map_of_one_place_or_none() -> None:
    """One stands in the middle; the ends of the earth have room."""
    assert [] == dots([], {})
    (only,) = dots([("P", "p", 0, 0)], {})
    assert (MAP_WIDTH // 2, MAP_HEIGHT // 2) == (only.x, only.y)
    ends = dots([("A", "a", 90_000_000, -180_000_000), ("B", "b", -90_000_000, 180_000_000)], {})
    assert all(0 <= one.x <= MAP_WIDTH and 0 <= one.y <= MAP_HEIGHT for one in ends)


def test_a_long_text_is_cut() -> None:
    """And says so."""
    assert ["abc", "ab…"] == [short("abc", 3), short("abcd", 3)]
