/* Sends from an event loop with epoll. The loop waits for the queue's descriptor: it needs no thread, and no call of it
 * waits for the service.
 *
 * Reads lines with a client_user_id and a content from a pipe or terminal, and reports the outcome of each as soon as it
 * is known:
 *
 *     cc event_loop.c $(pkg-config --cflags --libs userengage) -o event_loop
 *     printf '42 Hi\n43 Hello\n' | UE_API_KEY=... ./event_loop */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <userengage.h>

enum { CAPACITY = 1000, AT_ONCE = 64 };

static void report(const char *client_user_id, const ue_result *result) {
  const char *advice = ue_result_retry(result) == UE_RETRY_LATER    ? " (send it again later)"
                       : ue_result_retry(result) == UE_RETRY_DECIDE ? " (look at the conversation first)"
                                                                    : "";
  bool delivered = ue_result_delivery(result) == UE_DELIVERED;
  printf("%s: %s%s\n", client_user_id, delivered ? "delivered" : ue_result_message(result), advice);
  fflush(stdout);
}

/* Pushes the next line of standard input. Returns 1 for a message in the queue, 0 for none, -1 at the end of the input. */
static int push_line(ue_queue *queue) {
  char line[1024];
  if (fgets(line, sizeof line, stdin) == NULL) return -1;
  line[strcspn(line, "\n")] = '\0';
  char *space = strchr(line, ' ');
  if (space != NULL) *space = '\0';
  char *client_user_id = strdup(line);

  ue_message message = UE_MESSAGE_INIT; /* the queue copies its texts */
  message.client_user_id = line;
  message.content = space == NULL ? "" : space + 1;
  message.user_data = client_user_id; /* comes back with the result */
  ue_result *result = NULL;
  if (ue_queue_push(queue, &message, &result) == UE_OK) {
    ue_result_free(result);
    return 1;
  }
  report(line, result); /* refused: it was not sent */
  ue_result_free(result);
  free(client_user_id);
  return 0;
}

/* Takes what is finished. Returns how many messages that were. */
static size_t take(ue_queue *queue) {
  ue_result *results[AT_ONCE];
  size_t count = ue_queue_take(queue, results, AT_ONCE);
  for (size_t i = 0; i < count; i++) {
    char *client_user_id = ue_result_user_data(results[i]);
    report(client_user_id, results[i]);
    free(client_user_id);
    ue_result_free(results[i]);
  }
  return count;
}

static int run(ue_queue *queue) {
  int loop = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event input = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
  struct epoll_event finished = {.events = EPOLLIN, .data.fd = ue_queue_fd(queue)};
  size_t in_queue = 0;
  bool more = true, listens = false;
  if (epoll_ctl(loop, EPOLL_CTL_ADD, finished.data.fd, &finished) != 0) {
    perror("epoll");
    return 2;
  }
  while (more || in_queue > 0) {
    /* While the queue is full no line is read: whoever writes them has to wait. */
    bool has_room = more && in_queue < CAPACITY;
    if (has_room != listens && epoll_ctl(loop, has_room ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, STDIN_FILENO, &input) != 0) {
      perror("epoll");
      return 2;
    }
    listens = has_room;
    struct epoll_event ready;
    if (epoll_wait(loop, &ready, 1, -1) < 1) continue; /* a signal */
    if (ready.data.fd == finished.data.fd) {
      in_queue -= take(queue);
    } else {
      int pushed = push_line(queue);
      more = pushed >= 0;
      in_queue += pushed > 0;
    }
  }
  close(loop);
  return 0;
}

int main(void) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = getenv("UE_BASE_URL"); /* NULL: the service itself */
  ue_queue_options queue_options = UE_QUEUE_OPTIONS_INIT;
  queue_options.capacity = CAPACITY;
  queue_options.max_failures_in_a_row = 10; /* an outage makes ten unknown messages, not a thousand */

  ue_result *result = NULL;
  ue_queue *queue = NULL;
  ue_client *client = ue_client_new(getenv("UE_API_KEY"), &options, &result);
  if (client != NULL) {
    ue_result_free(result);
    queue = ue_queue_new(client, &queue_options, &result);
  }
  if (queue == NULL) fprintf(stderr, "%s\n", ue_result_message(result));
  ue_result_free(result);

  setvbuf(stdin, NULL, _IONBF, 0); /* epoll does not see lines in a buffer */
  int status = queue == NULL ? 2 : run(queue);
  ue_queue_free(queue);
  ue_free(client);
  return status;
}
