//! Clients that share one event loop.

use crate::words::V1;

sio_peer::sharing_tests!(V1);
