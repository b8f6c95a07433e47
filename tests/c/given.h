/* Common test data: a client of the sandbox, a message. */

#ifndef GIVEN_H
#define GIVEN_H

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

#endif
