// SPDX-License-Identifier: MIT OR Apache-2.0
//
// userengage.hpp: libuserengage for C++17. Header only; link the C library.
//
//     userengage::Client client(api_key);
//     client.send_conversation({42, "Hi <b>user</b>, enjoy our product!"});
//
// userengage.h documents every call, option and attribute; that applies here too. This header adds:
//
// Ownership  Client, Queue and Result own their handle, free it, and can be moved. A moved-from Client or Queue refuses to
//            send; a moved-from Result reads as an unknown failure. Copies of a Cancel are one Cancel. Options and Message
//            own their texts. A Result returns views of its texts, and std::strings if it is a temporary.
// Errors     Constructors, send_conversation and push throw Error. What begins with try_ returns a Result, does not throw,
//            and works with -fno-exceptions. If memory runs out, it ends the program. Where a failed message is sent
//            again, do so if retry() == Retry::later, and for no other reason.
// Threads    Threads may share a Client, a Queue and a Cancel, and read a Result, as in C. Moving or destroying must be
//            the last use.

#ifndef USERENGAGE_HPP
#define USERENGAGE_HPP

#if __cplusplus < 201703L && !(defined(_MSVC_LANG) && _MSVC_LANG >= 201703L)
#error "userengage.hpp needs C++17 or later: compile with -std=c++17 (MSVC: /std:c++17)"
#else

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "userengage.h"

#ifndef _WIN32
#include <unistd.h>
#endif

#if __cplusplus >= 202002L || (defined(_MSVC_LANG) && _MSVC_LANG >= 202002L)
#include <version>
#ifdef __cpp_lib_jthread
#include <stop_token>
#endif
#endif

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define USERENGAGE_HPP_EXCEPTIONS 1
#include <exception>
#endif

// The compiler warns where a pointer or a view outlives the object that it comes from.
#define USERENGAGE_LIFETIMEBOUND
#ifdef __has_cpp_attribute
#if __has_cpp_attribute(clang::lifetimebound)
#undef USERENGAGE_LIFETIMEBOUND
#define USERENGAGE_LIFETIMEBOUND [[clang::lifetimebound]]
#elif __has_cpp_attribute(msvc::lifetimebound)
#undef USERENGAGE_LIFETIMEBOUND
#define USERENGAGE_LIFETIMEBOUND [[msvc::lifetimebound]]
#endif
#endif

// One type in all shared objects of a program, even if they are compiled with -fvisibility=hidden.
#if defined(__GNUC__) && !defined(_WIN32)
#define USERENGAGE_VISIBLE __attribute__((visibility("default")))
#else
#define USERENGAGE_VISIBLE
#endif

namespace userengage {

/// The kind of an outcome, as ue_status. Treat an unknown value as a failure.
enum class Status : std::int32_t {
  ok = UE_OK,
  invalid_argument = UE_INVALID_ARGUMENT,
  connect = UE_CONNECT,
  tls = UE_TLS,
  timeout = UE_TIMEOUT,
  connection_lost = UE_CONNECTION_LOST,
  bad_reply = UE_BAD_REPLY,
  unauthorized = UE_UNAUTHORIZED,
  not_found = UE_NOT_FOUND,
  rejected = UE_REJECTED,
  rate_limited = UE_RATE_LIMITED,
  server_error = UE_SERVER_ERROR,
  closed = UE_CLOSED,
  cancelled = UE_CANCELLED,
  internal = UE_INTERNAL,
  queue_full = UE_QUEUE_FULL,
  suspended = UE_SUSPENDED,
};

/// What is known of a message: could the customer have seen it?
enum class Delivery : std::int32_t {
  /// The request went out, and nothing proves what became of it.
  unknown = UE_DELIVERY_UNKNOWN,
  /// It never went out whole, or was refused: the customer has not seen it.
  not_delivered = UE_NOT_DELIVERED,
  /// The service accepted it: do not send again.
  delivered = UE_DELIVERED,
};

/// Whether sending a message again can help, as ue_retry. Treat an unknown value as decide.
enum class Retry : std::int32_t {
  /// The customer may have seen it: a person, or the application, has to decide.
  decide = UE_RETRY_DECIDE,
  /// Not delivered. Sending it again later is safe, and can help.
  later = UE_RETRY_LATER,
  /// Delivered, or it will fail again: its content or its user is wrong.
  never = UE_RETRY_NEVER,
};

/// What to do when it is unknown whether an attempt delivered the message.
enum class DeliveryPolicy : std::int32_t {
  /// Stop and say so.
  at_most_once = UE_AT_MOST_ONCE,
  /// Send again, at the risk of showing it twice.
  at_least_once = UE_AT_LEAST_ONCE,
};

/// The channel of a message. Further positive numbers are passed on: Source{6}.
enum class Source : std::int32_t {
  none = 0,
  chat = UE_SOURCE_CHAT,
  email = UE_SOURCE_EMAIL,
  api = UE_SOURCE_API,
  sms = UE_SOURCE_SMS,
  slack = UE_SOURCE_SLACK,
};

/// How important a log line is.
enum class Level : std::int32_t {
  off = UE_LOG_OFF,
  error = UE_LOG_ERROR,
  warning = UE_LOG_WARN,
  info = UE_LOG_INFO,
  debug = UE_LOG_DEBUG,
  trace = UE_LOG_TRACE,
};

/// How a batch goes on after a result.
enum class Flow : std::int32_t {
  /// Go on.
  go_on = UE_BATCH_CONTINUE,
  /// Finish the messages in flight, and begin no more. No message becomes unknown by it.
  finish = UE_BATCH_FINISH,
  /// End the messages in flight, too. The delivery of those may be unknown.
  abort = UE_BATCH_ABORT,
};

/// When the timeout of a message in a queue starts.
enum class TimeoutFrom : std::int32_t {
  /// When the message is begun. The wait for its turn does not count, because other messages cause it.
  turn = UE_TIMEOUT_FROM_TURN,
  /// When the message is pushed: for a caller who waits for this one message.
  push = UE_TIMEOUT_FROM_PUSH,
};

/// The name of a status, such as "UE_TIMEOUT".
[[nodiscard]] inline std::string_view name(Status status) noexcept {
  return ue_status_name(static_cast<std::int32_t>(status));
}

/// The version of the library, such as "0.1.0".
[[nodiscard]] inline std::string_view version() noexcept { return ue_version(); }

/// The same as a number that can be compared: major * 10000 + minor * 100 + patch.
[[nodiscard]] inline std::uint32_t version_number() noexcept { return ue_version_number(); }

/// An optional text that it owns. Made from anything that a std::string_view can be made from, or from a null pointer.
class Text {
 public:
  /// None.
  Text() noexcept = default;
  /// A copy of text. None if it is null, as std::getenv may return.
  Text(const char *text) : text_(text == nullptr ? std::nullopt : std::optional<std::string>(text)) {}
  /// A copy of text.
  Text(std::string_view text) : text_(text) {}
  /// Takes over text.
  Text(std::string text) noexcept : text_(std::move(text)) {}

