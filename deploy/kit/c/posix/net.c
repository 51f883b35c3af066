#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 840 }; /* a multiple of any small number of them */

#ifdef KIT_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

static SSL_CTX *context;

const char *net_use_tls(const char *ca, const char *certificate, const char *key) {
  static const unsigned char alpn[] = "\x02h2";
  context = SSL_CTX_new(TLS_client_method());
  if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    return "TLS cannot be set up";
  }
  if (SSL_CTX_load_verify_locations(context, ca, NULL) != 1) {
    return "the file of --ca cannot be read";
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1) != 0) {
    return "HTTP/2 cannot be asked for";
  }
  if (certificate != NULL &&
      (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 || key == NULL ||
       SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)) {
    return "the files of --cert and --key do not belong together";
  }
  return NULL;
}

bool net_has_tls(void) { return context != NULL; }

/* The name, or the address, must be the certificate's. */
static bool begin_tls(struct net *net, const char *host) {
  SSL *tls = SSL_new(context);
  net->tls = tls;
  if (tls == NULL || SSL_set_fd(tls, net->socket) != 1) {
    return false;
  }
  X509_VERIFY_PARAM *wanted = SSL_get0_param(tls);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host) != 1 &&
      (SSL_set1_host(tls, host) != 1 || SSL_set_tlsext_host_name(tls, host) != 1)) {
    return false;
  }
  SSL_set_connect_state(tls);
  return true;
}

static long judged(struct net *net, int done) {
  if (done > 0) {
    return done;
  }
  switch (SSL_get_error(net->tls, done)) {
  case SSL_ERROR_WANT_READ:
    return 0;
  case SSL_ERROR_WANT_WRITE:
    net->wants_write = true;
    return 0;
  default:
    return -1;
  }
}
#else
const char *net_use_tls(const char *ca, const char *certificate, const char *key) {
  (void)ca, (void)certificate, (void)key;
  return "this program was built without TLS";
}

bool net_has_tls(void) { return false; }
#endif

/* The next address of the name at each try: the first one may lead nowhere. */
static const struct addrinfo *next_of(const struct addrinfo *found) {
  static unsigned tries;
  const struct addrinfo *next = found;
  for (unsigned i = tries++ % ADDRESSES_MAX; i > 0; i--) {
    next = next->ai_next != NULL ? next->ai_next : found;
  }
  return next;
}

bool net_open(struct net *net, const char *host, const char *port) {
  const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo *all = NULL;
  *net = (struct net){.socket = -1};
  if (getaddrinfo(host, port, &hints, &all) != 0) {
    return false;
  }
  const struct addrinfo *found = next_of(all);
  net->socket = socket(found->ai_family, SOCK_STREAM, 0);
  const int one = 1;
  bool good = net->socket >= 0 && fcntl(net->socket, F_SETFL, O_NONBLOCK) == 0 &&
              fcntl(net->socket, F_SETFD, FD_CLOEXEC) == 0 &&
              setsockopt(net->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0;
  if (good && connect(net->socket, found->ai_addr, found->ai_addrlen) != 0) {
    good = net->connecting = errno == EINPROGRESS;
  }
  freeaddrinfo(all);
#ifdef KIT_TLS
  good = good && (context == NULL || begin_tls(net, host));
#endif
  if (!good) {
    net_close(net);
  }
  return good;
}

void net_close(struct net *net) {
#ifdef KIT_TLS
  SSL_free(net->tls);
#endif
  net->tls = NULL;
  if (net->socket >= 0) {
    (void)close(net->socket);
  }
  net->socket = -1;
}

static long plain(ssize_t done) {
  return done > 0 ? (long)done : done < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* Whether the connection has been made by now; false with `gone` if it cannot be. */
static bool made(struct net *net, bool *gone) {
  int error = 0;
  socklen_t size = sizeof error;
  struct sockaddr_storage peer;
  socklen_t peer_size = sizeof peer;
  *gone = getsockopt(net->socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0;
  if (*gone || getpeername(net->socket, (struct sockaddr *)&peer, &peer_size) != 0) {
    return false;
  }
  net->connecting = false;
  return true;
}

long net_read(struct net *net, uint8_t *to, size_t size) {
  bool gone = false;
  if (net->connecting && !made(net, &gone)) {
    return gone ? -1 : 0;
  }
#ifdef KIT_TLS
  if (net->tls != NULL) {
    ERR_clear_error(); /* what the other line left there would be taken for this one's */
    return judged(net, SSL_read(net->tls, to, (int)size));
  }
#endif
  return plain(recv(net->socket, to, size, 0));
}

long net_write(struct net *net, const uint8_t *from, size_t size) {
  bool gone = false;
  if (net->connecting && !made(net, &gone)) {
    return gone ? -1 : 0;
  }
#ifdef KIT_TLS
  if (net->tls != NULL) {
    ERR_clear_error();
    return judged(net, SSL_write(net->tls, from, (int)size));
  }
#endif
  return plain(send(net->socket, from, size, MSG_NOSIGNAL));
}
