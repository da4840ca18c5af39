//! Work that visits many sessions: a bounded number of them in one round of the loop.
//!
//! A session never changes its seat, so a cursor over the table visits each session that exists
//! from beginning to end exactly once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tidegate_session::{
    BufferView, Cause, Control, ControlError, Found, KillOrder, MemoryView, ServiceSpec, SessionId,
    SessionView, Whom,
};

use super::Worker;
use super::conn::Conn;
use super::desk::Flow;
use super::seat::Seated;
use crate::figures::Holdings;
use crate::gather::Share;
use crate::message::Which;

/// Seats that are visited in one round.
const ROUND_SEATS: usize = 64;

/// A visit to many sessions.
#[derive(Debug)]
pub(crate) enum Job {
    /// Views of all sessions.
    Views {
        cursor: usize,
        views: Vec<SessionView>,
        share: Share<SessionView>,
    },
    /// Views of certain sessions.
    Some {
        cursor: usize,
        ids: Arc<[SessionId]>,
        views: Vec<SessionView>,
        share: Share<SessionView>,
    },
    /// What everything holds.
    Holdings {
        cursor: usize,
        session_bytes: usize,
        share: Share<Holdings>,
    },
    /// The servers changed.
    Servers { cursor: usize },
    /// Sessions begin anew with other snapshots of their services.
    Restart {
        cursor: usize,
        services: Services,
        refused: Vec<(SessionId, ControlError)>,
        share: Share<(SessionId, ControlError)>,
    },
    /// Sessions that are meant by a KILL.
    Victims {
        cursor: usize,
        order: Arc<KillOrder>,
        found: Vec<Found>,
        share: Share<Found>,
    },
    /// Everybody has to go.
    Shutdown { cursor: usize, now: bool },
}

/// Services by name.
type Services = Arc<BTreeMap<Arc<str>, Arc<ServiceSpec>>>;

/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct Jobs(VecDeque<Job>);

impl Jobs {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn list(&mut self, which: Which, share: Share<SessionView>) {
        let views = Vec::new();
        self.0.push_back(match which {
            Which::All => Job::Views {
                cursor: 0,
                views,
                share,
            },
            Which::Ids(ids) => Job::Some {
                cursor: 0,
                ids,
                views,
                share,
            },
        });
    }

    pub(crate) fn holdings(&mut self, share: Share<Holdings>) {
        self.0.push_back(Job::Holdings {
            cursor: 0,
            session_bytes: 0,
            share,
        });
    }

    /// Tells all sessions about the servers; one that is being told begins again.
    pub(crate) fn servers(&mut self) {
        self.0.retain(|job| !matches!(job, Job::Servers { .. }));
        self.0.push_back(Job::Servers { cursor: 0 });
    }

    pub(crate) fn restart(&mut self, services: Services, share: Share<(SessionId, ControlError)>) {
        self.0.push_back(Job::Restart {
            cursor: 0,
            services,
            refused: Vec::new(),
            share,
        });
    }

    pub(crate) fn victims(&mut self, order: Arc<KillOrder>, share: Share<Found>) {
        self.0.push_back(Job::Victims {
            cursor: 0,
            order,
            found: Vec::new(),
            share,
        });
    }

    pub(crate) fn shutdown(&mut self, now: bool) {
        self.0.retain(|job| !matches!(job, Job::Shutdown { .. }));
        self.0.push_back(Job::Shutdown { cursor: 0, now });
    }
}

impl Worker {
    /// Goes on with the oldest job; it goes to the back of the row if there is more to do.
    pub(super) fn job(&mut self) {
        let Some(job) = self.jobs.0.pop_front() else {
            return;
        };
        let unfinished = match job {
            Job::Views {
                cursor,
                mut views,
                share,
            } => {
                let end = self.visit(cursor, |worker, seat| views.extend(worker.view(seat)));
                match end {
                    Some(cursor) => Some(Job::Views {
                        cursor,
                        views,
                        share,
                    }),
                    None => {
                        share.give(views);
                        None
                    }
                }
            }
            Job::Some {
                cursor,
                ids,
                mut views,
                share,
            } => {
                let end = ids.len().min(cursor + ROUND_SEATS);
                for id in ids.get(cursor..end).unwrap_or_default() {
                    let seat = self.ids.get(id).copied();
                    views.extend(seat.and_then(|seat| self.view(seat)));
                }
                if end < ids.len() {
                    Some(Job::Some {
                        cursor: end,
                        ids,
                        views,
                        share,
                    })
                } else {
                    share.give(views);
                    None
                }
            }
            Job::Holdings {
                cursor,
                mut session_bytes,
                share,
            } => {
                let end = self.visit(cursor, |worker, seat| session_bytes += worker.memory(seat));
                match end {
                    Some(cursor) => Some(Job::Holdings {
                        cursor,
                        session_bytes,
                        share,
                    }),
                    None => {
                        share.give(vec![Holdings {
                            worker: self.desk.index,
                            classifier: self.desk.classifier.stats(),
                            session_bytes,
                        }]);
                        None
                    }
                }
            }
            Job::Servers { cursor } => {
                let end = self.visit(cursor, |worker, seat| {
                    worker.with_session(seat, |desk, seated| {
                        desk.event(seated, |session, env| session.on_servers(env))
                    });
                });
                end.map(|cursor| Job::Servers { cursor })
            }
            Job::Restart {
                cursor,
                services,
                mut refused,
                share,
            } => {
                let end = self.visit(cursor, |worker, seat| {
                    refused.extend(worker.restart(seat, &services));
                });
                match end {
                    Some(cursor) => Some(Job::Restart {
                        cursor,
                        services,
                        refused,
                        share,
                    }),
                    None => {
                        share.give(refused);
                        None
                    }
                }
            }
            Job::Victims {
                cursor,
                order,
                mut found,
                share,
            } => {
                let end = match order.whom {
                    Whom::Session(id) => {
                        let seat = self.ids.get(&id).copied();
                        found.extend(seat.and_then(|seat| self.victim(seat, &order)));
                        None
                    }
                    Whom::User { .. } => self.visit(cursor, |worker, seat| {
                        found.extend(worker.victim(seat, &order));
                    }),
                };
                match end {
                    Some(cursor) => Some(Job::Victims {
                        cursor,
                        order,
                        found,
                        share,
                    }),
                    None => {
                        share.give(found);
                        None
                    }
                }
            }
            Job::Shutdown { cursor, now } => {
                let end = self.visit(cursor, |worker, seat| worker.dismiss(seat, now));
                end.map(|cursor| Job::Shutdown { cursor, now })
            }
        };
        self.jobs.0.extend(unfinished);
    }

