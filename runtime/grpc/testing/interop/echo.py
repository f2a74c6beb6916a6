"""The service of echo.ts on grpcio.

echo.py serve             prints its port, and serves until its standard input ends
echo.py call PORT [gzip]  makes calls of every kind, and prints their outcomes
"""

import base64
import concurrent.futures
import json
import sys
import threading
import time

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2, status_pb2

LONG = "x" * 20_000
READ = StringValue.FromString
WRITE = StringValue.SerializeToString


def serve():
    lock = threading.Lock()
    stopped = 0

    def one(request, context):
        nonlocal stopped
        asked = dict(context.invocation_metadata())
        if request.value == "fail":
            detail = Any()
            detail.Pack(error_details_pb2.BadRequest(field_violations=[{"field": "id", "description": "nein, größer"}]))
            status = status_pb2.Status(code=3, message="100 % größer", details=[detail])
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "100 % größer")
        if request.value == "stopped":
            return StringValue(value=str(stopped))
        if request.value == "wait":
            over = threading.Event()
            if context.add_callback(over.set):
                over.wait()
            with lock:
                stopped += 1
            return StringValue()
        context.send_initial_metadata((("x-head", asked.get("x-asked", "")),))
        context.set_trailing_metadata((("x-bytes-bin", asked.get("x-bytes-bin", b"")),))
        return request

    def many(request, _context):
        for i in range(int(request.value)):
            yield StringValue(value=f"{i} {LONG}")

    def total(requests, _context):
        values = [request.value for request in requests]
        return StringValue(value=f"{len(values)} messages of {sum(map(len, values))}")

    def chat(requests, _context):
        for request in requests:
            yield StringValue(value=request.value.upper())

    coded = {"request_deserializer": READ, "response_serializer": WRITE}
    handlers = {
        "One": grpc.unary_unary_rpc_method_handler(one, **coded),
        "Many": grpc.unary_stream_rpc_method_handler(many, **coded),
        "Sum": grpc.stream_unary_rpc_method_handler(total, **coded),
        "Chat": grpc.stream_stream_rpc_method_handler(chat, **coded),
    }
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(10), compression=grpc.Compression.Gzip)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("testing.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(0)


def call(port, compression):
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", compression=compression)
    coded = {"request_serializer": WRITE, "response_deserializer": READ}
    one = channel.unary_unary("/testing.Echo/One", **coded)
    many = channel.unary_stream("/testing.Echo/Many", **coded)
    total = channel.stream_unary("/testing.Echo/Sum", **coded)
    chat = channel.stream_stream("/testing.Echo/Chat", **coded)

    metadata = (("x-asked", "yes"), ("x-bytes-bin", bytes([0, 255, 7])))
    answer, info = one.with_call(StringValue(value=LONG), metadata=metadata)
    listed = list(many(StringValue(value="100")))
    summed = total(StringValue(value=LONG) for _ in range(20))

    answered = threading.Semaphore(1)

    def turns():
        for value in "abc":
            answered.acquire()
            yield StringValue(value=value)

    said = []
    for message in chat(turns()):
        said.append(message.value)
        answered.release()

    def failed(value, **options):
        pending = one.future(StringValue(value=value), **options)
        if not options:
            threading.Timer(0.3, pending.cancel).start()
        try:
            pending.result()
        except grpc.FutureCancelledError:
            pass
        except grpc.RpcError:
            pass
        return pending

    error = failed("fail", timeout=60)
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    detail = error_details_pb2.BadRequest()
    status.details[0].Unpack(detail)
    deadline = failed("wait", timeout=0.3)
    cancelled = failed("wait")
    stopped = "0"
    for _ in range(100):
        stopped = one(StringValue(value="stopped")).value
        if stopped == "2":
            break
        time.sleep(0.02)
    json.dump(
        {
            "one": [
                answer.value,
                dict(info.initial_metadata())["x-head"],
                base64.b64encode(dict(info.trailing_metadata())["x-bytes-bin"]).decode(),
            ],
            "many": [len(listed), listed[-1].value],
            "sum": summed.value,
            "chat": said,
            "error": [error.code().value[0], error.details(), detail.field_violations[0].field],
            "deadline": deadline.code().value[0],
            "cancelled": cancelled.code().value[0],
            "stopped": stopped,
        },
        sys.stdout,
    )


if sys.argv[1] == "serve":
    serve()
else:
    call(sys.argv[2], grpc.Compression.Gzip if sys.argv[3:] == ["gzip"] else grpc.Compression.NoCompression)
