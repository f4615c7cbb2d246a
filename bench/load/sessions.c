/* Many short sessions one after the other, or many at once on which nothing moves. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* What trickles on for longer than the second is not going to stop. */
static const double STANDSTILL_S = 0.3, STANDSTILL_MAX_S = 8;

static const struct options *settings;
static atomic_int begun, done;
static int held_mode;

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

/* From the request of SOCKS, or from connect() where there is no proxy. */
static double time_first_byte(void) {
  char request[1 + PING_BYTES] = {MODE_ECHO}, answer;
  int fd = settings->proxy_port ? dial_proxy(settings->proxy_port) : -1;
  double start = now_s();
  if (!settings->proxy_port) fd = dial(0, settings->target_port);
  if (fd < 0 || (settings->proxy_port && socks5_request(fd, 1, settings->target_port) < 0) ||
      send(fd, request, sizeof request, MSG_NOSIGNAL) != sizeof request ||
      receive_exactly(fd, &answer, 1)) {
    fail("await the first byte");
  }
  double seconds = now_s() - start;
  close(fd);
  return seconds;
}

void first_byte(const struct options *options) {
  settings = options;
  printf("{\"timesMs\":[");
  for (int i = 0; i < options->count; i++) printf("%s%.3f", i ? "," : "", time_first_byte() * 1e3);
  printf("]}\n");
}

/* A source whose stream nobody ever reads. */
static void open_still(void) {
  char mode = MODE_STILL;
  int fd = dial(settings->proxy_port, settings->target_port);
  if (fd < 0 || send(fd, &mode, 1, MSG_NOSIGNAL) != 1) fail("open a stream");
}

static void *run_opening(void *argument) {
  (void)argument;
  while (atomic_fetch_add(&begun, 1) < settings->count) {
    if (held_mode == MODE_STILL) open_still();
    else open_session();
    atomic_fetch_add(&done, 1);
  }
  return NULL;
}

/* Waits until the sources stand still, too: by then whoever buffers has buffered what it will. */
static void await_standstill(void) {
  int control = dial_control(settings);
  double still_since = now_s(), give_up = still_since + STANDSTILL_MAX_S;
  for (uint64_t last = 0; now_s() - still_since < STANDSTILL_S && now_s() < give_up; sleep_ms(20)) {
    uint64_t sourced = ask(control, ASK_COUNTS).sourced;
    if (sourced != last) still_since = now_s();
    last = sourced;
  }
  close(control);
}

/* Opens `count` sessions, says how long that took, and holds them for as long as it runs. */
void hold(const struct options *options, int mode) {
  double start = now_s();
  settings = options;
  held_mode = mode;
  if (mode == MODE_STILL) dial_small();
  for (int i = 0; i < options->streams; i++) start_thread(run_opening, NULL);
  while (atomic_load(&done) < options->count) usleep(100);
  double seconds = now_s() - start;
  if (mode == MODE_STILL) await_standstill();
  printf("{\"open\":%d,\"seconds\":%.6f}\n", options->count, seconds);
  fflush(stdout);
  for (;;) pause();
}
