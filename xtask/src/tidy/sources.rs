//! Rules about what the sources say.

use super::house::{Finding, House, SourceFile};
use super::rooms::GROUND;
use super::view::has_word;

/// Words of code that the ground floor does not use outside its tests.
const IMPURE: [(&str, &str); 21] = [
    ("TcpStream", "a socket"),
    ("TcpListener", "a socket"),
    ("UdpSocket", "a socket"),
    ("ToSocketAddrs", "name resolution"),
    ("UnixStream", "a socket"),
    ("std::fs", "a file"),
    ("std::os::fd", "a descriptor"),
    ("std::os::unix::io", "a descriptor"),
    ("std::os::unix::net", "a socket"),
    ("std::process", "a process"),
    ("std::env", "the environment"),
    ("std::thread", "a thread"),
    ("thread_local", "a global"),
    ("Instant::now", "a clock"),
    ("SystemTime", "a clock"),
    ("OnceLock", "a global"),
    ("LazyLock", "a global"),
    ("Mutex", "a lock"),
    ("RwLock", "a lock"),
    ("HashMap", "a random order"),
    ("HashSet", "a random order"),
];

/// What each ground-floor `lib.rs` says.
const GROUND_LINTS: [&str; 6] = [
    "#![forbid(unsafe_code)]",
    "not(test)",
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::panic",
    "clippy::indexing_slicing",
];

/// The files that may hold unsafe code: the reviewed module.
const UNSAFE: [&str; 3] = [
    "crates/runtime/src/sys.rs",
    "crates/runtime/src/sys/fatal.rs",
    "crates/runtime/src/sys/pam.rs",
];

/// Where time passes on purpose while a test waits for its condition.
const WAITING: [&str; 1] = ["crates/testkit/src/wait.rs"];

/// A file longer than this has more than one concern, or says why not.
const LONGEST: usize = 900;

/// Folders of cases, which may be as long as there are cases.
const CASES: [&str; 2] = ["/cases/", "/recorded/"];

/// What lies at the root.
const TEXTS: [&str; 6] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

fn ground_files(house: &House) -> impl Iterator<Item = &SourceFile> {
    house
        .rust_files()
        .filter(|file| file.room().is_some_and(|room| GROUND.contains(&room)))
}

pub(super) fn check_pure(house: &House) -> Vec<Finding> {
    let check = |file: &SourceFile| {
        IMPURE
            .iter()
            .flat_map(|(word, what)| {
                file.lines_where("pure", Some(false), |line| has_word(line, word), what)
            })
            .collect::<Vec<_>>()
    };
    ground_files(house).flat_map(check).collect()
}

pub(super) fn check_ground_lints(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for room in GROUND {
        let path = format!("crates/{room}/src/lib.rs");
        let text = house.file(&path).map_or("", |file| file.text.as_str());
        for lint in GROUND_LINTS.iter().filter(|lint| !text.contains(**lint)) {
            findings.push(Finding::new(path.clone(), format!("{lint} is missing")));
        }
    }
    findings
}

pub(super) fn check_doors(house: &House) -> Vec<Finding> {
    let doors = house
        .rust_files()
        .filter(|file| file.path.ends_with("src/lib.rs"));
    doors
        .flat_map(|file| {
            file.lines_where(
                "doors",
                Some(false),
                |line| has_word(line, "fn"),
                "logic in a door",
            )
        })
        .collect()
}

pub(super) fn check_unsafe(house: &House) -> Vec<Finding> {
    house
        .rust_files()
        .filter(|file| !UNSAFE.contains(&file.path.as_str()))
        .flat_map(|file| {
            file.lines_where(
                "unsafe",
                None,
                |line| has_word(line, "unsafe"),
                "unsafe code",
            )
        })
        .collect()
}

pub(super) fn check_sleep(house: &House) -> Vec<Finding> {
    house
        .rust_files()
        .filter(|file| !WAITING.contains(&file.path.as_str()))
        .flat_map(|file| {
            let sleeps = |line: &str| has_word(line, "sleep") && line.contains("sleep(");
            file.lines_where("sleep", Some(true), sleeps, "a test that sleeps")
        })
        .collect()
}

pub(super) fn check_ports(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in house.rust_files() {
        // The number stands in a literal, so the whole line is looked at, not only its code.
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let fixed = file.in_test.get(index) == Some(&true) && has_fixed_port(line);
            if fixed && !file.allows("ports", index, &lines) {
                findings.push(file.finding(index, "a fixed port"));
            }
        }
    }
    findings
}

/// Whether a line listens on, or connects to, a port written as a number. Port 0 asks for a free
/// one, and nobody listens on port 1.
fn has_fixed_port(line: &str) -> bool {
    let calls = ["Listener::bind(", "Stream::connect(", "Socket::bind("];
    let Some(rest) = calls
        .iter()
        .find_map(|call| line.split_once(call))
        .map(|(_, rest)| rest)
    else {
        return false;
    };
    let arguments = rest.split(')').next().unwrap_or(rest);
    let port = arguments.rsplit([':', ',', ' ']).next().unwrap_or_default();
    let digits: String = port.chars().filter(char::is_ascii_digit).collect();
    port.chars().all(|c| c.is_ascii_digit() || c == '"')
        && digits.parse::<u32>().is_ok_and(|port| port > 1)
}

