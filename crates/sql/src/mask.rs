//! The type mask: what kind of statement a text is, as a set of flags.
//!
//! The names are those that MaxScale's REST API prints with the prefix `sql::TYPE_`, so that tools
//! which read the answer of its classify endpoint keep working. What a mask cannot say (several
//! statements in one text, questions about the statement before, names) stands beside it in
//! [`Statement`](crate::Statement).

use std::fmt;
use std::ops::{BitOr, BitOrAssign, Sub};

/// A set of statement type flags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct TypeMask(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl TypeMask {
            $($(#[$doc])* pub const $name: TypeMask = TypeMask(1 << $bit);)*

            /// Every flag with its name, in the order in which they are printed.
            pub const ALL: &'static [(&'static str, TypeMask)] =
                &[$((stringify!($name), TypeMask::$name)),*];
        }
    };
}

flags! {
    /// The text holds no statement: empty, only comments, only semicolons.
    UNKNOWN = 0;
    /// The statement returns data. Also set on locking reads and reads that call functions.
    READ = 1;
    /// It changes data, schema, accounts, locks or server state, or nobody can prove that it does not.
    WRITE = 2;
    /// A read whose answer is only right on the primary.
    MASTER_READ = 3;
    /// It changes the state of the connection and must reach every connection of the session.
    SESSION_WRITE = 4;
    /// A user variable is read.
    USERVAR_READ = 5;
    /// A user variable is assigned: SET, `:=`, SELECT INTO, an OUT argument, GET DIAGNOSTICS.
    USERVAR_WRITE = 6;
    /// A system variable is read without the scope GLOBAL.
    SYSVAR_READ = 7;
    /// A global system variable is read.
    GSYSVAR_READ = 8;
    /// A global or persistent system variable is assigned.
    GSYSVAR_WRITE = 9;
    /// A transaction starts.
    BEGIN_TRX = 10;
    /// The transaction ends by a commit.
    COMMIT = 11;
    /// The transaction ends by a rollback.
    ROLLBACK = 12;
    /// The access mode READ ONLY was given, for this transaction or as the session's default.
    READONLY = 13;
    /// The access mode READ WRITE was given.
    READWRITE = 14;
    /// `SET TRANSACTION` without a scope word: it concerns the next transaction alone.
    NEXT_TRX = 15;
    /// The session's autocommit is switched on by a literal.
    ENABLE_AUTOCOMMIT = 16;
    /// The session's autocommit is switched off by a literal.
    DISABLE_AUTOCOMMIT = 17;
    /// A temporary table is created.
    CREATE_TMP_TABLE = 18;
    /// A table is read that the session knows as one of its temporary tables. The text alone
    /// cannot tell: see [`TempTables`](crate::TempTables).
    READ_TMP_TABLE = 19;
    /// A binary prepare (`COM_STMT_PREPARE`): set by whoever sees the command.
    PREPARE_STMT = 20;
    /// `PREPARE name FROM ...`.
    PREPARE_NAMED_STMT = 21;
    /// `EXECUTE` or `EXECUTE IMMEDIATE`.
    EXEC_STMT = 22;
    /// `DEALLOCATE PREPARE` or `DROP PREPARE`.
    DEALLOC_PREPARE = 23;
    /// `SHOW DATABASES` or `SHOW SCHEMAS`.
    SHOW_DATABASES = 24;
    /// `SHOW [FULL] TABLES`.
    SHOW_TABLES = 25;
}

impl TypeMask {
    /// No flag at all.
    pub const NONE: TypeMask = TypeMask(0);

    /// The raw bits, for storing.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The mask of raw bits; bits without a name are dropped.
    #[must_use]
    pub const fn from_bits(bits: u32) -> TypeMask {
        TypeMask(bits & ((1 << 26) - 1))
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: TypeMask) -> TypeMask {
        TypeMask(self.0 | other.0)
    }

    /// Whether every flag of `other` is set.
    #[must_use]
    pub const fn contains(self, other: TypeMask) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: TypeMask) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the flags that are set, in the order of [`TypeMask::ALL`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL
            .iter()
            .filter(move |(_, flag)| self.contains(*flag))
            .map(|(name, _)| *name)
    }
}

impl BitOr for TypeMask {
    type Output = TypeMask;
    fn bitor(self, other: TypeMask) -> TypeMask {
        self.union(other)
    }
}

impl BitOrAssign for TypeMask {
    fn bitor_assign(&mut self, other: TypeMask) {
        *self = self.union(other);
    }
}

impl Sub for TypeMask {
    type Output = TypeMask;
    /// The flags of `self` that are not in `other`.
    fn sub(self, other: TypeMask) -> TypeMask {
        TypeMask(self.0 & !other.0)
    }
}

/// `sql::TYPE_READ|sql::TYPE_WRITE`, as the REST API prints a mask.
impl fmt::Display for TypeMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str("|")?;
            }
            write!(f, "sql::TYPE_{name}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TypeMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypeMask(")?;
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(name)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::TypeMask;

    #[test]
    fn prints_as_the_rest_api_does() {
        let mask = TypeMask::WRITE | TypeMask::READ;
        assert_eq!(mask.to_string(), "sql::TYPE_READ|sql::TYPE_WRITE");
        assert_eq!(format!("{mask:?}"), "TypeMask(READ, WRITE)");
    }

    #[test]
    fn bits_go_there_and_back() {
        let all = TypeMask::ALL
            .iter()
            .fold(TypeMask::NONE, |sum, (_, flag)| sum | *flag);
        assert_eq!(TypeMask::from_bits(all.bits()), all);
        assert_eq!(TypeMask::from_bits(u32::MAX), all);
        assert_eq!((all - TypeMask::READ) | TypeMask::READ, all);
    }
}