    /// Visits some seats; where to go on, if there are more.
    fn visit(&mut self, cursor: usize, mut each: impl FnMut(&mut Worker, usize)) -> Option<usize> {
        let end = self.table.len().min(cursor + ROUND_SEATS);
        for seat in cursor..end {
            each(self, seat);
        }
        (end < self.table.len()).then_some(end)
    }

    /// Asks a session to end, or ends it.
    fn dismiss(&mut self, seat: usize, now: bool) {
        self.with_session(seat, |desk, seated| {
            let control = if now {
                Control::End(Cause::Shutdown)
            } else {
                Control::Drain(Cause::Shutdown)
            };
            // A session that has just ended needs not be told.
            let _ = desk.event(seated, |session, env| session.on_control(control, env))?;
            Ok(())
        });
    }

    /// Asks a session to begin anew; who it is and why not, if it does not want to.
    fn restart(&mut self, seat: usize, services: &Services) -> Option<(SessionId, ControlError)> {
        let mut refused = None;
        self.with_session(seat, |desk, seated: &mut Seated| {
            let service = services.get(&seated.session.service().name);
            let Some(service) = service.filter(|_| seated.session.has_login()) else {
                return Ok(());
            };
            let control = Control::Restart(Arc::clone(service));
            let granted = desk.event(seated, |session, env| session.on_control(control, env))?;
            refused = granted.err().map(|error| (seated.id, error));
            Ok(())
        });
        refused
    }

    /// A session as the victim of a KILL, if it is meant.
    fn victim(&mut self, seat: usize, order: &KillOrder) -> Option<Found> {
        let mut found = None;
        self.with_session(seat, |desk, seated: &mut Seated| -> Flow {
            found = desk.enter(seated, |session, _| session.as_victim(order))?;
            Ok(())
        });
        found
    }

    /// What a session holds in memory, its buffers included.
    fn memory(&mut self, seat: usize) -> usize {
        let mut bytes = 0;
        self.with_session(seat, |desk, seated: &mut Seated| -> Flow {
            let servers = Arc::clone(&desk.servers.views);
            let mut memory = desk.enter(seated, |session, _| session.memory(&servers))?;
            add_buffers(&mut memory, seated);
            bytes = memory.total();
            Ok(())
        });
        bytes
    }

    /// A session as REST shows it; `None` before its login is complete.
    fn view(&mut self, seat: usize) -> Option<SessionView> {
        let mut view = None;
        self.with_session(seat, |desk, seated: &mut Seated| -> Flow {
            let (now, index) = (desk.now, desk.index);
            let servers = Arc::clone(&desk.servers.views);
            if seated.session.has_login() {
                let mut made =
                    desk.enter(seated, |session, _| session.view(now, index, &servers))?;
                add_buffers(&mut made.memory, seated);
                view = Some(made);
            }
            Ok(())
        });
        view
    }
}

/// Adds what the worker holds for a session to the session's own account of its memory.
fn add_buffers(memory: &mut MemoryView, seated: &Seated) {
    let add = |buffers: &mut BufferView, conn: &Conn| {
        buffers.read += conn.input.capacity();
        buffers.write += conn.output.capacity();
        buffers.misc += size_of::<Conn>();
        if let Some(packed) = &conn.packed {
            buffers.misc += packed.capacity();
        }
    };
    add(&mut memory.client, &seated.client);
    // Both lists hold the open connections in the order of their ids.
    let open = seated.backends.iter().flatten();
    for ((_, buffers), conn) in memory.backends.iter_mut().zip(open) {
        add(buffers, conn);
    }
}
