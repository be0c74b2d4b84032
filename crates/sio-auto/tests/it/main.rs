//! The probe and the facade against scripted peers in the same process: odd, broken and hostile ones.

mod facade;
mod odd;
mod options;
mod wire;
