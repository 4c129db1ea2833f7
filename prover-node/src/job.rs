//! A job's way through the node: a type per stage. A stage owns what exists by then, and moving on consumes it.
//!
//!     Drawn -> Accepted -> Generated -> Digested -> Sealed -> Committed -> Revealed
//!
//! One operator may hold several seats of a committee: the work is done once and every seat votes with it. All rounds
//! of a job start from the same noise.

use alloy::primitives::{B256, hex};
use oracle::{commitment::Opening, digest::Digest, output::Output, spec::Spec};

use crate::{
    output::{EncodingError, File},
    salt::SaltKey,
    schedule::Place,
};

/// One round of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoundKey {
    /// The job.
    pub job: B256,
    /// From 1.
    pub number: u8,
}

/// One draw of one round. A reorganisation may draw it again, with other seats and other noise: that is other work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DrawKey {
    /// The job.
    pub job: B256,
    /// The round's.
    pub number: u8,
    /// The seed of the draw. That of the first round is what the noise is made of.
    pub seed: B256,
}

/// A place on a committee that is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seat {
    /// Its number in the model's pool.
    pub number: u32,
    /// Its index in the committee.
    pub member: u32,
}

/// Some of our seats are on the committee, or will be as soon as somebody sends the draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Which draw.
    pub key: DrawKey,
    /// What to make.
    pub spec: Spec,
    /// What generation starts from.
    pub noise_seed: B256,
    /// Ours, in the order of the committee; never empty.
    pub seats: Vec<Seat>,
    /// When nobody votes in this draw any more at the latest, in seconds since the epoch.
    pub deadline: u64,
}

/// It can be made in time, and the model's time for it is set aside.
#[derive(Debug)]
pub struct Accepted {
    /// Which draw.
    pub key: DrawKey,
    /// What to make.
    pub spec: Spec,
    /// What generation starts from.
    pub noise_seed: B256,
    /// Ours.
    pub seats: Vec<Seat>,
    /// For the model's time, given back when this is dropped.
    pub place: Place,
}

/// The picture or text exists, in memory.
pub struct Generated {
    /// Which draw.
    pub key: DrawKey,
    /// Ours.
    pub seats: Vec<Seat>,
    /// What the model made.
    pub output: Output,
}

/// The output has been hashed, and encoded as it will be served.
pub struct Digested {
    /// Which draw.
    pub key: DrawKey,
    /// Ours.
    pub seats: Vec<Seat>,
    /// Of the output.
    pub digest: Digest,
    /// What is to be served.
    pub file: File,
}

/// Each seat has an opening. Once it is on disk its commitment may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which draw.
    pub key: DrawKey,
    /// One of each seat.
    pub votes: Vec<Vote>,
}

/// A seat with what its commitment hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// Ours.
    pub seat: Seat,
    /// To be shown at the reveal.
    pub opening: Opening,
}

/// The commitments of these votes are on chain.
#[derive(Debug)]
pub struct Committed {
    /// Which draw.
    pub key: DrawKey,
    /// Never empty.
    pub votes: Vec<Vote>,
}

/// The openings of these votes are on chain, as deep as we asked for.
#[derive(Debug)]
pub struct Revealed {
    /// Which draw.
    pub key: DrawKey,
    /// Never empty.
    pub votes: Vec<Vote>,
}

impl DrawKey {
    /// Of the draw.
    #[must_use]
    pub fn round(&self) -> RoundKey {
        RoundKey { job: self.job, number: self.number }
    }
}

impl Drawn {
    /// The model's time is set aside.
    #[must_use]
    pub fn accepted(self, place: Place) -> Accepted {
        Accepted { key: self.key, spec: self.spec, noise_seed: self.noise_seed, seats: self.seats, place }
    }
}

impl Accepted {
    /// The model is done, and free for the next one.
    #[must_use]
    pub fn generated(self, output: Output) -> Generated {
        Generated { key: self.key, seats: self.seats, output }
    }
}

