//! One worker's timers: a hierarchical wheel of coarse ticks.
//!
//! Setting, moving and cancelling a timer is O(1) and allocates nothing once the table of timers
//! has its size. A timer never fires early, and up to one tick late.
//!
//! What it leaves out: the clock. The owner says what time it is and asks when to look again.
//!
//! The invariant: a timer that is set is linked into exactly the slot its tick belongs to at the
//! time it was linked, and the bit of a slot is set exactly when its list is not empty.

use tidegate_session::Instant;

/// How coarse time is: what sessions wait for is counted in seconds.
const TICK_US: u64 = 100_000;

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// 64^4 ticks are 19 days; what lies beyond waits in the last slot and is looked at again.
const LEVELS: usize = 4;
const NONE: u32 = u32::MAX;

/// A timer that exists, set or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TimerId(u32);

#[derive(Debug)]
struct Node {
    /// What fires; `None`: the place is free.
    owner: Option<usize>,
    tick: u64,
    /// Which slot it is linked into, as `level * SLOTS + slot`; `NONE`: not set.
    slot: u32,
    next: u32,
    prev: u32,
}

/// The timers of one worker.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// Everything up to this tick has fired.
    now: u64,
    heads: Box<[u32; LEVELS * SLOTS]>,
    occupied: [u64; LEVELS],
    nodes: Vec<Node>,
    free: u32,
}

impl Wheel {
    pub(crate) fn new(now: Instant) -> Wheel {
        Wheel {
            now: now.0 / TICK_US,
            heads: Box::new([NONE; LEVELS * SLOTS]),
            occupied: [0; LEVELS],
            nodes: Vec::new(),
            free: NONE,
        }
    }

    /// A new timer, not set. `owner` is what [`Wheel::fire`] will report.
    pub(crate) fn add(&mut self, owner: usize) -> TimerId {
        let node = Node {
            owner: Some(owner),
            tick: 0,
            slot: NONE,
            next: NONE,
            prev: NONE,
        };
        if self.free == NONE {
            self.nodes.push(node);
            return TimerId(u32::try_from(self.nodes.len() - 1).unwrap_or(NONE));
        }
        let ix = self.free;
        self.free = self.nodes[ix as usize].next;
        self.nodes[ix as usize] = node;
        TimerId(ix)
    }

    /// Changes what [`Wheel::fire`] will report of a timer.
    pub(crate) fn rename(&mut self, id: TimerId, owner: usize) {
        self.nodes[id.0 as usize].owner = Some(owner);
    }

    /// Forgets a timer; its id may be given out again.
    pub(crate) fn remove(&mut self, id: TimerId) {
        self.unlink(id.0);
        let node = &mut self.nodes[id.0 as usize];
        node.owner = None;
        node.next = self.free;
        self.free = id.0;
    }

    /// Sets a timer, or moves it.
    pub(crate) fn set(&mut self, id: TimerId, at: Instant) {
        let tick = at.0.div_ceil(TICK_US).max(self.now + 1);
        let node = &self.nodes[id.0 as usize];
        if node.slot != NONE && node.tick == tick {
            return;
        }
        self.unlink(id.0);
        self.nodes[id.0 as usize].tick = tick;
        self.link(id.0);
    }

    /// Unsets a timer.
    #[cfg(test)]
    fn cancel(&mut self, id: TimerId) {
        self.unlink(id.0);
    }

    /// Gives the owners of the timers whose time has come to `fired`, each timer once.
    pub(crate) fn fire(&mut self, now: Instant, mut fired: impl FnMut(usize)) {
        let until = now.0 / TICK_US;
        while let Some(tick) = self.next_tick().filter(|tick| *tick <= until) {
            self.now = tick;
            self.spread(tick);
            while let Some(ix) = self.head(0, slot_of(tick, 0)) {
                self.unlink(ix);
                if let Some(owner) = self.nodes[ix as usize].owner {
                    fired(owner);
                }
            }
        }
        self.now = self.now.max(until);
    }

