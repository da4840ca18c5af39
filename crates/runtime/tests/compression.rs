//! Clients that compress, before scripted servers: a plain client behind a relay that does it for them.

mod house;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use house::{House, Plan, healthy, login};
use tidegate_runtime::Tuning;
use tidegate_testkit::raw::{RawClient, ScriptedServer};
use tidegate_testkit::{PATIENCE, wait_until};
use tidegate_wire::Caps;
use tidegate_wire::compress::{Codecs, CompressionOffer, Method, Packing};

const OFFER: CompressionOffer = CompressionOffer {
    zlib: true,
    zstd: true,
    threshold: 50,
};

const METHODS: [(Caps, Method); 2] = [
    (Caps::COMPRESS, Method::Zlib),
    (Caps::ZSTD_COMPRESSION, Method::Zstd { level: 3 }),
];

fn house(server: &ScriptedServer) -> House {
    let mut plan = Plan::new(&[server]);
    plan.compression = OFFER;
    House::new(plan)
}

fn read_packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).unwrap();
    let len = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
    let mut packet = header.to_vec();
    packet.resize(4 + len, 0);
    stream.read_exact(&mut packet[4..]).unwrap();
    packet
}

/// What stands between a plain client and the proxy.
struct Packer {
    address: SocketAddr,
    /// Bytes that came compressed.
    received: Arc<AtomicUsize>,
}

impl Packer {
    fn start(proxy: SocketAddr, method: Method) -> Packer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&received);
        thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            relay(client, TcpStream::connect(proxy).unwrap(), method, &count);
        });
        Packer { address, received }
    }
}

fn relay(mut client: TcpStream, mut proxy: TcpStream, method: Method, received: &AtomicUsize) {
    // Greeting, response, OK: the proxy needs nothing else of this client.
    client.write_all(&read_packet(&mut proxy)).unwrap();
    proxy.write_all(&read_packet(&mut client)).unwrap();
    client.write_all(&read_packet(&mut proxy)).unwrap();
    let packing = Arc::new(Mutex::new(Packing::new(method, 50)));
    let forth = {
        let (packing, mut client, mut proxy) = (
            Arc::clone(&packing),
            client.try_clone().unwrap(),
            proxy.try_clone().unwrap(),
        );
        thread::spawn(move || {
            let (mut codecs, mut buffer) = (Codecs::default(), vec![0; 100_000]);
            while let Ok(count @ 1..) = client.read(&mut buffer) {
                let mut packed = Vec::new();
                let mut packing = packing.lock().unwrap();
                packing.pack(&buffer[..count], &mut codecs, &mut packed);
                drop(packing);
                if proxy.write_all(&packed).is_err() {
                    break;
                }
            }
            // The proxy may have closed already.
            let _ = proxy.shutdown(Shutdown::Write);
        })
    };
    let (mut codecs, mut buffer) = (Codecs::default(), vec![0; 100_000]);
    while let Ok(count @ 1..) = proxy.read(&mut buffer) {
        received.fetch_add(count, Ordering::Relaxed);
        let mut plain = Vec::new();
        let mut packing = packing.lock().unwrap();
        let used = packing.unpack(&buffer[..count], usize::MAX / 2, &mut codecs, &mut plain);
        drop(packing);
        assert_eq!(used, Ok(count));
        if client.write_all(&plain).is_err() {
            break;
        }
    }
    // The client may have closed already.
    let _ = client.shutdown(Shutdown::Both);
    forth.join().unwrap();
}

fn connect(house: &House, (caps, method): (Caps, Method)) -> (RawClient, Packer) {
    let packer = Packer::start(house.address(), method);
    let login = login().capabilities(caps.bits() as u32);
    let client = RawClient::connect(packer.address, &login).unwrap();
    (client, packer)
}

