use super::*;
use proptest::prelude::*;

const MODES: Modes = Modes {
    ansi_quotes: false,
    no_backslash_escapes: false,
    oracle: false,
    mysql_family: false,
    multibyte: crate::Multibyte::None,
};

#[test]
fn literals_share_an_entry_and_modes_do_not() {
    let mut cache = Cache::new(1 << 20);
    for text in [
        "SELECT a FROM t WHERE b = 1",
        "SELECT a  FROM t WHERE b = 'x'",
    ] {
        assert_eq!(cache.classify(text.as_bytes(), MODES).mask, TypeMask::READ);
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (1, 1, 1));
    let mysql = Modes {
        mysql_family: true,
        ..MODES
    };
    assert!(
        cache
            .classify(b"SELECT NVL(1, 2)", mysql)
            .mask
            .contains(TypeMask::WRITE)
    );
    assert_eq!(
        cache.classify(b"SELECT NVL(1, 2)", MODES).mask,
        TypeMask::READ
    );
    assert_eq!(cache.stats().misses, 3);
}

#[test]
fn texts_whose_literals_decide_are_not_kept() {
    let mut cache = Cache::new(1 << 20);
    for (text, mask) in [
        (
            "/* x */ SET autocommit = 1",
            TypeMask::SESSION_WRITE | TypeMask::ENABLE_AUTOCOMMIT | TypeMask::COMMIT,
        ),
        (
            "/* x */ SET autocommit = 0",
            TypeMask::SESSION_WRITE | TypeMask::DISABLE_AUTOCOMMIT | TypeMask::BEGIN_TRX,
        ),
        (
            "SET @a = 1",
            TypeMask::SESSION_WRITE | TypeMask::USERVAR_WRITE,
        ),
        (
            " EXECUTE IMMEDIATE 'SELECT 1'",
            TypeMask::EXEC_STMT | TypeMask::READ,
        ),
        (
            "\tEXECUTE\nIMMEDIATE 'DELETE FROM t'",
            TypeMask::EXEC_STMT | TypeMask::WRITE,
        ),
        ("KILL 5", TypeMask::WRITE),
        ("SELECT 'unclosed", TypeMask::READ | TypeMask::WRITE),
    ] {
        assert_eq!(cache.classify(text.as_bytes(), MODES).mask, mask, "{text}");
    }
    assert_eq!(cache.stats().entries, 0);
}

/// A statement with a name that no other index has.
fn numbered(index: usize) -> String {
    format!("SELECT column_{index} FROM some_table_{index} WHERE a = 1")
}

#[test]
fn memory_is_bounded_and_what_is_used_stays() {
    let limit = 64 * 1024;
    let mut cache = Cache::new(limit);
    for index in 0..10_000 {
        cache.classify(numbered(index).as_bytes(), MODES);
        assert_eq!(
            cache.classify(b"SELECT popular FROM t", MODES).mask,
            TypeMask::READ
        );
        assert!(cache.stats().size <= limit);
    }
    let stats = cache.stats();
    assert_eq!(stats.inserts - stats.evictions, stats.entries as u64);
    assert!(stats.entries > 100, "{stats:?}");
    assert_eq!(stats.hits, 9_999, "the popular one is never evicted");
    assert_eq!(&*cache.top(1)[0].canonical, b"SELECT popular FROM t");
    cache.check();
}

#[test]
fn a_smaller_limit_takes_effect_at_once() {
    let mut cache = Cache::new(1 << 20);
    for index in 0..500 {
        cache.classify(numbered(index).as_bytes(), MODES);
    }
    assert!(cache.stats().entries > 490, "few sets overflow");
    cache.set_max_bytes(10_000);
    assert!(cache.stats().size <= 10_000);
    cache.check();
    cache.set_max_bytes(0);
    assert_eq!((cache.stats().size, cache.stats().entries), (0, 0));
    cache.classify(b"SELECT 1", MODES);
    assert_eq!(cache.stats().entries, 0);
}

#[test]
fn long_texts_are_classified_anew() {
    let mut cache = Cache::new(64 << 20);
    let long = format!("INSERT INTO t VALUES ('{}')", "x".repeat(MAX_TEXT));
    assert_eq!(cache.classify(long.as_bytes(), MODES).mask, TypeMask::WRITE);
    assert_eq!(cache.stats(), CacheStats::default());
}

