"""Pictures are counted in whole numbers, and what is not known is drawn as nothing."""

from gateway.web.charts import (
    BAR_LENGTH,
    COLUMN_HEIGHT,
    DOT_MAX,
    DOT_MIN,
    HEAT_LEVELS,
    MAP_HEIGHT,
    MAP_WIDTH,
    SPARK_HEIGHT,
    Band,
    band,
    bars,
    dots,
    heat,
    outlines,
    pairs,
    ranges,
    shelf,
    short,
    spark,
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


def test_cells_and_sites_are_on_one_picture() -> None:
    """A site in the middle of a cell is drawn there, however far the cell reaches beyond it."""
    corners = [(10_000, 0), (0, 10_000), (-10_000, 0), (0, -10_000)]
    (dot,) = dots([("P", "p", 0, 0)], {}, around=corners)
    (drawn,) = outlines([("hot", "a7 is hot", corners)], around=[(0, 0)])
    north, east, south, west = (tuple(map(int, at.split(","))) for at in drawn.points.split())
    assert ("hot", "a7 is hot") == (drawn.label, drawn.said)
    assert (dot.x, dot.y) == ((west[0] + east[0]) // 2, (north[1] + south[1]) // 2)
    assert all(0 <= x <= MAP_WIDTH and 0 <= y <= MAP_HEIGHT for x, y in (north, east, south, west))
    assert [] == outlines([])


def test_a_long_text_is_cut() -> None:
    """And says so."""
    assert ["abc", "ab…"] == [short("abc", 3), short("abcd", 3)]


def test_the_most_is_the_darkest() -> None:
    """Something is never drawn as nothing, and what is given back is no darker for it."""
    cells = heat({(1, 9): (100, "a"), (7, 0): (1, "b"), (2, 3): (-5, "c")})
    assert [(0, 9, HEAT_LEVELS), (1, 3, 1), (6, 0, 1)] == [
        (one.row, one.hour, one.level) for one in cells
    ]
    assert [1] == [one.level for one in heat({(1, 0): (0, "")})]
    assert [] == heat({})


def test_pairs_share_one_scale() -> None:
    """What is not known has no height."""
    drawn = pairs([(50, 100, "a"), (None, 0, "b"), (-3, None, "c")])
    assert [(COLUMN_HEIGHT // 2, COLUMN_HEIGHT), (None, 0), (0, None)] == [
        (one.now, one.before) for one in drawn
    ]
    assert [(0, None)] == [(one.now, one.before) for one in pairs([(0, None, "")])]


def test_a_band_begins_at_nothing() -> None:
    """And is as long as the most."""
    assert Band(now=BAR_LENGTH // 4, low=0, middle=BAR_LENGTH // 2, high=BAR_LENGTH) == band(
        25, -3, 50, 100
    )
    assert BAR_LENGTH == band(100, 1, 2, 3).now
    assert 0 == band(0, 0, 0, 0).high


def test_a_small_picture_has_a_stroke_for_each_day_of_which_something_is_known() -> None:
    """The most is as high as may be, the least is seen, nothing known has none."""
    assert f"M1 22v-{SPARK_HEIGHT}M7 22v-1M10 22v-1" == spark([900, None, 1, 0])
    assert "" == spark([None, None])
    assert "M1 22v-1M4 22v-1" == spark([0, -5])


def test_ranges_are_left_and_right_of_nothing() -> None:
    """In one scale, the largest at the end."""
    one, other = ranges([("a", (-100, 50, 200), "x"), ("b", (0, 0, 0), "y")])
    half = BAR_LENGTH // 2
    assert (half - half // 2, half + half // 4, BAR_LENGTH) == (one.low, one.middle, one.high)
    assert (half, half, half) == (other.low, other.middle, other.high)
    assert [] == ranges([])
