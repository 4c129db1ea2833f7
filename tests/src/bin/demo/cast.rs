//! Who plays: the model's author, a requester, four honest verifiers on different numeric profiles, and a cheater.

use std::path::Path;

use alloy::primitives::{Address, B256};
use eyre::Result;
use quorate_tests::{
    devnet::Devnet,
    model,
    party::Party,
    programs,
    verifier::{Profile, Verifier, come_of_age},
};

use crate::{money::money_of, report::Money};

/// Everybody, with their nodes running.
pub(crate) struct Cast {
    pub(crate) model: B256,
    pub(crate) requester: Party,
    pub(crate) players: Vec<Player>,
}

/// A verifier of the play.
pub(crate) struct Player {
    pub(crate) verifier: Verifier,
    pub(crate) profile: &'static str,
    pub(crate) honest: bool,
}

/// What the requester has, and each player.
pub(crate) struct Purses {
    pub(crate) requester: Money,
    pub(crate) players: Vec<Money>,
}

impl Cast {
    /// Registers the model in `folder`, takes five seats, starts five nodes on these profiles and one that cheats, and
    /// waits until all of them work.
    pub(crate) async fn enter(devnet: &Devnet, folder: &Path, profiles: &[Profile]) -> Result<Self> {
        println!("registering the model ...");
        let model = model::register_folder(devnet, &devnet.party("author")?, folder, model::TIME).await?;

        println!("staking five verifiers and starting their nodes ...");
        let names = ["alice", "bob", "carol", "dave", "mallory"];
        let parties = names.map(|name| devnet.party(name)).into_iter().collect::<Result<_>>()?;
        let verifiers = Verifier::register(devnet, parties, model).await?;
        let mut players = Vec::new();
        for (number, verifier) in verifiers.into_iter().enumerate() {
            let profile = profiles.get(number).map(|profile| (profile.name, profile.flags));
            players.push(Player::start(verifier.serving(folder), profile)?);
        }
        for player in &mut players {
            player.verifier.ready(devnet).await?;
            let Player { verifier, profile, .. } = player;
            println!("  {:8} seat {}  {profile}", verifier.party.name, verifier.seat);
        }
        come_of_age(devnet, model).await?;
        Ok(Self { model, requester: devnet.party("requester")?, players })
    }

    /// What everybody has now.
    pub(crate) async fn money(&self, devnet: &Devnet) -> Result<Purses> {
        let requester = money_of(&devnet.chain, self.requester.address(), None).await?;
        let mut players = Vec::new();
        for Player { verifier, .. } in &self.players {
            let seat = Some((self.model, verifier.seat));
            players.push(money_of(&devnet.chain, verifier.party.address(), seat).await?);
        }
        Ok(Purses { requester, players })
    }

    /// The player with that seat.
    pub(crate) fn in_seat(&self, seat: u32) -> Option<&Player> {
        self.players.iter().find(|player| player.verifier.seat == seat)
    }
}

impl Player {
    /// Whoever has no profile of an honest node's cheats.
    fn start(verifier: Verifier, profile: Option<(&'static str, &[&str])>) -> Result<Self> {
        let (profile, honest, mut verifier) = match profile {
            Some((name, flags)) => (name, true, verifier.with(flags)),
            None => (
                "cheats: a quarter of the work, other noise",
                false,
                verifier.by(programs::built("cheater")?).with(&["--no-appeal"]),
            ),
        };
        verifier.start()?;
        Ok(Self { verifier, profile, honest })
    }

    /// Its account.
    pub(crate) fn address(&self) -> Address {
        self.verifier.party.address()
    }
}
