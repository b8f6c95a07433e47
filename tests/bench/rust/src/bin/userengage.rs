//! The library, from Rust.

use contenders::{CLIENT_USER_ID, CONTENT, SOURCE, Server, USER, take_turns};
use userengage::{Client, Message, Options, Source};

fn main() {
    let server = Server::from_env();
    let mut options = Options::default();
    options.base_url = server.base_url;
    options.ca_file = server.ca_file.map(Into::into);
    let client = Client::new(&server.api_key, options).expect("a client");
    take_turns(|| {
        let message = Message::new(CLIENT_USER_ID, CONTENT)
            .user(USER)
            .source(Source(SOURCE))
            .source_context(r#"{"name": "This is source_context used in API", "id": 123}"#);
        let outcome = client.send_conversation(&message).expect("delivered");
        assert_eq!(outcome.http_status(), Some(201));
    });
}
