//! Limits: what one client may take, so that there is something left for the others, and for the node.

use std::{
    collections::HashMap,
    future::{Ready, ready},
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension,
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, header},
    middleware::{AddExtension, Next},
    response::{IntoResponse, Response},
};
use axum_server::accept::Accept;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tower_layer::Layer;

/// How long a client may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take to take in what was sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Of all connections, those that one client may have: one of so many.
const SHARE: usize = 4;

/// Requests after which clients that have been quiet are forgotten.
const SWEEP: u32 = 4_096;

/// What clients may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, a quarter of them from one address.
    pub connections: usize,
    /// From one address, twice as many at once; zero for no limit.
    pub requests_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 256, requests_per_second: 50 }
    }
}

/// Whom limits are kept for: an address, or for IPv6 the network that one household gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Client(IpAddr);

impl From<SocketAddr> for Client {
    fn from(address: SocketAddr) -> Self {
        Self(match address.ip().to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            address => address,
        })
    }
}

// --------------------------------------------------------------------------------------------------------- connections

/// Lets connections in while there is room, and ends those that stand still.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    connections: usize,
    open: Arc<Mutex<HashMap<Client, usize>>>,
}

/// Room for one connection, given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    client: Client,
    open: Arc<Mutex<HashMap<Client, usize>>>,
}

/// A connection that ends if its client does nothing for too long.
type Stream = Pin<Box<TimeoutStream<TcpStream>>>;

impl Gate {
    pub(super) fn new(connections: usize) -> Self {
        Self { connections, open: Arc::default() }
    }

    fn admit(&self, client: Client) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (open.values().sum::<usize>(), open.get(&client).copied().unwrap_or_default());
        if all >= self.connections || own >= self.connections.div_ceil(SHARE) {
            return None;
        }
        open.insert(client, own + 1);
        Some(Place { client, open: Arc::clone(&self.open) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.client)),
        }
    }
}

impl<S> Accept<TcpStream, S> for Gate {
    type Stream = Stream;
    /// The place is the service's, which lasts as long as its connection.
    type Service = AddExtension<S, Arc<Place>>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(stream.peer_addr().and_then(|address| {
            let full = || io::Error::new(io::ErrorKind::ConnectionRefused, "too many connections");
            let place = self.admit(address.into()).ok_or_else(full)?;
            stream.set_nodelay(true)?;
            let mut stream = TimeoutStream::new(stream);
            stream.set_read_timeout(Some(READ_TIMEOUT));
            stream.set_write_timeout(Some(WRITE_TIMEOUT));
            Ok((Box::pin(stream), Extension(Arc::new(place)).layer(service)))
        }))
    }
}

// -------------------------------------------------------------------------------------------------------------- requests

/// Counts each client's requests.
pub(super) struct Rates {
    limiter: DefaultKeyedRateLimiter<Client>,
    requests: AtomicU32,
}

impl Rates {
    /// None for no limit.
    pub(super) fn new(requests_per_second: u32) -> Option<Self> {
        let rate = NonZeroU32::new(requests_per_second)?;
        let quota = Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
        Some(Self { limiter: RateLimiter::keyed(quota), requests: AtomicU32::new(0) })
    }

    fn admit(&self, client: Client) -> bool {
        if self.requests.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&client).is_ok()
    }
}

/// Refuses the requests of a client that asks too often.
pub(super) async fn limit_rate(
    State(rates): State<Arc<Rates>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match rates.admit(address.into()) {
        true => next.run(request).await,
        false => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client::from(SocketAddr::new(address.parse().unwrap(), 1))
    }

    #[test]
    fn one_client_leaves_room_for_others_and_gives_its_own_back() {
        let gate = Gate::new(8);
        let (greedy, modest) = (client("192.0.2.1"), client("192.0.2.2"));

        let places = [gate.admit(greedy), gate.admit(greedy)].map(Option::unwrap);
        assert!(gate.admit(greedy).is_none(), "a quarter of eight");
        assert!(gate.admit(modest).is_some());
        drop(places);
        assert!(gate.open.lock().unwrap().is_empty());
        assert!(gate.admit(greedy).is_some());
    }

    #[test]
    fn there_is_an_end_to_all_of_them_together() {
        let gate = Gate::new(4);
        let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"];
        let places = addresses.map(|address| gate.admit(client(address)));

        assert_eq!(places.iter().flatten().count(), 4);
    }

    #[test]
    fn a_client_that_asks_too_often_is_told_so_and_nobody_else() {
        let rates = Rates::new(5).unwrap();
        let admitted = (0..100).filter(|_| rates.admit(client("192.0.2.1"))).count();

        assert!((10..20).contains(&admitted), "{admitted} of 100 at once");
        assert!(rates.admit(client("192.0.2.2")));
        assert!(Rates::new(0).is_none());
    }

    #[test]
    fn a_household_is_one_client() {
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:0:0:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
    }
}
