//! The server binary: arguments, start, stop, signals.
fn main() {}
