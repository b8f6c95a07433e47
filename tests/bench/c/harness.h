/* What the contenders in C and C++ share: the message, where it goes, and their turns. */

#ifndef HARNESS_H
#define HARNESS_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define CLIENT_USER_ID "42"
#define CONTENT "Hi <b>user</b>, enjoy our product!"
#define USER 926
#define SOURCE 2
#define SOURCE_CONTEXT "{\"name\": \"This is source_context used in API\", \"id\": 123}"
/* For those that do not make one of each message. */
#define BODY "{\"content\":\"" CONTENT "\",\"user\":926,\"source\":2,\"source_context\":" SOURCE_CONTEXT "}"
#define PATH "users/" CLIENT_USER_ID "/conversations/"

static inline const char *api_key(void) { return getenv("UE_API_KEY"); }
static inline const char *base_url(void) { return getenv("UE_BASE_URL"); }
/* NULL in plain HTTP. */
static inline const char *ca_file(void) { return getenv("UE_CA_FILE"); }

/* Ends the program where something is not as it should be. */
static inline void require(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "%s\n", what);
    exit(1);
  }
}

/* Microseconds: of CPU that this process has used, and of a clock. */
struct moment {
  long long user, system, wall;
};

static inline void look(struct moment *moment) {
  struct rusage usage;
  struct timespec time;
  getrusage(RUSAGE_SELF, &usage);
  clock_gettime(CLOCK_MONOTONIC, &time);
  moment->user = usage.ru_utime.tv_sec * 1000000LL + usage.ru_utime.tv_usec;
  moment->system = usage.ru_stime.tv_sec * 1000000LL + usage.ru_stime.tv_usec;
  moment->wall = time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

/* Answers a turn with the microseconds that it took: user, system, wall. */
static inline void answer(const struct moment *before, const struct moment *after) {
  printf("%lld %lld %lld\n", after->user - before->user, after->system - before->system, after->wall - before->wall);
  fflush(stdout);
}

/* Reads a number of messages a line, sends as many, and answers. One more goes before them, uncounted, so that the
   connection is there. */
static inline int take_turns(void (*send_one)(void)) {
  int messages;
  while (scanf("%d", &messages) == 1) {
    struct moment before, after;
    send_one();
    look(&before);
    for (int sent = 0; sent < messages; sent++) send_one();
    look(&after);
    answer(&before, &after);
  }
  return 0;
}

/* The same with many at once. As many as tell go before them, uncounted, so that the connections are there. */
static inline int take_turns_at_many(int before_them, void (*send_all)(int messages)) {
  int messages;
  while (scanf("%d", &messages) == 1) {
    struct moment before, after;
    send_all(before_them);
    look(&before);
    send_all(messages);
    look(&after);
    answer(&before, &after);
  }
  return 0;
}

#endif
