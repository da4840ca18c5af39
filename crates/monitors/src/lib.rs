//! Server states: observed, diagnosed, published.
