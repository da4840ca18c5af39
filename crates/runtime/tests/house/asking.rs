//! A filter that does to requests what a function says.

use tidegate_session::ErrReply;
use tidegate_session::filter::{Filter, FilterScene, FilterSession, Verdict, Wants, Who};
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::request::Request;

/// Asks a function about every request.
#[derive(Debug, Clone, Copy)]
pub struct Asking(pub fn(&Request<'_>) -> Verdict);

impl Filter for Asking {
    fn name(&self) -> &str {
        "Asking"
    }

    fn module(&self) -> &'static str {
        "asking"
    }

    fn start(&self, _: &Who<'_>) -> Result<Option<Box<dyn FilterSession>>, ErrReply> {
        Ok(Some(Box::new(*self)))
    }

    fn thaw(
        &self,
        _: &Who<'_>,
        _: &mut Decoder<'_>,
    ) -> Result<Box<dyn FilterSession>, FreezeError> {
        Ok(Box::new(*self))
    }
}

impl FilterSession for Asking {
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
        (self.0)(request)
    }

    fn freeze(&self, _: &mut Encoder) {}
}
