//! A running sandbox.

use crate::answer::Rays;
use crate::api::Api;
use crate::data::Data;
use crate::fault::{Faults, Refusal};
use crate::guard;
use crate::journal::Journal;
use crate::options::Options;
use crate::server::Door;
use crate::throttle::Throttle;
use crate::tls::{Authority, Flaw};
use crate::{Shared, pages, rest};
use serde_json::{Value, json};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Handle, Runtime};
use tokio_rustls::TlsAcceptor;

/// A sandbox that runs until it is dropped.
pub struct Sandbox {
    shared: Arc<Shared>,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    authority: Option<Authority>,
    announcement: Value,
    handle: Handle,
    /// Taken out when the sandbox is dropped, so that the drop does not wait for its tasks.
    runtime: Option<Runtime>,
    data: Option<Data>,
}

/// Why a sandbox did not start, and what helps.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

impl Sandbox {
    /// Starts a sandbox on threads of its own.
    pub fn start(options: Options) -> Result<Sandbox, StartError> {
        if options.api_key.is_empty() || !options.api_key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(StartError(
                "the API key must be visible ASCII characters; give another with --api-key".to_owned(),
            ));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(std::thread::available_parallelism().map_or(2, |count| count.get().min(4)))
            .thread_name("ue-sandbox")
            .build()
            .map_err(|error| StartError(format!("no threads can be started: {error}")))?;
        let shared = Arc::new(Shared {
            api: Api {
                key: options.api_key.as_str().into(),
                users: options.users,
                throttle: Throttle::new(options.rate_limit),
                rays: Rays::new(),
            },
            journal: Journal::new(options.keep, options.keep_bytes),
            faults: Faults::default(),
            connections: AtomicU64::new(0),
            run: u64::from(fastrand::u32(..)),
            announcement: OnceLock::new(),
        });
        for fault in &options.faults {
            let order = serde_json::from_str(fault)
                .map_err(|error| StartError(format!("--fault {fault}: no JSON: {error}")))?;
            shared.faults.order(&order).map_err(|refusal| StartError(format!("--fault {fault}: {refusal}")))?;
        }
        let data = options.data.as_deref().map(|file| Data::follow(file, shared.clone(), options.keep));
        let data = data.transpose().map_err(StartError)?;
        let entered = runtime.enter();
        let mut address = options.listen;
        address.set_port(options.port.unwrap_or(address.port()));
        let door = open(address, None, false)?;
        let address = door.address;
        let mut doors = vec![door];
        let beside = SocketAddr::new(address.ip(), 0);
        let mut announcement = json!({
            "url": format!("http://{}/", reachable(address)),
            "base_url": format!("http://{}/api/public/", reachable(address)),
            "api_key": options.api_key,
            "tls_url": null, "tls_base_url": null, "ca_file": null, "control_url": null, "bad_tls": null,
        });
        if options.json {
            let door = open(beside, None, true)?;
            announcement["control_url"] = json!(format!("http://{}/", reachable(door.address)));
            doors.push(door);
        }
        let mut tls_address = None;
        let mut authority = None;
        if options.tls || options.bad_certs {
            let made = Authority::create(options.ca_file.as_deref()).map_err(|error| StartError(error.to_string()))?;
            let mut tls_door = |flaw| {
                let acceptor =
                    made.acceptor(flaw, options.tls_version).map_err(|error| StartError(error.to_string()))?;
                open(beside, Some(acceptor), false).map(|door| {
                    let address = door.address;
                    doors.push(door);
                    address
                })
            };
            let good = tls_door(Flaw::None)?;
            tls_address = Some(good);
            announcement["tls_url"] = json!(format!("https://localhost:{}/", good.port()));
            announcement["tls_base_url"] = json!(format!("https://localhost:{}/api/public/", good.port()));
            announcement["ca_file"] = json!(made.file);
            if options.bad_certs {
                for (name, flaw) in
                    [("expired", Flaw::Expired), ("wrong_host", Flaw::WrongHost), ("untrusted", Flaw::Untrusted)]
                {
                    let port = tls_door(flaw)?.port();
                    announcement["bad_tls"][name] = json!(format!("https://localhost:{port}/api/public/"));
                }
            }
            authority = Some(made);
        }
        let _ = shared.announcement.set(announcement.clone());
        let loopback = address.ip().is_loopback();
        let router = pages::router().merge(rest::router()).with_state(shared.clone());
        let router =
            router.layer(axum::middleware::from_fn(move |request, next| guard::check(loopback, request, next)));
        for door in doors {
            runtime.spawn(door.serve(shared.clone(), router.clone()));
        }
        drop(entered);
        Ok(Sandbox {
            shared,
            address,
            tls_address,
            authority,
            announcement,
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
            data,
        })
    }

    /// The page and the REST: `http://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("http://{}/", reachable(self.address))
    }

    /// The base URL of the API: `http://127.0.0.1:PORT/api/public/`.
    pub fn base_url(&self) -> String {
        format!("http://{}/api/public/", reachable(self.address))
    }

    /// The base URL of the API over TLS, when it was asked for.
    pub fn tls_base_url(&self) -> Option<String> {
        self.tls_address.map(|address| format!("https://localhost:{}/api/public/", address.port()))
    }

    /// The certificate to trust for TLS, in PEM.
    pub fn ca_file(&self) -> Option<&Path> {
        self.authority.as_ref().map(|authority| authority.file.as_path())
    }

    /// The address that it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API key that is accepted.
    pub fn api_key(&self) -> &str {
        &self.shared.api.key
    }

    /// The received requests and the stored messages.
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// Orders a fault, as `POST /_sandbox/faults` does. Returns the order with its id.
    pub fn order(&self, fault: &Value) -> Result<Value, Refusal> {
        self.shared.faults.order(fault)
    }

    /// Deletes all orders for faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear(|_| true);
    }

    /// Sets the rate limit, or lifts it.
    pub fn set_rate_limit(&self, per_second: Option<f64>) {
        self.shared.api.throttle.set(per_second);
    }

    /// The output of `--json`.
    pub fn announcement(&self) -> &Value {
        &self.announcement
    }

    /// Runs a future on the sandbox's runtime and waits for it.
    pub fn run_until<F: Future>(&self, end: F) -> F::Output {
        self.handle.block_on(end)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        // Writes the last changes to the file.
        drop(self.data.take());
    }
}

/// The address at which this machine reaches itself when the sandbox listens at all of its addresses.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}

fn open(address: SocketAddr, acceptor: Option<TlsAcceptor>, control: bool) -> Result<Door, StartError> {
    Door::open(address, acceptor, control).map_err(|error| {
        StartError(match error.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "{address} is in use: perhaps another sandbox runs there. Stop it, or choose another port with --port N (0 picks a free one)."
            ),
            std::io::ErrorKind::PermissionDenied => {
                format!("{address} may not be listened at: ports below 1024 are for root. Choose another with --port N.")
            }
            std::io::ErrorKind::AddrNotAvailable => {
                format!("{} is not an address of this machine. Choose another with --listen, such as 127.0.0.1:{}.", address.ip(), address.port())
            }
            _ => format!("{address} cannot be listened at: {error}"),
        })
    })
}
