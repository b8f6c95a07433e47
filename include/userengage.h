/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * userengage.h: send conversation messages to UserEngage (User.com), and know for each whether it was delivered.
 *
 * Threads   Any function may be called from any thread; clients, queues and cancel handles may be shared. Freeing must be
 *           the last use. ue_send_conversation takes one connection for each call at once, a batch or a queue up to
 *           max_connections.
 * Callbacks Run on the thread that made the call, so the log callback on several at once, and must return normally. In
 *           one, any function may be called but ue_free of its client, ue_queue_free of its queue, and ue_result_free of a
 *           result that on_result was passed.
 * Signals   ue_cancel_trigger alone may be called in a signal handler. The library installs none, and raises no SIGPIPE.
 * Fork      A client inherited through fork() works in the child: it opens its own connections, and closes its copies of
 *           the parent's. A call in flight belongs to the parent: if a callback forks, the call returns UE_CANCELLED in
 *           the child, with UE_DELIVERY_UNKNOWN, and continues in the parent. So does a queue's work: see ue_queue_new.
 * Process   The library registers nothing with atexit. A pthread_cancel during a call takes effect after the call.
 * NULL      Every function accepts a NULL handle: it returns UE_INVALID_ARGUMENT, or does nothing.
 * Strings   UTF-8. Inputs end at their NUL unless a length is given, and are copied before the call returns. Outputs end
 *           with a NUL, are borrowed from their handle and are never NULL.
 * Results   The last parameter of every call that can fail is `ue_result **result`. It may be NULL. Otherwise it is
 *           overwritten, on success and on failure: free an earlier result first. The caller frees it with
 *           ue_result_free; free() would corrupt the heap.
 * Structs   Initialise them with their macro: `ue_message message = UE_MESSAGE_INIT;` zeroes it, sets struct_size, and
 *           lets every text end at its NUL. A program and a library of different versions then still work together.
 * Enums     Their values are 32 bits, and new ones may be added. In C they are int32_t.
 * Secrets   The API key and a message's content are redacted: they never appear in a log line, an error or a result,
 *           except in the body of an answer that quotes them (ue_result_body).
 *
 * Generated from the Rust code by cbindgen: do not edit. */

#ifndef USERENGAGE_H
#define USERENGAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__cplusplus) && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 199901L) && !defined(_MSC_VER)
#error "userengage.h needs C99 or later: compile with -std=c99"
#endif

#if defined(_WIN32)
#define UE_API __declspec(dllimport)
#elif defined(__GNUC__) || defined(__clang__)
#define UE_API __attribute__((visibility("default")))
#else
#define UE_API
#endif

#if defined(__GNUC__) || defined(__clang__)
#define UE_NODISCARD __attribute__((warn_unused_result))
#else
#define UE_NODISCARD
#endif

// The values of an enum are int32_t in C; in C++ they have a type of their own.
#if defined(__cplusplus) && __cplusplus >= 201103L
#define UE_ENUM(name) enum name : int32_t
#elif defined(__cplusplus)
#define UE_ENUM(name) enum name
#else
#define UE_ENUM(name) typedef int32_t name; enum
#endif

/// A descriptor; on Windows a SOCKET.
#if defined(_WIN32)
typedef uintptr_t ue_fd;
#else
typedef int ue_fd;
#endif

/// As a length of a text: it ends at its NUL. UE_MESSAGE_INIT sets it for every length.
#define UE_NUL_TERMINATED SIZE_MAX

/// The initial value of a ue_options: its size, and the default for every field.
#define UE_OPTIONS_INIT {sizeof(ue_options), NULL, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL}
/// The initial value of a ue_message: its size, no attributes, and texts that end at their NUL.
#define UE_MESSAGE_INIT \
  {sizeof(ue_message), NULL, NULL, 0, 0, NULL, UE_NUL_TERMINATED, UE_NUL_TERMINATED, UE_NUL_TERMINATED, 0, NULL, NULL}
