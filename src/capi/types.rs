//! The types of the C API, named as in C.

use std::ffi::{CStr, c_char, c_void};

use super::cancel::ue_cancel;
use super::result::ue_result;
use crate::{Delivery, Retry, Status};

/// As a length of a text: it ends at its NUL. UE_MESSAGE_INIT sets it for every length.
pub(super) const NUL_TERMINATED: usize = usize::MAX;

/// The kind of an outcome. Values are never renumbered. Treat an unknown value as a failure.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ue_status {
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
    UE_SUSPENDED = 16,
}

/// What is known about a message: could the customer have seen it? No value is that of a ue_status, so that the two
/// cannot be mistaken for each other. Treat an unknown value as UE_DELIVERY_UNKNOWN.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ue_delivery {
    /// The request was sent, and nothing proves whether the service accepted it.
    UE_DELIVERY_UNKNOWN = 100,
    /// The request was not sent completely, or it was refused: the customer has not seen it.
    UE_NOT_DELIVERED = 101,
    /// The service accepted the message: do not send it again.
    UE_DELIVERED = 102,
}

/// Whether sending a message again can help. Treat an unknown value as UE_RETRY_DECIDE.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ue_retry {
    /// The customer may have seen the message: a person, or the application, has to decide.
    UE_RETRY_DECIDE = 200,
    /// The message was not delivered. Sending it again later is safe, and can help: the network, the service, the API key
    /// or the configuration was at fault, not the message.
    UE_RETRY_LATER = 201,
    /// The message was delivered, or it will fail again: its content or its user is wrong.
    UE_RETRY_NEVER = 202,
}

impl ue_status {
    /// A status as C has it, and its name there. A status without a row does not compile.
    pub(super) const fn of(status: Status) -> (Self, &'static CStr) {
        match status {
            Status::Ok => (ue_status::UE_OK, c"UE_OK"),
            Status::InvalidArgument => (ue_status::UE_INVALID_ARGUMENT, c"UE_INVALID_ARGUMENT"),
            Status::Connect => (ue_status::UE_CONNECT, c"UE_CONNECT"),
            Status::Tls => (ue_status::UE_TLS, c"UE_TLS"),
            Status::Timeout => (ue_status::UE_TIMEOUT, c"UE_TIMEOUT"),
            Status::ConnectionLost => (ue_status::UE_CONNECTION_LOST, c"UE_CONNECTION_LOST"),
            Status::BadReply => (ue_status::UE_BAD_REPLY, c"UE_BAD_REPLY"),
            Status::Unauthorized => (ue_status::UE_UNAUTHORIZED, c"UE_UNAUTHORIZED"),
            Status::NotFound => (ue_status::UE_NOT_FOUND, c"UE_NOT_FOUND"),
            Status::Rejected => (ue_status::UE_REJECTED, c"UE_REJECTED"),
            Status::RateLimited => (ue_status::UE_RATE_LIMITED, c"UE_RATE_LIMITED"),
            Status::ServerError => (ue_status::UE_SERVER_ERROR, c"UE_SERVER_ERROR"),
            Status::Closed => (ue_status::UE_CLOSED, c"UE_CLOSED"),
            Status::Cancelled => (ue_status::UE_CANCELLED, c"UE_CANCELLED"),
            Status::Internal => (ue_status::UE_INTERNAL, c"UE_INTERNAL"),
            Status::QueueFull => (ue_status::UE_QUEUE_FULL, c"UE_QUEUE_FULL"),
            Status::Suspended => (ue_status::UE_SUSPENDED, c"UE_SUSPENDED"),
        }
    }
}

impl From<Status> for ue_status {
    fn from(status: Status) -> Self {
        ue_status::of(status).0
    }
}

/// Every status, by its number.
pub(super) const STATUSES: [Status; 17] = [
    Status::Ok,
    Status::InvalidArgument,
    Status::Connect,
    Status::Tls,
    Status::Timeout,
    Status::ConnectionLost,
    Status::BadReply,
    Status::Unauthorized,
    Status::NotFound,
    Status::Rejected,
    Status::RateLimited,
    Status::ServerError,
    Status::Closed,
    Status::Cancelled,
    Status::Internal,
    Status::QueueFull,
    Status::Suspended,
];

impl From<Delivery> for ue_delivery {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Unknown => ue_delivery::UE_DELIVERY_UNKNOWN,
            Delivery::NotDelivered => ue_delivery::UE_NOT_DELIVERED,
            Delivery::Delivered => ue_delivery::UE_DELIVERED,
        }
    }
}

impl From<Retry> for ue_retry {
    fn from(retry: Retry) -> Self {
        match retry {
            Retry::Decide => ue_retry::UE_RETRY_DECIDE,
            Retry::Later => ue_retry::UE_RETRY_LATER,
            Retry::Never => ue_retry::UE_RETRY_NEVER,
        }
    }
}

