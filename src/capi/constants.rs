//! The constants that a caller gives or gets as an integer. Rust never takes a C enum: it could have any value.
#![allow(dead_code)] // some are for callers alone

/// The values of ue_options.api_version.
#[repr(i32)]
pub enum ue_api_version {
    /// As in the specification: the request names no version.
    UE_API_VERSION_SPECIFICATION = 0,
    /// Sends `Accept: */*; version=2`; the answer then has the conversation's id.
    UE_API_VERSION_2 = 2,
}

/// The values of ue_options.delivery_policy: what to do when it is unknown whether an attempt delivered the message.
#[repr(i32)]
pub enum ue_delivery_policy {
    /// Stop and report it as unknown: the customer never sees a message twice.
    UE_AT_MOST_ONCE = 0,
    /// Send it again: the customer may see a message twice.
    UE_AT_LEAST_ONCE = 1,
}

/// The known values of ue_message.source: the channel. Other positive numbers are passed on.
#[repr(i32)]
pub enum ue_source {
    /// Chat
    UE_SOURCE_CHAT = 1,
    /// Email
    UE_SOURCE_EMAIL = 2,
    /// API
    UE_SOURCE_API = 3,
    /// SMS
    UE_SOURCE_SMS = 4,
    /// Slack
    UE_SOURCE_SLACK = 5,
}

/// The values of ue_options.log_level and of the level of a log line.
#[repr(i32)]
pub enum ue_log_level {
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
    UE_LOG_TRACE = 5,
}

/// The values that a ue_on_result_fn returns: how its batch goes on.
#[repr(i32)]
pub enum ue_batch_flow {
    /// Go on.
    UE_BATCH_CONTINUE = 0,
    /// Finish the messages in flight, and begin no more. No message becomes unknown by it.
    UE_BATCH_FINISH = 1,
    /// End the messages in flight, too. The delivery of those may be unknown.
    UE_BATCH_ABORT = 2,
}

/// The values of ue_queue_options.timeout_from: when the timeout of a message in a queue starts.
#[repr(i32)]
pub enum ue_timeout_from {
    /// When the message is begun. The wait for its turn does not count, because other messages cause it.
    UE_TIMEOUT_FROM_TURN = 0,
    /// When the message is pushed: for a caller who waits for this one message.
    UE_TIMEOUT_FROM_PUSH = 1,
}
