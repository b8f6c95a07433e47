//! The statuses, the deliveries and the options stand once, in `src/model`. What repeats them in another language or in
//! a document is compared with it here, as text. A failure names the file and what it lacks.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use userengage::{ApiVersion, DeliveryPolicy, Options};

const OUTCOME: &str = "src/model/outcome.rs";
const OPTIONS: &str = "src/model/options.rs";
const C_TYPES: &str = "src/capi/types.rs";
const C_INPUT: &str = "src/capi/input.rs";
const C_HEADER: &str = "include/userengage.h";
const CPP_HEADER: &str = "include/userengage.hpp";
const MANUAL: &str = "bindings/c/userengage.3";
const README: &str = "README.md";
const PYTHON_RESULT: &str = "bindings/python/src/userengage/_result.py";
const PYTHON_ERRORS: &str = "bindings/python/src/userengage/_errors.py";
const PYTHON_PACKAGE: &str = "bindings/python/src/userengage/__init__.py";
const PYTHON_CLIENT: &str = "bindings/python/src/userengage/_base_client.py";
const PYTHON_ASYNC_CLIENT: &str = "bindings/python/src/userengage/_async_client.py";
const PYTHON_LIBRARY: &str = "bindings/python/src/userengage/_library.py";
const PYTHON_README: &str = "bindings/python/README.md";
const PHP_HEADER: &str = "bindings/php/src/userengage.ffi.h";
const PHP_DELIVERY: &str = "bindings/php/src/Delivery.php";
const PHP_EXCEPTIONS: &str = "bindings/php/src/Exception";
const PHP_CLASSES: &str = "bindings/php/src/Exception/UserEngageException.php";
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

/// The variants of an enum of `src/model/outcome.rs`, with their numbers.
fn variants(name: &str) -> Vec<(Name, String)> {
    let found = assignments(&part(OUTCOME, &format!("pub enum {name} {{"), "\n}"));
    let split = |line: &String| line.split_once(" = ").map(|(name, number)| (Name::new(name), number.to_owned()));
    found.iter().filter_map(split).collect()
}

fn statuses() -> Vec<(Name, String)> {
    let statuses = variants("Status");
    assert!(statuses.len() >= 15, "{OUTCOME}: {} statuses", statuses.len());
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
            let rust = line.strip_prefix("pub ").and_then(|field| field.split(':').next());
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
    faults.lists(C_TYPES, "status", &assignments(&part(C_TYPES, "pub enum ue_status {", "\n}")), &wanted);
    for file in [C_HEADER, PHP_HEADER] {
        faults.lists(file, "status", &assignments(&part(file, "typedef enum ue_status {", "\n}")), &wanted);
    }
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
fn every_delivery_has_its_number_in_c() {
    let mut faults = Faults::default();
    let wanted: Vec<_> = deliveries().iter().map(|(name, number)| format!("{} = {number}", name.c())).collect();
    faults.lists(C_TYPES, "delivery", &assignments(&part(C_TYPES, "pub enum ue_delivery {", "\n}")), &wanted);
    for file in [C_HEADER, PHP_HEADER] {
        faults.lists(file, "delivery", &assignments(&part(file, "typedef enum ue_delivery {", "\n}")), &wanted);
    }
    faults.assert_none();
}

#[test]
fn cpp_has_every_status_and_delivery() {
    let mut faults = Faults::default();
    for (kind, start, facts) in [
        ("status", "enum class Status : std::int32_t {", statuses()),
        ("delivery", "enum class Delivery : std::int32_t {", deliveries()),
    ] {
        let wanted: Vec<_> = facts.iter().map(|(name, _)| format!("{} = {}", name.snake(), name.c())).collect();
        faults.lists(CPP_HEADER, kind, &assignments(&part(CPP_HEADER, start, "\n};")), &wanted);
    }
    faults.assert_none();
}

#[test]
fn the_manual_tells_of_every_status_and_delivery() {
    let mut faults = Faults::default();
    for (kind, start, facts) in
        [("status", ".SH ERRORS\n", failures()), ("delivery", ".SS What is known of a message\n", deliveries())]
    {
        let entries = part(MANUAL, start, ".SH ");
        let entries = entries.split(".TP\n.B ").skip(1).map(|entry| entry.lines().next().unwrap().to_owned());
        let wanted: Vec<_> = facts.iter().map(|(name, _)| name.c()).collect();
        faults.lists(MANUAL, kind, &entries.collect::<Vec<_>>(), &wanted);
    }
    faults.assert_none();
}

#[test]
fn python_has_every_status_and_delivery() {
    let mut faults = Faults::default();
    for (kind, class, facts) in [("status", "Status", statuses()), ("delivery", "Delivery", deliveries())] {
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
fn php_has_every_delivery() {
    let mut faults = Faults::default();
    let found = assignments(&part(PHP_DELIVERY, "enum Delivery: int\n{", "\n}"));
    let wanted = deliveries();
    let wanted: Vec<_> = wanted.iter().map(|(name, number)| format!("case {} = {number}", name.pascal())).collect();
    faults.lists(PHP_DELIVERY, "delivery", &found, &wanted);
    faults.assert_none();
}

#[test]
fn the_readmes_tell_of_every_delivery() {
    let mut faults = Faults::default();
    let (python, php, core) = (read(PYTHON_README), read(PHP_README), read(README));
    for (name, _) in deliveries() {
        let (in_python, in_php) = (format!("Delivery.{}", name.screaming()), format!("Delivery::{}", name.pascal()));
        faults.names(python.contains(&in_python), PYTHON_README, "delivery", &in_python);
        faults.names(php.contains(&in_php), PHP_README, "delivery", &in_php);
        let in_words = format!("| {} |", name.0.join(" "));
        faults.names(core.contains(&in_words), README, "delivery", &in_words);
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
            Words { rust: "the specification's".into(), readme: "as the specification".into(), ..Words::same(0) },
        ),
        (
            "delivery_policy",
            Words {
                rust: "[`DeliveryPolicy::AtMostOnce`]".into(),
                c: "0".into(),
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
    faults.says(&read(PYTHON_ASYNC_CLIENT), PYTHON_ASYNC_CLIENT, "max_connections", "At most `max_connections`");
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
        faults.says(said(&fields(&part(file, start, "\n}")), "log_level"), file, "log_level", "Default: 0");
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