/// The initial value of a ue_batch_options: its size, and the default for every field.
#define UE_BATCH_OPTIONS_INIT {sizeof(ue_batch_options), NULL, NULL, 0, NULL}
/// The initial value of a ue_queue_options: its size, and the default for every field.
#define UE_QUEUE_OPTIONS_INIT {sizeof(ue_queue_options), 0, 0, 0}
/// The initial value of a ue_outcome: its size. ue_result_read fills in the rest.
#define UE_OUTCOME_INIT \
  {sizeof(ue_outcome), UE_OK, UE_DELIVERY_UNKNOWN, 0, 0, false, 0, 0, 0, NULL, NULL, NULL, NULL, 0, 0, 0, 0, \
   UE_RETRY_DECIDE, NULL}

/// The version of this header. ue_version() gives that of the library.
#define UE_VERSION "0.1.0"
/// The same as a number: major * 10000 + minor * 100 + patch. ue_version_number() gives that of the library.
#define UE_VERSION_NUMBER 100
/// The shared library with the ABI of this header, as dlopen() finds it on Linux. While the major version is 0, the
/// name has the minor one too, as each may break the ABI.
#define UE_SONAME "libuserengage.so.0.1"

/// The kind of an outcome. Values are never renumbered. Treat an unknown value as a failure.
UE_ENUM(ue_status) {
  /// The message was delivered.
  UE_OK = 0,
  /// Nothing was sent: the text names the field and the reason.
  UE_INVALID_ARGUMENT = 1,
  /// No connection: DNS, connect or proxy.
  UE_CONNECT = 2,
  /// No secure connection: the certificate or the handshake.
  UE_TLS = 3,
  /// The deadline passed.
  UE_TIMEOUT = 4,
  /// The connection was lost before an answer arrived.
  UE_CONNECTION_LOST = 5,
  /// The answer is not HTTP, or does not come from this service.
  UE_BAD_REPLY = 6,
  /// 401 or 403: the key was not accepted.
  UE_UNAUTHORIZED = 7,
  /// 404: the user does not exist.
  UE_NOT_FOUND = 8,
  /// Any other 4xx: the service refused the message. A 408 does not always prove that: see the delivery.
  UE_REJECTED = 9,
  /// 429: too many requests. If ue_result_http_status is 0, nothing was sent: the rate limit (max_per_second), or the
  /// pause after a 429, does not let the request go before the deadline.
  UE_RATE_LIMITED = 10,
  /// 5xx: the service failed.
  UE_SERVER_ERROR = 11,
  /// ue_client_close was called.
  UE_CLOSED = 12,
  /// The call was cancelled: by its ue_cancel, the interrupt callback, or the end of its batch or queue. Or a callback
  /// forked and this is the child: then the call continues in the parent.
  UE_CANCELLED = 13,
  /// A bug in this library. It was caught.
  UE_INTERNAL = 14,
  /// The queue holds as many messages as its capacity allows: take finished ones, then push again.
  UE_QUEUE_FULL = 15,
  /// Nothing was sent: max_failures_in_a_row messages before this one failed for reasons that are not theirs.
  UE_SUSPENDED = 16
};

/// What is known about a message: could the customer have seen it? No value is that of a ue_status, so that the two
/// cannot be mistaken for each other. Treat an unknown value as UE_DELIVERY_UNKNOWN.
UE_ENUM(ue_delivery) {
  /// The request was sent, and nothing proves whether the service accepted it.
  UE_DELIVERY_UNKNOWN = 100,
  /// The request was not sent completely, or it was refused: the customer has not seen it.
  UE_NOT_DELIVERED = 101,
  /// The service accepted the message: do not send it again.
  UE_DELIVERED = 102
};

/// Whether sending a message again can help. Treat an unknown value as UE_RETRY_DECIDE.
UE_ENUM(ue_retry) {
  /// The customer may have seen the message: a person, or the application, has to decide.
  UE_RETRY_DECIDE = 200,
  /// The message was not delivered. Sending it again later is safe, and can help: the network, the service, the API key
  /// or the configuration was at fault, not the message.
  UE_RETRY_LATER = 201,
  /// The message was delivered, or it will fail again: its content or its user is wrong.
  UE_RETRY_NEVER = 202
};

