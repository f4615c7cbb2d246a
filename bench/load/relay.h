/* The connections of the relay, each a pair of sockets, and the chunks of bytes on their way. */
#pragma once
#include "load.h"

struct chunk {
  struct chunk *next;
  struct end *to;
  double due;
  size_t length, sent; /* length 0: the stream ends here */
  unsigned char bytes[];
};

struct queue {
  struct chunk *first, **last; /* last is NULL before the first use */
};

/* One way of the link, for all connections. */
struct direction {
  struct queue travelling;
  double free_at; /* when the last byte that was taken has left */
  int readable;   /* epoll of the inputs */
};

struct end {
  int fd, writable; /* the epoll for outputs */
  struct pair *pair;
  struct end *peer; /* what comes in here goes out there */
  struct direction *direction;
  struct queue waiting; /* has arrived, but the socket takes no more */
  size_t waiting_bytes;
  int is_read, is_watched, has_ended, is_shut;
};

struct pair {
  struct pair *next, *next_known;
  struct end near, far;
  double opens;
  uint64_t moved; /* bytes */
  int chunks; /* that are travelling or waiting */
  int is_open, is_closed;
};

void queue_add(struct queue *queue, struct chunk *chunk);
struct chunk *queue_take(struct queue *queue);

struct pair *pair_new(int near, int far, int writable, struct direction *up, struct direction *down);
void pair_open(struct pair *pair); /* begins to read */
void pair_break(struct pair *pair); /* resets both sides: what is on its way is lost */
void pairs_break_all(void);        /* those that are open */
void pairs_break_busiest(void);    /* that which has moved most */
void pairs_bury(void);             /* frees what is closed and has nothing on its way */

/* Reads once: NULL if there is nothing to send on. */
struct chunk *end_read(struct end *end, size_t most);
void end_deliver(struct chunk *chunk);
void end_write(struct end *end);
