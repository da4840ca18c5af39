//! A client's side of a login.

use tidegate_session::Cause;
use tidegate_wire::auth::native::{Proof, scramble_response};

use super::{Client, Lent, Stage};
use crate::bytes::{put_int, put_nul, put_packet, put_text};
use crate::caps;
use crate::coverage::Rare;

impl Client {
    fn proof(&self, user: &str, scramble: &[u8; 20], lent: &Lent<'_>) -> Vec<u8> {
        let right = lent.accounts.0.get(user).map_or("", String::as_str);
        let password = if self.plan.wrong_password {
            "wrong"
        } else {
            right
        };
        scramble_response(&Proof::of_password(password.as_bytes()), scramble)
    }

    /// Writes the handshake response, or part of it if that was planned.
    pub(super) fn answer_greeting(
        &mut self,
        scramble: [u8; 20],
        offered: u64,
        lent: &mut Lent<'_>,
    ) {
        self.scramble = scramble;
        self.stage = Stage::Login;
        let database = self.plan.database.clone();
        let mut wanted = caps::BASE | self.plan.optional_caps;
        if database.is_some() {
            wanted |= caps::CONNECT_WITH_DB;
        }
        if self.plan.attributes {
            wanted |= caps::CONNECT_ATTRS;
        }
        self.caps = wanted & offered;
        self.reader.agreed(self.caps);
        let plugin: &[u8] = if self.plan.other_plugin {
            b"caching_sha2_password"
        } else {
            b"mysql_native_password"
        };
        let proof = if self.plan.other_plugin {
            vec![0x5A; 32]
        } else {
            self.proof(&self.user.clone(), &scramble, lent)
        };
        let mut payload = Vec::new();
        put_int(&mut payload, self.caps & 0xFFFF_FFFF, 4);
        put_int(&mut payload, 1 << 24, 4);
        payload.push(45);
        payload.extend_from_slice(&[0; 19]);
        put_int(&mut payload, self.caps >> 32, 4);
        put_nul(&mut payload, self.user.as_bytes());
        put_text(&mut payload, &proof);
        if let Some(database) = &database {
            put_nul(&mut payload, database.as_bytes());
        }
        put_nul(&mut payload, plugin);
        if self.plan.attributes {
            let mut attributes = Vec::new();
            put_text(&mut attributes, b"_client_name");
            put_text(&mut attributes, b"simulated");
            put_text(&mut payload, &attributes);
        }
        let mut bytes = Vec::new();
        put_packet(&mut bytes, &mut 1, &payload);
        if self.plan.half_login {
            bytes.truncate(bytes.len() / 2);
            self.stage = Stage::Done;
            lent.coverage.count(Rare::HalfLogin);
            lent.model.trouble(self.session, &[Cause::LoginTimeout]);
        }
        self.to_proxy.push(&bytes);
    }

    /// Answers an AuthSwitchRequest.
    pub(super) fn answer_switch(&mut self, scramble: [u8; 20], seq: u8, lent: &mut Lent<'_>) {
        lent.coverage.count(Rare::ProxySwitchesPlugin);
        let (user, good) = match lent
            .model
            .front(self.session)
            .and_then(|token| lent.model.get(token))
        {
            Some(crate::model::Issued {
                what: crate::model::What::ChangeUser { user, good, .. },
                ..
            }) => (user.clone(), *good),
            _ => (self.user.clone(), true),
        };
        let proof = if good {
            self.proof(&user, &scramble, lent)
        } else {
            vec![0x77; 20]
        };
        let mut bytes = Vec::new();
        put_packet(&mut bytes, &mut { seq }, &proof);
        self.to_proxy.push(&bytes);
    }

    /// The payload of COM_CHANGE_USER.
    pub(super) fn change_user_payload(
        &self,
        user: &str,
        database: Option<&str>,
        lent: &Lent<'_>,
    ) -> Vec<u8> {
        let proof = self.proof(user, &self.scramble, lent);
        let mut payload = vec![0x11];
        put_nul(&mut payload, user.as_bytes());
        payload.push(proof.len() as u8);
        payload.extend_from_slice(&proof);
        put_nul(&mut payload, database.unwrap_or_default().as_bytes());
        put_int(&mut payload, 45, 2);
        put_nul(&mut payload, b"mysql_native_password");
        if self.caps & caps::CONNECT_ATTRS != 0 {
            put_text(&mut payload, b"");
        }
        payload
    }
}