/// The values of ue_options.api_version.
UE_ENUM(ue_api_version) {
  /// As in the specification: the request names no version.
  UE_API_VERSION_SPECIFICATION = 0,
  /// Sends `Accept: */*; version=2`; the answer then has the conversation's id.
  UE_API_VERSION_2 = 2
};

/// The values of ue_options.delivery_policy: what to do when it is unknown whether an attempt delivered the message.
UE_ENUM(ue_delivery_policy) {
  /// Stop and report it as unknown: the customer never sees a message twice.
  UE_AT_MOST_ONCE = 0,
  /// Send it again: the customer may see a message twice.
  UE_AT_LEAST_ONCE = 1
};

/// The known values of ue_message.source: the channel. Other positive numbers are passed on.
UE_ENUM(ue_source) {
  /// Chat
  UE_SOURCE_CHAT = 1,
  /// Email
  UE_SOURCE_EMAIL = 2,
  /// API
  UE_SOURCE_API = 3,
  /// SMS
  UE_SOURCE_SMS = 4,
  /// Slack
  UE_SOURCE_SLACK = 5
};

/// The values of ue_options.log_level and of the level of a log line.
UE_ENUM(ue_log_level) {
  /// Nothing is logged.
  UE_LOG_OFF = 0,
  /// A message was not delivered, or its delivery is unknown.
  UE_LOG_ERROR = 1,
  /// An attempt failed, and a retry follows.
  UE_LOG_WARN = 2,
  /// A message was delivered.
  UE_LOG_INFO = 3,
  /// Connections, requests and answers.
  UE_LOG_DEBUG = 4,
  /// Every read and write.
  UE_LOG_TRACE = 5
};

/// The values that a ue_on_result_fn returns: how its batch goes on.
UE_ENUM(ue_batch_flow) {
  /// Go on.
  UE_BATCH_CONTINUE = 0,
  /// Finish the messages in flight, and begin no more. No message becomes unknown by it.
  UE_BATCH_FINISH = 1,
  /// End the messages in flight, too. The delivery of those may be unknown.
  UE_BATCH_ABORT = 2
};

/// The values of ue_queue_options.timeout_from: when the timeout of a message in a queue starts.
UE_ENUM(ue_timeout_from) {
  /// When the message is begun. The wait for its turn does not count, because other messages cause it.
  UE_TIMEOUT_FROM_TURN = 0,
  /// When the message is pushed: for a caller who waits for this one message.
  UE_TIMEOUT_FROM_PUSH = 1
};

/// Ends calls from another thread or from a signal handler. Created by ue_cancel_new, freed by ue_cancel_free.
typedef struct ue_cancel ue_cancel;

/// Sends messages. Created by ue_client_new, freed by ue_free.
typedef struct ue_client ue_client;

/// Sends messages without waiting for them. Created by ue_queue_new, freed by ue_queue_free.
typedef struct ue_queue ue_queue;

/// The result of a call. Immutable, readable from any thread, freed by ue_result_free.
typedef struct ue_result ue_result;

/// Receives log lines, on the thread that made the ue_* call: so from several threads at once if several send. The lines
/// of a queue come in ue_queue_take. level: a ue_log_level. text is valid during the callback and never holds the API key
/// or a message's content. The callback must return normally: no exception, no longjmp.
typedef void (*ue_log_fn)(void *user_data, int32_t level, const char *text);

/// Asks whether to cancel a ue_* call, on the thread that made it: at once after a signal, and otherwise about every
/// 100 ms while the call lasts. Any value but 0 ends the call with UE_CANCELLED. It is not asked for messages in a queue: for
/// the wait of ue_queue_poll it is, and for that of ue_queue_wait about every 100 ms. The callback must return normally.
typedef int32_t (*ue_interrupt_fn)(void *user_data);

