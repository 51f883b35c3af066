/* Firmware in the small: what nanopb makes of the machines' protocol, each message one plain struct.
   Without an argument it prints the sizes of the structs that SIZES names. With "ConnectRequest" or
   "ConnectResponse" it reads such a frame, and writes what it understood; 1 if it had no room for it. */
#include <stdio.h>
#include <string.h>

#include <pb_decode.h>
#include <pb_encode.h>

#include "gateway/v1/machine_service.pb.h"

static union {
    gateway_v1_ConnectRequest request;
    gateway_v1_ConnectResponse response;
} frame;
static pb_byte_t bytes[65536];

int main(int count, char **arguments) {
    if (count == 1) {
#define SIZE(name) printf(#name " %zu\n", sizeof(gateway_v1_##name));
        SIZES
        return 0;
    }
    int asked = strcmp(arguments[1], "ConnectRequest") == 0;
    const pb_msgdesc_t *kind = asked ? gateway_v1_ConnectRequest_fields : gateway_v1_ConnectResponse_fields;
    pb_istream_t in = pb_istream_from_buffer(bytes, fread(bytes, 1, sizeof bytes, stdin));
    if (!pb_decode(&in, kind, &frame)) {
        fprintf(stderr, "%s\n", PB_GET_ERROR(&in));
        return 1;
    }
    pb_ostream_t out = pb_ostream_from_buffer(bytes, sizeof bytes);
    if (!pb_encode(&out, kind, &frame)) {
        return 2;
    }
    return fwrite(bytes, 1, out.bytes_written, stdout) == out.bytes_written ? 0 : 3;
}
