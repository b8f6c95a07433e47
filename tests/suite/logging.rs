//! The log reports what happens, without secrets.

use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use userengage::{Level, Message};

use super::support::*;

#[test]
fn lines_come_on_the_calling_thread_without_the_key_or_the_content() {
    let user = User::new();
    user.order([
        json!({"fault": "status", "status": 425}),
        json!({"fault": "status", "status": 400, "body": json!({"content": ["s3cret content"]}).to_string()}),
    ]);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let record = lines.clone();
    let client = client_with(|options| {
        options.log = Some((
            Level::Trace,
            Arc::new(move |level, text: &str| {
                record.lock().unwrap().push((level, thread::current().id(), text.to_owned()))
            }),
        ));
    });
    let message = Message::new(user.0.as_str(), "s3cret content");
    let error = client.send_conversation(&message).unwrap_err();
    client.send_conversation(&message).unwrap();
    let lines = lines.lock().unwrap();
    for level in [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace] {
        assert!(lines.iter().any(|(at, ..)| *at == level), "no line of {level:?}: {lines:?}");
    }
    for (_, id, text) in lines.iter() {
        assert_eq!(*id, thread::current().id());
        assert!(!text.contains("s3cret") && !text.contains(sandbox().api_key()), "{text}");
    }
    assert!(!format!("{error:?} {error} {client:?}").contains("s3cret"));
}

#[test]
fn the_crates_beneath_never_log_the_key() {
    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    struct Recorder;
    impl log::Log for Recorder {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            LINES.lock().unwrap().push(record.args().to_string());
        }
        fn flush(&self) {}
    }
    log::set_logger(&Recorder).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let user = User::new();
    client_with(|_| {}).send_conversation(&user.message()).unwrap();
    log::set_max_level(log::LevelFilter::Off);
    let lines = LINES.lock().unwrap();
    assert!(lines.iter().any(|line| line.contains(&user.0)), "the request's head is logged: {lines:?}");
    assert!(lines.iter().all(|line| !line.contains(sandbox().api_key())));
}

#[test]
fn a_level_leaves_out_what_is_less_important() {
    let lines = Arc::new(Mutex::new(0));
    let record = lines.clone();
    let client = client_with(|options| {
        options.log = Some((Level::Warn, Arc::new(move |_, _: &str| *record.lock().unwrap() += 1)));
    });
    client.send_conversation(&User::new().message()).unwrap();
    assert_eq!(*lines.lock().unwrap(), 0);
}
