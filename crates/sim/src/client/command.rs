//! How each kind of command is made: its bytes for the session, its meaning for the shadow model.

use tidegate_session::Cause;

use super::script::Kind;
use super::{Client, Lent, Stage, Statement};
use crate::bytes::{frames_of, put_int, put_packet, put_text};
use crate::caps;
use crate::coverage::Rare;
use crate::meaning::Trx;
use crate::model::{Issued, What};
use crate::server::{LONG, LONGLONG, VAR_STRING, measure};
use crate::sql::{Stmt, Table, Verb, parse, tagged};
use crate::state::{Assign, BAD_VALUE, NO_SUCH_DATABASE, NO_SUCH_VARIABLE, Value};

/// A number that no statement has.
const NO_STATEMENT: u32 = 0x00AB_CDEF;

impl Client {
    /// Issues one command of its repertoire; where the one drawn cannot be now, what it needs, or a
    /// read.
    pub(super) fn issue(&mut self, lent: &mut Lent<'_>) {
        let kind = self.rng.weighted(&self.plan.repertoire);
        if self.try_kind(kind, lent) {
            return;
        }
        match self.some_statement() {
            Some(id) if kind == Kind::Fetch => self.execute(id, true, lent),
            None if self.rng.coin() => self.prepare(lent),
            _ => self.read(lent),
        }
    }

    fn try_kind(&mut self, kind: Kind, lent: &mut Lent<'_>) -> bool {
        let rows = self.rng.below(4) as u32;
        match kind {
            Kind::Read => self.read(lent),
            Kind::WideRead => {
                let row_bytes =
                    self.rng
                        .weighted(&[(8, 2000), (2, 30_000), (1, 70_000), (1, 300_000)]);
                self.text(
                    &Stmt::Read(Table {
                        rows: rows + 1,
                        row_bytes,
                        fails: false,
                    }),
                    lent,
                );
            }
            Kind::FailingRead => self.text(
                &Stmt::Read(Table {
                    rows,
                    row_bytes: 0,
                    fails: true,
                }),
                lent,
            ),
            Kind::LockingRead => self.text(&Stmt::LockingRead(Table::small(rows)), lent),
            Kind::Write => self.text(
                &Stmt::Write {
                    verb: Verb::ALL[rows as usize],
                    fails: false,
                },
                lent,
            ),
            Kind::FailingWrite => self.text(
                &Stmt::Write {
                    verb: Verb::Insert,
                    fails: true,
                },
                lent,
            ),
            Kind::Ddl => self.text(&Stmt::Ddl, lent),
            Kind::Nonsense => self.text(&Stmt::Nonsense, lent),
            Kind::Several => self.several(lent),
            Kind::Call => self.text(&Stmt::Call(rows), lent),
            Kind::Load => return self.load(lent),
            Kind::Begin => self.text(&Stmt::Begin { read_only: false }, lent),
            Kind::BeginReadOnly => self.text(&Stmt::Begin { read_only: true }, lent),
            Kind::Commit => self.text(&Stmt::Commit, lent),
            Kind::Rollback => self.text(&Stmt::Rollback, lent),
            Kind::ConnectionId => self.untagged(&Stmt::ConnectionId, lent),
            Kind::Long => self.padded(300_000, lent),
            Kind::Giant => return self.giant(lent),
            Kind::Hinted => self.hinted(rows, lent),
            Kind::Meddled => self.meddled(lent),
            Kind::Garbage => self.garbage(lent),
            Kind::HangUp => self.hang_up(lent),
            _ => return self.try_state_kind(kind, lent),
        }
        true
    }

