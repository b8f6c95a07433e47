/* One message: the request and the answer. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "given.h"

static void check_entry(const char *client_user_id, const char *field, const char *expected) {
  char *value = entry_field(client_user_id, 0, field);
  CHECK_TEXT(value, expected);
  free(value);
}

static void the_message_of_the_specification_goes_out_as_specified(void) {
  ue_client *client = sandbox_client();
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = "100";
  message.content = "Hi <b>user</b>, enjoy our product!";
  message.user = 926;
  message.source = 2;
  message.source_context = "{\"name\": \"This is source_context used in API\", \"id\": 123}";

  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, &message, &result), UE_OK);
  CHECK_INT(ue_result_status(result), UE_OK);
  CHECK_INT(ue_result_delivery(result), UE_DELIVERED);
  CHECK_INT(ue_result_http_status(result), 201);
  CHECK_INT(ue_result_attempts(result), 1);
  CHECK_TEXT(ue_result_message(result), "");
  ue_result_free(result);
  ue_free(client);

  CHECK_INT(requests("100"), 1);
  check_entry("100", "method", "POST");
  check_entry("100", "path", "/api/public/users/100/conversations/");
  check_entry("100", "body",
              "{\\\"content\\\":\\\"Hi <b>user</b>, enjoy our product!\\\",\\\"user\\\":926,\\\"source\\\":2,"
              "\\\"source_context\\\":{\\\"name\\\": \\\"This is source_context used in API\\\", \\\"id\\\": 123}}");
  char *entries = journal("100");
  CHECK_PART(entries, "[\"authorization\",\"Token ****************(64)\"]");
  CHECK_PART(entries, "[\"content-type\",\"application/json\"]");
  free(entries);
}

static void just_the_attributes_given_go_out(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to("101");
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_OK);
  ue_free(client);
  check_entry("101", "body", "{\\\"content\\\":\\\"Hi\\\"}");
}

static void one_client_sends_over_one_connection(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to("102");
  for (int i = 0; i < 3; i++) CHECK_INT(ue_send_conversation(client, &message, NULL), UE_OK);
  ue_free(client);
  char *first = entry_field("102", 0, "connection"), *last = entry_field("102", 2, "connection");
  CHECK_TEXT(last, first);
  free(first), free(last);
}

static void version_2_gives_the_conversations_id(void) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = the_sandbox.base_url;
  options.api_version = 2;
  ue_client *client = ue_client_new(the_sandbox.api_key, &options, NULL);
  ue_message message = message_to("103");
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, &message, &result), UE_OK);
  CHECK(ue_result_conversation_id(result) > 0);
  size_t length = 0;
  const char *body = ue_result_body(result, &length);
  CHECK_PART(body, "\"id\"");
  CHECK_INT(length, strlen(body));
  ue_result_free(result);
  ue_free(client);
}

static void an_unknown_user_is_not_found_and_the_result_says_what_to_do(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to("missing-104");
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, &message, &result), UE_NOT_FOUND);
  CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
  CHECK_INT(ue_result_http_status(result), 404);
  CHECK_TEXT(ue_result_detail(result), "Not found.");
  CHECK_PART(ue_result_message(result), "client_user_id");
  ue_result_free(result);
  ue_free(client);
}

static void a_reset_after_the_request_is_unknown(void) {
  order("{\"fault\": \"reset\", \"where\": \"before-status\", \"client_user_id\": \"105\", \"times\": 1}");
  ue_client *client = sandbox_client();
  ue_message message = message_to("105");
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, &message, &result), UE_CONNECTION_LOST);
  CHECK_INT(ue_result_delivery(result), UE_DELIVERY_UNKNOWN);
  CHECK_INT(ue_result_http_status(result), 0);
  CHECK(!ue_result_may_be_duplicate(result));
  ue_result_free(result);
  ue_free(client);
  CHECK_INT(requests("105"), 1);
}

static void an_answer_that_proves_nothing_is_unknown_and_not_repeated(void) {
  static const struct {
    const char *client_user_id, *fault;
    ue_status status;
  } answers[] = {
      {"109", "{\"fault\": \"store-then-503\", \"retry_after\": 0, \"client_user_id\": \"109\"}", UE_SERVER_ERROR},
      {"110", "{\"fault\": \"store-then-408\", \"client_user_id\": \"110\"}", UE_REJECTED},
      {"111", "{\"fault\": \"redirect\", \"status\": 302, \"store\": true, \"client_user_id\": \"111\"}", UE_BAD_REPLY},
  };
  ue_client *client = sandbox_client();
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    order(answers[i].fault);
    ue_message message = message_to(answers[i].client_user_id);
    ue_result *result = NULL;
    CHECK_INT(ue_send_conversation(client, &message, &result), answers[i].status);
    CHECK_INT(ue_result_delivery(result), UE_DELIVERY_UNKNOWN);
    CHECK_INT(ue_result_attempts(result), 1);
    ue_result_free(result);
    CHECK_INT(requests(answers[i].client_user_id), 1);
  }
  ue_free(client);
}

static void over_tls_with_a_ca_file_a_message_is_delivered(void) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = the_sandbox.tls_base_url;
  options.ca_file = the_sandbox.ca_file;
  ue_client *client = ue_client_new(the_sandbox.api_key, &options, NULL);
  ue_message message = message_to("106");
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_OK);
  ue_free(client);
  CHECK_INT(requests("106"), 1);
}

static void check_read(const ue_result *result) {
  ue_outcome read = UE_OUTCOME_INIT;
  CHECK(ue_result_read(result, &read));
  CHECK_INT(read.struct_size, sizeof read);
  CHECK_INT(read.status, ue_result_status(result));
  CHECK_INT(read.delivery, ue_result_delivery(result));
  CHECK_INT(read.http_status, ue_result_http_status(result));
  CHECK_INT(read.attempts, ue_result_attempts(result));
  CHECK_INT(read.may_be_duplicate, ue_result_may_be_duplicate(result));
  CHECK_INT(read.conversation_id, ue_result_conversation_id(result));
  CHECK_INT(read.retry_after_ms, ue_result_retry_after_ms(result));
  CHECK_INT(read.elapsed_us, ue_result_elapsed_us(result));
  CHECK_TEXT(read.request_id, ue_result_request_id(result));
  CHECK_TEXT(read.detail, ue_result_detail(result));
  CHECK_TEXT(read.message, ue_result_message(result));
  CHECK_INT(read.request_id_length, strlen(read.request_id));
  CHECK_INT(read.detail_length, strlen(read.detail));
  CHECK_INT(read.message_length, strlen(read.message));
  size_t length = 0;
  CHECK(read.body == ue_result_body(result, &length));
  CHECK_INT(read.body_length, length);
  CHECK_INT(read.retry, ue_result_retry(result));
  CHECK(read.user_data == ue_result_user_data(result));
}

static void read_at_once_a_result_says_what_its_functions_say(void) {
  order(
      "{\"fault\": \"status\", \"status\": 503, \"headers\": {\"Retry-After\": \"3600\"}, \"client_user_id\": \"107\"}");
  ue_options options = sandbox_options();
  options.api_version = 2;
  ue_client *client = client_with(&options);
  static const struct {
    const char *client_user_id;
    ue_status status;
  } sent[] = {{"108", UE_OK}, {"missing-108", UE_NOT_FOUND}, {"107", UE_SERVER_ERROR}, {"", UE_INVALID_ARGUMENT}};
  for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
    ue_message message = message_to(sent[i].client_user_id);
    message.user_data = &message;
    ue_result *result = NULL;
    CHECK_INT(ue_send_conversation(client, &message, &result), sent[i].status);
    CHECK(ue_result_user_data(result) == &message);
    check_read(result);
    ue_result_free(result);
  }
  check_read(NULL);
  ue_free(client);
}

/* Sends one message, with one attempt, and checks what its result says. */
static void check_advice(ue_client *client, const char *client_user_id, ue_status status, ue_retry advice) {
  ue_message message = message_to(client_user_id);
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, &message, &result), status);
  CHECK_INT(ue_result_retry(result), advice);
  if (advice == UE_RETRY_LATER) CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
  if (advice == UE_RETRY_DECIDE) CHECK_INT(ue_result_delivery(result), UE_DELIVERY_UNKNOWN);
  ue_result_free(result);
}

