//! What is said to a worker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rustix::thread::CpuSet;
use tidegate_session::digests::Digests;
use tidegate_session::question::Answer;
use tidegate_session::{
    Control, ControlError, Found, KillOrder, ServerId, ServiceSpec, SessionId, SessionView, Token,
};
use tidegate_tls::ListenerTls;

use crate::admission::Ticket;
use crate::config::Tuning;
use crate::figures::Holdings;
use crate::gather::Share;
use crate::worker::accept::{Arrival, Opening};

/// A message that is never refused.
#[derive(Debug)]
pub(crate) enum Message {
    /// To a question.
    Answer {
        session: SessionId,
        token: Token,
        answer: Answer,
    },
    /// For the session with this id, wherever it is: the worker that has it takes the control out.
    Control {
        session: SessionId,
        control: Arc<Mutex<Option<Control>>>,
        share: Share<Result<(), ControlError>>,
    },
    /// A listener's share for this worker.
    Open(Opening),
    /// A change of a listener.
    Listener {
        name: Arc<str>,
        change: ListenerChange,
    },
    /// The statement digests of a service begin anew.
    ResetDigests { service: Arc<str> },
    /// Find those of your sessions that are meant by a KILL.
    Victims {
        order: Arc<KillOrder>,
        share: Share<Found>,
    },
    /// All sessions of these services begin anew with them.
    Restart {
        services: Arc<BTreeMap<Arc<str>, Arc<ServiceSpec>>>,
        share: Share<(SessionId, ControlError)>,
    },
    /// A socket of a listener is another worker's now.
    Close { name: Arc<str>, slot: usize },
    /// Your part in the work: whether you leave when you have nothing left, how large your
    /// classification cache may be, and which processors you may run on, if that was decided.
    Role {
        leaving: bool,
        classifier_bytes: usize,
        processors: Option<CpuSet>,
    },
    /// Look whether you may leave.
    Look,
    /// Are you there?
    Pulse { share: Share<()> },
    /// New limits.
    Tuning(Tuning),
    /// The process wants to end: sessions too, `now` or when they have come to an end of what
    /// they are doing.
    Shutdown { now: bool },
}

/// A message that is refused when there are too many.
#[derive(Debug)]
pub(crate) enum Optional {
    /// Views of sessions.
    List {
        which: Which,
        share: Share<SessionView>,
    },
    /// Ids of all sessions.
    Ids { share: Share<SessionId> },
    /// What the worker holds.
    Holdings { share: Share<Holdings> },
    /// The statement digests of a service.
    Digests {
        service: Arc<str>,
        share: Share<Digests>,
    },
    /// Somebody waits for a connection to this server: give up one that is only kept.
    GiveUp(ServerId),
    /// A client that another worker accepted.
    Arrival(Box<Arrival>, Ticket),
}

/// Which sessions are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those with these ids, as far as they exist.
    Ids(Arc<[SessionId]>),
}

/// What happens to a listener.
#[derive(Debug, Clone)]
pub(crate) enum ListenerChange {
    /// Clients are accepted.
    Start,
    /// Clients queue in the kernel.
    Stop,
    /// New sessions run on this.
    Service(Arc<ServiceSpec>),
    /// New clients get this.
    Tls(Option<Arc<ListenerTls>>),
    /// It is closed.
    Remove,
}
