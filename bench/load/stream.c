#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PERIOD = 65521, CHECK_EVERY = 8 };

static unsigned char pattern[PERIOD + WRITE_MAX];

void pattern_fill(void) {
  uint32_t seed = 1;
  for (size_t i = 0; i < PERIOD; i++) {
    seed = seed * 1664525u + 1013904223u;
    pattern[i] = seed >> 24;
  }
  for (size_t i = PERIOD; i < sizeof pattern; i++) pattern[i] = pattern[i - PERIOD];
}

int pattern_send(int fd, size_t write_bytes, counter *moved, atomic_int *epoch) {
  int first_epoch = atomic_load(epoch);
  for (uint64_t position = 0; atomic_load(epoch) == first_epoch;) {
    ssize_t sent = send(fd, pattern + position % PERIOD, write_bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno;
    position += sent;
    atomic_fetch_add_explicit(moved, sent, memory_order_relaxed);
  }
  return 0;
}

/*
 * Seven reads of eight throw the bytes away inside the kernel (MSG_TRUNC on TCP, tcp(7)), which
 * spares a copy: on a machine with few cores the generator takes time from what it measures.
 */
int pattern_receive(int fd, counter *moved) {
  unsigned char *buffer = malloc(CHUNK_BYTES);
  uint64_t position = 0;
  int failure = 0;
  for (unsigned turn = 0; !failure; turn++) {
    int check = turn % CHECK_EVERY == 0;
    ssize_t got = recv(fd, check ? buffer : NULL, CHUNK_BYTES, check ? 0 : MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) break;
    if (got < 0) failure = errno;
    else if (check && memcmp(buffer, pattern + position % PERIOD, got)) failure = EBADMSG;
    else {
      position += got;
      atomic_fetch_add_explicit(moved, got, memory_order_relaxed);
    }
  }
  free(buffer);
  return failure;
}
