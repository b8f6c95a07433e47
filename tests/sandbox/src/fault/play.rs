//! Plays the faults on a connection. Each is entered in the journal before its first byte is sent.

use super::{Failure, Fault, Place};
use crate::answer::Answer;
use crate::api::{Accepted, Form};
use crate::connection::{Connection, Next, Request};
use crate::service;
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// The name of a fault, for the journal.
pub(super) type Name = &'static str;

impl Connection {
    /// Plays the faults that come before the body is read. `None` if the exchange goes on.
    pub(crate) async fn play_before_body(
        &mut self,
        name: Name,
        fault: &Fault,
        request: &Request<'_>,
    ) -> io::Result<Option<Next>> {
        match fault {
            Fault::Cut { place: Place::RequestHead, reset, .. } => {
                self.record(request, Some(name), None, None);
                Ok(Some(end(*reset)))
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

    /// Plays a fault after the whole request, instead of the normal answer or with it.
    pub(crate) async fn play(&mut self, name: Name, fault: Fault, request: &Request<'_>) -> io::Result<Next> {
        match fault {
            Fault::Status { status, headers, body, store } => {
                let mut answer = service::for_status(status);
                if let Some(body) = body {
                    let json = body.trim_start().starts_with(['{', '[']);
                    answer.set("Content-Type", if json { "application/json" } else { "text/html; charset=utf-8" });
                    answer.body = body.into_bytes().into();
                }
                self.answer_instead(name, request, answer, headers, store).await
            }
            Fault::Redirect { status, location, store } => {
                let answer = Answer::empty(status).with("Location", location);
                self.answer_instead(name, request, answer, Vec::new(), store).await
            }
            Fault::StoreThenFail(Failure::Service { status }) => {
                self.answer_instead(name, request, service::for_status(status), Vec::new(), true).await
            }
            Fault::StoreThenFail(Failure::Varnish { retry_after }) => {
                let answer = service::varnish_failed(self.date.now(), retry_after);
                self.answer_bare(name, request, answer, true).await
            }
            Fault::StoreThenFail(Failure::TimeoutLayer) => {
                let answer = Answer::empty(408).with("Date", self.date.now().to_owned());
                self.answer_bare(name, request, answer, true).await
            }
            Fault::Html { status, title, store } => {
                let answer = service::cloudflare_page(status, &title);
                self.answer_instead(name, request, answer, Vec::new(), store).await
            }
            Fault::Hang { store, .. } => {
                self.enter_silence(name, request, store);
                Ok(Next::Hang)
            }
            Fault::Garbage { bytes, store } => {
                self.enter_silence(name, request, store);
                self.write_all(&bytes).await?;
                Ok(Next::Close)
            }
            Fault::Delay { ms, store_after } => self.delay(name, request, Duration::from_millis(ms), store_after).await,
            Fault::Cut { place: Place::Accept | Place::RequestHead | Place::BeforeStatus, store, reset } => {
                self.enter_silence(name, request, store);
                Ok(end(reset))
            }
            Fault::Cut { place, store, reset } => self.cut(name, request, place, store, reset).await,
            Fault::Drip { bytes, ms } => self.drip(name, request, bytes, ms).await,
            Fault::EndlessHead { ms, store } => self.endless_head(name, request, ms, store).await,
            Fault::EndlessBody { ms, store } => self.endless_body(name, request, ms, store).await,
            Fault::Endless1xx { status, count: 0, ms, store } => {
                self.enter_silence(name, request, store);
                self.pour(b"", &service::interim(status), ms).await
            }
            Fault::Endless1xx { status, count, ms, .. } => self.interim(name, request, status, count, ms).await,
            Fault::ExtraAnswer { status, ms } => self.extra_answer(name, request, status, ms).await,
            Fault::CloseKept { on_next } => self.close_kept(name, request, on_next).await,
            Fault::Chunked { bad } => self.chunked(name, request, bad).await,
            Fault::StallWrite { bytes, ms } => self.stall_write(name, request, bytes, ms).await,
            // These were played before the body or the request was read. The normal answer follows, if any.
            Fault::SlowRead { .. } | Fault::EarlyAnswer { .. } | Fault::HandshakeHang | Fault::HandshakeClose => {
                let answer = self.settle(request, Some(name));
                self.answer(answer, Some(request.head), request.head.keep_alive()).await
            }
        }
    }

    /// Sends another answer instead of the normal one. `headers` are set last; one without a value is removed.
    async fn answer_instead(
        &mut self,
        name: Name,
        request: &Request<'_>,
        mut answer: Answer,
        headers: Vec<(String, Option<String>)>,
        store: bool,
    ) -> io::Result<Next> {
        self.enter_instead(name, request, &answer, store);
        self.dress(&mut answer, Some(request.head), request.head.keep_alive());
        for (name, _) in &headers {
            answer.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        }
        let given = headers.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into())));
        answer.headers.extend(given);
        self.write_instead(request, &answer).await
    }

