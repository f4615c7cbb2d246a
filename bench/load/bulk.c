/* Streams that move bytes as fast as they can, and the ping beside them. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* On a slow link a ping may take longer than the window. */
enum { PINGS_MIN = 3, PINGS_MAX = 100000, PING_PAUSE_MS = 1, STILL_S = 4, SILENT_S = 1 };

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
  int failure = mode == MODE_SOURCE ? pattern_receive(fd, &moved)
                                       : pattern_send(fd, settings->write_bytes, &moved, &epoch);
  if (failure) die("go on with a stream", failure);
  if (!atomic_load(&epoch)) die("go on with a stream", ECONNRESET);
  close(fd);
  atomic_fetch_add(&ended, 1);
  return NULL;
}

/* Returns the counts from before the first byte. */
static struct counts start_streams(const struct options *options, int mode) {
  settings = options;
  stream_mode = mode;
  control_fd = dial_control(options);
  struct counts before = ask(control_fd, ASK_COUNTS);
  for (int i = 0; i < options->streams; i++) start_thread(run_stream, NULL);
  while (atomic_load(&opened) < options->streams) sleep_ms(1);
  return before;
}

/* How much came through a proxy from the first byte to the last, and how much never did. */
struct total {
  uint64_t bytes, lost;
};

/* Ends all streams in order, so that nothing is still on its way or cancelled. */
static struct total stop_streams(struct counts before) {
  int is_source = stream_mode == MODE_SOURCE;
  double still_since = now_s();
  atomic_fetch_add(&epoch, 1);
  for (struct total last = {0}, total;; last = total) {
    int open = settings->streams - atomic_load(&ended);
    struct counts counts = ask(control_fd, is_source ? ASK_STOP : ASK_COUNTS);
    uint64_t here = atomic_load(&moved);
    uint64_t there = is_source ? counts.sourced - before.sourced : counts.sunk - before.sunk;
    total.bytes = is_source ? here : there;
    total.lost = is_source ? there - here : here - there;
    if (!open && (is_source || !total.lost)) return total;
    if (last.bytes != total.bytes) still_since = now_s();
    if (now_s() - still_since > STILL_S) {
      if (open) die("end all streams", ETIMEDOUT);
      return total;
    }
    sleep_ms(5);
  }
}

/* What has arrived. Uploads are counted by the target: what waits inside a proxy does not count. */
static uint64_t arrived(void) {
  return stream_mode == MODE_SOURCE ? atomic_load(&moved) : ask(control_fd, ASK_COUNTS).sunk;
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
  struct total total = stop_streams(before);
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"allBytes\":%llu,\"lostBytes\":%llu}\n",
         (unsigned long long)bytes, seconds, (unsigned long long)total.bytes,
         (unsigned long long)total.lost);
}

/* The longest time within the window in which nothing came, and when something came again. */
void gap(const struct options *options) {
  struct counts before = start_streams(options, MODE_SOURCE);
  sleep_ms(options->warm_ms);
  uint64_t first = atomic_load(&moved), known = first;
  double last = now_s(), end = last + options->window_ms / 1e3, longest = 0, resumed_at = 0;
  for (double now; (now = now_s()) < end; usleep(200)) {
    uint64_t here = atomic_load(&moved);
    if (here == known) continue;
    if (now - last > longest) {
      longest = now - last;
      resumed_at = now;
    }
    known = here;
    last = now;
  }
  if (end - last > SILENT_S) die("go on with a stream", ETIMEDOUT);
  stop_streams(before);
  printf("{\"gapMs\":%.3f,\"resumedAtMs\":%.3f,\"bytes\":%llu}\n", longest * 1e3,
         resumed_at * 1e3, (unsigned long long)(known - first));
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
  while (count < PINGS_MIN || (now_s() < end && count < PINGS_MAX)) {
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
