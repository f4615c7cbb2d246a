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

static int receive_exactly(int fd, void *buffer, size_t length) {
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

/* RFC 1928 without authentication, one round trip for each of its two steps. */
static int socks5_connect(int fd, int target_port) {
  unsigned char reply[262];
  if (send_exactly(fd, "\x05\x01\x00", 3) || receive_exactly(fd, reply, 2)) return -1;
  if (reply[0] != 5 || reply[1] != 0) return errno = EPROTO, -1;

  unsigned char request[] = {5, 1, 0, 1, 127, 0, 0, 1, target_port >> 8, target_port & 255};
  if (send_exactly(fd, request, sizeof request) || receive_exactly(fd, reply, 5)) return -1;
  if (reply[0] != 5 || reply[1] != 0) {
    fprintf(stderr, "Cannot connect: the proxy answers with SOCKS5 reply %d\n", reply[1]);
    return errno = ECONNREFUSED, -1;
  }
  size_t address = reply[3] == 1 ? 4 : reply[3] == 4 ? 16 : reply[3] == 3 ? 1 + reply[4] : 0;
  if (!address) return errno = EPROTO, -1;
  return receive_exactly(fd, reply, address - 1 + 2); /* one byte of it is already here */
}

int dial(int proxy_port, int target_port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0) return -1;
  struct timeval patience = {.tv_sec = SOCKET_TIMEOUT_S};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {
      .sin_family = AF_INET,
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
      .sin_port = htons(proxy_port ? proxy_port : target_port),
  };
  int failed = connect(fd, (struct sockaddr *)&address, sizeof address) ||
               (proxy_port && socks5_connect(fd, target_port));
  if (!failed) return fd;
  int reason = errno;
  close(fd);
  errno = reason;
  return -1;
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
