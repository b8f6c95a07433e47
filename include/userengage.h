/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * userengage.h: send conversation messages to UserEngage (User.com), and know what became of each.
 *
 * Threads   Any function may be called from any thread; a ue_client may be shared. Freeing must be the last use.
 * Fork      A client inherited through fork() works in the child, on connections of its own; the parent's are closed
 *           there. A call under way stays the parent's: where a callback forks, the call returns UE_CANCELLED in the
 *           child, with UE_DELIVERY_UNKNOWN, and goes on in the parent.
 * Process   Installs no signal handler, raises no SIGPIPE, registers nothing with atexit. A thread that is
 *           cancelled (pthread_cancel) inside a call is cancelled after it.
 * NULL      A NULL handle is accepted everywhere: UE_INVALID_ARGUMENT, or nothing to free.
 * Strings   UTF-8, NUL-terminated. Inputs are copied before the call returns. Outputs are borrowed from their
 *           handle and are never NULL.
 * Results   Every fallible call ends in `ue_result **result`. It may be NULL; otherwise it is set on success and
 *           on failure, and is the caller's to free with ue_result_free.
 * Structs   Zero them and set struct_size: `ue_message message = UE_MESSAGE_INIT;` does both. A program and a
 *           library of different versions then still understand each other.
 * Secrets   The API key and a message's content never appear in a log line, an error or a result, except in the body of
 *           an answer that quotes them (ue_result_body).
 *
 * Made from the Rust code by cbindgen: do not edit. */

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

/// The starting value of a ue_options: its size, and every field at its default.
#define UE_OPTIONS_INIT {sizeof(ue_options), NULL, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL}
/// The starting value of a ue_message: its size, and no attribute given.
#define UE_MESSAGE_INIT {sizeof(ue_message), NULL, NULL, 0, 0, NULL, 0, 0, 0}
/// The starting value of a ue_outcome, for ue_result_read to fill in: its size.
#define UE_OUTCOME_INIT {sizeof(ue_outcome), 0, 0, 0, 0, false, 0, 0, 0, NULL, NULL, NULL, NULL, 0, 0, 0, 0}

/// The version of this header. ue_version() gives that of the library.
#define UE_VERSION "0.1.0"

/// The kind of an outcome. Values are never renumbered. Take an unknown one as a failure.
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
  /// The connection was lost before an answer came.
  UE_CONNECTION_LOST = 5,
  /// What came back is no HTTP, or no answer of this service.
  UE_BAD_REPLY = 6,
  /// 401 or 403: the key was not accepted.
  UE_UNAUTHORIZED = 7,
  /// 404: there is no such user.
  UE_NOT_FOUND = 8,
  /// Any other 4xx: the service refused the message; or 408: it gave up on it, and the delivery says what is known.
  UE_REJECTED = 9,
  /// 429: too many requests. Or, with nothing sent and ue_result_http_status 0: max_per_second, or the pause after a 429,
  /// leaves no turn in time.
  UE_RATE_LIMITED = 10,
  /// 5xx: the service failed.
  UE_SERVER_ERROR = 11,
  /// ue_client_close was called.
  UE_CLOSED = 12,
  /// The interrupt or progress callback asked for it. Or this is the child of a fork that a callback made: then the call
  /// goes on in the parent.
  UE_CANCELLED = 13,
  /// A fault of this library, contained.
  UE_INTERNAL = 14,
} ue_status;

/// What is known of a message: can it be sent again without the risk of showing it twice?
typedef enum ue_delivery {
  /// The request went out, and nothing proves what became of it.
  UE_DELIVERY_UNKNOWN = 0,
  /// It never went out whole, or was refused: sending again is safe.
  UE_NOT_DELIVERED = 1,
  /// The service accepted it: do not send again.
  UE_DELIVERED = 2,
} ue_delivery;

/// Sends messages. Made by ue_client_new, freed by ue_free.
typedef struct ue_client ue_client;

/// What a call came to. Immutable, readable from any thread, freed by ue_result_free.
typedef struct ue_result ue_result;

/// Receives log lines, on the thread that is inside a ue_* call. level: 1 error, 2 warning, 3 info, 4 debug, 5 trace.
/// text is valid during the call and never holds the API key or a message's content. Must return normally: no
/// exception, no longjmp.
typedef void (*ue_log_fn)(void *user_data, int32_t level, const char *text);

/// Asked on the thread that is inside a ue_* call whether to end it: at once when a signal came in, else about every 100 ms
/// that the call lasts. Any value but 0 ends the call with UE_CANCELLED. Must return normally.
typedef int32_t (*ue_interrupt_fn)(void *user_data);

