//! Names and texts inside statements: the one place that quotes them.

/// A name in backticks.
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in single quotes, right under every `sql_mode`: quotes are doubled, and a text with
/// backslashes, whose meaning depends on `NO_BACKSLASH_ESCAPES`, is written in hexadecimal.
#[must_use]
pub fn quote_text(text: &str) -> String {
    if text.contains('\\') {
        let digits: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        return format!("_utf8mb4 X'{digits}'");
    }
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold() {
        assert_eq!(quote_identifier("a`b"), "`a``b`");
        assert_eq!(quote_text("it's"), "'it''s'");
        assert_eq!(quote_text("a\\'"), "_utf8mb4 X'615C27'");
    }
}
