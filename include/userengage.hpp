// SPDX-License-Identifier: MIT OR Apache-2.0
//
// userengage.hpp: libuserengage for C++17. Header only; link the C library.
//
//     userengage::Client client(api_key);
//     client.send_conversation({42, "Hi <b>user</b>, enjoy our product!"});
//
// userengage.h documents every call, option and attribute; that applies here too. This header adds:
//
// Ownership  Client and Result own their handle, free it, and can be moved. A moved-from Client refuses to send; a
//            moved-from Result reads as an unknown failure. Options and Message own their texts. A Result returns views
//            of its texts, and std::strings if it is a temporary.
// Errors     Client(..) and send_conversation throw Error. try_make and try_send_conversation return a Result, do not
//            throw, and work with -fno-exceptions. If memory runs out, they end the program.
// Threads    Threads may share a Client and read a Result, as in C. Moving or destroying must be the last use.

#ifndef USERENGAGE_HPP
#define USERENGAGE_HPP

#if __cplusplus < 201703L && !(defined(_MSVC_LANG) && _MSVC_LANG >= 201703L)
#error "userengage.hpp needs C++17 or later: compile with -std=c++17 (MSVC: /std:c++17)"
#else

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "userengage.h"

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
};

/// What is known of a message: can it be sent again without the risk of showing it twice?
enum class Delivery : std::int32_t {
  /// The request went out, and nothing proves what became of it.
  unknown = UE_DELIVERY_UNKNOWN,
  /// It never went out whole, or was refused: sending again is safe.
  not_delivered = UE_NOT_DELIVERED,
  /// The service accepted it: do not send again.
  delivered = UE_DELIVERED,
};

/// What to do when it is unknown whether an attempt delivered the message.
enum class DeliveryPolicy : std::int32_t {
  /// Stop and say so.
  at_most_once = 0,
  /// Send again, at the risk of showing it twice.
  at_least_once = 1,
};

/// The channel of a message. Further positive numbers are passed on: Source{6}.
enum class Source : std::int32_t { none = 0, chat = 1, email = 2, api = 3, sms = 4, slack = 5 };

/// How important a log line is.
enum class Level : std::int32_t { off = 0, error = 1, warning = 2, info = 3, debug = 4, trace = 5 };

/// The name of a status, such as "UE_TIMEOUT".
[[nodiscard]] inline std::string_view name(Status status) noexcept {
  return ue_status_name(static_cast<std::int32_t>(status));
}

/// The version of the library, such as "0.1.0".
[[nodiscard]] inline std::string_view version() noexcept { return ue_version(); }

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
};

/// How a client sends. A field that is not set has the default that ue_options names.
struct Options {
  /// Where the API is: https, or http on a loopback host.
  Text base_url = {};
  /// 0: as the specification. 2: the answer carries the conversation's id.
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
  /// The size of the connection pool: the most connections that a batch uses at once, a thread each, and that are
  /// kept for reuse. At most 256. 0: the default.
  std::uint32_t max_connections = 0;
  /// Special characters of user and password are percent-encoded. "" for none. Not set: the environment variables
  /// HTTPS_PROXY (else ALL_PROXY) and NO_PROXY.
  Text proxy = {};
  /// A PEM file with the only certificate authorities to trust.
  Text ca_file = {};
  /// Put before "userengage/<version>" in the User-Agent header.
  Text user_agent = {};
  /// Receives log lines, on the thread that is inside a call. Must not throw: that ends the program.
  std::function<void(Level, std::string_view)> log = {};
  /// The least important level that is logged.
  Level log_level = Level::off;
  /// Called on the thread that is inside a call, at least every 100 ms while it waits. If it returns true, the call ends
  /// as cancelled. Must not throw. With C++20: `[token] { return token.stop_requested(); }`.
  std::function<bool()> interrupt = {};
};

/// The result of a call. It owns its texts, and returns views of them that are valid as long as it lives. A temporary
/// Result returns std::strings: `auto text = client.try_send_conversation(message).message();` keeps the text.
class Result {
 public:
  /// Empty: reads as an unknown failure.
  Result() noexcept = default;
  /// Takes over a result of the C API.
  explicit Result(ue_result *result) noexcept : handle_(result) {}

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
  /// The handle of the C API, still owned by this. Null if it is empty, and if try_make itself refused a text.
  [[nodiscard]] const ue_result *get() const noexcept USERENGAGE_LIFETIMEBOUND { return handle_.get(); }

 private:
  friend class Client;

  /// For an argument that the C API cannot be given. NULL reads as UE_INVALID_ARGUMENT there.
  explicit Result(std::string refusal) : refusal_(std::make_unique<const std::string>(std::move(refusal))) {}

  struct Free {
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
  /// What is known of the message: whether sending it again is safe.
  [[nodiscard]] Delivery delivery() const noexcept { return result_->delivery(); }
  /// All details.
  [[nodiscard]] const Result &result() const noexcept USERENGAGE_LIFETIMEBOUND { return *result_; }

