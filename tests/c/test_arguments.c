/* An invalid argument is refused by name before anything is sent. NULL is accepted everywhere. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "given.h"

#define BAD_UTF8 "caf\xe9"

/* Checks that these options are refused with a text that contains both parts. */
static void check_refused_client(const char *api_key, const ue_options *options, const char *field, const char *fault) {
  ue_result *result = NULL;
  ue_client *client = ue_client_new(api_key, options, &result);
  CHECK(client == NULL);
  CHECK_INT(ue_result_status(result), UE_INVALID_ARGUMENT);
  CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
  CHECK_INT(ue_result_attempts(result), 0);
  CHECK_PART(ue_result_message(result), field);
  CHECK_PART(ue_result_message(result), fault);
  ue_result_free(result);
}

/* Checks that a message is refused with a text that contains both parts, and that nothing is sent. */
static void check_refused_message(ue_client *client, const ue_message *message, const char *field, const char *fault) {
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, message, &result), UE_INVALID_ARGUMENT);
  CHECK_INT(ue_result_status(result), UE_INVALID_ARGUMENT);
  CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
  CHECK_INT(ue_result_attempts(result), 0);
  CHECK_INT(ue_result_http_status(result), 0);
  CHECK_PART(ue_result_message(result), field);
  CHECK_PART(ue_result_message(result), fault);
  ue_result_free(result);
  CHECK_INT(ue_send_conversation(client, message, NULL), UE_INVALID_ARGUMENT);
}

static void null_handles_are_taken_by_every_function(void) {
  size_t length = 1;
  ue_free(NULL);
  ue_client_close(NULL);
  ue_result_free(NULL);
  ue_cancel_trigger(NULL);
  ue_cancel_free(NULL);
  ue_queue_stop(NULL);
  ue_queue_resume(NULL);
  ue_queue_free(NULL);
  CHECK_INT(ue_queue_fd(NULL), -1);
  CHECK_INT(ue_queue_take(NULL, NULL, 1), 0);
  CHECK_INT(ue_queue_cancel(NULL, NULL), 0);
  CHECK_INT(ue_queue_wait(NULL, 0), UE_INVALID_ARGUMENT);
  CHECK_INT(ue_queue_poll(NULL, 0), UE_INVALID_ARGUMENT);
  CHECK_INT(ue_queue_push(NULL, NULL, NULL), UE_INVALID_ARGUMENT);
  CHECK(ue_queue_new(NULL, NULL, NULL) == NULL);
  CHECK_INT(ue_result_retry(NULL), UE_RETRY_DECIDE);
  CHECK(ue_result_user_data(NULL) == NULL);
  CHECK_INT(ue_result_status(NULL), UE_INVALID_ARGUMENT);
  CHECK_INT(ue_result_delivery(NULL), UE_DELIVERY_UNKNOWN);
  CHECK(!ue_result_may_be_duplicate(NULL));
  CHECK_INT(ue_result_http_status(NULL), 0);
  CHECK_INT(ue_result_conversation_id(NULL), -1);
  CHECK_INT(ue_result_retry_after_ms(NULL), -1);
  CHECK_INT(ue_result_attempts(NULL), 0);
  CHECK_INT(ue_result_elapsed_us(NULL), 0);
  CHECK_TEXT(ue_result_request_id(NULL), "");
  CHECK_TEXT(ue_result_detail(NULL), "");
  CHECK_TEXT(ue_result_message(NULL), "");
  CHECK_TEXT(ue_result_body(NULL, NULL), "");
  CHECK_TEXT(ue_result_body(NULL, &length), "");
  CHECK(!ue_result_read(NULL, NULL));
  CHECK_INT(length, 0);
}

