//! How each fault is played on a connection. The journal learns first what is about to happen.

use super::{Fault, Place};
use crate::answer::Answer;
use crate::api::{Accepted, Form};
use crate::connection::{Connection, Next, Request};
use crate::conversation::Message;
use crate::service;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Name = &'static str;

/// A normal answer that is about to be spoilt.
struct Normal {
    answer: Answer,
    /// The message, if the request brought a good one.
    message: Option<Message>,
}

impl Connection {
    /// Plays what comes before the body is read. `None` when the exchange goes on.
    pub(crate) async fn play_before_body(
        &mut self,
        name: Name,
        fault: &Fault,
        request: &Request<'_>,
    ) -> io::Result<Option<Next>> {
        match fault {
            Fault::Cut { place: Place::RequestHead, reset, .. } => {
                self.record(request, Some(name), None, None);
                Ok(Some(if *reset { Next::Reset } else { Next::Close }))
            }
            Fault::EarlyAnswer { status } => {
                let answer = service::for_status(*status);
                self.refused(request, Some(name), &answer);
                self.answer(answer, Some(request.head), false).await?;
                Ok(Some(Next::Drop))
            }
            Fault::SlowRead { ms } => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Plays a fault in the place of, or around, the answer to a whole request.
    pub(crate) async fn play(&mut self, name: Name, fault: Fault, request: &Request<'_>) -> io::Result<Next> {
        let head = Some(request.head);
        let keep_alive = request.head.keep_alive();
        match fault {
            Fault::Status { status, headers, body, store } => {
                let mut answer = service::for_status(status);
                if let Some(body) = body {
                    let json = body.trim_start().starts_with(['{', '[']);
                    answer.set("Content-Type", if json { "application/json" } else { "text/html; charset=utf-8" });
                    answer.body = body.into_bytes().into();
                }
                self.enter_answer(name, request, &answer, store);
                self.dress(&mut answer, head, keep_alive);
                for (name, _) in &headers {
                    answer.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
                }
                for (name, value) in headers {
                    if let Some(value) = value {
                        answer.headers.push((name.into(), value.into()));
                    }
                }
                self.write_out(&answer).await?;
                Ok(if keep_alive { Next::Request } else { Next::Finish })
            }
            Fault::Delay { ms, store_after } => self.delay(name, request, Duration::from_millis(ms), store_after).await,
            Fault::Drip { bytes, ms } => {
                let text = self.normal_text(name, request, true).await;
                for piece in text.chunks(bytes) {
                    self.write_all(piece).await?;
                    self.wait(Duration::from_millis(ms)).await?;
                }
                Ok(if keep_alive { Next::Request } else { Next::Finish })
            }
            Fault::Hang { store, .. } => {
                self.enter_silence(name, request, store);
                Ok(Next::Hang)
            }
            Fault::Cut { place, store, reset } => self.cut(name, request, place, store, reset).await,
            Fault::Garbage { bytes, store } => {
                self.enter_silence(name, request, store);
                self.write_all(&bytes).await?;
                Ok(Next::Close)
            }
            Fault::EndlessHead { ms, store } => {
                let mut normal = self.normal(name, request, store);
                self.dress(&mut normal.answer, head, keep_alive);
                let mut start = Vec::new();
                normal.answer.write_status_line(&mut start);
                normal.answer.write_headers(&mut start);
                let lines: String = (0..64).map(|line| format!("X-Endless-{line}: {}\r\n", "e".repeat(64))).collect();
                let piece = if ms > 0 { "X-Endless: e\r\n".to_owned() } else { lines };
                self.pour(&start, piece.as_bytes(), ms).await
            }
            Fault::EndlessBody { ms, store } => {
                let mut normal = self.normal(name, request, store);
                self.dress(&mut normal.answer, head, keep_alive);
                normal.answer.set("Content-Type", "application/json");
                normal.answer.set("Transfer-Encoding", "chunked");
                let mut start = Vec::new();
                normal.answer.write_status_line(&mut start);
                normal.answer.write_headers(&mut start);
                start.extend_from_slice(b"\r\n1\r\n[\r\n");
                let size = if ms > 0 { 1 } else { 16 * 1024 };
                let chunk = format!("{size:x}\r\n{}\r\n", " ".repeat(size));
                self.pour(&start, chunk.as_bytes(), ms).await
            }
            Fault::Endless1xx { status, count, ms, store } => {
                self.interim(name, request, status, count, ms, store).await
            }
            Fault::ExtraAnswer { status, ms } => {
                let mut text = self.normal_text(name, request, true).await;
                let mut extra = match status {
                    201 => service::created(Form::Conversation, 0, "nobody", None),
                    status => service::for_status(status),
                };
                self.dress(&mut extra, head, keep_alive);
                if ms > 0 {
                    self.write_all(&text).await?;
                    self.wait(Duration::from_millis(ms)).await?;
                    text.clear();
                }
                extra.write(&mut text, false);
                self.write_all(&text).await?;
                Ok(if keep_alive { Next::Request } else { Next::Finish })
            }
            Fault::CloseKept { on_next } => {
                let text = self.normal_text(name, request, true).await;
                self.write_all(&text).await?;
                if !on_next {
                    return Ok(Next::Close);
                }
                self.wire.readable().await;
                Ok(Next::Drop)
            }
            Fault::Chunked { bad } => {
                let mut normal = self.normal(name, request, true);
                promise_body(&mut normal, request);
                self.dress(&mut normal.answer, head, keep_alive);
                normal.answer.set("Transfer-Encoding", "chunked");
                let mut text = Vec::new();
                normal.answer.write_status_line(&mut text);
                normal.answer.write_headers(&mut text);
                text.extend_from_slice(b"\r\n");
                for piece in normal.answer.body.chunks(16) {
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
                Ok(if keep_alive { Next::Request } else { Next::Finish })
            }
            Fault::Redirect { status, location, store } => {
                let answer = Answer::empty(status).with("Location", location);
                self.enter_answer(name, request, &answer, store);
                self.answer(answer, head, keep_alive).await
            }
            Fault::StoreThenFail { status } => {
                let answer = service::for_status(status);
                self.enter_answer(name, request, &answer, true);
                self.answer(answer, head, keep_alive).await
            }
            Fault::Html { status, title, store } => {
                let answer = service::cloudflare_page(status, &title);
                self.enter_answer(name, request, &answer, store);
                self.answer(answer, head, keep_alive).await
            }
            Fault::StallWrite { bytes, ms } => {
                let text = self.normal_text(name, request, true).await;
                let (before, after) = text.split_at(bytes.min(text.len()));
                self.write_all(before).await?;
                if ms == 0 {
                    return Ok(Next::Hang);
                }
                self.wait(Duration::from_millis(ms)).await?;
                self.write_all(after).await?;
                Ok(if keep_alive { Next::Request } else { Next::Finish })
            }
            // These went before the body, and this one lets the normal answer follow.
            Fault::SlowRead { .. } | Fault::EarlyAnswer { .. } | Fault::HandshakeHang | Fault::HandshakeClose => {
                let answer = self.settle(request, Some(name));
                self.answer(answer, head, keep_alive).await
            }
        }
    }

    async fn delay(
        &mut self,
        name: Name,
        request: &Request<'_>,
        time: Duration,
        store_after: bool,
    ) -> io::Result<Next> {
        let head = Some(request.head);
        let (mut answer, message, form) = match self.shared.api.judge(request.head, &request.body) {
            Ok(Accepted { message, form }) => (Answer::empty(201), Some(message), form),
            Err(answer) => (answer, None, Form::Empty),
        };
        let about = message.as_ref().map(|message| (message.client_user_id.clone(), message.user));
        let (early, late) = if store_after { (None, message) } else { (message, None) };
        let (entry, stored_before) = self.record(request, Some(name), None, early);
        self.wait(time).await?;
        let stored_after = self.shared.journal.amend(entry, Some(answer.status), late);
        if let Some((id, agent)) = about {
            answer = service::created(form, stored_before.or(stored_after).unwrap_or_default(), &id, agent);
        }
        self.answer(answer, head, request.head.keep_alive()).await
    }

    async fn cut(
        &mut self,
        name: Name,
        request: &Request<'_>,
        place: Place,
        store: bool,
        reset: bool,
    ) -> io::Result<Next> {
        let end = if reset { Next::Reset } else { Next::Close };
        if matches!(place, Place::Accept | Place::RequestHead | Place::BeforeStatus) {
            self.enter_silence(name, request, store);
            return Ok(end);
        }
        let mut normal = if place == Place::InStatus {
            // A status line that is not whole tells nothing, so the journal has no status either.
            let answer = self.enter_silence(name, request, store);
            Normal { answer, message: None }
        } else {
            self.normal(name, request, store)
        };
        promise_body(&mut normal, request);
        self.dress(&mut normal.answer, Some(request.head), request.head.keep_alive());
        let mut text = Vec::new();
        normal.answer.write_status_line(&mut text);
        match place {
            Place::InStatus => text.truncate(10),
            Place::InHead => {
                normal.answer.write_headers(&mut text);
                text.truncate(text.len() - 8);
            }
            _ => {
                text.clear();
                normal.answer.write(&mut text, false);
                text.truncate(text.len() - normal.answer.body.len().div_ceil(2));
            }
        }
        self.write_all(&text).await?;
        if reset {
            // An RST overtakes what the client has not read yet; let it read.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(end)
    }

    async fn interim(
        &mut self,
        name: Name,
        request: &Request<'_>,
        status: u16,
        count: u64,
        ms: u64,
        store: bool,
    ) -> io::Result<Next> {
        let mut line = Answer::empty(status).with("Link", "</style.css>; rel=preload; as=style");
        line.headers.truncate(usize::from(status != 100));
        let mut text = Vec::new();
        line.write_status_line(&mut text);
        line.write_headers(&mut text);
        text.extend_from_slice(b"\r\n");
        if count == 0 {
            self.enter_silence(name, request, store);
            return self.pour(b"", &text, ms).await;
        }
        let normal = self.normal_text(name, request, true).await;
        if ms == 0 {
            let mut burst = text.repeat(count as usize);
            burst.extend_from_slice(&normal);
            self.write_all(&burst).await?;
        } else {
            for _ in 0..count {
                self.write_all(&text).await?;
                self.wait(Duration::from_millis(ms)).await?;
            }
            self.write_all(&normal).await?;
        }
        Ok(if request.head.keep_alive() { Next::Request } else { Next::Finish })
    }

    /// Enters the request with the answer that it will get, and stores its message if told to and if it is good.
    fn enter_answer(&self, name: Name, request: &Request<'_>, answer: &Answer, store: bool) {
        let accepted = self.shared.api.judge(request.head, &request.body).ok().filter(|_| store);
        let mut exchange = self.entry(request, Some(name), Some(answer.status));
        exchange.keep_answer(&answer.body);
        self.shared.journal.record(exchange, accepted.map(|accepted| accepted.message));
    }

    /// Enters the request as one that is not answered, and stores its message if told to and if it is good.
    /// Gives the answer that the service would have given.
    fn enter_silence(&self, name: Name, request: &Request<'_>, store: bool) -> Answer {
        match self.shared.api.judge(request.head, &request.body) {
            Ok(Accepted { message, form }) => {
                let (id, agent) = (message.client_user_id.clone(), message.user);
                let (_, conversation) = self.record(request, Some(name), None, store.then_some(message));
                service::created(form, conversation.unwrap_or_default(), &id, agent)
            }
            Err(answer) => {
                self.record(request, Some(name), None, None);
                answer
            }
        }
    }

    /// Enters the request with the answer that the service would give, and stores its message if told to.
    fn normal(&self, name: Name, request: &Request<'_>, store: bool) -> Normal {
        match self.shared.api.judge(request.head, &request.body) {
            Ok(Accepted { message, form }) => {
                let kept = message.clone();
                let (_, conversation) = self.record(request, Some(name), Some(201), store.then_some(message));
                let answer = service::created(form, conversation.unwrap_or_default(), &kept.client_user_id, kept.user);
                Normal { answer, message: Some(kept) }
            }
            Err(answer) => {
                self.refused(request, Some(name), &answer);
                Normal { answer, message: None }
            }
        }
    }

    /// The bytes of the normal answer.
    async fn normal_text(&mut self, name: Name, request: &Request<'_>, store: bool) -> Vec<u8> {
        let mut normal = self.normal(name, request, store);
        self.dress(&mut normal.answer, Some(request.head), request.head.keep_alive());
        let mut text = Vec::new();
        normal.answer.write(&mut text, request.head.method == "HEAD");
        text
    }

    async fn write_out(&mut self, answer: &Answer) -> io::Result<()> {
        self.output.clear();
        answer.write(&mut self.output, false);
        self.wire.write_all(&self.output).await?;
        self.wire.flush().await
    }

    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }

    /// Writes `start`, then `piece` again and again, until the client goes away.
    async fn pour(&mut self, start: &[u8], piece: &[u8], ms: u64) -> io::Result<Next> {
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

/// Gives a 201 that has no body the one of version 2, where a body is needed to spoil it.
fn promise_body(normal: &mut Normal, request: &Request<'_>) {
    if normal.answer.body.is_empty() {
        let id = match &normal.message {
            Some(message) => message.client_user_id.clone(),
            None => crate::head::client_user_id(request.head.path()).unwrap_or_default().into(),
        };
        normal.answer = service::created(Form::Conversation, 0, &id, None);
    }
}
