//! Sends many messages through random faults, from many threads, under both policies, with and without TLS, by the call and
//! through queues. Checks that the reported delivery is true for each, and that it is not unknown where the answers prove
//! it. `make soak` runs it; it takes minutes. `UE_SOAK` sets the number of messages.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use ue_sandbox::{Exchange, Sandbox};
use userengage::{Client, Delivery, DeliveryPolicy, Message, Options, Outcome, Queue, QueueOptions, Submission};

const MESSAGES: usize = 100_000;
const ROUND: usize = 4_000;
const THREADS: usize = 64;
const CLIENTS: usize = 16;
const TIMEOUT: Duration = Duration::from_millis(2500);
/// Larger than the kernel's buffers.
const LARGE: usize = 14 * 1024 * 1024;
/// A port without a listener.
const NOWHERE: &str = "http://127.0.0.1:9/";

fn main() {
    let messages = std::env::var("UE_SOAK").ok().and_then(|count| count.parse().ok()).unwrap_or(MESSAGES);
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    println!("{messages} messages, half of them through a queue, {THREADS} threads, {CLIENTS} clients, seed {seed}");
    let keep = (8 * ROUND).to_string();
    let arguments = ["soak", "--port", "0", "--tls", "--keep", &keep, "--keep-bytes", "1000000000"];
    let sandbox = Sandbox::start(clap::Parser::parse_from(arguments)).expect("the sandbox starts");
    let clients = Clients::new(&sandbox);

    let (started, mut dice, mut tally) = (Instant::now(), Dice(seed), Tally::default());
    let mut done = 0;
    while done < messages {
        let round = ROUND.min(messages - done);
        let plans: Vec<Plan> = (done..done + round).map(|id| Plan::new(id, &mut dice)).collect();
        let results = send(&sandbox, &clients, &plans);
        tally.add(&sandbox, &plans, results);
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
    if tally.wrong + tally.duplicates + tally.lost + tally.known_too_little > 0 {
        std::process::exit(1);
    }
}

/// The sending clients, and one for the messages to nowhere, each with a queue.
struct Clients {
    clients: Vec<(Client, Queue)>,
    nowhere: (Client, Queue),
    large: String,
}

impl Clients {
    fn new(sandbox: &Sandbox) -> Clients {
        let mut options = Options::default();
        (options.base_url, options.timeout, options.max_attempts) = (NOWHERE.into(), TIMEOUT, 2);
        let nowhere = Client::new(sandbox.api_key(), options).expect("the options are valid");
        let with_queue = |client: Client| {
            let queue = client.queue(QueueOptions::default()).expect("the client is open");
            (client, queue)
        };
        let clients = (0..CLIENTS).map(|index| with_queue(client(sandbox, index))).collect();
        Clients { clients, nowhere: with_queue(nowhere), large: "x".repeat(LARGE) }
    }

    fn send(&self, plan: &Plan) -> Outcome {
        let (client, queue) = if plan.kind == Kind::Nowhere { &self.nowhere } else { &self.clients[plan.id % CLIENTS] };
        let content = if plan.kind == Kind::Large { &self.large } else { "Hi <b>user</b>, enjoy our product!" };
        let user = plan.user();
        let message = Message::new(user.as_str(), content);
        let sent = if plan.is_queued() {
            queue.submit(&message).and_then(Submission::wait)
        } else {
            client.send_conversation(&message)
        };
        sent.unwrap_or_else(userengage::Error::into_outcome)
    }
}

fn policy(index: usize) -> DeliveryPolicy {
    if index % 2 == 0 { DeliveryPolicy::AtMostOnce } else { DeliveryPolicy::AtLeastOnce }
}

fn client(sandbox: &Sandbox, index: usize) -> Client {
    let mut options = Options::default();
    options.delivery_policy = policy(index);
    options.timeout = TIMEOUT;
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
    kind: Kind,
    faults: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Usual,
    /// Its request cannot be sent completely unless the peer reads it.
    Large,
    /// To a port without a listener.
    Nowhere,
}

impl Plan {
    fn new(id: usize, dice: &mut Dice) -> Self {
        let (kind, faults) = match dice.below(400) {
            0 => (Kind::Large, vec![early_fault(dice)]),
            1..=4 => (Kind::Nowhere, Vec::new()),
            _ => {
                let count = dice.one_of([0, 0, 0, 1, 1, 2, 3]);
                (Kind::Usual, (0..count).map(|_| fault(dice)).collect())
            }
        };
        Plan { id, kind, faults }
    }

    fn policy(&self) -> DeliveryPolicy {
        if self.kind == Kind::Nowhere { DeliveryPolicy::AtMostOnce } else { policy(self.id % CLIENTS) }
    }

    /// Whether it goes through a queue. Each client sends in both ways.
    fn is_queued(&self) -> bool {
        self.id / CLIENTS % 2 == 1
    }

    fn user(&self) -> String {
        format!("soak-{}", self.id)
    }

    /// The row of the table that counts the message.
    fn row(&self) -> String {
        let Some(fault) = self.faults.first() else {
            return if self.kind == Kind::Nowhere { "nobody listens".into() } else { "none".into() };
        };
        let text =
            |key: &str| fault[key].as_str().map(str::to_owned).or(fault[key].as_u64().map(|number| number.to_string()));
        let said = |holds: bool, word: &str| holds.then(|| word.to_owned());
        let words = [
            said(self.kind == Kind::Large, "large:"),
            text("fault"),
            text("status"),
            text("where"),
            said(fault["bad"] == true, "bad"),
            said(fault["headers"]["Retry-After"].is_string(), "Retry-After"),
            said(fault["store"] == true, "stored"),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Whether the faults of its attempts prove the outcome of the message.
    fn is_proven(&self, attempts: usize, requests: &[Arc<Exchange>]) -> bool {
        if self.kind == Kind::Nowhere {
            return true;
        }
        // An attempt without a request used a connection that the fault of another message had closed.
        if requests.is_empty() || requests.len() != attempts {
            return false;
        }
        let proofs: Vec<_> =
            requests.iter().enumerate().map(|(place, request)| self.proof(self.faults.get(place), request)).collect();
        proofs.last() == Some(&Some(Delivery::Delivered)) || proofs.iter().all(Option::is_some)
    }

    /// What one attempt proves, according to its fault.
    fn proof(&self, fault: Option<&Value>, request: &Exchange) -> Option<Delivery> {
        use Delivery::{Delivered, NotDelivered};
        let text = |key: &str| fault.and_then(|fault| fault[key].as_str()).unwrap_or_default();
        match (text("fault"), text("where"), request.status) {
            // Only the body is cut, and the part that came is the service's.
            ("close" | "reset", "in-body", _) => Some(Delivered),
            ("reset", "request-head", _) if self.kind == Kind::Large => Some(NotDelivered),
            ("close" | "reset", ..) => None,
            ("chunked", ..) if fault.is_some_and(|fault| fault["bad"] == true) => None,
            // Before the whole request was sent, a refusal can be believed, a success cannot.
            ("early-answer", _, status) => (status != Some(201)).then_some(NotDelivered),
            (_, _, Some(201)) => Some(Delivered),
            (_, _, Some(408)) => None,
            (_, _, Some(301 | 307 | 308 | 400..=499 | 521 | 523 | 525 | 526 | 530)) => Some(NotDelivered),
            _ => None,
        }
    }
}

/// What happens to a large message before the sandbox has read it.
fn early_fault(dice: &mut Dice) -> Value {
    match dice.below(4) {
        0 => json!({"fault": "close", "where": "request-head"}),
        1 => json!({"fault": "reset", "where": "request-head"}),
        _ => json!({"fault": "early-answer", "status": dice.one_of([201, 401, 408, 413])}),
    }
}

fn fault(dice: &mut Dice) -> Value {
    let store = dice.below(2) == 0;
    let place = dice.one_of(["request-head", "before-status", "in-status", "in-head", "in-body"]);
    match dice.below(31) {
        0..=4 => json!({"fault": "close", "where": place}),
        5..=9 => json!({"fault": "reset", "where": place}),
        10..=11 => json!({"fault": "close", "where": "before-status", "store": store}),
        12..=13 => json!({"fault": "reset", "where": "before-status", "store": store}),
        14..=17 => {
            let status = dice.one_of([500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 530, 501]);
            // Statuses that say not delivered never store the message: the service would not do that either.
            let store = store && !matches!(status, 521 | 523 | 525 | 530);
            json!({"fault": "status", "status": status, "store": store})
        }
        18 => json!({"fault": "status", "status": 503, "headers": {"Retry-After": "0"}, "store": store}),
        19 => json!({"fault": "status", "status": dice.one_of([400, 401, 403, 404, 413, 422, 425])}),
        20 if dice.below(8) == 0 => json!({"fault": "status", "status": 429, "headers": {"Retry-After": "0"}}),
        20 => json!({"fault": "store-then-fail"}),
        21 if dice.below(4) == 0 => json!({"fault": "hang", "store": store}),
        21 => json!({"fault": "garbage", "store": store}),
        22 => json!({"fault": "close-kept"}),
        23 => json!({"fault": "close-kept", "when": "on-next"}),
        24 => json!({"fault": "extra-answer"}),
        25 => json!({"fault": "chunked", "bad": dice.below(2) == 0}),
        26 => json!({"fault": "delay", "ms": dice.below(50), "store": if store { "before" } else { "after" }}),
        27 => json!({"fault": "status", "status": 408, "store": store}),
        28 if store => json!({"fault": "store-then-503", "retry_after": 0}),
        28 => json!({"fault": "store-then-408"}),
        _ => {
            let status = dice.one_of([301, 302, 303, 307, 308]);
            // The other statuses say that the message must be sent elsewhere.
            let store = store && matches!(status, 302 | 303);
            json!({"fault": "redirect", "status": status, "location": NOWHERE, "store": store})
        }
    }
}

/// Sends the message of every plan. The results are in the order of the plans.
fn send(sandbox: &Sandbox, clients: &Clients, plans: &[Plan]) -> Vec<Outcome> {
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
                    let outcome = clients.send(plan);
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
    proven: usize,
}

#[derive(Default)]
struct Tally {
    rows: BTreeMap<(&'static str, String), Row>,
    wrong: usize,
    duplicates: usize,
    lost: usize,
    /// For how many messages the outcome was proven, and how many of these the library reported as unknown.
    proven: usize,
    known_too_little: usize,
}

impl Tally {
    fn add(&mut self, sandbox: &Sandbox, plans: &[Plan], results: Vec<Outcome>) {
        let mut arrived: HashMap<String, Vec<Arc<Exchange>>> = HashMap::new();
        for request in sandbox.journal().requests(0) {
            arrived.entry(request.client_user_id().unwrap_or_default()).or_default().push(request);
        }
        for (plan, outcome) in plans.iter().zip(results) {
            let came = arrived.remove(&plan.user()).unwrap_or_default();
            let requests = came.len();
            let shown = came.iter().filter(|request| request.stored).count();
            let at_most_once = plan.policy() == DeliveryPolicy::AtMostOnce;
            // An attempt that began shortly before the deadline may miss the answer that would be the proof.
            let proven = outcome.elapsed() < TIMEOUT && plan.is_proven(outcome.attempts() as usize, &came);
            let row = self.rows.entry((if at_most_once { "most" } else { "least" }, plan.row())).or_default();
            row.messages += 1;
            row.requests += requests;
            row.shown_twice += usize::from(shown > 1);
            row.proven += usize::from(proven);
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
            let known_too_little = proven && outcome.delivery() == Delivery::Unknown;
            if lost || duplicate || wrong || known_too_little {
                println!(
                    "message {}{}: shown {shown} times in {requests} requests: {outcome:?}, faults {:?}",
                    plan.id,
                    if plan.is_queued() { " of a queue" } else { "" },
                    plan.faults
                );
            }
            self.lost += usize::from(lost);
            self.duplicates += usize::from(duplicate);
            self.wrong += usize::from(wrong);
            self.proven += usize::from(proven);
            self.known_too_little += usize::from(known_too_little);
        }
    }

    fn verdict(&self) -> String {
        format!(
            "certainty wrong: {}, duplicates under at most once: {}, lost ones called delivered: {}, known too little: {} of {} \
             proven",
            self.wrong, self.duplicates, self.lost, self.known_too_little, self.proven
        )
    }

    fn print(&self) {
        println!(
            "\n{:<6} {:<34} {:>8} {:>6} {:>9} {:>13} {:>14} {:>18} {:>8} {:>11}",
            "once",
            "first fault",
            "messages",
            "proven",
            "delivered",
            "not delivered",
            "unknown, shown",
            "unknown, not shown",
            "requests",
            "shown twice"
        );
        for ((policy, kind), row) in &self.rows {
            println!(
                "{policy:<6} {kind:<34} {:>8} {:>6} {:>9} {:>13} {:>14} {:>18} {:>8} {:>11}",
                row.messages,
                row.proven,
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
