//! The types of the C API, named as in C.

use std::ffi::{c_char, c_void};

use crate::{Delivery, Status};

/// The kind of an outcome. Values are never renumbered. Take an unknown one as a failure.
#[repr(C)]
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
}

/// What is known of a message: can it be sent again without the risk of showing it twice?
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ue_delivery {
    /// The request went out, and nothing proves what became of it.
    UE_DELIVERY_UNKNOWN = 0,
    /// It never went out whole, or was refused: sending again is safe.
    UE_NOT_DELIVERED = 1,
    /// The service accepted it: do not send again.
    UE_DELIVERED = 2,
}

impl From<Status> for ue_status {
    fn from(status: Status) -> Self {
        match status {
            Status::Ok => ue_status::UE_OK,
            Status::InvalidArgument => ue_status::UE_INVALID_ARGUMENT,
            Status::Connect => ue_status::UE_CONNECT,
            Status::Tls => ue_status::UE_TLS,
            Status::Timeout => ue_status::UE_TIMEOUT,
            Status::ConnectionLost => ue_status::UE_CONNECTION_LOST,
            Status::BadReply => ue_status::UE_BAD_REPLY,
            Status::Unauthorized => ue_status::UE_UNAUTHORIZED,
            Status::NotFound => ue_status::UE_NOT_FOUND,
            Status::Rejected => ue_status::UE_REJECTED,
            Status::RateLimited => ue_status::UE_RATE_LIMITED,
            Status::ServerError => ue_status::UE_SERVER_ERROR,
            Status::Closed => ue_status::UE_CLOSED,
            Status::Cancelled => ue_status::UE_CANCELLED,
            Status::Internal => ue_status::UE_INTERNAL,
        }
    }
}

impl From<Delivery> for ue_delivery {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Unknown => ue_delivery::UE_DELIVERY_UNKNOWN,
            Delivery::NotDelivered => ue_delivery::UE_NOT_DELIVERED,
            Delivery::Delivered => ue_delivery::UE_DELIVERED,
        }
    }
}

/// Receives log lines, on the thread that is inside a ue_* call. level: 1 error, 2 warning, 3 info, 4 debug, 5 trace.
/// text is valid during the call and never holds the API key or a message's content. Must return normally: no
/// exception, no longjmp.
pub type ue_log_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, text: *const c_char)>;

/// Asked on the thread that is inside a ue_* call whether to end it: at once when a signal came in, else about every 100 ms
/// that the call lasts. Any value but 0 ends the call with UE_CANCELLED. Must return normally.
pub type ue_interrupt_fn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> i32>;

/// Told on the thread that is inside ue_send_conversations how many messages are done, and how many there are. Any value
/// but 0 stops the batch. Must return normally.
pub type ue_progress_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, done: usize, count: usize) -> i32>;

/// How a client sends. Start from UE_OPTIONS_INIT; 0 or NULL means the default, which stands beside each field.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ue_options {
    /// sizeof(ue_options)
    pub struct_size: usize,
    /// Where the API is, with or without its trailing slash: https, or http on a loopback host (127.0.0.0/8, [::1],
    /// localhost and its subdomains).
    /// Default: "https://app.userengage.com/api/public/".
    pub base_url: *const c_char,
    /// 0: as the specification. 2: `Accept: */*; version=2`, whose answer carries the conversation's id. Default: 0.
    pub api_version: i32,
    /// When it is unknown whether an attempt delivered the message, 0: stop and say so (at most once); 1: send again, at
    /// the risk of showing it twice (at least once). Default: 0.
    pub delivery_policy: i32,
    /// The most requests for one message; 1 means exactly one on the wire. Default: 4.
    pub max_attempts: u32,
    /// For DNS, TCP, proxy and TLS of one attempt. Default: 10000.
    pub connect_timeout_ms: u32,
    /// For the whole call, every attempt and wait included; in a batch, for each message from its turn on. Default: 30000.
    pub timeout_ms: u32,
    /// The most requests a second over all threads of this client. Default: no limit.
    pub max_per_second: u32,
    /// The most connections that a batch uses at once, a thread each, and that are kept for reuse; at most 256. Default: 8.
    pub max_connections: u32,
    /// Such as "http://user:password@proxy:3128", special characters percent-encoded; "" for none. With an http base_url
    /// on a loopback host, too. Default, for https: what HTTPS_PROXY (else ALL_PROXY) and NO_PROXY say.
    pub proxy: *const c_char,
    /// A PEM file with the only certificate authorities to trust. Default: Mozilla's, which are built in.
    pub ca_file: *const c_char,
    /// Put before "userengage/<version>" in the User-Agent header. Default: nothing.
    pub user_agent: *const c_char,
    /// Where log lines go. Default: nowhere.
    pub log: ue_log_fn,
    /// Handed to log as it is.
    pub log_user_data: *mut c_void,
    /// The least important level that is logged, 1 to 5. Default: 0, off.
    pub log_level: i32,
    /// Asked whether to end a call. Default: never.
    pub interrupt: ue_interrupt_fn,
    /// Handed to interrupt as it is.
    pub interrupt_user_data: *mut c_void,
}

/// One message: the attributes of the service's specification, by their names. Start from UE_MESSAGE_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ue_message {
    /// sizeof(ue_message)
    pub struct_size: usize,
    /// Required. Who gets the message: any text but "", "." and "..", without control characters; an integer as text.
    pub client_user_id: *const c_char,
    /// Required. Text or HTML.
    pub content: *const c_char,
    /// The agent who writes. 0: none given.
    pub user: i64,
    /// 1 chat, 2 email, 3 API, 4 SMS, 5 Slack; further positive numbers are passed on. 0: none given.
    pub source: i32,
    /// JSON text of an object or an array, passed on as written. NULL: none given.
    pub source_context: *const c_char,
    /// How many bytes client_user_id has, which then needs no NUL after it. 0: as many as stand before its NUL.
    pub client_user_id_length: usize,
    /// How many bytes content has, which then needs no NUL after it. 0: as many as stand before its NUL.
    pub content_length: usize,
    /// How many bytes source_context has, which then needs no NUL after it. 0: as many as stand before its NUL.
    pub source_context_length: usize,
}

/// What a ue_result holds, as ue_result_read reads it. Start from UE_OUTCOME_INIT. Texts are borrowed from the result, end
/// with a NUL that their length does not count, and are never NULL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ue_outcome {
    /// sizeof(ue_outcome)
    pub struct_size: usize,
    /// A ue_status: see ue_result_status.
    pub status: i32,
    /// A ue_delivery: see ue_result_delivery.
    pub delivery: i32,
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
    /// How many bytes request_id has.
    pub request_id_length: usize,
    /// How many bytes detail has.
    pub detail_length: usize,
    /// How many bytes message has.
    pub message_length: usize,
    /// How many bytes body has.
    pub body_length: usize,
}
