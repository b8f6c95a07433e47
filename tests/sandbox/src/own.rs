//! Serves the sandbox's own pages and its REST: passes requests from a connection to axum's router.

use crate::body::BodyReader;
use crate::connection::{Connection, Next};
use crate::head::{Framing, Head};
use axum::body::{Body, HttpBody};
use axum::http::{self, HeaderName, HeaderValue, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_service::Service;

impl Connection {
    /// Answers a request for a page or for the REST.
    pub async fn own(&mut self, head: &Head<'_>) -> io::Result<Next> {
        let mut reader = BodyReader::new(head.framing().unwrap_or(Framing::Length(0)));
        let mut may_continue = head.expects_continue();
        loop {
            match reader.take(&mut self.input) {
                Ok(true) => break,
                Ok(false) => {}
                Err(_) => return Ok(Next::Finish),
            }
            if std::mem::take(&mut may_continue) {
                self.wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            self.input.reserve(4096);
            if self.wire.read_buf(&mut self.input).await? == 0 {
                return Ok(Next::Drop);
            }
        }
        let response = match request(head, Body::from(reader.body.freeze())) {
            Ok(request) => self.pages.call(request).await.unwrap_or_else(|never| match never {}),
            Err(_) => {
                let mut response = Response::new(Body::from("This request cannot be understood.\n"));
                *response.status_mut() = http::StatusCode::BAD_REQUEST;
                response
            }
        };
        self.deliver(response, head).await
    }

    async fn deliver(&mut self, response: Response<Body>, head: &Head<'_>) -> io::Result<Next> {
        let (parts, mut body) = response.into_parts();
        let length = body.size_hint().exact();
        let bodyless = head.method == "HEAD" || matches!(parts.status.as_u16(), 100..=199 | 204 | 304);
        // HTTP/1.0 has no chunks: there the end of the connection ends the body.
        let chunked = length.is_none() && head.minor == 1;
        let keep_alive = head.keep_alive() && (length.is_some() || chunked);
        self.output.clear();
        let reason = parts.status.canonical_reason().unwrap_or("Unknown");
        self.output.extend_from_slice(
            format!("HTTP/1.1 {} {reason}\r\nDate: {}\r\n", parts.status.as_u16(), self.date.now()).as_bytes(),
        );
        for (name, value) in &parts.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                self.output.extend_from_slice(part);
            }
        }
        if !bodyless && chunked {
            self.output.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        } else if let Some(length) = length
            && !bodyless
            && !parts.headers.contains_key(http::header::CONTENT_LENGTH)
        {
            self.output.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
        }
        self.output.extend_from_slice(if keep_alive {
            b"Connection: keep-alive\r\n\r\n"
        } else {
            b"Connection: close\r\n\r\n"
        });
        if !bodyless {
            while let Some(frame) = self.next_frame(&mut body).await? {
                let Ok(data) = frame.into_data() else { continue };
                if data.is_empty() {
                    continue;
                }
                if chunked {
                    self.output.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                }
                self.output.extend_from_slice(&data);
                if chunked {
                    self.output.extend_from_slice(b"\r\n");
                }
                self.send().await?;
            }
            if chunked {
                self.output.extend_from_slice(b"0\r\n\r\n");
            }
        }
        self.send().await?;
        Ok(if keep_alive { Next::Request } else { Next::Finish })
    }

    async fn send(&mut self) -> io::Result<()> {
        self.wire.write_all(&self.output).await?;
        self.output.clear();
        self.wire.flush().await
    }

    /// The next piece of a body. An error if the client disconnects while an endless body waits for its next piece.
    async fn next_frame(&mut self, body: &mut Body) -> io::Result<Option<http_body::Frame<Bytes>>> {
        // Flush before waiting for a piece.
        if body.size_hint().exact().is_none() && !self.output.is_empty() {
            self.send().await?;
        }
        loop {
            self.input.reserve(1024);
            tokio::select! {
                biased;
                frame = body.frame() => return frame.transpose().map_err(io::Error::other),
                read = self.wire.read_buf(&mut self.input), if self.input.len() < 65_536 => if read? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                },
            }
        }
    }
}

/// The request in axum's type.
fn request(head: &Head<'_>, body: Body) -> Result<http::Request<Body>, http::Error> {
    let mut request = http::Request::builder().method(head.method).uri(head.target);
    for (name, value) in &head.headers {
        request = request.header(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_bytes(value)?);
    }
    request.body(body)
}