  /// NUL-terminated and owned by this. Null for none.
  [[nodiscard]] const char *c_str() const noexcept USERENGAGE_LIFETIMEBOUND { return text_ ? text_->c_str() : nullptr; }
  /// The length in bytes.
  [[nodiscard]] std::size_t size() const noexcept { return text_ ? text_->size() : 0; }

 private:
  std::optional<std::string> text_{};
};

/// Who gets a message: a text or an integer. Characters, bool and NULL are not integers here: they do not compile.
class ClientUserId : public Text {
  template <class Type, class... Types>
  static constexpr bool is_one_of = (std::is_same_v<Type, Types> || ...);
  template <class Type>
  static constexpr bool is_integer = is_one_of<Type, signed char, short, int, long, long long, unsigned char,
                                               unsigned short, unsigned, unsigned long, unsigned long long>;

 public:
  using Text::Text;
  /// None.
  ClientUserId() noexcept = default;
  /// None is not an id.
  ClientUserId(std::nullptr_t) = delete;
  /// An integer as text.
  template <class Integer, std::enable_if_t<is_integer<Integer> && !std::is_same_v<Integer, decltype(NULL)>, int> = 0>
  ClientUserId(Integer id) : Text(std::to_string(id)) {}
  /// An integer as text. It takes those of NULL's own type, as no template does: NULL fits const char * equally well, and
  /// is refused as ambiguous. Where NULL is a plain 0, so is 0.
  ClientUserId(long long id) : Text(std::to_string(id)) {}
  /// Anything else is not an id.
  template <class Other, std::enable_if_t<!is_integer<Other> && !std::is_constructible_v<Text, Other>, int> = 0>
  ClientUserId(Other) = delete;
};

/// The result of a call. It owns its texts, and returns views of them that are valid as long as it lives. A temporary
/// Result returns std::strings: `auto text = client.try_send_conversation(message).message();` keeps the text.
class Result {
 public:
  /// Empty: reads as an unknown failure.
  Result() noexcept = default;
  /// Takes over a result of the C API.
  explicit Result(ue_result *result) noexcept : Result(result, ue_result_user_data(result)) {}