// Rust and C have the same numbers.
const _: () = {
    let mut number = 0;
    while number < STATUSES.len() {
        let status = STATUSES[number];
        assert!(status as usize == number, "STATUSES has a status in the wrong place");
        assert!(ue_status::of(status).0 as usize == number, "a Status and its ue_status have different numbers");
        number += 1;
    }
    assert!(ue_delivery::UE_DELIVERY_UNKNOWN as i32 == Delivery::Unknown as i32);
    assert!(ue_delivery::UE_NOT_DELIVERED as i32 == Delivery::NotDelivered as i32);
    assert!(ue_delivery::UE_DELIVERED as i32 == Delivery::Delivered as i32);
    assert!(ue_retry::UE_RETRY_DECIDE as i32 == Retry::Decide as i32);
    assert!(ue_retry::UE_RETRY_LATER as i32 == Retry::Later as i32);
    assert!(ue_retry::UE_RETRY_NEVER as i32 == Retry::Never as i32);
};

/// A descriptor; on Windows a SOCKET.
pub type ue_fd = crate::sys::Raw;

/// Receives log lines, on the thread that made the ue_* call: so from several threads at once if several send. The lines
/// of a queue come in ue_queue_take. level: a ue_log_level. text is valid during the callback and never holds the API key
/// or a message's content. The callback must return normally: no exception, no longjmp.
pub type ue_log_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, text: *const c_char)>;

/// Asks whether to cancel a ue_* call, on the thread that made it: at once after a signal, and otherwise about every
/// 100 ms while the call lasts. Any value but 0 ends the call with UE_CANCELLED. It is not asked for messages in a queue: for
/// the wait of ue_queue_poll it is, and for that of ue_queue_wait about every 100 ms. The callback must return normally.
pub type ue_interrupt_fn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> i32>;

/// Receives each result of a batch as soon as it is known, on the thread that called ue_send_conversations. No more than
/// max_connections results, or 8 if that is more, wait for it before no further message is begun: a program that is killed in
/// it does not know of those, and of the max_connections messages in flight. index: the
/// message's place in the array. result: valid during the callback, or, where ue_send_conversations was given results, as
/// long as results[index], which is the same one: do not free it before that call returns. Returns a ue_batch_flow; any other value counts as UE_BATCH_FINISH. After UE_BATCH_FINISH only
/// UE_BATCH_ABORT still has an effect. The callback must return normally.
pub type ue_on_result_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, index: usize, result: *const ue_result) -> i32>;

/// How a client sends. Start from UE_OPTIONS_INIT. 0 or NULL means the default, which is given for each field.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ue_options {
    /// sizeof(ue_options)
    pub struct_size: usize,
    /// The URL of the API, with or without a trailing slash: https, or http on a loopback host (127.0.0.0/8, [::1],
    /// localhost and its subdomains).
    /// Default: "https://app.userengage.com/api/public/".
    pub base_url: *const c_char,
    /// A ue_api_version. Default: UE_API_VERSION_SPECIFICATION.
    pub api_version: i32,
    /// A ue_delivery_policy: what to do when it is unknown whether an attempt delivered the message. Default:
    /// UE_AT_MOST_ONCE.
    pub delivery_policy: i32,
    /// The maximum number of requests for one message; 1 means no retries. Default: 4.
    pub max_attempts: u32,
    /// The time limit for DNS, TCP, proxy and TLS of one attempt, in milliseconds. Default: 10000.
    pub connect_timeout_ms: u32,
    /// The time limit for a message, including every attempt and backoff, in milliseconds: sets its deadline. In a batch
    /// it starts at the message's turn, in a queue as timeout_from says. Default: 30000.
    pub timeout_ms: u32,
    /// The rate limit: the maximum number of requests per second over all threads of this client. Default: no limit.
    pub max_per_second: u32,
    /// The maximum number of connections that a batch or a queue uses at once, and the maximum number of idle connections
    /// in the connection pool. At most 256. Default: 8.
    pub max_connections: u32,
    /// The proxy, such as "http://user:password@proxy:3128", with special characters percent-encoded; "" for none. With
    /// an http base_url the proxy must be on a loopback host, too. Default, for https: the environment variables
    /// HTTPS_PROXY (else ALL_PROXY) and NO_PROXY.
    pub proxy: *const c_char,
    /// A PEM file with the certificate authorities to trust, and no others. Default: Mozilla's, which are built in.
    pub ca_file: *const c_char,
    /// The text before "userengage/<version>" in the User-Agent header. Default: nothing.
    pub user_agent: *const c_char,
    /// The callback that receives log lines. Default: nowhere.
    pub log: ue_log_fn,
    /// Passed to log unchanged.
    pub log_user_data: *mut c_void,
    /// The least important ue_log_level to log. Default: UE_LOG_OFF.
    pub log_level: i32,
    /// The callback that can cancel a call. Default: never.
    pub interrupt: ue_interrupt_fn,
    /// Passed to interrupt unchanged.
    pub interrupt_user_data: *mut c_void,
}

