//! A filter with a planted panic.

use tidegate_session::ErrReply;
use tidegate_session::filter::{Filter, FilterScene, FilterSession, Verdict, Wants, Who};
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::request::Request;

/// Panics when a statement begins with `BOMB`, with the statement in the panic's text.
#[derive(Debug)]
pub struct Bomb;

impl Filter for Bomb {
    fn name(&self) -> &str {
        "Bomb"
    }

    fn module(&self) -> &'static str {
        "bomb"
    }

    fn start(&self, _: &Who<'_>) -> Result<Option<Box<dyn FilterSession>>, ErrReply> {
        Ok(Some(Box::new(Bomb)))
    }

    fn thaw(
        &self,
        _: &Who<'_>,
        _: &mut Decoder<'_>,
    ) -> Result<Box<dyn FilterSession>, FreezeError> {
        Ok(Box::new(Bomb))
    }
}

impl FilterSession for Bomb {
    fn wants(&self) -> Wants {
        Wants {
            requests: true,
            ..Wants::default()
        }
    }

    fn on_request(
        &mut self,
        request: &Request<'_>,
        _: &mut Vec<tidegate_sql::hints::Hint>,
        _: &FilterScene<'_>,
    ) -> Verdict {
        let text = String::from_utf8_lossy(request.payload);
        assert!(!text.contains("BOMB"), "a planted panic: {text}");
        Verdict::Pass
    }

    fn freeze(&self, _: &mut Encoder) {}
}