    /// Commands that change the session's state.
    fn try_state_kind(&mut self, kind: Kind, lent: &mut Lent<'_>) -> bool {
        let number = Value::Number(self.rng.below(100) as i64);
        let var = format!("@v{}", self.rng.below(3));
        let other = format!("@v{}", self.rng.below(3));
        let limit = "sql_select_limit".to_owned();
        let word = |text: &str| Value::Word(text.to_owned());
        let list = match kind {
            Kind::SetUser => vec![(var, number)],
            Kind::SetSystem => vec![(limit, number)],
            Kind::SetList => vec![
                (limit, number),
                (var, Value::Number(self.rng.below(9) as i64)),
            ],
            Kind::SetBad => {
                let bad = if self.rng.coin() {
                    (limit, word(BAD_VALUE))
                } else {
                    (NO_SUCH_VARIABLE.to_owned(), number.clone())
                };
                if self.rng.coin() {
                    vec![(var, number), bad]
                } else {
                    vec![bad]
                }
            }
            Kind::SetIncrement => vec![(var, Value::Increment)],
            Kind::SetCopy => vec![(var, Value::Copy(other))],
            Kind::Autocommit => vec![(
                "autocommit".to_owned(),
                Value::Number(i64::from(self.rng.coin())),
            )],
            Kind::Names => vec![(
                "names".to_owned(),
                word(self.rng.pick::<&str>(&["utf8mb4", "latin1"])),
            )],
            Kind::SqlMode => vec![(
                "sql_mode".to_owned(),
                word(self.rng.pick::<&str>(&["ANSI", "TRADITIONAL"])),
            )],
            _ => return self.try_named_kind(kind, lent),
        };
        let list = list
            .into_iter()
            .map(|(name, value)| Assign { name, value })
            .collect();
        self.session_text(&Stmt::Set(list), lent);
        true
    }

    fn try_named_kind(&mut self, kind: Kind, lent: &mut Lent<'_>) -> bool {
        let any = self.rng.below(3);
        match kind {
            Kind::Use => self.session_text(&Stmt::Use(format!("db{any}")), lent),
            Kind::UseNowhere => self.session_text(&Stmt::Use(NO_SUCH_DATABASE.to_owned()), lent),
            Kind::InitDb => self.init_db(lent),
            Kind::PrepareNamed => self.prepare_named(lent),
            Kind::ExecuteNamed | Kind::DeallocateNamed => {
                if self.named.is_empty() {
                    return false;
                }
                let name = self.rng.pick(&self.named).clone();
                if kind == Kind::ExecuteNamed {
                    self.text(&Stmt::Execute(name), lent);
                } else {
                    self.named.retain(|known| *known != name);
                    self.session_text(&Stmt::Deallocate(name), lent);
                }
            }
            Kind::Ping => self.plain(0x0E, &[], What::Plain, lent),
            Kind::Debug => self.plain(0x0D, &[], What::Plain, lent),
            Kind::Statistics => self.plain(0x09, &[], What::Statistics, lent),
            Kind::FieldList => self.plain(0x04, b"t1\0", What::FieldList, lent),
            Kind::SetOption => {
                let on = self.rng.coin();
                self.plain(0x1B, &[u8::from(!on), 0], What::MultiStatements(on), lent);
            }
            Kind::ResetConnection => {
                self.reset_by = lent.model.next_token();
                self.plain(0x1F, &[], What::ResetConnection, lent);
                self.forget_statements();
            }
            Kind::UnknownCommand => {
                self.plain([0x00, 0x0F, 0x7F][any], &[], What::Refused(1047), lent)
            }
            Kind::ChangeUser => return self.change_user(true, lent),
            Kind::ChangeUserBad => return self.change_user(false, lent),
            _ => return self.try_statement_kind(kind, lent),
        }
        true
    }

    fn try_statement_kind(&mut self, kind: Kind, lent: &mut Lent<'_>) -> bool {
        match kind {
            Kind::Prepare => self.prepare(lent),
            Kind::PrepareSet => {
                let name = format!("@v{}", self.rng.below(3));
                self.prepare_stmt(
                    &Stmt::Set(vec![Assign {
                        name,
                        value: Value::Increment,
                    }]),
                    0,
                    lent,
                );
            }
            Kind::PrepareBad => self.prepare_stmt(&Stmt::Nonsense, 0, lent),
            Kind::UnknownStatement => self.unknown_statement(lent),
            Kind::Fetch => return self.fetch(lent),
            _ => {
                let Some(id) = self.some_statement() else {
                    return false;
                };
                match kind {
                    Kind::Execute => self.execute(id, false, lent),
                    Kind::ExecuteCursor => self.execute(id, true, lent),
                    Kind::LongData => return self.long_data(id, lent),
                    Kind::StmtReset => self.reset_statement(id, lent),
                    Kind::StmtClose => self.close_statement(id, lent),
                    Kind::Bulk => return self.bulk(id, lent),
                    _ => return false,
                }
            }
        }
        true
    }

