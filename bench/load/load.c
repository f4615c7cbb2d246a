#include "load.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void fail(const char *what) {
  fprintf(stderr, "Cannot %s: %s\n", what, strerror(errno));
  exit(1);
}

void start_thread(void *(*run)(void *), void *argument) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 131072);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  if ((errno = pthread_create(&thread, &attributes, run, argument))) fail("start a thread");
  pthread_attr_destroy(&attributes);
}

double now_s(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

void sleep_ms(int ms) {
  struct timespec rest = {ms / 1000, ms % 1000 * 1000000L};
  while (nanosleep(&rest, &rest) && errno == EINTR) continue;
}

static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void out_of_time(int signal) {
  (void)signal;
  static const char text[] = "Cannot finish: out of time\n";
  if (write(STDERR_FILENO, text, sizeof text - 1)) _exit(1);
  _exit(1);
}

static void *end_with_input(void *argument) {
  (void)argument;
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  exit(0);
}

/* Arguments are name=number. */
static struct options parse(int count, char **arguments) {
  struct options options = {.streams = 1,
                            .count = 1000,
                            .window_ms = 500,
                            .write_bytes = CHUNK_BYTES,
                            .buffer_ms = 1000,
                            .limit_s = 30};
  const struct { const char *name; int *value; } known[] = {
      {"proxy", &options.proxy_port}, {"target", &options.target_port},
      {"control", &options.control_port}, {"udp", &options.udp_port},
      {"streams", &options.streams},  {"count", &options.count},
      {"warm", &options.warm_ms},     {"window", &options.window_ms},
      {"write", &options.write_bytes}, {"inflight", &options.in_flight},
      {"to", &options.to_port}, {"delay", &options.delay_us}, {"rate", &options.rate_mbit},
      {"buffer", &options.buffer_ms}, {"limit", &options.limit_s},
  };
  for (int i = 0; i < count; i++) {
    size_t length = strcspn(arguments[i], "="), found = 0;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
      if (strlen(known[k].name) != length || strncmp(known[k].name, arguments[i], length)) continue;
      if (arguments[i][length]) *known[k].value = atoi(arguments[i] + length + 1);
      found = 1;
    }
    if (!found) {
      fprintf(stderr, "Cannot read argument: %s\n", arguments[i]);
      exit(2);
    }
  }
  if (options.streams < 1) options.streams = 1;
  if (options.streams > STREAMS_MAX) options.streams = STREAMS_MAX;
  if (options.write_bytes < 1 || options.write_bytes > WRITE_MAX) options.write_bytes = CHUNK_BYTES;
  return options;
}

int main(int count, char **arguments) {
  const char *command = count > 1 ? arguments[1] : "";
  struct options options = parse(count > 2 ? count - 2 : 0, arguments + 2);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGALRM, out_of_time);
  alarm(options.limit_s > 0 ? options.limit_s : 30);
  raise_descriptor_limit();
  if (strcmp(command, "relay")) start_thread(end_with_input, NULL);
  pattern_fill();

  if (!strcmp(command, "serve")) serve();
  else if (!strcmp(command, "download")) bulk(&options, MODE_SOURCE);
  else if (!strcmp(command, "upload")) bulk(&options, MODE_SINK);
  else if (!strcmp(command, "gap")) gap(&options);
  else if (!strcmp(command, "ping")) ping(&options);
  else if (!strcmp(command, "sessions")) sessions(&options);
  else if (!strcmp(command, "idle")) hold(&options, MODE_ECHO);
  else if (!strcmp(command, "still")) hold(&options, MODE_STILL);
  else if (!strcmp(command, "first-byte")) first_byte(&options);
  else if (!strcmp(command, "udp")) udp(&options);
  else if (!strcmp(command, "relay")) relay(&options);
  else {
    fprintf(stderr, "Cannot run command: %s\n", command);
    return 2;
  }
  return 0;
}
