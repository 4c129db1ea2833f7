//! What the desk sends: again, anew, and in place of what is not worth sending any more.

use alloy::primitives::{B256, U256, utils::format_units};
use oracle::chain::{ChainError, ChainTime};
use tracing::{debug, info};

use super::{
    Call, Fees, IN_FLIGHT, SendError, Sent,
    account::Heard,
    desk::Desk,
    slot::{PATIENCE, Slot},
};
use crate::crash_point;

/// What sending nothing to oneself takes.
const TRANSFER_GAS: u64 = 21_000;

impl Desk {
    /// What is not mined yet: at every block the same again, in case it was lost; after some more blocks, for more.
    pub(super) async fn send_again(&mut self, next: u64, now: ChainTime) -> Result<(), ChainError> {
        let busy = self.slots.range(next..).filter(|(_, slot)| slot.is_busy() && slot.tried < now.block);
        let busy: Vec<_> = busy.map(|(nonce, _)| *nonce).collect();
        for nonce in busy {
            let Some(slot) = self.slots.get(&nonce) else { continue };
            let (Some(id), overdue) = (slot.intent, slot.is_overdue(now.block)) else { continue };
            if !overdue && !slot.doubtful {
                self.repeat(nonce, now).await;
                continue;
            }
            let Some(call) = self.open.get(&id).map(|open| open.intent.call.clone()) else { continue };
            let gas = match self.account.simulate(&call).await {
                Ok(gas) => gas,
                Err(error) if error.is_transient() => return Err(error),
                Err(reason) => {
                    self.overtaken(nonce, id, reason).await?;
                    continue;
                }
            };
            match overdue {
                true => self.raise(nonce, id, call, gas, now).await?,
                false => self.repeat(nonce, now).await,
            }
        }
        Ok(())
    }

    /// The call would revert; unless that is because it has just been mined, its nonce is free for others.
    async fn overtaken(&mut self, nonce: u64, id: i64, reason: ChainError) -> Result<(), ChainError> {
        if self.account.next_nonce().await? > nonce {
            self.searching = true;
            return Ok(());
        }
        let error = match self.last_hash(id) {
            Some(hash) => SendError::Overtaken { hash, reason },
            None => SendError::Chain(reason),
        };
        self.finish(id, Err(error));
        Ok(())
    }

    async fn raise(&mut self, nonce: u64, id: i64, call: Call, gas: u64, now: ChainTime) -> Result<(), ChainError> {
        let market = self.account.market().await?;
        let last = self.slots.get(&nonce).and_then(|slot| slot.sent.last()).map(|sent| sent.fees);
        let Some(fees) = last.map_or(Some(market), |last| last.replacing(market)) else {
            self.repeat(nonce, now).await;
            return Ok(());
        };
        let gwei = format_units(fees.most, "gwei").unwrap_or_default();
        info!(nonce, purpose = %self.open[&id].intent.purpose, "not mined yet: paying up to {gwei} gwei for a unit of gas");
        self.broadcast(Sent { hash: B256::ZERO, nonce, intent: Some(id), gas, fees }, &call, now).await;
        Ok(())
    }

    /// The same transaction once more, byte for byte.
    async fn repeat(&mut self, nonce: u64, now: ChainTime) {
        let Some(sent) = self.slots.get(&nonce).and_then(|slot| slot.sent.last()).copied() else { return };
        let call = match sent.intent {
            Some(id) => self.open.get(&id).map(|open| open.intent.call.clone()),
            None => Some(self.account.nothing()),
        };
        let Some(call) = call else { return };
        let Ok((_, bytes)) = self.account.sign(&sent, &call).await else { return };
        let heard = self.account.transmit(&bytes).await;
        let Some(slot) = self.slots.get_mut(&nonce) else { return };
        (slot.tried, slot.doubtful) = (now.block, false);
        match heard {
            Heard::Taken => {}
            Heard::Contested | Heard::TooCheap => slot.outbid = true,
            Heard::Used => self.searching = true,
            Heard::Refused(reason) => debug!(nonce, reason, "sent again, and refused"),
        }
    }