    /// Writes a command and lets the model know. `payload` starts with the command byte.
    fn send(&mut self, payload: &[u8], what: What, lent: &mut Lent<'_>) {
        let issued = self.issued(payload, what, lent);
        self.send_issued(payload, issued, lent);
    }

    fn issued(&self, payload: &[u8], what: What, lent: &Lent<'_>) -> Issued {
        let mut issued = Issued::new(self.session, lent.model.step, payload[0], what);
        issued.frames = frames_of(payload.len());
        issued
    }

    fn send_issued(&mut self, payload: &[u8], issued: Issued, lent: &mut Lent<'_>) {
        let silent = matches!(issued.what, What::Silent);
        lent.model.issue(issued);
        let mut bytes = Vec::with_capacity(payload.len() + 8);
        put_packet(&mut bytes, &mut 0, payload);
        self.to_proxy.push(&bytes);
        if !silent {
            self.waiting += 1;
            if self.waiting > 1 {
                lent.coverage.count(Rare::Pipelined);
            }
        }
    }

    fn plain(&mut self, command: u8, body: &[u8], what: What, lent: &mut Lent<'_>) {
        let mut payload = vec![command];
        payload.extend_from_slice(body);
        self.send(&payload, what, lent);
    }

    fn query(&mut self, text: &str, lent: &mut Lent<'_>) {
        let what = What::Text(parse(text.as_bytes()));
        self.plain(0x03, text.as_bytes(), what, lent);
    }

    /// A statement with its token.
    fn text(&mut self, stmt: &Stmt, lent: &mut Lent<'_>) {
        let text = tagged(&stmt.text(0), lent.model.next_token());
        self.query(&text, lent);
    }

    fn untagged(&mut self, stmt: &Stmt, lent: &mut Lent<'_>) {
        self.query(&stmt.text(0), lent);
    }

    /// A session command: often one that was issued before, byte for byte.
    fn session_text(&mut self, stmt: &Stmt, lent: &mut Lent<'_>) {
        if self.rng.coin() {
            self.text(stmt, lent)
        } else {
            self.untagged(stmt, lent)
        }
    }

    fn read(&mut self, lent: &mut Lent<'_>) {
        let rows = self.rng.below(5) as u32;
        self.text(&Stmt::Read(Table::small(rows)), lent);
    }

    /// A read with a word about where it should go.
    fn hinted(&mut self, rows: u32, lent: &mut Lent<'_>) {
        let place = *self.rng.pick(&[
            "master",
            "slave",
            "last",
            "all",
            "server server1",
            "server nobody",
        ]);
        let read = Stmt::Read(Table::small(rows)).text(0);
        let text = format!("/* maxscale route to {place} */ {read}");
        self.query(&tagged(&text, lent.model.next_token()), lent);
        lent.coverage.count(Rare::HintsMade);
    }

    fn several(&mut self, lent: &mut Lent<'_>) {
        let read = Stmt::Read(Table::small(self.rng.below(3) as u32)).text(0);
        let write = Stmt::Write {
            verb: Verb::Insert,
            fails: self.rng.one_in(4),
        }
        .text(0);
        let text = match self.rng.below(3) {
            0 => format!("{read}; {write}"),
            1 => format!("{write}; {read}"),
            _ => format!("{read}; {read}; {read}"),
        };
        self.query(&tagged(&text, lent.model.next_token()), lent);
    }

    fn load(&mut self, lent: &mut Lent<'_>) -> bool {
        if self.waiting > 0 {
            return false;
        }
        self.text(&Stmt::Load, lent);
        self.stage = Stage::Alone;
        true
    }

    /// A statement with so many bytes of comment in it.
    fn padded(&mut self, bytes: usize, lent: &mut Lent<'_>) {
        let stmt = if self.rng.coin() {
            Stmt::Write {
                verb: Verb::Insert,
                fails: false,
            }
        } else {
            Stmt::Read(Table::small(2))
        };
        let text = format!("{} /*{}*/", stmt.text(0), "p".repeat(bytes));
        self.query(&tagged(&text, lent.model.next_token()), lent);
        lent.coverage.count(Rare::LongCommand);
    }

