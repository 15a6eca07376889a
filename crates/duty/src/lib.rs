//! tocsin-duty
