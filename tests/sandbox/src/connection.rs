//! One connection: reads requests, checks them, enters them in the journal and answers them.
//!
//! The HTTP/1 here is our own. A server that can fail at any byte must own the socket, and the journal keeps the bytes
//! as received.

use crate::Shared;
use crate::answer::{Answer, DateLine};
use crate::api::Accepted;
use crate::body::{BadBody, BodyReader};
use crate::conversation::Message;
use crate::exchange::Exchange;
use crate::head::{self, Head};
use crate::service;
use crate::wire::Wire;
use axum::Router;
use bytes::{Bytes, BytesMut};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The longest head of a request.
const MAX_HEAD: usize = 64 * 1024;

/// The size of one read.
const READ_SIZE: usize = 16 * 1024;

/// A connection and its state.
pub(crate) struct Connection {
    pub wire: Wire,
    pub shared: Arc<Shared>,
    pub number: u64,
    /// The local port.
    pub port: u16,
    /// Bytes read but not used yet.
    pub input: BytesMut,
    /// Bytes to write. Kept to reuse its memory.
    pub output: Vec<u8>,
    pub pages: Router,
    pub date: DateLine,
}

/// What happens after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another request.
    Request,
    /// An orderly close.
    Finish,
    /// An abrupt FIN.
    Close,
    /// RST.
    Reset,
    /// Send nothing more and wait until the client disconnects.
    Hang,
    /// Drop the socket. Unread bytes cause an RST.
    Drop,
}

/// A request that was read, with or without all of its body.
pub(crate) struct Request<'a> {
    pub head: &'a Head<'a>,
    pub raw_head: &'a [u8],
    pub at: SystemTime,
    pub body: Bytes,
    pub complete: bool,
}

impl Connection {
    pub fn new(wire: Wire, shared: Arc<Shared>, pages: Router, number: u64, port: u16) -> Connection {
        let input = BytesMut::with_capacity(READ_SIZE);
        Connection { wire, shared, number, port, input, output: Vec::new(), pages, date: DateLine::default() }
    }

    /// Serves the connection until one of the two sides ends it.
    pub async fn serve(mut self) {
        let next = loop {
            match self.exchange().await {
                Ok(Next::Request) => {}
                Ok(next) => break next,
                Err(_) => break Next::Drop,
            }
        };
        match next {
            Next::Request | Next::Finish => self.wire.finish().await,
            Next::Close => self.wire.close().await,
            Next::Reset => self.wire.reset(),
            Next::Hang => self.wire.hang().await,
            Next::Drop => {}
        }
    }

    async fn exchange(&mut self) -> io::Result<Next> {
        let Some(raw_head) = self.read_head().await? else { return Ok(Next::Finish) };
        let at = SystemTime::now();
        let head = match Head::parse(&raw_head) {
            Some(head) if head.framing().is_some() => head,
            head => return self.refuse(&raw_head, head.as_ref(), at).await,
        };
        if crate::server::is_own(head.path()) {
            return self.own(&head).await;
        }
        self.api(&Request { head: &head, raw_head: &raw_head, at, body: Bytes::new(), complete: false }).await
    }

    /// Reads a head with its empty line. `None` if the client closed the connection between two requests.
    async fn read_head(&mut self) -> io::Result<Option<Bytes>> {
        let mut searched = 0;
        loop {
            // Skip empty lines before a request, as HTTP asks.
            while searched == 0 && matches!(self.input.first(), Some(b'\r' | b'\n')) {
                let _ = self.input.split_to(1);
            }
            if let Some(end) = head::end_of_head(&self.input, searched) {
                return Ok(Some(self.input.split_to(end).freeze()));
            }
            searched = self.input.len();
            if searched > MAX_HEAD {
                return Ok(Some(self.input.split().freeze()));
            }
            if self.read().await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.input.reserve(READ_SIZE);
        self.wire.read_buf(&mut self.input).await
    }

    /// Answers malformed requests, as the servers in front of the service do.
    async fn refuse(&mut self, raw_head: &[u8], head: Option<&Head<'_>>, at: SystemTime) -> io::Result<Next> {
        let mut exchange = Exchange::new(self.number, at, raw_head, head, b"");
        exchange.complete = false;
        exchange.status = Some(400);
        self.shared.journal.record(exchange, None);
        let page = "<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n\
                    <hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n";
        self.answer(Answer::html(400, page), None, false).await?;
        Ok(Next::Finish)
    }

    async fn api(&mut self, start: &Request<'_>) -> io::Result<Next> {
        let head = start.head;
        let fault = if head.is_preflight() {
            None
        } else {
            self.shared.faults.for_request(self.port, head::client_user_id(head.path()).as_deref())
        };
        if let Some((name, fault)) = &fault
            && let Some(next) = self.play_before_body(name, fault, start).await?
        {
            return Ok(next);
        }
        let mut reader = BodyReader::new(head.framing().unwrap_or(head::Framing::Length(0)));
        let outcome = self.read_body(&mut reader, head).await;
        let request = Request { body: reader.body.freeze(), complete: matches!(outcome, Ok(Ok(true))), ..*start };
        match outcome {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) | Err(_) => {
                self.record(&request, None, None, None);
                return Ok(Next::Finish);
            }
            Ok(Err(bad)) => {
                let answer = match bad {
                    BadBody::TooLarge => service::cloudflare_page(413, "413 Request Entity Too Large"),
                    BadBody::Malformed => service::cloudflare_page(400, "400 Bad Request"),
                };
                self.refused(&request, None, &answer);
                self.answer(answer, Some(head), false).await?;
                return Ok(Next::Finish);
            }
        }
        if let Some((name, fault)) = fault {
            return self.play(name, fault, &request).await;
        }
        let answer = self.settle(&request, None);
        self.answer(answer, Some(head), head.keep_alive()).await
    }

