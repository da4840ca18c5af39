//! What goes wrong: connections and servers die, monitors see other things, administrators have wishes.

use std::time::Duration;

use tidegate_session::world::ServerStatus;
use tidegate_session::{Cause, Control, ControlError, Instant, LogSwitches};

use super::World;
use crate::client::Lent;
use crate::coverage::Rare;
use crate::plan::Tree;
use crate::server::Conn;

/// A kind of fault.
#[derive(Debug, Clone, Copy)]
enum Fault {
    ConnectionDies,
    ServerDies,
    Monitor,
    Control,
    Freeze,
    OddBytes,
    ClientDies,
}

impl World {
    /// Perhaps lets something go wrong, as often as the plan says.
    pub(super) fn maybe_fault(&mut self) {
        let rates = self.plan.faults;
        let fault = self.rng.weighted(&[
            (rates.connection_dies as u32, Fault::ConnectionDies),
            (rates.server_dies as u32, Fault::ServerDies),
            (rates.monitor as u32, Fault::Monitor),
            (rates.control as u32, Fault::Control),
            (rates.freeze as u32, Fault::Freeze),
            (rates.odd_bytes as u32, Fault::OddBytes),
            (rates.client_dies as u32, Fault::ClientDies),
        ]);
        let total = rates.connection_dies
            + rates.server_dies
            + rates.monitor
            + rates.control
            + rates.freeze
            + rates.odd_bytes
            + rates.client_dies;
        if self.rng.below(40) >= total {
            return;
        }
        match fault {
            Fault::ConnectionDies => self.connection_dies(),
            Fault::ServerDies => self.server_dies(),
            Fault::Monitor => self.monitor_sees(),
            Fault::Control => self.control(),
            Fault::Freeze => self.freeze_somebody(),
            Fault::OddBytes => self.odd_bytes(),
            Fault::ClientDies => self.client_dies(),
        }
    }

    /// A connection that is open from both ends.
    fn some_conn(&mut self) -> Option<usize> {
        let open: Vec<usize> = (0..self.conns.len())
            .filter(|ix| !self.conns[*ix].is_closed() && !self.conns[*ix].parted)
            .collect();
        (!open.is_empty()).then(|| *self.rng.pick(&open))
    }

    fn some_session(&mut self) -> Option<usize> {
        let open: Vec<usize> = (0..self.slots.len())
            .filter(|ix| self.slots[*ix].session.is_some())
            .collect();
        (!open.is_empty()).then(|| *self.rng.pick(&open))
    }

    fn connection_dies(&mut self) {
        if let Some(conn) = self.some_conn() {
            self.kill_conn(conn);
        }
    }

    /// A server's end of a connection dies: what it wrote last may be lost, at any byte.
    fn kill_conn(&mut self, ix: usize) {
        let there = self.conns[ix].to_proxy.len();
        let keep = if self.rng.coin() {
            there
        } else {
            self.rng.below(there + 1)
        };
        if keep < there {
            self.coverage.count(Rare::ConnectionDiedAmidPacket);
        }
        self.count_death(ix);
        let session = self.conns[ix].session;
        self.conns[ix].quirks.unmissed = self.is_spare(ix);
        if !self.conns[ix].quirks.unmissed {
            self.model
                .trouble(session, &[Cause::ServerLost, Cause::NoServer]);
        }
        self.conns[ix].to_proxy.truncate(keep);
        self.trace.note(&[8, ix as u64, keep as u64], || {
            format!("connection {ix} of session {session} dies")
        });
        self.close_conn(ix);
        self.cut_link(ix);
    }

    fn count_death(&mut self, ix: usize) {
        let conn = &self.conns[ix];
        self.coverage.count(Rare::ConnectionDied);
        if conn.in_login() {
            self.coverage.count(Rare::ConnectionDiedInLogin);
        } else if conn.in_transaction() {
            self.coverage.count(Rare::ConnectionDiedInTransaction);
        } else if !conn.is_busy() {
            self.coverage.count(Rare::ConnectionDiedIdle);
        }
    }

