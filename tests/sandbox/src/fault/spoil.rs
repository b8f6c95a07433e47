//! Faults in the middle of the normal answer: it begins correctly and then goes wrong.

use super::Place;
use super::play::{Name, end, next};
use crate::answer::Answer;
use crate::api::{Accepted, Form};
use crate::connection::{Connection, Next, Request};
use crate::service;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A normal answer that is about to be spoilt.
struct Normal {
    answer: Answer,
    /// The request's number in the journal.
    entry: u64,
}

/// Which body the 201 has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    /// The requested one: empty in the specification's form.
    AsAsked,
    /// Always version 2's, because an empty body cannot be spoilt.
    Always,
}

impl Connection {
    /// Cuts the connection within the answer.
    pub(super) async fn cut(
        &mut self,
        name: Name,
        request: &Request<'_>,
        place: Place,
        store: bool,
        reset: bool,
    ) -> io::Result<Next> {
        let Normal { answer, entry } = self.normal(name, request, Body::Always, store);
        let mut text = Vec::new();
        match place {
            Place::InStatus => {
                // A cut status line says nothing, so the journal has no status either.
                self.shared.journal.amend(entry, None, None);
                answer.write_status_line(&mut text);
                text.truncate("HTTP/1.1 2".len());
            }
            Place::InHead => {
                answer.write_start(&mut text);
                text.truncate(text.len() - 8);
            }
            _ => {
                answer.write(&mut text, false);
                text.truncate(text.len() - answer.body.len().div_ceil(2));
            }
        }
        self.write_all(&text).await?;
        if reset {
            // Some systems drop unread bytes when an RST arrives. Give the client time to read them.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(end(reset))
    }

    pub(super) async fn drip(&mut self, name: Name, request: &Request<'_>, bytes: usize, ms: u64) -> io::Result<Next> {
        let text = self.normal_text(name, request);
        for piece in text.chunks(bytes) {
            self.write_all(piece).await?;
            self.wait(Duration::from_millis(ms)).await?;
        }
        Ok(next(request))
    }

    pub(super) async fn endless_head(
        &mut self,
        name: Name,
        request: &Request<'_>,
        ms: u64,
        store: bool,
    ) -> io::Result<Next> {
        let Normal { answer, .. } = self.normal(name, request, Body::AsAsked, store);
        let mut start = Vec::new();
        answer.write_start(&mut start);
        let many: String = (0..64).map(|line| format!("X-Endless-{line}: {}\r\n", "e".repeat(64))).collect();
        let piece = if ms > 0 { "X-Endless: e\r\n" } else { &many };
        self.pour(&start, piece.as_bytes(), ms).await
    }

    pub(super) async fn endless_body(
        &mut self,
        name: Name,
        request: &Request<'_>,
        ms: u64,
        store: bool,
    ) -> io::Result<Next> {
        let Normal { mut answer, .. } = self.normal(name, request, Body::Always, store);
        answer.set("Transfer-Encoding", "chunked");
        let mut start = Vec::new();
        answer.write_start(&mut start);
        start.extend_from_slice(b"\r\n1\r\n[\r\n");
        let size = if ms > 0 { 1 } else { 16 * 1024 };
        let chunk = format!("{size:x}\r\n{}\r\n", " ".repeat(size));
        self.pour(&start, chunk.as_bytes(), ms).await
    }

    /// Sends interim answers, then the normal one.
    pub(super) async fn interim(
        &mut self,
        name: Name,
        request: &Request<'_>,
        status: u16,
        count: u64,
        ms: u64,
    ) -> io::Result<Next> {
        let (interim, normal) = (service::interim(status), self.normal_text(name, request));
        if ms == 0 {
            // In one write, so that a client gets all of it in one read.
            let mut burst = interim.repeat(count as usize);
            burst.extend_from_slice(&normal);
            self.write_all(&burst).await?;
            return Ok(next(request));
        }
        for _ in 0..count {
            self.write_all(&interim).await?;
            self.wait(Duration::from_millis(ms)).await?;
        }
        self.write_all(&normal).await?;
        Ok(next(request))
    }

    pub(super) async fn extra_answer(
        &mut self,
        name: Name,
        request: &Request<'_>,
        status: u16,
        ms: u64,
    ) -> io::Result<Next> {
        let mut text = self.normal_text(name, request);
        let mut extra = match status {
            201 => service::created(Form::Conversation, 0, "nobody", None),
            status => service::for_status(status),
        };
        self.dress(&mut extra, Some(request.head), request.head.keep_alive());
        if ms > 0 {
            self.write_all(&text).await?;
            self.wait(Duration::from_millis(ms)).await?;
            text.clear();
        }
        extra.write(&mut text, false);
        self.write_all(&text).await?;
        Ok(next(request))
    }

    pub(super) async fn close_kept(&mut self, name: Name, request: &Request<'_>, on_next: bool) -> io::Result<Next> {
        let text = self.normal_text(name, request);
        self.write_all(&text).await?;
        if !on_next {
            return Ok(Next::Close);
        }
        self.wire.readable().await;
        Ok(Next::Drop)
    }

    pub(super) async fn chunked(&mut self, name: Name, request: &Request<'_>, bad: bool) -> io::Result<Next> {
        let Normal { mut answer, .. } = self.normal(name, request, Body::Always, true);
        answer.set("Transfer-Encoding", "chunked");
        let mut text = Vec::new();
        answer.write_start(&mut text);
        text.extend_from_slice(b"\r\n");
        for piece in answer.body.chunks(16) {
            text.extend_from_slice(format!("{:x};part\r\n", piece.len()).as_bytes());
            text.extend_from_slice(piece);
            text.extend_from_slice(b"\r\n");
            if bad {
                text.extend_from_slice(b"what?\r\n");
                self.write_all(&text).await?;
                return Ok(Next::Close);
            }
        }
        text.extend_from_slice(b"0\r\n\r\n");
        self.write_all(&text).await?;
        Ok(next(request))
    }

    pub(super) async fn stall_write(
        &mut self,
        name: Name,
        request: &Request<'_>,
        bytes: usize,
        ms: u64,
    ) -> io::Result<Next> {
        let Normal { answer, entry } = self.normal(name, request, Body::AsAsked, true);
        let (mut line, mut text) = (Vec::new(), Vec::new());
        answer.write_status_line(&mut line);
        answer.write(&mut text, request.head.method == "HEAD");
        let (before, after) = text.split_at(bytes.min(text.len()));
        if before.len() < line.len() && ms == 0 {
            self.shared.journal.amend(entry, None, None);
        }
        self.write_all(before).await?;
        if ms == 0 {
            return Ok(Next::Hang);
        }
        self.wait(Duration::from_millis(ms)).await?;
        self.write_all(after).await?;
        Ok(next(request))
    }

    /// Enters the request with the answer of the service, all headers included. Stores its message if `store` is set.
    fn normal(&mut self, name: Name, request: &Request<'_>, body: Body, store: bool) -> Normal {
        let (mut answer, entry) = match self.shared.api.judge(request.head, &request.body) {
            Ok(Accepted { message, form }) => {
                let (id, agent) = (message.client_user_id.clone(), message.user);
                let (entry, conversation) = self.record(request, Some(name), Some(201), store.then_some(message));
                let form = if body == Body::Always { Form::Conversation } else { form };
                (service::created(form, conversation.unwrap_or_default(), &id, agent), entry)
            }
            Err(answer) => {
                let entry = self.refused(request, Some(name), &answer);
                (answer, entry)
            }
        };
        self.dress(&mut answer, Some(request.head), request.head.keep_alive());
        Normal { answer, entry }
    }

    /// Stores the message and returns the bytes of the normal answer.
    fn normal_text(&mut self, name: Name, request: &Request<'_>) -> Vec<u8> {
        let mut text = Vec::new();
        self.normal(name, request, Body::AsAsked, true).answer.write(&mut text, request.head.method == "HEAD");
        text
    }

    /// Writes `start`, then repeats `piece` until the client disconnects.
    pub(super) async fn pour(&mut self, start: &[u8], piece: &[u8], ms: u64) -> io::Result<Next> {
        let (mut reader, mut writer) = tokio::io::split(&mut self.wire);
        let gone = async {
            let mut sink = [0; 4096];
            while matches!(reader.read(&mut sink).await, Ok(1..)) {}
        };
        let pouring = async {
            writer.write_all(start).await?;
            loop {
                writer.write_all(piece).await?;
                writer.flush().await?;
                if ms > 0 {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                }
            }
        };
        tokio::select! {
            () = gone => Ok(Next::Drop),
            ended = pouring => ended,
        }
    }
}