  /// Whether the call succeeded.
  [[nodiscard]] bool ok() const noexcept { return status() == Status::ok; }
  /// The same as ok().
  [[nodiscard]] explicit operator bool() const noexcept { return ok(); }
  /// The kind of outcome.
  [[nodiscard]] Status status() const noexcept { return static_cast<Status>(ue_result_status(get())); }
  /// What is known of the message.
  [[nodiscard]] Delivery delivery() const noexcept {
    return refusal_ ? Delivery::not_delivered : static_cast<Delivery>(ue_result_delivery(get()));
  }
  /// Whether sending the message again can help. A program that sends failed messages again does so for Retry::later alone.
  [[nodiscard]] Retry retry() const noexcept {
    return refusal_ ? Retry::never : static_cast<Retry>(ue_result_retry(get()));
  }
  /// The user_data of the Message. Null if it has none.
  [[nodiscard]] void *user_data() const noexcept { return handle_ ? handle_.get_deleter().user_data : nullptr; }
  /// Whether the customer may see the message twice.
  [[nodiscard]] bool may_be_duplicate() const noexcept { return ue_result_may_be_duplicate(get()); }
  /// The HTTP status of the last answer. None if no answer came.
  [[nodiscard]] std::optional<std::int32_t> http_status() const noexcept {
    const auto status = ue_result_http_status(get());
    return status == 0 ? std::nullopt : std::optional(status);
  }
  /// The conversation's id, which api_version 2 gives.
  [[nodiscard]] std::optional<std::int64_t> conversation_id() const noexcept {
    const auto id = ue_result_conversation_id(get());
    return id < 0 ? std::nullopt : std::optional(id);
  }
  /// How long to wait before the message is sent again, if known.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry_after() const noexcept {
    const auto wait = ue_result_retry_after_ms(get());
    return wait < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(wait));
  }
  /// How many requests were begun.
  [[nodiscard]] std::uint32_t attempts() const noexcept { return ue_result_attempts(get()); }
  /// How long the call took, every attempt and wait included.
  [[nodiscard]] std::chrono::microseconds elapsed() const noexcept {
    return std::chrono::microseconds(ue_result_elapsed_us(get()));
  }
  /// The id under which the service knows the request. Empty: not given.
  [[nodiscard]] std::string_view request_id() const & noexcept USERENGAGE_LIFETIMEBOUND {
    return ue_result_request_id(get());
  }
  /// The service's own words. Empty: it gave none.
  [[nodiscard]] std::string_view detail() const & noexcept USERENGAGE_LIFETIMEBOUND { return ue_result_detail(get()); }
  /// One line for a person: what happened, what is known of the message, what to do. Empty when ok.
  [[nodiscard]] std::string_view message() const & noexcept USERENGAGE_LIFETIMEBOUND {
    return refusal_ ? std::string_view(*refusal_) : ue_result_message(get());
  }
  /// The body of the last answer as it came, at most 64 KiB of it. It may quote the message: keep it out of logs.
  [[nodiscard]] std::string_view body() const & noexcept USERENGAGE_LIFETIMEBOUND {
    std::size_t length = 0;
    const char *body = ue_result_body(get(), &length);
    return {body, length};
  }
  /// Of a temporary: a text that outlives it.
  [[nodiscard]] std::string request_id() && { return std::string(request_id()); }
  /// Of a temporary: a text that outlives it.
  [[nodiscard]] std::string detail() && { return std::string(detail()); }
  /// Of a temporary: a text that outlives it.
  [[nodiscard]] std::string message() && { return std::string(message()); }
  /// Of a temporary: a text that outlives it.
  [[nodiscard]] std::string body() && { return std::string(body()); }
  /// The handle of the C API, still owned by this. Null if it is empty, and if this header itself refused an argument.
  [[nodiscard]] const ue_result *get() const noexcept USERENGAGE_LIFETIMEBOUND { return handle_.get(); }

 private:
  friend class Client;
  friend class Queue;

  Result(ue_result *result, void *user_data) noexcept : handle_(result, Free{user_data}) {}

  /// For an argument that the C API cannot be given. NULL reads as UE_INVALID_ARGUMENT there.
  explicit Result(std::string refusal) : refusal_(std::make_unique<const std::string>(std::move(refusal))) {}

  struct Free {
    void *user_data;  // the message's: that of the C API is the Queue's own, in a Queue
    void operator()(ue_result *result) const noexcept { ue_result_free(result); }
  };
  std::unique_ptr<ue_result, Free> handle_{};
  std::unique_ptr<const std::string> refusal_{};
};

#ifdef USERENGAGE_HPP_EXCEPTIONS
/// A call that failed. what() is the result's message. Copies share the result. A move is a copy: what was moved from says
/// what it said before.
class USERENGAGE_VISIBLE Error : public std::exception {
 public:
  /// An error for a result.
  explicit Error(Result result) : result_(std::make_shared<const Result>(std::move(result))) {}
  /// Shares the result.
  Error(const Error &) noexcept = default;
  /// Shares the result.
  Error &operator=(const Error &) noexcept = default;
  ~Error() override = default;
  /// The result's message: what happened, what is known of the message, what to do.
  [[nodiscard]] const char *what() const noexcept USERENGAGE_LIFETIMEBOUND override {
    return result_->message().data();  // ends with a NUL
  }
  /// The kind of outcome.
  [[nodiscard]] Status status() const noexcept { return result_->status(); }
  /// What is known of the message.
  [[nodiscard]] Delivery delivery() const noexcept { return result_->delivery(); }
  /// Whether sending the message again can help.
  [[nodiscard]] Retry retry() const noexcept { return result_->retry(); }
  /// All details.
  [[nodiscard]] const Result &result() const noexcept USERENGAGE_LIFETIMEBOUND { return *result_; }

 private:
  std::shared_ptr<const Result> result_;  // exceptions are copied. Never null: there is no move
};
#endif

/// Ends calls, from any thread or from a signal handler: set it in a Message or in BatchOptions. Copies are one Cancel. It
/// takes two descriptors.
class Cancel {
 public:
  /// None: ends nothing.
  Cancel(std::nullptr_t) noexcept {}

  /// Makes a Cancel. It is empty if the process has no descriptors left, and the result says so.
  [[nodiscard]] static std::pair<Cancel, Result> try_make() noexcept {
    ue_result *result = nullptr;
    Cancel made(ue_cancel_new(&result));
    return {std::move(made), Result(result)};
  }

#ifdef USERENGAGE_HPP_EXCEPTIONS
  /// As try_make; throws Error on failure.
  Cancel() : Cancel(nullptr) {
    auto made = try_make();
    if (!made.second) throw Error(std::move(made.second));
    *this = std::move(made.first);
  }
#endif

