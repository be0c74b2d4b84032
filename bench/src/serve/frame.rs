//! WebSocket frames, as a server reads and writes them.

/// The kinds of frames.
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// The longest header that is written.
pub(super) const LONGEST_HEADER: usize = 10;

/// What stands before the payload of a client's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) mask: [u8; 4],
    /// Its own length.
    pub(super) length: usize,
    /// That of the payload.
    pub(super) payload: usize,
}

/// Reads the header of a frame; `None` if it is not all there.
pub(super) fn header(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0xf0 != FIN {
        return Err("a frame in fragments, or compressed");
    }
    if second & MASKED == 0 {
        return Err("a frame without a mask");
    }
    let (payload, rest) = match (second & !MASKED, rest) {
        (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
        (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
            (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest)
        }
        (126 | 127, _) => return Ok(None),
        (length, rest) => (u64::from(length), rest),
    };
    let [a, b, c, d, rest @ ..] = rest else {
        return Ok(None);
    };
    if payload > 1 << 30 {
        return Err("a frame of more than a gibibyte");
    }
    Ok(Some(Header {
        kind: first & 0x0f,
        mask: [*a, *b, *c, *d],
        length: bytes.len() - rest.len(),
        payload: payload as usize,
    }))
}

/// Takes the mask off.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut eight = [0; 8];
        eight.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(eight) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Appends the header of a frame with a payload of that length.
pub(super) fn write_header(kind: u8, payload: usize, into: &mut Vec<u8>) {
    into.push(FIN | kind);
    match payload {
        0..126 => into.push(payload as u8),
        126..65_536 => {
            into.push(126);
            into.extend((payload as u16).to_be_bytes());
        }
        _ => {
            into.push(127);
            into.extend((payload as u64).to_be_bytes());
        }
    }
}

/// Appends a frame whose payload is these parts.
pub(super) fn write(kind: u8, parts: &[&[u8]], into: &mut Vec<u8>) {
    write_header(kind, parts.iter().map(|part| part.len()).sum(), into);
    for part in parts {
        into.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::frame::{Frame, FrameSocket, coding::OpCode};

    /// Frames of a client, as tungstenite writes them, come out as they went in, wherever they are cut.
    #[test]
    fn frames_of_a_client_are_read() {
        for length in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 70_001] {
            let payload: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let mut frame = Frame::message(
                payload.clone(),
                OpCode::Data(tungstenite::protocol::frame::coding::Data::Text),
                true,
            );
            frame.header_mut().mask = Some([1, 0x80, 0xff, 7]);
            let mut bytes = Vec::new();
            frame.format(&mut bytes).unwrap();
            let header = header(&bytes).unwrap().unwrap();
            assert_eq!(header.kind, TEXT);
            assert_eq!(header.payload, length);
            assert_eq!(header.length + length, bytes.len());
            for cut in 0..header.length {
                assert_eq!(
                    super::header(&bytes[..cut]),
                    Ok(None),
                    "{length} cut at {cut}"
                );
            }
            unmask(&mut bytes[header.length..], header.mask);
            assert_eq!(&bytes[header.length..], &payload, "{length}");
        }
    }

    #[test]
    fn frames_of_a_server_are_read_by_tungstenite() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = Vec::new();
            let (front, back) = payload.split_at(length / 2);
            write(BINARY, &[front, back], &mut bytes);
            let mut socket = FrameSocket::new(std::io::Cursor::new(bytes));
            let frame = socket.read(None).unwrap().unwrap();
            assert_eq!(frame.into_payload(), payload, "{length}");
        }
    }

    #[test]
    fn what_no_client_sends_is_an_error() {
        assert!(header(&[0x01, 0x80, 0, 0, 0, 0]).is_err(), "a fragment");
        assert!(header(&[0xc1, 0x80, 0, 0, 0, 0]).is_err(), "compressed");
        assert!(header(&[0x81, 0x00]).is_err(), "no mask");
    }
}
