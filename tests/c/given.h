/* Common test data: a client of the sandbox, a message. */

#ifndef GIVEN_H
#define GIVEN_H

#include <poll.h>
#include <userengage.h>

#include "harness.h"

static inline ue_options sandbox_options(void) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = the_sandbox.base_url;
  return options;
}

static inline ue_client *client_with(const ue_options *options) {
  ue_result *result = NULL;
  ue_client *client = ue_client_new(the_sandbox.api_key, options, &result);
  CHECK_TEXT(ue_result_message(result), "");
  CHECK(client != NULL);
  ue_result_free(result);
  return client;
}

static inline ue_client *sandbox_client(void) {
  ue_options options = sandbox_options();
  return client_with(&options);
}

static inline ue_message message_to(const char *client_user_id) {
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = client_user_id;
  message.content = "Hi";
  return message;
}

static inline ue_status send_to(ue_client *client, const char *client_user_id) {
  ue_message message = message_to(client_user_id);
  return ue_send_conversation(client, &message, NULL);
}

static inline ue_queue *queue_with(ue_client *client, const ue_queue_options *options) {
  ue_result *result = NULL;
  ue_queue *queue = ue_queue_new(client, options, &result);
  CHECK_TEXT(ue_result_message(result), "");
  CHECK(queue != NULL);
  ue_result_free(result);
  return queue;
}

/* Pushes a message with this user_data. */
static inline ue_status push_to(ue_queue *queue, const char *client_user_id, void *user_data) {
  ue_message message = message_to(client_user_id);
  message.user_data = user_data;
  return ue_queue_push(queue, &message, NULL);
}

/* Whether the queue's descriptor becomes readable within so many milliseconds. */
static inline int is_readable(ue_queue *queue, int within_ms) {
  struct pollfd interest = {0, POLLIN, 0};
  interest.fd = ue_queue_fd(queue);
  int ready = poll(&interest, 1, within_ms);
  CHECK(ready == 0 || interest.revents == POLLIN);
  return ready == 1;
}

/* Waits for the next result, and takes it. */
static inline ue_result *take_one(ue_queue *queue) {
  ue_result *result = NULL;
  do CHECK(is_readable(queue, 60000)); /* it may be a log line */
  while (ue_queue_take(queue, &result, 1) == 0);
  return result;
}

/* Takes the next result and checks it. */
static inline void check_next(ue_queue *queue, const void *user_data, ue_status status, ue_delivery delivery) {
  ue_result *result = take_one(queue);
  CHECK(ue_result_user_data(result) == user_data);
  CHECK_INT(ue_result_status(result), status);
  CHECK_INT(ue_result_delivery(result), delivery);
  ue_result_free(result);
}

#endif
