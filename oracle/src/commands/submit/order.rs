//! An order: what was typed, completed by the model's defaults and checked against what the chain takes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy::{
    primitives::{B256, U256, aliases::U96},
    signers::k256::elliptic_curve::rand_core::{OsRng, RngCore},
};
use oracle::{
    chain::{Chain, ChainError, IGenerationOracle::Terms, RegisteredModel},
    manifest::{ImageDefaults, LocalModel, MANIFEST_FILE, ManifestError},
    spec::{ImageBounds, ImageSpec, Solver},
};

use super::Args;
use crate::commands::{
    quote::{fee, most_share, usual_share},
    terminal::printable,
    typed::{Ether, Seed, Size},
    verifiers::all_seats,
};

/// Something that the model can make and the chain will take.
pub(super) struct Order {
    pub(super) model: B256,
    pub(super) spec: ImageSpec,
    pub(super) terms: Terms,
    /// Share times committee.
    pub(super) fee: Ether,
}

impl Order {
    /// Looks up the model and checks everything that can be checked before money moves.
    pub(super) async fn resolve(args: &Args, chain: &Chain) -> eyre::Result<Self> {
        let model = chain.find_model(&args.model).await?;
        let spec = spec(args, &model)?;
        spec.check(&ImageBounds::from(&model.model.bounds))?;
        let share = share(args.fee, model.model.seatStake, args.committee)?;
        check_pool(chain, &model, args.committee).await?;
        let terms = Terms { committeeSize: args.committee, fixedSeed: args.fixed_seed, share };
        Ok(Self { model: model.id, spec, fee: fee(share, args.committee), terms })
    }
}

fn spec(args: &Args, model: &RegisteredModel) -> eyre::Result<ImageSpec> {
    let (size, steps, guidance) = match (args.size, args.steps, args.guidance) {
        (Some(size), Some(steps), Some(guidance)) if args.manifest.is_none() => (size, steps, guidance.0),
        (size, steps, guidance) => {
            let defaults = defaults(args.manifest.as_deref(), model)?;
            let usual = Size { width: defaults.width, height: defaults.height };
            (
                size.unwrap_or(usual),
                steps.unwrap_or(defaults.steps),
                guidance.map_or(defaults.guidance, |guidance| guidance.0),
            )
        }
    };
    Ok(ImageSpec {
        prompt: args.prompt(),
        negative_prompt: args.negative_prompt(),
        width: size.width,
        height: size.height,
        steps,
        solver: Solver::Ddim,
        guidance,
        seed: args.seed.map_or_else(random_seed, |Seed(seed)| seed),
    })
}

fn random_seed() -> B256 {
    let mut seed = B256::ZERO;
    OsRng.fill_bytes(seed.as_mut_slice());
    seed
}

/// From the manifest that was named, else from the one in `models/` that is this model's.
fn defaults(manifest: Option<&Path>, model: &RegisteredModel) -> eyre::Result<ImageDefaults> {
    if let Some(path) = manifest {
        let local = LocalModel::open(folder_of(path)?)?;
        eyre::ensure!(
            local.hash == model.model.manifestHash,
            "{} is not the manifest of model {}: its sha256 is {}, and {} is registered",
            path.display(),
            model.id,
            local.hash,
            model.model.manifestHash
        );
        return Ok(local.manifest.defaults);
    }
    local_models().find(|local| local.hash == model.model.manifestHash).map(|local| local.manifest.defaults).ok_or_else(
        || {
            eyre::eyre!(
                "the manifest of model {} ({}) is not in models/: give --size, --steps and --guidance, or say where it is with --manifest",
                printable(&model.name),
                model.id
            )
        },
    )
}

fn folder_of(path: &Path) -> eyre::Result<&Path> {
    if path.is_dir() {
        return Ok(path);
    }
    eyre::ensure!(
        path.file_name().is_some_and(|name| name == MANIFEST_FILE),
        "{} is neither a model's folder nor a {MANIFEST_FILE}",
        path.display()
    );
    Ok(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// The models below `models/`; what is none is passed over.
fn local_models() -> impl Iterator<Item = LocalModel> {
    let open = |folder: PathBuf| -> Option<Result<LocalModel, ManifestError>> {
        folder.join(MANIFEST_FILE).is_file().then(|| LocalModel::open(&folder))
    };
    let folders = fs::read_dir("models").into_iter().flatten().flatten().map(|entry| entry.path());
    folders.filter_map(open).flatten()
}

/// What a seat earns, in wei.
fn share(paid: Option<Ether>, seat_stake: U96, committee: u8) -> eyre::Result<U96> {
    let Some(Ether(paid)) = paid else { return Ok(usual_share(seat_stake)) };
    let most = most_share(seat_stake);
    let share = paid / U256::from(committee);
    let fits = !share.is_zero() && share <= U256::from(most);
    eyre::ensure!(
        fits,
        "a fee of {} is out of range: for {committee} seats of this model it is more than 0 and at most {}, so that fraud costs more than it earns",
        Ether(paid),
        fee(most, committee)
    );
    Ok(U96::from(share))
}

/// Young seats count for the contract, but are not drawn: the job would end unresolved.
async fn check_pool(chain: &Chain, model: &RegisteredModel, committee: u8) -> eyre::Result<()> {
    let seat_age = u64::from(chain.stakes().seatAge().call().await.map_err(ChainError::from)?);
    let now = chain.now().await?.time;
    let seats = all_seats(chain, model.id).await?;
    let in_pool = seats.iter().filter(|(_, seat)| seat.leftAt == 0);
    let mut drawable_from: Vec<_> = in_pool.map(|(_, seat)| seat.enrolledAt + seat_age).collect();
    drawable_from.sort_unstable();

    let name = printable(&model.name);
    match drawable_from.get(usize::from(committee) - 1) {
        None => eyre::bail!(
            "the pool of {name} has {} seats, too few for a committee of {committee}: take a smaller one, or wait for verifiers to enrol",
            drawable_from.len()
        ),
        Some(&time) if time > now => eyre::bail!(
            "too many seats of {name} are too young to be drawn for a committee of {committee}: try again in {} s",
            time - now
        ),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_split_evenly_and_bounded_by_the_stake() {
        let stake = U96::from(1_600_u64);
        let of = |paid: u64| share(Some(Ether(U256::from(paid))), stake, 3).ok();

        assert_eq!(of(30), Some(U96::from(10)));
        assert_eq!(of(11), Some(U96::from(3)), "cut to whole wei");
        assert_eq!(of(33), None, "more than a 160th of the stake each");
        assert_eq!(of(2), None);
        assert_eq!(share(None, stake, 3).unwrap(), U96::from(1));
        assert!(share(Some(Ether(U256::MAX)), stake, 3).is_err());
    }

    #[test]
    fn a_manifest_is_named_by_its_folder_or_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join(MANIFEST_FILE);

        assert_eq!(folder_of(folder.path()).unwrap(), folder.path());
        assert_eq!(folder_of(&manifest).unwrap(), folder.path());
        assert_eq!(folder_of(Path::new(MANIFEST_FILE)).unwrap(), Path::new("."));
        assert!(folder_of(&folder.path().join("model.json")).is_err());
    }
}