#[test]
fn statements_and_results_pass_compressed() {
    let server = healthy();
    let house = house(&server);
    for method in METHODS {
        let (mut client, packer) = connect(&house, method);
        for n in 0..20 {
            let reply = client.query(&format!("SELECT {n}")).unwrap();
            assert_eq!(reply.text_value().unwrap(), n.to_string());
        }
        client.send_query("ROWS 20000 500").unwrap();
        assert_eq!(client.count_rows().unwrap().0, 20_000);
        let received = packer.received.load(Ordering::Relaxed);
        assert!(received < 1_000_000, "{received} of ten million");
        for len in [1 << 20, 0xFF_FFFF] {
            let text = format!("LENGTH {}", "y".repeat(len - 7));
            let reply = client.query(&text).unwrap();
            assert_eq!(reply.text_value().unwrap(), len.to_string());
        }
        client.quit().unwrap();
    }
    let mut plain = house.connect();
    assert_eq!(plain.query("SELECT 1").unwrap().text_value().unwrap(), "1");
    assert_eq!(server.complaints(), [""; 0]);
}

#[test]
fn a_client_that_does_not_read_stops_its_server() {
    let server = healthy();
    let mut plan = Plan::new(&[&server]);
    plan.compression = OFFER;
    plan.tuning = Tuning {
        high_water_bytes: 16 * 1024,
        ..Tuning::default()
    };
    let house = House::new(plan);
    let (mut client, packer) = connect(&house, METHODS[0]);
    client.send_query("ROWS 60000 500").unwrap();
    assert_eq!(client.count_rows().unwrap().0, 60_000);
    drop(packer);
    let largest = house
        .sessions()
        .iter()
        .map(|view| view.memory.total())
        .max();
    assert!(largest.unwrap() < 4 << 20, "{largest:?}");
}

/// A client that has logged in with zlib, as bytes.
fn raw(house: &House) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = thread::spawn(move || {
        let login = login().capabilities(Caps::COMPRESS.bits() as u32);
        RawClient::connect(address, &login).unwrap()
    });
    let (mut plain, _) = listener.accept().unwrap();
    let mut proxy = TcpStream::connect(house.address()).unwrap();
    proxy.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(&read_packet(&mut proxy)).unwrap();
    proxy.write_all(&read_packet(&mut plain)).unwrap();
    plain.write_all(&read_packet(&mut proxy)).unwrap();
    client.join().unwrap();
    proxy
}

#[test]
fn frames_that_cannot_be_unpacked_end_the_session_and_no_other() {
    let server = healthy();
    let house = house(&server);
    let mut other = connect(&house, METHODS[0]);
    for frame in [
        &b"\x05\0\0\0\xff\xff\xffhello"[..],
        b"\x0b\0\0\0\x09\0\0\x78\x9c\x4b\x4c\x04\x02\0\x04\x89\x01\x84",
    ] {
        let mut stream = raw(&house);
        stream.write_all(frame).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        let (mut codecs, mut plain) = (Codecs::default(), Vec::new());
        Packing::new(Method::Zlib, 50)
            .unpack(&rest, 1000, &mut codecs, &mut plain)
            .unwrap();
        let text = String::from_utf8_lossy(&plain).into_owned();
        assert!(text.contains("#08S01"), "{text}");
    }
    wait_until("the end of both", || house.sessions().len() == 1).unwrap();
    let reply = other.0.query("SELECT 7").unwrap();
    assert_eq!(reply.text_value().unwrap(), "7");
}

#[test]
fn a_few_bytes_that_stand_for_many_take_no_memory() {
    let server = healthy();
    let house = house(&server);
    let mut stream = raw(&house);
    // A statement of 16 MiB - 1, all of the same letter, in one frame; the rest of the packet in another.
    let mut plain = vec![b'a'; 0xFF_FFFF];
    plain[..5].copy_from_slice(b"\xff\xff\xff\0\x03");
    let (mut codecs, mut frames) = (Codecs::default(), Vec::new());
    let mut packing = Packing::new(Method::Zlib, 50);
    packing.pack(&plain, &mut codecs, &mut frames);
    packing.pack(b"aaaa\0\0\0\x01", &mut codecs, &mut frames);
    assert!(frames.len() < 400_000, "{}", frames.len());
    stream.write_all(&frames).unwrap();
    let mut header = [0; 7];
    stream.read_exact(&mut header).unwrap();
    let largest = house
        .sessions()
        .iter()
        .map(|view| view.memory.total())
        .max();
    assert!(largest.unwrap() < 4 << 20, "{largest:?}");
}
