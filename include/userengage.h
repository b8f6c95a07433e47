/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * userengage.h: send conversation messages to UserEngage (User.com), and know for each whether it was delivered.
 *
 * Threads   Any function may be called from any thread; a ue_client may be shared. Freeing must be the last use.
 * Fork      A client inherited through fork() works in the child: it opens its own connections, and closes its copies of
 *           the parent's. A call in flight belongs to the parent: if a callback forks, the call returns UE_CANCELLED in
 *           the child, with UE_DELIVERY_UNKNOWN, and continues in the parent.
 * Process   The library installs no signal handler, raises no SIGPIPE, and registers nothing with atexit. A
 *           pthread_cancel during a call takes effect after the call.
 * NULL      Every function accepts a NULL handle: it returns UE_INVALID_ARGUMENT, or does nothing.
 * Strings   UTF-8, NUL-terminated. Inputs are copied before the call returns. Outputs are borrowed from their
 *           handle and are never NULL.
 * Results   The last parameter of every call that can fail is `ue_result **result`. It may be NULL. Otherwise it is
 *           set on success and on failure, and the caller frees it with ue_result_free.
 * Structs   Zero them and set struct_size: `ue_message message = UE_MESSAGE_INIT;` does both. A program and a
 *           library of different versions then still work together.
 * Secrets   The API key and a message's content are redacted: they never appear in a log line, an error or a result,
 *           except in the body of an answer that quotes them (ue_result_body).
 *
 * Generated from the Rust code by cbindgen: do not edit. */

#ifndef USERENGAGE_H
#define USERENGAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define UE_NODISCARD __attribute__((warn_unused_result))
#else
#define UE_NODISCARD
#endif

/// The initial value of a ue_options: its size, and the default for every field.
#define UE_OPTIONS_INIT {sizeof(ue_options), NULL, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL}
/// The initial value of a ue_message: its size, and no attributes.
#define UE_MESSAGE_INIT {sizeof(ue_message), NULL, NULL, 0, 0, NULL, 0, 0, 0}
/// The initial value of a ue_outcome: its size. ue_result_read fills in the rest.
#define UE_OUTCOME_INIT {sizeof(ue_outcome), 0, 0, 0, 0, false, 0, 0, 0, NULL, NULL, NULL, NULL, 0, 0, 0, 0}

/// The version of this header. ue_version() gives that of the library.
#define UE_VERSION "0.1.0"

/// The kind of an outcome. Values are never renumbered. Treat an unknown value as a failure.
typedef enum ue_status {
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
  /// The interrupt or progress callback cancelled the call. Or a callback forked and this is the child: then the call
  /// continues in the parent.
  UE_CANCELLED = 13,
  /// A bug in this library. It was caught.
  UE_INTERNAL = 14,
} ue_status;

/// What is known about a message: can it be sent again without the risk of showing it twice?
typedef enum ue_delivery {
  /// The request was sent, and nothing proves whether the service accepted it.
  UE_DELIVERY_UNKNOWN = 0,
  /// The request was not sent completely, or it was refused: sending it again is safe.
  UE_NOT_DELIVERED = 1,
  /// The service accepted the message: do not send it again.
  UE_DELIVERED = 2,
} ue_delivery;

/// Sends messages. Created by ue_client_new, freed by ue_free.
typedef struct ue_client ue_client;

/// The result of a call. Immutable, readable from any thread, freed by ue_result_free.
typedef struct ue_result ue_result;

/// Receives log lines, on the thread that made the ue_* call. level: 1 error, 2 warning, 3 info, 4 debug, 5 trace. text
/// is valid during the callback and never holds the API key or a message's content. The callback must return normally:
/// no exception, no longjmp.
typedef void (*ue_log_fn)(void *user_data, int32_t level, const char *text);

/// Asks whether to cancel a ue_* call, on the thread that made it: at once after a signal, and otherwise about every
/// 100 ms while the call lasts. Any value but 0 ends the call with UE_CANCELLED. The callback must return normally.
typedef int32_t (*ue_interrupt_fn)(void *user_data);

