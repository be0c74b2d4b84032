//! The command as shells and programs run it, against scripted servers in this process.

mod connect;
mod emit;
mod ending;
mod help;
mod lines;
mod listen;
mod replay;
mod scratch;
mod stage;
mod typing;
