//! The bytes of the protocol, written by hand: what the client's own codec does is not trusted here.

/// One packet of a polling body, or one WebSocket message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    Text(String),
    /// Without the leading type byte 4.
    Binary(Vec<u8>),
}

pub(crate) fn text(text: &str) -> Packet {
    Packet::Text(text.to_owned())
}

pub(crate) fn binary(bytes: &[u8]) -> Packet {
    Packet::Binary(bytes.to_vec())
}

/// An open packet.
pub(crate) fn open(upgrades: &[&str], interval: u32, timeout: u32) -> String {
    let upgrades: Vec<String> = upgrades.iter().map(|name| format!("{name:?}")).collect();
    let upgrades = upgrades.join(",");
    format!(
        r#"0{{"sid":"abc","upgrades":[{upgrades}],"pingInterval":{interval},"pingTimeout":{timeout}}}"#
    )
}

/// An open packet that offers nothing, with the heartbeat of 2.5.
pub(crate) fn plain_open() -> String {
    open(&[], 25_000, 20_000)
}

/// A body in the text framing of 2.x.
pub(crate) fn text_body(packets: &[&str]) -> Vec<u8> {
    let framed = |packet: &&str| format!("{}:{packet}", packet.encode_utf16().count());
    packets.iter().map(framed).collect::<String>().into_bytes()
}

/// A body in the binary framing.
pub(crate) fn binary_body(packets: &[Packet]) -> Vec<u8> {
    let mut body = Vec::new();
    for packet in packets {
        let (kind, data) = match packet {
            Packet::Text(text) => (0, text.clone().into_bytes()),
            Packet::Binary(bytes) => (1, [&[4], &bytes[..]].concat()),
        };
        body.push(kind);
        body.extend(data.len().to_string().bytes().map(|digit| digit - b'0'));
        body.push(0xff);
        body.extend(data);
    }
    body
}

/// The packets of a post, which is in the binary framing always.
pub(crate) fn read_post(mut body: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    while let Some((&kind, rest)) = body.split_first() {
        let end = rest
            .iter()
            .position(|&byte| byte == 0xff)
            .expect("a length's end mark");
        let length = rest[..end]
            .iter()
            .fold(0, |sum, &digit| sum * 10 + usize::from(digit));
        let (data, next) = rest[end + 1..].split_at(length);
        packets.push(match kind {
            0 => Packet::Text(String::from_utf8(data.to_vec()).expect("UTF-8 in a post")),
            1 => {
                assert_eq!(data[0], 4, "binary packets are messages");
                binary(&data[1..])
            }
            other => panic!("the post has a packet of kind {other}"),
        });
        body = next;
    }
    packets
}

/// A gzip file of one stored block.
pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a short text");
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(data);
    file.extend(crc32(data).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in data {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc = (crc >> 1) ^ (low * 0xedb8_8320);
        }
    }
    !crc
}

/// A WebSocket frame as a server writes it, if `first` is well chosen: FIN is 0x80, text 1, binary 2, ping 9.
pub(crate) fn frame(first: u8, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match data.len() {
        length @ 0..126 => frame.push(length as u8),
        length @ 126..65_536 => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(data);
    frame
}
