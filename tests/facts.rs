//! The statuses, the deliveries and the options stand once, in `src/model`. What repeats them in another language or in
//! a document is compared with it here, as text. A failure names the file and what it lacks.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use userengage::{
    ApiVersion, BatchOptions, DeliveryPolicy, Level, Options, QueueOptions, Source, TimeoutFrom, VERSION,
};

const OUTCOME: &str = "src/model/outcome.rs";
const OPTIONS: &str = "src/model/options.rs";
const MESSAGE: &str = "src/model/message.rs";
const C_TYPES: &str = "src/capi/types.rs";
const C_CONSTANTS: &str = "src/capi/constants.rs";
const C_INPUT: &str = "src/capi/input.rs";
const C_HEADER: &str = "include/userengage.h";
const CPP_HEADER: &str = "include/userengage.hpp";
const MANUAL: &str = "bindings/c/userengage.3";
const README: &str = "README.md";
const PYTHON_RESULT: &str = "bindings/python/src/userengage/_result.py";
const PYTHON_ERRORS: &str = "bindings/python/src/userengage/_errors.py";
const PYTHON_PACKAGE: &str = "bindings/python/src/userengage/__init__.py";
const PYTHON_CLIENT: &str = "bindings/python/src/userengage/_base_client.py";
const PYTHON_SYNC_CLIENT: &str = "bindings/python/src/userengage/_client.py";
const PYTHON_ASYNC_CLIENT: &str = "bindings/python/src/userengage/_async_client.py";
const PYTHON_LIBRARY: &str = "bindings/python/src/userengage/_library.py";
const PYTHON_README: &str = "bindings/python/README.md";
const PHP_HEADER: &str = "bindings/php/src/userengage.ffi.h";
const PHP_DELIVERY: &str = "bindings/php/src/Delivery.php";
const PHP_RETRY: &str = "bindings/php/src/Retry.php";
const PHP_EXCEPTIONS: &str = "bindings/php/src/Exception";
const PHP_CLASSES: &str = "bindings/php/src/Exception/UserEngageException.php";
const PHP_CLIENT: &str = "bindings/php/src/Client.php";
const PHP_OPTIONS: &str = "bindings/php/src/Options.php";
const PHP_NATIVE_OPTIONS: &str = "bindings/php/src/Internal/NativeOptions.php";
const PHP_README: &str = "bindings/php/README.md";

/// What the places lack, gathered over a whole test.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    /// `file` names `fact`, a `kind` of fact.
    fn names(&mut self, is_named: bool, file: &str, kind: &str, fact: &str) {
        if !is_named {
            self.0.push(format!("{file} does not name the {kind} {fact}"));
        }
    }

    /// `file` names these facts, and no others.
    fn lists(&mut self, file: &str, kind: &str, found: &[String], wanted: &[String]) {
        for fact in wanted {
            self.names(found.contains(fact), file, kind, fact);
        }
        for fact in found.iter().filter(|fact| !wanted.contains(fact)) {
            self.0.push(format!("{file} has the {kind} {fact}, which is not in src/model"));
        }
    }

    /// `file` says `words` in `text`, which documents `option`.
    fn says(&mut self, text: &str, file: &str, option: &str, words: &str) {
        if !has(text, words) {
            self.0.push(format!("{file} does not say of the option {option}: {words}"));
        }
    }

    #[track_caller]
    fn assert_none(self) {
        assert!(self.0.is_empty(), "\n{}\n", self.0.join("\n"));
    }
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The part of `file` between two marks.
#[track_caller]
fn part(file: &str, start: &str, end: &str) -> String {
    let text = read(file);
    let (_, after) = text.split_once(start).unwrap_or_else(|| panic!("{file} has no {start:?}"));
    let (part, _) = after.split_once(end).unwrap_or_else(|| panic!("{file} has no {end:?} after {start:?}"));
    part.to_owned()
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether `text` has these words, and not as a part of longer ones: `4` is not in `40`.
fn has(text: &str, words: &str) -> bool {
    let in_word = |letter: Option<char>| letter.is_some_and(is_word);
    let (first, last) = (in_word(words.chars().next()), in_word(words.chars().next_back()));
    text.match_indices(words).any(|(start, _)| {
        let before = in_word(text[..start].chars().next_back());
        let after = in_word(text[start + words.len()..].chars().next());
        let is_longer = before && first || last && after;
        !is_longer
    })
}

/// Its words, with one blank between two, wherever the lines break.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The lines of C, C++, Python or PHP that give a name a value or a form: `NAME = VALUE`, without a comma at the end.
fn assignments(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim().trim_end_matches([',', ';']));
    lines.filter(|line| line.contains(" = ") && !line.starts_with("//")).map(str::to_owned).collect()
}

/// A name of Rust's, `NotDelivered` or `max_attempts`, in the case of other languages.
struct Name(Vec<String>);

impl Name {
    fn new(name: &str) -> Self {
        let mut words = vec![String::new()];
        for letter in name.chars() {
            if (letter == '_' || letter.is_uppercase()) && !words.last().unwrap().is_empty() {
                words.push(String::new());
            }
            words.last_mut().unwrap().extend(letter.to_lowercase().filter(|letter| *letter != '_'));
        }
        Name(words)
    }

    fn snake(&self) -> String {
        self.0.join("_")
    }

    fn screaming(&self) -> String {
        self.snake().to_uppercase()
    }

