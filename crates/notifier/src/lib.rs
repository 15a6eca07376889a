//! tocsin-notifier
