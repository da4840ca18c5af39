//! Text result sets: those that Tidegate answers itself, and those it reads from servers.
//!
//! Left out: binary rows, which only applications and servers read.

mod column;
mod text;

pub use column::{ColumnDef, ColumnType};
pub use text::{TextRow, text_result, text_row};