static void null_arguments_are_refused_by_name(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to("600");
  check_refused_message(NULL, &message, "client is NULL", "ue_client_new");
  check_refused_message(client, NULL, "message is NULL", "ue_message");
  message.client_user_id = NULL;
  check_refused_message(client, &message, "client_user_id is NULL", "");
  message = message_to("600");
  message.content = NULL;
  check_refused_message(client, &message, "content is NULL", "");
  ue_free(client);
  check_refused_client(NULL, NULL, "api_key is NULL", "");
  CHECK(ue_client_new(NULL, NULL, NULL) == NULL);
  CHECK_INT(requests("600"), 0);
}

static void no_options_and_no_result_are_fine(void) {
  ue_client *client = ue_client_new(the_sandbox.api_key, NULL, NULL);
  CHECK(client != NULL);
  ue_free(client);
}

static void text_that_is_not_utf8_is_refused_with_its_field_and_place(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to(BAD_UTF8);
  check_refused_message(client, &message, "client_user_id is not UTF-8", "byte 3");
  message = message_to("601");
  message.content = "\xff";
  check_refused_message(client, &message, "content is not UTF-8", "byte 0");
  message.content = "\xed\xa0\x80"; /* half of a surrogate pair */
  check_refused_message(client, &message, "content is not UTF-8", "byte 0");
  message.content = "cut off: \xe2\x82";
  check_refused_message(client, &message, "content is not UTF-8", "byte 9");
  message = message_to("601");
  message.source_context = "{\"a\": \"" BAD_UTF8 "\"}";
  check_refused_message(client, &message, "source_context is not UTF-8", "byte 10");
  ue_free(client);
  CHECK_INT(requests("601"), 0);

  check_refused_client(BAD_UTF8, NULL, "api_key", "");
  const struct {
    const char *field;
    size_t at;
  } texts[] = {
      {"base_url", offsetof(ue_options, base_url)},
      {"proxy", offsetof(ue_options, proxy)},
      {"ca_file", offsetof(ue_options, ca_file)},
      {"user_agent", offsetof(ue_options, user_agent)},
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    ue_options options = sandbox_options();
    const char *bad = BAD_UTF8;
    memcpy((char *)&options + texts[i].at, &bad, sizeof bad);
    check_refused_client(the_sandbox.api_key, &options, texts[i].field, "not UTF-8 from byte 3 on");
  }
}

static void ids_that_are_no_path_segment_are_refused(void) {
  static const char *const ids[] = {"", ".", "..", "a\nb", "a\r\nb", "\x7f", "\xc2\x85"};
  ue_client *client = sandbox_client();
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    ue_message message = message_to(ids[i]);
    check_refused_message(client, &message, "client_user_id", "");
  }
  ue_free(client);
}

static void odd_ids_are_one_segment_of_the_path(void) {
  static const struct {
    const char *id, *path;
  } ids[] = {
      {"a/../b", "/api/public/users/a%2F..%2Fb/conversations/"},
      {"a b?c#d%", "/api/public/users/a%20b%3Fc%23d%25/conversations/"},
      {"\xc5\xbc\xc3\xb3\xc5\x82w", "/api/public/users/%C5%BC%C3%B3%C5%82w/conversations/"},
  };
  ue_client *client = sandbox_client();
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    ue_message message = message_to(ids[i].id);
    ue_result *result = NULL;
    CHECK_INT(ue_send_conversation(client, &message, &result), UE_OK);
    ue_result_free(result);
  }
  ue_free(client);
  char *paths = journal("a%2F..%2Fb");
  CHECK_PART(paths, ids[0].path);
  free(paths);
  paths = journal("a%20b%3Fc%23d%25");
  CHECK_PART(paths, ids[1].path);
  free(paths);
  paths = journal("%C5%BC%C3%B3%C5%82w");
  CHECK_PART(paths, ids[2].path);
  free(paths);
}

static void a_text_with_a_length_needs_no_nul_after_it(void) {
  ue_client *client = sandbox_client();
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = (const char *)fenced("603", message.client_user_id_length = 3);
  message.content = (const char *)fenced("Hi", message.content_length = 2);
  message.source_context = (const char *)fenced("[1]", message.source_context_length = 3);
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_OK);
  ue_free(client);
  char *body = entry_field("603", 0, "body");
  CHECK_TEXT(body, "{\\\"content\\\":\\\"Hi\\\",\\\"source_context\\\":[1]}");
  free(body);
}