/// How a client sends. Start from UE_OPTIONS_INIT. 0 or NULL means the default, which is given for each field.
typedef struct ue_options {
  /// sizeof(ue_options)
  size_t struct_size;
  /// The URL of the API, with or without a trailing slash: https, or http on a loopback host (127.0.0.0/8, [::1],
  /// localhost and its subdomains).
  /// Default: "https://app.userengage.com/api/public/".
  const char *base_url;
  /// 0: as in the specification. 2: sends `Accept: */*; version=2`; the answer then has the conversation's id.
  /// Default: 0.
  int32_t api_version;
  /// What to do when it is unknown whether an attempt delivered the message. 0: stop and report it as unknown (at
  /// most once). 1: send it again, at the risk of showing it twice (at least once). Default: 0.
  int32_t delivery_policy;
  /// The maximum number of requests for one message; 1 means no retries. Default: 4.
  uint32_t max_attempts;
  /// The time limit for DNS, TCP, proxy and TLS of one attempt, in milliseconds. Default: 10000.
  uint32_t connect_timeout_ms;
  /// The time limit for the whole call, including every attempt and backoff, in milliseconds: sets its deadline. In a
  /// batch each message has its own deadline, which starts at its turn. Default: 30000.
  uint32_t timeout_ms;
  /// The rate limit: the maximum number of requests per second over all threads of this client. Default: no limit.
  uint32_t max_per_second;
  /// The maximum number of connections that a batch uses at once, with a thread for each, and the maximum number of
  /// idle connections in the connection pool. At most 256. Default: 8.
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
  /// The least important level to log, 1 to 5. Default: 0, off.
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
  /// The channel: 1 chat, 2 email, 3 API, 4 SMS, 5 Slack; other positive numbers are passed on. 0: none.
  int32_t source;
  /// Additional fields: the text of a JSON object or array, passed on as written. NULL: none.
  const char *source_context;
  /// The length of client_user_id in bytes; it then needs no NUL at its end. 0: it ends at its NUL.
  size_t client_user_id_length;
  /// The length of content in bytes; it then needs no NUL at its end. 0: it ends at its NUL.
  size_t content_length;
  /// The length of source_context in bytes; it then needs no NUL at its end. 0: it ends at its NUL.
  size_t source_context_length;
} ue_message;

/// Receives the progress of a batch, on the thread that called ue_send_conversations: done of count messages have their
/// outcome. Any value but 0 stops the batch. The callback must return normally.
typedef int32_t (*ue_progress_fn)(void *user_data, size_t done, size_t count);

/// The contents of a ue_result, filled in by ue_result_read. Start from UE_OUTCOME_INIT. Texts are borrowed from the
/// result and are never NULL. Each ends with a NUL, which its length does not include.
typedef struct ue_outcome {
  /// sizeof(ue_outcome)
  size_t struct_size;
  /// A ue_status: see ue_result_status.
  int32_t status;
  /// A ue_delivery: see ue_result_delivery.
  int32_t delivery;
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
} ue_outcome;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// Creates a client. Does not connect yet.
///
/// api_key: required; visible ASCII. The client copies it, and wipes the copy when it is freed. options: NULL for the
/// defaults. They are copied, but the callbacks and their user_data must live as long as the client.
///
/// Returns NULL if an argument cannot be used (UE_INVALID_ARGUMENT; the result's text names it) or if the process has
/// no descriptors left (UE_CONNECT). Free the client with ue_free.
UE_NODISCARD
struct ue_client *ue_client_new(const char *api_key,
                                const struct ue_options *options,
                                struct ue_result **result);

/// Sends one message and waits for the outcome, at most the client's timeout_ms.
///
/// Returns UE_OK if the message was delivered. Otherwise ue_result_delivery says whether it is safe to send it again,
/// and ue_result_message explains it to a person. Many threads may send with one client at once.
enum ue_status ue_send_conversation(struct ue_client *client,
                                    const struct ue_message *message,
                                    struct ue_result **result);