    /// A packet or a row around the length of a whole frame.
    fn giant(&mut self, lent: &mut Lent<'_>) -> bool {
        if self.waiting > 0 {
            return false;
        }
        lent.coverage.count(Rare::GiantPacket);
        let off = self.rng.below(90);
        if self.rng.coin() {
            self.padded(crate::bytes::MAX_FRAME - 60 + off, lent);
        } else {
            let row_bytes = (crate::bytes::MAX_FRAME - 60 + off) as u32;
            self.text(
                &Stmt::Read(Table {
                    rows: 1,
                    row_bytes,
                    fails: false,
                }),
                lent,
            );
        }
        true
    }

    /// A command for the filter that answers, refuses, replaces or ends.
    fn meddled(&mut self, lent: &mut Lent<'_>) {
        use crate::modules::meddler;
        let token = lent.model.next_token();
        let (word, what) = match self.rng.weighted(&[(4, 0), (4, 1), (4, 2), (1, 3)]) {
            0 => {
                lent.coverage.count(Rare::FilterAnswered);
                (meddler::ANSWER, What::FilterAnswers)
            }
            1 => {
                lent.coverage.count(Rare::FilterRefused);
                (meddler::REFUSE, What::Refused(meddler::REFUSED))
            }
            2 => {
                lent.coverage.count(Rare::FilterReplaced);
                let text = tagged(
                    &Stmt::Write {
                        verb: Verb::Insert,
                        fails: false,
                    }
                    .text(0),
                    token,
                );
                let what = What::Text(parse(text.as_bytes()));
                let text = format!("{} {text}", meddler::REPLACE);
                self.plain(0x03, text.as_bytes(), what, lent);
                return;
            }
            _ => {
                lent.model.sessions[self.session].excuse(Cause::Filter);
                (meddler::END, What::Refused(meddler::REFUSED))
            }
        };
        self.plain(0x03, tagged(word, token).as_bytes(), what, lent);
    }

    /// Bytes that are no command.
    fn garbage(&mut self, lent: &mut Lent<'_>) {
        let len = self.rng.between(1, 40);
        let mut bytes: Vec<u8> = (0..len).map(|_| self.rng.next() as u8).collect();
        // Never by chance the first frame of a real command.
        if let Some(seq) = bytes.get_mut(3) {
            *seq |= 0x40;
        }
        self.to_proxy.push(&bytes);
        self.closed = true;
        self.goodbye = Some(super::Goodbye::Close);
        lent.model
            .trouble(self.session, &[Cause::ClientProtocol, Cause::ClientLost]);
        lent.coverage.count(Rare::ClientGarbage);
    }

    fn init_db(&mut self, lent: &mut Lent<'_>) {
        let name = if self.rng.one_in(6) {
            NO_SUCH_DATABASE.to_owned()
        } else {
            format!("db{}", self.rng.below(3))
        };
        self.plain(0x02, name.as_bytes(), What::InitDb(name.clone()), lent);
    }

    fn prepare_named(&mut self, lent: &mut Lent<'_>) {
        let name = format!("p{}", self.rng.below(2));
        let inner = match self.rng.below(8) {
            0 => Stmt::Nonsense,
            1..=3 => Stmt::Write {
                verb: Verb::Update,
                fails: false,
            },
            _ => Stmt::Read(Table::small(2)),
        };
        if inner != Stmt::Nonsense && !self.named.contains(&name) {
            self.named.push(name.clone());
        }
        self.session_text(
            &Stmt::Prepare {
                name,
                text: inner.text(0),
            },
            lent,
        );
    }

    fn change_user(&mut self, good: bool, lent: &mut Lent<'_>) -> bool {
        if self.waiting > 0 {
            return false;
        }
        let user = format!("user{}", self.rng.below(3));
        let database = self.rng.coin().then(|| format!("db{}", self.rng.below(3)));
        let payload = self.change_user_payload(&user, database.as_deref(), lent);
        self.send(
            &payload,
            What::ChangeUser {
                user,
                database,
                good,
            },
            lent,
        );
        self.stage = Stage::Alone;
        true
    }

