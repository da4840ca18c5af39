//! The fuzz bodies on stable: over every text of the golden cases and the kept corpus, and over
//! seeded mutations of them.

mod bodies;

use tidegate_testkit::fuzz::{Target, corpus, explore};

const CASES: &[&str] = &[
    include_str!("../cases/a-plain-reads.txt"),
    include_str!("../cases/b-changes-and-locking-reads.txt"),
    include_str!("../cases/c-definitions-and-accounts.txt"),
    include_str!("../cases/d-session-state.txt"),
    include_str!("../cases/e-transactions.txt"),
    include_str!("../cases/f-xa.txt"),
    include_str!("../cases/g-temporary-tables.txt"),
    include_str!("../cases/h-text-prepared-statements.txt"),
    include_str!("../cases/i-functions.txt"),
    include_str!("../cases/j-sequences.txt"),
    include_str!("../cases/k-locks-and-administration.txt"),
    include_str!("../cases/l-show-and-explain.txt"),
    include_str!("../cases/m-several-statements.txt"),
    include_str!("../cases/n-comments.txt"),
    include_str!("../cases/o-quoting-and-names.txt"),
    include_str!("../cases/p-hints.txt"),
    include_str!("../cases/q-sql-mode-oracle.txt"),
];

/// Pieces that mutations are made with.
const PIECES: &[&[u8]] = &[
    b"'",
    b"\"",
    b"`",
    b"\\",
    b"/*",
    b"*/",
    b"/*!",
    b"/*!50000",
    b"/*!999999",
    b"/*M!",
    b"-- ",
    b"--",
    b"#",
    b"\n",
    b";",
    b"(",
    b")",
    b",",
    b".",
    b"@",
    b"@@",
    b":=",
    b"?",
    b"0x41",
    b"1e5",
    b"x'41'",
    b"N'a'",
    b"_utf8",
    b"DATE ",
    b"\xa0",
    b"\xbf",
    b"\0",
    b"SELECT ",
    b"SET ",
    b"FOR UPDATE",
    b"WITH a AS (",
    b"BEGIN ",
    b"END",
    b"CASE ",
    b"CREATE TEMPORARY TABLE ",
    b"PREPARE s FROM '",
    b"maxscale route to ",
    b"=",
];

/// The texts of the golden cases, in the default modes.
fn texts() -> impl Iterator<Item = Vec<u8>> {
    CASES
        .iter()
        .flat_map(|cases| cases.lines())
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.splitn(5, " | ").nth(4))
        .map(|text| [b"\0", text.as_bytes()].concat())
}

#[test]
fn bodies_hold_over_the_corpus_and_its_mutations() {
    for (name, body) in bodies::BODIES {
        let mut inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name}: nothing is kept");
        inputs.extend(texts());
        let target = Target {
            name,
            body: *body,
            pieces: PIECES,
            cost: 1,
        };
        explore(&target, &inputs);
    }
}