    fn pascal(&self) -> String {
        self.0.iter().map(|word| word[..1].to_uppercase() + &word[1..]).collect()
    }

    fn camel(&self) -> String {
        self.0[0].clone() + &Name(self.0[1..].to_vec()).pascal()
    }

    /// As `ue_status` and `ue_delivery` have it.
    fn c(&self) -> String {
        match self.screaming().as_str() {
            "UNKNOWN" => "UE_DELIVERY_UNKNOWN".to_owned(),
            name => format!("UE_{name}"),
        }
    }
}

/// The beginning of an enum in a header: in C a name of its own, for PHP below its type.
fn c_enum(file: &str, name: &str) -> String {
    if file == PHP_HEADER { format!("typedef int32_t {name};\nenum {{") } else { format!("UE_ENUM({name}) {{") }
}

/// The constants of an enum of the C API, in the code and in both headers: these and no others.
fn lists_constants(faults: &mut Faults, file: &str, name: &str, wanted: &[String]) {
    let source = format!("pub enum {name} {{");
    faults.lists(file, name, &assignments(&part(file, &source, "\n}")), wanted);
    for header in [C_HEADER, PHP_HEADER] {
        faults.lists(header, name, &assignments(&part(header, &c_enum(header, name), "\n}")), wanted);
    }
}

/// The variants of an enum of `src/model/outcome.rs`, with their numbers.
fn variants(name: &str) -> Vec<(Name, String)> {
    let found = assignments(&part(OUTCOME, &format!("pub enum {name} {{"), "\n}"));
    let split = |line: &String| line.split_once(" = ").map(|(name, number)| (Name::new(name), number.to_owned()));
    found.iter().filter_map(split).collect()
}

fn statuses() -> Vec<(Name, String)> {
    let statuses = variants("Status");
    assert!(statuses.len() >= 17, "{OUTCOME}: {} statuses", statuses.len());
    statuses
}

/// Every status but that of a delivery.
fn failures() -> Vec<(Name, String)> {
    statuses().into_iter().filter(|(name, _)| name.snake() != "ok").collect()
}

fn deliveries() -> Vec<(Name, String)> {
    let deliveries = variants("Delivery");
    assert_eq!(deliveries.len(), 3, "{OUTCOME}");
    deliveries
}

fn retries() -> Vec<(Name, String)> {
    let retries = variants("Retry");
    assert_eq!(retries.len(), 3, "{OUTCOME}");
    retries
}

/// What the fields of a struct are, by name, and what is said of each.
type Fields = Vec<(String, String)>;

/// The fields of a struct of Rust, C or C++, with the `///` before each.
fn fields(text: &str) -> Fields {
    let mut found = Fields::new();
    let mut said = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            said.push_str(comment);
        } else if !line.is_empty() {
            let rust = line.split_once(": ").map(|(field, _)| field.trim_start_matches("pub "));
            let c =
                || line.split(['=', ';', '{']).next().unwrap().rsplit([' ', '*', '>']).find(|word| !word.is_empty());
            let name = rust.or_else(c).expect("a field");
            found.push((name.to_owned(), joined(&said)));
            said.clear();
        }
    }
    found
}

fn names(fields: &Fields) -> Vec<String> {
    fields.iter().map(|(name, _)| name.clone()).collect()
}

/// What is said of a field; nothing of one that is not there, which another test names.
fn said<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.iter().find(|(field, _)| field == name).map_or("", |(_, said)| said)
}

fn rust_options() -> Fields {
    fields(&part(OPTIONS, "pub struct Options {", "\n}"))
}

fn options() -> Vec<Name> {
    let options = rust_options();
    assert!(options.len() >= 13, "{OPTIONS}: {} options", options.len());
    options.iter().map(|(name, _)| Name::new(name)).collect()
}

/// Those that are values. The others are callbacks, which each language has in a form of its own.
fn values() -> Vec<Name> {
    options().into_iter().filter(|name| !["log", "interrupt"].contains(&name.snake().as_str())).collect()
}

/// An option's fields in C.
fn c_fields(option: &Name) -> Vec<String> {
    let name = option.snake();
    match name.as_str() {
        "log" => ["log", "log_user_data", "log_level"].map(str::to_owned).to_vec(),
        "interrupt" => ["interrupt", "interrupt_user_data"].map(str::to_owned).to_vec(),
        name if name.ends_with("timeout") => vec![format!("{name}_ms")],
        _ => vec![name],
    }
}

fn cpp_options() -> Fields {
    fields(&part(CPP_HEADER, "struct Options {", "\n};"))
}

/// Of the `Args:` of Python's client.
fn python_options() -> Fields {
    let mut found = Fields::new();
    for line in part(PYTHON_CLIENT, "        Args:\n", "        Raises:").lines() {
        let text = line.trim();
        match line.strip_prefix("            ").and_then(|entry| entry.split_once(": ")) {
            Some((name, said)) if !name.contains(' ') => found.push((name.to_owned(), said.to_owned())),
            _ => found.last_mut().expect("an option").1.extend([" ", text]),
        }
    }
    found
}

/// Of the `@param`s of PHP's `Options`.
fn php_options() -> Fields {
    let comment = part(PHP_OPTIONS, "final class Options\n{\n    /**", "*/").replace("\n     *", "\n");
    let entry = |text: &str| {
        let (name, said) = text.rsplit_once('$')?.1.split_once(' ')?;
        Some((name.to_owned(), joined(said)))
    };
    comment.split("@param").filter_map(entry).collect()
}

