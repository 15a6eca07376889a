//! tocsin-publisher