    /// When [`Wheel::fire`] has something to do next: not after the first timer.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.next_tick()
            .map(|tick| Instant(tick.saturating_mul(TICK_US)))
    }

    /// The next tick at which a slot of any level has its turn.
    fn next_tick(&self) -> Option<u64> {
        (0..LEVELS)
            .filter_map(|level| self.next_of_level(level))
            .min()
    }

    fn next_of_level(&self, level: usize) -> Option<u64> {
        if self.occupied[level] == 0 {
            return None;
        }
        let shift = SLOT_BITS * level as u32;
        let current = self.now >> shift;
        // The slots after the current one, the nearest first; the current one comes last, a whole
        // turn away.
        let turned =
            self.occupied[level].rotate_right((slot_of(self.now, level) as u32 + 1) % SLOTS as u32);
        Some((current + 1 + u64::from(turned.trailing_zeros())) << shift)
    }

    /// Moves what waits in the higher levels' slots of this tick to where it belongs now.
    fn spread(&mut self, tick: u64) {
        for level in (1..LEVELS).rev() {
            if tick & ((1 << (SLOT_BITS * level as u32)) - 1) != 0 {
                continue;
            }
            // What lies beyond the last level comes back into the same slot: the list is taken
            // off as a whole first.
            let slot = slot_of(tick, level);
            let mut next = std::mem::replace(&mut self.heads[level * SLOTS + slot], NONE);
            self.occupied[level] &= !(1 << slot);
            while next != NONE {
                let ix = next;
                next = self.nodes[ix as usize].next;
                self.link(ix);
            }
        }
    }

    fn head(&self, level: usize, slot: usize) -> Option<u32> {
        Some(self.heads[level * SLOTS + slot]).filter(|ix| *ix != NONE)
    }

    fn link(&mut self, ix: u32) {
        let tick = self.nodes[ix as usize].tick;
        let (level, slot) = self.place(tick);
        let at = level * SLOTS + slot;
        let next = self.heads[at];
        if next != NONE {
            self.nodes[next as usize].prev = ix;
        }
        let node = &mut self.nodes[ix as usize];
        node.slot = at as u32;
        node.next = next;
        node.prev = NONE;
        self.heads[at] = ix;
        self.occupied[level] |= 1 << slot;
    }

    /// The slot of a tick: the lowest level on which it lies less than a turn ahead.
    fn place(&self, tick: u64) -> (usize, usize) {
        for level in 0..LEVELS {
            let shift = SLOT_BITS * level as u32;
            if (tick >> shift).saturating_sub(self.now >> shift) < SLOTS as u64 {
                return (level, slot_of(tick, level));
            }
        }
        let level = LEVELS - 1;
        let last = (self.now >> (SLOT_BITS * level as u32)) + SLOTS as u64 - 1;
        (level, last as usize % SLOTS)
    }

    fn unlink(&mut self, ix: u32) {
        let node = &mut self.nodes[ix as usize];
        let at = std::mem::replace(&mut node.slot, NONE);
        if at == NONE {
            return;
        }
        let (next, prev) = (node.next, node.prev);
        if next != NONE {
            self.nodes[next as usize].prev = prev;
        }
        if prev != NONE {
            self.nodes[prev as usize].next = next;
        } else {
            self.heads[at as usize] = next;
            if next == NONE {
                self.occupied[at as usize / SLOTS] &= !(1 << (at as usize % SLOTS));
            }
        }
    }
}