/// The rows of the README's table: an option and its default.
fn readme_options() -> Fields {
    let row = |line: &str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        Some((cells.next()?.trim_matches('`').to_owned(), cells.next()?.to_owned()))
    };
    part(README, "| option | default | |\n| --- | --- | --- |\n", "\n\n").lines().filter_map(row).collect()
}

#[test]
fn every_status_has_its_number_in_c() {
    let mut faults = Faults::default();
    let wanted: Vec<_> = statuses().iter().map(|(name, number)| format!("{} = {number}", name.c())).collect();
    lists_constants(&mut faults, C_TYPES, "ue_status", &wanted);
    let rows = part(C_TYPES, "const fn of(status: Status)", "\n}");
    let listed = part(C_TYPES, "const STATUSES: ", "];");
    for (name, _) in statuses() {
        let (pascal, c) = (format!("Status::{}", name.pascal()), name.c());
        faults.names(rows.contains(&format!("{pascal} => (ue_status::{c}, c\"{c}\"),")), C_TYPES, "status", &c);
        faults.names(listed.contains(&format!("{pascal},")), &format!("{C_TYPES} (STATUSES)"), "status", &pascal);
    }
    faults.assert_none();
}

#[test]
fn every_delivery_and_every_advice_has_its_number_in_c() {
    let mut faults = Faults::default();
    let of_delivery: Vec<_> = deliveries().iter().map(|(name, number)| format!("{} = {number}", name.c())).collect();
    lists_constants(&mut faults, C_TYPES, "ue_delivery", &of_delivery);
    let of_retry = retries();
    let of_retry: Vec<_> =
        of_retry.iter().map(|(name, number)| format!("UE_RETRY_{} = {number}", name.screaming())).collect();
    lists_constants(&mut faults, C_TYPES, "ue_retry", &of_retry);
    faults.assert_none();
}

#[test]
fn no_number_is_that_of_a_status_and_of_a_delivery_or_an_advice() {
    let numbers: Vec<_> =
        [statuses(), deliveries(), retries()].into_iter().flatten().map(|(_, number)| number).collect();
    let distinct: HashSet<_> = numbers.iter().collect();
    assert_eq!(distinct.len(), numbers.len(), "{numbers:?}");
}

/// The constants that stand for no outcome. What takes them compares them in `src/capi/input.rs`.
#[test]
fn the_constants_of_c_are_those_of_rust() {
    let mut faults = Faults::default();
    let sources = [
        ("CHAT", Source::CHAT),
        ("EMAIL", Source::EMAIL),
        ("API", Source::API),
        ("SMS", Source::SMS),
        ("SLACK", Source::SLACK),
    ];
    let levels = [
        ("ERROR", Level::Error),
        ("WARN", Level::Warn),
        ("INFO", Level::Info),
        ("DEBUG", Level::Debug),
        ("TRACE", Level::Trace),
    ];
    let mut of_levels = vec!["UE_LOG_OFF = 0".to_owned()];
    of_levels.extend(levels.map(|(name, level)| format!("UE_LOG_{name} = {}", level as i32)));
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    for (name, wanted) in [
        ("ue_source", sources.map(|(name, source)| format!("UE_SOURCE_{name} = {}", source.0)).to_vec()),
        ("ue_log_level", of_levels),
        ("ue_api_version", words(&["UE_API_VERSION_SPECIFICATION = 0", "UE_API_VERSION_2 = 2"])),
        ("ue_delivery_policy", words(&["UE_AT_MOST_ONCE = 0", "UE_AT_LEAST_ONCE = 1"])),
        ("ue_batch_flow", words(&["UE_BATCH_CONTINUE = 0", "UE_BATCH_FINISH = 1", "UE_BATCH_ABORT = 2"])),
        ("ue_timeout_from", words(&["UE_TIMEOUT_FROM_TURN = 0", "UE_TIMEOUT_FROM_PUSH = 1"])),
    ] {
        lists_constants(&mut faults, C_CONSTANTS, name, &wanted);
    }
    faults.assert_none();
}

#[test]
fn the_version_of_the_header_is_that_of_the_crate() {
    let mut faults = Faults::default();
    let numbers: Vec<u32> = VERSION.split('.').map(|part| part.parse().expect("a release")).collect();
    let [major, minor, patch] = numbers[..] else { panic!("{VERSION}") };
    let number = major * 10_000 + minor * 100 + patch;
    for line in [format!("#define UE_VERSION \"{VERSION}\"\n"), format!("#define UE_VERSION_NUMBER {number}\n")] {
        faults.names(read(C_HEADER).contains(&line), C_HEADER, "version", line.trim());
    }
    faults.assert_none();
}

#[test]
fn cpp_has_every_status_delivery_and_advice() {
    let mut faults = Faults::default();
    for (kind, start, facts) in [
        ("status", "enum class Status : std::int32_t {", statuses()),
        ("delivery", "enum class Delivery : std::int32_t {", deliveries()),
        ("advice", "enum class Retry : std::int32_t {", retries()),
    ] {
        let c = |name: &Name| if kind == "advice" { format!("UE_RETRY_{}", name.screaming()) } else { name.c() };
        let wanted: Vec<_> = facts.iter().map(|(name, _)| format!("{} = {}", name.snake(), c(name))).collect();
        faults.lists(CPP_HEADER, kind, &assignments(&part(CPP_HEADER, start, "\n};")), &wanted);
    }
    faults.assert_none();
}

