/* A connection over TCP, with TLS if it was set up: never blocks but for the name's look-up. */
#ifndef POSIX_NET_H
#define POSIX_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net {
  int socket; /* -1: closed */
  bool connecting, wants_write;
  void *tls;
};

/* Use TLS from now on: who signed the gateway's certificate, and the machine's own (or NULL). NULL,
 * or what is wrong. */
const char *net_use_tls(const char *ca, const char *certificate, const char *key);
bool net_has_tls(void);
bool net_open(struct net *net, const char *host, const char *port);
void net_close(struct net *net);
/* Bytes read or written; 0: not now; -1: the connection is gone. */
long net_read(struct net *net, uint8_t *to, size_t size);
long net_write(struct net *net, const uint8_t *from, size_t size);

#endif
