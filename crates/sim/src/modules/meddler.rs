//! A filter that does what the text of a statement asks it for: answer, refuse, replace, end.

use tidegate_session::filter::{Filter, FilterScene, FilterSession, Verdict, Wants, Who};
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::request::{OwnAnswer, Request};
use tidegate_session::{ErrReply, SessionFault};
use tidegate_sql::hints::Hint;
use tidegate_wire::Command;

/// The first word of a statement that the filter answers.
pub(crate) const ANSWER: &str = "/*filter:answer*/";
/// The first word of a statement that the filter refuses.
pub(crate) const REFUSE: &str = "/*filter:refuse*/";
/// The first word of a statement that the filter sends on without this word.
pub(crate) const REPLACE: &str = "/*filter:replace*/";
/// The first word of a statement at which the filter ends the session.
pub(crate) const END: &str = "/*filter:end*/";
/// The error it refuses with.
pub(crate) const REFUSED: u16 = 4100;

/// The filter.
#[derive(Debug)]
pub(crate) struct Meddler;

#[derive(Debug)]
struct Session;

impl Filter for Meddler {
    fn name(&self) -> &str {
        "meddler"
    }

    fn module(&self) -> &'static str {
        "meddler"
    }

    fn start(&self, _who: &Who<'_>) -> Result<Option<Box<dyn FilterSession>>, ErrReply> {
        Ok(Some(Box::new(Session)))
    }

    fn thaw(
        &self,
        _who: &Who<'_>,
        _from: &mut Decoder<'_>,
    ) -> Result<Box<dyn FilterSession>, FreezeError> {
        Ok(Box::new(Session))
    }
}

impl FilterSession for Session {
    fn wants(&self) -> Wants {
        Wants {
            requests: true,
            replies: false,
            statements: false,
        }
    }

    fn on_request(
        &mut self,
        request: &Request<'_>,
        _hints: &mut Vec<Hint>,
        _scene: &FilterScene<'_>,
    ) -> Verdict {
        let refusal = || ErrReply::new(REFUSED, b"45000", "refused by the meddler");
        if request.command != Command::Query {
            return Verdict::Pass;
        }
        if request.text.starts_with(ANSWER.as_bytes()) {
            Verdict::Answer(OwnAnswer::Ok)
        } else if request.text.starts_with(REFUSE.as_bytes()) {
            Verdict::Reject(refusal())
        } else if request.text.starts_with(END.as_bytes()) {
            Verdict::End(SessionFault::Module(refusal()))
        } else if let Some(rest) = request.text.strip_prefix(REPLACE.as_bytes()) {
            Verdict::Replace([&[Command::Query.byte()], rest.trim_ascii_start()].concat())
        } else {
            Verdict::Pass
        }
    }

    fn freeze(&self, _into: &mut Encoder) {}
}
