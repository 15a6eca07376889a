//! tocsin-audit
