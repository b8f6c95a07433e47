// userengage.hpp: what it adds to the C API holds. test_cpp_other.cpp is its second translation unit; test_cpp_queue.cpp
// tests the queue.

#include <climits>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <userengage.hpp>
#include <utility>
#include <vector>
#if __cplusplus >= 202002L
#include <stop_token>
#endif

#include "harness.h"

using userengage::BatchOptions;
using userengage::Cancel;
using userengage::Client;
using userengage::ClientUserId;
using userengage::Delivery;
using userengage::Flow;
using userengage::Message;
using userengage::Options;
using userengage::Result;
using userengage::Retry;
using userengage::Source;
using userengage::Status;
using userengage::Text;

Status send_from_another_translation_unit(Client &client, std::string_view client_user_id);

namespace {

Options at_the_sandbox() {
  Options options;
  options.base_url = the_sandbox.base_url;
  return options;
}

Client new_client() {
  auto made = Client::try_make(the_sandbox.api_key, at_the_sandbox());
  CHECK_TEXT(std::string(made.second.message()).c_str(), "");
  return std::move(made.first);
}

void the_message_of_the_specification_goes_out_as_specified() {
  auto client = new_client();
  Message message;
  message.client_user_id = 200;
  message.content = "Hi <b>user</b>, enjoy our product!";
  message.user = 926;
  message.source = Source::email;
  message.source_context = R"({"name": "This is source_context used in API", "id": 123})";
  const Result result = client.try_send_conversation(message);
  CHECK(result.ok());
  CHECK(result.delivery() == Delivery::delivered);
  CHECK_INT(result.http_status().value_or(0), 201);
  char *body = entry_field("200", 0, "body");
  CHECK_TEXT(body, R"({\"content\":\"Hi <b>user</b>, enjoy our product!\",\"user\":926,\"source\":2,)"
                   R"(\"source_context\":{\"name\": \"This is source_context used in API\", \"id\": 123}})");
  free(body);
}

void two_translation_units_share_a_client() {
  auto client = new_client();
  CHECK(send_from_another_translation_unit(client, "201") == Status::ok);
  CHECK_INT(requests("201"), 1);
}

void handles_move_and_are_not_copied() {
  static_assert(std::is_nothrow_move_constructible_v<Client> && std::is_nothrow_move_assignable_v<Client>);
  static_assert(std::is_nothrow_move_constructible_v<Result> && std::is_nothrow_move_assignable_v<Result>);
  static_assert(!std::is_copy_constructible_v<Client> && !std::is_copy_assignable_v<Client>);
  static_assert(!std::is_copy_constructible_v<Result> && !std::is_copy_assignable_v<Result>);
  auto first = new_client();
  Client second = std::move(first);
  CHECK(second.try_send_conversation({202, "Hi"}).ok());
  CHECK(first.try_send_conversation({202, "Hi"}).status() == Status::invalid_argument);  // NOLINT: on purpose
  CHECK_INT(requests("202"), 1);
}

void texts_are_copied_from_views_that_end_nowhere() {
  auto client = new_client();
  const std::string text = "203 and more";
  CHECK(client.try_send_conversation({std::string_view(text).substr(0, 3), std::string_view(text).substr(4, 3)}).ok());
  char *body = entry_field("203", 0, "body");
  CHECK_TEXT(body, R"({\"content\":\"and\"})");
  free(body);
}

void a_nul_within_a_text_is_refused_and_cuts_nothing() {
  auto client = new_client();
  using namespace std::string_view_literals;
  const Result result = client.try_send_conversation({210, "Hi\0<b>user</b>"sv});
  CHECK(result.status() == Status::invalid_argument);
  CHECK(result.delivery() == Delivery::not_delivered);
  CHECK_PART(std::string(result.message()).c_str(), "content has a NUL at byte 2");
  CHECK_INT(requests("210"), 0);
}

void a_nul_within_an_option_or_the_key_is_refused_by_name() {
  using namespace std::string_view_literals;
  const auto refusal = [](const Text &api_key, const Options &options) {
    const auto made = Client::try_make(api_key, options);
    CHECK(made.first.get() == nullptr);
    CHECK(!made.second && made.second.status() == Status::invalid_argument);
    CHECK(made.second.delivery() == Delivery::not_delivered);
    return std::string(made.second.message());
  };
  const std::pair<const char *, Text Options::*> texts[] = {{"base_url", &Options::base_url},
                                                            {"proxy", &Options::proxy},
                                                            {"ca_file", &Options::ca_file},
                                                            {"user_agent", &Options::user_agent}};
  for (const auto &[field, text] : texts) {
    auto options = at_the_sandbox();
    options.*text = "ab\0cd"sv;
    CHECK_TEXT(refusal(the_sandbox.api_key, options).c_str(),
               (std::string(field) + " has a NUL at byte 2: remove it").c_str());
  }
  const auto key = the_sandbox.api_key + std::string("\0", 1);
  CHECK_TEXT(refusal(key, at_the_sandbox()).c_str(),
             ("api_key has a NUL at byte " + std::to_string(key.size() - 1) + ": remove it").c_str());
}

void a_refused_option_reads_the_same_after_a_move() {
  using namespace std::string_view_literals;
  auto refused = Client::try_make("\0"sv).second;
  const std::string_view message = refused.message();
  const Result moved = std::move(refused);
  CHECK(moved.message().data() == message.data());
  CHECK(moved.delivery() == Delivery::not_delivered && moved.attempts() == 0 && moved.detail().empty());
  CHECK(refused.message().empty() && refused.delivery() == Delivery::unknown);  // NOLINT: on purpose
}

void integers_of_every_size_are_ids() {
  static_assert(std::is_constructible_v<ClientUserId, signed char> && std::is_convertible_v<short, ClientUserId> &&
                std::is_convertible_v<unsigned, ClientUserId> && std::is_convertible_v<long, ClientUserId> &&
                std::is_convertible_v<unsigned long, ClientUserId> && std::is_convertible_v<long long, ClientUserId> &&
                std::is_constructible_v<ClientUserId, unsigned long long>);
  const long first = LONG_MIN;
  CHECK_TEXT(ClientUserId(first).c_str(), std::to_string(LONG_MIN).c_str());
  CHECK_TEXT(ClientUserId(INT64_MIN).c_str(), "-9223372036854775808");
  CHECK_TEXT(ClientUserId(LLONG_MIN).c_str(), "-9223372036854775808");
  CHECK_TEXT(ClientUserId(UINT64_MAX).c_str(), "18446744073709551615");
  CHECK_TEXT(ClientUserId(ULLONG_MAX).c_str(), "18446744073709551615");
  CHECK_TEXT(ClientUserId(7).c_str(), "7");
  CHECK_TEXT(ClientUserId(std::string("a") + "b").c_str(), "ab");
}

enum Plan { free_plan };

template <class From, class = void>
constexpr bool takes_null = false;
template <class From>
constexpr bool takes_null<From, std::void_t<decltype(From(NULL))>> = true;

void what_is_no_integer_does_not_compile_as_an_id() {
  static_assert(!std::is_constructible_v<ClientUserId, char> && !std::is_constructible_v<ClientUserId, wchar_t> &&
                !std::is_constructible_v<ClientUserId, char16_t> && !std::is_constructible_v<ClientUserId, char32_t> &&
                !std::is_constructible_v<ClientUserId, decltype(u8'7')>);
  static_assert(!std::is_constructible_v<ClientUserId, bool> && !std::is_constructible_v<ClientUserId, double> &&
                !std::is_constructible_v<ClientUserId, Plan> && !std::is_constructible_v<ClientUserId, std::true_type>);
  static_assert(!std::is_constructible_v<ClientUserId, std::nullptr_t> && !takes_null<ClientUserId>);
  static_assert(takes_null<Text>);
  static_assert(!std::is_convertible_v<double, Text>);
}

void a_message_owns_its_texts() {
  Message message;
  message.client_user_id = 211;
  {
    const std::string name = "user, whose name is longer than what a std::string holds within itself";
    message.content = "Hi " + name;
  }
  auto client = new_client();
  CHECK(client.try_send_conversation(message).ok());
  char *body = entry_field("211", 0, "body");
  CHECK_PART(body, "Hi user, whose name is longer than");
  free(body);
}

void every_option_arrives() {
  auto options = at_the_sandbox();
  options.api_version = 2;
  options.user_agent = "shop/1";
  options.timeout = std::chrono::seconds(5);
  options.connect_timeout = std::chrono::seconds(2);
  options.delivery_policy = userengage::DeliveryPolicy::at_least_once;
  options.max_attempts = 2;
  options.max_per_second = 1000;
  options.max_connections = 1;
  options.proxy = "";
  auto made = Client::try_make(the_sandbox.api_key, options);
  order(R"({"fault": "store-then-fail", "client_user_id": "212", "times": 1})");
  const Result result = made.first.try_send_conversation({212, "Hi"});
  CHECK(result.ok() && result.may_be_duplicate());
  CHECK_INT(result.attempts(), 2);
  CHECK(result.conversation_id().has_value());
  CHECK_PART(std::string(result.body()).c_str(), "\"id\"");
  CHECK(result.elapsed().count() > 0);
  char *entries = journal("212");
  CHECK_PART(entries, "shop/1 userengage/");
  free(entries);
}

void over_tls_with_a_ca_file_a_message_is_delivered() {
  Options options;
  options.base_url = the_sandbox.tls_base_url;
  options.ca_file = the_sandbox.ca_file;
  auto made = Client::try_make(the_sandbox.api_key, options);
  CHECK(made.first.try_send_conversation({213, "Hi"}).ok());
}

void callbacks_are_kept_where_a_client_moves_to() {
  int asked = 0;
  std::string lines;
  auto options = at_the_sandbox();
  options.log_level = userengage::Level::debug;
  options.log = [&lines](userengage::Level, std::string_view line) { lines.append(line).append("\n"); };
  options.interrupt = [&asked] { return ++asked > 1; };
  auto made = Client::try_make(the_sandbox.api_key, options);
  Client moved = std::move(made.first);
  Client client;
  client = std::move(moved);
  options = {};
  order(R"({"fault": "hang", "client_user_id": "214", "times": 1})");
  CHECK(client.try_send_conversation({214, "Hi"}).status() == Status::cancelled);
  CHECK(asked > 1);
  CHECK_PART(lines.c_str(), "POST /api/public/users/214/conversations/");
}

void a_time_that_the_c_api_cannot_hold_is_no_other_time() {
  auto options = at_the_sandbox();
  options.timeout = std::chrono::milliseconds(-1);
  CHECK(Client::try_make(the_sandbox.api_key, options).second.status() == Status::invalid_argument);
  options.timeout = std::chrono::hours(24 * 365 * 100);
  const auto made = Client::try_make(the_sandbox.api_key, options);
  CHECK(made.second.status() == Status::invalid_argument);
  CHECK_PART(std::string(made.second.message()).c_str(), "timeout");
}

void closing_from_another_thread_ends_a_call() {
  order(R"({"fault": "hang", "client_user_id": "215", "times": 1})");
  auto client = new_client();
  Status status = Status::ok;
  std::thread sender([&] { status = client.try_send_conversation({215, "Hi"}).status(); });
  await_requests("215", 1);
  client.close();
  client.close();
  sender.join();
  CHECK(status == Status::closed);
}

void a_moved_from_or_empty_result_reads_as_an_unknown_failure() {
  const Result empty;
  CHECK(!empty && empty.delivery() == Delivery::unknown && !empty.http_status() && !empty.conversation_id());
  CHECK(!empty.retry_after() && empty.attempts() == 0 && empty.message().empty() && empty.body().empty());
  CHECK(empty.request_id().empty() && empty.detail().empty() && !empty.may_be_duplicate());
}

void texts_of_a_temporary_result_are_owned() {
  static_assert(std::is_same_v<decltype(std::declval<Result>().message()), std::string> &&
                std::is_same_v<decltype(std::declval<Result>().detail()), std::string> &&
                std::is_same_v<decltype(std::declval<Result>().request_id()), std::string> &&
                std::is_same_v<decltype(std::declval<Result>().body()), std::string>);
  static_assert(std::is_same_v<decltype(std::declval<Result &>().message()), std::string_view> &&
                std::is_same_v<decltype(std::declval<const Result &>().body()), std::string_view>);
  auto client = new_client();
  const auto message = client.try_send_conversation({"missing-219", "Hi"}).message();
  CHECK_PART(message.c_str(), "client_user_id");
  CHECK(client.try_send_conversation({"missing-219", "Hi"}).detail() == "Not found.");
  const auto body = client.try_send_conversation({"missing-219", "Hi"}).body();
  CHECK_PART(body.c_str(), "Not found.");
}

void a_wait_that_the_service_asks_for_is_told() {
  order(R"({"fault": "status", "status": 429, "headers": {"Retry-After": "7"}, "client_user_id": "216", "times": 1})");
  auto options = at_the_sandbox();
  options.timeout = std::chrono::seconds(2);
  auto made = Client::try_make(the_sandbox.api_key, options);
  const Result result = made.first.try_send_conversation({216, "Hi"});
  CHECK(result.status() == Status::rate_limited);
  CHECK(result.retry_after() == std::chrono::seconds(7));
}

void a_result_says_whether_to_send_again() {
  auto client = new_client();
  CHECK(client.try_send_conversation({230, "Hi"}).retry() == Retry::never);
  CHECK(client.try_send_conversation({"missing-230", "Hi"}).retry() == Retry::never);
  CHECK(client.try_send_conversation({230, ""}).retry() == Retry::never);
  order(R"({"fault": "status", "status": 401, "client_user_id": "230", "times": 1})");
  CHECK(client.try_send_conversation({230, "Hi"}).retry() == Retry::later);
  order(R"({"fault": "reset", "where": "before-status", "client_user_id": "230", "times": 1})");
  const Result lost = client.try_send_conversation({230, "Hi"});
  CHECK(lost.delivery() == Delivery::unknown && lost.retry() == Retry::decide);
  CHECK(Result().retry() == Retry::decide);
  CHECK(Client::try_make(std::string_view("\0", 1)).second.retry() == Retry::never);
}

void the_user_data_of_a_message_comes_back() {
  auto client = new_client();
  int mine = 0;
  Message message{231, "Hi"};
  CHECK(client.try_send_conversation(message).user_data() == nullptr);
  message.user_data = &mine;
  auto result = client.try_send_conversation(message);
  const Result moved = std::move(result);
  CHECK(moved.user_data() == &mine && result.user_data() == nullptr);  // NOLINT: on purpose
}

void a_message_has_a_timeout_of_its_own() {
  auto client = new_client();
  order(R"({"fault": "hang", "client_user_id": "232", "times": 1})");
  Message message{232, "Hi"};
  message.timeout = std::chrono::milliseconds(1500);  // under a checker even a connection takes long
  CHECK(client.try_send_conversation(message).status() == Status::timeout);
  message.timeout = std::chrono::milliseconds(-1);
  const Result refused = client.try_send_conversation(message);
  CHECK(refused.status() == Status::invalid_argument);
  CHECK_PART(std::string(refused.message()).c_str(), "timeout");
  CHECK_INT(requests("232"), 1);
}

Cancel new_cancel() {
  auto made = Cancel::try_make();
  CHECK(made.second.ok() && made.first.get() != nullptr);
  return made.first;
}

void a_cancel_ends_a_call_from_another_thread_and_every_later_one() {
  auto client = new_client();
  const Cancel cancel = new_cancel();
  order(R"({"fault": "hang", "client_user_id": "233", "times": 1})");
  Message message{233, "Hi"};
  message.cancel = cancel;
  CHECK(message.cancel.get() == cancel.get());
  Result ended;
  std::thread sender([&] { ended = client.try_send_conversation(message); });
  await_requests("233", 1);
  cancel.trigger();
  sender.join();
  CHECK(ended.status() == Status::cancelled && ended.delivery() == Delivery::unknown);
  const Result later = client.try_send_conversation(message);
  CHECK(later.status() == Status::cancelled && later.delivery() == Delivery::not_delivered);
  message.cancel = nullptr;
  CHECK(client.try_send_conversation(message).ok());
  Cancel(nullptr).trigger();
}

const Cancel *to_trigger = nullptr;

void a_signal_handler_may_trigger_a_cancel() {
  auto client = new_client();
  const Cancel cancel = new_cancel();
  to_trigger = &cancel;
  CHECK(std::signal(SIGUSR1, [](int) { to_trigger->trigger(); }) != SIG_ERR);
  order(R"({"fault": "hang", "client_user_id": "234", "times": 1})");
  Message message{234, "Hi"};
  message.cancel = cancel;
  std::thread signals([] {
    await_requests("234", 1);
    std::raise(SIGUSR1);
  });
  CHECK(client.try_send_conversation(message).status() == Status::cancelled);
  signals.join();
}

void a_message_keeps_its_cancel() {
  static_assert(std::is_nothrow_copy_constructible_v<Cancel> && std::is_nothrow_move_constructible_v<Cancel>);
  auto client = new_client();
  Message message{235, "Hi"};
  {
    const Cancel cancel = new_cancel();
    message.cancel = cancel;
    cancel.trigger();
  }
  CHECK(client.try_send_conversation(message).status() == Status::cancelled);
  CHECK_INT(requests("235"), 0);
}

void a_batch_has_a_result_for_each_message_and_tells_each_as_it_is_known() {
  auto client = new_client();
  std::vector<Message> messages{{220, "first"}, {"missing-220", "Hi"}, {"", "Hi"}, {220, "second"}};
  for (auto &message : messages) message.user_data = &message;
  std::vector<Status> told(messages.size(), Status::internal);
  std::size_t count = 0;
  BatchOptions options;
  options.on_result = [&](std::size_t index, const Result &result) {
    told.at(index) = result.status();
    CHECK(result.user_data() == &messages[index]);
    ++count;
    return Flow::go_on;
  };
  const auto results = client.try_send_conversations(messages, options);
  CHECK_INT(results.size(), 4);
  CHECK_INT(count, 4);
  for (std::size_t index = 0; index < 4; ++index) CHECK(results[index].status() == told[index]);
  CHECK(results[0].ok() && results[3].ok() && results[3].user_data() == &messages[3]);
  CHECK(results[1].status() == Status::not_found && results[2].status() == Status::invalid_argument);
  CHECK_INT(requests("220"), 2);
  CHECK(client.try_send_conversations({}).empty());
  CHECK(Client().try_send_conversations(messages).front().status() == Status::invalid_argument);
}

void on_result_may_finish_a_batch() {
  auto client = new_client();
  const std::vector<Message> messages(50, Message{221, "Hi"});
  BatchOptions options;
  options.on_result = [](std::size_t, const Result &) { return Flow::finish; };
  const auto results = client.try_send_conversations(messages, options);
  CHECK(results.front().ok());
  CHECK(results.back().status() == Status::cancelled && results.back().delivery() == Delivery::not_delivered);
  for (const auto &result : results) CHECK(result.delivery() != Delivery::unknown);
}

void on_result_may_abort_a_batch() {
  auto client = new_client();
  order(R"({"fault": "hang", "client_user_id": "222", "times": 1})");
  BatchOptions options;
  options.on_result = [](std::size_t index, const Result &) {
    if (index != 1) return Flow::go_on;
    await_requests("222", 1);
    return Flow::abort;
  };
  const auto results = client.try_send_conversations({{222, "Hi"}, {223, "Hi"}}, options);
  CHECK(results[0].status() == Status::cancelled && results[0].delivery() == Delivery::unknown);
  CHECK(results[1].ok());
}

void an_outage_suspends_a_batch() {
  auto options = at_the_sandbox();
  options.max_attempts = 1;
  auto client = Client::try_make(the_sandbox.api_key, options).first;
  order(R"({"fault": "status", "status": 500, "client_user_id": "224", "times": 9})");
  BatchOptions batch;
  batch.max_failures_in_a_row = 2;
  const auto results = client.try_send_conversations(std::vector<Message>(9, Message{224, "Hi"}), batch);
  CHECK(results[0].status() == Status::server_error && results[1].status() == Status::server_error);
  for (std::size_t index = 2; index < 9; ++index) {
    CHECK(results[index].status() == Status::suspended && results[index].retry() == Retry::later);
  }
  CHECK_INT(requests("224"), 2);
}

void a_cancel_ends_a_batch() {
  auto client = new_client();
  order(R"({"fault": "hang", "client_user_id": "225", "times": 1})");
  BatchOptions options;
  options.cancel = new_cancel();
  std::vector<Result> results;
  std::thread sender([&] { results = client.try_send_conversations({{225, "Hi"}, {225, "Hi"}}, options); });
  await_requests("225", 1);
  options.cancel.trigger();
  sender.join();
  CHECK(results[0].status() == Status::cancelled && results[0].delivery() == Delivery::unknown);
  CHECK(results[1].status() == Status::cancelled && results[1].delivery() == Delivery::not_delivered);
}

void names_and_version_are_the_librarys() {
  CHECK(userengage::name(Status::timeout) == "UE_TIMEOUT");
  CHECK(userengage::name(Status::suspended) == "UE_SUSPENDED");
  CHECK(userengage::version() == UE_VERSION);
  CHECK_INT(userengage::version_number(), UE_VERSION_NUMBER);
}

#if __cplusplus >= 202002L
void designated_initialisers_and_a_stop_token() {
  std::stop_source source;
  auto made = Client::try_make(
      the_sandbox.api_key,
      {.base_url = the_sandbox.base_url, .interrupt = [token = source.get_token()] { return token.stop_requested(); }});
  CHECK(made.first.try_send_conversation({.client_user_id = 217, .content = "Hi", .source = Source::api}).ok());
  order(R"({"fault": "hang", "client_user_id": "218", "times": 1})");
  Status status = Status::ok;
  std::jthread sender(
      [&] { status = made.first.try_send_conversation({.client_user_id = 218, .content = "Hi"}).status(); });
  await_requests("218", 1);
  source.request_stop();
  sender.join();
  CHECK(status == Status::cancelled);
}

void a_stop_token_ends_a_call() {
  auto client = new_client();
  std::stop_source source;
  const Message message{.client_user_id = 236, .content = "Hi"};
  CHECK(client.try_send_conversation(message, std::stop_token()).ok());
  order(R"({"fault": "hang", "client_user_id": "236", "times": 1})");
  Result ended;
  std::jthread sender([&] { ended = client.try_send_conversation(message, source.get_token()); });
  await_requests("236", 2);
  source.request_stop();
  sender.join();
  CHECK(ended.status() == Status::cancelled && ended.delivery() == Delivery::unknown);
  const Result later = client.try_send_conversation(message, source.get_token());
  CHECK(later.status() == Status::cancelled && later.delivery() == Delivery::not_delivered);
  CHECK_INT(requests("236"), 2);
}

void a_cancel_and_a_stop_token_are_refused_together() {
  auto client = new_client();
  const Message message{.client_user_id = 237, .content = "Hi", .cancel = new_cancel()};
  const Result refused = client.try_send_conversation(message, std::stop_source().get_token());
  CHECK(refused.status() == Status::invalid_argument && refused.retry() == Retry::never);
  CHECK_TEXT(std::string(refused.message()).c_str(), "cancel and a stop_token are both given: give one of them");
  CHECK_INT(requests("237"), 0);
}

#ifdef USERENGAGE_HPP_EXCEPTIONS
void a_call_that_a_stop_token_ends_throws() {
  auto client = new_client();
  CHECK(client.send_conversation({.client_user_id = 238, .content = "Hi"}, std::stop_token()).ok());
  std::stop_source source;
  source.request_stop();
  bool thrown = false;
  try {
    client.send_conversation({.client_user_id = 238, .content = "Hi"}, source.get_token());
  } catch (const userengage::Error &error) {
    thrown = error.status() == Status::cancelled && error.retry() == Retry::later;
  }
  CHECK(thrown);
}
#endif
#endif

void a_missing_environment_variable_is_an_error_and_no_crash() {
  const char *missing = nullptr;
  auto made = Client::try_make(missing);
  CHECK(made.first.get() == nullptr);
  CHECK(made.second.status() == Status::invalid_argument);
  CHECK_PART(std::string(made.second.message()).c_str(), "api_key is NULL");
}

#ifdef USERENGAGE_HPP_EXCEPTIONS
void a_refused_message_throws_and_the_error_says_what_is_known() {
  Client client(the_sandbox.api_key, at_the_sandbox());
  bool thrown = false;
  try {
    client.send_conversation({"missing-204", "Hi"});
  } catch (const userengage::Error &error) {
    thrown = true;
    CHECK(error.status() == Status::not_found);
    CHECK(error.delivery() == Delivery::not_delivered);
    CHECK(error.retry() == Retry::never);
    CHECK_PART(error.what(), "client_user_id");
    CHECK_INT(error.result().http_status().value_or(0), 404);
  }
  CHECK(thrown);
}

void a_caught_error_may_be_copied_and_outlives_its_client() {
  std::exception_ptr kept;
  {
    Client client(the_sandbox.api_key, at_the_sandbox());
    try {
      client.send_conversation({"missing-205", "Hi"});
    } catch (...) {
      kept = std::current_exception();
    }
  }
  bool thrown = false;
  try {
    std::rethrow_exception(kept);
  } catch (const userengage::Error &error) {
    const userengage::Error copy = error;
    thrown = true;
    CHECK(copy.result().detail() == "Not found.");
  }
  CHECK(thrown);
}

void a_moved_from_error_says_what_it_said() {
  using userengage::Error;
  static_assert(std::is_nothrow_copy_constructible_v<Error> && std::is_nothrow_copy_assignable_v<Error>);
  static_assert(std::is_nothrow_move_constructible_v<Error> && std::is_nothrow_move_assignable_v<Error>);
  Client client;
  Error error(client.try_send_conversation({1, "Hi"}));
  const std::string what = error.what();
  CHECK_PART(what.c_str(), "client is NULL");
  Error other = std::move(error);
  CHECK_TEXT(error.what(), what.c_str());  // NOLINT: on purpose
  CHECK(error.status() == Status::invalid_argument && error.delivery() == Delivery::not_delivered);
  CHECK(error.result().message() == what);
  const Error copy(error);
  Error assigned{Result()};
  CHECK_TEXT(assigned.what(), "");
  assigned = std::move(other);
  other = error;
  error = std::move(assigned);
  CHECK_TEXT(error.what(), what.c_str());
  CHECK_TEXT(other.what(), what.c_str());
  CHECK_TEXT(copy.what(), what.c_str());
  CHECK_TEXT(assigned.what(), what.c_str());  // NOLINT: on purpose
}

void a_refused_option_throws_its_text() {
  using namespace std::string_view_literals;
  std::string what;
  try {
    Client client("key\0"sv);
  } catch (const userengage::Error &error) {
    what = error.what();
  }
  CHECK_TEXT(what.c_str(), "api_key has a NUL at byte 3: remove it");
}

void a_bad_option_throws() {
  bool thrown = false;
  try {
    Options options;
    options.base_url = "ftp://127.0.0.1/";
    Client client(the_sandbox.api_key, options);
  } catch (const std::exception &error) {
    thrown = true;
    CHECK_PART(error.what(), "base_url");
  }
  CHECK(thrown);
}

void a_default_cancel_ends_calls() {
  auto client = new_client();
  Message message{239, "Hi"};
  message.cancel = Cancel();
  CHECK(client.try_send_conversation(message).ok());
  message.cancel.trigger();
  CHECK(client.try_send_conversation(message).status() == Status::cancelled);
}

void a_batch_throws_for_no_message() {
  auto client = new_client();
  const auto results = client.send_conversations({{226, "Hi"}, {"missing-226", "Hi"}});
  CHECK(results[0].ok() && results[1].status() == Status::not_found);
}

void an_exception_of_on_result_leaves_the_batch_after_its_end() {
  auto client = new_client();
  order(R"({"fault": "hang", "client_user_id": "228", "times": 1})");
  std::size_t calls = 0;
  BatchOptions options;
  options.on_result = [&calls](std::size_t, const Result &) -> Flow {
    ++calls;
    await_requests("228", 1);
    throw std::runtime_error("mine");
  };
  std::string what;
  try {
    CHECK(client.send_conversations({{227, "Hi"}, {228, "Hi"}, {228, "Hi"}}, options).empty());
  } catch (const std::runtime_error &error) {
    what = error.what();
  }
  CHECK_TEXT(what.c_str(), "mine");
  CHECK_INT(calls, 1);
  CHECK_INT(requests("228"), 1);
  CHECK(client.try_send_conversation({227, "Hi"}).ok());
}
#endif

const test tests[] = {
    TEST(the_message_of_the_specification_goes_out_as_specified),
    TEST(two_translation_units_share_a_client),
    TEST(handles_move_and_are_not_copied),
    TEST(texts_are_copied_from_views_that_end_nowhere),
    TEST(a_nul_within_a_text_is_refused_and_cuts_nothing),
    TEST(a_nul_within_an_option_or_the_key_is_refused_by_name),
    TEST(a_refused_option_reads_the_same_after_a_move),
    TEST(integers_of_every_size_are_ids),
    TEST(what_is_no_integer_does_not_compile_as_an_id),
    TEST(a_message_owns_its_texts),
    TEST(every_option_arrives),
    TEST(over_tls_with_a_ca_file_a_message_is_delivered),
    TEST(callbacks_are_kept_where_a_client_moves_to),
    TEST(a_time_that_the_c_api_cannot_hold_is_no_other_time),
    TEST(closing_from_another_thread_ends_a_call),
    TEST(a_moved_from_or_empty_result_reads_as_an_unknown_failure),
    TEST(texts_of_a_temporary_result_are_owned),
    TEST(a_wait_that_the_service_asks_for_is_told),
    TEST(a_result_says_whether_to_send_again),
    TEST(the_user_data_of_a_message_comes_back),
    TEST(a_message_has_a_timeout_of_its_own),
    TEST(a_cancel_ends_a_call_from_another_thread_and_every_later_one),
    TEST(a_signal_handler_may_trigger_a_cancel),
    TEST(a_message_keeps_its_cancel),
    TEST(a_batch_has_a_result_for_each_message_and_tells_each_as_it_is_known),
    TEST(on_result_may_finish_a_batch),
    TEST(on_result_may_abort_a_batch),
    TEST(an_outage_suspends_a_batch),
    TEST(a_cancel_ends_a_batch),
    TEST(names_and_version_are_the_librarys),
#if __cplusplus >= 202002L
    TEST(designated_initialisers_and_a_stop_token),
    TEST(a_stop_token_ends_a_call),
    TEST(a_cancel_and_a_stop_token_are_refused_together),
#ifdef USERENGAGE_HPP_EXCEPTIONS
    TEST(a_call_that_a_stop_token_ends_throws),
#endif
#endif
    TEST(a_missing_environment_variable_is_an_error_and_no_crash),
#ifdef USERENGAGE_HPP_EXCEPTIONS
    TEST(a_refused_message_throws_and_the_error_says_what_is_known),
    TEST(a_caught_error_may_be_copied_and_outlives_its_client),
    TEST(a_moved_from_error_says_what_it_said),
    TEST(a_refused_option_throws_its_text),
    TEST(a_bad_option_throws),
    TEST(a_default_cancel_ends_calls),
    TEST(a_batch_throws_for_no_message),
    TEST(an_exception_of_on_result_leaves_the_batch_after_its_end),
#endif
};

}  // namespace

MAIN(tests)