    /// An idle connection to a replica, of a session that has its primary: nobody may notice its death.
    fn is_spare(&self, ix: usize) -> bool {
        let conn = &self.conns[ix];
        let healthy_primary = self.conns.iter().any(|other| {
            other.session == conn.session
                && other.server == self.primary
                && !other.is_closed()
                && !other.parted
                && !other.in_login()
        });
        self.plan.tree == Tree::Split
            && !conn.is_busy()
            && !conn.in_transaction()
            && healthy_primary
            && self.hosts[self.primary].alive
            && self.model.never_primary(conn.server)
            && self.model.sessions[conn.session].queue.is_empty()
            && self.model.sessions[conn.session].trx == crate::meaning::Trx::None
            && self.slots[conn.session].client.to_proxy.is_empty()
            && self.slots[conn.session].input.kept.is_empty()
    }

    fn server_dies(&mut self) {
        let ix = self.rng.below(self.hosts.len());
        if !self.hosts[ix].alive {
            return;
        }
        self.coverage.count(Rare::ServerDied);
        self.trace
            .note(&[9, ix as u64], || format!("server {ix} dies"));
        if self.rng.one_in(3) {
            // Its packets are dropped: nothing says that it is gone.
            self.coverage.count(Rare::ServerHung);
            self.hosts[ix].silent = true;
            self.model.silent = true;
            for conn in self.conns.iter_mut().filter(|conn| conn.server == ix) {
                conn.hung = true;
            }
            self.trouble_all(&[Cause::ServerLost, Cause::NoServer]);
            return;
        }
        self.hosts[ix].alive = false;
        for conn in 0..self.conns.len() {
            if self.conns[conn].server == ix && !self.conns[conn].is_closed() {
                self.kill_conn(conn);
            }
        }
        self.trouble_all(&[Cause::ServerLost, Cause::NoServer]);
    }

    fn trouble_all(&mut self, causes: &[Cause]) {
        for ix in 0..self.slots.len() {
            self.model.trouble(ix, causes);
        }
    }

    /// The monitor looks again, after something changed that only it can see.
    fn monitor_sees(&mut self) {
        let ix = self.rng.below(self.hosts.len());
        let mut causes = vec![Cause::NoServer, Cause::ServerLost];
        match self.rng.below(6) {
            0 => {
                self.hosts[ix].marks = toggled(self.hosts[ix].marks, ServerStatus::MAINTENANCE);
                self.coverage.count(Rare::Maintenance);
            }
            1 => {
                self.hosts[ix].marks = toggled(self.hosts[ix].marks, ServerStatus::DRAINING);
                self.coverage.count(Rare::Draining);
            }
            2 | 3 => {
                self.primary = ix;
                self.coverage.count(Rare::PrimaryMoved);
            }
            4 => {
                self.views.0[ix].lag =
                    (!self.rng.one_in(4)).then(|| Duration::from_secs(self.rng.below(9) as u64));
                self.coverage.count(Rare::LagChanged);
                causes.clear();
            }
            _ => {}
        }
        self.look_again(&causes);
    }

    /// The monitor's view becomes what is.
    fn look_again(&mut self, causes: &[Cause]) {
        for host in &mut self.hosts {
            if host.silent {
                host.alive = false;
            }
        }
        self.observe();
        let down = self.hosts.iter().any(|host| !host.alive);
        if down {
            self.coverage.count(Rare::MonitorSawDown);
        }
        if !self.views.0.iter().any(|view| {
            view.status
                .has(ServerStatus::MASTER.with(ServerStatus::RUNNING))
        }) {
            self.coverage.count(Rare::NoPrimary);
        }
        self.trace.note(&[10], || {
            format!(
                "the monitor sees {:?}",
                self.views
                    .0
                    .iter()
                    .map(|view| view.status)
                    .collect::<Vec<_>>()
            )
        });
        if !causes.is_empty() || down {
            self.trouble_all(&[Cause::NoServer, Cause::ServerLost]);
        }
    }

