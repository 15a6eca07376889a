//! tocsin-desk
