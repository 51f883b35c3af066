"""A load that was cut off when its goods had left the van."""

from actors.machine.goods import SUPPLIER, loading_place
from storage.database.engine import Database
from storage.office.deeds import Deed
from storage.office.goods import Errand, Goods, GoodsLine
from storage.office.product_content import ProductContent
from storage.office.products import Products

VAN, LOADING = "VAN:7", loading_place("0f")


async def cut_off_between_van_and_column(db: Database, at_ms: int = 0) -> None:
    """Have three of ten cola wait for column A1 of VM-1."""
    by = Deed(actor="ann", action="LoadColumn", now_ms=at_ms)
    await Products(db).create("cola", ProductContent(), by)
    ten, three = (GoodsLine(product="cola", lot="L1", quantity=number) for number in (10, 3))
    goods = Goods(db)
    await goods.carry(Errand(cause="r", from_place=SUPPLIER, to_place=VAN, lines=[ten]), by)
    await goods.carry(
        Errand(
            cause="0f:A1:load-1",
            from_place=VAN,
            to_place=LOADING,
            lines=[three],
            machine_id="VM-1",
        ),
        by,
    )