    fn control(&mut self) {
        let Some(ix) = self.some_session() else {
            return;
        };
        let has_login = self.slots[ix]
            .session
            .as_ref()
            .is_some_and(tidegate_session::Session::has_login);
        let control = match self.rng.below(9) {
            0 => {
                self.coverage.count(Rare::KilledNow);
                self.model.trouble(ix, &[Cause::Killed]);
                self.slots[ix].doomed = Some(self.now);
                Control::Kill { after: None }
            }
            1 => {
                self.coverage.count(Rare::KilledLater);
                self.model.trouble(ix, &[Cause::Killed]);
                let after = Duration::from_millis(self.rng.below(30) as u64);
                self.slots[ix].doomed = Some(self.now.after(after));
                Control::Kill { after: Some(after) }
            }
            2 => {
                self.coverage.count(Rare::Drained);
                self.model.trouble(ix, &[Cause::Shutdown]);
                self.slots[ix].draining = true;
                Control::Drain(Cause::Shutdown)
            }
            3 => {
                self.coverage.count(Rare::Stopped);
                self.model.trouble(ix, &[Cause::ServiceStopped]);
                self.slots[ix].doomed = Some(self.now);
                Control::End(Cause::ServiceStopped)
            }
            4 => {
                self.coverage.count(Rare::SwitchesSet);
                Control::LogSwitches(LogSwitches {
                    info: self.rng.coin(),
                    ..LogSwitches::default()
                })
            }
            5 | 6 => {
                let session = self.slots[ix].session.as_ref();
                let Some(session) = session else { return };
                Control::Restart(std::sync::Arc::clone(session.service()))
            }
            _ => {
                let filter = std::sync::Arc::clone(&self.services.own_filter);
                Control::Filters(if self.rng.coin() {
                    vec![filter]
                } else {
                    Vec::new()
                })
            }
        };
        let swaps = matches!(control, Control::Filters(_));
        let restarts = matches!(control, Control::Restart(_));
        self.trace.note(&[11, ix as u64], || {
            format!("session {ix}: an administrator says {control:?}")
        });
        let at_once = matches!(control, Control::Kill { after: None } | Control::End(_));
        let granted = self.enter(ix, &mut [], |session, _, env| {
            session.on_control(control, env)
        });
        match granted {
            Some(Err(ControlError::NotOpen)) if (swaps || restarts) && !has_login => {}
            Some(Err(ControlError::Restart(_))) if restarts => {
                self.coverage.count(Rare::RestartRefused)
            }
            Some(Ok(())) if restarts => self.coverage.count(Rare::RestartPlanned),
            Some(Err(error)) => self
                .model
                .breach(format!("session {ix}: a wish was not granted: {error}")),
            Some(Ok(())) if swaps => self.coverage.count(Rare::FiltersSwapped),
            _ => {}
        }
        if at_once && self.slots[ix].session.is_some() {
            self.model
                .breach(format!("session {ix} lives although it was killed"));
        }
    }

    /// A server writes something that nobody asked for.
    fn odd_bytes(&mut self) {
        let Some(ix) = self.some_conn() else { return };
        if self.conns[ix].is_busy() || self.conns[ix].hung {
            self.conns[ix].quirks.divergent = true;
            let session = self.conns[ix].session;
            self.model.sessions[session].bound = true;
            self.model.trouble(
                session,
                &[Cause::SessionCommand, Cause::NoServer, Cause::ServerLost],
            );
            return;
        }
        let session = self.conns[ix].session;
        match self.rng.below(4) {
            0 => {
                self.conns[ix].quirks.unprepared = self.rng.between(1, 3) as u32;
                self.model
                    .trouble(session, &[Cause::ServerLost, Cause::NoServer]);
                return;
            }
            1 => {
                self.conns[ix].quirks.stops = true;
                return;
            }
            _ => {}
        }
        let causes = [Cause::ServerProtocol, Cause::ServerLost, Cause::NoServer];
        self.model.trouble(session, &causes);
        if self.rng.coin() {
            self.coverage.count(Rare::ServerGarbage);
            self.conns[ix].quirks.spoke = true;
            self.conns[ix].to_proxy.push(&[0, 0, 0, 9, 1, 2, 3]);
        } else {
            self.coverage.count(Rare::ServerSaidGoodbye);
            self.conns[ix].say_goodbye();
            self.close_conn(ix);
            self.cut_link(ix);
        }
    }

