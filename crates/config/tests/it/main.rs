//! The crate as its users see it, together with the declarations of the modules.

mod appendix;
mod command_line;
mod declarations;
mod golden;
mod modules;
mod robust;
mod round_trip;
mod typed;
