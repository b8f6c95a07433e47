// userengage::Queue: what it adds to the C API's queue holds.

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <userengage.hpp>
#include <utility>
#include <vector>

#include "harness.h"

using userengage::Client;
using userengage::Delivery;
using userengage::Message;
using userengage::Options;
using userengage::Queue;
using userengage::QueueOptions;
using userengage::Result;
using userengage::Retry;
using userengage::Status;

namespace {

constexpr std::chrono::minutes long_enough{1};

Client new_client(Options options = {}) {
  options.base_url = the_sandbox.base_url;
  auto made = Client::try_make(the_sandbox.api_key, options);
  CHECK_TEXT(std::string(made.second.message()).c_str(), "");
  return std::move(made.first);
}

/// Sends one message at a time: the second one waits as long as the first one hangs.
Client one_connection() {
  Options options;
  options.max_connections = 1;
  return new_client(options);
}

Queue new_queue(const Client &client, const QueueOptions &options = {}) {
  auto made = Queue::try_make(client, options);
  CHECK_TEXT(std::string(made.second.message()).c_str(), "");
  return std::move(made.first);
}

template <class Completion>
Queue::Id push(Queue &queue, const Message &message, Completion completion) {
  const auto pushed = queue.try_push(message, std::move(completion));
  CHECK_TEXT(std::string(pushed.second.message()).c_str(), "");
  CHECK(pushed.first != Queue::Id{});
  return pushed.first;
}

/// A completion that keeps the result.
auto into(Result &kept) {
  return [&kept](Result result) { kept = std::move(result); };
}

const auto nothing = [](const Result &) {};

void hang(const char *client_user_id) {
  order((std::string(R"({"fault": "hang", "times": 1, "client_user_id": ")") + client_user_id + "\"}").c_str());
}

bool is_readable(const Queue &queue) {
  pollfd event{queue.fd(), POLLIN, 0};
  return poll(&event, 1, 0) == 1;
}

/// Runs completions as an event loop does, until so many ran.
void run(Queue &queue, std::size_t count) {
  while (count > 0) {
    pollfd event{queue.fd(), POLLIN, 0};
    CHECK_INT(poll(&event, 1, -1), 1);
    count -= queue.run_ready();
  }
}

void each_completion_runs_once_with_its_result_on_the_thread_that_asks() {
  auto client = new_client();
  auto queue = new_queue(client);
  const auto here = std::this_thread::get_id();
  std::vector<Result> results(30);
  for (std::size_t index = 0; index < results.size(); ++index) {
    push(queue, {index % 2 == 0 ? "500" : "missing-500", "Hi"}, [&results, index, here](Result result) {
      CHECK(std::this_thread::get_id() == here && results[index].get() == nullptr);
      results[index] = std::move(result);
    });
  }
  CHECK(queue.wait(long_enough) == Status::ok);
  for (const auto &result : results) CHECK(result.get() == nullptr);
  CHECK_INT(queue.run_ready(), 30);
  for (std::size_t index = 0; index < results.size(); ++index) {
    CHECK(results[index].status() == (index % 2 == 0 ? Status::ok : Status::not_found));
  }
  CHECK_INT(requests("500"), 15);
}

void the_descriptor_is_readable_exactly_while_a_completion_can_run() {
  auto client = new_client();
  auto queue = new_queue(client);
  CHECK(!is_readable(queue));
  push(queue, {501, "Hi"}, nothing);
  push(queue, {501, "Hi"}, nothing);
  CHECK(queue.wait(long_enough) == Status::ok);
  CHECK(is_readable(queue));
  CHECK_INT(queue.run_ready(1), 1);
  CHECK(is_readable(queue));
  CHECK_INT(queue.run_ready(), 1);
  CHECK(!is_readable(queue));
  CHECK_INT(queue.run_ready(), 0);
}

void a_completion_may_own_what_only_moves_and_may_push() {
  auto client = new_client();
  auto queue = new_queue(client);
  auto owned = std::make_unique<std::string>("502");
  Result last;
  push(queue, {502, "first"}, [&, owned = std::move(owned)](const Result &result) {
    CHECK(result.ok());
    push(queue, {*owned, "second"}, into(last));
  });
  run(queue, 2);
  CHECK(last.ok());
  CHECK_INT(requests("502"), 2);
}

void the_user_data_of_a_message_comes_back() {
  auto client = new_client();
  auto queue = new_queue(client);
  int mine = 0;
  Message message{503, "Hi"};
  message.user_data = &mine;
  Result result;
  push(queue, message, into(result));
  run(queue, 1);
  CHECK(result.user_data() == &mine);
  message.content = "";
  CHECK(queue.try_push(message, nothing).second.user_data() == &mine);
  message = {503, "Hi"};
  push(queue, message, into(result));
  run(queue, 1);
  CHECK(result.user_data() == nullptr);
}

void a_refused_completion_is_destroyed_and_does_not_run() {
  auto client = one_connection();
  QueueOptions options;
  options.capacity = 1;
  auto queue = new_queue(client, options);
  hang("504");
  const auto id = push(queue, {504, "Hi"}, nothing);
  const auto alive = std::make_shared<int>(0);
  const auto refused = [&](const Message &message) {
    const auto [none, result] = queue.try_push(message, [alive](const Result &) { CHECK(false); });
    CHECK(none == Queue::Id{} && !queue.cancel(none) && alive.use_count() == 1);
    CHECK(result.delivery() == Delivery::not_delivered);
    return result.status();
  };
  CHECK(refused({504, "Hi"}) == Status::queue_full);
  CHECK(refused({504, ""}) == Status::invalid_argument);
  CHECK(queue.cancel(id));
  run(queue, 1);
  queue.stop();
  CHECK(refused({504, "Hi"}) == Status::closed);
  queue = Queue();
  CHECK(refused({504, "Hi"}) == Status::invalid_argument);
  CHECK(requests("504") <= 1);
}

void an_empty_queue_does_nothing() {
  static_assert(std::is_nothrow_move_constructible_v<Queue> && std::is_nothrow_move_assignable_v<Queue>);
  static_assert(!std::is_copy_constructible_v<Queue> && !std::is_copy_assignable_v<Queue>);
  Queue queue;
  queue.stop();
  queue.resume();
  CHECK_INT(queue.run_ready(), 0);
  CHECK_INT(queue.fd(), -1);
  CHECK(queue.wait(long_enough) == Status::invalid_argument);
  CHECK(queue.poll(long_enough) == Status::invalid_argument);
  const auto made = Queue::try_make(Client());
  CHECK(made.first.get() == nullptr && made.second.status() == Status::invalid_argument);
  CHECK_PART(std::string(made.second.message()).c_str(), "client is NULL");
}

void a_moved_queue_keeps_its_messages() {
  auto client = new_client();
  auto first = new_queue(client);
  Result result;
  push(first, {505, "Hi"}, into(result));
  Queue second = std::move(first);
  Queue queue;
  queue = std::move(second);
  run(queue, 1);
  CHECK(result.ok());
  CHECK(first.try_push({505, "Hi"}, nothing).second.status() == Status::invalid_argument);  // NOLINT: on purpose
}

void cancelling_ends_one_message_whether_it_waits_or_is_in_flight() {
  auto client = one_connection();
  auto queue = new_queue(client);
  hang("506");
  Result in_flight, waiting, other;
  const auto first = push(queue, {506, "Hi"}, into(in_flight));
  const auto second = push(queue, {507, "Hi"}, into(waiting));
  push(queue, {506, "Hi"}, into(other));
  await_requests("506", 1);
  CHECK(queue.cancel(second));
  CHECK_INT(queue.run_ready(), 1);
  CHECK(waiting.status() == Status::cancelled && waiting.delivery() == Delivery::not_delivered);
  CHECK(queue.cancel(first));
  run(queue, 2);
  CHECK(in_flight.status() == Status::cancelled && in_flight.delivery() == Delivery::unknown);
  CHECK(in_flight.retry() == Retry::decide);
  CHECK(other.ok());
  CHECK(!queue.cancel(first) && !queue.cancel(second));
  CHECK_INT(requests("507"), 0);
}

void stopping_begins_no_more() {
  auto client = one_connection();
  auto queue = new_queue(client);
  hang("508");
  Result in_flight, waiting;
  const auto first = push(queue, {508, "Hi"}, into(in_flight));
  push(queue, {509, "Hi"}, into(waiting));
  await_requests("508", 1);
  queue.stop();
  CHECK_INT(queue.run_ready(), 1);
  CHECK(waiting.status() == Status::cancelled && waiting.delivery() == Delivery::not_delivered);
  CHECK(queue.wait(std::chrono::milliseconds(-1)) == Status::timeout);
  queue.cancel(first);
  CHECK(queue.wait(long_enough) == Status::ok);
  CHECK_INT(queue.run_ready(), 1);
  CHECK(in_flight.delivery() == Delivery::unknown);
  CHECK_INT(requests("509"), 0);
}

void a_poll_ends_as_soon_as_a_completion_can_run_and_runs_none() {
  auto client = new_client();
  auto queue = new_queue(client);
  CHECK(queue.poll(std::chrono::milliseconds(-1)) == Status::timeout);
  hang("560");
  Result hanging, other;
  const auto first = push(queue, {560, "Hi"}, into(hanging));
  push(queue, {561, "Hi"}, into(other));
  CHECK(queue.poll(long_enough) == Status::ok);  // though one message hangs
  CHECK(other.get() == nullptr);
  CHECK_INT(queue.run_ready(), 1);
  CHECK(other.status() == Status::ok);
  CHECK(queue.poll(std::chrono::milliseconds(1)) == Status::timeout);
  CHECK(queue.cancel(first));
  CHECK(queue.poll(std::chrono::milliseconds::max()) == Status::ok);
  CHECK_INT(queue.run_ready(), 1);
  CHECK(hanging.status() == Status::cancelled);
}

void a_poll_ends_when_the_interrupt_callback_says_so() {
  Options options;
  options.interrupt = [] { return true; };
  auto client = new_client(options);
  auto queue = new_queue(client);
  CHECK(queue.poll(long_enough) == Status::cancelled);
}

void an_outage_suspends_a_queue_until_it_is_resumed() {
  Options of_client;
  of_client.max_attempts = 1;
  auto client = new_client(of_client);
  QueueOptions options;
  options.max_failures_in_a_row = 1;
  auto queue = new_queue(client, options);
  order(R"({"fault": "status", "status": 500, "client_user_id": "510", "times": 1})");
  Result failed, sent;
  push(queue, {510, "Hi"}, into(failed));
  run(queue, 1);
  CHECK(failed.status() == Status::server_error);
  const Result refused = queue.try_push({510, "Hi"}, nothing).second;
  CHECK(refused.status() == Status::suspended && refused.retry() == Retry::later);
  queue.resume();
  push(queue, {510, "Hi"}, into(sent));
  run(queue, 1);
  CHECK(sent.ok());
}

void a_timeout_from_the_push_ends_a_message_that_waits() {
  auto client = one_connection();
  QueueOptions options;
  options.timeout_from = userengage::TimeoutFrom::push;
  auto queue = new_queue(client, options);
  hang("511");
  Result waiting;
  const auto first = push(queue, {511, "Hi"}, nothing);
  await_requests("511", 1);
  Message message{512, "Hi"};
  message.timeout = std::chrono::milliseconds(10);
  push(queue, message, into(waiting));
  run(queue, 1);
  CHECK(waiting.status() == Status::timeout && waiting.delivery() == Delivery::not_delivered);
  queue.cancel(first);
  run(queue, 1);
}

void a_queue_outlives_its_client_and_uses_its_callbacks() {
  std::string lines;
  Options options;
  options.log_level = userengage::Level::debug;
  options.log = [&lines](userengage::Level, std::string_view line) { lines.append(line).append("\n"); };
  options.interrupt = [] { return false; };
  auto client = new_client(options);
  options = {};
  auto queue = new_queue(client);
  hang("513");
  Result ended;
  push(queue, {513, "Hi"}, into(ended));
  await_requests("513", 1);
  client = Client();
  CHECK(queue.wait(long_enough) == Status::ok);
  CHECK_INT(queue.run_ready(), 1);
  CHECK(ended.status() == Status::closed && ended.delivery() == Delivery::unknown);
  CHECK_PART(lines.c_str(), "POST /api/public/users/513/conversations/");
  CHECK(queue.try_push({513, "Hi"}, nothing).second.status() == Status::closed);
}

void destroying_a_queue_destroys_what_did_not_run() {
  auto client = one_connection();
  const auto alive = std::make_shared<int>(0);
  const auto completion = [alive](const Result &) { CHECK(false); };
  {
    auto queue = new_queue(client);
    push(queue, {514, "Hi"}, completion);
    CHECK(queue.wait(long_enough) == Status::ok);
    hang("515");
    push(queue, {515, "Hi"}, completion);
    push(queue, {516, "Hi"}, completion);
    await_requests("515", 1);
    CHECK_INT(alive.use_count(), 5);
  }
  CHECK_INT(alive.use_count(), 2);
  CHECK_INT(requests("516"), 0);
  CHECK(client.try_send_conversation({514, "Hi"}).ok());
}

void threads_push_and_run_at_once() {
  auto client = new_client();
  auto queue = new_queue(client);
  constexpr int threads = 4, each = 50;
  std::atomic<int> ran{0};
  std::vector<std::atomic<int>> times(threads * each);
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread) {
    all.emplace_back([&, thread] {
      for (int index = 0; index < each; ++index) {
        push(queue, {520 + thread, "Hi"}, [&, place = static_cast<std::size_t>(thread * each + index)](Result result) {
          CHECK(result.ok());
          ++times[place];
          ++ran;
        });
        queue.run_ready();
      }
      while (ran < threads * each) {
        CHECK(queue.wait(long_enough) == Status::ok);
        queue.run_ready();
      }
    });
  }
  for (auto &thread : all) thread.join();
  for (const auto &time : times) CHECK_INT(time.load(), 1);
  CHECK_INT(requests("523"), each);
}