  /// Ends the calls that have it, now and later, at once: as cancelled, with what is known of each message. May be called
  /// any number of times, and in a signal handler, on a Cancel that nobody assigns to or destroys meanwhile.
  void trigger() const noexcept { ue_cancel_trigger(get()); }

  /// The handle of the C API, still owned by this. Null for none.
  [[nodiscard]] ue_cancel *get() const noexcept USERENGAGE_LIFETIMEBOUND { return handle_.get(); }

 private:
  explicit Cancel(ue_cancel *cancel) : handle_(cancel, ue_cancel_free) {}

  std::shared_ptr<ue_cancel> handle_{};
};

/// One message: the attributes of the service's specification, by their names. With C++20:
///
///     Message{.client_user_id = 42, .content = "Hi", .source = Source::api}
struct Message {
  /// Required. Any text but "", "." and "..", without control characters; or an integer.
  ClientUserId client_user_id = {};
  /// Required. Text or HTML.
  Text content = {};
  /// The agent who writes. 0: none given.
  std::int64_t user = 0;
  /// The channel.
  Source source = Source::none;
  /// JSON text of an object or an array, passed on as written.
  Text source_context = {};
  /// The deadline of this message. 0: the client's timeout.
  std::chrono::milliseconds timeout{0};
  /// Ends the call that sends this message, or, in a queue, the message once it is begun. Before that: Queue::cancel.
  Cancel cancel = nullptr;
  /// Comes back as Result::user_data. Never dereferenced.
  void *user_data = nullptr;
};

/// How a client sends. A field that is not set has the default that ue_options names.
struct Options {
  /// Where the API is: https, or http on a loopback host.
  Text base_url = {};
  /// 0: as the specification. UE_API_VERSION_2: the answer carries the conversation's id.
  std::int32_t api_version = 0;
  /// What to do when it is unknown whether an attempt delivered the message.
  DeliveryPolicy delivery_policy = DeliveryPolicy::at_most_once;
  /// The most requests for one message. 0: the default.
  std::uint32_t max_attempts = 0;
  /// For DNS, TCP, proxy and TLS of one attempt. 0: the default.
  std::chrono::milliseconds connect_timeout{0};
  /// The deadline of the whole call, every attempt and wait included; in a batch, of each message from its turn on.
  /// 0: the default.
  std::chrono::milliseconds timeout{0};
  /// The rate limit: the most requests a second over all threads. 0: no limit.
  std::uint32_t max_per_second = 0;
  /// The size of the connection pool: the most connections that a batch or a queue uses at once, and that are kept for
  /// reuse. At most 256. 0: the default.
  std::uint32_t max_connections = 0;
  /// Special characters of user and password are percent-encoded. "" for none. Not set: the environment variables
  /// HTTPS_PROXY (else ALL_PROXY) and NO_PROXY.
  Text proxy = {};
  /// A PEM file with the only certificate authorities to trust.
  Text ca_file = {};
  /// Put before "userengage/<version>" in the User-Agent header.
  Text user_agent = {};
  /// Receives log lines, on the thread that is inside a call: on several at once if several send. Those of a queue come in
  /// Queue::run_ready. Must not throw: that ends the program.
  std::function<void(Level, std::string_view)> log = {};
  /// The least important level that is logged.
  Level log_level = Level::off;
  /// Called on the thread that is inside a call, at least every 100 ms while it waits. If it returns true, the call ends
  /// as cancelled. Must not throw.
  std::function<bool()> interrupt = {};
};

/// How a batch is sent. A field that is not set has the default that ue_batch_options names.
struct BatchOptions {
  /// Receives each result as soon as it is known, on the thread that sends the batch, and says how the batch goes on.
  /// index: the message's place. The Result is valid during the call of on_result.
  std::function<Flow(std::size_t index, const Result &result)> on_result = {};
  /// After so many failures in a row that are no fault of a message, no further one is begun: the rest is suspended and not
  /// delivered. 0: off.
  std::uint32_t max_failures_in_a_row = 0;
  /// Ends the whole batch. For Ctrl-C: trigger it in the signal handler.
  Cancel cancel = nullptr;
};

/// How a queue works. A field that is not set has the default that ue_queue_options names.
struct QueueOptions {
  /// The most messages in the queue: those that wait, those in flight, and those whose completion did not run yet. 0: the
  /// default.
  std::uint32_t capacity = 0;
  /// As in BatchOptions. A suspended queue refuses further messages, until Queue::resume. 0: off.
  std::uint32_t max_failures_in_a_row = 0;
  /// When the timeout of a message starts.
  TimeoutFrom timeout_from = TimeoutFrom::turn;
};

