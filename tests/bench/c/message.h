/* The message, as the library has it. */

#ifndef MESSAGE_H
#define MESSAGE_H

#include "harness.h"
#include <userengage.h>

/* Borrows the text. */
static inline ue_message message_to(const char *client_user_id) {
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = client_user_id;
  message.content = CONTENT;
  message.user = USER;
  message.source = SOURCE;
  message.source_context = SOURCE_CONTEXT;
  return message;
}

static inline ue_client *new_client(int max_connections, int max_per_second) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = base_url();
  options.ca_file = ca_file();
  options.max_connections = max_connections;
  options.max_per_second = max_per_second;
  ue_client *client = ue_client_new(api_key(), &options, NULL);
  require(client != NULL, "no client");
  return client;
}

#endif
