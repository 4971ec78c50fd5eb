//! The control process's side of the engine: the protocol, the ledger of events, kept sockets, and the thread that speaks.

pub mod connection;
pub mod ledger;
pub mod protocol;
pub mod router;
pub mod server;
