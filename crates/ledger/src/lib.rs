//! tocsin-ledger
