//! Putting binary packets and their attachments together.

use bytes::Bytes;
use bytestring::ByteString;

use super::parse::parse_behind;
use super::write::MESSAGE;
use super::{Packet, PacketLimits};
use crate::error::PacketError;

/// A packet with everything it announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// The packet, its placeholders still in its JSON.
    pub packet: Packet,
    /// As many as [`Packet::attachments`] says. Whether placeholders point at them is not checked here.
    pub attachments: Vec<Bytes>,
}

/// Collects the attachments of binary packets.
///
/// One per connection, not per transport or namespace: attachments may come in later poll bodies than their packet,
/// also after an upgrade on the websocket. Engine.IO packets other than messages may come in between and are no
/// business of this type; another Socket.IO packet may not.
///
/// After an error it is as new: the unfinished packet is gone.
#[derive(Debug, Default)]
pub struct Assembler {
    limits: PacketLimits,
    pending: Option<Pending>,
}

impl Assembler {
    /// An assembler that waits for nothing.
    pub fn new(limits: PacketLimits) -> Self {
        Self {
            limits,
            pending: None,
        }
    }

    /// Takes the text of an Engine.IO message. Gives the packet unless it waits for attachments now.
    ///
    /// # Errors
    ///
    /// [`AttachmentsMissing`](PacketError::AttachmentsMissing) where it waited already (2.5 and 4.x servers treat
    /// that as an error too, 1.x forget the older packet), and what [`parse()`](super::parse()) finds.
    pub fn text(&mut self, text: ByteString) -> Result<Option<Assembled>, PacketError> {
        self.behind("", text)
    }

    /// Takes a whole websocket text message, which [is a message](is_message_frame): the type `4` and a packet. The same
    /// as the message's text to [`text`](Self::text), but one slice less.
    ///
    /// # Errors
    ///
    /// As for [`text`](Self::text); offsets count from behind the type.
    pub fn frame(&mut self, frame: ByteString) -> Result<Option<Assembled>, PacketError> {
        debug_assert!(is_message_frame(&frame));
        self.behind(MESSAGE, frame)
    }

    #[inline]
    fn behind(&mut self, prefix: &str, text: ByteString) -> Result<Option<Assembled>, PacketError> {
        if let Some(pending) = self.pending.take() {
            return Err(PacketError::AttachmentsMissing {
                announced: pending.packet.attachments,
                received: pending.attachments.len(),
            });
        }
        let packet = parse_behind(prefix, text, &self.limits)?;
        if packet.attachments > 0 {
            self.pending = Some(Pending::new(packet));
            return Ok(None);
        }
        Ok(Some(Assembled {
            packet,
            attachments: Vec::new(),
        }))
    }

    /// Takes the bytes of an Engine.IO message. Gives the packet if this was the last attachment.
    ///
    /// # Errors
    ///
    /// [`UnexpectedAttachment`](PacketError::UnexpectedAttachment) or
    /// [`AttachmentsTooLarge`](PacketError::AttachmentsTooLarge).
    pub fn binary(&mut self, bytes: Bytes) -> Result<Option<Assembled>, PacketError> {
        let Some(mut pending) = self.pending.take() else {
            return Err(PacketError::UnexpectedAttachment {
                length: bytes.len(),
            });
        };
        let limit = self.limits.attachment_bytes;
        pending.bytes = pending.bytes.saturating_add(bytes.len());
        if pending.bytes > limit {
            return Err(PacketError::AttachmentsTooLarge { limit });
        }
        pending.attachments.push(bytes);
        if pending.attachments.len() < pending.packet.attachments {
            self.pending = Some(pending);
            return Ok(None);
        }
        Ok(Some(Assembled {
            packet: pending.packet,
            attachments: pending.attachments,
        }))
    }

    /// Whether attachments are missing.
    pub fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// Copies what waits out of the poll body it is a slice of, so that the body's memory can go.
    ///
    /// To be called at the end of each poll body. Otherwise a server could make us keep a whole body for each tiny
    /// attachment. Costs nothing unless something waits, and copies nothing twice.
    pub fn detach(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.detach();
        }
    }
}

/// Whether a websocket text message holds a Socket.IO packet: the text of an Engine.IO message.
pub fn is_message_frame(frame: &str) -> bool {
    frame.starts_with(MESSAGE)
}

/// A packet whose attachments are still coming.
#[derive(Debug)]
struct Pending {
    packet: Packet,
    attachments: Vec<Bytes>,
    /// The size of all attachments so far.
    bytes: usize,
    /// How many attachments are copies already, once the packet is one.
    detached: Option<usize>,
}

impl Pending {
    fn new(packet: Packet) -> Self {
        Self {
            // Announcing costs the peer nothing, so it reserves nothing: the list grows with what comes.
            attachments: Vec::new(),
            packet,
            bytes: 0,
            detached: None,
        }
    }