static void a_nul_within_a_length_is_refused_and_cuts_nothing(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to(
      "60\0"
      "4");
  message.client_user_id_length = 4;
  check_refused_message(client, &message, "client_user_id has a", "byte 2");
  message = message_to("604");
  message.content = "Hi\0<b>user</b>";
  message.content_length = 14;
  check_refused_message(client, &message, "content has a NUL", "byte 2");
  message = message_to("604");
  message.source_context = "[1]\0";
  message.source_context_length = 4;
  check_refused_message(client, &message, "source_context", "");
  ue_free(client);
  CHECK_INT(requests("604") + requests("60"), 0);
}

static void attributes_out_of_their_range_are_refused(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to("602");
  message.content = "";
  check_refused_message(client, &message, "content is empty", "");
  message = message_to("602");
  message.user = -1;
  check_refused_message(client, &message, "user is -1", "");
  message.user = INT64_MIN;
  check_refused_message(client, &message, "user is -9223372036854775808", "");
  message = message_to("602");
  message.source = -2;
  check_refused_message(client, &message, "source is -2", "1 chat");
  message = message_to("602");
  static const char *const contexts[] = {"", "{", "null", "1", "\"text\"", "{} {}", "[1,]", "{'a': 1}"};
  for (size_t i = 0; i < sizeof contexts / sizeof contexts[0]; i++) {
    message.source_context = contexts[i];
    check_refused_message(client, &message, "source_context is", "JSON");
  }
  ue_free(client);
  CHECK_INT(requests("602"), 0);
}

static void options_out_of_their_range_are_refused(void) {
  static const struct {
    const char *base_url, *fault;
  } urls[] = {
      {"", ""}, {"app.user.com", ""}, {"ftp://127.0.0.1/", ""}, {"http://app.user.com/", "https"}, {"https://", ""},
  };
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    ue_options options = UE_OPTIONS_INIT;
    options.base_url = urls[i].base_url;
    check_refused_client(the_sandbox.api_key, &options, "base_url", urls[i].fault);
  }
  ue_options options = sandbox_options();
  options.api_version = 1;
  check_refused_client(the_sandbox.api_key, &options, "api_version is 1", "UE_API_VERSION_2 (2)");
  options = sandbox_options();
  options.delivery_policy = 2;
  check_refused_client(the_sandbox.api_key, &options, "delivery_policy is 2", "UE_AT_MOST_ONCE (0)");
  options = sandbox_options();
  options.log_level = 6;
  check_refused_client(the_sandbox.api_key, &options, "log_level is 6", "UE_LOG_OFF (0) to UE_LOG_TRACE (5)");
  options.log_level = 5;
  check_refused_client(the_sandbox.api_key, &options, "log is NULL", "log_level");
  options = sandbox_options();
  options.ca_file = "/nonexistent/ca.pem";
  check_refused_client(the_sandbox.api_key, &options, "ca_file", "/nonexistent/ca.pem");
  options = sandbox_options();
  options.proxy = "socks5://127.0.0.1:1080";
  check_refused_client(the_sandbox.api_key, &options, "proxy", "");
  options = sandbox_options();
  options.user_agent = "shop\r\nX-Injected: 1";
  check_refused_client(the_sandbox.api_key, &options, "user_agent", "");
}

static void a_key_that_no_header_can_carry_is_refused_and_not_repeated(void) {
  static const char *const keys[] = {"", "with space", "line\nend", "tab\there", "secr\xc3\xa9t-key"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    ue_result *result = NULL;
    CHECK(ue_client_new(keys[i], NULL, &result) == NULL);
    CHECK_INT(ue_result_status(result), UE_INVALID_ARGUMENT);
    CHECK_PART(ue_result_message(result), "api_key");
    CHECK(keys[i][0] == '\0' || strstr(ue_result_message(result), keys[i]) == NULL);
    ue_result_free(result);
  }
}