    /// Sends an answer of something in front of the service, such as a proxy, without the service's headers.
    async fn answer_bare(
        &mut self,
        name: Name,
        request: &Request<'_>,
        mut answer: Answer,
        store: bool,
    ) -> io::Result<Next> {
        self.enter_instead(name, request, &answer, store);
        if !request.head.keep_alive() {
            answer.set("Connection", "close");
        }
        self.write_instead(request, &answer).await
    }

    /// Enters the request with this answer. Stores its message if `store` is set and it is valid.
    fn enter_instead(&self, name: Name, request: &Request<'_>, answer: &Answer, store: bool) {
        let accepted = self.shared.api.judge(request.head, &request.body).ok().filter(|_| store);
        let mut exchange = self.entry(request, Some(name), Some(answer.status));
        exchange.keep_answer(&answer.body);
        self.shared.journal.record(exchange, accepted.map(|accepted| accepted.message));
    }

    async fn write_instead(&mut self, request: &Request<'_>, answer: &Answer) -> io::Result<Next> {
        let mut text = Vec::new();
        answer.write(&mut text, request.head.method == "HEAD");
        self.write_all(&text).await?;
        Ok(next(request))
    }

    async fn delay(&mut self, name: Name, request: &Request<'_>, time: Duration, after: bool) -> io::Result<Next> {
        let (mut answer, message, form) = match self.shared.api.judge(request.head, &request.body) {
            Ok(Accepted { message, form }) => (Answer::empty(201), Some(message), form),
            Err(answer) => (answer, None, Form::Empty),
        };
        let about = message.as_ref().map(|message| (message.client_user_id.clone(), message.user));
        let (early, late) = if after { (None, message) } else { (message, None) };
        let (entry, stored_before) = self.record(request, Some(name), None, early);
        self.wait(time).await?;
        let stored_after = self.shared.journal.amend(entry, Some(answer.status), late);
        if let Some((id, agent)) = about {
            answer = service::created(form, stored_before.or(stored_after).unwrap_or_default(), &id, agent);
        }
        self.answer(answer, Some(request.head), request.head.keep_alive()).await
    }

    /// Enters the request as unanswered. Stores its message if `store` is set and it is valid.
    fn enter_silence(&self, name: Name, request: &Request<'_>, store: bool) {
        let accepted = self.shared.api.judge(request.head, &request.body).ok().filter(|_| store);
        self.record(request, Some(name), None, accepted.map(|accepted| accepted.message));
    }

    /// Writes bytes at once.
    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }
}

/// What happens after a complete answer.
pub(super) fn next(request: &Request<'_>) -> Next {
    if request.head.keep_alive() { Next::Request } else { Next::Finish }
}

/// What happens after a cut.
pub(super) fn end(reset: bool) -> Next {
    if reset { Next::Reset } else { Next::Close }
}