    /// What has no nonce yet, the most urgent first.
    pub(super) async fn send_new(&mut self, next: u64, now: ChainTime) -> Result<(), ChainError> {
        self.queue.sort_by_key(|id| self.open.get(id).map(|open| open.intent.deadline));
        while let Some(&id) = self.queue.first() {
            if self.slots.values().filter(|slot| slot.is_busy()).count() >= IN_FLIGHT {
                return Ok(());
            }
            let Some(call) = self.open.get(&id).map(|open| open.intent.call.clone()) else { return Ok(()) };
            // All at once: what an endpoint takes for each answer counts against the deadline.
            let account = &self.account;
            let (gas, market, balance, pending) =
                tokio::join!(account.simulate(&call), account.market(), account.balance(), account.pending_nonce());
            let (market, balance, pending) = (market?, balance?, pending?);
            let gas = match gas {
                Ok(gas) => gas,
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    self.finish(id, Err(error.into()));
                    continue;
                }
            };
            let nonce = self.free_nonce(next, pending, now);
            let last = self.slots.get(&nonce).and_then(|slot| slot.sent.last()).map(|sent| sent.fees);
            let fees = in_place_of(last, market);
            if let Some(error) = self.lacks(&call, gas, fees, balance) {
                self.finish(id, Err(error.into()));
                continue;
            }
            self.queue.remove(0);
            self.slots.entry(nonce).or_default().intent = Some(id);
            self.broadcast(Sent { hash: B256::ZERO, nonce, intent: Some(id), gas, fees }, &call, now).await;
        }
        Ok(())
    }

    /// The lowest that stands empty, or the next after all that is under way, other programs' included.
    fn free_nonce(&mut self, next: u64, pending: u64, now: ChainTime) -> u64 {
        if let Some((nonce, _)) = self.slots.range(next..).find(|(_, slot)| slot.is_free(now.block)) {
            return *nonce;
        }
        let fresh = self.slots.last_key_value().map_or(next, |(last, _)| next.max(last + 1));
        for nonce in fresh..pending {
            self.accuse(nonce);
            self.slots.insert(nonce, Slot { reserved: now.block + PATIENCE, ..Slot::default() });
        }
        fresh.max(pending)
    }

    /// Transactions wait for those before them: where one was given up, nothing is sent in its place.
    pub(super) async fn fill_gaps(&mut self, next: u64, now: ChainTime) -> Result<(), ChainError> {
        let last = self.slots.iter().rev().find(|(_, slot)| slot.is_busy()).map_or(0, |(nonce, _)| *nonce);
        let gaps = self.slots.range(next..).filter(|(_, slot)| slot.is_free(now.block) && slot.tried < now.block);
        let gaps: Vec<_> = gaps.map(|(nonce, _)| *nonce).filter(|nonce| *nonce < last).collect();
        for nonce in gaps {
            let Some(slot) = self.slots.get(&nonce) else { continue };
            let last = slot.sent.last();
            if last.is_some_and(|last| last.intent.is_none()) && !slot.is_overdue(now.block) {
                self.repeat(nonce, now).await;
                continue;
            }
            let last = last.map(|sent| sent.fees);
            let market = self.account.market().await?;
            let fees = in_place_of(last, market);
            info!(
                nonce,
                "sending nothing in place of a transaction that is not worth sending any more: others wait for it"
            );
            let sent = Sent { hash: B256::ZERO, nonce, intent: None, gas: TRANSFER_GAS, fees };
            self.broadcast(sent, &self.account.nothing(), now).await;
        }
        Ok(())
    }

    /// Writes down what is to be sent, and then sends it.
    async fn broadcast(&mut self, sent: Sent, call: &Call, now: ChainTime) {
        let id = sent.intent;
        let (hash, bytes) = match self.account.sign(&sent, call).await {
            Ok(signed) => signed,
            Err(error) => return self.not_sent(id, error),
        };
        let sent = Sent { hash, ..sent };
        let intent = id.and_then(|id| self.open.get(&id)).map(|open| &open.intent);
        let duty = intent.is_some_and(|intent| intent.purpose.step.is_duty());
        if let Err(error) = self.journal.put_sent(&sent, intent).await
            && !duty
        {
            return self.not_sent(id, error.into());
        }
        let slot = self.slots.entry(sent.nonce).or_default();
        slot.sent.push(sent);
        (slot.since, slot.tried, slot.doubtful, slot.outbid) = (now.block, now.block, false, false);
        let first = slot.sent.len() == 1;

        crash_point!("wallet: written, not broadcast");
        let heard = self.account.transmit(&bytes).await;
        crash_point!("wallet: broadcast");
        match heard {
            Heard::Taken => {}
            Heard::Used => self.searching = true,
            Heard::Contested if first => self.make_way(sent.nonce, now),
            Heard::Contested | Heard::TooCheap => self.slots.entry(sent.nonce).or_default().outbid = true,
            Heard::Refused(reason) if first => self.not_sent(id, SendError::Refused(reason)),
            Heard::Refused(reason) => debug!(nonce = sent.nonce, reason, "a replacement was refused"),
        }
    }

    /// Somebody else's transaction has this nonce and may be mined: it is given some blocks.
    fn make_way(&mut self, nonce: u64, now: ChainTime) {
        let Some(slot) = self.slots.get_mut(&nonce) else { return };
        slot.reserved = now.block + PATIENCE;
        if let Some(id) = slot.intent.take() {
            self.queue_again(id);
        }
        self.accuse(nonce);
    }

    fn not_sent(&mut self, id: Option<i64>, error: SendError) {
        match id {
            Some(id) => self.finish(id, Err(error)),
            None => debug!(%error, "a gap could not be filled"),
        }
    }

    /// What is missing for it, on top of all that is under way.
    fn lacks(&self, call: &Call, gas: u64, fees: Fees, balance: U256) -> Option<ChainError> {
        let mut need = cost(call, gas, fees);
        for slot in self.slots.values().filter(|slot| slot.is_busy()) {
            let (Some(sent), Some(id)) = (slot.sent.last(), slot.intent) else { continue };
            let Some(open) = self.open.get(&id) else { continue };
            need += cost(&open.intent.call, sent.gas, sent.fees);
        }
        (balance < need).then_some(ChainError::NoFunds { address: self.account.address, balance, need })
    }
}

fn cost(call: &Call, gas: u64, fees: Fees) -> U256 {
    call.value + U256::from(gas) * U256::from(fees.most)
}

/// For what takes the place of another. One that pays more than ten times the market is mined in any case if it is still
/// there: nobody has to outbid it.
fn in_place_of(last: Option<Fees>, market: Fees) -> Fees {
    last.and_then(|last| last.replacing(market)).unwrap_or(market)
}