    /// Reads the body. `Ok(Ok(false))` if the client closed the connection in the middle of it.
    async fn read_body(&mut self, reader: &mut BodyReader, head: &Head<'_>) -> io::Result<Result<bool, BadBody>> {
        if reader.is_too_large() {
            return Ok(Err(BadBody::TooLarge));
        }
        let mut may_continue = head.expects_continue();
        loop {
            match reader.take(&mut self.input) {
                Ok(false) => {}
                done => return Ok(done),
            }
            if std::mem::take(&mut may_continue) && reader.body.is_empty() {
                self.wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            if self.read().await? == 0 {
                return Ok(Ok(false));
            }
        }
    }

    /// Handles a complete request as the service does: checks it, stores its message, answers.
    pub fn settle(&self, request: &Request<'_>, fault: Option<&'static str>) -> Answer {
        match self.shared.api.judge(request.head, &request.body) {
            Ok(accepted) => {
                let Accepted { message, form } = accepted;
                let (id, agent) = (message.client_user_id.clone(), message.user);
                let (_, conversation) = self.record(request, fault, Some(201), Some(message));
                service::created(form, conversation.unwrap_or_default(), &id, agent)
            }
            Err(answer) => {
                self.refused(request, fault, &answer);
                answer
            }
        }
    }

    /// Enters a request that gets an error. Returns its number.
    pub fn refused(&self, request: &Request<'_>, fault: Option<&'static str>, answer: &Answer) -> u64 {
        let mut exchange = self.entry(request, fault, Some(answer.status));
        exchange.keep_answer(&answer.body);
        self.shared.journal.record(exchange, None).0
    }

    /// The journal's entry for a request.
    pub fn entry(&self, request: &Request<'_>, fault: Option<&'static str>, status: Option<u16>) -> Exchange {
        let mut exchange = Exchange::new(self.number, request.at, request.raw_head, Some(request.head), &request.body);
        exchange.complete = request.complete;
        exchange.status = status;
        exchange.fault = fault;
        exchange
    }

    /// Enters a request in the journal, and stores its message, if any. Returns their ids.
    pub fn record(
        &self,
        request: &Request<'_>,
        fault: Option<&'static str>,
        status: Option<u16>,
        message: Option<Message>,
    ) -> (u64, Option<u64>) {
        let exchange = self.entry(request, fault, status);
        self.shared.journal.record(exchange, message)
    }

    /// Adds the headers that the service would send.
    pub fn dress(&mut self, answer: &mut Answer, head: Option<&Head<'_>>, keep_alive: bool) {
        self.shared.api.dress(answer, head, self.date.now());
        if !keep_alive {
            answer.set("Connection", "close");
        }
    }

    /// Writes an answer with all headers.
    pub async fn answer(&mut self, mut answer: Answer, head: Option<&Head<'_>>, keep_alive: bool) -> io::Result<Next> {
        self.dress(&mut answer, head, keep_alive);
        self.output.clear();
        answer.write(&mut self.output, head.is_some_and(|head| head.method == "HEAD"));
        self.wire.write_all(&self.output).await?;
        self.wire.flush().await?;
        Ok(if keep_alive { Next::Request } else { Next::Finish })
    }

    /// Waits. An error if the client disconnects meanwhile.
    pub async fn wait(&mut self, time: Duration) -> io::Result<()> {
        let end = tokio::time::sleep(time);
        tokio::pin!(end);
        loop {
            if self.input.len() > MAX_HEAD {
                end.await;
                return Ok(());
            }
            self.input.reserve(READ_SIZE);
            tokio::select! {
                () = &mut end => return Ok(()),
                read = self.wire.read_buf(&mut self.input) => if read? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                },
            }
        }
    }
}