 private:
  std::shared_ptr<const Result> result_;  // exceptions are copied. Never null: there is no move
};
#endif

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
    auto state = std::make_unique<State>();
    state->log = options.log;
    state->interrupt = options.interrupt;
    ue_options given = UE_OPTIONS_INIT;
    given.base_url = whole("base_url", options.base_url);
    given.api_version = options.api_version;
    given.delivery_policy = static_cast<std::int32_t>(options.delivery_policy);
    given.max_attempts = options.max_attempts;
    given.connect_timeout_ms = milliseconds(options.connect_timeout);
    given.timeout_ms = milliseconds(options.timeout);
    given.max_per_second = options.max_per_second;
    given.max_connections = options.max_connections;
    given.proxy = whole("proxy", options.proxy);
    given.ca_file = whole("ca_file", options.ca_file);
    given.user_agent = whole("user_agent", options.user_agent);
    given.log = state->log ? &State::on_log : nullptr;
    given.log_user_data = state.get();
    given.log_level = static_cast<std::int32_t>(options.log_level);
    given.interrupt = state->interrupt ? &State::on_interrupt : nullptr;
    given.interrupt_user_data = state.get();
    const char *key = whole("api_key", api_key);
    if (!refusal.empty()) return {Client(), Result(std::move(refusal))};
    ue_result *result = nullptr;
    state->handle.reset(ue_client_new(key, &given, &result));
    std::pair<Client, Result> made{Client(), Result(result)};
    if (state->handle) made.first.state_ = std::move(state);
    return made;
  }

  /// Sends one message and waits for its outcome, at most the timeout.
  [[nodiscard]] Result try_send_conversation(const Message &message) noexcept {
    const ue_message given = for_c(message);
    ue_result *result = nullptr;
    ue_send_conversation(get(), &given, &result);
    return Result(result);
  }

  /// Sends many messages over at most max_connections connections at once and waits for all. Returns their results, in
  /// the order of the messages. Messages to one client_user_id keep their order. There is no throwing form, because each
  /// message has its own result.
  ///
  /// progress: called on this thread after each message, with the number of messages done and the total. If it returns
  /// true, the batch stops and it is not called again. Must not throw: that ends the program.
  [[nodiscard]] std::vector<Result> try_send_conversations(
      const std::vector<Message> &messages,
      const std::function<bool(std::size_t done, std::size_t count)> &progress = {}) noexcept {
    std::vector<ue_message> given;
    given.reserve(messages.size());
    for (const auto &message : messages) given.push_back(for_c(message));
    std::vector<ue_result *> handles(messages.size());
    const auto on_progress = [](void *told, std::size_t done, std::size_t count) noexcept -> std::int32_t {
      return (*static_cast<const std::function<bool(std::size_t, std::size_t)> *>(told))(done, count) ? 1 : 0;
    };
    auto told = progress;
    ue_send_conversations(get(), given.data(), given.size(), told ? on_progress : ue_progress_fn{}, &told,
                          handles.data());
    std::vector<Result> results;
    results.reserve(handles.size());
    for (auto *handle : handles) results.emplace_back(handle);
    return results;
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
#endif

  /// Ends the calls in flight in other threads, and every later one, as closed. Does not wait.
  void close() noexcept { ue_client_close(get()); }

  /// The handle of the C API, still owned by this.
  [[nodiscard]] ue_client *get() const noexcept USERENGAGE_LIFETIMEBOUND {
    return state_ ? state_->handle.get() : nullptr;
  }

 private:
  struct Free {
    void operator()(ue_client *client) const noexcept { ue_free(client); }
  };

  /// On the heap, so that its address stays the same when a Client moves: the C library points to it. The handle is the
  /// last member, so that it is freed before the callbacks.
  struct State {
    std::function<void(Level, std::string_view)> log{};
    std::function<bool()> interrupt{};
    std::unique_ptr<ue_client, Free> handle{};

    static void on_log(void *state, std::int32_t level, const char *text) noexcept {
      static_cast<State *>(state)->log(static_cast<Level>(level), text);
    }
    static std::int32_t on_interrupt(void *state) noexcept { return static_cast<State *>(state)->interrupt() ? 1 : 0; }
  };

  static ue_message for_c(const Message &message) noexcept {
    ue_message given = UE_MESSAGE_INIT;
    given.client_user_id = message.client_user_id.c_str();
    given.content = message.content.c_str();
    given.user = message.user;
    given.source = static_cast<std::int32_t>(message.source);
    given.source_context = message.source_context.c_str();
    given.client_user_id_length = message.client_user_id.size();
    given.content_length = message.content.size();
    given.source_context_length = message.source_context.size();
    return given;
  }

  /// Converts a time for the C API. A time out of range becomes UINT32_MAX, which the library refuses by name.
  static std::uint32_t milliseconds(std::chrono::milliseconds time) noexcept {
    return time.count() >= 0 && time.count() < UINT32_MAX ? static_cast<std::uint32_t>(time.count()) : UINT32_MAX;
  }

  std::unique_ptr<State> state_{};
};

}  // namespace userengage

#endif  // C++17

#endif  // USERENGAGE_HPP
