#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int receive_exactly(int fd, void *buffer, size_t length) {
  for (size_t have = 0; have < length;) {
    ssize_t got = recv(fd, (char *)buffer + have, length - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = ECONNRESET;
    if (got <= 0) return -1;
    have += got;
  }
  return 0;
}

static int send_exactly(int fd, const void *bytes, size_t length) {
  ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
  if (sent >= 0 && (size_t)sent != length) errno = EIO;
  return sent == (ssize_t)length ? 0 : -1;
}

/* RFC 1928 section 3, without authentication. */
static int socks5_greet(int fd) {
  unsigned char reply[2];
  if (send_exactly(fd, "\x05\x01\x00", 3) || receive_exactly(fd, reply, 2)) return -1;
  if (reply[0] != 5 || reply[1] != 0) return errno = EPROTO, -1;
  return 0;
}

/* RFC 1928 sections 4 and 6. */
int socks5_request(int fd, int command, int port) {
  unsigned char reply[262], address = command == 1 ? 127 : 0, host = command == 1;
  unsigned char request[] = {5, command, 0, 1, address, 0, 0, host, port >> 8, port & 255};
  if (send_exactly(fd, request, sizeof request) || receive_exactly(fd, reply, 5)) return -1;
  if (reply[0] != 5 || reply[1] != 0) {
    fprintf(stderr, "Cannot connect: the proxy answers with SOCKS5 reply %d\n", reply[1]);
    return errno = ECONNREFUSED, -1;
  }
  size_t length = reply[3] == 1 ? 4 : reply[3] == 4 ? 16 : reply[3] == 3 ? 1 + reply[4] : 0;
  if (!length) return errno = EPROTO, -1;
  length -= 1; /* one byte of it is already here */
  if (receive_exactly(fd, reply, length + 2)) return -1;
  return reply[length] << 8 | reply[length + 1];
}

enum { ETHERNET_SEGMENT_BYTES = 1448 };

static int is_small;

/*
 * Segments on loopback have 64 KiB, and Linux gives a sender room for twenty of them and more: with
 * 200 streams that stand still hundreds of megabytes would rest in the kernel, enough for it to slow
 * down everybody's TCP. By a network's segments it is a twentieth.
 */
void dial_small(void) { is_small = 1; }

/* Keeps the reason of the failure. */
static int close_failed(int fd) {
  int reason = errno;
  close(fd);
  errno = reason;
  return -1;
}

static int dial_port(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0) return -1;
  struct timeval patience = {.tv_sec = SOCKET_TIMEOUT_S};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (is_small) {
    int segment = ETHERNET_SEGMENT_BYTES, buffer = STILL_BUFFER_BYTES;
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  }
  struct sockaddr_in address = {
      .sin_family = AF_INET,
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
      .sin_port = htons(port),
  };
  if (!connect(fd, (struct sockaddr *)&address, sizeof address)) return fd;
  return close_failed(fd);
}

int dial_proxy(int proxy_port) {
  int fd = dial_port(proxy_port);
  return fd < 0 || !socks5_greet(fd) ? fd : close_failed(fd);
}

int dial(int proxy_port, int target_port) {
  if (!proxy_port) return dial_port(target_port);
  int fd = dial_proxy(proxy_port);
  return fd < 0 || socks5_request(fd, 1, target_port) >= 0 ? fd : close_failed(fd);
}

int dial_control(const struct options *options) {
  char mode = MODE_CONTROL;
  int fd = dial_port(options->control_port ? options->control_port : options->target_port);
  if (fd < 0 || send(fd, &mode, 1, MSG_NOSIGNAL) != 1) fail("dial the target");
  return fd;
}

struct counts ask(int control, char question) {
  struct counts counts;
  errno = ECONNRESET; /* what an early end amounts to; recv() does not set it then */
  if (send(control, &question, 1, MSG_NOSIGNAL) != 1 ||
      recv(control, &counts, sizeof counts, MSG_WAITALL) != sizeof counts) {
    fail("ask the target");
  }
  return counts;
}

/* Sends a request and awaits the same bytes; `mode` goes in front of it unless it is 0. */
int echo_once(int fd, int mode) {
  unsigned char request[1 + PING_BYTES], answer[PING_BYTES];
  request[0] = mode;
  for (int i = 0; i < PING_BYTES; i++) request[1 + i] = 'A' + i;
  if (send_exactly(fd, request + !mode, PING_BYTES + !!mode)) return -1;
  if (receive_exactly(fd, answer, sizeof answer)) return -1;
  if (memcmp(answer, request + 1, sizeof answer)) return errno = EBADMSG, -1;
  return 0;
}
