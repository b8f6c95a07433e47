//! Many messages through random faults, from many threads, under both policies, with and without TLS: is what the
//! library says of each of them what became of it? Run by `make soak`; takes minutes. `UE_SOAK` sets how many.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use ue_sandbox::Sandbox;
use userengage::{Client, Delivery, Message, Options, Outcome, Policy};

const MESSAGES: usize = 100_000;
const ROUND: usize = 4_000;
const THREADS: usize = 64;
const CLIENTS: usize = 16;

fn main() {
    let messages = std::env::var("UE_SOAK").ok().and_then(|count| count.parse().ok()).unwrap_or(MESSAGES);
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    println!("{messages} messages, {THREADS} threads, {CLIENTS} clients, seed {seed}");
    let keep = (8 * ROUND).to_string();
    let arguments = ["soak", "--port", "0", "--tls", "--keep", &keep, "--keep-bytes", "1000000000"];
    let sandbox = Sandbox::start(clap::Parser::parse_from(arguments)).expect("the sandbox starts");
    let clients: Vec<_> = (0..CLIENTS).map(|index| (policy(index), client(&sandbox, index))).collect();

    let (started, mut dice, mut tally) = (Instant::now(), Dice(seed), Tally::default());
    let mut done = 0;
    while done < messages {
        let round = ROUND.min(messages - done);
        let plans: Vec<Plan> = (done..done + round).map(|id| Plan::new(id, &mut dice)).collect();
        let results = send(&sandbox, &clients, &plans);
        tally.add(&sandbox, &clients, &plans, results);
        sandbox.clear_faults();
        sandbox.journal().clear_requests();
        sandbox.journal().clear_conversations();
        done += round;
        if done % (5 * ROUND) == 0 {
            println!("{done} after {} s: {}", started.elapsed().as_secs(), tally.verdict());
        }
    }
    tally.print();
    println!("{done} messages in {} s", started.elapsed().as_secs());
    println!("{}", tally.verdict());
    if tally.wrong + tally.duplicates + tally.lost > 0 {
        std::process::exit(1);
    }
}

fn policy(index: usize) -> Policy {
    if index % 2 == 0 { Policy::AtMostOnce } else { Policy::AtLeastOnce }
}

fn client(sandbox: &Sandbox, index: usize) -> Client {
    let mut options = Options::default();
    options.policy = policy(index);
    options.timeout = Duration::from_millis(2500);
    if index % 4 < 2 {
        options.base_url = sandbox.base_url();
    } else {
        options.base_url = sandbox.tls_base_url().expect("--tls was given");
        options.ca_file = sandbox.ca_file().map(Into::into);
    }
    Client::new(sandbox.api_key(), options).expect("the options are valid")
}

/// A message and the faults that its attempts meet.
struct Plan {
    id: usize,
    faults: Vec<Value>,
}

impl Plan {
    fn new(id: usize, dice: &mut Dice) -> Self {
        let count = dice.one_of([0, 0, 0, 1, 1, 2, 3]);
        Plan { id, faults: (0..count).map(|_| fault(dice)).collect() }
    }

    fn user(&self) -> String {
        format!("soak-{}", self.id)
    }