#[test]
fn the_manual_tells_of_every_status_delivery_and_advice() {
    let mut faults = Faults::default();
    let entries_of = |section: &str| {
        let entries = section.split(".TP\n.B").skip(1).map(|entry| entry.lines().next().unwrap());
        entries.map(|entry| entry.trim_start_matches('R').trim().to_owned()).collect::<Vec<_>>()
    };
    let mut of_messages: Vec<_> = deliveries().iter().map(|(name, _)| name.c()).collect();
    of_messages.extend(retries().iter().map(|(name, _)| format!("UE_RETRY_{}", name.screaming())));
    let of_failures: Vec<_> = failures().iter().map(|(name, _)| name.c()).collect();
    for (kind, start, wanted) in [
        ("status", ".SH ERRORS\n", of_failures),
        ("delivery or advice", ".SS What is known of a message\n", of_messages),
    ] {
        faults.lists(MANUAL, kind, &entries_of(&part(MANUAL, start, "\n.S")), &wanted);
    }
    faults.assert_none();
}

#[test]
fn python_has_every_status_delivery_and_advice() {
    let mut faults = Faults::default();
    for (kind, class, facts) in
        [("status", "Status", statuses()), ("delivery", "Delivery", deliveries()), ("advice", "Retry", retries())]
    {
        let body = part(PYTHON_RESULT, &format!("class {class}(IntEnum):\n"), "\n\n\n");
        let (text, members) = body.split_once("Members:").expect("a list of members").1.split_once("\"\"\"").unwrap();
        let wanted: Vec<_> = facts.iter().map(|(name, number)| format!("{} = {number}", name.screaming())).collect();
        faults.lists(PYTHON_RESULT, kind, &assignments(members), &wanted);
        for (name, _) in facts {
            let name = name.screaming();
            let is_told = text.contains(&format!("\n        {name}: "));
            faults.names(is_told, &format!("{PYTHON_RESULT} (Members)"), kind, &name);
        }
    }
    faults.assert_none();
}

#[test]
fn python_has_an_error_for_every_failure_and_its_readme_tells_of_it() {
    let mut faults = Faults::default();
    let map = part(PYTHON_ERRORS, "CLASSES: dict[Status, type[Error]] = {\n", "\n}");
    let classes = read(PYTHON_ERRORS);
    let (package, readme) = (read(PYTHON_PACKAGE), read(PYTHON_README));
    let (imports, all) = package.split_once("__all__").expect("__all__");
    for (name, _) in failures() {
        let status = name.screaming();
        let entry = map.lines().find_map(|line| line.trim().strip_prefix(&format!("Status.{status}: ")));
        faults.names(entry.is_some(), PYTHON_ERRORS, "class of the status", &status);
        let class = &entry.map_or_else(|| format!("{}Error", name.pascal()), |class| class.replace(',', ""));
        faults.names(classes.contains(&format!("\nclass {class}(Error")), PYTHON_ERRORS, "class", class);
        faults.names(imports.contains(&format!("    {class},\n")), PYTHON_PACKAGE, "class", class);
        faults.names(all.contains(&format!("\"{class}\"")), &format!("{PYTHON_PACKAGE} (__all__)"), "class", class);
        faults.names(
            readme.contains(&format!("\n| `{class}` | ")),
            PYTHON_README,
            &format!("class of {status},"),
            class,
        );
    }
    faults.assert_none();
}

#[test]
fn php_has_an_exception_for_every_failure_and_its_readme_tells_of_it() {
    let mut faults = Faults::default();
    let map = part(PHP_CLASSES, "private const CLASSES = [\n", "];");
    let found: Vec<_> = map.lines().map(|line| line.trim().trim_end_matches(',').to_owned()).collect();
    let found: Vec<_> = found.into_iter().filter(|line| !line.is_empty()).collect();
    let wanted: Vec<_> =
        failures().iter().map(|(name, number)| format!("{number} => {}Exception::class", name.pascal())).collect();
    faults.lists(PHP_CLASSES, "status", &found, &wanted);
    let readme = part(PHP_README, "| class | what happened |\n", "\n\n");
    for (name, _) in failures() {
        let class = format!("{}Exception", name.pascal());
        let file = format!("{PHP_EXCEPTIONS}/{class}.php");
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).unwrap_or_default();
        faults.names(text.contains(&format!("class {class} extends UserEngageException")), &file, "class", &class);
        faults.names(readme.contains(&format!("`{class}`")), PHP_README, &format!("class of {},", name.c()), &class);
    }
    faults.assert_none();
}

#[test]
fn php_has_every_delivery_and_advice() {
    let mut faults = Faults::default();
    for (file, kind, start, facts) in [
        (PHP_DELIVERY, "delivery", "enum Delivery: int\n{", deliveries()),
        (PHP_RETRY, "advice", "enum Retry: int\n{", retries()),
    ] {
        let wanted: Vec<_> = facts.iter().map(|(name, number)| format!("case {} = {number}", name.pascal())).collect();
        faults.lists(file, kind, &assignments(&part(file, start, "\n}")), &wanted);
    }
    faults.assert_none();
}

