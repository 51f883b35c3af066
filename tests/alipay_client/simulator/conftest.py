"""A world for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.alipay_client.simulator.merchant import World, world


@pytest_asyncio.fixture(name="here")
async def a_world() -> AsyncIterator[World]:
    """A pretend Alipay with a book that ends with it, and a merchant at noon GMT+8."""
    made = world()
    yield made
    await made.alipay.close()
