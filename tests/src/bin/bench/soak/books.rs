//! The books: what every account should have by the chain's events, and what it has.

use std::collections::{BTreeMap, HashMap};

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider as _,
    rpc::types::{Filter, Log},
    sol_types::SolEventInterface as _,
};
use eyre::{OptionExt as _, Result};
use oracle::{
    chain::IGenerationOracle::{IGenerationOracleEvents as Event, Outcome},
    fees::{draw_bounty, fee_of, royalty_on, settle_bounty},
};
use quorate_tests::{devnet::Devnet, outcome::JobOutcome, party::Party};

use super::Requester;

/// What was found wrong, each with a line about it.
#[derive(Default)]
pub(super) struct Books {
    pub(super) losses: usize,
    pub(super) honest_slashes: usize,
    pub(super) double_payments: usize,
    pub(super) complaints: Vec<String>,
    /// What everybody should have at the oracle, in wei, earnings of seats included.
    due: HashMap<Address, U256>,
}

/// A job's events that pay somebody, with who sent them.
#[derive(Default)]
struct Payments {
    drawn_by: BTreeMap<u8, Vec<Address>>,
    settled_by: BTreeMap<u8, Vec<Address>>,
    verdicts: usize,
}

impl Books {
    /// Reads all that happened since the first request. Nothing may be open any more but what is lost.
    pub(super) async fn audit(
        devnet: &Devnet,
        model: B256,
        author: &Party,
        requester: &Requester,
        operators: &[Party],
    ) -> Result<Self> {
        let mut books = Self::default();
        let (jobs, payments) = events(devnet, requester).await?;
        if jobs.len() < requester.sent() {
            let missing = requester.sent() - jobs.len();
            books.losses += missing;
            books.complaints.push(format!("{missing} requests are not on chain"));
        }
        *books.due(requester.address()) += requester.spent();
        for job in jobs {
            let end = JobOutcome::read(&devnet.chain, job).await?;
            books.enter(author, operators, &end, payments.get(&job));
        }

        let stakes = devnet.chain.stakes();
        let slots = stakes.poolOf(model).call().await?.slots;
        let seats = stakes.seats(model, 0, slots).call().await?;
        let mut accounts: Vec<_> = operators.iter().map(|party| (party.name.as_str(), party.address())).collect();
        accounts.extend([("the requester", requester.address()), ("the model's author", author.address())]);
        for (name, account) in accounts {
            let earned = seats.iter().filter(|seat| seat.owner == account).map(|seat| U256::from(seat.earned));
            let has = earned.sum::<U256>() + devnet.chain.oracle().balanceOf(account).call().await?;
            books.compare(name, account, has);
        }
        Ok(books)
    }

    /// What a job comes to.
    fn enter(&mut self, author: &Party, operators: &[Party], end: &JobOutcome, payments: Option<&Payments>) {
        let (id, job) = (end.request.id, &end.request.job);
        if end.outcome() != Outcome::Accepted || !end.is_closed() {
            self.losses += 1;
            self.complaints.push(format!("job {id} is {:?}, {:?}", end.phase, end.outcome()));
        }
        // Whose operator is nobody is excused: eight jobs of that seat were open.
        for ballot in end.ballots.iter().filter(|ballot| !ballot.operator.is_zero()) {
            let name = operators.iter().find(|party| party.address() == ballot.operator).map(|party| &party.name);
            let (seat, step, paid, lost) = (ballot.seat, ballot.step, ballot.paid, ballot.slashed);
            self.losses += usize::from(paid != U256::from(job.terms.share));
            self.honest_slashes += usize::from(!lost.is_zero());
            if paid != U256::from(job.terms.share) || !lost.is_zero() {
                self.complaints
                    .push(format!("job {id}: seat {seat} of {name:?} has {step:?}, got {paid}, lost {lost}"));
            }
            *self.due(ballot.operator) += paid;
        }

        let fee = fee_of(job);
        let requester = self.due(job.requester);
        *requester = requester.saturating_sub(fee) + end.refunded();
        let paid: U256 = end.ballots.iter().map(|ballot| ballot.paid).sum();
        if end.outcome() == Outcome::Accepted {
            *self.due(author.address()) += royalty_on(job, paid);
        }
        let Some(payments) = payments else { return };
        let mut twice = payments.verdicts.saturating_sub(1);
        for (number, senders) in &payments.drawn_by {
            twice += senders.len() - 1;
            *self.due(senders[0]) += draw_bounty(job, *number);
        }
        for (number, senders) in &payments.settled_by {
            twice += senders.len() - 1;
            *self.due(senders[0]) += settle_bounty(job, *number);
        }
        if twice > 0 {
            self.double_payments += twice;
            self.complaints.push(format!("job {id}: {twice} events that pay came twice"));
        }
    }

    fn compare(&mut self, name: &str, account: Address, has: U256) {
        let due = *self.due(account);
        if has != due {
            self.complaints.push(format!("{name} has {has} wei at the oracle, where the events say {due}"));
        }
        self.double_payments += usize::from(has > due);
        self.losses += usize::from(has < due);
    }

    fn due(&mut self, account: Address) -> &mut U256 {
        self.due.entry(account).or_default()
    }
}

/// The jobs, and who has sent what pays somebody.
async fn events(devnet: &Devnet, requester: &Requester) -> Result<(Vec<B256>, HashMap<B256, Payments>)> {
    let provider = &devnet.chain.provider;
    let filter = Filter::new().address(devnet.chain.deployment.generation_oracle).from_block(requester.since());
    let (mut jobs, mut payments) = (Vec::new(), HashMap::<B256, Payments>::new());
    for log in provider.get_logs(&filter).await? {
        match Event::decode_log(&log.inner).map(|decoded| decoded.data) {
            Ok(Event::ImageRequested(event)) => jobs.push(event.jobId),
            Ok(Event::Drawn(event)) => {
                let of_job = payments.entry(event.jobId).or_default();
                of_job.drawn_by.entry(event.round.number).or_default().push(sender(devnet, &log).await?);
            }
            Ok(Event::RoundSettled(event)) => {
                let of_job = payments.entry(event.jobId).or_default();
                of_job.settled_by.entry(event.number).or_default().push(sender(devnet, &log).await?);
            }
            Ok(Event::Settled(event)) => payments.entry(event.jobId).or_default().verdicts += 1,
            _ => {}
        }
    }
    Ok((jobs, payments))
}

async fn sender(devnet: &Devnet, log: &Log) -> Result<Address> {
    let hash = log.transaction_hash.ok_or_eyre("a log without a transaction")?;
    let transaction = devnet.chain.provider.get_transaction_by_hash(hash).await?.ok_or_eyre("a log of nothing")?;
    Ok(transaction.inner.signer())
}