#[test]
fn the_readmes_tell_of_every_delivery_and_advice() {
    let mut faults = Faults::default();
    let (python, php, core) = (read(PYTHON_README), read(PHP_README), read(README));
    for (class, facts) in [("Delivery", deliveries()), ("Retry", retries())] {
        for (name, _) in facts {
            let (in_python, in_php) = (format!("{class}.{}", name.screaming()), format!("{class}::{}", name.pascal()));
            faults.names(python.contains(&in_python), PYTHON_README, class, &in_python);
            faults.names(php.contains(&in_php), PHP_README, class, &in_php);
            let in_words = name.0.join(" ");
            let is_row = core.contains(&format!("| {in_words} |")) || core.contains(&format!("\n| {in_words}"));
            faults.names(is_row, README, class, &in_words);
        }
    }
    faults.assert_none();
}

#[test]
fn c_has_every_option_of_a_message_a_batch_and_a_queue() {
    let mut faults = Faults::default();
    // The callback of a batch is an argument in Rust; user_data is what C has instead of a closure or a handle.
    let of_batch = ["struct_size", "on_result", "user_data"];
    let of_message = ["struct_size", "user_data", "client_user_id_length", "content_length", "source_context_length"];
    for (file, start, name, of_c) in [
        (MESSAGE, "pub struct Message<'a> {", "ue_message", &of_message[..]),
        (OPTIONS, "pub struct BatchOptions {", "ue_batch_options", &of_batch),
        (OPTIONS, "pub struct QueueOptions {", "ue_queue_options", &["struct_size"]),
    ] {
        let mut wanted: Vec<_> = of_c.iter().map(|field| (*field).to_owned()).collect();
        wanted.extend(names(&fields(&part(file, start, "\n}"))).iter().flat_map(|field| c_fields(&Name::new(field))));
        for (file, start) in [
            (C_TYPES, format!("pub struct {name} {{")),
            (C_HEADER, format!("typedef struct {name} {{")),
            (PHP_HEADER, format!("typedef struct {name} {{")),
        ] {
            faults.lists(file, &format!("field of {name}"), &names(&fields(&part(file, &start, "\n}"))), &wanted);
        }
        for field in wanted.iter().filter(|field| *field != "struct_size") {
            let is_read = has(&read(C_INPUT), &format!("given.{field}"));
            faults.names(is_read, C_INPUT, "field", &format!("given.{field}"));
        }
    }
    faults.assert_none();
}

/// The options of a batch and of a queue, in Rust and in C: fields, and the words for the default of each.
#[test]
fn every_default_of_a_batch_and_of_a_queue_is_documented_as_it_is() {
    let mut faults = Faults::default();
    let QueueOptions { capacity, max_failures_in_a_row, timeout_from, .. } = QueueOptions::default();
    let BatchOptions { max_failures_in_a_row: of_batch, cancel, .. } = BatchOptions::default();
    assert_eq!((timeout_from, max_failures_in_a_row, of_batch), (TimeoutFrom::Turn, 0, 0), "the words below say so");
    assert!(cancel.is_none(), "the words below say so");
    let capacity = capacity.to_string();
    for (structs, option, rust, c) in [
        (("BatchOptions", "ue_batch_options"), "max_failures_in_a_row", "0, off", "0, off"),
        (("BatchOptions", "ue_batch_options"), "cancel", "none", "none"),
        (("QueueOptions", "ue_queue_options"), "capacity", capacity.as_str(), capacity.as_str()),
        (("QueueOptions", "ue_queue_options"), "max_failures_in_a_row", "0, off", "0, off"),
        (("QueueOptions", "ue_queue_options"), "timeout_from", "[`TimeoutFrom::Turn`]", "UE_TIMEOUT_FROM_TURN"),
    ] {
        let in_rust = fields(&part(OPTIONS, &format!("pub struct {} {{", structs.0), "\n}"));
        faults.says(said(&in_rust, option), OPTIONS, option, &format!("Defaults to {rust}"));
        for file in [C_TYPES, C_HEADER] {
            let in_c = fields(&part(file, &format!("struct {} {{", structs.1), "\n}"));
            faults.says(said(&in_c, option), file, option, &format!("Default: {c}"));
        }
    }
    faults.assert_none();
}

#[test]
fn cpp_has_every_option_of_a_batch_and_of_a_queue() {
    let mut faults = Faults::default();
    for (name, more) in [("BatchOptions", &["on_result"][..]), ("QueueOptions", &[])] {
        let mut wanted: Vec<_> = more.iter().map(|field| (*field).to_owned()).collect();
        wanted.extend(names(&fields(&part(OPTIONS, &format!("pub struct {name} {{"), "\n}"))));
        let found = names(&fields(&part(CPP_HEADER, &format!("struct {name} {{"), "\n};")));
        faults.lists(CPP_HEADER, &format!("field of {name}"), &found, &wanted);
    }
    faults.assert_none();
}

#[test]
fn python_and_php_can_end_a_batch_after_failures_in_a_row() {
    let mut faults = Faults::default();
    for (file, option) in [
        (PYTHON_SYNC_CLIENT, "max_failures_in_a_row"),
        (PYTHON_ASYNC_CLIENT, "max_failures_in_a_row"),
        (PYTHON_README, "max_failures_in_a_row"),
        (PHP_CLIENT, "$maxFailuresInARow"),
        (PHP_README, "maxFailuresInARow"),
        (MANUAL, "max_failures_in_a_row"),
        (README, "max_failures_in_a_row"),
    ] {
        faults.names(has(&read(file), option), file, "option", option);
    }
    faults.assert_none();
}