/// What only the process that made it may destroy.
struct OfThisProcess {
  pid_t maker = getpid();
  OfThisProcess() = default;
  OfThisProcess(const OfThisProcess &) = default;
  OfThisProcess &operator=(const OfThisProcess &) = default;
  ~OfThisProcess() { CHECK(maker == getpid()); }
};

void a_child_has_an_empty_queue_and_leaves_the_parents_completions_alone() {
  auto client = one_connection();
  auto queue = new_queue(client);
  hang("530");
  Result of_parent;
  const auto first = push(queue, {530, "Hi"}, [&, kept = OfThisProcess()](Result result) {
    CHECK(kept.maker == getpid());
    of_parent = std::move(result);
  });
  await_requests("530", 1);
  const pid_t child = fork();
  if (child == 0) {
    CHECK(!queue.cancel(first) && queue.run_ready() == 0);
    Result of_child;
    push(queue, {531, "Hi"}, into(of_child));
    run(queue, 1);
    CHECK(of_child.ok());
    queue = Queue();
    _exit(0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(queue.cancel(first));
  run(queue, 1);
  CHECK(of_parent.status() == Status::cancelled);
  CHECK_INT(requests("530"), 1);
  CHECK_INT(requests("531"), 1);
}

#ifdef USERENGAGE_HPP_EXCEPTIONS
void an_exception_of_a_completion_leaves_run_ready_and_loses_no_other() {
  const Client client = new_client();
  Queue queue(client);
  int ran = 0;
  for (int index = 0; index < 3; ++index) {
    queue.push({540, "Hi"}, [&ran](const Result &) {
      if (++ran == 1) throw std::runtime_error("mine");
    });
  }
  CHECK(queue.wait(long_enough) == Status::ok);
  std::string what;
  try {
    queue.run_ready();
  } catch (const std::runtime_error &error) {
    what = error.what();
  }
  CHECK_TEXT(what.c_str(), "mine");
  CHECK_INT(ran, 1);
  CHECK(is_readable(queue));
  CHECK_INT(queue.run_ready(), 2);
  CHECK_INT(ran, 3);
}

void a_refused_push_throws() {
  const Client client = new_client();
  Queue queue(client);
  CHECK(queue.push({541, "Hi"}, nothing) != Queue::Id{});
  Status status = Status::ok;
  std::string what;
  try {
    queue.push({541, ""}, nothing);
  } catch (const userengage::Error &error) {
    status = error.status();
    what = error.what();
  }
  CHECK(status == Status::invalid_argument);
  CHECK_PART(what.c_str(), "content is empty");
  try {
    Queue(Client{});
  } catch (const userengage::Error &error) {
    what = error.what();
  }
  CHECK_PART(what.c_str(), "client is NULL");
}
#endif

#ifdef __cpp_lib_jthread
template <class Completion>
void push(Queue &queue, const Message &message, Completion completion, const std::stop_token &token) {
  CHECK_TEXT(std::string(queue.try_push(message, std::move(completion), token).second.message()).c_str(), "");
}

void a_stop_token_ends_its_messages_whether_they_wait_or_are_in_flight() {
  auto client = one_connection();
  auto queue = new_queue(client);
  hang("550");
  std::stop_source source;
  Result in_flight, waiting, other;
  push(queue, {550, "Hi"}, into(in_flight), source.get_token());
  push(queue, {551, "Hi"}, into(waiting), source.get_token());
  push(queue, {550, "Hi"}, into(other));
  await_requests("550", 1);
  source.request_stop();
  run(queue, 3);
  CHECK(in_flight.status() == Status::cancelled && in_flight.delivery() == Delivery::unknown);
  CHECK(waiting.status() == Status::cancelled && waiting.delivery() == Delivery::not_delivered);
  CHECK(other.ok());
  CHECK_INT(requests("551"), 0);
}

void a_message_whose_stop_was_requested_before_is_not_sent() {
  auto client = new_client();
  auto queue = new_queue(client);
  std::stop_source source;
  source.request_stop();
  std::vector<Result> results(50);
  for (auto &result : results) push(queue, {552, "Hi"}, into(result), source.get_token());
  run(queue, results.size());
  for (const auto &result : results) {
    CHECK(result.status() == Status::cancelled && result.delivery() == Delivery::not_delivered);
  }
  CHECK_INT(requests("552"), 0);
}

void a_stop_after_the_completion_or_the_queue_does_nothing() {
  auto client = new_client();
  std::stop_source first, second;
  {
    auto queue = new_queue(client);
    Result result;
    push(queue, {553, "Hi"}, into(result), first.get_token());
    run(queue, 1);
    CHECK(result.ok());
    CHECK(first.request_stop());
    hang("553");
    push(queue, {553, "Hi"}, nothing, second.get_token());
    const auto refused = queue.try_push({553, ""}, nothing, second.get_token());
    CHECK(refused.first == Queue::Id{} && refused.second.status() == Status::invalid_argument);
  }
  CHECK(second.request_stop());
}

void a_completion_may_request_its_own_stop() {
  auto client = new_client();
  auto queue = new_queue(client);
  std::stop_source source;
  push(queue, {554, "Hi"}, [&source](const Result &) { source.request_stop(); }, source.get_token());
  run(queue, 1);
  CHECK(source.stop_requested());
}

/// A completion that requests a stop when it is moved for the so-many-th time: so within a push.
struct StopsWhenMoved {
  std::stop_source *source;
  Result *result;
  int moves_left;

  StopsWhenMoved(std::stop_source &to_stop, Result &kept, int moves)
      : source(&to_stop), result(&kept), moves_left(moves) {}
  StopsWhenMoved(StopsWhenMoved &&other) noexcept
      : source(other.source), result(other.result), moves_left(other.moves_left - 1) {
    if (moves_left == 0) source->request_stop();
  }
  StopsWhenMoved &operator=(StopsWhenMoved &&) = delete;
  void operator()(Result given) const { *result = std::move(given); }
};

void a_stop_at_any_moment_of_a_push_ends_the_message() {
  auto client = new_client();
  auto queue = new_queue(client);
  bool is_after_the_push = false;
  for (int moves = 1; !is_after_the_push; ++moves) {
    hang("556");
    std::stop_source source;
    Result result;
    push(queue, {556, "Hi"}, StopsWhenMoved(source, result, moves), source.get_token());
    is_after_the_push = source.request_stop();
    run(queue, 1);
    CHECK(result.status() == Status::cancelled);
  }
}

void a_stop_in_a_child_leaves_the_parents_messages_alone() {
  auto client = new_client();
  auto queue = new_queue(client);
  hang("555");
  std::stop_source source;
  push(queue, {555, "Hi"}, nothing, source.get_token());
  await_requests("555", 1);
  const pid_t child = fork();
  if (child == 0) {
    queue = Queue();
    source.request_stop();
    _exit(0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(queue.wait(std::chrono::milliseconds(0)) == Status::timeout);
  source.request_stop();
  run(queue, 1);
}
#endif

const test tests[] = {
    TEST(each_completion_runs_once_with_its_result_on_the_thread_that_asks),
    TEST(the_descriptor_is_readable_exactly_while_a_completion_can_run),
    TEST(a_completion_may_own_what_only_moves_and_may_push),
    TEST(the_user_data_of_a_message_comes_back),
    TEST(a_refused_completion_is_destroyed_and_does_not_run),
    TEST(an_empty_queue_does_nothing),
    TEST(a_moved_queue_keeps_its_messages),
    TEST(cancelling_ends_one_message_whether_it_waits_or_is_in_flight),
    TEST(stopping_begins_no_more),
    TEST(a_poll_ends_as_soon_as_a_completion_can_run_and_runs_none),
    TEST(a_poll_ends_when_the_interrupt_callback_says_so),
    TEST(an_outage_suspends_a_queue_until_it_is_resumed),
    TEST(a_timeout_from_the_push_ends_a_message_that_waits),
    TEST(a_queue_outlives_its_client_and_uses_its_callbacks),
    TEST(destroying_a_queue_destroys_what_did_not_run),
    TEST(threads_push_and_run_at_once),
    TEST(a_child_has_an_empty_queue_and_leaves_the_parents_completions_alone),
#ifdef USERENGAGE_HPP_EXCEPTIONS
    TEST(an_exception_of_a_completion_leaves_run_ready_and_loses_no_other),
    TEST(a_refused_push_throws),
#endif
#ifdef __cpp_lib_jthread
    TEST(a_stop_token_ends_its_messages_whether_they_wait_or_are_in_flight),
    TEST(a_message_whose_stop_was_requested_before_is_not_sent),
    TEST(a_stop_after_the_completion_or_the_queue_does_nothing),
    TEST(a_completion_may_request_its_own_stop),
    TEST(a_stop_at_any_moment_of_a_push_ends_the_message),
    TEST(a_stop_in_a_child_leaves_the_parents_messages_alone),
#endif
};

}  // namespace

MAIN(tests)
