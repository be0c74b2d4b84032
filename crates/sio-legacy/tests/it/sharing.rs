//! Clients that share one event loop.

use crate::words::Legacy;

sio_peer::sharing_tests!(Legacy);