#[test]
fn c_has_every_option() {
    let mut faults = Faults::default();
    let mut wanted = vec!["struct_size".to_owned()];
    wanted.extend(options().iter().flat_map(c_fields));
    for (file, start) in [
        (C_TYPES, "pub struct ue_options {"),
        (C_HEADER, "typedef struct ue_options {"),
        (PHP_HEADER, "typedef struct ue_options {"),
    ] {
        faults.lists(file, "option", &names(&fields(&part(file, start, "\n}"))), &wanted);
    }
    let input = read(C_INPUT);
    for field in options().iter().flat_map(c_fields) {
        faults.names(has(&input, &format!("given.{field}")), C_INPUT, "field", &format!("given.{field}"));
    }
    faults.assert_none();
}

#[test]
fn cpp_has_every_option() {
    let mut faults = Faults::default();
    let options = options();
    let mut wanted: Vec<_> = options.iter().map(Name::snake).collect();
    wanted.push("log_level".to_owned());
    faults.lists(CPP_HEADER, "option", &names(&cpp_options()), &wanted);
    let given = part(CPP_HEADER, "ue_options given = UE_OPTIONS_INIT;", "ue_client_new");
    for field in options.iter().flat_map(c_fields) {
        faults.names(given.contains(&format!("given.{field} = ")), CPP_HEADER, "field", &format!("given.{field}"));
    }
    faults.assert_none();
}

#[test]
fn python_has_every_option() {
    let mut faults = Faults::default();
    let parameters = part(PYTHON_CLIENT, "        *,\n", "    ) -> None:");
    let parameters: Vec<_> =
        parameters.lines().filter_map(|line| Some(line.trim().split_once(':')?.0.to_owned())).collect();
    let wanted: Vec<_> = values().iter().map(Name::snake).collect();
    faults.lists(PYTHON_CLIENT, "option", &parameters, &wanted);
    let mut documented = names(&python_options());
    documented.retain(|name| name != "api_key");
    faults.lists(&format!("{PYTHON_CLIENT} (Args)"), "option", &documented, &wanted);
    let given = part(PYTHON_CLIENT, "options = _native.Options(\n", "\n        )\n");
    for field in values().iter().flat_map(c_fields) {
        faults.names(given.contains(&format!("            {field}=")), PYTHON_CLIENT, "field", &field);
    }
    faults.assert_none();
}

#[test]
fn php_has_every_option() {
    let mut faults = Faults::default();
    let mut wanted: Vec<_> = values().iter().map(Name::camel).collect();
    wanted.extend(["logger", "logLevel", "interrupt"].map(str::to_owned));
    let parameters = part(PHP_OPTIONS, "public function __construct(", "\n    ) {");
    let parameters: Vec<_> =
        parameters.lines().filter_map(|line| line.split_once('$')?.1.split(' ').next().map(str::to_owned)).collect();
    faults.lists(PHP_OPTIONS, "option", &parameters, &wanted);
    faults.lists(&format!("{PHP_OPTIONS} (@param)"), "option", &names(&php_options()), &wanted);
    let readme = part(PHP_README, "[`Options`](src/Options.php) documents each: ", "\n\n");
    let readme: Vec<_> = joined(&readme).split(", ").map(|name| name.trim_matches(['`', '.']).to_owned()).collect();
    faults.lists(PHP_README, "option", &readme, &wanted);
    let native = read(PHP_NATIVE_OPTIONS);
    for option in values() {
        let (snake, camel) = (option.snake(), option.camel());
        let is_read = [")", "?", " "].iter().any(|end| native.contains(&format!("$options->{camel}{end}")));
        faults.names(is_read, PHP_NATIVE_OPTIONS, "option", &camel);
        let is_set = native.contains(&format!("'{snake}'")) || native.contains(&format!("->{snake} = "));
        faults.names(is_set, PHP_NATIVE_OPTIONS, "field", &snake);
    }
    faults.assert_none();
}

#[test]
fn the_readme_tells_of_every_option() {
    let mut faults = Faults::default();
    let wanted: Vec<_> = options().iter().map(Name::snake).collect();
    faults.lists(README, "option", &names(&readme_options()), &wanted);
    faults.assert_none();
}

/// How a default is put in the Rust documentation, in the C header, in the README, for Python and for PHP.
struct Words {
    rust: String,
    c: String,
    readme: String,
    python: String,
    php: String,
}

impl Words {
    /// The same everywhere.
    fn same(words: impl ToString) -> Self {
        let words = words.to_string();
        Words { rust: words.clone(), c: words.clone(), readme: words.clone(), python: words.clone(), php: words }
    }
}

