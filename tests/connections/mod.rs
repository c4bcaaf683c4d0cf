//! How a database is reached: TLS, sockets, poolers, where passwords come from and never go to, and a server that was away.

mod passwords;
mod pooler;
mod secrets;
mod server;