static void names_and_version_are_static_texts(void) {
  CHECK_TEXT(ue_version(), UE_VERSION);
  CHECK_INT(ue_version_number(), UE_VERSION_NUMBER);
  char number[32];
  snprintf(number, sizeof number, "%d.%d.%d", UE_VERSION_NUMBER / 10000, UE_VERSION_NUMBER / 100 % 100,
           UE_VERSION_NUMBER % 100);
  CHECK_TEXT(UE_VERSION, number);
  static const char *const names[] = {
      "UE_OK",        "UE_INVALID_ARGUMENT", "UE_CONNECT",   "UE_TLS",        "UE_TIMEOUT",      "UE_CONNECTION_LOST",
      "UE_BAD_REPLY", "UE_UNAUTHORIZED",     "UE_NOT_FOUND", "UE_REJECTED",   "UE_RATE_LIMITED", "UE_SERVER_ERROR",
      "UE_CLOSED",    "UE_CANCELLED",        "UE_INTERNAL",  "UE_QUEUE_FULL", "UE_SUSPENDED",
  };
  const int count = (int)(sizeof names / sizeof names[0]);
  for (int status = 0; status < count; status++) CHECK_TEXT(ue_status_name(status), names[status]);
  static const int32_t others[] = {-1, INT32_MIN, INT32_MAX};
  for (int i = 0; i < 3; i++) CHECK_TEXT(ue_status_name(others[i]), "UE_UNKNOWN");
  CHECK_TEXT(ue_status_name(count), "UE_UNKNOWN");
}

/* Released numbers stay. No status is also a delivery or an advice. */
static void constants_have_their_numbers(void) {
  CHECK(UE_NUL_TERMINATED == SIZE_MAX);
  static const int32_t of_status[] = {
      UE_OK,        UE_INVALID_ARGUMENT, UE_CONNECT,   UE_TLS,        UE_TIMEOUT,      UE_CONNECTION_LOST,
      UE_BAD_REPLY, UE_UNAUTHORIZED,     UE_NOT_FOUND, UE_REJECTED,   UE_RATE_LIMITED, UE_SERVER_ERROR,
      UE_CLOSED,    UE_CANCELLED,        UE_INTERNAL,  UE_QUEUE_FULL, UE_SUSPENDED,
  };
  static const int32_t of_delivery[] = {UE_DELIVERY_UNKNOWN, UE_NOT_DELIVERED, UE_DELIVERED};
  static const int32_t of_retry[] = {UE_RETRY_DECIDE, UE_RETRY_LATER, UE_RETRY_NEVER};
  static const int32_t of_flow[] = {UE_BATCH_CONTINUE, UE_BATCH_FINISH, UE_BATCH_ABORT};
  static const int32_t of_log_level[] = {UE_LOG_OFF,  UE_LOG_ERROR, UE_LOG_WARN,
                                         UE_LOG_INFO, UE_LOG_DEBUG, UE_LOG_TRACE};
  static const int32_t of_source[] = {UE_SOURCE_CHAT, UE_SOURCE_EMAIL, UE_SOURCE_API, UE_SOURCE_SMS, UE_SOURCE_SLACK};
  for (int i = 0; i < (int)(sizeof of_status / sizeof of_status[0]); i++) CHECK_INT(of_status[i], i);
  for (int i = 0; i < 3; i++) {
    CHECK_INT(of_delivery[i], 100 + i);
    CHECK_INT(of_retry[i], 200 + i);
    CHECK_INT(of_flow[i], i);
  }
  for (int i = 0; i < 6; i++) CHECK_INT(of_log_level[i], i);
  for (int i = 0; i < 5; i++) CHECK_INT(of_source[i], i + 1);
  CHECK_INT(UE_API_VERSION_SPECIFICATION, 0);
  CHECK_INT(UE_API_VERSION_2, 2);
  CHECK_INT(UE_AT_MOST_ONCE, 0);
  CHECK_INT(UE_AT_LEAST_ONCE, 1);
  CHECK_INT(UE_TIMEOUT_FROM_TURN, 0);
  CHECK_INT(UE_TIMEOUT_FROM_PUSH, 1);
}