    fn detach(&mut self) {
        if self.detached.is_none() {
            let Packet {
                namespace,
                query,
                data,
                ..
            } = &mut self.packet;
            for text in [Some(namespace), query.as_mut(), Some(data)]
                .into_iter()
                .flatten()
            {
                *text = ByteString::from(&**text);
            }
        }
        for attachment in &mut self.attachments[self.detached.unwrap_or_default()..] {
            *attachment = Bytes::copy_from_slice(attachment);
        }
        self.detached = Some(self.attachments.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(
        assembler: &mut Assembler,
        text: &'static str,
    ) -> Result<Option<Assembled>, PacketError> {
        assembler.text(ByteString::from_static(text))
    }

    fn binary(
        assembler: &mut Assembler,
        bytes: &'static [u8],
    ) -> Result<Option<Assembled>, PacketError> {
        assembler.binary(Bytes::from_static(bytes))
    }

    #[test]
    fn packets_without_attachments_are_complete_at_once() {
        let mut assembler = Assembler::default();
        for packet in ["0", "2[\"a\"]", "50-[\"flagged as binary\"]"] {
            let assembled = text(&mut assembler, packet).unwrap().unwrap();
            assert_eq!(assembled.attachments, Vec::<Bytes>::new());
            assert!(!assembler.is_waiting());
        }
    }

    #[test]
    fn a_frame_is_read_like_the_text_behind_its_type() {
        for text in [
            "0",
            "2/chat,7[\"a\"]",
            "",
            "9",
            "5[]",
            "51025-[]",
            "\u{d55c}",
        ] {
            let read = Assembler::default().text(text.into());
            let frame = format!("4{text}");
            assert!(is_message_frame(&frame));
            assert_eq!(Assembler::default().frame(frame.into()), read, "{text}");
        }
        let mut assembler = Assembler::default();
        assert_eq!(assembler.frame("451-[\"a\"]".into()), Ok(None));
        assert!(assembler.is_waiting());
        assert!(!is_message_frame("3probe"));
    }

    #[test]
    fn attachments_complete_a_packet_in_order() {
        let mut assembler = Assembler::default();
        assert_eq!(text(&mut assembler, "53-/chat,7[\"a\"]"), Ok(None));
        assert!(assembler.is_waiting());
        assert_eq!(binary(&mut assembler, b"one"), Ok(None));
        assert_eq!(binary(&mut assembler, b""), Ok(None));
        let assembled = binary(&mut assembler, b"three").unwrap().unwrap();
        assert_eq!(assembled.packet.id, Some(7));
        assert_eq!(assembled.attachments, ["one", "", "three"]);
        assert!(!assembler.is_waiting());
    }

    #[test]
    fn detaching_copies_each_part_once() {
        let mut assembler = Assembler::default();
        let body = ByteString::from_static("53-/chat?q,7[\"a\"]");
        assembler.text(body.clone()).unwrap();
        assembler.detach();
        binary(&mut assembler, b"one").unwrap();
        assembler.detach();
        let copied = assembler.pending.as_ref().unwrap().attachments[0].as_ptr();
        binary(&mut assembler, b"two").unwrap();
        assembler.detach();
        let pending = assembler.pending.as_ref().unwrap();
        assert_eq!(pending.attachments[0].as_ptr(), copied);
        let assembled = binary(&mut assembler, b"three").unwrap().unwrap();
        assert_eq!(
            assembled.packet,
            crate::packet::parse(body, &PacketLimits::default()).unwrap()
        );
        assert_eq!(assembled.attachments, ["one", "two", "three"]);
    }

    #[test]
    fn a_packet_before_the_last_attachment_is_an_error() {
        let mut assembler = Assembler::default();
        text(&mut assembler, "52-[\"a\"]").unwrap();
        binary(&mut assembler, b"one").unwrap();
        let error = PacketError::AttachmentsMissing {
            announced: 2,
            received: 1,
        };
        assert_eq!(text(&mut assembler, "2[\"b\"]"), Err(error));
        assert!(!assembler.is_waiting());
        assert!(text(&mut assembler, "2[\"b\"]").unwrap().is_some());
    }

    #[test]
    fn a_stray_attachment_is_an_error() {
        let mut assembler = Assembler::default();
        let error = Err(PacketError::UnexpectedAttachment { length: 3 });
        assert_eq!(binary(&mut assembler, b"one"), error);
        text(&mut assembler, "51-[\"a\"]").unwrap();
        binary(&mut assembler, b"").unwrap();
        assert_eq!(binary(&mut assembler, b"two"), error);
    }

    #[test]
    fn attachments_are_limited_in_size_together() {
        let mut assembler = Assembler::new(PacketLimits {
            attachment_bytes: 5,
            ..PacketLimits::default()
        });
        text(&mut assembler, "53-[\"a\"]").unwrap();
        assert_eq!(binary(&mut assembler, b"123"), Ok(None));
        assert_eq!(binary(&mut assembler, b"45"), Ok(None));
        let error = Err(PacketError::AttachmentsTooLarge { limit: 5 });
        assert_eq!(binary(&mut assembler, b"6"), error);
        assert!(!assembler.is_waiting());
    }
}