    fn kind(&self) -> String {
        let Some(fault) = self.faults.first() else { return "none".into() };
        let text =
            |key: &str| fault[key].as_str().map(str::to_owned).or(fault[key].as_u64().map(|number| number.to_string()));
        [text("fault"), text("status"), text("where")].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

fn fault(dice: &mut Dice) -> Value {
    let store = dice.below(2) == 0;
    let place = dice.one_of(["request-head", "before-status", "in-status", "in-head", "in-body"]);
    match dice.below(28) {
        0..=4 => json!({"fault": "close", "where": place}),
        5..=9 => json!({"fault": "reset", "where": place}),
        10..=11 => json!({"fault": "close", "where": "before-status", "store": store}),
        12..=13 => json!({"fault": "reset", "where": "before-status", "store": store}),
        14..=17 => {
            let status = dice.one_of([500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 530, 501]);
            // What says that nothing was delivered is not lied about: the service would not.
            let store = store && !matches!(status, 521 | 523 | 525 | 530);
            json!({"fault": "status", "status": status, "store": store})
        }
        18 => json!({"fault": "status", "status": 503, "headers": {"Retry-After": "0"}}),
        19 => json!({"fault": "status", "status": dice.one_of([400, 401, 403, 404, 408, 413, 422, 425])}),
        20 if dice.below(8) == 0 => json!({"fault": "status", "status": 429, "headers": {"Retry-After": "0"}}),
        20 => json!({"fault": "store-then-fail"}),
        21 if dice.below(4) == 0 => json!({"fault": "hang", "store": store}),
        21 => json!({"fault": "garbage", "store": store}),
        22 => json!({"fault": "close-kept"}),
        23 => json!({"fault": "close-kept", "when": "on-next"}),
        24 => json!({"fault": "extra-answer"}),
        25 => json!({"fault": "chunked"}),
        26 => json!({"fault": "delay", "ms": dice.below(50), "store": if store { "before" } else { "after" }}),
        _ => {
            json!({"fault": "redirect", "status": dice.one_of([301, 302, 303, 307, 308]), "location": "http://127.0.0.1:9/"})
        }
    }
}

/// Sends every plan's message; the results stand in the plans' order.
fn send(sandbox: &Sandbox, clients: &[(Policy, Client)], plans: &[Plan]) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(HashMap::new());
    thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let user = plan.user();
                    for fault in &plan.faults {
                        let mut fault = fault.clone();
                        fault["client_user_id"] = json!(user);
                        sandbox.order(&fault).expect("the fault is known");
                    }
                    let message = Message::new(user.as_str(), "Hi <b>user</b>, enjoy our product!");
                    let sent = clients[plan.id % clients.len()].1.send_conversation(&message);
                    let outcome = sent.unwrap_or_else(userengage::Error::into_outcome);
                    results.lock().unwrap().insert(plan.id, outcome);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    plans.iter().map(|plan| results.remove(&plan.id).expect("every message was sent")).collect()
}

#[derive(Default)]
struct Row {
    messages: usize,
    delivered: usize,
    not_delivered: usize,
    unknown_shown: usize,
    unknown_not_shown: usize,
    requests: usize,
    shown_twice: usize,
}

#[derive(Default)]
struct Tally {
    rows: BTreeMap<(&'static str, String), Row>,
    wrong: usize,
    duplicates: usize,
    lost: usize,
}

impl Tally {
    fn add(&mut self, sandbox: &Sandbox, clients: &[(Policy, Client)], plans: &[Plan], results: Vec<Outcome>) {
        let mut arrived: HashMap<String, (usize, usize)> = HashMap::new();
        for request in sandbox.journal().requests(0) {
            let (requests, shown) = arrived.entry(request.client_user_id().unwrap_or_default()).or_default();
            *requests += 1;
            *shown += usize::from(request.stored);
        }
        for (plan, outcome) in plans.iter().zip(results) {
            let (requests, shown) = arrived.get(&plan.user()).copied().unwrap_or_default();
            let at_most_once = clients[plan.id % clients.len()].0 == Policy::AtMostOnce;
            let row = self.rows.entry((if at_most_once { "most" } else { "least" }, plan.kind())).or_default();
            row.messages += 1;
            row.requests += requests;
            row.shown_twice += usize::from(shown > 1);
            match (outcome.delivery(), shown) {
                (Delivery::Delivered, _) => row.delivered += 1,
                (Delivery::NotDelivered, _) => row.not_delivered += 1,
                (Delivery::Unknown, 0) => row.unknown_not_shown += 1,
                (Delivery::Unknown, _) => row.unknown_shown += 1,
            }
            let lost = outcome.delivery() == Delivery::Delivered && shown == 0;
            let duplicate = at_most_once && shown > 1;
            let wrong = (outcome.delivery() == Delivery::NotDelivered && shown > 0)
                || (outcome.delivery() == Delivery::Delivered && shown > 1 && !outcome.may_be_duplicate())
                || requests > outcome.attempts() as usize;
            if lost || duplicate || wrong {
                println!(
                    "message {}: shown {shown} times in {requests} requests: {outcome:?}, faults {:?}",
                    plan.id, plan.faults
                );
            }
            self.lost += usize::from(lost);
            self.duplicates += usize::from(duplicate);
            self.wrong += usize::from(wrong);
        }
    }

    fn verdict(&self) -> String {
        format!(
            "certainty wrong: {}, duplicates under at most once: {}, lost ones called delivered: {}",
            self.wrong, self.duplicates, self.lost
        )
    }

    fn print(&self) {
        println!(
            "\n{:<6} {:<28} {:>8} {:>9} {:>13} {:>14} {:>18} {:>8} {:>11}",
            "once",
            "first fault",
            "messages",
            "delivered",
            "not delivered",
            "unknown, shown",
            "unknown, not shown",
            "requests",
            "shown twice"
        );
        for ((policy, kind), row) in &self.rows {
            println!(
                "{policy:<6} {kind:<28} {:>8} {:>9} {:>13} {:>14} {:>18} {:>8} {:>11}",
                row.messages,
                row.delivered,
                row.not_delivered,
                row.unknown_shown,
                row.unknown_not_shown,
                row.requests,
                row.shown_twice
            );
        }
        println!();
    }
}

/// splitmix64
struct Dice(u64);

impl Dice {
    fn one_of<T: Copy, const N: usize>(&mut self, values: [T; N]) -> T {
        values[self.below(N)]
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
