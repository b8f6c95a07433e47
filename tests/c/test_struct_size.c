/* A program and a library of different versions: the library uses a struct up to its size, and no further. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "given.h"

/* A copy of the first `size` bytes of a struct, with that as its struct_size. A read past it crashes. */
static void *cut_off(const void *from, size_t size) {
  char *at = (char *)fenced(from, size);
  memcpy(at, &size, sizeof size);
  return at;
}

static void an_older_message_is_read_to_its_end_and_no_further(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to("700");
  message.user_data = &message; /* never read */
  const ue_message *older = (const ue_message *)cut_off(&message, offsetof(ue_message, timeout_ms));
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, older, &result), UE_OK);
  CHECK(ue_result_user_data(result) == NULL);
  ue_result_free(result);
  older = (const ue_message *)cut_off(&message, offsetof(ue_message, user_data));
  CHECK_INT(ue_send_conversation(client, older, NULL), UE_OK);
  ue_free(client);
  char *body = entry_field("700", 0, "body");
  CHECK_TEXT(body, "{\\\"content\\\":\\\"Hi\\\"}");
  free(body);
}

/* Without their lengths, texts are empty: nothing is read or sent. No released version had such a struct. */
static void a_message_too_old_for_a_required_field_lacks_it(void) {
  static const struct {
    size_t size;
    const char *fault;
  } older[] = {
      {offsetof(ue_message, content), "content is NULL"},
      {offsetof(ue_message, client_user_id_length), "client_user_id is empty"},
      {offsetof(ue_message, content_length), "content is empty"},
  };
  ue_client *client = sandbox_client();
  ue_message message = message_to("701");
  for (size_t i = 0; i < sizeof older / sizeof older[0]; i++) {
    ue_result *result = NULL;
    const ue_message *cut = (const ue_message *)cut_off(&message, older[i].size);
    CHECK_INT(ue_send_conversation(client, cut, &result), UE_INVALID_ARGUMENT);
    CHECK_PART(ue_result_message(result), older[i].fault);
    ue_result_free(result);
  }
  ue_free(client);
  CHECK_INT(requests("701"), 0);
}

static void older_options_of_a_batch_and_of_a_queue_have_the_defaults_of_what_they_lack(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to("707");
  ue_batch_options batch = UE_BATCH_OPTIONS_INIT;
  const size_t sizes[] = {offsetof(ue_batch_options, user_data), offsetof(ue_batch_options, cancel)};
  for (int i = 0; i < 2; i++) {
    const ue_batch_options *older = (const ue_batch_options *)cut_off(&batch, sizes[i]);
    CHECK_INT(ue_send_conversations(client, &message, 1, older, NULL), UE_OK);
  }
  ue_queue_options options = UE_QUEUE_OPTIONS_INIT;
  options.timeout_from = 7; /* never read */
  ue_queue *queue =
      ue_queue_new(client, (const ue_queue_options *)cut_off(&options, offsetof(ue_queue_options, timeout_from)), NULL);
  CHECK_INT(ue_queue_push(queue, &message, NULL), UE_OK);
  CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("707"), 3);
}

static void older_options_have_the_defaults_of_what_they_lack(void) {
  ue_options options = sandbox_options();
  const size_t sizes[] = {offsetof(ue_options, api_version), offsetof(ue_options, proxy),
                          offsetof(ue_options, interrupt)};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    ue_client *client = client_with((const ue_options *)cut_off(&options, sizes[i]));
    CHECK_INT(send_to(client, "702"), UE_OK);
    ue_free(client);
  }
}

/* The struct of a future version, with one more field. */
typedef struct newer_message {
  ue_message known;
  uint64_t unknown[2];
} newer_message;

typedef struct newer_options {
  ue_options known;
  uint64_t unknown[2];
} newer_options;

static void a_newer_struct_is_taken_when_what_is_new_is_not_used(void) {
  newer_options options;
  memset(&options, 0, sizeof options);
  options.known = sandbox_options();
  options.known.struct_size = sizeof options;
  ue_client *client = client_with((const ue_options *)cut_off(&options, sizeof options));
  newer_message message;
  memset(&message, 0, sizeof message);
  message.known = message_to("703");
  message.known.user = 926;
  CHECK_INT(ue_send_conversation(client, (const ue_message *)cut_off(&message, sizeof message), NULL), UE_OK);
  ue_free(client);
  char *body = entry_field("703", 0, "body");
  CHECK_TEXT(body, "{\\\"content\\\":\\\"Hi\\\",\\\"user\\\":926}");
  free(body);
}

static void a_newer_struct_is_refused_when_what_is_new_is_used(void) {
  for (size_t byte = 0; byte < sizeof(uint64_t[2]); byte += 5) {
    newer_options options;
    memset(&options, 0, sizeof options);
    options.known = sandbox_options();
    options.known.struct_size = sizeof options;
    ((char *)options.unknown)[byte] = 1;
    ue_result *result = NULL;
    CHECK(ue_client_new(the_sandbox.api_key, &options.known, &result) == NULL);
    CHECK_INT(ue_result_status(result), UE_INVALID_ARGUMENT);
    CHECK_PART(ue_result_message(result), "ue_options sets a field that version " UE_VERSION);
    ue_result_free(result);

    ue_client *client = sandbox_client();
    newer_message message;
    memset(&message, 0, sizeof message);
    message.known = message_to("704");
    message.known.struct_size = sizeof message;
    ((char *)message.unknown)[byte] = 1;
    CHECK_INT(ue_send_conversation(client, &message.known, &result), UE_INVALID_ARGUMENT);
    CHECK_PART(ue_result_message(result), "ue_message sets a field that version " UE_VERSION);
    ue_result_free(result);
    ue_free(client);
  }
  CHECK_INT(requests("704"), 0);
}