/// How a client sends. Start from UE_OPTIONS_INIT. 0 or NULL means the default, which is given for each field.
typedef struct ue_options {
  /// sizeof(ue_options)
  size_t struct_size;
  /// The URL of the API, with or without a trailing slash: https, or http on a loopback host (127.0.0.0/8, [::1],
  /// localhost and its subdomains).
  /// Default: "https://app.userengage.com/api/public/".
  const char *base_url;
  /// A ue_api_version. Default: UE_API_VERSION_SPECIFICATION.
  int32_t api_version;
  /// A ue_delivery_policy: what to do when it is unknown whether an attempt delivered the message. Default:
  /// UE_AT_MOST_ONCE.
  int32_t delivery_policy;
  /// The maximum number of requests for one message; 1 means no retries. Default: 4.
  uint32_t max_attempts;
  /// The time limit for DNS, TCP, proxy and TLS of one attempt, in milliseconds. Default: 10000.
  uint32_t connect_timeout_ms;
  /// The time limit for a message, including every attempt and backoff, in milliseconds: sets its deadline. In a batch
  /// it starts at the message's turn, in a queue as timeout_from says. Default: 30000.
  uint32_t timeout_ms;
  /// The rate limit: the maximum number of requests per second over all threads of this client. Default: no limit.
  uint32_t max_per_second;
  /// The maximum number of connections that a batch or a queue uses at once, and the maximum number of idle connections
  /// in the connection pool. At most 256. Default: 8.
  uint32_t max_connections;
  /// The proxy, such as "http://user:password@proxy:3128", with special characters percent-encoded; "" for none. With
  /// an http base_url the proxy must be on a loopback host, too. Default, for https: the environment variables
  /// HTTPS_PROXY (else ALL_PROXY) and NO_PROXY.
  const char *proxy;
  /// A PEM file with the certificate authorities to trust, and no others. Default: Mozilla's, which are built in.
  const char *ca_file;
  /// The text before "userengage/<version>" in the User-Agent header. Default: nothing.
  const char *user_agent;
  /// The callback that receives log lines. Default: nowhere.
  ue_log_fn log;
  /// Passed to log unchanged.
  void *log_user_data;
  /// The least important ue_log_level to log. Default: UE_LOG_OFF.
  int32_t log_level;
  /// The callback that can cancel a call. Default: never.
  ue_interrupt_fn interrupt;
  /// Passed to interrupt unchanged.
  void *interrupt_user_data;
} ue_options;

/// One message, with the attributes and names of the service's specification. Start from UE_MESSAGE_INIT.
typedef struct ue_message {
  /// sizeof(ue_message)
  size_t struct_size;
  /// Required. The id of the user who gets the message; an integer as text. Any text but "", "." and "..", without
  /// control characters.
  const char *client_user_id;
  /// Required. Text or HTML.
  const char *content;
  /// The id of the agent who writes. 0: none.
  int64_t user;
  /// The channel: a ue_source; other positive numbers are passed on. 0: none.
  int32_t source;
  /// Additional fields: the text of a JSON object or array, passed on as written. NULL: none.
  const char *source_context;
  /// The length of client_user_id in bytes; it then needs no NUL at its end. UE_NUL_TERMINATED: it ends at its NUL. 0: it is empty.
  size_t client_user_id_length;
  /// The length of content in bytes; it then needs no NUL at its end. UE_NUL_TERMINATED: it ends at its NUL. 0: it is empty.
  size_t content_length;
  /// The length of source_context in bytes; it then needs no NUL at its end. UE_NUL_TERMINATED: it ends at its NUL. 0: it is empty.
  size_t source_context_length;
  /// The time limit of this message, in milliseconds. 0: the client's timeout_ms.
  uint32_t timeout_ms;
  /// Can end the call that sends this message; in a queue, once the message is begun (before that: ue_queue_cancel).
  /// May be freed as soon as the call, or the push, returns. NULL: none.
  struct ue_cancel *cancel;
  /// Comes back with the result: ue_result_user_data. Never dereferenced.
  void *user_data;
} ue_message;

