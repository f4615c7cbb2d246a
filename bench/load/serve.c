/*
 * The target. Small exchanges are answered from one epoll loop, bulk streams have a blocking thread
 * each: so the scheduler of the kernel, not this loop, decides how a ping fares beside a download.
 */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  DESCRIPTORS_MAX = 65536,
  EVENTS_MAX = 256,
  DATAGRAMS_PER_TURN = 64,
  UDP_BUFFER_BYTES = 4194304,
};

static unsigned char modes[DESCRIPTORS_MAX]; /* by descriptor; 0: first byte not yet here */
static counter sunk, sourced, datagrams;
static atomic_int source_epoch;

static void *run_source(void *argument) {
  int fd = (int)(intptr_t)argument;
  pattern_send(fd, CHUNK_BYTES, &sourced, &source_epoch);
  close(fd);
  return NULL;
}

static void *run_sink(void *argument) {
  int fd = (int)(intptr_t)argument;
  /* A reset tells the client that its bytes did not arrive as sent. */
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  if (pattern_receive(fd, &sunk) == EBADMSG) {
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  close(fd);
  return NULL;
}

static void add(int loop, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event)) fail("watch a descriptor");
}

static void accept_all(int loop, int listener) {
  for (;;) {
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (fd >= DESCRIPTORS_MAX) {
      close(fd);
      continue;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    modes[fd] = 0;
    add(loop, fd);
  }
}

static void hand_to_thread(int loop, int fd, void *(*run)(void *)) {
  epoll_ctl(loop, EPOLL_CTL_DEL, fd, NULL);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  start_thread(run, (void *)(intptr_t)fd);
}

static void answer(int fd) {
  char buffer[4096];
  ssize_t got = recv(fd, buffer, sizeof buffer, 0), sent = 0;
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0 && modes[fd] == MODE_ECHO) {
    sent = send(fd, buffer, got, MSG_NOSIGNAL);
  } else if (got > 0 && modes[fd] == MODE_CONTROL) {
    if (buffer[0] == ASK_STOP) atomic_fetch_add(&source_epoch, 1);
    struct counts counts = {atomic_load(&sunk), atomic_load(&sourced),
                            atomic_load(&datagrams)};
    sent = send(fd, &counts, sizeof counts, MSG_NOSIGNAL);
  }
  if (got <= 0 || sent <= 0) close(fd);
}

static void handle(int loop, int fd) {
  if (!modes[fd]) {
    ssize_t got = recv(fd, &modes[fd], 1, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      close(fd);
      return;
    }
  }
  int size = STILL_BUFFER_BYTES;
  if (modes[fd] == MODE_STILL) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  if (modes[fd] == MODE_SOURCE || modes[fd] == MODE_STILL) hand_to_thread(loop, fd, run_source);
  else if (modes[fd] == MODE_SINK) hand_to_thread(loop, fd, run_sink);
  else answer(fd);
}

/* Counts datagrams and sends back those that ask for it. */
static void answer_datagrams(int fd) {
  char bytes[2048];
  struct sockaddr_in from;
  for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
    if (got <= 0) return;
    atomic_fetch_add_explicit(&datagrams, 1, memory_order_relaxed);
    if (bytes[0] == MODE_ECHO) sendto(fd, bytes, got, 0, (struct sockaddr *)&from, length);
  }
}

/* Returns a socket on a port that nobody has. */
static int bind_anywhere(int type, int *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&address, length)) fail("bind");
  if (getsockname(fd, (struct sockaddr *)&address, &length)) fail("read the port");
  *port = ntohs(address.sin_port);
  return fd;
}

void serve(void) {
  int port, udp_port, size = UDP_BUFFER_BYTES;
  int listener = bind_anywhere(SOCK_STREAM, &port), udp_fd = bind_anywhere(SOCK_DGRAM, &udp_port);
  if (listen(listener, 4096)) fail("listen");
  setsockopt(udp_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);

  int loop = epoll_create1(EPOLL_CLOEXEC);
  add(loop, listener);
  add(loop, udp_fd);
  printf("{\"port\":%d,\"udpPort\":%d}\n", port, udp_port);
  fflush(stdout);

  struct epoll_event events[EVENTS_MAX];
  for (;;) {
    int ready = epoll_wait(loop, events, EVENTS_MAX, -1);
    if (ready < 0 && errno != EINTR) fail("wait for events");
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(loop, listener);
      else if (fd == udp_fd) answer_datagrams(udp_fd);
      else handle(loop, fd);
    }
  }
}
