//! The benchmarks of the sio clients; `README.md` says how to run them and how to read what they print.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`work`] | the works, and what is measured of each: the contract that every client of the benchmarks keeps |
//! | [`serve`] | the fast server |
//! | [`client`] | our clients, and the limit: the same frames on a bare socket |
//! | [`measure`] | clocks, memory, threads |
//! | [`run`] | the runner: all clients on all servers, side by side, and the tables |

pub mod client;
pub mod measure;
pub mod run;
pub mod serve;
pub mod work;
