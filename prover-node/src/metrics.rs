//! Metrics: what a node counts and measures, for Prometheus. Amounts are in ETH, times in seconds.
//!
//! Counters start at zero with the process. What is true at one moment (gauges) is brought up to date when it is asked
//! for: nothing is polled for an endpoint that nobody reads.

use std::{
    fmt, fs, io,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::{primitives::U256, rpc::types::TransactionReceipt};
use oracle::chain::EndpointReport;
use prometheus_client::{
    encoding::{EncodeMetric, text},
    metrics::{
        TypedMetric,
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};

use crate::{
    error::StepError,
    funds::Funds,
    inference::Stock,
    journal::{Ending, OpenJobs},
    wallet::SendError,
};

/// How Prometheus is told what [`Metrics::text`] is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How far the vote of one of our seats came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is on a committee.
    Drawn,
    /// Its commitment was mined.
    Committed,
    /// Its opening was mined.
    Revealed,
}

/// Why something has to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The Ethereum node does not answer, or answers with an error.
    Rpc,
    /// The journal cannot be read or written.
    Journal,
    /// A transaction could not be sent, or reverted.
    Transaction,
    /// The chain moved: another draw, or a vote that fell out.
    Reorganisation,
}

/// Which RPC endpoint: scheme, host and port.
type Endpoint = [(&'static str, String); 1];

/// One label.
type Label = [(&'static str, &'static str); 1];

/// A gauge of numbers with fractions.
type Measure = Gauge<f64, AtomicU64>;

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    head: Gauge,
    lag: Measure,
    followed: Gauge,
    ready: Gauge,
    open: Family<Label, Gauge>,
    balance: Measure,
    needed: Measure,
    stake: Measure,
    seats: Family<Label, Gauge>,
    votes: Family<Label, Counter>,
    endings: Family<Label, Counter>,
    slashed: Counter,
    earned: Counter<f64, AtomicU64>,
    lost: Counter<f64, AtomicU64>,
    making: Histogram,
    transactions: Family<Label, Counter>,
    fees: Counter<f64, AtomicU64>,
    failures: Family<Label, Counter>,
    lapses: Family<Endpoint, Counter>,
    in_use: Family<Endpoint, Gauge>,
    loaded: Gauge,
    weights: Gauge,
    loads: Counter,
    evictions: Counter,
    memory: Gauge,
    handles: Gauge,
}

/// What was true when the metrics were asked for.
#[derive(Debug, Clone)]
pub struct Now {
    /// The newest block seen.
    pub head: u64,
    /// Its age by this machine's clock.
    pub lag: Duration,
    /// The last block whose events are taken in.
    pub followed: u64,
    /// Whether the node can take part in jobs.
    pub ready: bool,
    /// Rounds by how far they are.
    pub open: OpenJobs,
    /// What the operator has.
    pub funds: Funds,
    /// The RPC endpoints.
    pub endpoints: Vec<EndpointReport>,
    /// The models in memory.
    pub stock: Stock,
}

impl Metrics {
    /// All at zero, of a node with these properties.
    #[must_use]
    pub fn new(properties: Vec<(&'static str, String)>) -> Self {
        let mut registry = Registry::with_prefix("quorate");
        registry.register("node", "What runs", Info::new(properties));
        let mut is = Registrar(&mut registry);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        is.measure("start_time", "When the process started, since the epoch", Unit::Seconds).set(since.as_secs_f64());
        let metrics = Self {
            head: is.gauge("head_block", "Newest block seen"),
            lag: is.measure("head_lag", "Age of the newest block", Unit::Seconds),
            followed: is.gauge("followed_block", "Last block whose events are taken in"),
            ready: is.gauge("ready", "1 if the node can take part in jobs, as /ready says"),
            open: is.gauges("open_jobs", "Open rounds by how far they are", "phase", &PHASES),
            balance: is.measure("balance", "The operator's, for gas", Unit::Other("eth".to_owned())),
            needed: is.measure(
                "balance_needed",
                "Below this the node is not ready: what --reserve keeps, and the gas of a vote for each seat",
                Unit::Other("eth".to_owned()),
            ),
            stake: is.measure("stake", "Of the seats that are served", Unit::Other("eth".to_owned())),
            seats: is.gauges("seats", "Seats that are served", "state", &["active", "young", "left"]),
            votes: is.counters("votes", "Votes of our seats by how far they came", "stage", &Stage::NAMES),
            endings: is.counters(
                "draws_ended",
                "Draws with seats of ours by how they ended",
                "ending",
                &ENDINGS.map(Ending::name),
            ),
            slashed: is.counter("slashed_seats", "Seats that lost stake in a settled round"),
            earned: is.amount("earned", "Paid to our seats in settled rounds"),
            lost: is.amount("lost", "Burned from our seats in settled rounds"),
            making: is.histogram("output", "What it took to make an output", exponential_buckets(0.125, 2.0, 14)),
            transactions: is.counters("transactions", "Transactions by what became of them", "result", &RESULTS),
            fees: is.amount("fees", "Paid for gas"),
            failures: is.counters("failures", "Steps that have to be tried again", "cause", &Cause::NAMES),
            lapses: is.family("rpc_lapses", "Troubles that an RPC endpoint had, survived by asking again or another"),
            in_use: is.family("rpc_in_use", "1 for the RPC endpoint that is asked"),
            loaded: is.gauge("models_loaded", "Models in memory"),
            weights: is.gauge("models_loaded_bytes", "What the weights of the models in memory take"),
            loads: is.counter("model_loads", "Times that a model was loaded"),
            evictions: is.counter("model_evictions", "Times that a model had to go for another"),
            memory: is.gauge("resident_memory_bytes", "Memory that the process holds"),
            handles: is.gauge("open_files", "Files and connections that the process holds"),
            registry: Registry::default(),
        };
        Self { registry, ..metrics }
    }

    /// The votes of `seats` of ours have come so far.
    pub(crate) fn voted(&self, stage: Stage, seats: usize) {
        self.votes.get_or_create(&[("stage", Stage::NAMES[stage as usize])]).inc_by(seats as u64);
    }

    /// There is nothing left to do in a draw.
    pub(crate) fn ended(&self, ending: Ending) {
        self.endings.get_or_create(&[("ending", ending.name())]).inc();
    }

    /// One of our seats was settled; in wei.
    pub(crate) fn settled(&self, earned: U256, lost: U256) {
        self.earned.inc_by(eth(earned));
        self.lost.inc_by(eth(lost));
        self.slashed.inc_by(u64::from(!lost.is_zero()));
    }

    /// An output was made.
    pub(crate) fn made(&self, took: Duration) {
        self.making.observe(took.as_secs_f64());
    }

    /// What became of a transaction.
    pub(crate) fn sent(&self, sent: &Result<TransactionReceipt, SendError>) {
        if let Ok(receipt) = sent {
            self.fees.inc_by(eth(U256::from(receipt.effective_gas_price) * U256::from(receipt.gas_used)));
        }
        self.transactions.get_or_create(&[("result", result(sent))]).inc();
    }

    /// Something has to be tried again.
    pub(crate) fn failed(&self, error: &StepError) {
        if let Some(cause) = Cause::of(error) {
            self.failures.get_or_create(&[("cause", Cause::NAMES[cause as usize])]).inc();
        }
    }

    /// Everything, as Prometheus reads it.
    #[must_use]
    pub fn text(&self, now: &Now) -> String {
        self.bring_up_to_date(now);
        let mut out = String::new();
        // A string takes everything.
        let _ = text::encode(&mut out, &self.registry);
        out
    }

    fn bring_up_to_date(&self, now: &Now) {
        let &Now { head, lag, followed, ready, open, funds, ref endpoints, ref stock } = now;
        self.head.set(head.cast_signed());
        self.lag.set(lag.as_secs_f64());
        self.followed.set(followed.cast_signed());
        self.ready.set(i64::from(ready));
        for (phase, count) in PHASES.into_iter().zip([open.requested, open.drawn, open.sealed]) {
            self.open.get_or_create(&[("phase", phase)]).set(count.cast_signed());
        }
        self.balance.set(eth(funds.cover.balance));
        self.needed.set(eth(funds.cover.least()));
        self.stake.set(eth(funds.stake));
        for (state, count) in [("active", funds.active), ("young", funds.young), ("left", funds.left)] {
            self.seats.get_or_create(&[("state", state)]).set(i64::from(count));
        }
        for EndpointReport { host, in_use, lapses } in endpoints {
            let endpoint = [("endpoint", host.clone())];
            self.in_use.get_or_create(&endpoint).set(i64::from(*in_use));
            self.lapses.get_or_create(&endpoint).inner().store(*lapses, Ordering::Relaxed);
        }
        self.loaded.set(stock.memory.loaded().len().try_into().unwrap_or(i64::MAX));
        self.weights.set(stock.memory.used().try_into().unwrap_or(i64::MAX));
        self.loads.inner().store(stock.loads, Ordering::Relaxed);
        self.evictions.inner().store(stock.evictions, Ordering::Relaxed);
        // Where the system does not tell, it stays at zero.
        self.memory.set(resident_memory().unwrap_or_default());
        self.handles.set(open_files().unwrap_or_default());
    }
}

/// Of [`OpenJobs`].
const PHASES: [&str; 3] = ["requested", "drawn", "sealed"];

const ENDINGS: [Ending; 4] = [Ending::Settled, Ending::Declined, Ending::Missed, Ending::Reorganised];

/// By [`result`].
const RESULTS: [&str; 6] = ["mined", "reverted", "refused", "unpaid", "late", "unknown"];

/// `refused`: the contract or the endpoint does not want it. `late`: its time was over. `unknown`: it may still be mined.
fn result(sent: &Result<TransactionReceipt, SendError>) -> &'static str {
    use oracle::chain::ChainError::{NoFunds, Reverted};
    match sent {
        Ok(_) => "mined",
        Err(SendError::RevertedOnChain(_)) => "reverted",
        Err(SendError::Chain(Reverted(_)) | SendError::Refused(_) | SendError::Overtaken { .. }) => "refused",
        Err(SendError::TooLate | SendError::NotMined { .. }) => "late",
        Err(SendError::Chain(NoFunds { .. })) => "unpaid",
        Err(_) => "unknown",
    }
}

impl Stage {
    const NAMES: [&'static str; 3] = ["drawn", "committed", "revealed"];
}

impl Cause {
    const NAMES: [&'static str; 4] = ["rpc", "journal", "transaction", "reorganisation"];

    /// None if nothing is wrong: the node is stopping, or says no.
    fn of(error: &StepError) -> Option<Self> {
        match error {
            StepError::Chain(_) | StepError::Proof(_) | StepError::Follow(_) | StepError::Lookup(_) => Some(Self::Rpc),
            StepError::Journal(_) => Some(Self::Journal),
            StepError::Send(_) => Some(Self::Transaction),
            StepError::OtherDraw | StepError::MovedBack | StepError::VoteLost(_) => Some(Self::Reorganisation),
            _ => None,
        }
    }
}

/// Registers metrics; families with all their labels, so that a count of nothing is a zero and not a gap.
struct Registrar<'a>(&'a mut Registry);

impl Registrar<'_> {
    fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.0.register(name, help, gauge.clone());
        gauge
    }

    fn measure(&mut self, name: &str, help: &str, unit: Unit) -> Measure {
        let gauge = Measure::default();
        self.0.register_with_unit(name, help, unit, gauge.clone());
        gauge
    }

    fn gauges(&mut self, name: &str, help: &str, label: &'static str, values: &[&'static str]) -> Family<Label, Gauge> {
        let family = Family::default();
        values.iter().for_each(|value| drop(family.get_or_create(&[(label, *value)])));
        self.0.register(name, help, family.clone());
        family
    }

    /// Of endpoints, which are known once they are asked.
    fn family<M>(&mut self, name: &str, help: &str) -> Family<Endpoint, M>
    where
        M: Default + Clone + fmt::Debug + EncodeMetric + TypedMetric + Send + Sync + 'static,
    {
        let family = Family::<Endpoint, M>::default();
        self.0.register(name, help, family.clone());
        family
    }

    fn counter(&mut self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.0.register(name, help, counter.clone());
        counter
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: &[&'static str],
    ) -> Family<Label, Counter> {
        let family = Family::default();
        values.iter().for_each(|value| drop(family.get_or_create(&[(label, *value)])));
        self.0.register(name, help, family.clone());
        family
    }

    /// In ETH.
    fn amount(&mut self, name: &str, help: &str) -> Counter<f64, AtomicU64> {
        let counter = Counter::default();
        self.0.register_with_unit(name, help, Unit::Other("eth".to_owned()), counter.clone());
        counter
    }

    /// In seconds.
    fn histogram(&mut self, name: &str, help: &str, buckets: impl IntoIterator<Item = f64>) -> Histogram {
        let histogram = Histogram::new(buckets);
        self.0.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        histogram
    }
}

