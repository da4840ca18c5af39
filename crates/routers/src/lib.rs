//! The routers, one module each.