/// Receives each result of a batch as soon as it is known, on the thread that called ue_send_conversations. No more than
/// max_connections results, or 8 if that is more, wait for it before no further message is begun: a program that is killed in
/// it does not know of those, and of the max_connections messages in flight. index: the
/// message's place in the array. result: valid during the callback, or, where ue_send_conversations was given results, as
/// long as results[index], which is the same one: do not free it before that call returns. Returns a ue_batch_flow; any other value counts as UE_BATCH_FINISH. After UE_BATCH_FINISH only
/// UE_BATCH_ABORT still has an effect. The callback must return normally.
typedef int32_t (*ue_on_result_fn)(void *user_data, size_t index, const struct ue_result *result);

/// How a batch is sent. Start from UE_BATCH_OPTIONS_INIT.
typedef struct ue_batch_options {
  /// sizeof(ue_batch_options)
  size_t struct_size;
  /// Receives each result as soon as it is known. Default: nowhere.
  ue_on_result_fn on_result;
  /// Passed to on_result unchanged.
  void *user_data;
  /// After so many failures in a row that are no fault of a message (the delivery is unknown, no connection, 401, 403,
  /// 429, 5xx) no further message is begun: the rest is UE_SUSPENDED and not delivered. After a failure, only so many
  /// are in flight as may still fail, so that no more fail than this, or than max_connections if that is more. A 429 is a
  /// failure only of a message that has used up its attempts: before, it pauses all of them. Default: 0, off.
  uint32_t max_failures_in_a_row;
  /// Ends the whole batch: the messages in flight are ended, and the rest is UE_CANCELLED and not delivered. For a
  /// handler of Ctrl-C: ue_cancel_trigger may be called there. Default: none.
  struct ue_cancel *cancel;
} ue_batch_options;

/// How a queue works. Start from UE_QUEUE_OPTIONS_INIT.
typedef struct ue_queue_options {
  /// sizeof(ue_queue_options)
  size_t struct_size;
  /// The maximum number of messages in the queue: those that wait, those in flight, and those whose result was not
  /// taken. A push beyond it is UE_QUEUE_FULL. Default: 10000.
  uint32_t capacity;
  /// As in ue_batch_options. A suspended queue refuses further messages with UE_SUSPENDED, until ue_queue_resume.
  /// Default: 0, off.
  uint32_t max_failures_in_a_row;
  /// A ue_timeout_from: when the timeout of a message starts. Default: UE_TIMEOUT_FROM_TURN.
  int32_t timeout_from;
} ue_queue_options;

/// The contents of a ue_result, filled in by ue_result_read. Start from UE_OUTCOME_INIT. Texts are borrowed from the
/// result and are never NULL. Each ends with a NUL, which its length does not include.
typedef struct ue_outcome {
  /// sizeof(ue_outcome)
  size_t struct_size;
  /// See ue_result_status.
  ue_status status;
  /// See ue_result_delivery.
  ue_delivery delivery;
  /// See ue_result_http_status.
  int32_t http_status;
  /// See ue_result_attempts.
  uint32_t attempts;
  /// See ue_result_may_be_duplicate.
  bool may_be_duplicate;
  /// See ue_result_conversation_id.
  int64_t conversation_id;
  /// See ue_result_retry_after_ms.
  int64_t retry_after_ms;
  /// See ue_result_elapsed_us.
  uint64_t elapsed_us;
  /// See ue_result_request_id.
  const char *request_id;
  /// See ue_result_detail.
  const char *detail;
  /// See ue_result_message.
  const char *message;
  /// See ue_result_body.
  const char *body;
  /// The length of request_id in bytes.
  size_t request_id_length;
  /// The length of detail in bytes.
  size_t detail_length;
  /// The length of message in bytes.
  size_t message_length;
  /// The length of body in bytes.
  size_t body_length;
  /// See ue_result_retry.
  ue_retry retry;
  /// See ue_result_user_data.
  void *user_data;
} ue_outcome;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// Creates a client. Does not connect yet.
///
/// api_key: required; visible ASCII. The client copies it, and wipes the copy when it is freed. options: NULL for the
/// defaults. They are copied, but the callbacks and their user_data must live as long as the client and its queues.
///
/// Returns NULL if an argument cannot be used (UE_INVALID_ARGUMENT; the result's text names it) or if the process has
/// no descriptors left (UE_CONNECT). Free the client with ue_free.
UE_API
UE_NODISCARD
struct ue_client *ue_client_new(const char *api_key,
                                const struct ue_options *options,
                                struct ue_result **result);