    fn prepare(&mut self, lent: &mut Lent<'_>) {
        if self.prepare_again(lent) {
            return;
        }
        let params = self.rng.below(4) as u16;
        let rows = self.rng.below(6) as u32;
        let stmt = match self.rng.below(4) {
            0 | 1 => Stmt::Read(Table::small(rows)),
            2 => Stmt::Read(Table {
                rows,
                row_bytes: 40,
                fails: false,
            }),
            // Without a parameter an execution could not be told from another.
            _ => {
                self.prepare_stmt(
                    &Stmt::Write {
                        verb: Verb::Insert,
                        fails: false,
                    },
                    params.max(1),
                    lent,
                );
                return;
            }
        };
        self.prepare_stmt(&stmt, params, lent);
    }

    fn prepare_stmt(&mut self, stmt: &Stmt, params: u16, lent: &mut Lent<'_>) {
        let token = lent.model.next_token();
        let text = tagged(&stmt.text(params), token);
        let what = What::Prepare(parse(text.as_bytes()));
        self.plain(0x16, text.as_bytes(), what, lent);
        self.texts.insert(token, text);
    }

    /// A text whose statement it has closed, byte for byte. Not in a transaction, which may have
    /// executed the first one and be repeated.
    fn prepare_again(&mut self, lent: &mut Lent<'_>) -> bool {
        let known = &lent.model.sessions[self.session];
        let apart = known.trx == Trx::None && known.state.autocommit() && self.waiting == 0;
        if self.closed_texts.is_empty() || !apart || self.rng.one_in(4) {
            return false;
        }
        let ix = self.rng.below(self.closed_texts.len());
        let token = self.closed_texts.swap_remove(ix);
        let Some(text) = self.texts.get(&token).cloned() else {
            return false;
        };
        let what = What::Prepare(parse(text.as_bytes()));
        self.plain(0x16, text.as_bytes(), what, lent);
        true
    }

    fn some_statement(&mut self) -> Option<u32> {
        let ids: Vec<u32> = self.statements.keys().copied().collect();
        (!ids.is_empty()).then(|| *self.rng.pick(&ids))
    }

    fn execute(&mut self, id: u32, cursor: bool, lent: &mut Lent<'_>) {
        let token = lent.model.next_token();
        let Some(statement) = self.statements.get_mut(&id) else {
            return;
        };
        let mut payload = vec![0x17];
        put_int(&mut payload, u64::from(id), 4);
        payload.push(u8::from(cursor));
        put_int(&mut payload, 1, 4);
        let bound_since = statement.bound_since.take();
        let long = statement.put_params(&mut payload, token, &mut self.rng);
        let what = What::Execute {
            stmt: statement.token,
            carries_token: statement.params > 0,
            client_id: id,
        };
        if cursor && !self.cursors.contains(&id) {
            self.cursors.push(id);
        }
        let mut issued = self.issued(&payload, what, lent);
        issued.long = long;
        issued.bound_since = bound_since.unwrap_or(issued.step);
        self.send_issued(&payload, issued, lent);
    }

    fn fetch(&mut self, lent: &mut Lent<'_>) -> bool {
        if self.cursors.is_empty() {
            return false;
        }
        let client_id = *self.rng.pick(&self.cursors);
        let rows = self.rng.between(1, 4) as u32;
        let mut body = Vec::new();
        put_int(&mut body, u64::from(client_id), 4);
        put_int(&mut body, u64::from(rows), 4);
        self.plain(0x1C, &body, What::Fetch { client_id, rows }, lent);
        true
    }

    /// A piece of the second parameter of the next execution.
    fn long_data(&mut self, id: u32, lent: &mut Lent<'_>) -> bool {
        let len = self.rng.weighted(&[(8, 20), (3, 3000), (1, 300_000)]);
        let piece = vec![self.rng.next() as u8; len];
        let Some(statement) = self
            .statements
            .get_mut(&id)
            .filter(|statement| statement.params > 1)
        else {
            return false;
        };
        statement
            .long
            .get_or_insert_default()
            .extend_from_slice(&piece);
        statement.bound_since.get_or_insert(lent.model.step);
        let mut body = Vec::new();
        put_int(&mut body, u64::from(id), 4);
        put_int(&mut body, 1, 2);
        body.extend_from_slice(&piece);
        self.plain(0x18, &body, What::Silent, lent);
        true
    }