pub(super) fn check_ignore(house: &House) -> Vec<Finding> {
    let bare = |line: &str| line.contains("#[ignore]");
    house
        .rust_files()
        .flat_map(|file| file.lines_where("ignore", None, bare, "a test without a reason"))
        .collect()
}

pub(super) fn check_later(house: &House) -> Vec<Finding> {
    // Put together, so that this file does not find itself.
    let words = ["TO", "FIX", "XX", "HA"]
        .iter()
        .zip(["DO", "ME", "X", "CK"]);
    let words: Vec<String> = words.map(|(head, tail)| format!("{head}{tail}")).collect();
    let mut findings = Vec::new();
    for file in &house.files {
        for (index, line) in file.text.lines().enumerate() {
            if words.iter().any(|word| has_word(line, word)) {
                findings.push(file.finding(index, "something for later"));
            }
        }
    }
    findings
}

pub(super) fn check_sizes(house: &House) -> Vec<Finding> {
    let long = |file: &&SourceFile| {
        file.text.lines().count() > LONGEST
            && !CASES.iter().any(|folder| file.path.contains(folder))
            && !file.text.contains("tidy: allow(sizes): ")
    };
    let finding = |file: &SourceFile| {
        let lines = file.text.lines().count();
        Finding::new(
            file.path.clone(),
            format!("{lines} lines, more than {LONGEST}"),
        )
    };
    house.rust_files().filter(long).map(finding).collect()
}

pub(super) fn check_places(house: &House) -> Vec<Finding> {
    let places = ["/work", "/tmp/t-", "/tmp/rooms", "/root"].map(|place| format!("{place}/"));
    let mut findings = Vec::new();
    for file in house
        .files
        .iter()
        .filter(|file| !file.path.ends_with("tidy/sources.rs"))
    {
        for (index, line) in file.text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place.as_str())) {
                findings.push(file.finding(index, "a place on one machine"));
            }
        }
    }
    findings
}

pub(super) fn check_texts(house: &House) -> Vec<Finding> {
    let missing = TEXTS.iter().filter(|path| house.file(path).is_none());
    missing
        .map(|path| Finding::new(*path, "is missing"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(path: &str, text: &str) -> House {
        House {
            files: vec![SourceFile::new(path, text.to_owned())],
            packages: Vec::new(),
        }
    }

    #[test]
    fn impure_words_are_found_outside_tests_only() {
        let text = "use std::fs;\n// std::env\n#[cfg(test)]\nmod tests {\nuse std::thread;\n}\n";
        assert_eq!(check_pure(&house("crates/wire/src/a.rs", text)).len(), 1);
        assert_eq!(check_pure(&house("crates/admin/src/a.rs", text)).len(), 0);
    }

    #[test]
    fn an_allowance_needs_a_reason() {
        let with = |why: &str| {
            let text = format!("// tidy: allow(pure): {why}\nuse std::fs;\n");
            check_pure(&house("crates/wire/src/a.rs", &text)).len()
        };
        assert_eq!(with("only the error type, which is plain data"), 0);
        assert_eq!(with(""), 1);
    }

    #[test]
    fn tests_that_sleep_or_are_off_without_reason_are_found() {
        let text = "fn a() {\n    thread::sleep(x);\n}\n#[ignore]\n#[ignore = \"slow\"]\n";
        assert_eq!(check_sleep(&house("crates/wire/tests/a.rs", text)).len(), 1);
        assert_eq!(check_sleep(&house("crates/wire/src/a.rs", text)).len(), 0);
        assert_eq!(
            check_ignore(&house("crates/wire/tests/a.rs", text)).len(),
            1
        );
    }

    #[test]
    fn fixed_ports_are_found() {
        for (line, fixed) in [
            // tidy: allow(ports): the case that has to be found, not a connection.
            ("TcpListener::bind(\"127.0.0.1:3306\")", true),
            // tidy: allow(ports): the case that has to be found, not a connection.
            ("TcpStream::connect((\"127.0.0.1\", 4006))", true),
            ("TcpListener::bind(\"127.0.0.1:0\")", false),
            ("TcpStream::connect(address)", false),
            ("TcpStream::connect((HOST, port))", false),
        ] {
            assert_eq!(has_fixed_port(line), fixed, "{line}");
        }
    }

    #[test]
    fn unsafe_code_is_found_outside_its_module() {
        let text = "#![forbid(unsafe_code)]\nfn a() { unsafe {} } // unsafe\n";
        assert_eq!(check_unsafe(&house("crates/wire/src/a.rs", text)).len(), 1);
        assert_eq!(
            check_unsafe(&house("crates/runtime/src/sys.rs", text)).len(),
            0
        );
    }
}
