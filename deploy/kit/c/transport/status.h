/* What a gRPC status says for programs: how long not to call, and why it ended. */
#ifndef KIT_STATUS_H
#define KIT_STATUS_H

#include <stddef.h>
#include <stdint.h>

struct kit_status {
  int code;                /* of gRPC */
  char message[160];       /* for people, cut */
  char reason[48];         /* google.rpc.ErrorInfo.reason, for example UNKNOWN_MACHINE; or empty */
  uint32_t retry_after_ms; /* google.rpc.RetryInfo, at most an hour */
};

/* Read a header of the status. What is not one of it, or makes no sense, changes nothing. */
void kit_status_header(struct kit_status *status, const char *name, size_t name_size,
                       const char *value, size_t size);

#endif
