/*
 * The load generator: `load serve` is the target, every other subcommand a client. A process does
 * one measurement and prints one line of JSON. It also ends when its standard input does, so that it
 * never outlives who started it, and after `limit` seconds, should anything hang. The relay takes
 * commands there.
 */
#pragma once
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The first byte of a connection tells the target what to be. */
enum {
  MODE_SOURCE = 'd',
  MODE_STILL = 's', /* a source that nobody is going to read */
  MODE_SINK = 'u',
  MODE_ECHO = 'e',
  MODE_CONTROL = 'c',
};

/* On a control connection each byte is a question that is answered with the counts so far. Sources
 * end their streams at STOP, so that no measurement leaves a proxy with cancelled downloads. */
enum { ASK_COUNTS = '?', ASK_STOP = '!' };
struct counts {
  uint64_t sunk, sourced, datagrams;
};

enum {
  CHUNK_BYTES = 262144,
  WRITE_MAX = 1048576,
  PING_BYTES = 64,
  STILL_BUFFER_BYTES = 65536,
  STREAMS_MAX = 1024,
  SOCKET_TIMEOUT_S = 10,
};

struct options {
  int proxy_port; /* 0: straight to the target */
  int target_port;
  int control_port; /* the target's own, should a relay stand before it; 0: the target's */
  int udp_port;
  int streams;
  int count; /* idle, still: sessions to open; sessions: the most to open */
  int write_bytes; /* of one write of an upload */
  int in_flight;   /* udp: datagrams that may be on their way at once; 0: no limit, no answers */
  int to_port, delay_us, rate_mbit, buffer_ms; /* relay */
  int warm_ms;
  int window_ms;
  int limit_s; /* the process ends after this, whatever happens */
};

typedef atomic_uint_fast64_t counter;

/* load.c */
void fail(const char *what) __attribute__((noreturn));
void start_thread(void *(*run)(void *), void *argument);
double now_s(void);
void sleep_ms(int ms);

/* stream.c: the bytes of a bulk stream repeat with a prime period, so a lost, doubled or swapped
 * piece shows. Both return 0 at the end of the stream, or an errno; EBADMSG: not the bytes sent. */
void pattern_fill(void);
int pattern_send(int fd, size_t write_bytes, counter *moved, atomic_int *epoch); /* until it changes */
int pattern_receive(int fd, counter *moved);

/* dial.c: all return -1 and set errno on failure. */
int dial(int proxy_port, int target_port);
int dial_proxy(int proxy_port);                   /* up to the greeting of SOCKS5 */
int socks5_request(int fd, int command, int port); /* returns the port that the proxy answers with */
int receive_exactly(int fd, void *buffer, size_t length);
int echo_once(int fd, int mode);
void dial_small(void); /* from now on, with segments and buffers as on a real network */
/* A connection to the target that no proxy is between, and what it says there. */
int dial_control(const struct options *options);
struct counts ask(int control, char question);

void serve(void) __attribute__((noreturn));
void bulk(const struct options *options, int mode);
void gap(const struct options *options);
void ping(const struct options *options);
void sessions(const struct options *options);
void hold(const struct options *options, int mode) __attribute__((noreturn));
void first_byte(const struct options *options);
void udp(const struct options *options);
void relay(const struct options *options) __attribute__((noreturn));