/// The words for what `Options::default()` is.
fn defaults() -> Vec<(&'static str, Words)> {
    let Options {
        base_url,
        api_version,
        delivery_policy,
        max_attempts,
        connect_timeout,
        timeout,
        max_per_second,
        max_connections,
        proxy,
        ca_file,
        user_agent,
        log,
        interrupt,
        ..
    } = Options::default();
    let seconds = |time: std::time::Duration| Words {
        rust: format!("{} s", time.as_secs()),
        c: time.as_millis().to_string(),
        readme: format!("{} s", time.as_secs()),
        ..Words::same(time.as_secs())
    };
    assert_eq!(api_version, ApiVersion::Specification, "the words below say so");
    assert_eq!(delivery_policy, DeliveryPolicy::AtMostOnce, "the words below say so");
    assert_eq!((max_per_second, proxy, ca_file, user_agent), (None, None, None, None), "the words below say so");
    assert!(log.is_none() && interrupt.is_none(), "the words below say so");
    vec![
        (
            "base_url",
            Words {
                rust: format!("`{base_url}`"),
                readme: format!("`{base_url}`"),
                ..Words::same(format!("{base_url:?}"))
            },
        ),
        (
            "api_version",
            Words {
                rust: "the specification's".into(),
                c: "UE_API_VERSION_SPECIFICATION".into(),
                readme: "as the specification".into(),
                ..Words::same(0)
            },
        ),
        (
            "delivery_policy",
            Words {
                rust: "[`DeliveryPolicy::AtMostOnce`]".into(),
                c: "UE_AT_MOST_ONCE".into(),
                readme: "at most once".into(),
                python: "DeliveryPolicy.AT_MOST_ONCE".into(),
                php: "DeliveryPolicy::AtMostOnce".into(),
            },
        ),
        ("max_attempts", Words::same(max_attempts)),
        ("connect_timeout", seconds(connect_timeout)),
        ("timeout", seconds(timeout)),
        ("max_per_second", Words::same("no limit")),
        ("max_connections", Words::same(max_connections)),
        ("ca_file", Words::same("Mozilla's")),
        ("user_agent", Words::same("nothing")),
        ("log", Words { php: "none".into(), ..Words::same("nowhere") }),
        ("interrupt", Words { php: "none".into(), ..Words::same("never") }),
    ]
}

#[test]
fn every_default_is_documented_as_it_is() {
    let mut faults = Faults::default();
    let rust = rust_options();
    let (c, header) =
        (fields(&part(C_TYPES, "struct ue_options {", "\n}")), fields(&part(C_HEADER, "struct ue_options {", "\n}")));
    let (python, php, readme) = (python_options(), php_options(), readme_options());
    let mut known: Vec<_> = defaults().iter().map(|(name, _)| (*name).to_owned()).collect();
    known.push("proxy".to_owned()); // which has a test of its own
    faults.lists(&format!("{} (defaults)", file!()), "option", &known, &names(&rust));
    for (name, words) in defaults() {
        let option = Name::new(name);
        faults.says(said(&rust, name), OPTIONS, name, &format!("Defaults to {}", words.rust));
        let field = &c_fields(&option)[0];
        for (file, fields) in [(C_TYPES, &c), (C_HEADER, &header)] {
            faults.says(said(fields, field), file, field, &format!("Default: {}", words.c));
        }
        faults.says(said(&readme, name), README, name, &words.readme);
        if !["log", "interrupt"].contains(&name) {
            faults.says(said(&python, name), PYTHON_CLIENT, name, &format!("Default: {}", words.python));
        }
        let camel = if name == "log" { "logger".to_owned() } else { option.camel() };
        faults.says(said(&php, &camel), PHP_OPTIONS, &camel, &format!("Defaults to {}", words.php));
    }
    faults.assert_none();
}

#[test]
fn the_proxys_default_is_documented_with_its_variables() {
    let mut faults = Faults::default();
    let places = [
        (OPTIONS, rust_options()),
        (C_TYPES, fields(&part(C_TYPES, "struct ue_options {", "\n}"))),
        (C_HEADER, fields(&part(C_HEADER, "struct ue_options {", "\n}"))),
        (CPP_HEADER, cpp_options()),
        (PYTHON_CLIENT, python_options()),
        (PHP_OPTIONS, php_options()),
        (README, readme_options()),
        (MANUAL, vec![("proxy".to_owned(), part(MANUAL, ".SH ENVIRONMENT", ".SH"))]),
    ];
    for (file, fields) in &places {
        for variable in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            faults.says(said(fields, "proxy"), file, "proxy", variable);
        }
    }
    faults.assert_none();
}

/// PHP and the scripts read it from their headers.
#[test]
fn python_and_the_readme_name_the_library_of_this_abi() {
    let soname = part(C_HEADER, "#define UE_SONAME ", "\n");
    assert!(soname.starts_with("\"libuserengage.so."), "{C_HEADER} has another UE_SONAME: {soname}");
    let mut faults = Faults::default();
    faults.names(has(&read(PYTHON_LIBRARY), &format!("_SYSTEM: Final = {soname}")), PYTHON_LIBRARY, "soname", &soname);
    let quoted = soname.replace('"', "`");
    faults.names(read(README).contains(&quoted), README, "soname", &quoted);
    faults.assert_none();
}

/// `ue_options` names them. What C++ says of them all the same is right.
#[test]
fn cpp_leaves_the_defaults_to_c() {
    let mut faults = Faults::default();
    let cpp = cpp_options();
    for option in ["max_attempts", "connect_timeout", "timeout", "max_connections"] {
        faults.says(said(&cpp, option), CPP_HEADER, option, "0: the default");
    }
    faults.says(said(&cpp, "max_per_second"), CPP_HEADER, "max_per_second", "0: no limit");
    let policy = "DeliveryPolicy delivery_policy = DeliveryPolicy::at_most_once;";
    faults.says(&read(CPP_HEADER), CPP_HEADER, "delivery_policy", policy);
    faults.assert_none();
}

