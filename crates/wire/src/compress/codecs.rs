//! The algorithms' own state, which is large and needed only amid a frame: many connections share it.

use std::fmt;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation as _, OutBuffer};

use super::{CompressionError, Method};

/// zlib's level. The proxy compresses for everybody: what the higher levels save in bytes they cost
/// many times over in time.
const ZLIB_LEVEL: Compression = Compression::fast();

/// The largest window a zstd frame may ask for: the longest plain text of a frame.
const ZSTD_WINDOW_LOG: u32 = 24;

/// Decoders that wait to be used again, of each kind.
const KEEP_DECODERS: usize = 4;

/// Plain bytes that come out of a decoder at once.
const STEP: usize = 64 * 1024;

/// What compresses and decompresses, for any number of connections of one thread.
#[derive(Default)]
pub struct Codecs {
    zlib: Option<Compress>,
    zstd: Option<(u8, zstd::bulk::Compressor<'static>)>,
    zlib_decoders: Vec<Decoder>,
    zstd_decoders: Vec<Decoder>,
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codecs").finish_non_exhaustive()
    }
}

/// What decompresses one frame.
pub(super) enum Decoder {
    Zlib(Decompress),
    Zstd(ZstdDecoder<'static>),
    /// There is no memory for one.
    None,
}

/// What a decoder has done.
pub(super) struct Step {
    /// Bytes of data it took.
    pub(super) used: usize,
    /// Plain bytes it made.
    pub(super) made: usize,
    /// The data has come to its end.
    pub(super) ended: bool,
}

impl Codecs {
    /// Appends `plain` compressed; `false`: it could not be, and what was appended means nothing.
    pub(super) fn compress(&mut self, method: Method, plain: &[u8], out: &mut Vec<u8>) -> bool {
        match method {
            Method::Zlib => self.deflate(plain, out),
            Method::Zstd { level } => self.compress_zstd(level, plain, out),
        }
    }

    fn deflate(&mut self, plain: &[u8], out: &mut Vec<u8>) -> bool {
        let compress = self
            .zlib
            .get_or_insert_with(|| Compress::new(ZLIB_LEVEL, true));
        compress.reset();
        // What is not shorter than the plain text is of no use.
        out.reserve(plain.len());
        let done = compress.compress_vec(plain, out, FlushCompress::Finish);
        matches!(done, Ok(Status::StreamEnd))
    }

    fn compress_zstd(&mut self, level: u8, plain: &[u8], out: &mut Vec<u8>) -> bool {
        if self.zstd.as_ref().is_none_or(|(known, _)| *known != level) {
            let made = zstd::bulk::Compressor::new(i32::from(level.clamp(1, 22)));
            self.zstd = made.ok().map(|made| (level, made));
        }
        let Some((_, compressor)) = &mut self.zstd else {
            return false;
        };
        let start = out.len();
        out.resize(start + plain.len(), 0);
        let into = out.get_mut(start..).unwrap_or_default();
        match compressor.compress_to_buffer(plain, into) {
            Ok(len) => {
                out.truncate(start + len);
                true
            }
            Err(_) => false,
        }
    }

    pub(super) fn decoder(&mut self, method: Method) -> Decoder {
        let known = match method {
            Method::Zlib => self.zlib_decoders.pop(),
            Method::Zstd { .. } => self.zstd_decoders.pop(),
        };
        known.unwrap_or_else(|| Decoder::new(method))
    }

    pub(super) fn give_back(&mut self, mut decoder: Decoder) {
        let kept = match &mut decoder {
            Decoder::Zlib(state) => {
                state.reset(true);
                &mut self.zlib_decoders
            }
            Decoder::Zstd(state) => match state.reinit() {
                Ok(()) => &mut self.zstd_decoders,
                Err(_) => return,
            },
            Decoder::None => return,
        };
        if kept.len() < KEEP_DECODERS {
            kept.push(decoder);
        }
    }
}

impl Decoder {
    fn new(method: Method) -> Decoder {
        match method {
            Method::Zlib => Decoder::Zlib(Decompress::new(true)),
            Method::Zstd { .. } => {
                let limited = ZstdDecoder::new().and_then(|mut decoder| {
                    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
                    Ok(decoder)
                });
                limited.map_or(Decoder::None, Decoder::Zstd)
            }
        }
    }

    /// Takes some of `data` and appends at most `room` plain bytes. What makes more of them after there
    /// is no room for any is not lost, and comes next time.
    pub(super) fn step(
        &mut self,
        data: &[u8],
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<Step, CompressionError> {
        let start = out.len();
        let room = room.min(STEP);
        out.resize(start + room, 0);
        let into = out.get_mut(start..).unwrap_or_default();
        let step = match self {
            Decoder::Zlib(state) => inflate(state, data, into),
            Decoder::Zstd(state) => decompress_zstd(state, data, into),
            Decoder::None => Err(CompressionError::Damaged),
        };
        out.truncate(start + step.as_ref().map_or(0, |step| step.made));
        step
    }
}

fn inflate(state: &mut Decompress, data: &[u8], into: &mut [u8]) -> Result<Step, CompressionError> {
    let (used, made) = (state.total_in(), state.total_out());
    let status = state
        .decompress(data, into, FlushDecompress::None)
        .map_err(|_| CompressionError::Damaged)?;
    Ok(Step {
        used: (state.total_in() - used) as usize,
        made: (state.total_out() - made) as usize,
        ended: status == Status::StreamEnd,
    })
}

fn decompress_zstd(
    state: &mut ZstdDecoder<'static>,
    data: &[u8],
    into: &mut [u8],
) -> Result<Step, CompressionError> {
    let mut input = InBuffer::around(data);
    let mut output = OutBuffer::around(into);
    let hint = state
        .run(&mut input, &mut output)
        .map_err(|_| CompressionError::Damaged)?;
    Ok(Step {
        used: input.pos(),
        made: output.pos(),
        ended: hint == 0,
    })
}