static void a_size_that_no_version_has_is_refused_with_what_to_do(void) {
  static const size_t sizes[] = {0,       1,       4, sizeof(size_t), sizeof(ue_message) - 1, sizeof(ue_message) + 1,
                                 1 << 20, SIZE_MAX};
  ue_client *client = sandbox_client();
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    ue_message message = message_to("705");
    message.struct_size = sizes[i];
    ue_result *result = NULL;
    CHECK_INT(ue_send_conversation(client, &message, &result), UE_INVALID_ARGUMENT);
    CHECK_PART(ue_result_message(result), "initialise the struct with UE_MESSAGE_INIT");
    ue_result_free(result);

    ue_options options = sandbox_options();
    options.struct_size = sizes[i] == SIZE_MAX ? SIZE_MAX : sizes[i] | 1;
    CHECK(ue_client_new(the_sandbox.api_key, &options, &result) == NULL);
    CHECK_PART(ue_result_message(result), "initialise the struct with UE_OPTIONS_INIT");
    ue_result_free(result);
  }
  ue_free(client);
  CHECK_INT(requests("705"), 0);
}

static void an_older_outcome_is_written_to_its_end_and_no_further(void) {
  ue_outcome known = UE_OUTCOME_INIT;
  const size_t size = offsetof(ue_outcome, conversation_id);
  ue_outcome *older = (ue_outcome *)cut_off(&known, size);
  CHECK(ue_result_read(NULL, older));
  CHECK_INT(older->struct_size, size);
  CHECK_INT(older->status, UE_INVALID_ARGUMENT);
}

static void what_is_new_in_a_newer_outcome_becomes_zero(void) {
  struct {
    ue_outcome known;
    uint64_t unknown[2];
  } newer;
  memset(&newer, 0xff, sizeof newer);
  newer.known.struct_size = sizeof newer;
  CHECK(ue_result_read(NULL, &newer.known));
  CHECK_INT(newer.known.struct_size, sizeof newer);
  CHECK_INT(newer.known.conversation_id, -1);
  CHECK_INT(newer.known.body_length, 0);
  CHECK(newer.unknown[0] == 0 && newer.unknown[1] == 0);
}

static void an_outcome_of_a_size_that_no_version_has_stays_as_it_is(void) {
  static const size_t sizes[] = {0, 1, sizeof(size_t), sizeof(ue_outcome) - 1, 1 << 20, SIZE_MAX};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    ue_outcome outcome = UE_OUTCOME_INIT;
    outcome.struct_size = sizes[i];
    CHECK(!ue_result_read(NULL, &outcome));
    CHECK_INT(outcome.conversation_id, 0);
  }
}

static void the_layout_is_the_one_that_was_released(void) {
#if defined(__LP64__)
  CHECK_INT(sizeof(ue_message), 96);
  CHECK_INT(offsetof(ue_message, source_context_length), 64);
  CHECK_INT(offsetof(ue_message, user_data), 88);
  CHECK_INT(sizeof(ue_options), 112);
  CHECK_INT(offsetof(ue_options, interrupt_user_data), 104);
  CHECK_INT(sizeof(ue_outcome), 136);
  CHECK_INT(offsetof(ue_outcome, body_length), 112);
  CHECK_INT(offsetof(ue_outcome, user_data), 128);
  CHECK_INT(sizeof(ue_batch_options), 40);
  CHECK_INT(offsetof(ue_batch_options, cancel), 32);
  CHECK_INT(sizeof(ue_queue_options), 24);
  CHECK_INT(offsetof(ue_queue_options, timeout_from), 16);
#endif
  CHECK_INT(sizeof(ue_status), sizeof(int32_t));
  CHECK_INT(sizeof(ue_delivery), sizeof(int32_t));
  CHECK_INT(sizeof(ue_retry), sizeof(int32_t));
}

static const test tests[] = {
    TEST(an_older_message_is_read_to_its_end_and_no_further),
    TEST(a_message_too_old_for_a_required_field_lacks_it),
    TEST(older_options_have_the_defaults_of_what_they_lack),
    TEST(older_options_of_a_batch_and_of_a_queue_have_the_defaults_of_what_they_lack),
    TEST(a_newer_struct_is_taken_when_what_is_new_is_not_used),
    TEST(a_newer_struct_is_refused_when_what_is_new_is_used),
    TEST(a_size_that_no_version_has_is_refused_with_what_to_do),
    TEST(an_older_outcome_is_written_to_its_end_and_no_further),
    TEST(what_is_new_in_a_newer_outcome_becomes_zero),
    TEST(an_outcome_of_a_size_that_no_version_has_stays_as_it_is),
    TEST(the_layout_is_the_one_that_was_released),
};

MAIN(tests)
