//! What an account manager has to tell the log.

use std::fmt;

use crate::load::Gap;

/// One line for the log, naming service and server; never a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountNote {
    /// A load succeeded.
    Loaded {
        /// The service.
        service: String,
        /// From where.
        servers: Vec<String>,
        /// How many accounts there are.
        accounts: usize,
        /// Did it bring anything new? If not, the line is of little interest.
        changed: bool,
    },
    /// A load failed, for another reason than the last.
    Failed {
        /// The service.
        service: String,
        /// Why, one reason a server.
        reasons: Vec<String>,
    },
    /// Some servers of several could not be read; the others count.
    Incomplete {
        /// The service.
        service: String,
        /// Why, one reason a server.
        reasons: Vec<String>,
    },
    /// Less is known than could be.
    Gap {
        /// The service.
        service: String,
        /// What is missing.
        gap: Gap,
    },
    /// The service's new password is refused, the one before it still works.
    OldPassword {
        /// The service.
        service: String,
        /// Where.
        server: String,
    },
}

impl AccountNote {
    /// Does it ask for somebody's attention?
    #[must_use]
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Loaded { .. } => false,
            Self::Failed { .. }
            | Self::Incomplete { .. }
            | Self::Gap { .. }
            | Self::OldPassword { .. } => true,
        }
    }
}

impl fmt::Display for AccountNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded {
                service,
                servers,
                accounts,
                changed,
            } => {
                let from = servers.join("', '");
                write!(
                    f,
                    "service '{service}': read {accounts} accounts from '{from}'"
                )?;
                f.write_str(if *changed { "" } else { ", nothing new" })
            }
            Self::Failed { service, reasons } => {
                let reasons = reasons.join("; ");
                write!(
                    f,
                    "service '{service}': accounts cannot be loaded: {reasons}"
                )
            }
            Self::Incomplete { service, reasons } => {
                let reasons = reasons.join("; ");
                write!(
                    f,
                    "service '{service}': accounts of some servers are missing: {reasons}"
                )
            }
            Self::Gap { service, gap } => write!(f, "service '{service}': {gap}"),
            Self::OldPassword { service, server } => write!(
                f,
                "service '{service}': server '{server}' refuses the service's password but takes \
                 the one from before its last change"
            ),
        }
    }
}
