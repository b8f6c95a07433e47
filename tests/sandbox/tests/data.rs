//! With a file, conversations outlive the sandbox.

mod common;

use common::{Client, eventually, sandbox_with};
use serde_json::json;
use std::path::PathBuf;
use ue_sandbox::{Options, Sandbox};

/// A file that goes with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> File {
        File(std::env::temp_dir().join(format!("ue-sandbox-test-{}-{name}.sqlite", std::process::id())))
    }

    fn sandbox(&self, change: impl FnOnce(&mut Options)) -> Sandbox {
        sandbox_with(|options| {
            options.data = Some(self.0.clone());
            change(options);
        })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.0.display()));
        }
    }
}

#[test]
fn conversations_and_their_requests_are_there_after_a_restart() {
    let file = File::new("restart");
    let sandbox = file.sandbox(|_| {});
    let mut client = Client::connect(&sandbox);
    client.send("żaba", r#"{"content": "Hi <b>user</b>", "user": 926, "source": 2, "source_context": {"z": 1.10}}"#);
    client.send("43", r#"{"content": "second"}"#);
    let before = (client.get("/_sandbox/conversations"), client.get("/_sandbox/conversations/1/request"));
    drop(sandbox);

    let sandbox = file.sandbox(|_| {});
    let mut client = Client::connect(&sandbox);
    assert_eq!((client.get("/_sandbox/conversations"), client.get("/_sandbox/conversations/1/request")), before);
    assert!(client.get("/_sandbox/conversations/1/request").to_string().contains("Token ****************(64)"));
    assert_eq!(sandbox.journal().stats().stored, 0);
    client.send("44", r#"{"content": "third"}"#);
    let third = &client.get("/_sandbox/conversations?after=2")[0];
    assert_eq!((&third["id"], &third["request"]), (&json!(3), &json!(3)));
}

#[test]
fn the_file_is_as_bounded_as_the_memory_and_cleared_with_it() {
    let file = File::new("bounded");
    let sandbox = file.sandbox(|options| options.keep = 5);
    let mut client = Client::connect(&sandbox);
    for _ in 0..20 {
        client.send("42", r#"{"content": "Hi"}"#);
    }
    drop(sandbox);
    let sandbox = file.sandbox(|_| {});
    let ids: Vec<u64> = sandbox.journal().conversations(0).iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [16, 17, 18, 19, 20]);
    Client::connect(&sandbox).ask("DELETE", "/_sandbox/conversations", None);
    drop(sandbox);
    assert_eq!(file.sandbox(|_| {}).journal().conversations(0).len(), 0);
}

#[test]
fn what_was_sent_is_in_the_file_soon_not_just_in_the_end() {
    let file = File::new("soon");
    let sandbox = file.sandbox(|_| {});
    Client::connect(&sandbox).send("42", r#"{"content": "found me"}"#);
    let log = format!("{}-wal", file.0.display());
    let holds =
        |path: &str| std::fs::read(path).is_ok_and(|bytes| bytes.windows(8).any(|window| window == b"found me"));
    eventually("the message is on the disk", || holds(&log) || holds(&file.0.display().to_string()));
}

#[test]
fn a_file_in_use_or_of_another_kind_is_refused_with_a_remedy() {
    let file = File::new("used");
    let start = |file: &File| Sandbox::start(Options { data: Some(file.0.clone()), ..Options::default() });
    let sandbox = file.sandbox(|_| {});
    let refusal = start(&file).err().expect("two sandboxes of one file").to_string();
    assert!(refusal.contains("another sandbox") && refusal.contains("--data"), "{refusal}");
    drop(sandbox);

    let other = File::new("other");
    std::fs::write(
        &other.0,
        "This is a text that someone still needs, and it is long enough to be no empty file.".repeat(20),
    )
    .unwrap();
    let refusal = start(&other).err().expect("a file of another kind").to_string();
    assert!(refusal.contains("something else"), "{refusal}");
    assert!(std::fs::read_to_string(&other.0).unwrap().starts_with("This is a text"));
}
