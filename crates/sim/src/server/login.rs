//! A server's side of logins and changes of user.

use tidegate_wire::auth::native::{Proof, scramble_response};

use super::reply::greeting;
use super::{Conn, Lent, Phase, Reply, SERVICE};
use tidegate_session::Cause;

use crate::bytes::{Cursor, Packet, put_nul};
use crate::caps;
use crate::coverage::Rare;
use crate::model::Fate;
use crate::state::SessionState;

/// Where a login is.
#[derive(Debug, Clone)]
pub(super) enum Login {
    /// The handshake response is due.
    Response,
    /// The answer to an AuthSwitchRequest is due.
    Switched(Box<Who>),
}

/// Whom the peer says it is.
#[derive(Debug, Clone)]
pub(super) struct Who {
    user: String,
    database: Option<String>,
    /// A change of user: the number of COM_CHANGE_USER, else 0.
    command: u8,
}

/// The version text of the simulator's servers.
pub(crate) const VERSION: &str = "10.11.6-MariaDB";

impl Conn {
    /// The server speaks first.
    pub(crate) fn greet(&mut self) {
        let mut reply = Reply::new(0, 0);
        if self.quirks.odd_greeting {
            reply.packet(b"\x09something else");
            self.to_proxy.push(&reply.bytes);
            return;
        }
        if self.hung {
            return;
        }
        reply.packet(&greeting(
            &format!("5.5.5-{VERSION}"),
            self.id,
            &self.scramble,
            self.offered,
        ));
        self.to_proxy.push(&reply.bytes);
    }

    pub(super) fn login(&mut self, packet: &Packet, lent: &mut Lent<'_>) -> Result<(), String> {
        let Phase::Login(login) = &self.phase else {
            return Ok(());
        };
        let next = packet.last_seq.wrapping_add(1);
        match login.clone() {
            Login::Response => {
                let (who, proof, caps) = read_response(&packet.payload, self.offered)
                    .ok_or("a handshake response that cannot be read")?;
                self.caps = caps;
                self.identified(who, &proof, next, lent);
            }
            Login::Switched(who) => self.verify(&who, &packet.payload, next, lent),
        }
        Ok(())
    }

    /// COM_CHANGE_USER.
    pub(super) fn change_user(
        &mut self,
        packet: &Packet,
        lent: &mut Lent<'_>,
    ) -> Result<(), String> {
        let (who, proof) =
            read_change_user(&packet.payload).ok_or("a COM_CHANGE_USER that cannot be read")?;
        lent.coverage.count(Rare::UserChangedOnServer);
        self.end_transaction(lent.model, Fate::RolledBack);
        self.identified(who, &proof, packet.last_seq.wrapping_add(1), lent);
        Ok(())
    }

    fn identified(&mut self, who: Who, proof: &[u8], seq: u8, lent: &mut Lent<'_>) {
        if !lent.rng.one_in(6) {
            self.verify(&who, proof, seq, lent);
            return;
        }
        // As servers do, with the scramble of the greeting.
        lent.coverage.count(Rare::ServerSwitchesPlugin);
        let mut payload = vec![0xFE];
        put_nul(&mut payload, b"mysql_native_password");
        payload.extend_from_slice(&self.scramble);
        payload.push(0);
        let mut reply = Reply::new(self.caps, seq);
        reply.packet(&payload);
        self.to_proxy.push(&reply.bytes);
        self.phase = Phase::Login(Login::Switched(Box::new(who)));
    }

    fn verify(&mut self, who: &Who, proof: &[u8], seq: u8, lent: &mut Lent<'_>) {
        let mut reply = Reply::new(self.caps, seq);
        let clients = lent.accounts.0.get(&who.user).map(String::as_str);
        let password = clients.or((who.user == SERVICE.0).then_some(SERVICE.1));
        let right = password.is_some_and(|password| {
            scramble_response(&Proof::of_password(password.as_bytes()), &self.scramble) == proof
        });
        let refuse = if who.command == 0 {
            self.quirks.refuse
        } else {
            self.quirks.refuse_change.then_some(1045)
        };
        if let Some(code) = refuse.or((!right).then_some(1045)) {
            reply.err(code, "the server refuses the login");
            self.to_proxy.push(&reply.bytes);
            self.close(lent.model, Fate::Vanished);
            return;
        }
        let multi = if who.command == 0 {
            self.caps & caps::MULTI_STATEMENTS != 0
        } else {
            self.state.multi_statements
        };
        self.state = SessionState::new(&who.user, who.database.clone(), multi);
        self.stmts.clear();
        self.tracks = false;
        self.phase = Phase::Commands;
        reply.ok(self.ok(0, who.command), "", &[]);
        self.to_proxy.push(&reply.bytes);
    }
}

impl Conn {
    /// SET SESSION AUTHORIZATION: the service's session, or a client's own, is a client's from now on.
    pub(super) fn turn(&mut self, whom: &str, reply: &mut Reply, lent: &mut Lent<'_>) {
        let user = whom.split('`').nth(1).unwrap_or_default();
        let may = self.state.user == SERVICE.0 || self.state.user == user;
        let known = lent.accounts.0.contains_key(user);
        let locked = lent.rng.one_in(40);
        if locked {
            let causes = [Cause::ServerLogin, Cause::NoServer, Cause::ServerLost];
            lent.model.sessions[self.session].bound = true;
            lent.model.trouble(self.session, &causes);
        }
        if !may || !known || locked || self.quirks.refuse_change {
            reply.err(1045, "Access denied trying to change to user");
            return;
        }
        self.end_transaction(lent.model, Fate::RolledBack);
        self.state = SessionState::new(user, None, self.state.multi_statements);
        self.stmts.clear();
        self.tracks = false;
        lent.coverage.count(Rare::ServiceTurned);
        reply.ok(self.ok(0, 0x03), "", &[]);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read_response(payload: &[u8], offered: u64) -> Option<(Who, Vec<u8>, u64)> {
    let mut cursor = Cursor(payload);
    let low = cursor.int(4)?;
    cursor.take(4 + 1 + 19)?;
    let caps = (low | cursor.int(4)? << 32) & offered;
    let user = text(cursor.nul()?);
    let proof = if caps & caps::PLUGIN_AUTH_LENENC != 0 {
        cursor.text()?
    } else {
        let len = cursor.byte()?;
        cursor.take(usize::from(len))?
    };
    let database = if low & caps::CONNECT_WITH_DB != 0 {
        Some(text(cursor.nul()?))
    } else {
        None
    };
    let who = Who {
        user,
        database: database.filter(|name| !name.is_empty()),
        command: 0,
    };
    Some((who, proof.to_vec(), caps))
}

fn read_change_user(payload: &[u8]) -> Option<(Who, Vec<u8>)> {
    let mut cursor = Cursor(payload);
    let command = cursor.byte()?;
    let user = text(cursor.nul()?);
    let len = cursor.byte()?;
    let proof = cursor.take(usize::from(len))?.to_vec();
    let database = Some(text(cursor.nul()?)).filter(|name| !name.is_empty());
    Some((
        Who {
            user,
            database,
            command,
        },
        proof,
    ))
}
