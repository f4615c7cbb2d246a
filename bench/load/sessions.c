/* Many short sessions one after the other, or many idle ones at once. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const struct options *settings;
static atomic_int begun, done;

static int open_session(void) {
  int fd = dial(settings->proxy_port, settings->target_port);
  if (fd < 0 || echo_once(fd, MODE_ECHO)) fail("open a session");
  return fd;
}

static void *run_sessions(void *argument) {
  (void)argument;
  while (atomic_fetch_add(&begun, 1) < settings->count) {
    close(open_session());
    atomic_fetch_add(&done, 1);
  }
  return NULL;
}

/* Counts for `window_ms`, or until `count` sessions are through. */
void sessions(const struct options *options) {
  settings = options;
  for (int i = 0; i < options->streams; i++) start_thread(run_sessions, NULL);
  sleep_ms(options->warm_ms);
  double start = now_s(), end = start + options->window_ms / 1e3;
  int first = atomic_load(&done);
  while (now_s() < end && atomic_load(&done) < options->count) sleep_ms(1);
  int count = atomic_load(&done) - first;
  double seconds = now_s() - start;
  if (count <= 0) {
    errno = ETIMEDOUT;
    fail("finish a session");
  }
  printf("{\"count\":%d,\"seconds\":%.6f}\n", count, seconds);
}

static void *run_opening(void *argument) {
  (void)argument;
  while (atomic_fetch_add(&begun, 1) < settings->count) {
    open_session();
    atomic_fetch_add(&done, 1);
  }
  return NULL;
}

/* Opens `count` sessions, says so, and holds them for as long as it runs. */
void idle(const struct options *options) {
  settings = options;
  for (int i = 0; i < options->streams; i++) start_thread(run_opening, NULL);
  while (atomic_load(&done) < options->count) sleep_ms(1);
  printf("{\"open\":%d}\n", options->count);
  fflush(stdout);
  for (;;) pause();
}