/// How a client sends. Start from UE_OPTIONS_INIT; 0 or NULL means the default, which stands beside each field.
typedef struct ue_options {
  /// sizeof(ue_options)
  size_t struct_size;
  /// Where the API is, with or without its trailing slash: https, or http on a loopback host (127.0.0.0/8, [::1],
  /// localhost and its subdomains).
  /// Default: "https://app.userengage.com/api/public/".
  const char *base_url;
  /// 0: as the specification. 2: `Accept: */*; version=2`, whose answer carries the conversation's id. Default: 0.
  int32_t api_version;
  /// When it is unknown whether an attempt delivered the message, 0: stop and say so (at most once); 1: send again, at
  /// the risk of showing it twice (at least once). Default: 0.
  int32_t delivery_policy;
  /// The most requests for one message; 1 means exactly one on the wire. Default: 4.
  uint32_t max_attempts;
  /// For DNS, TCP, proxy and TLS of one attempt. Default: 10000.
  uint32_t connect_timeout_ms;
  /// For the whole call, every attempt and wait included; in a batch, for each message from its turn on. Default: 30000.
  uint32_t timeout_ms;
  /// The most requests a second over all threads of this client. Default: no limit.
  uint32_t max_per_second;
  /// The most connections that a batch uses at once, a thread each, and that are kept for reuse; at most 256. Default: 8.
  uint32_t max_connections;
  /// Such as "http://user:password@proxy:3128", special characters percent-encoded; "" for none. With an http base_url
  /// on a loopback host, too. Default, for https: what HTTPS_PROXY (else ALL_PROXY) and NO_PROXY say.
  const char *proxy;
  /// A PEM file with the only certificate authorities to trust. Default: Mozilla's, which are built in.
  const char *ca_file;
  /// Put before "userengage/<version>" in the User-Agent header. Default: nothing.
  const char *user_agent;
  /// Where log lines go. Default: nowhere.
  ue_log_fn log;
  /// Handed to log as it is.
  void *log_user_data;
  /// The least important level that is logged, 1 to 5. Default: 0, off.
  int32_t log_level;
  /// Asked whether to end a call. Default: never.
  ue_interrupt_fn interrupt;
  /// Handed to interrupt as it is.
  void *interrupt_user_data;
} ue_options;

/// One message: the attributes of the service's specification, by their names. Start from UE_MESSAGE_INIT.
typedef struct ue_message {
  /// sizeof(ue_message)
  size_t struct_size;
  /// Required. Who gets the message: any text but "", "." and "..", without control characters; an integer as text.
  const char *client_user_id;
  /// Required. Text or HTML.
  const char *content;
  /// The agent who writes. 0: none given.
  int64_t user;
  /// 1 chat, 2 email, 3 API, 4 SMS, 5 Slack; further positive numbers are passed on. 0: none given.
  int32_t source;
  /// JSON text of an object or an array, passed on as written. NULL: none given.
  const char *source_context;
  /// How many bytes client_user_id has, which then needs no NUL after it. 0: as many as stand before its NUL.
  size_t client_user_id_length;
  /// How many bytes content has, which then needs no NUL after it. 0: as many as stand before its NUL.
  size_t content_length;
  /// How many bytes source_context has, which then needs no NUL after it. 0: as many as stand before its NUL.
  size_t source_context_length;
} ue_message;

/// Told on the thread that is inside ue_send_conversations how many messages are done, and how many there are. Any value
/// but 0 stops the batch. Must return normally.
typedef int32_t (*ue_progress_fn)(void *user_data, size_t done, size_t count);

/// What a ue_result holds, as ue_result_read reads it. Start from UE_OUTCOME_INIT. Texts are borrowed from the result, end
/// with a NUL that their length does not count, and are never NULL.
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
  /// How many bytes request_id has.
  size_t request_id_length;
  /// How many bytes detail has.
  size_t detail_length;
  /// How many bytes message has.
  size_t message_length;
  /// How many bytes body has.
  size_t body_length;
} ue_outcome;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// Makes a client. Connects to nothing yet.
///
/// api_key: required; visible ASCII, copied and wiped when the client is freed. options: NULL for the defaults; copied,
/// but its callbacks and their user_data must live as long as the client.
///
/// Returns NULL when an argument cannot be used (UE_INVALID_ARGUMENT; the result's text names it) or the process has no
/// descriptors left (UE_CONNECT). Free the client with ue_free.
UE_NODISCARD
struct ue_client *ue_client_new(const char *api_key,
                                const struct ue_options *options,
                                struct ue_result **result);

