use super::*;
use crate::model::outcome::{Delivery, Status};

fn body(message: Message<'_>) -> String {
    String::from_utf8(message.body().unwrap()).unwrap()
}

fn refusal(message: Message<'_>) -> String {
    let error = message.checked_id().and_then(|_| message.body()).unwrap_err();
    assert_eq!((error.status(), error.delivery()), (Status::InvalidArgument, Delivery::NotDelivered));
    error.to_string()
}

#[test]
fn the_body_has_just_the_attributes_given_in_the_specifications_order() {
    assert_eq!(body(Message::new(1, "Hi")), r#"{"content":"Hi"}"#);
    let full = Message::new(1, "Hi").source_context("{}").source(Source::EMAIL).user(926);
    assert_eq!(body(full), r#"{"content":"Hi","user":926,"source":2,"source_context":{}}"#);
}

#[test]
fn content_is_escaped_as_json_and_survives_a_round_trip() {
    let content = "<b>\"quoted\"</b>\n\t\\ \u{1} \u{2028} żółć 👋";
    let value: serde_json::Value = serde_json::from_str(&body(Message::new(1, content))).unwrap();
    assert_eq!(value["content"], content);
}

#[test]
fn source_context_is_passed_on_as_written() {
    let written = r#"{"z": 1.10, "a": 12345678901234567890123, "a": [ 1e400 ]}"#;
    let sent = body(Message::new(1, "Hi").source_context(format!("  {written}\n")));
    assert_eq!(sent, format!(r#"{{"content":"Hi","source_context":{written}}}"#));
}

#[test]
fn source_context_that_is_neither_an_object_nor_an_array_is_refused() {
    for context in ["", "1", "\"text\"", "null", "{", "{} {}", "{'a': 1}", "[NaN]", "\u{feff}{}"] {
        let text = refusal(Message::new(1, "Hi").source_context(context));
        assert!(text.starts_with("source_context is"), "{context:?}: {text}");
    }
}

#[test]
fn ids_that_do_not_fit_a_path_segment_are_refused() {
    let long = "x".repeat(LONGEST_ID + 1);
    for id in ["", ".", "..", "a\r\nb", "a\0b", "\u{7f}", "\u{85}", &long] {
        let text = refusal(Message::new(id, "Hi"));
        assert!(text.starts_with("client_user_id"), "{id:?}: {text}");
    }
    for id in ["...", "a/b", "żółć", " ", "%2e%2e", &long[1..]] {
        assert!(Message::new(id, "Hi").checked_id().is_ok(), "{id:?}");
    }
}

#[test]
fn empty_content_nul_and_numbers_below_one_are_refused() {
    assert!(refusal(Message::new(1, "Hi\0")).starts_with("content has a NUL at byte 2"));
    assert!(refusal(Message::new(1, "")).starts_with("content is empty"));
    assert!(refusal(Message::new(1, "Hi").user(-1)).starts_with("user is -1"));
    assert!(refusal(Message::new(1, "Hi").user(0)).starts_with("user is 0"));
    assert!(refusal(Message::new(1, "Hi").source(Source(0))).starts_with("source is 0"));
}

#[test]
fn errors_and_debug_forms_never_hold_the_content() {
    let message = Message::new(7, "s3cret").source_context("{\"s3cret\": s3cret}");
    assert!(!format!("{message:?}").contains("s3cret"));
    assert!(!refusal(message).contains("s3cret"));
}

/// The part of the test below that runs in its own process.
#[test]
#[ignore = "runs only from the test below, which limits the memory"]
fn a_large_body_in_little_memory() {
    // The escapes at the end make the body longer than what was reserved for it.
    let content = "x".repeat(LARGE - 200) + &"\"".repeat(200);
    let text = refusal(Message::new(1, &*content));
    assert!(text.starts_with(&format!("content has {LARGE} bytes: there is not enough memory")), "{text}");
}

const LARGE: usize = 40 << 20;

#[test]
#[cfg(target_os = "linux")]
fn a_lack_of_memory_for_the_body_is_an_error_that_names_the_content() {
    // Enough for the content and a body of the same length, but not for a body of twice the length.
    let limit_kib = (3 * LARGE) >> 10;
    let child = std::process::Command::new("sh")
        .args(["-c", &format!("ulimit -v {limit_kib} && exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "model::message::tests::a_large_body_in_little_memory", "--ignored", "--test-threads=1"])
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&child.stderr));
}

#[test]
fn an_owned_copy_is_the_same_message_and_shares_its_cancel() {
    let cancel = Cancel::new().unwrap();
    let message = Message::new("żółć", "Hi").user(7).source(Source(9)).source_context(" {} ");
    let message = message.timeout(Duration::from_secs(3)).cancel(&cancel);
    let copy: Message<'static> = message.to_owned().unwrap();
    assert!(copy == message && copy.size() == message.size());
    assert_eq!(copy.size(), "żółćHi {} ".len());
    cancel.trigger();
    assert!(copy.cancel_signal().unwrap().is_triggered());
    // It is a copy, not checked: an invalid message stays invalid.
    let invalid = Message::new("", "").to_owned().unwrap();
    assert_eq!(refusal(invalid), refusal(Message::new("", "")));
}

#[test]
fn a_timeout_in_which_nothing_can_be_sent_is_refused_by_name() {
    let default = Duration::from_secs(30);
    let checked = |timeout| Message::new(1, "Hi").timeout(timeout).checked_timeout(default);
    assert_eq!(Message::new(1, "Hi").checked_timeout(default).unwrap(), default);
    assert_eq!(checked(Duration::from_millis(1)).unwrap(), Duration::from_millis(1));
    for (timeout, start) in
        [(Duration::ZERO, "timeout is 0"), (Duration::from_secs(1 << 40), "timeout is 1099511627776000 ms")]
    {
        let text = checked(timeout).unwrap_err().to_string();
        assert!(text.starts_with(start), "{text}");
    }
}