#[test]
fn what_stands_outside_the_options_repeats_the_defaults_as_they_are() {
    let mut faults = Faults::default();
    let Options { max_attempts, timeout, max_connections, .. } = Options::default();
    let python = format!("_MAX_CONNECTIONS: Final = {max_connections}");
    faults.says(&read(PYTHON_CLIENT), PYTHON_CLIENT, "max_connections", &python);
    let python = read(PYTHON_ASYNC_CLIENT).to_lowercase();
    faults.says(&python, PYTHON_ASYNC_CLIENT, "max_connections", "at most `max_connections`");
    let php = format!("const MAX_CONNECTIONS = {max_connections};");
    faults.says(&read(PHP_CLIENT), PHP_CLIENT, "max_connections", &php);
    let php = read(PHP_README);
    for (option, words) in [
        ("maxConnections", format!("`maxConnections` connections ({max_connections})")),
        ("timeout", format!("; {} if left out", timeout.as_secs())),
        ("maxAttempts", format!("// {max_attempts} if left out")),
    ] {
        faults.says(&php, PHP_README, option, &words);
    }
    faults.assert_none();
}

#[test]
fn the_most_that_max_connections_may_be_is_documented() {
    let mut faults = Faults::default();
    let most = part(OPTIONS, "const MOST_CONNECTIONS: u32 = ", ";");
    let row = read(README).lines().find(|line| line.starts_with("| `max_connections`")).unwrap_or_default().to_owned();
    for (file, said) in [
        (OPTIONS, said(&rust_options(), "max_connections")),
        (C_TYPES, said(&fields(&part(C_TYPES, "struct ue_options {", "\n}")), "max_connections")),
        (C_HEADER, said(&fields(&part(C_HEADER, "struct ue_options {", "\n}")), "max_connections")),
        (CPP_HEADER, said(&cpp_options(), "max_connections")),
        (PYTHON_CLIENT, said(&python_options(), "max_connections")),
        (PHP_OPTIONS, said(&php_options(), "maxConnections")),
        (README, &row),
    ] {
        faults.says(&said.to_lowercase(), file, "max_connections", &format!("at most {most}"));
    }
    faults.assert_none();
}

/// A default that a wrapper had for itself would hide that of the core.
#[test]
fn an_option_that_is_left_out_is_left_to_the_core() {
    let mut faults = Faults::default();
    let python = part(PYTHON_CLIENT, "        *,\n", "    ) -> None:");
    let php = part(PHP_OPTIONS, "public function __construct(", "\n    ) {");
    let cpp = part(CPP_HEADER, "struct Options {", "\n};");
    let line_of = |text: &str, start: &str| {
        text.lines()
            .find(|line| line.contains(start))
            .unwrap_or_default()
            .trim()
            .trim_end_matches([',', ';'])
            .to_owned()
    };
    for option in values() {
        let (snake, camel) = (option.snake(), option.camel());
        let (in_python, in_cpp) = match snake.as_str() {
            "api_version" => ("= 0", "= 0"),
            "delivery_policy" => ("= DeliveryPolicy.AT_MOST_ONCE", "= DeliveryPolicy::at_most_once"),
            "max_attempts" | "max_per_second" | "max_connections" => ("= None", "= 0"),
            name if name.ends_with("timeout") => ("= None", "{0}"),
            _ => ("= None", "= {}"),
        };
        faults.says(&line_of(&python, &format!(" {snake}: ")), PYTHON_CLIENT, &snake, in_python);
        faults.says(&line_of(&php, &format!("${camel} ")), PHP_OPTIONS, &camel, "= null");
        let is_left = [" ", ""].iter().any(|blank| cpp.contains(&format!(" {snake}{blank}{in_cpp};")));
        faults.says(if is_left { in_cpp } else { "" }, CPP_HEADER, &snake, in_cpp);
    }
    faults.says(&cpp, CPP_HEADER, "log_level", "Level log_level = Level::off;");
    for (file, start) in [(C_TYPES, "struct ue_options {"), (C_HEADER, "struct ue_options {")] {
        faults.says(said(&fields(&part(file, start, "\n}")), "log_level"), file, "log_level", "Default: UE_LOG_OFF");
    }
    faults.says(&php, PHP_OPTIONS, "logLevel", "$logLevel = 'info'");
    faults.says(said(&php_options(), "logLevel"), PHP_OPTIONS, "logLevel", "Defaults to \"info\"");
    faults.assert_none();
}

/// Every file below `folder` of the tree, but for what is built.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let is_built = ["target", "vendor", "node_modules", ".venv", "lib"].iter().any(|name| path.ends_with(name));
        if path.is_dir() && !is_built {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

/// What a document has between backquotes, on one line.
fn quoted(document: &str) -> Vec<String> {
    let lines = document.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    lines.map(str::to_owned).collect()
}

#[test]
fn what_the_documents_for_developers_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "include", "bindings", "tests"] {
        files(&root.join(folder), &mut found);
    }
    for file in ["Makefile", "cbindgen.toml", "build.rs", "CHANGELOG.md"] {
        found.push(root.join(file));
    }
    let texts: Vec<_> = found.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let words: HashSet<&str> = texts.iter().flat_map(|text| text.split(|letter: char| !is_word(letter))).collect();
    let mut faults = Faults::default();
    for document in ["CONTRIBUTING.md", "docs/architecture.md"] {
        for name in quoted(&read(document)) {
            let is_path = name.contains('/') && !name.contains([' ', '*', '(', '$']);
            if is_path && !root.join(&name).exists() {
                faults.0.push(format!("{document} names {name}, which is not there"));
            }
            let identifier = name.trim_end_matches("()");
            if identifier.chars().all(|letter| is_word(letter) || letter == ':') {
                for part in identifier.split("::").filter(|part| !words.contains(part)) {
                    faults.0.push(format!("{document} names {name}, but nothing has the name {part}"));
                }
            }
        }
    }
    faults.assert_none();
}
