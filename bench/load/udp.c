/* Datagrams of 1,200 bytes by SOCKS5's UDP ASSOCIATE, or straight to the target. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAYLOAD_BYTES = 1200, HEADER_BYTES = 10, RING = 4096, LOST_MS = 200, BURST = 16 };
enum { UDP_BUFFER_BYTES = 4194304 };

/* One entry for each datagram that may be on its way, by its number modulo RING. */
static double sent_at[RING];
static unsigned char is_out[RING];
static uint32_t next_number, oldest;
static uint64_t sent, answered, lost;
static int in_flight;

static int open_udp(const struct options *options, int *association) {
  int port = options->udp_port, size = UDP_BUFFER_BYTES;
  *association = -1;
  if (options->proxy_port) {
    *association = dial_proxy(options->proxy_port);
    port = *association < 0 ? -1 : socks5_request(*association, 3, 0);
    if (port < 0) fail("open an association");
  }
  struct sockaddr_in address = {
      .sin_family = AF_INET,
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
      .sin_port = htons(port),
  };
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("open a socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return fd;
}

/* RFC 1928 section 7. Returns how many bytes of header there are. */
static int write_header(unsigned char *bytes, const struct options *options) {
  unsigned char header[HEADER_BYTES] = {0, 0, 0, 1, 127, 0, 0, 1};
  if (!options->proxy_port) return 0;
  header[8] = options->udp_port >> 8;
  header[9] = options->udp_port & 255;
  memcpy(bytes, header, sizeof header);
  return sizeof header;
}

/* Every datagram has its number behind the mode, and the rest of the payload follows from it. */
static void send_one(int fd, unsigned char *bytes, int header, int mode) {
  uint32_t number = next_number++;
  bytes[header] = mode;
  memcpy(bytes + header + 1, &number, sizeof number);
  memset(bytes + header + 5, number & 255, PAYLOAD_BYTES - 5);
  if (mode == MODE_ECHO) {
    sent_at[number % RING] = now_s();
    is_out[number % RING] = 1;
    in_flight++;
  }
  sent++;
  send(fd, bytes, header + PAYLOAD_BYTES, MSG_NOSIGNAL); /* what it does not take is lost */
}

static void receive_all(int fd, int header) {
  unsigned char bytes[HEADER_BYTES + 2048];
  for (;;) {
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    uint32_t number;
    if (got < 0) return;
    if (got != header + PAYLOAD_BYTES) continue;
    memcpy(&number, bytes + header + 1, sizeof number);
    if (bytes[got - 1] != (number & 255)) {
      errno = EBADMSG;
      fail("receive a datagram");
    }
    /* An answer that comes after it was given up counts as lost. */
    if (number - oldest >= RING || !is_out[number % RING]) continue;
    is_out[number % RING] = 0;
    in_flight--;
    answered++;
  }
}

static void give_up_old(double now) {
  for (; oldest != next_number; oldest++) {
    if (!is_out[oldest % RING]) continue;
    if (now - sent_at[oldest % RING] < LOST_MS / 1e3) return;
    is_out[oldest % RING] = 0;
    in_flight--;
    lost++;
  }
}

static void send_answered(int fd, int header, unsigned char *bytes, int most) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  while (in_flight < most && next_number - oldest < RING) send_one(fd, bytes, header, MODE_ECHO);
  poll(&poll_fd, 1, 10);
  receive_all(fd, header);
  give_up_old(now_s());
}

/* Without a limit all that the socket takes is sent, and the target counts what comes. */
static void send_burst(int fd, int header, unsigned char *bytes) {
  for (int i = 0; i < BURST; i++) send_one(fd, bytes, header, MODE_SINK);
}

void udp(const struct options *options) {
  unsigned char bytes[HEADER_BYTES + PAYLOAD_BYTES];
  int association, control = dial_control(options), fd = open_udp(options, &association);
  int header = write_header(bytes, options);
  double begin = now_s(), start = begin + options->warm_ms / 1e3;
  double end = start + options->window_ms / 1e3;
  uint64_t first_answered = 0, first_lost = 0, first_sent = 0, first_there = 0;
  for (int is_warm = 0; now_s() < end;) {
    if (!is_warm && now_s() >= start) {
      is_warm = 1;
      start = now_s();
      first_answered = answered, first_lost = lost, first_sent = sent;
      first_there = ask(control, ASK_COUNTS).datagrams;
    }
    if (options->in_flight) send_answered(fd, header, bytes, options->in_flight);
    else send_burst(fd, header, bytes);
  }
  double seconds = now_s() - start;
  sleep_ms(50); /* what is still on its way is not lost */
  uint64_t there = ask(control, ASK_COUNTS).datagrams - first_there;
  uint64_t arrived = options->in_flight ? answered - first_answered : there;
  uint64_t gone = options->in_flight ? lost - first_lost : sent - first_sent - there;
  if (!options->in_flight && sent - first_sent < there) gone = 0; /* late ones from before the start */
  if (association >= 0) close(association);
  printf("{\"arrived\":%llu,\"lost\":%llu,\"seconds\":%.6f}\n", (unsigned long long)arrived,
         (unsigned long long)gone, seconds);
}