/// Sends one message and waits for the outcome, at most the message's timeout_ms, or the client's.
///
/// Returns UE_OK if the message was delivered. Otherwise ue_result_retry says whether sending it again can help, and
/// ue_result_message explains it to a person. Many threads may send with one client at once: each has a connection of its
/// own.
UE_API
UE_NODISCARD
ue_status ue_send_conversation(struct ue_client *client,
                               const struct ue_message *message,
                               struct ue_result **result);

/// Sends many messages over at most max_connections connections at once, and waits for all of them.
///
/// messages: an array of count messages. Do not change them before the call returns. Messages to one client_user_id are
/// sent in order, also if an earlier one fails. Retries, the rate limit (max_per_second) and the pause after a 429 work
/// as for single messages. Each message has its own deadline: the timeout starts at its turn, and does not include the
/// wait for a turn. The call starts a thread and ends it before it returns; callbacks run only on the calling thread.
///
/// options: NULL for the defaults. on_result there receives each result as soon as it is known, and can end the batch.
/// A signal ends it only if on_result, interrupt or the batch's cancel says so.
///
/// results: NULL, or an array with room for count results. All are set, in the order of the messages. Free each of
/// them.
///
/// Returns UE_OK if all messages were delivered, otherwise the status of the first one in the array that was not; UE_CONNECT
/// for all of them if the process has no descriptors or threads left. For a
/// count that no array can have, such as (size_t)-1, or options that cannot be used, UE_INVALID_ARGUMENT; in the first
/// case no result is set, and the log says why.
UE_API
UE_NODISCARD
ue_status ue_send_conversations(struct ue_client *client,
                                const struct ue_message *messages,
                                size_t count,
                                const struct ue_batch_options *options,
                                struct ue_result **results);

/// Closes the client: cancels the calls in flight in other threads and in queues, makes every later call fail, both with
/// UE_CLOSED, and closes the idle connections. Does not wait. May be called any number of times.
UE_API
void ue_client_close(struct ue_client *client);

/// Closes the client, waits for the calls in flight, and frees it. Must be the last use of the client. Must not be
/// called from a callback.
UE_API
void ue_free(struct ue_client *client);

/// Creates a handle that ends the calls it is given to: set it in ue_message or ue_batch_options. It takes two
/// descriptors. A child that inherits it through fork() may use it, too; to trigger it in the one process has no effect in
/// the other.
///
/// Returns NULL if the process has no descriptors left (UE_CONNECT). Free it with ue_cancel_free.
UE_API
UE_NODISCARD
struct ue_cancel *ue_cancel_new(struct ue_result **result);

/// Ends the calls that have this handle, now and later, at once: with UE_CANCELLED, and what is known of each message. May
/// be called from any thread, any number of times, and, alone of all functions, also from a signal handler: it keeps
/// errno. Does nothing for NULL.
UE_API
void ue_cancel_trigger(struct ue_cancel *cancel);

/// Frees a cancel handle. Calls and queues that have it keep what they need; they can no longer be cancelled with it.
UE_API
void ue_cancel_free(struct ue_cancel *cancel);

