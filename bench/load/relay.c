/*
 * A link as long and as narrow as wanted, between the two ends of a tunnel: what comes in waits for
 * its turn at `rate`, travels for `delay`, and goes out. All connections share the rate of a
 * direction, first come, first served. The queue in front of the rate is deep, as in many a router at
 * home: once `buffer` of it is full nothing more is read, and senders meet TCP's flow control where a
 * router would drop. By its standard input it is told to break connections, and to refuse new ones.
 */
#define _GNU_SOURCE
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Commands. After REFUSE nobody gets through until OPEN. */
enum { BREAK_BUSIEST = 'b', BREAK_ALL = 'a', REFUSE = 'r', OPEN = 'o' };

/* What the kernel holds in front of the link would be part of its buffer. */
enum { KERNEL_BUFFER_BYTES = 262144, EVENTS_MAX = 64 };

static const struct options *settings;
static int writable; /* epoll: outputs that take no more */
static struct direction up, down;
static int is_refusing;
/* Accepted, but for the client the handshake of TCP is not over yet; by time of acceptance. */
static struct pair *connecting, **last_connecting = &connecting;

static int new_socket(void) {
  int size = KERNEL_BUFFER_BYTES;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("make a socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return fd;
}

static int listen_anywhere(int *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int fd = new_socket();
  if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 4096)) fail("listen");
  if (getsockname(fd, (struct sockaddr *)&address, &length)) fail("read the port");
  *port = ntohs(address.sin_port);
  return fd;
}

static void reset(int fd) {
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd);
}

static void accept_one(int listener) {
  struct sockaddr_in address = {
      .sin_family = AF_INET,
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
      .sin_port = htons(settings->to_port),
  };
  int near = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (near < 0) return;
  if (is_refusing) {
    reset(near);
    return;
  }
  int far = new_socket();
  if (connect(far, (struct sockaddr *)&address, sizeof address)) {
    close(far);
    close(near);
    return;
  }
  struct pair *pair = pair_new(near, far, writable, &up, &down);
  pair->opens = now_s() + 2 * settings->delay_us / 1e6;
  *last_connecting = pair;
  last_connecting = &pair->next;
}

static void open_connected(double now) {
  while (connecting && connecting->opens <= now) {
    struct pair *pair = connecting;
    connecting = pair->next;
    if (!connecting) last_connecting = &connecting;
    pair_open(pair);
    if (is_refusing) pair_break(pair);
  }
}

/* Ends with the input, as every command of the load generator does. */
static void obey(void) {
  char command;
  ssize_t got = read(STDIN_FILENO, &command, 1);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) exit(0);
  if (command == REFUSE || command == OPEN) is_refusing = command == REFUSE;
  if (command == REFUSE || command == BREAK_ALL) pairs_break_all();
  if (command == BREAK_BUSIEST) pairs_break_busiest();
}

/* How long the link needs for `bytes`. */
static double duration(size_t bytes) {
  return settings->rate_mbit ? bytes * 8 / (settings->rate_mbit * 1e6) : 0;
}

static int is_full(const struct direction *direction, double now) {
  return direction->free_at - now > settings->buffer_ms / 1e3;
}

static void read_all(struct direction *direction) {
  struct epoll_event events[EVENTS_MAX];
  int ready = epoll_wait(direction->readable, events, EVENTS_MAX, 0);
  for (int i = 0; i < ready; i++) {
    double now = now_s();
    if (is_full(direction, now)) return;
    struct chunk *chunk = end_read(events[i].data.ptr, settings->rate_mbit ? 16384 : CHUNK_BYTES);
    if (!chunk) continue;
    if (direction->free_at < now) direction->free_at = now;
    direction->free_at += duration(chunk->length);
    chunk->due = direction->free_at + settings->delay_us / 1e6;
    queue_add(&direction->travelling, chunk);
  }
}

static void deliver_due(struct direction *direction, double now) {
  while (direction->travelling.first && direction->travelling.first->due <= now) {
    end_deliver(queue_take(&direction->travelling));
  }
}

static void write_all(void) {
  struct epoll_event events[EVENTS_MAX];
  int ready = epoll_wait(writable, events, EVENTS_MAX, 0);
  for (int i = 0; i < ready; i++) end_write(events[i].data.ptr);
}

/* Adds when to look at a direction again, and whether its inputs are of interest until then. */
static void plan(const struct direction *direction, double now, struct pollfd *poll, double *wake) {
  int full = is_full(direction, now);
  const struct chunk *first = direction->travelling.first;
  double room_at = direction->free_at - settings->buffer_ms / 1e3;
  poll->fd = full ? -1 : direction->readable;
  poll->events = POLLIN;
  if (first && first->due < *wake) *wake = first->due;
  if (full && room_at < *wake) *wake = room_at;
}

static void wait_for_more(int listener) {
  double now = now_s(), wake = now + 1;
  struct pollfd polls[] = {
      {.fd = listener, .events = POLLIN}, {.fd = writable, .events = POLLIN}, {.fd = -1}, {.fd = -1},
      {.fd = STDIN_FILENO, .events = POLLIN}};
  plan(&up, now, &polls[2], &wake);
  plan(&down, now, &polls[3], &wake);
  if (connecting && connecting->opens < wake) wake = connecting->opens;
  double rest = wake > now ? wake - now : 0;
  struct timespec timeout = {.tv_sec = rest, .tv_nsec = (rest - (time_t)rest) * 1e9};
  if (ppoll(polls, 5, &timeout, NULL) < 0 && errno != EINTR) fail("wait for events");
  if (polls[0].revents) accept_one(listener);
  if (polls[1].revents) write_all();
  if (polls[2].revents) read_all(&up);
  if (polls[3].revents) read_all(&down);
  if (polls[4].revents) obey();
}

void relay(const struct options *options) {
  int port, listener = listen_anywhere(&port);
  settings = options;
  writable = epoll_create1(EPOLL_CLOEXEC);
  up.readable = epoll_create1(EPOLL_CLOEXEC);
  down.readable = epoll_create1(EPOLL_CLOEXEC);
  printf("{\"port\":%d}\n", port);
  fflush(stdout);
  for (;;) {
    double now = now_s();
    open_connected(now);
    deliver_due(&up, now);
    deliver_due(&down, now);
    pairs_bury();
    wait_for_more(listener);
  }
}
