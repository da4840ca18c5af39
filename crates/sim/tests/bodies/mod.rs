//! What must hold for a session whatever its client, its servers and its administrator do: the
//! bodies of the fuzz targets, which stable tests run too.
//!
//! An input is a script: bytes that choose a service, then steps. A step is one byte that says what
//! happens (bytes of the client's, a well-formed packet, a server's reply, a kill ...) and the bytes
//! it needs. So every packet comes in every state, and well-formed dialogues stay short enough to
//! be found. Unlike the simulator nothing here knows what an answer should have been: what is held
//! to is that nothing panics, that the core's own invariants hold after every event, that what it
//! wants done can be done, and that it gives back what it counted.

mod packets;
mod peer;
mod setting;
mod world;

use world::World;

/// A body with its name, which is its target's and its corpus folder's.
pub(crate) type Body = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const BODIES: &[Body] = &[("session_script", script), ("session_thaw", thaw)];

/// What is left of a script.
#[derive(Debug)]
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// A length byte and so many bytes; fewer where the script ends.
    fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte().unwrap_or_default());
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Any script ends with a session that has ended and owes nothing.
pub(crate) fn script(data: &[u8]) {
    let mut world = play(data);
    world.end();
}

/// The session of a script, frozen, if it is at rest when the script ends.
pub(crate) fn frozen(data: &[u8]) -> Option<Vec<u8>> {
    let mut world = play(data);
    let frozen = world.frozen();
    world.end();
    frozen.map(|frozen| [&data[..data.len().min(2)], &frozen].concat())
}

/// Any bytes in place of a frozen session are refused, or give a session that lives like any other.
pub(crate) fn thaw(data: &[u8]) {
    let Some((head, frozen)) = data.split_at_checked(2) else {
        return;
    };
    if let Some(mut world) = World::thawed(head, frozen) {
        world.end();
    }
}

fn play(data: &[u8]) -> World {
    let mut script = Script(data);
    let choices = [(); 2].map(|()| script.byte().unwrap_or_default());
    let mut world = World::start(&choices);
    while let Some(step) = script.byte() {
        if world.is_over() {
            break;
        }
        world.step(step, &mut script);
    }
    world
}