static void whether_a_message_can_be_sent_again_follows_from_its_outcome(void) {
  static const struct {
    const char *client_user_id, *fault;
    ue_status status;
    ue_retry advice;
  } sent[] = {
      {"120", NULL, UE_OK, UE_RETRY_NEVER},
      {"missing-120", NULL, UE_NOT_FOUND, UE_RETRY_NEVER},
      {"", NULL, UE_INVALID_ARGUMENT, UE_RETRY_NEVER},
      {"121", "\"status\", \"status\": 400", UE_REJECTED, UE_RETRY_NEVER},
      {"122", "\"status\", \"status\": 422", UE_REJECTED, UE_RETRY_NEVER},
      {"123", "\"status\", \"status\": 401", UE_UNAUTHORIZED, UE_RETRY_LATER},
      {"124", "\"status\", \"status\": 403", UE_UNAUTHORIZED, UE_RETRY_LATER},
      {"125", "\"status\", \"status\": 429", UE_RATE_LIMITED, UE_RETRY_LATER},
      {"126", "\"redirect\", \"status\": 301", UE_BAD_REPLY, UE_RETRY_LATER},
      {"127", "\"store-then-503\", \"retry_after\": 0", UE_SERVER_ERROR, UE_RETRY_DECIDE},
      {"128", "\"store-then-408\"", UE_REJECTED, UE_RETRY_DECIDE},
      {"129", "\"reset\", \"where\": \"before-status\"", UE_CONNECTION_LOST, UE_RETRY_DECIDE},
      {"130", "\"garbage\"", UE_BAD_REPLY, UE_RETRY_DECIDE},
      {"131", "\"hang\"", UE_TIMEOUT, UE_RETRY_DECIDE},
  };
  ue_options options = sandbox_options();
  options.max_attempts = 1;
  options.timeout_ms = 2000;
  ue_client *client = client_with(&options);
  for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
    if (sent[i].fault != NULL) {
      char fault[160];
      snprintf(fault, sizeof fault, "{\"fault\": %s, \"client_user_id\": \"%s\"}", sent[i].fault,
               sent[i].client_user_id);
      order(fault);
    }
    check_advice(client, sent[i].client_user_id, sent[i].status, sent[i].advice);
  }
  ue_client_close(client);
  check_advice(client, "132", UE_CLOSED, UE_RETRY_LATER);
  ue_free(client);

  options.base_url = "http://127.0.0.1:9/"; /* discard: nobody listens */
  client = client_with(&options);
  check_advice(client, "133", UE_CONNECT, UE_RETRY_LATER);
  ue_free(client);

  options.base_url = the_sandbox.tls_base_url; /* its certificate authority is not trusted */
  client = client_with(&options);
  check_advice(client, "134", UE_TLS, UE_RETRY_LATER);
  ue_free(client);
}

