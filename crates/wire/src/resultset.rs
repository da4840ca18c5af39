//! Text result sets: those that Tidegate answers itself, and those it reads.