namespace detail {

/// Converts a time for the C API. A time out of range becomes UINT32_MAX, which the library refuses by name.
inline std::uint32_t milliseconds(std::chrono::milliseconds time) noexcept {
  return time.count() >= 0 && time.count() < UINT32_MAX ? static_cast<std::uint32_t>(time.count()) : UINT32_MAX;
}

/// Converts how long to wait. Less than nothing is nothing.
inline std::uint32_t wait_milliseconds(std::chrono::milliseconds time) noexcept {
  return milliseconds(time.count() > 0 ? time : std::chrono::milliseconds(0));
}

/// Converts a message for the C API. It borrows what the message owns.
inline ue_message for_c(const Message &message) noexcept {
  ue_message given = UE_MESSAGE_INIT;
  given.client_user_id = message.client_user_id.c_str();
  given.content = message.content.c_str();
  given.user = message.user;
  given.source = static_cast<std::int32_t>(message.source);
  given.source_context = message.source_context.c_str();
  given.client_user_id_length = message.client_user_id.size();
  given.content_length = message.content.size();
  given.source_context_length = message.source_context.size();
  given.timeout_ms = milliseconds(message.timeout);
  given.cancel = message.cancel.get();
  given.user_data = message.user_data;
  return given;
}

/// What the C library calls. It has the address, so this stays where it is when a Client or a Queue moves.
struct Callbacks {
  /// See Options.
  std::function<void(Level, std::string_view)> log;
  /// See Options.
  std::function<bool()> interrupt;

  /// A ue_log_fn.
  static void on_log(void *callbacks, std::int32_t level, const char *text) noexcept {
    static_cast<Callbacks *>(callbacks)->log(static_cast<Level>(level), text);
  }
  /// A ue_interrupt_fn.
  static std::int32_t on_interrupt(void *callbacks) noexcept {
    return static_cast<Callbacks *>(callbacks)->interrupt() ? 1 : 0;
  }
};

}  // namespace detail

/// Sends messages. Keeps its connections: make one and share it.
class Client {
 public:
  /// Empty: refuses to send.
  Client() noexcept = default;

  /// Makes a client. On failure the client is empty and the result says why. Connects to nothing yet.
  [[nodiscard]] static std::pair<Client, Result> try_make(const Text &api_key, const Options &options = {}) noexcept {
    std::string refusal;
    // C reads a text up to its first NUL: it would cut one that has a NUL in it.
    const auto whole = [&refusal](const char *field, const Text &text) {
      const auto at = std::string_view(text.c_str(), text.size()).find('\0');
      if (at != std::string_view::npos && refusal.empty()) {
        refusal = std::string(field) + " has a NUL at byte " + std::to_string(at) + ": remove it";
      }
      return text.c_str();
    };
    const auto callbacks = std::make_shared<detail::Callbacks>(detail::Callbacks{options.log, options.interrupt});
    ue_options given = UE_OPTIONS_INIT;
    given.base_url = whole("base_url", options.base_url);
    given.api_version = options.api_version;
    given.delivery_policy = static_cast<std::int32_t>(options.delivery_policy);
    given.max_attempts = options.max_attempts;
    given.connect_timeout_ms = detail::milliseconds(options.connect_timeout);
    given.timeout_ms = detail::milliseconds(options.timeout);
    given.max_per_second = options.max_per_second;
    given.max_connections = options.max_connections;
    given.proxy = whole("proxy", options.proxy);
    given.ca_file = whole("ca_file", options.ca_file);
    given.user_agent = whole("user_agent", options.user_agent);
    given.log = callbacks->log ? &detail::Callbacks::on_log : nullptr;
    given.log_user_data = callbacks.get();
    given.log_level = static_cast<std::int32_t>(options.log_level);
    given.interrupt = callbacks->interrupt ? &detail::Callbacks::on_interrupt : nullptr;
    given.interrupt_user_data = callbacks.get();
    const char *key = whole("api_key", api_key);
    if (!refusal.empty()) return {Client(), Result(std::move(refusal))};
    ue_result *result = nullptr;
    Client made;
    made.handle_.reset(ue_client_new(key, &given, &result));
    if (made.handle_) made.callbacks_ = callbacks;
    return {std::move(made), Result(result)};
  }

  /// Sends one message and waits for its outcome, at most the timeout.
  [[nodiscard]] Result try_send_conversation(const Message &message) noexcept { return send(detail::for_c(message)); }

  /// Sends many messages over at most max_connections connections at once and waits for all. Returns their results, in
  /// the order of the messages. Messages to one client_user_id keep their order.
  ///
  /// on_result must not throw here: that ends the program.
  [[nodiscard]] std::vector<Result> try_send_conversations(const std::vector<Message> &messages,
                                                           const BatchOptions &options = {}) noexcept {
    Batch batch{options};
    return send_each(messages, batch, [](void *of, std::size_t index, const ue_result *result) noexcept {
      return static_cast<Batch *>(of)->tell(index, result);
    });
  }

#ifdef USERENGAGE_HPP_EXCEPTIONS
  /// As try_make; throws Error on failure.
  explicit Client(const Text &api_key, const Options &options = {}) {
    auto made = try_make(api_key, options);
    if (!made.second) throw Error(std::move(made.second));
    *this = std::move(made.first);
  }

  /// As try_send_conversation; throws Error unless the message was delivered.
  Result send_conversation(const Message &message) {
    auto result = try_send_conversation(message);
    if (!result) throw Error(std::move(result));
    return result;
  }

