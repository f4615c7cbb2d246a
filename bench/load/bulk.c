/* Streams that move bytes as fast as they can, and the ping beside them. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PINGS_MAX = 100000, PING_PAUSE_MS = 1 };

static const struct options *settings;
static int stream_mode, control_fd;
static counter moved;
static atomic_int opened, ended, epoch;

static void die(const char *what, int reason) {
  errno = reason;
  fail(what);
}

static void *run_stream(void *argument) {
  (void)argument;
  char mode = stream_mode;
  int fd = dial(settings->proxy_port, settings->target_port);
  if (fd < 0 || send(fd, &mode, 1, MSG_NOSIGNAL) != 1) fail("open a stream");
  atomic_fetch_add(&opened, 1);
  int failure = mode == MODE_SOURCE ? pattern_receive(fd, &moved) : pattern_send(fd, &moved, &epoch);
  if (failure) die("go on with a stream", failure);
  if (!atomic_load(&epoch)) die("go on with a stream", ECONNRESET);
  close(fd);
  atomic_fetch_add(&ended, 1);
  return NULL;
}

static struct counts ask(char question) {
  struct counts counts;
  if (send(control_fd, &question, 1, MSG_NOSIGNAL) != 1) fail("ask the target");
  if (recv(control_fd, &counts, sizeof counts, MSG_WAITALL) != sizeof counts) {
    fail("ask the target");
  }
  return counts;
}

/* Returns the counts from before the first byte. */
static struct counts start_streams(const struct options *options, int mode) {
  char control = MODE_CONTROL;
  settings = options;
  stream_mode = mode;
  control_fd = dial(0, options->target_port);
  if (control_fd < 0 || send(control_fd, &control, 1, MSG_NOSIGNAL) != 1) fail("dial the target");
  struct counts before = ask(ASK_COUNTS);
  for (int i = 0; i < options->streams; i++) start_thread(run_stream, NULL);
  while (atomic_load(&opened) < options->streams) sleep_ms(1);
  return before;
}

/* Ends all streams and returns the bytes of all of them, once every byte sent has arrived. */
static uint64_t stop_streams(struct counts before) {
  double deadline = now_s() + SOCKET_TIMEOUT_S;
  atomic_fetch_add(&epoch, 1);
  while (now_s() < deadline) {
    struct counts counts = ask(stream_mode == MODE_SOURCE ? ASK_STOP : ASK_COUNTS);
    int is_over = atomic_load(&ended) == settings->streams;
    uint64_t here = atomic_load(&moved);
    uint64_t there = stream_mode == MODE_SOURCE ? counts.sourced - before.sourced
                                                : counts.sunk - before.sunk;
    if (is_over && here == there) return here;
    sleep_ms(5);
  }
  die("account for all bytes", ETIMEDOUT);
  return 0;
}

/* What has arrived. Uploads are counted by the target: what waits inside a proxy does not count. */
static uint64_t arrived(void) {
  return stream_mode == MODE_SOURCE ? atomic_load(&moved) : ask(ASK_COUNTS).sunk;
}

void bulk(const struct options *options, int mode) {
  struct counts before = start_streams(options, mode);
  sleep_ms(options->warm_ms);
  double start = now_s();
  uint64_t first = arrived();
  sleep_ms(options->window_ms);
  uint64_t bytes = arrived() - first;
  double seconds = now_s() - start;
  if (!bytes) die("move bytes", ETIMEDOUT);
  uint64_t all = stop_streams(before);
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"allBytes\":%llu}\n", (unsigned long long)bytes, seconds,
         (unsigned long long)all);
}

static int by_size(const void *left, const void *right) {
  double difference = *(const double *)left - *(const double *)right;
  return (difference > 0) - (difference < 0);
}

void ping(const struct options *options) {
  double *times = malloc(PINGS_MAX * sizeof *times);
  int count = 0;
  int fd = dial(options->proxy_port, options->target_port);
  if (!times || fd < 0 || echo_once(fd, MODE_ECHO)) fail("ping");

  struct counts before = start_streams(options, MODE_SOURCE);
  sleep_ms(options->warm_ms);
  double start = now_s(), end = start + options->window_ms / 1e3;
  uint64_t first = atomic_load(&moved);
  while (now_s() < end && count < PINGS_MAX) {
    double sent = now_s();
    if (echo_once(fd, 0)) fail("ping");
    times[count++] = (now_s() - sent) * 1e3;
    sleep_ms(PING_PAUSE_MS);
  }
  uint64_t bytes = atomic_load(&moved) - first;
  double seconds = now_s() - start;
  stop_streams(before);
  qsort(times, count, sizeof *times, by_size);
  printf("{\"medianMs\":%.4f,\"p99Ms\":%.4f,\"count\":%d,\"bytes\":%llu,\"seconds\":%.6f}\n",
         times[count / 2], times[(int)(count * 0.99)], count, (unsigned long long)bytes, seconds);
}
