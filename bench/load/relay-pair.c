/* Two sockets joined by the link of relay.c. */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* A receiver that does not read holds this much, as its window of TCP would. */
enum { WAITING_MAX = 4194304 };

static struct pair *closed;
static struct pair *known; /* all that are not buried */

void queue_add(struct queue *queue, struct chunk *chunk) {
  if (!queue->first) queue->last = &queue->first;
  chunk->next = NULL;
  *queue->last = chunk;
  queue->last = &chunk->next;
}

struct chunk *queue_take(struct queue *queue) {
  struct chunk *chunk = queue->first;
  if (chunk) queue->first = chunk->next;
  return chunk;
}

static void end_init(struct end *end, int fd, struct direction *direction) {
  int on = 1;
  end->fd = fd;
  end->direction = direction;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

struct pair *pair_new(int near, int far, int writable, struct direction *up, struct direction *down) {
  struct pair *pair = calloc(1, sizeof *pair);
  if (!pair) fail("remember a connection");
  end_init(&pair->near, near, up);
  end_init(&pair->far, far, down);
  pair->near.pair = pair->far.pair = pair;
  pair->near.writable = pair->far.writable = writable;
  pair->near.peer = &pair->far;
  pair->far.peer = &pair->near;
  pair->next_known = known;
  known = pair;
  return pair;
}

static void watch(int loop, struct end *end, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = end};
  if (epoll_ctl(loop, EPOLL_CTL_ADD, end->fd, &event)) fail("watch a socket");
}

/* Reads while the receiver keeps up. */
static void update_reading(struct end *end) {
  int wanted = end->pair->is_open && !end->pair->is_closed && !end->has_ended &&
               end->peer->waiting_bytes < WAITING_MAX;
  if (wanted == end->is_read) return;
  if (wanted) watch(end->direction->readable, end, EPOLLIN);
  else epoll_ctl(end->direction->readable, EPOLL_CTL_DEL, end->fd, NULL);
  end->is_read = wanted;
}

void pair_open(struct pair *pair) {
  pair->is_open = 1;
  update_reading(&pair->near);
  update_reading(&pair->far);
}

/* After a failure the other side is reset, and bytes on their way are lost, as with TCP. */
static void pair_close(struct pair *pair, int is_failure) {
  struct linger reset = {.l_onoff = is_failure, .l_linger = 0};
  struct end *ends[] = {&pair->near, &pair->far};
  if (pair->is_closed) return;
  pair->is_closed = 1;
  for (int i = 0; i < 2; i++) {
    setsockopt(ends[i]->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(ends[i]->fd); /* which takes it out of every epoll */
    for (struct chunk *chunk; (chunk = queue_take(&ends[i]->waiting)); free(chunk)) pair->chunks--;
  }
  pair->next = closed;
  closed = pair;
}

void pair_break(struct pair *pair) { pair_close(pair, 1); }

void pairs_break_all(void) {
  for (struct pair *pair = known; pair; pair = pair->next_known) {
    if (pair->is_open) pair_close(pair, 1);
  }
}

void pairs_break_busiest(void) {
  struct pair *busiest = NULL;
  for (struct pair *pair = known; pair; pair = pair->next_known) {
    if (!pair->is_open || pair->is_closed) continue;
    if (!busiest || pair->moved > busiest->moved) busiest = pair;
  }
  if (busiest) pair_close(busiest, 1);
}

static void forget(struct pair *pair) {
  struct pair **link = &known;
  while (*link != pair) link = &(*link)->next_known;
  *link = pair->next_known;
}

void pairs_bury(void) {
  for (struct pair **link = &closed; *link;) {
    struct pair *pair = *link;
    if (pair->chunks) {
      link = &pair->next;
      continue;
    }
    *link = pair->next;
    forget(pair);
    free(pair);
  }
}

struct chunk *end_read(struct end *end, size_t most) {
  if (end->pair->is_closed || !end->is_read) return NULL;
  struct chunk *chunk = malloc(sizeof *chunk + most);
  if (!chunk) fail("hold bytes");
  ssize_t got = recv(end->fd, chunk->bytes, most, 0);
  if (got < 0) {
    free(chunk);
    if (errno != EAGAIN && errno != EINTR) pair_close(end->pair, 1);
    return NULL;
  }
  struct chunk *shrunk = realloc(chunk, sizeof *chunk + got);
  if (shrunk) chunk = shrunk;
  chunk->to = end->peer;
  chunk->length = got;
  chunk->sent = 0;
  end->pair->chunks++;
  end->pair->moved += got;
  if (!got) end->has_ended = 1;
  update_reading(end);
  return chunk;
}

void end_deliver(struct chunk *chunk) {
  struct end *end = chunk->to;
  if (end->pair->is_closed) {
    end->pair->chunks--;
    free(chunk);
    return;
  }
  end->waiting_bytes += chunk->length;
  queue_add(&end->waiting, chunk);
  if (!end->is_watched) end_write(end);
}

static void finish_chunk(struct end *end) {
  struct chunk *chunk = queue_take(&end->waiting);
  if (!chunk->length) {
    shutdown(end->fd, SHUT_WR);
    end->is_shut = 1;
  }
  end->waiting_bytes -= chunk->length;
  end->pair->chunks--;
  free(chunk);
}

void end_write(struct end *end) {
  if (end->pair->is_closed) return;
  for (struct chunk *chunk; (chunk = end->waiting.first);) {
    size_t rest = chunk->length - chunk->sent;
    ssize_t sent = rest ? send(end->fd, chunk->bytes + chunk->sent, rest, MSG_NOSIGNAL) : 0;
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      pair_close(end->pair, 1);
      return;
    }
    if (sent < 0) break;
    chunk->sent += sent;
    if (chunk->sent == chunk->length) finish_chunk(end);
  }
  int wanted = end->waiting.first != NULL;
  if (wanted && !end->is_watched) watch(end->writable, end, EPOLLOUT);
  if (!wanted && end->is_watched) epoll_ctl(end->writable, EPOLL_CTL_DEL, end->fd, NULL);
  end->is_watched = wanted;
  update_reading(end->peer);
  if (end->is_shut && end->peer->is_shut) pair_close(end->pair, 0);
}