  /// As try_send_conversations; does not throw for a message that failed, because each message has its own result.
  ///
  /// on_result may throw: that aborts the batch, on_result is not called again, and the exception is thrown once the batch
  /// has ended. The results that on_result has not received are lost then; to keep them, return Flow::abort instead.
  [[nodiscard]] std::vector<Result> send_conversations(const std::vector<Message> &messages,
                                                       const BatchOptions &options = {}) {
    struct Catching : Batch {
      std::exception_ptr thrown{};
    } batch{{options}};
    auto results = send_each(messages, batch, [](void *of, std::size_t index, const ue_result *result) noexcept {
      auto &catching = *static_cast<Catching *>(static_cast<Batch *>(of));
      if (catching.thrown) return std::int32_t{UE_BATCH_ABORT};
      try {
        return catching.tell(index, result);
      } catch (...) {
        catching.thrown = std::current_exception();
        return std::int32_t{UE_BATCH_ABORT};
      }
    });
    if (batch.thrown) std::rethrow_exception(batch.thrown);
    return results;
  }
#endif

#ifdef __cpp_lib_jthread
  /// As try_send_conversation, until a stop is requested: that ends the call at once, as cancelled, with what is known of
  /// the message. message.cancel must be none.
  [[nodiscard]] Result try_send_conversation(const Message &message, const std::stop_token &token) noexcept {
    if (message.cancel.get() != nullptr) return Result("cancel and a stop_token are both given: give one of them");
    auto [cancel, made] = Cancel::try_make();
    if (!made) return std::move(made);
    const std::stop_callback on_stop(token, [&cancel = cancel]() noexcept { cancel.trigger(); });
    auto given = detail::for_c(message);
    given.cancel = cancel.get();
    return send(given);
  }

#ifdef USERENGAGE_HPP_EXCEPTIONS
  /// As try_send_conversation; throws Error unless the message was delivered.
  Result send_conversation(const Message &message, const std::stop_token &token) {
    auto result = try_send_conversation(message, token);
    if (!result) throw Error(std::move(result));
    return result;
  }
#endif
#endif

  /// Ends the calls in flight in other threads, and every later one, as closed. Does not wait.
  void close() noexcept { ue_client_close(get()); }

  /// The handle of the C API, still owned by this.
  [[nodiscard]] ue_client *get() const noexcept USERENGAGE_LIFETIMEBOUND { return handle_.get(); }

 private:
  friend class Queue;

  struct Free {
    void operator()(ue_client *client) const noexcept { ue_free(client); }
  };

  /// A batch while it is sent.
  struct Batch {
    const BatchOptions &options;

    /// Passes a result on. It stays the C library's.
    std::int32_t tell(std::size_t index, const ue_result *result) const {
      const struct Borrowed {
        Result result;
        ~Borrowed() { static_cast<void>(result.handle_.release()); }
      } borrowed{Result(const_cast<ue_result *>(result))};
      return static_cast<std::int32_t>(options.on_result(index, borrowed.result));
    }
  };

  Result send(const ue_message &message) noexcept {
    ue_result *result = nullptr;
    [[maybe_unused]] const auto status = ue_send_conversation(get(), &message, &result);  // the result has it
    return Result(result);
  }

  std::vector<Result> send_each(const std::vector<Message> &messages, Batch &batch, ue_on_result_fn on_result) {
    std::vector<ue_message> given;
    given.reserve(messages.size());
    for (const auto &message : messages) given.push_back(detail::for_c(message));
    std::vector<ue_result *> handles(messages.size());
    std::vector<Result> results;
    results.reserve(messages.size());
    ue_batch_options options = UE_BATCH_OPTIONS_INIT;
    options.on_result = batch.options.on_result ? on_result : nullptr;
    options.user_data = &batch;
    options.max_failures_in_a_row = batch.options.max_failures_in_a_row;
    options.cancel = batch.options.cancel.get();
    [[maybe_unused]] const auto first_failure =
        ue_send_conversations(get(), given.data(), given.size(), &options, handles.data());
    for (auto *handle : handles) results.emplace_back(handle);
    return results;
  }

  std::shared_ptr<detail::Callbacks> callbacks_{};  // a Queue shares them
  std::unique_ptr<ue_client, Free> handle_{};       // the last member, so that it is freed before the callbacks
};

/// Sends messages of a client without waiting for them. Each message has a completion: any callable that takes a Result,
/// also one that can only be moved. run_ready runs those of finished messages, and nothing else does: no completion runs
/// on another thread, or while a push, a poll or a wait lasts.
///
///     userengage::Queue queue(client);
///     queue.push({42, "Hi"}, [](const userengage::Result &result) { std::cout << result.message(); });
///     // when queue.fd() is readable:
///     queue.run_ready();
///
/// A queue keeps what it needs of its client: destroy the two in any order. Destroying a queue ends the messages in flight
/// and takes milliseconds. Completions that did not run are destroyed, and do not run: first stop, wait and run_ready, if
/// the outcomes matter. A completion may use the queue, but must not move or destroy it.
///
/// After fork() the child has an empty queue, with a descriptor of its own: ask fd again. What was pushed before stays with
/// the parent: its completions neither run in the child, nor are they destroyed there.
class Queue {
  /// The completion of a message.
  struct Pending {
    explicit Pending(void *of_message) noexcept : user_data(of_message) {}
    Pending(const Pending &) = delete;
    Pending &operator=(const Pending &) = delete;
    virtual ~Pending() = default;
    virtual void complete(Result result) = 0;

    void *const user_data;
  };