#[test]
fn full_sets_make_room_by_themselves() {
    let mut cache = Cache::new(64 << 20);
    // All in one set: their digests share every bit that chooses it.
    for tag in 0..100u64 {
        let entry = Entry {
            serial: tag,
            digest: tag << 32,
            modes: MODES,
            canonical: tag.to_string().into_bytes().into(),
            statement: Statement::default(),
            hits: tag,
            size: 1,
            touched: true,
        };
        cache.insert(entry);
        cache.check();
    }
    assert_eq!(
        (cache.stats().entries, cache.stats().evictions),
        (WAYS, 100 - WAYS as u64)
    );
}

#[test]
fn entries_that_are_full_of_hits_are_listed_first() {
    let mut cache = Cache::new(1 << 20);
    for (text, times) in [("SELECT a", 3), ("SELECT b", 5), ("DELETE FROM c", 4)] {
        for _ in 0..times {
            cache.classify(text.as_bytes(), MODES);
        }
    }
    let listed: Vec<(String, u64)> = cache
        .top(2)
        .into_iter()
        .map(|entry| {
            (
                String::from_utf8_lossy(&entry.canonical).into_owned(),
                entry.hits,
            )
        })
        .collect();
    assert_eq!(
        listed,
        [("SELECT b".into(), 4), ("DELETE FROM c".into(), 3)]
    );
}

#[test]
fn the_same_bytes_again_are_a_hit_of_their_entry() {
    let mut cache = Cache::new(1 << 20);
    for _ in 0..3 {
        for text in ["SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = 2"] {
            cache.classify(text.as_bytes(), MODES);
        }
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (5, 1, 1));
    assert_eq!(cache.top(1)[0].hits, 5);
}

#[test]
fn an_entry_that_is_gone_is_not_found_by_its_text_either() {
    let mut cache = Cache::new(1 << 20);
    let text = b"DELETE FROM t WHERE b = 1";
    for _ in 0..2 {
        assert_eq!(cache.classify(text, MODES).mask, TypeMask::WRITE);
    }
    cache.evict(0);
    // Its place is taken by another.
    cache.classify(b"SELECT a", MODES);
    assert_eq!(cache.entries.iter().flatten().count(), 1);
    assert_eq!(cache.classify(text, MODES).mask, TypeMask::WRITE);
    assert_eq!(cache.stats().entries, 2);
}

#[test]
fn entries_and_texts_share_the_limit() {
    for limit in [0, 100, 4096, 1 << 16, 1 << 20, 1 << 30] {
        let cache = Cache::new(limit);
        assert!(cache.shapes.reserved_bytes() <= limit / SHAPES_SHARE);
        assert!(cache.shapes.reserved_bytes() <= 512 * 1024);
    }
}

proptest! {
    #[test]
    fn whatever_came_before_a_text_has_its_own_class(
        turns in prop::collection::vec((0..12u8, any::<bool>(), 0..3u8), 0..300),
    ) {
        let mut cache = Cache::new(1 << 14);
        // Few slots, so that texts take each other's.
        cache.shapes = Shapes::new(5 * 1400);
        for (which, mysql_family, literal) in turns {
            let modes = Modes { mysql_family, ..MODES };
            let text = match which {
                0..8 => format!("SELECT NVL(a, {literal}) FROM t{which} WHERE b = 'x'"),
                8 => format!("/* x */ SET autocommit = {}", literal % 2),
                9 => format!("INSERT INTO t VALUES ({literal})"),
                10 => numbered(usize::from(literal)),
                _ => "COMMIT".to_owned(),
            };
            prop_assert_eq!(
                cache.classify(text.as_bytes(), modes),
                &classify(text.as_bytes(), modes)
            );
        }
        cache.check();
    }
}

impl Cache {
    /// Every entry is in its set once, and the counters agree.
    fn check(&self) {
        let linked: Vec<usize> = self
            .sets
            .iter()
            .flat_map(|set| set.slots)
            .filter_map(|slot| (slot as usize).checked_sub(1))
            .collect();
        assert_eq!(linked.len(), self.stats.entries);
        for index in linked {
            let entry = self.entries[index].as_ref().expect("a linked entry");
            let set = &self.sets[self.set_index(entry.digest)];
            assert!(set.slots.contains(&(index as u32 + 1)));
        }
        let size: usize = self.entries.iter().flatten().map(|entry| entry.size).sum();
        assert_eq!(size, self.stats.size);
        assert_eq!(self.entries.len(), self.stats.entries + self.free.len());
    }
}