/// Sends many messages over at most max_connections connections at once, and waits for all of them.
///
/// messages: an array of count messages. Do not change them before the call returns. Messages to one client_user_id are
/// sent in order, also if an earlier one fails. Retries, the rate limit (max_per_second) and the pause after a 429 work
/// as for single messages. Each message has its own deadline: the timeout starts at its turn, and does not include the
/// wait for a turn. The call starts threads and ends them before it returns; callbacks run only on the calling thread.
///
/// progress: NULL, or called after each message. If it stops the batch, the messages in flight are cancelled, and the
/// rest is UE_CANCELLED and not delivered. After a stop it is not called again.
///
/// results: NULL, or an array with room for count results. All are set, in the order of the messages. Free each of
/// them.
///
/// Returns UE_OK if all messages were delivered, otherwise the status of the first one in the array that was not. For a
/// count that no array can have, such as (size_t)-1, UE_INVALID_ARGUMENT: then no result is set, and the log says why.
enum ue_status ue_send_conversations(struct ue_client *client,
                                     const struct ue_message *messages,
                                     size_t count,
                                     ue_progress_fn progress,
                                     void *progress_user_data,
                                     struct ue_result **results);

/// Closes the client: cancels the calls in flight in other threads, makes every later call fail, both with UE_CLOSED,
/// and closes the idle connections. Does not wait. May be called any number of times.
void ue_client_close(struct ue_client *client);

/// Closes the client, waits for the calls in flight, and frees it. Must be the last use of the client. Must not be
/// called from a callback.
void ue_free(struct ue_client *client);

/// The kind of outcome. UE_INVALID_ARGUMENT for NULL.
enum ue_status ue_result_status(const struct ue_result *result);

/// What is known about the message. UE_DELIVERY_UNKNOWN for NULL.
enum ue_delivery ue_result_delivery(const struct ue_result *result);

/// Whether the customer may see the message twice: it was delivered, and an earlier attempt may have delivered it, too.
/// Happens only with delivery_policy 1.
bool ue_result_may_be_duplicate(const struct ue_result *result);

/// The HTTP status of the last answer. 0: no answer arrived.
int32_t ue_result_http_status(const struct ue_result *result);

/// The conversation's id, which answers of api_version 2 have. -1: the answer has none.
int64_t ue_result_conversation_id(const struct ue_result *result);

/// How many milliseconds to wait before the message is sent again: the time that the service asked for, or that this
/// client would have had to wait past its deadline. -1: not known.
int64_t ue_result_retry_after_ms(const struct ue_result *result);

/// How many requests were started. 0: none.
uint32_t ue_result_attempts(const struct ue_result *result);

/// How many microseconds the call took, including every attempt and wait.
uint64_t ue_result_elapsed_us(const struct ue_result *result);

/// The id under which the service knows the request (Cf-Ray). "": the answer has none, or it was redacted.
const char *ue_result_request_id(const struct ue_result *result);

/// The service's own words, in one line. "": it gave none, or they were redacted because they quote the message or the
/// key.
const char *ue_result_detail(const struct ue_result *result);

/// One line for a person: what happened, what is known about the message, what to do. "" for UE_OK.
const char *ue_result_message(const struct ue_result *result);

/// The body of the last answer as received, at most 64 KiB of it, with a NUL after it. Sets *length to its length
/// without that NUL, unless length is NULL. Unlike all other texts it is not redacted and may quote the message: keep
/// it out of logs.
const char *ue_result_body(const struct ue_result *result,
                           size_t *length);

/// Reads everything at once that the functions above return one by one. For bindings in which each call is expensive.
///
/// Returns false, and writes nothing, if outcome is NULL or no version of ue_outcome has its struct_size.
bool ue_result_read(const struct ue_result *result,
                    struct ue_outcome *outcome);

/// Frees a result, and all texts that were borrowed from it.
void ue_result_free(struct ue_result *result);

/// The name of a status, such as "UE_TIMEOUT"; "UE_UNKNOWN" for any other number. Static.
const char *ue_status_name(int32_t status);

/// The version of the library, such as "0.1.0". Static. UE_VERSION is the version of this header.
const char *ue_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* USERENGAGE_H */