fn eth(wei: U256) -> f64 {
    f64::from(wei) / 1e18
}

/// In bytes.
fn resident_memory() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes * 1024)
}

fn open_files() -> io::Result<i64> {
    // The listing itself holds one open.
    Ok(i64::try_from(fs::read_dir("/proc/self/fd")?.count()).unwrap_or(i64::MAX) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Now {
        let cover = crate::budget::Cover { balance: U256::from(1_500_000_000_000_000_000_u64), ..Default::default() };
        let funds = Funds { cover, active: 2, ..Funds::default() };
        let open = OpenJobs { requested: 1, drawn: 0, sealed: 3 };
        let endpoints = vec![EndpointReport { host: "http://a".to_owned(), in_use: true, lapses: 4 }];
        let stock = Stock { loads: 3, ..Stock::default() };
        Now { head: 9, lag: Duration::from_millis(1_500), followed: 7, ready: true, open, funds, endpoints, stock }
    }

    #[test]
    fn what_is_true_now_is_said_with_its_unit() {
        let text = Metrics::new(vec![("version", "1".to_owned())]).text(&now());

        for line in [
            "quorate_node_info{version=\"1\"} 1",
            "quorate_head_block 9",
            "quorate_head_lag_seconds 1.5",
            "quorate_open_jobs{phase=\"sealed\"} 3",
            "quorate_balance_eth 1.5",
            "quorate_seats{state=\"active\"} 2",
            "quorate_model_loads_total 3",
            "quorate_rpc_lapses_total{endpoint=\"http://a\"} 4",
        ] {
            assert!(text.lines().any(|said| said == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn counts_are_there_before_anything_is_counted_and_grow() {
        let metrics = Metrics::new(Vec::new());
        assert!(metrics.text(&now()).contains("quorate_draws_ended_total{ending=\"missed\"} 0\n"));

        metrics.ended(Ending::Missed);
        metrics.settled(U256::ZERO, U256::from(10_u64.pow(17)));
        let text = metrics.text(&now());

        assert!(text.contains("quorate_draws_ended_total{ending=\"missed\"} 1\n"), "{text}");
        assert!(text.contains("quorate_slashed_seats_total 1\n"), "{text}");
        assert!(text.contains("quorate_lost_eth_total 0.1\n"), "{text}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_is_measured() {
        assert!(resident_memory().is_some_and(|bytes| bytes > 1 << 20));
        assert!(open_files().is_ok_and(|files| files > 2));
    }
}