/// Sends one message and waits for what becomes of it, at most the client's timeout_ms.
///
/// Returns UE_OK when the message was delivered. Else ue_result_delivery tells whether it is safe to send it again, and
/// ue_result_message says it in words. Many threads may send with one client at once.
enum ue_status ue_send_conversation(struct ue_client *client,
                                    const struct ue_message *message,
                                    struct ue_result **result);

/// Sends many messages over at most max_connections connections at once, and waits for all.
///
/// messages: the first of count, which must stay as they are until the call has ended. Those to one client_user_id keep
/// their order, also where an earlier one fails. Retries, max_per_second and the pause of a 429 are as for single ones. The
/// timeout counts for each message from its turn on, and not while it waits for one. Uses threads of its own while it runs;
/// callbacks come on the calling thread alone.
///
/// progress: NULL, or told after each message. Where it stops the batch, what is under way ends and the rest is
/// UE_CANCELLED and not delivered. It is not told any more once the batch was stopped, by it or otherwise.
///
/// results: NULL, or room for count results, which are all set, in the messages' order, each to be freed.
///
/// Returns UE_OK where all were delivered, else the status of the first message, in their order, that was not. For a count
/// that no array can have, such as (size_t)-1, UE_INVALID_ARGUMENT: then no result is set, and the log says why.
enum ue_status ue_send_conversations(struct ue_client *client,
                                     const struct ue_message *messages,
                                     size_t count,
                                     ue_progress_fn progress,
                                     void *progress_user_data,
                                     struct ue_result **results);

/// Ends the calls under way in other threads, and every later one, with UE_CLOSED, and closes the idle connections. Does
/// not wait; may be called any number of times.
void ue_client_close(struct ue_client *client);

/// Closes the client, waits for the calls under way, and frees it. Must be the last use, and not come from a callback.
void ue_free(struct ue_client *client);

/// The kind of outcome. UE_INVALID_ARGUMENT for NULL.
enum ue_status ue_result_status(const struct ue_result *result);

/// What is known of the message. UE_DELIVERY_UNKNOWN for NULL.
enum ue_delivery ue_result_delivery(const struct ue_result *result);

/// Whether the customer may see the message twice: it was delivered by an attempt that followed one whose fate is
/// unknown. Only delivery_policy 1 does that.
bool ue_result_may_be_duplicate(const struct ue_result *result);

/// The HTTP status of the last answer. 0: no answer came.
int32_t ue_result_http_status(const struct ue_result *result);

/// The conversation's id, which api_version 2 gives. -1: not given.
int64_t ue_result_conversation_id(const struct ue_result *result);

/// How many milliseconds to wait before the message is sent again: as the service asked, or as this client would have
/// had to wait past its deadline. -1: not given.
int64_t ue_result_retry_after_ms(const struct ue_result *result);

/// How many requests were begun. 0: nothing was tried.
uint32_t ue_result_attempts(const struct ue_result *result);

/// How many microseconds the call took, every attempt and wait included.
uint64_t ue_result_elapsed_us(const struct ue_result *result);

/// The id under which the service knows the request (Cf-Ray). "": not given.
const char *ue_result_request_id(const struct ue_result *result);

/// The service's own words, in one line. "": it gave none.
const char *ue_result_detail(const struct ue_result *result);

/// One line for a person: what happened, what is known of the message, what to do. "": UE_OK.
const char *ue_result_message(const struct ue_result *result);

/// The body of the last answer as it came, at most 64 KiB of it, with a NUL after it. *length, where length is not NULL,
/// becomes its length without that. Unlike all other texts it may quote the message: keep it out of logs.
const char *ue_result_body(const struct ue_result *result,
                           size_t *length);

/// Reads everything at once, for a binding that pays for every call: what the functions above tell one by one.
///
/// Returns whether it did: not where outcome is NULL, or its struct_size is none that a ue_outcome has.
bool ue_result_read(const struct ue_result *result,
                    struct ue_outcome *outcome);

/// Frees a result, and with it every text that was borrowed from it.
void ue_result_free(struct ue_result *result);

/// The name of a status, such as "UE_TIMEOUT"; "UE_UNKNOWN" for a number that is none. Static.
const char *ue_status_name(int32_t status);

/// The version of the library, such as "0.1.0". Static. UE_VERSION is that of this header.
const char *ue_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* USERENGAGE_H */