 public:
  /// Names a message in its queue. Id{} names none.
  enum class Id : std::uintptr_t {};

  /// Empty: refuses to send.
  Queue() noexcept = default;

  /// Makes a queue. On failure the queue is empty and the result says why.
  [[nodiscard]] static std::pair<Queue, Result> try_make(const Client &client,
                                                         const QueueOptions &options = {}) noexcept {
    ue_queue_options given = UE_QUEUE_OPTIONS_INIT;
    given.capacity = options.capacity;
    given.max_failures_in_a_row = options.max_failures_in_a_row;
    given.timeout_from = static_cast<std::int32_t>(options.timeout_from);
    ue_result *result = nullptr;
    Queue made;
    if (auto *const handle = ue_queue_new(client.get(), &given, &result)) {
      made.state_ = std::make_unique<State>(client.callbacks_, handle);
    }
    return {std::move(made), Result(result)};
  }

  /// Copies a message into the queue, and returns at once. Messages to one client_user_id are sent in order.
  ///
  /// If the message was accepted, the result is ok, and the completion will run exactly once. Otherwise the Id is empty, the
  /// message is not sent, the completion is destroyed, and the result says why: queue_full, suspended, closed,
  /// invalid_argument or connect.
  template <class Completion>
  [[nodiscard]] std::pair<Id, Result> try_push(const Message &message, Completion completion) noexcept {
    return add(next_id(), detail::for_c(message), std::move(completion));
  }

#ifdef USERENGAGE_HPP_EXCEPTIONS
  /// As Queue::try_make; throws Error on failure.
  explicit Queue(const Client &client, const QueueOptions &options = {}) {
    auto made = try_make(client, options);
    if (!made.second) throw Error(std::move(made.second));
    *this = std::move(made.first);
  }

  /// As try_push; throws Error unless the message was accepted. Returns what cancel takes.
  template <class Completion>
  Id push(const Message &message, Completion completion) {
    return accepted(try_push(message, std::move(completion)));
  }
#endif

#ifdef __cpp_lib_jthread
  /// As try_push. When a stop is requested, the message is ended as by cancel. If that was before the push, it is not sent.
  template <class Completion>
  [[nodiscard]] std::pair<Id, Result> try_push(const Message &message, Completion completion,
                                               const std::stop_token &token) noexcept {
    const auto id = next_id();
    auto given = detail::for_c(message);
    Cancel cancelled = nullptr;
    if (token.stop_requested()) {
      auto [cancel, made] = Cancel::try_make();
      if (!made) return {Id{}, std::move(made)};
      cancelled = cancel;
      cancelled.trigger();
      given.cancel = cancelled.get();
    }
    auto end_it = [queue = get(), id, process = this_process()]() noexcept {
      if (process == this_process()) ue_queue_cancel(queue, as_user_data(id));
    };
    auto on_stop = std::make_unique<std::stop_callback<decltype(end_it)>>(token, end_it);
    auto added =
        add(id, given, [on_stop = std::move(on_stop), completion = std::move(completion)](Result result) mutable {
          completion(std::move(result));
        });
    if (token.stop_requested()) cancel(added.first);  // it may have been requested before the queue had the message
    return added;
  }

#ifdef USERENGAGE_HPP_EXCEPTIONS
  /// As try_push; throws Error unless the message was accepted. Returns what cancel takes.
  template <class Completion>
  Id push(const Message &message, Completion completion, const std::stop_token &token) {
    return accepted(try_push(message, std::move(completion), token));
  }
#endif
#endif

  /// Runs the completions of finished messages on this thread, at most so many, without waiting. First the log lines of the
  /// queue's messages go to the client's log callback. Returns how many completions it ran.
  ///
  /// Several threads may call it: each completion runs on one of them. An exception of a completion leaves at once. No other
  /// completion is lost by it: call run_ready again.
  std::size_t run_ready(std::size_t most = SIZE_MAX) {
    std::size_t count = 0;
    for (ue_result *taken = nullptr; count < most && ue_queue_take(get(), &taken, 1) == 1; ++count) {
      Result result(taken);
      if (const auto pending = state_->completions().take(as_id(result.user_data()))) {
        result.handle_.get_deleter().user_data = pending->user_data;
        pending->complete(std::move(result));
      }
    }
    return count;
  }

  /// Readable exactly while run_ready has something to do. For poll and every event loop. Only wait for it: never read from
  /// it or close it. With an edge-triggered loop, call run_ready until it returns 0. -1 (on Windows INVALID_SOCKET) for an
  /// empty queue, or if the process has no descriptors left.
  [[nodiscard]] ue_fd fd() const noexcept { return ue_queue_fd(get()); }

  /// Waits until run_ready has something to do, at most the timeout: for programs without an event loop. Runs no completions.
  /// Returns ok, timeout, or cancelled if the interrupt callback says so, which is also asked at once after a signal.
  [[nodiscard]] Status poll(std::chrono::milliseconds timeout) noexcept {
    return static_cast<Status>(ue_queue_poll(get(), detail::wait_milliseconds(timeout)));
  }

  /// Ends a message: as cancelled, with what is known of it. One that waits is not delivered. Its completion still runs, in
  /// run_ready. Returns whether it was ended: false if it is finished.
  bool cancel(Id id) noexcept { return id != Id{} && ue_queue_cancel(get(), as_user_data(id)) != 0; }

