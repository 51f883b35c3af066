/* The same of one line, which needs nghttp2's headers. */
#include "call.h"

extern const char kit_size_of_line[sizeof(struct kit_call)];
const char kit_size_of_line[sizeof(struct kit_call)] = {1};
