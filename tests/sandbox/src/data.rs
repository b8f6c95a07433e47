//! Conversations in an SQLite file, so that they outlive the sandbox.
//!
//! The file mirrors the journal's list in memory, within the same limits. A thread updates it a few times a second, one
//! transaction at a time, so that no request waits for the disk.

use crate::conversation::{Conversation, Message};
use crate::exchange::Exchange;
use crate::{Shared, fault};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::value::RawValue;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often the file is updated.
const PACE: Duration = Duration::from_millis(100);

/// Marks our files: "UESB".
const APPLICATION_ID: i64 = 0x5545_5342;

const SCHEMA: &str = "
    CREATE TABLE conversation (
        id INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        client_user_id TEXT NOT NULL,
        content TEXT NOT NULL,
        user INTEGER,
        source INTEGER,
        source_context TEXT,
        request INTEGER NOT NULL,
        request_at_ms INTEGER NOT NULL,
        connection INTEGER NOT NULL,
        status INTEGER,
        fault TEXT,
        raw BLOB NOT NULL,
        head_length INTEGER NOT NULL
    );
    PRAGMA user_version = 1;
";

/// Updates a file until it is dropped.
pub(crate) struct Data {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Data {
    /// Opens or makes the file, loads its conversations, and begins to follow the journal.
    pub fn follow(file: &Path, shared: Arc<Shared>, keep: usize) -> Result<Data, String> {
        let explain = |error: rusqlite::Error| explain(file, &error);
        let mut mirror = Mirror::open(file).map_err(explain)?;
        shared.journal.restore(mirror.read(keep).map_err(explain)?);
        mirror.written = shared.journal.span().newest;
        let (stop, stopped) = mpsc::channel();
        let mut changes = shared.journal.watch();
        let name = file.to_owned();
        let thread = std::thread::Builder::new()
            .name("ue-sandbox-data".to_owned())
            .spawn(move || {
                loop {
                    let last = !matches!(stopped.recv_timeout(PACE), Err(RecvTimeoutError::Timeout));
                    if last || changes.has_changed().unwrap_or(true) {
                        changes.mark_unchanged();
                        if let Err(error) = mirror.update(&shared) {
                            eprintln!(
                                "ue-sandbox: {}: {error}; the latest conversations are in memory alone",
                                name.display()
                            );
                        }
                    }
                    if last {
                        return;
                    }
                }
            })
            .map_err(|error| format!("no thread can be started: {error}"))?;
        Ok(Data { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Mirror {
    file: Connection,
    /// The id of the newest conversation that the file has or had.
    written: u64,
    /// The id of the oldest one in the file.
    oldest: u64,
}

impl Mirror {
    fn open(path: &Path) -> rusqlite::Result<Mirror> {
        let file = Connection::open(path)?;
        file.busy_timeout(Duration::from_millis(300))?;
        // One sandbox per file: two would assign the same id twice.
        file.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        file.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        file.pragma_update(None, "synchronous", "NORMAL")?;
        let tables: i64 = file.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            file.pragma_update(None, "application_id", APPLICATION_ID)?;
            file.execute_batch(SCHEMA)?;
        }
        let id: i64 = file.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let version: i64 = file.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if (id, version) != (APPLICATION_ID, 1) {
            return Err(rusqlite::Error::InvalidQuery);
        }
        // Takes the lock, which EXCLUSIVE then keeps, with a first write.
        file.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
        Ok(Mirror { file, written: 0, oldest: 0 })
    }

    /// The newest conversations, oldest first.
    fn read(&self, keep: usize) -> rusqlite::Result<Vec<Conversation>> {
        let after: i64 = self
            .file
            .query_row("SELECT id FROM conversation ORDER BY id DESC LIMIT 1 OFFSET ?", [keep as i64], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        let mut select = self.file.prepare("SELECT * FROM conversation WHERE id > ? ORDER BY id")?;
        select.query_map([after], conversation)?.collect()
    }

    /// Makes the file equal to the journal: deletes what is gone, inserts what is new.
    fn update(&mut self, shared: &Shared) -> rusqlite::Result<()> {
        let span = shared.journal.span();
        let fresh = shared.journal.conversations(self.written);
        let amended = shared.journal.take_amended();
        if (span.oldest, fresh.len(), amended.len()) == (self.oldest, 0, 0) {
            return Ok(());
        }
        let transaction = self.file.transaction()?;
        transaction.execute("DELETE FROM conversation WHERE id < ?", [span.oldest as i64])?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO conversation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?;
            let changed = amended.into_iter().filter(|id| *id <= self.written);
            let changed: Vec<_> = changed.filter_map(|id| shared.journal.conversation(id)).collect();
            for conversation in changed.iter().chain(&fresh) {
                let (message, exchange) = (&conversation.message, &conversation.exchange);
                insert.execute(params![
                    conversation.id as i64,
                    to_ms(conversation.at),
                    &*message.client_user_id,
                    &*message.content,
                    message.user,
                    message.source,
                    message.source_context.as_ref().map(|json| json.get()),
                    conversation.request as i64,
                    to_ms(exchange.at),
                    exchange.connection as i64,
                    exchange.status,
                    exchange.fault,
                    &*exchange.raw,
                    exchange.head_length as i64,
                ])?;
            }
        }
        transaction.commit()?;
        self.oldest = span.oldest;
        self.written = fresh.last().map_or(self.written, |newest| newest.id);
        Ok(())
    }
}

fn conversation(row: &Row<'_>) -> rusqlite::Result<Conversation> {
    let id = row.get::<_, i64>(0)? as u64;
    let request = row.get::<_, i64>(7)? as u64;
    let raw: Vec<u8> = row.get(12)?;
    let name: Option<String> = row.get(11)?;
    let exchange = Exchange {
        id: request,
        at: from_ms(row.get(8)?),
        connection: row.get::<_, i64>(9)? as u64,
        complete: true,
        status: row.get(10)?,
        fault: fault::catalogue().iter().map(|kind| kind.name).find(|known| Some(*known) == name.as_deref()),
        conversation_id: Some(id),
        stored: true,
        answer: None,
        head_length: (row.get::<_, i64>(13)? as usize).min(raw.len()),
        raw: raw.into_boxed_slice(),
    };
    let message = Message {
        client_user_id: row.get::<_, String>(2)?.into(),
        content: row.get::<_, String>(3)?.into(),
        user: row.get(4)?,
        source: row.get(5)?,
        source_context: row.get::<_, Option<String>>(6)?.and_then(|json| RawValue::from_string(json).ok()),
    };
    Ok(Conversation { id, at: from_ms(row.get(1)?), request, message, exchange: Arc::new(exchange) })
}

fn to_ms(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

fn from_ms(ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms.max(0) as u64)
}

fn explain(file: &Path, error: &rusqlite::Error) -> String {
    let file = file.display();
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            format!("{file} is used by another sandbox: stop it, or choose another file with --data")
        }
        Some(rusqlite::ErrorCode::CannotOpen) => {
            format!("{file} cannot be opened: does its directory exist, and may you write there?")
        }
        Some(rusqlite::ErrorCode::NotADatabase) => {
            format!("{file} is something else than a sandbox's data: choose another file with --data")
        }
        _ if matches!(error, rusqlite::Error::InvalidQuery) => {
            format!("{file} is something else than a sandbox's data: choose another file with --data")
        }
        _ => format!("{file}: {error}"),
    }
}