    fn client_dies(&mut self) {
        let Some(ix) = self.some_session() else {
            return;
        };
        let mut lent = Lent {
            model: &mut self.model,
            accounts: &self.accounts,
            coverage: &mut self.coverage,
        };
        self.slots[ix].client.hang_up(&mut lent);
    }

    /// What is wrong with a connection from its start.
    pub(super) fn draw_quirks(&mut self, session: usize, conn: &mut Conn) {
        if self.hosts[conn.server].silent {
            conn.hung = true;
        }
        if self.plan.replay.is_some() && self.troubled && self.rng.one_in(12) {
            conn.quirks.altered = true;
        }
        if !self.troubled || self.rng.below(100) >= self.plan.faults.connect {
            return;
        }
        // A server that refuses the session is not tried again.
        self.model.sessions[session].bound = true;
        match self.rng.below(4) {
            0 => {
                self.coverage.count(Rare::LoginRefusedByServer);
                conn.quirks.refuse = Some(*self.rng.pick(&[1040, 1045]));
                self.model.trouble(
                    session,
                    &[Cause::ServerLogin, Cause::NoServer, Cause::ServerLost],
                );
            }
            1 => {
                conn.quirks.refuse_change = true;
                self.model.trouble(
                    session,
                    &[Cause::ServerLogin, Cause::NoServer, Cause::ServerLost],
                );
            }
            2 => {
                conn.quirks.odd_greeting = true;
                self.model.trouble(
                    session,
                    &[Cause::ServerProtocol, Cause::NoServer, Cause::ServerLost],
                );
            }
            _ => {
                conn.hung = true;
                self.model
                    .trouble(session, &[Cause::NoServer, Cause::ServerLost]);
            }
        }
    }

    /// In a quiet world servers come back, and the monitor sees it. `false`: nothing was wrong.
    pub(super) fn heal(&mut self) -> bool {
        let hung: Vec<usize> = (0..self.conns.len())
            .filter(|ix| self.conns[*ix].hung && !self.conns[*ix].is_closed())
            .collect();
        let sick = self.hosts.iter().any(|host| !host.alive || host.silent) || !hung.is_empty();
        if !sick {
            return false;
        }
        // First what hangs is seen to be down, then all are up again.
        let unseen = self.hosts.iter().any(|host| host.silent && host.alive);
        if unseen {
            self.look_again(&[Cause::NoServer, Cause::ServerLost]);
            return true;
        }
        for conn in hung {
            self.kill_conn(conn);
        }
        for host in &mut self.hosts {
            host.alive = true;
            host.silent = false;
        }
        self.look_again(&[Cause::NoServer, Cause::ServerLost]);
        true
    }

    /// Every server is up, and takes connections.
    pub(super) fn restore(&mut self) {
        while self.heal() {}
        for host in &mut self.hosts {
            host.marks = ServerStatus::default();
        }
        self.look_again(&[Cause::NoServer, Cause::ServerLost]);
    }

    /// The world's clock, for those who die later.
    pub(super) fn is_due(&self, at: Option<Instant>) -> bool {
        at.is_some_and(|at| at <= self.now)
    }
}

fn toggled(marks: ServerStatus, bit: ServerStatus) -> ServerStatus {
    if marks.has(bit) {
        marks.without(bit)
    } else {
        marks.with(bit)
    }
}