/// One message, with the attributes and names of the service's specification. Start from UE_MESSAGE_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ue_message {
    /// sizeof(ue_message)
    pub struct_size: usize,
    /// Required. The id of the user who gets the message; an integer as text. Any text but "", "." and "..", without
    /// control characters.
    pub client_user_id: *const c_char,
    /// Required. Text or HTML.
    pub content: *const c_char,
    /// The id of the agent who writes. 0: none.
    pub user: i64,
    /// The channel: a ue_source; other positive numbers are passed on. 0: none.
    pub source: i32,
    /// Additional fields: the text of a JSON object or array, passed on as written. NULL: none.
    pub source_context: *const c_char,
    /// The length of client_user_id in bytes; it then needs no NUL at its end. UE_NUL_TERMINATED: it ends at its NUL. 0: it is empty.
    pub client_user_id_length: usize,
    /// The length of content in bytes; it then needs no NUL at its end. UE_NUL_TERMINATED: it ends at its NUL. 0: it is empty.
    pub content_length: usize,
    /// The length of source_context in bytes; it then needs no NUL at its end. UE_NUL_TERMINATED: it ends at its NUL. 0: it is empty.
    pub source_context_length: usize,
    /// The time limit of this message, in milliseconds. 0: the client's timeout_ms.
    pub timeout_ms: u32,
    /// Can end the call that sends this message; in a queue, once the message is begun (before that: ue_queue_cancel).
    /// May be freed as soon as the call, or the push, returns. NULL: none.
    pub cancel: *mut ue_cancel,
    /// Comes back with the result: ue_result_user_data. Never dereferenced.
    pub user_data: *mut c_void,
}

/// How a batch is sent. Start from UE_BATCH_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ue_batch_options {
    /// sizeof(ue_batch_options)
    pub struct_size: usize,
    /// Receives each result as soon as it is known. Default: nowhere.
    pub on_result: ue_on_result_fn,
    /// Passed to on_result unchanged.
    pub user_data: *mut c_void,
    /// After so many failures in a row that are no fault of a message (the delivery is unknown, no connection, 401, 403,
    /// 429, 5xx) no further message is begun: the rest is UE_SUSPENDED and not delivered. After a failure, only so many
    /// are in flight as may still fail, so that no more fail than this, or than max_connections if that is more. A 429 is a
    /// failure only of a message that has used up its attempts: before, it pauses all of them. Default: 0, off.
    pub max_failures_in_a_row: u32,
    /// Ends the whole batch: the messages in flight are ended, and the rest is UE_CANCELLED and not delivered. For a
    /// handler of Ctrl-C: ue_cancel_trigger may be called there. Default: none.
    pub cancel: *mut ue_cancel,
}

/// How a queue works. Start from UE_QUEUE_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ue_queue_options {
    /// sizeof(ue_queue_options)
    pub struct_size: usize,
    /// The maximum number of messages in the queue: those that wait, those in flight, and those whose result was not
    /// taken. A push beyond it is UE_QUEUE_FULL. Default: 10000.
    pub capacity: u32,
    /// As in ue_batch_options. A suspended queue refuses further messages with UE_SUSPENDED, until ue_queue_resume.
    /// Default: 0, off.
    pub max_failures_in_a_row: u32,
    /// A ue_timeout_from: when the timeout of a message starts. Default: UE_TIMEOUT_FROM_TURN.
    pub timeout_from: i32,
}

/// The contents of a ue_result, filled in by ue_result_read. Start from UE_OUTCOME_INIT. Texts are borrowed from the
/// result and are never NULL. Each ends with a NUL, which its length does not include.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ue_outcome {
    /// sizeof(ue_outcome)
    pub struct_size: usize,
    /// See ue_result_status.
    pub status: ue_status,
    /// See ue_result_delivery.
    pub delivery: ue_delivery,
    /// See ue_result_http_status.
    pub http_status: i32,
    /// See ue_result_attempts.
    pub attempts: u32,
    /// See ue_result_may_be_duplicate.
    pub may_be_duplicate: bool,
    /// See ue_result_conversation_id.
    pub conversation_id: i64,
    /// See ue_result_retry_after_ms.
    pub retry_after_ms: i64,
    /// See ue_result_elapsed_us.
    pub elapsed_us: u64,
    /// See ue_result_request_id.
    pub request_id: *const c_char,
    /// See ue_result_detail.
    pub detail: *const c_char,
    /// See ue_result_message.
    pub message: *const c_char,
    /// See ue_result_body.
    pub body: *const c_char,
    /// The length of request_id in bytes.
    pub request_id_length: usize,
    /// The length of detail in bytes.
    pub detail_length: usize,
    /// The length of message in bytes.
    pub message_length: usize,
    /// The length of body in bytes.
    pub body_length: usize,
    /// See ue_result_retry.
    pub retry: ue_retry,
    /// See ue_result_user_data.
    pub user_data: *mut c_void,
}