/// Creates a queue that sends messages of a client without waiting for them, over at most max_connections connections. It
/// has one thread, which is started with the first message and ended with the queue. options: NULL for the defaults.
///
/// A queue keeps what it needs of its client; free the two in any order. Once the client is closed or freed, the queue's
/// messages end as UE_CLOSED. After fork() the child has an empty queue, with a thread and a descriptor of its own: ask
/// ue_queue_fd again. What was pushed before stays with the parent.
///
/// Returns NULL if an argument cannot be used (UE_INVALID_ARGUMENT), the client is closed (UE_CLOSED), or the process has
/// no descriptors left (UE_CONNECT). Free the queue with ue_queue_free.
UE_API
UE_NODISCARD
struct ue_queue *ue_queue_new(struct ue_client *client,
                              const struct ue_queue_options *options,
                              struct ue_result **result);

/// Copies a message into the queue, and returns at once. Messages to one client_user_id are sent in order.
///
/// result: NULL, or set in both cases: free it. That of an accepted message is not the message's own, and says
/// UE_RETRY_NEVER.
///
/// Returns UE_OK if the message was accepted: then its own result comes from ue_queue_take, exactly once, and has the
/// message's user_data. Otherwise the message is not sent, and result says why: UE_INVALID_ARGUMENT, UE_QUEUE_FULL,
/// UE_SUSPENDED, UE_CLOSED (the queue was stopped, or the client closed), UE_CONNECT (no thread could be started).
UE_API
UE_NODISCARD
ue_status ue_queue_push(struct ue_queue *queue,
                        const struct ue_message *message,
                        struct ue_result **result);

/// The descriptor that is readable exactly while something can be taken: a result, or log lines. For poll, select, epoll
/// (level or edge), kqueue and every event loop. Only wait for it: never read from it or close it. With an edge, take until
/// ue_queue_take returns less than asked for.
///
/// Returns -1 (on Windows INVALID_SOCKET) for NULL, or if the process has no descriptors left.
UE_API
ue_fd ue_queue_fd(struct ue_queue *queue);

/// Waits until something can be taken, at most timeout_ms milliseconds; 0 only looks. For programs without an event loop.
///
/// Returns UE_OK if so, UE_TIMEOUT if not, UE_CANCELLED if the interrupt callback says so, which is also asked at once
/// after a signal.
UE_API
ue_status ue_queue_poll(struct ue_queue *queue,
                        uint32_t timeout_ms);

/// Takes the results of finished messages, without waiting. First the log lines of the queue's messages go to the client's
/// log callback, on this thread.
///
/// results: an array with room for `most` results; the caller frees each of them. ue_result_user_data tells whose a result
/// is. NULL: they are freed at once.
///
/// Returns how many were taken; 0 if nothing is finished, or for NULL.
UE_API
size_t ue_queue_take(struct ue_queue *queue,
                     struct ue_result **results,
                     size_t most);

/// Ends every message in the queue that has this user_data; NULL: every one that has none. One that waits is finished when this returns: UE_CANCELLED,
/// not delivered. One in flight ends at once: UE_CANCELLED, with what is known of it. Every message still
/// gets its result.
///
/// Returns how many messages were ended. 0: they are finished, or there are none.
UE_API
size_t ue_queue_cancel(struct ue_queue *queue,
                       void *user_data);

/// Waits until no message waits or is in flight, at most timeout_ms milliseconds; 0 only looks. Results are not taken.
///
/// Returns UE_OK if that is so, UE_TIMEOUT if not, UE_CANCELLED if the interrupt callback says so, or forked and this is the
/// child.
UE_API
ue_status ue_queue_wait(struct ue_queue *queue,
                        uint32_t timeout_ms);

/// Begins no more: messages that wait end as UE_CANCELLED, not delivered. Those in flight go on. Further messages are
/// refused with UE_CLOSED. For a service that shuts down: then ue_queue_wait, ue_queue_take, ue_queue_free.
UE_API
void ue_queue_stop(struct ue_queue *queue);

/// Goes on after max_failures_in_a_row has suspended the queue.
UE_API void ue_queue_resume(struct ue_queue *queue);