/* A program that cuts a buffer into pieces may have an empty piece: the rest of the buffer is another customer's. */
static void a_length_of_0_is_empty_and_nothing_is_read_or_sent(void) {
  ue_client *client = sandbox_client();
  const char *line = "608;Hi";
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = line;
  message.client_user_id_length = 3;
  message.content = line + 3;
  message.content_length = 0;
  check_refused_message(client, &message, "content is empty", "");
  message.content = (const char *)fenced("", 0); /* a read of one byte crashes */
  check_refused_message(client, &message, "content is empty", "");
  message.content = NULL;
  check_refused_message(client, &message, "content is NULL", "");
  message.content = line + 4;
  message.content_length = 2;
  message.client_user_id_length = 0;
  check_refused_message(client, &message, "client_user_id", "empty");
  message.client_user_id_length = 3;
  message.source_context = line;
  message.source_context_length = 0;
  check_refused_message(client, &message, "source_context", "");
  message.source_context = NULL; /* none */
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_OK);
  ue_free(client);
  CHECK_INT(requests("608"), 1);
}

static void a_text_of_nul_terminated_length_ends_at_its_nul(void) {
  ue_client *client = sandbox_client();
  ue_message message = UE_MESSAGE_INIT;
  CHECK(message.client_user_id_length == UE_NUL_TERMINATED && message.content_length == UE_NUL_TERMINATED &&
        message.source_context_length == UE_NUL_TERMINATED);
  message.client_user_id = (const char *)fenced("609", 4);
  message.content = (const char *)fenced("Hi", 3);
  message.source_context = (const char *)fenced("[1]", 4);
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_OK);
  ue_free(client);
  char *body = entry_field("609", 0, "body");
  CHECK_TEXT(body, "{\\\"content\\\":\\\"Hi\\\",\\\"source_context\\\":[1]}");
  free(body);
}

static void a_length_that_no_text_can_have_is_refused(void) {
  ue_client *client = sandbox_client();
  static const size_t lengths[] = {SIZE_MAX - 1, SIZE_MAX / 2 + 1};
  for (int i = 0; i < 2; i++) {
    ue_message message = message_to("605");
    message.content_length = lengths[i];
    check_refused_message(client, &message, "content", "UE_NUL_TERMINATED");
  }
  ue_message message = message_to("605");
  message.content = NULL;
  message.content_length = 2;
  check_refused_message(client, &message, "content is NULL", "content_length");
  ue_free(client);
  CHECK_INT(requests("605"), 0);
}

static const test tests[] = {
    TEST(null_handles_are_taken_by_every_function),
    TEST(null_arguments_are_refused_by_name),
    TEST(no_options_and_no_result_are_fine),
    TEST(text_that_is_not_utf8_is_refused_with_its_field_and_place),
    TEST(ids_that_are_no_path_segment_are_refused),
    TEST(odd_ids_are_one_segment_of_the_path),
    TEST(a_text_with_a_length_needs_no_nul_after_it),
    TEST(a_nul_within_a_length_is_refused_and_cuts_nothing),
    TEST(attributes_out_of_their_range_are_refused),
    TEST(options_out_of_their_range_are_refused),
    TEST(a_key_that_no_header_can_carry_is_refused_and_not_repeated),
    TEST(names_and_version_are_static_texts),
    TEST(constants_have_their_numbers),
    TEST(a_length_of_0_is_empty_and_nothing_is_read_or_sent),
    TEST(a_text_of_nul_terminated_length_ends_at_its_nul),
    TEST(a_length_that_no_text_can_have_is_refused),
};

MAIN(tests)
