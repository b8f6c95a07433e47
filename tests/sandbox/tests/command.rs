//! The command `ue-sandbox`, as programs and people start it.

mod common;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ue-sandbox"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

fn address(announcement: &Value) -> String {
    announcement["url"].as_str().unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned()
}

#[test]
fn the_first_line_of_json_says_where_and_with_which_key() {
    let mut child = command(&["--listen", "127.0.0.1:0", "--json", "--until-stdin-closes", "--tls", "--bad-certs"])
        .spawn()
        .unwrap();
    let line: Value = serde_json::from_str(&first_line(&mut child)).unwrap();
    assert!(TcpStream::connect(address(&line)).is_ok());
    assert_eq!(line["base_url"], format!("{}api/public/", line["url"].as_str().unwrap()));
    assert_eq!(line["api_key"].as_str().map(str::len), Some(64));
    assert!(line["tls_url"].as_str().unwrap().starts_with("https://localhost:"));
    assert!(std::path::Path::new(line["ca_file"].as_str().unwrap()).exists());
    assert_eq!(line["bad_tls"].as_object().unwrap().len(), 3);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(TcpStream::connect(address(&line)).is_err());
}

#[test]
fn without_tls_its_fields_are_null() {
    let mut child = command(&["--port", "0", "--json", "--until-stdin-closes"]).spawn().unwrap();
    let line: Value = serde_json::from_str(&first_line(&mut child)).unwrap();
    for field in ["tls_url", "tls_base_url", "ca_file", "bad_tls"] {
        assert_eq!(line[field], Value::Null, "{field}");
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_signal_ends_it_cleanly() {
    for signal in ["-INT", "-TERM"] {
        let mut child = command(&["--port", "0", "--json"]).spawn().unwrap();
        first_line(&mut child);
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert!(child.wait().unwrap().success(), "{signal}");
    }
}

#[test]
fn nothing_is_left_of_connections_whose_clients_went_away() {
    let mut child = command(&["--port", "0", "--json", "--until-stdin-closes"]).spawn().unwrap();
    let line: Value = serde_json::from_str(&first_line(&mut child)).unwrap();
    let key = line["api_key"].as_str().unwrap();
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().count();
    let before = descriptors();
    for fault in ["hang", "endless-head", "endless-body", "endless-1xx", "stall-write", "drip", "delay", "slow-read"] {
        let order = format!(r#"{{"fault": "{fault}", "times": 10, "client_user_id": "{fault}"}}"#);
        let mut rest = TcpStream::connect(address(&line)).unwrap();
        write!(
            rest,
            "POST /_sandbox/faults HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: {}\r\n\r\n{order}",
            order.len()
        )
        .unwrap();
        assert!(rest.read(&mut [0; 1024]).unwrap() > 0);
        let mut clients: Vec<_> = (0..10).map(|_| TcpStream::connect(address(&line)).unwrap()).collect();
        for client in &mut clients {
            write!(
                client,
                "POST /api/public/users/{fault}/conversations/ HTTP/1.1\r\nHost: a\r\nAuthorization: Token {key}\r\n\
                 Content-Type: application/json\r\nContent-Length: 16\r\n\r\n{{\"content\": \"a\"}}"
            )
            .unwrap();
        }
    }
    common::eventually("all descriptors are closed", || descriptors() <= before);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_person_is_told_what_to_try() {
    let mut child = command(&["--port", "0", "--until-stdin-closes"]).spawn().unwrap();
    drop(child.stdin.take());
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    for part in ["Inbox ", "Base URL ", "API key ", "curl -i"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_port_in_use_is_an_error_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = command(&["--port", &port]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains(&port) && words.contains("in use") && words.contains("--port"), "{words}");
}

#[test]
fn a_bad_fault_is_refused_at_start() {
    let output = command(&["--port", "0", "--fault", r#"{"fault": "status", "status": 5}"#]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("status: is out of bounds or no whole number; write one from 100 to 999"), "{words}");
}
