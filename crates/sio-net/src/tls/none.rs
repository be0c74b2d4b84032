//! A build without TLS: nothing is ever made.

use std::io;

use sio_core::Result;

use super::{Tls, unsupported};
use crate::stream::Socket;

#[derive(Debug, Clone)]
pub(crate) enum Connector {}

#[derive(Debug)]
pub(crate) enum Handshake {}

#[derive(Debug)]
pub(crate) enum Connection {}

#[expect(dead_code, reason = "the dialler looks at both")]
pub(crate) enum Progress {
    Wait(Handshake),
    Done(Connection),
}

impl Connector {
    pub(crate) fn new(tls: &Tls) -> Result<Self> {
        let backend = tls.check()?;
        Err(unsupported(Some(backend)).into())
    }

    pub(crate) fn start(&self, _: &str, _: Socket) -> Result<Handshake> {
        match *self {}
    }
}

impl Handshake {
    pub(crate) fn step(self) -> io::Result<Progress> {
        match self {}
    }
}

impl Connection {
    pub(crate) fn socket(&self) -> &Socket {
        match *self {}
    }
}

impl io::Read for Connection {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl io::Write for Connection {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}
