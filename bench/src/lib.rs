//! The benchmarks of the sio clients; `README.md` says how to run them and how to read what they print.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`work`] | the works, and what is measured of each: the contract that every client of the benchmarks keeps |
//! | [`serve`] | the fast server |
//! | [`client`] | our clients, and the limit: the same frames on a bare socket |
//! | [`measure`] | clocks, memory, threads |
//! | [`scale`] | many connections in one process |
//! | [`flow`] | what a client holds while too much comes, or has to leave |
//! | [`run`] | the runner: all clients on all servers, side by side, and the tables |

pub mod client;
pub mod flow;
pub mod measure;
pub mod run;
pub mod scale;
pub mod serve;
pub mod work;