fn slot_of(tick: u64, level: usize) -> usize {
    (tick >> (SLOT_BITS * level as u32)) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ticks: u64) -> Instant {
        Instant(ticks * TICK_US)
    }

    fn fired(wheel: &mut Wheel, now: Instant) -> Vec<usize> {
        let mut owners = Vec::new();
        wheel.fire(now, |owner| owners.push(owner));
        owners.sort_unstable();
        owners
    }

    /// Follows the wheel's own advice when to look, up to `until`: owner and tick of what fired.
    fn run(wheel: &mut Wheel, until: Instant) -> Vec<(usize, u64)> {
        let mut log = Vec::new();
        while let Some(next) = wheel.next().filter(|next| *next <= until) {
            log.extend(
                fired(wheel, next)
                    .into_iter()
                    .map(|owner| (owner, next.0 / TICK_US)),
            );
        }
        log
    }

    #[test]
    fn fires_at_its_tick_on_every_level() {
        for start in [0, 1, 63, 64, 4095, 262_143, 999_999] {
            let mut wheel = Wheel::new(at(start));
            let spans = [
                1, 2, 63, 64, 65, 127, 4095, 4096, 4097, 262_143, 262_144, 16_777_215, 16_777_216,
                50_000_000,
            ];
            for (owner, span) in spans.into_iter().enumerate() {
                let id = wheel.add(owner);
                wheel.set(id, at(start + span));
            }
            let expect: Vec<_> = spans
                .into_iter()
                .enumerate()
                .map(|(owner, span)| (owner, start + span))
                .collect();
            assert_eq!(run(&mut wheel, at(u64::MAX / TICK_US)), expect);
            assert_eq!(wheel.next(), None);
        }
    }

    #[test]
    fn never_early() {
        let mut wheel = Wheel::new(Instant(12_345));
        let id = wheel.add(1);
        wheel.set(id, Instant(TICK_US + 1));
        assert_eq!(
            fired(&mut wheel, Instant(2 * TICK_US - 1)),
            [] as [usize; 0]
        );
        assert_eq!(fired(&mut wheel, Instant(2 * TICK_US)), [1]);
    }

    #[test]
    fn what_lies_in_the_past_fires_at_the_next_tick() {
        let mut wheel = Wheel::new(at(1000));
        let id = wheel.add(1);
        wheel.set(id, at(3));
        assert_eq!(fired(&mut wheel, at(1001)), [1]);
    }

    #[test]
    fn moved_cancelled_removed() {
        let mut wheel = Wheel::new(at(0));
        let ids: Vec<_> = (0..4).map(|owner| wheel.add(owner)).collect();
        for id in &ids {
            wheel.set(*id, at(10));
        }
        wheel.set(ids[0], at(5));
        wheel.set(ids[1], at(5000));
        wheel.cancel(ids[2]);
        wheel.remove(ids[3]);
        assert_eq!(wheel.add(9), ids[3], "a free place is used again");
        assert_eq!(run(&mut wheel, at(100_000)), [(0, 5), (1, 5000)]);
    }

    #[test]
    fn can_be_set_again_after_it_fired() {
        let mut wheel = Wheel::new(at(0));
        let id = wheel.add(1);
        for tick in [3, 70, 71, 9000] {
            wheel.set(id, at(tick));
            assert_eq!(run(&mut wheel, at(tick)), [(1, tick)]);
        }
    }

    #[test]
    fn a_late_look_fires_everything_that_was_missed() {
        let mut wheel = Wheel::new(at(0));
        for owner in 0..200 {
            let id = wheel.add(owner);
            wheel.set(id, at(owner as u64 * 37 + 1));
        }
        assert_eq!(
            fired(&mut wheel, at(1_000_000)),
            (0..200).collect::<Vec<_>>()
        );
    }

    #[test]
    fn agrees_with_a_sorted_list_under_random_moves() {
        let mut seed = 7u64;
        let mut random = move |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut wheel = Wheel::new(at(0));
        let mut model = [None; 50];
        let ids: Vec<_> = (0..50).map(|owner| wheel.add(owner)).collect();
        let mut now = 0;
        for _ in 0..20_000 {
            let owner = random(50) as usize;
            let span = [3, 100, 10_000][random(3) as usize];
            let tick = now + 1 + random(span);
            wheel.set(ids[owner], at(tick));
            model[owner] = Some(tick);
            now += random(40);
            let mut expect: Vec<_> = (0..50)
                .filter(|ix| model[*ix].is_some_and(|tick| tick <= now))
                .collect();
            expect.iter().for_each(|ix| model[*ix] = None);
            expect.sort_unstable();
            assert_eq!(fired(&mut wheel, at(now)), expect);
        }
    }
}
