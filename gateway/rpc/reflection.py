"""Server reflection: what lets grpcurl and buf curl call a server without its .proto files.

Flows in: the services of one listener. Flows out: handlers for ``grpc.reflection.v1`` (what tools
ask first) and ``v1alpha`` (what grpcio has). Both speak of that listener's own services only, and
of the error details that may come back in a status.
"""

import functools
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

ALPHA_NAME: str = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name
NAME = "grpc.reflection.v1.ServerReflection"

_ALPHA_PACKAGE = "grpc.reflection.v1alpha"
_PACKAGE = "grpc.reflection.v1"


def v1_file() -> descriptor_pb2.FileDescriptorProto:
    """Return ``grpc/reflection/v1/reflection.proto``: v1alpha's, message for message, under the
    other package.
    """
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = _PACKAGE
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = _renamed(field.type_name)
    for service in file.service:
        for method in service.method:
            method.input_type = _renamed(method.input_type)
            method.output_type = _renamed(method.output_type)
    return file


def _renamed(type_name: str) -> str:
    return type_name.replace(f".{_ALPHA_PACKAGE}.", f".{_PACKAGE}.")


def handlers(
    files: Iterable[FileDescriptor],
) -> tuple[tuple[str, ...], tuple[grpc.GenericRpcHandler, ...]]:
    """Return the names of all services, reflection included, and the handlers that tell of them."""
    described = tuple(files)
    own = [
        cast("FileDescriptor", file)
        for file in (reflection_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR)
    ]
    pool = _pool((*described, *own))
    names = tuple(
        service.full_name for file in described for service in file.services_by_name.values()
    )
    names = (*names, NAME, ALPHA_NAME)
    servicer = aio.ReflectionServicer(names, pool=_Members(pool))
    # v1 is v1alpha byte for byte, so one method serves both.
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    tables = tuple(
        grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})
        for name in (NAME, ALPHA_NAME)
    )
    return names, tables


class _Members:
    """A pool that also finds the file of a method, a field, a oneof or an enum's value, by the
    thing that it belongs to: protobuf's own pool knows the names of things alone, and
    ``grpcurl describe`` asks for a method.
    """

    def __init__(self, pool: descriptor_pool.DescriptorPool) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 - protobuf's name
        """Return the symbol's file. Raises KeyError if there is no such symbol."""
        with suppress(KeyError):
            return self._pool.FindFileContainingSymbol(symbol)
        owner, _, member = symbol.rpartition(".")
        file = self._pool.FindFileContainingSymbol(owner)
        if member not in _member_names(self._pool, owner):
            raise KeyError(symbol)
        return file


def _member_names(pool: descriptor_pool.DescriptorPool, owner: str) -> set[str]:
    """Return the names of what a service, a message or an enum holds and is no thing of its own."""
    with suppress(KeyError):
        return set(pool.FindServiceByName(owner).methods_by_name)
    with suppress(KeyError):
        message = pool.FindMessageTypeByName(owner)
        return {*message.fields_by_name, *message.oneofs_by_name}
    with suppress(KeyError):
        return set(pool.FindEnumTypeByName(owner).values_by_name)
    return set()


@functools.lru_cache(maxsize=8)
def _pool(files: tuple[FileDescriptor, ...]) -> descriptor_pool.DescriptorPool:
    """A pool of these files, all that they import and reflection's own, and of nothing else in this
    process. It is only read, so servers of the same services share one.
    """
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name in added:
            return
        added.add(file.name)
        for imported in file.dependencies:
            add(imported)
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        pool.Add(proto)

    for file in files:
        add(file)
    pool.Add(v1_file())
    return pool
