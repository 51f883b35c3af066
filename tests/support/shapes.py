"""What a type looks like where it is written: to hold today's against that of another day."""

import json
from typing import Any

import msgspec


def shape(info: msgspec.inspect.Type) -> Any:
    """Return what of a type is written, and in which order."""
    match info:
        case msgspec.inspect.StructType():
            fields = [[field.encode_name, shape(field.type)] for field in info.fields]
            return [info.tag, info.array_like, fields]
        case msgspec.inspect.UnionType(types=types) | msgspec.inspect.TupleType(item_types=types):
            return sorted((shape(each) for each in types), key=json.dumps)
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
            return ["many", shape(info.item_type)]
        case msgspec.inspect.EnumType():
            return [each.value for each in info.cls]
        case _:
            return type(info).__name__
