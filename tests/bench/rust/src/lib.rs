//! What the contenders in Rust share: the message, where it goes, and their turns.

use std::env;
use std::io;
use std::mem::MaybeUninit;
use std::time::Instant;

pub const CLIENT_USER_ID: u32 = 42;
pub const CONTENT: &str = "Hi <b>user</b>, enjoy our product!";
pub const USER: i64 = 926;
pub const SOURCE: i32 = 2;

/// Where the messages go, as the environment says.
pub struct Server {
    pub base_url: String,
    pub api_key: String,
    /// None in plain HTTP.
    pub ca_file: Option<String>,
}

impl Server {
    pub fn from_env() -> Server {
        let variable = |name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        Server {
            base_url: variable("UE_BASE_URL"),
            api_key: variable("UE_API_KEY"),
            ca_file: env::var("UE_CA_FILE").ok(),
        }
    }
}

/// Reads a number of messages a line, sends as many, and answers with the microseconds that they took: user, system, wall.
/// One more goes before them, uncounted, so that the connection is there.
pub fn take_turns(mut send_one: impl FnMut()) {
    for line in io::stdin().lines() {
        let messages: u32 = line.expect("standard input").parse().expect("a number of messages");
        send_one();
        let (before, began) = (cpu(), Instant::now());
        for _ in 0..messages {
            send_one();
        }
        let (wall, after) = (began.elapsed(), cpu());
        println!("{} {} {}", after.0 - before.0, after.1 - before.1, wall.as_micros());
    }
}

/// Microseconds of CPU that this process has used: user, system.
fn cpu() -> (i64, i64) {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills what it is given, and zeroes are a valid rusage, too.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let microseconds = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    (microseconds(usage.ru_utime), microseconds(usage.ru_stime))
}