impl Generated {
    /// Hashes and encodes the output.
    pub fn digest(self) -> Result<Digested, EncodingError> {
        let (digest, file) = (self.output.digest(), File::of(&self.output)?);
        Ok(Digested { key: self.key, seats: self.seats, digest, file })
    }
}

impl Digested {
    /// Gives each seat an opening.
    #[must_use]
    pub fn seal(self, salts: &SaltKey) -> Sealed {
        let (digest, content_hash) = (self.digest, self.file.content_hash());
        let opening = |seat: Seat| Opening { digest, content_hash, salt: salts.salt(self.key, seat.number) };
        let votes = self.seats.iter().map(|&seat| Vote { seat, opening: opening(seat) }).collect();
        Sealed { key: self.key, votes }
    }
}

/// A job's id as people read it: its first four bytes.
#[must_use]
pub fn short(job: B256) -> String {
    hex::encode(&job[..4])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use alloy::{
        primitives::{Address, aliases::U96},
        signers::local::PrivateKeySigner,
    };
    use image::{Rgb, RgbImage};
    use oracle::{
        chain::{
            IGenerationOracle::{Job, Terms},
            Request,
        },
        job::noise_of,
        spec::{ImageSpec, Prompt, Solver},
    };

    use super::*;
    use crate::schedule::{Schedule, Work};

    pub(crate) fn spec(side: u32, steps: u32) -> Spec {
        Spec::Image(ImageSpec {
            prompt: Prompt(vec![b'c', 0xff]),
            negative_prompt: Prompt::default(),
            width: side,
            height: side,
            steps,
            solver: Solver::Ddim,
            guidance: 7_500,
            seed: B256::repeat_byte(9),
        })
    }

    pub(crate) fn request() -> Request {
        let terms = Terms { committeeSize: 3, commitWindow: 120, share: U96::from(1_000), ..Terms::default() };
        let (accept, reject) = ([10; 4].into(), [20; 4].into());
        let (bond, spec_seed) = (U96::from(20_000), B256::repeat_byte(9));
        let job = Job { terms, bond, accept, reject, specSeed: spec_seed, poolSeats: 21, ..Job::default() };
        Request { id: B256::repeat_byte(1), job, spec: spec(64, 4), block: 40 }
    }

    pub(crate) fn drawn(seed: u8) -> Drawn {
        let seats = vec![Seat { number: 70, member: 0 }, Seat { number: 3, member: 2 }];
        let key = DrawKey { job: request().id, number: 1, seed: B256::repeat_byte(seed) };
        let noise_seed = noise_of(&request().job, key.seed);
        Drawn { key, spec: request().spec, noise_seed, seats, deadline: 200 }
    }

    pub(crate) fn salts() -> SaltKey {
        SaltKey::new(&PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap(), 31_337, Address::ZERO)
    }

    pub(crate) fn sealed(drawn: Drawn, colour: u8) -> Sealed {
        let place = Schedule::default().admit(Work::default(), 0, 100).unwrap();
        let output = Output::Picture(RgbImage::from_pixel(8, 8, Rgb([colour, 0, 0])));
        drawn.accepted(place).generated(output).digest().unwrap().seal(&salts())
    }

    #[test]
    fn every_seat_votes_with_the_same_picture_and_a_salt_of_its_own() {
        let Sealed { votes, .. } = sealed(drawn(2), 200);
        let [first, second] = votes.as_slice() else { panic!("two seats, {} votes", votes.len()) };

        assert_eq!((first.seat.number, second.seat.number), (70, 3));
        assert_eq!(first.opening.digest, second.opening.digest);
        assert_eq!(first.opening.content_hash, second.opening.content_hash);
        assert_ne!(first.opening.salt, second.opening.salt);
    }

    #[test]
    fn the_same_work_done_again_has_the_same_opening() {
        assert_eq!(sealed(drawn(2), 200), sealed(drawn(2), 200));
        assert_ne!(sealed(drawn(2), 200).votes, sealed(drawn(3), 200).votes);
    }

    #[test]
    fn a_short_id_is_four_bytes() {
        assert_eq!(short(B256::repeat_byte(0xab)), "abababab");
    }
}
