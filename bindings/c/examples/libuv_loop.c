/* Sends from a libuv loop: a uv_poll_t waits for the queue's descriptor. Ctrl-C shuts down in order.
 *
 *     cc libuv_loop.c $(pkg-config --cflags --libs userengage libuv) -o libuv_loop
 *     UE_API_KEY=... ./libuv_loop 42 43 44 */

#include <stdio.h>
#include <stdlib.h>
#include <userengage.h>
#include <uv.h>

typedef struct sender {
  ue_queue *queue;
  size_t in_queue;
  uv_poll_t finished;
  uv_signal_t interrupted;
} sender;

static void report(const char *client_user_id, const ue_result *result) {
  bool delivered = ue_result_delivery(result) == UE_DELIVERED;
  printf("%s: %s\n", client_user_id, delivered ? "delivered" : ue_result_message(result));
  if (ue_result_retry(result) == UE_RETRY_LATER) printf("%s: to be sent again\n", client_user_id);
}

/* With nothing left to wait for, the loop ends. */
static void end_when_idle(sender *self) {
  if (self->in_queue > 0) return;
  uv_close((uv_handle_t *)&self->finished, NULL);
  uv_close((uv_handle_t *)&self->interrupted, NULL);
}

static void on_finished(uv_poll_t *poll, int status, int events) {
  (void)status, (void)events;
  sender *self = poll->data;
  ue_result *results[16];
  size_t count = ue_queue_take(self->queue, results, 16); /* if there are more, the loop calls again */
  for (size_t i = 0; i < count; i++) {
    report(ue_result_user_data(results[i]), results[i]);
    ue_result_free(results[i]);
  }
  self->in_queue -= count;
  end_when_idle(self);
}

/* What is in flight goes on; what waits ends as not delivered. Both come to on_finished. */
static void on_interrupt(uv_signal_t *signal, int number) {
  (void)number;
  sender *self = signal->data;
  ue_queue_stop(self->queue);
}

static void push(sender *self, char *client_user_id) {
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = client_user_id;
  message.content = "Hi <b>user</b>, enjoy our product!";
  message.timeout_ms = 10000;
  message.user_data = client_user_id; /* comes back with the result */
  ue_result *result = NULL;
  if (ue_queue_push(self->queue, &message, &result) == UE_OK)
    self->in_queue++;
  else
    report(client_user_id, result); /* refused: it was not sent */
  ue_result_free(result);
}

int main(int argc, char **argv) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = getenv("UE_BASE_URL"); /* NULL: the service itself */
  ue_queue_options queue_options = UE_QUEUE_OPTIONS_INIT;
  queue_options.max_failures_in_a_row = 10; /* an outage makes ten unknown messages, not thousands */

  sender self = {0};
  ue_result *result = NULL;
  ue_client *client = ue_client_new(getenv("UE_API_KEY"), &options, &result);
  if (client != NULL) {
    ue_result_free(result);
    self.queue = ue_queue_new(client, &queue_options, &result);
  }
  if (self.queue == NULL) fprintf(stderr, "%s\n", ue_result_message(result));
  ue_result_free(result);

  if (self.queue != NULL) {
    uv_loop_t *loop = uv_default_loop();
    self.finished.data = self.interrupted.data = &self;
    uv_poll_init(loop, &self.finished, ue_queue_fd(self.queue));
    uv_poll_start(&self.finished, UV_READABLE, on_finished);
    uv_signal_init(loop, &self.interrupted);
    uv_signal_start(&self.interrupted, on_interrupt, SIGINT);
    for (int i = 1; i < argc; i++) push(&self, argv[i]);
    end_when_idle(&self);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
  }
  int status = self.queue == NULL ? 2 : 0;
  ue_queue_free(self.queue);
  ue_free(client);
  return status;
}
