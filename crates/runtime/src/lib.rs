//! Workers: where sessions meet sockets.