  /// Waits until no message waits or is in flight, at most the timeout. Runs no completions. Returns ok, timeout, or
  /// cancelled if the interrupt callback says so.
  [[nodiscard]] Status wait(std::chrono::milliseconds timeout) noexcept {
    return static_cast<Status>(ue_queue_wait(get(), detail::wait_milliseconds(timeout)));
  }

  /// Begins no more: messages that wait end as cancelled, not delivered. Those in flight go on. Further messages are refused
  /// as closed.
  void stop() noexcept { ue_queue_stop(get()); }

  /// Goes on after max_failures_in_a_row has suspended the queue.
  void resume() noexcept { ue_queue_resume(get()); }

  /// The handle of the C API, still owned by this. The user_data of its messages is the queue's own.
  [[nodiscard]] ue_queue *get() const noexcept USERENGAGE_LIFETIMEBOUND {
    return state_ ? state_->handle.get() : nullptr;
  }

 private:
  template <class Completion>
  struct PendingOf final : Pending {
    PendingOf(void *of_message, Completion given) : Pending(of_message), completion(std::move(given)) {}
    void complete(Result result) override { completion(std::move(result)); }

    Completion completion;
  };

  static void *as_user_data(Id id) noexcept { return reinterpret_cast<void *>(id); }
  static Id as_id(void *user_data) noexcept { return static_cast<Id>(reinterpret_cast<std::uintptr_t>(user_data)); }

  static std::intmax_t this_process() noexcept {
#ifdef _WIN32
    return 0;  // no process inherits the objects of another
#else
    return getpid();
#endif
  }

  /// The completions of one process.
  class Completions {
   public:
    void put(Id id, std::unique_ptr<Pending> pending) {
      const std::lock_guard<std::mutex> lock(mutex_);
      pending_.emplace(id, std::move(pending));
    }
    std::unique_ptr<Pending> take(Id id) noexcept {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto found = pending_.find(id);
      if (found == pending_.end()) return nullptr;
      auto pending = std::move(found->second);
      pending_.erase(found);
      return pending;
    }
    [[nodiscard]] bool is_inherited() const noexcept { return process_ != this_process(); }

    /// Leaves those of the parent alone, where a checker of leaks still finds them.
    void abandon() noexcept {
      next_ = abandoned().load();
      while (!abandoned().compare_exchange_weak(next_, this)) {
      }
    }

   private:
    static std::atomic<Completions *> &abandoned() noexcept {
      static std::atomic<Completions *> first{nullptr};
      return first;
    }

    std::mutex mutex_{};
    std::unordered_map<Id, std::unique_ptr<Pending>> pending_{};
    std::intmax_t process_ = this_process();
    Completions *next_ = nullptr;
  };

  struct Free {
    void operator()(ue_queue *queue) const noexcept { ue_queue_free(queue); }
  };

  /// On the heap: a Queue moves, and threads share this.
  struct State {
    State(std::shared_ptr<detail::Callbacks> of_client, ue_queue *queue)
        : callbacks(std::move(of_client)), handle(queue), current(std::make_unique<Completions>().release()) {}
    State(const State &) = delete;
    State &operator=(const State &) = delete;
    ~State() {
      auto *const last = current.load();
      if (last->is_inherited()) {
        last->abandon();
      } else {
        delete last;
      }
    }

    /// After a fork the child begins with none. It leaves the parent's alone: another thread may have held their lock.
    Completions &completions() {
      auto *found = current.load();
      if (!found->is_inherited()) return *found;
      auto fresh = std::make_unique<Completions>();
      auto *const before = found;
      if (!current.compare_exchange_strong(found, fresh.get())) return *found;
      before->abandon();
      return *fresh.release();
    }

    std::shared_ptr<detail::Callbacks> callbacks;
    std::unique_ptr<ue_queue, Free> handle;  // freed after the completions, and before the callbacks
    std::atomic<Completions *> current;
    std::atomic<std::uintptr_t> last_id{0};
  };

  Id next_id() noexcept { return state_ ? static_cast<Id>(++state_->last_id) : Id{}; }

  template <class Completion>
  std::pair<Id, Result> add(Id id, ue_message given, Completion completion) noexcept {
    static_assert(std::is_invocable_v<Completion &, Result>, "a completion takes a userengage::Result");
    void *const user_data = given.user_data;
    given.user_data = as_user_data(id);
    if (state_) {
      // Before the push: another thread may take the result before the push returns.
      state_->completions().put(id, std::make_unique<PendingOf<Completion>>(user_data, std::move(completion)));
    }
    ue_result *result = nullptr;
    const bool is_accepted = ue_queue_push(get(), &given, &result) == UE_OK;
    if (state_ && !is_accepted) state_->completions().take(id);
    return {is_accepted ? id : Id{}, Result(result, user_data)};
  }

#ifdef USERENGAGE_HPP_EXCEPTIONS
  static Id accepted(std::pair<Id, Result> pushed) {
    if (!pushed.second) throw Error(std::move(pushed.second));
    return pushed.first;
  }
#endif

  std::unique_ptr<State> state_{};
};

}  // namespace userengage

#endif  // C++17

#endif  // USERENGAGE_HPP
