//! A session's state as bytes, and back.

use tidegate_session::TargetId;
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};

use super::causal::Causal;
use super::session::Split;
use super::settings::Settings;
use crate::tied::Tied;

impl Split {
    pub(super) fn write(&self, into: &mut Encoder) {
        let target = |into: &mut Encoder, id: TargetId| into.u16(id.0);
        into.option(self.primary, target);
        into.flag(self.bound);
        into.option(self.transaction, target);
        into.flag(self.on_primary);
        into.list(
            self.left_open.iter().collect::<Vec<_>>().into_iter(),
            target,
        );
        into.flag(self.only_reads);
        into.flag(self.repeatable);
        into.flag(self.hopeful);
        into.flag(self.steady);
        into.option(self.last, target);
        into.flag(self.follows_primary);
        self.tied.freeze(into);
        self.causal.freeze(into);
    }

    pub(super) fn read(settings: Settings, from: &mut Decoder<'_>) -> Result<Split, FreezeError> {
        let target = |from: &mut Decoder<'_>| from.u16().map(TargetId);
        let mut split = Split::new(settings, from.option(target)?);
        split.bound = from.flag()?;
        split.transaction = from.option(target)?;
        split.on_primary = from.flag()?;
        split.left_open = from.list(target)?.into_iter().collect();
        split.only_reads = from.flag()?;
        split.repeatable = from.flag()?;
        split.hopeful = from.flag()?;
        split.steady = from.flag()?;
        split.last = from.option(target)?;
        split.follows_primary = from.flag()?;
        split.tied = Tied::thaw(from)?;
        split.causal = Causal::thaw(from)?;
        Ok(split)
    }
}
