//! Counts the steps of the lexer and of everything built on it, in tests alone: that the work is
//! linear in the length of a text is a claim that needs a number, and a clock is none.

/// Counts `_count` steps in tests; nothing otherwise.
#[inline(always)]
pub(crate) fn tick(_count: u64) {
    #[cfg(test)]
    counter::add(_count);
}

#[cfg(test)]
pub(crate) mod counter {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    pub(crate) fn add(count: u64) {
        STEPS.with(|steps| steps.set(steps.get() + count));
    }

    /// The steps that `work` takes.
    pub(crate) fn of(work: impl FnOnce()) -> u64 {
        let before = STEPS.with(Cell::get);
        work();
        STEPS.with(Cell::get) - before
    }
}