/* With a client's timeout and a message's, the message's counts. */
static void a_message_has_a_timeout_of_its_own(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"140\"}");
  order("{\"fault\": \"delay\", \"ms\": 400, \"client_user_id\": \"141\"}");
  ue_client *client = sandbox_client();
  ue_message message = message_to("140");
  message.timeout_ms = 200;
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, &message, &result), UE_TIMEOUT);
  CHECK(ue_result_elapsed_us(result) >= 200000 && in_time((long long)ue_result_elapsed_us(result) / 1000, 5000));
  ue_result_free(result);
  ue_free(client);

  ue_options options = sandbox_options();
  options.timeout_ms = 200;
  client = client_with(&options);
  message = message_to("141");
  message.timeout_ms = 20000;
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_OK);
  ue_free(client);
}

static const test tests[] = {
    TEST(the_message_of_the_specification_goes_out_as_specified),
    TEST(just_the_attributes_given_go_out),
    TEST(one_client_sends_over_one_connection),
    TEST(version_2_gives_the_conversations_id),
    TEST(an_unknown_user_is_not_found_and_the_result_says_what_to_do),
    TEST(a_reset_after_the_request_is_unknown),
    TEST(an_answer_that_proves_nothing_is_unknown_and_not_repeated),
    TEST(over_tls_with_a_ca_file_a_message_is_delivered),
    TEST(read_at_once_a_result_says_what_its_functions_say),
    TEST(whether_a_message_can_be_sent_again_follows_from_its_outcome),
    TEST(a_message_has_a_timeout_of_its_own),
};

MAIN(tests)