    fn reset_statement(&mut self, id: u32, lent: &mut Lent<'_>) {
        if let Some(statement) = self.statements.get_mut(&id) {
            statement.long = None;
            statement.bound_since = None;
        }
        self.plain(
            0x1A,
            &id.to_le_bytes(),
            What::StmtReset { client_id: id },
            lent,
        );
    }

    fn close_statement(&mut self, id: u32, lent: &mut Lent<'_>) {
        if let Some(statement) = self.statements.remove(&id)
            && lent.model.reuses
        {
            self.closed_texts.push(statement.token);
        }
        self.cursors.retain(|cursor| *cursor != id);
        self.plain(0x19, &id.to_le_bytes(), What::Silent, lent);
    }

    fn unknown_statement(&mut self, lent: &mut Lent<'_>) {
        let mut body = NO_STATEMENT.to_le_bytes().to_vec();
        match self.rng.below(4) {
            0 => self.plain(0x19, &body, What::Silent, lent),
            1 => self.plain(0x1A, &body, What::Refused(1243), lent),
            2 => {
                body.extend_from_slice(&[1, 0, b'x']);
                self.plain(0x18, &body, What::Silent, lent);
            }
            _ => {
                body.extend_from_slice(&[0, 1, 0, 0, 0]);
                self.plain(0x17, &body, What::Refused(1243), lent);
            }
        }
    }

    /// Rows of a prepared write in one command.
    fn bulk(&mut self, id: u32, lent: &mut Lent<'_>) -> bool {
        let token = lent.model.next_token();
        let Some(statement) = self.statements.get_mut(&id) else {
            return false;
        };
        if self.caps & caps::STMT_BULK_OPERATIONS == 0
            || !statement.writes
            || statement.long.is_some()
        {
            return false;
        }
        let mut payload = vec![0xFA];
        put_int(&mut payload, u64::from(id), 4);
        let with_types = !statement.typed || self.rng.one_in(3);
        put_int(&mut payload, if with_types { 128 } else { 0 }, 2);
        if with_types {
            statement.choose_types(&mut self.rng);
            payload.extend_from_slice(&statement.types);
        }
        for _ in 0..self.rng.between(1, 3) {
            for param in 0..statement.params {
                payload.push(0);
                statement.put_value(&mut payload, param, token);
            }
        }
        let what = What::Bulk {
            stmt: statement.token,
        };
        self.send(&payload, what, lent);
        true
    }
}

impl Statement {
    fn choose_types(&mut self, rng: &mut crate::rng::Rng) {
        self.types.clear();
        for _ in 0..self.params {
            self.types
                .extend_from_slice(&[*rng.pick(&[LONG, LONGLONG, VAR_STRING]), 0]);
        }
        self.typed = true;
    }

    /// The parameters of an execution: the token, then anything; long data where it was sent.
    fn put_params(
        &mut self,
        payload: &mut Vec<u8>,
        token: u32,
        rng: &mut crate::rng::Rng,
    ) -> (usize, u64) {
        let params = usize::from(self.params);
        if params == 0 {
            return (0, 0);
        }
        let long = self.long.take();
        let mut nulls = vec![0u8; params.div_ceil(8)];
        for param in 1..params {
            if rng.one_in(5) && !(param == 1 && long.is_some()) {
                nulls[param / 8] |= 1 << (param % 8);
            }
        }
        payload.extend_from_slice(&nulls);
        let with_types = !self.typed || rng.one_in(3);
        payload.push(u8::from(with_types));
        if with_types {
            self.choose_types(rng);
            payload.extend_from_slice(&self.types);
        }
        for param in 0..params {
            let is_null = nulls[param / 8] >> (param % 8) & 1 == 1;
            let sent_before = param == 1 && long.is_some();
            if !is_null && !sent_before {
                self.put_value(payload, param as u16, token);
            }
        }
        long.map_or((0, 0), |data| measure(&data))
    }

    fn put_value(&self, payload: &mut Vec<u8>, param: u16, token: u32) {
        let value = if param == 0 { token } else { u32::from(param) };
        match self.types.get(2 * usize::from(param)) {
            Some(&LONG) => put_int(payload, u64::from(value), 4),
            Some(&LONGLONG) => put_int(payload, u64::from(value), 8),
            _ => put_text(payload, value.to_string().as_bytes()),
        }
    }
}
