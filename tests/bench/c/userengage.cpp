// The library, from C++.

#include "harness.h"
#include <userengage.hpp>

static userengage::Client client;

static void send_one() {
  userengage::Message message;
  message.client_user_id = CLIENT_USER_ID;
  message.content = CONTENT;
  message.user = USER;
  message.source = userengage::Source{SOURCE};
  message.source_context = SOURCE_CONTEXT;
  const auto result = client.send_conversation(message);
  require(result.http_status() == 201, "not delivered");
}

int main() {
  userengage::Options options;
  options.base_url = base_url();
  options.ca_file = ca_file();
  client = userengage::Client(api_key(), options);
  return take_turns(send_one);
}