/// Frees a queue: ends the messages in flight and waits for the queue's thread, which takes milliseconds. Results that
/// were not taken are freed. Must be the last use of the queue. Must not be called from a callback.
UE_API
void ue_queue_free(struct ue_queue *queue);

/// The kind of outcome. UE_INVALID_ARGUMENT for NULL.
UE_API UE_NODISCARD ue_status ue_result_status(const struct ue_result *result);

/// What is known about the message. UE_DELIVERY_UNKNOWN for NULL.
UE_API UE_NODISCARD ue_delivery ue_result_delivery(const struct ue_result *result);

/// Whether sending the message again can help. UE_RETRY_DECIDE for NULL. A program that sends failed messages again does so
/// for UE_RETRY_LATER alone.
UE_API
UE_NODISCARD
ue_retry ue_result_retry(const struct ue_result *result);

/// The user_data of the ue_message. NULL: the message has none, or the result is that of another call.
UE_API UE_NODISCARD void *ue_result_user_data(const struct ue_result *result);

/// Whether the customer may see the message twice: it was delivered, and an earlier attempt may have delivered it, too.
/// Happens only with UE_AT_LEAST_ONCE. False for NULL.
UE_API
bool ue_result_may_be_duplicate(const struct ue_result *result);

/// The HTTP status of the last answer. 0: no answer arrived, or NULL was given.
UE_API int32_t ue_result_http_status(const struct ue_result *result);

/// The conversation's id, which answers of UE_API_VERSION_2 have. -1: the answer has none, or NULL was given.
UE_API int64_t ue_result_conversation_id(const struct ue_result *result);

/// How many milliseconds to wait before the message is sent again: the time that the service asked for, or that this
/// client would have had to wait past its deadline. -1: not known, or NULL was given.
UE_API
int64_t ue_result_retry_after_ms(const struct ue_result *result);

/// How many requests were started. 0: none, or NULL was given.
UE_API uint32_t ue_result_attempts(const struct ue_result *result);

/// How many microseconds the call took, including every attempt and wait. 0 for NULL.
UE_API uint64_t ue_result_elapsed_us(const struct ue_result *result);

/// The id under which the service knows the request (Cf-Ray). "": the answer has none, or it was redacted.
UE_API const char *ue_result_request_id(const struct ue_result *result);

/// The service's own words, in one line. "": it gave none, or they were redacted because they quote the message or the
/// key.
UE_API
const char *ue_result_detail(const struct ue_result *result);

/// One line for a person: what happened, what is known about the message, what to do. "" for UE_OK.
UE_API const char *ue_result_message(const struct ue_result *result);

/// The body of the last answer as received, at most 64 KiB of it, with a NUL after it. Sets *length to its length
/// without that NUL, unless length is NULL. Unlike all other texts it is not redacted and may quote the message: keep
/// it out of logs.
UE_API
const char *ue_result_body(const struct ue_result *result,
                           size_t *length);

/// Reads everything at once that the functions above return one by one, also for NULL. For bindings in which each call is
/// expensive.
///
/// Returns false, and writes nothing, if outcome is NULL or no version of ue_outcome has its struct_size.
UE_API
bool ue_result_read(const struct ue_result *result,
                    struct ue_outcome *outcome);

/// Frees a result, and all texts that were borrowed from it. Does nothing for NULL. Every result is freed by this function
/// alone: never by free() or delete, and once.
UE_API
void ue_result_free(struct ue_result *result);

/// The name of a status, such as "UE_TIMEOUT"; "UE_UNKNOWN" for any other number. Static.
UE_API const char *ue_status_name(int32_t status);

/// The version of the library as a number that can be compared: major * 10000 + minor * 100 + patch. UE_VERSION_NUMBER is
/// that of this header.
UE_API
uint32_t ue_version_number(void);

/// The version of the library, such as "0.1.0". Static. UE_VERSION is the version of this header.
UE_API const char *ue_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* USERENGAGE_H */
