//! The desk: the wallet's task. At every block it goes through its nonces: what was mined, what a reorganisation threw
//! out, what is not worth sending any more, what has to be sent again, and what is new.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use alloy::{primitives::B256, rpc::types::TransactionReceipt};
use oracle::chain::{ChainError, ChainTime};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use super::{Intent, Order, Reply, SendError, Sent, account::Account, slot::Slot};
use crate::{
    crash_point,
    journal::{Journal, JournalError},
};

/// How often a receipt is looked for once the nonce is used up: an endpoint may know the one before the other.
const LOOKS: u32 = 20;

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(250);

/// Blocks on top of a transaction before it is forgotten.
const DEPTH: u64 = 64;

/// Owned by the wallet's task.
pub(super) struct Desk {
    pub(super) account: Account,
    pub(super) journal: Journal,
    heads: watch::Receiver<ChainTime>,
    /// All nonces that are not deep in the chain.
    pub(super) slots: BTreeMap<u64, Slot>,
    /// What is to be done, and what was done and is not deep in the chain.
    pub(super) open: HashMap<i64, Open>,
    /// Those of them that have no nonce yet.
    pub(super) queue: Vec<i64>,
    /// Not looked at yet.
    orders: Vec<Order>,
    last_id: i64,
    /// Up to where nonces are ours, as far as we know.
    known: Option<u64>,
    /// A nonce is used, and the receipt not found yet.
    pub(super) searching: bool,
    /// Another program with this key has been complained about.
    accused: bool,
}

pub(super) struct Open {
    pub(super) intent: Intent,
    reply: Option<Reply>,
}

impl Desk {
    /// With what the journal says was under way.
    pub(super) async fn open(
        account: Account,
        journal: Journal,
        heads: watch::Receiver<ChainTime>,
    ) -> Result<Self, JournalError> {
        let block = heads.borrow().block;
        let intents = journal.intents().await?;
        let last_id = intents.iter().map(|(id, _)| *id).max().unwrap_or_default();
        let mut slots = BTreeMap::<u64, Slot>::new();
        for sent in journal.sent().await? {
            let slot = slots.entry(sent.nonce).or_default();
            slot.sent.push(sent);
            (slot.intent, slot.since, slot.doubtful) = (sent.intent, block, true);
        }
        // What was replaced by another call is not wanted any more.
        let wanted = |id: &i64| slots.values().any(|slot| slot.intent == Some(*id));
        let intents = intents.into_iter().filter(|(id, _)| wanted(id));
        let open = intents.map(|(id, intent)| (id, Open { intent, reply: None })).collect();
        let (queue, orders, known, searching, accused) = (Vec::new(), Vec::new(), None, false, false);
        Ok(Self { account, journal, heads, slots, open, queue, orders, last_id, known, searching, accused })
    }

    /// Until the last handle is dropped.
    pub(super) async fn work(mut self, mut inbox: mpsc::Receiver<Order>) {
        loop {
            tokio::select! {
                order = inbox.recv() => match order {
                    Some(order) => self.orders.push(order),
                    None => return,
                },
                changed = self.heads.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(POLL), if self.searching => {}
            }
            while let Ok(order) = inbox.try_recv() {
                self.orders.push(order);
            }
            if let Err(error) = self.tend().await {
                debug!(%error, "the wallet goes on at the next block");
            }
        }
    }

    /// The same purpose twice is the same transaction, or one that replaces it.
    fn take(&mut self, Order { intent, reply }: Order) {
        let under_way = self.open.iter_mut().find(|(id, open)| {
            let mined = self.slots.values().any(|slot| slot.mined.is_some() && slot.intent == Some(**id));
            !mined && open.intent.purpose == intent.purpose
        });
        let replaced = match under_way {
            Some((_, open)) if open.intent.call == intent.call => {
                answer(open.reply.replace(reply), Err(SendError::Replaced));
                open.intent.deadline = intent.deadline;
                return;
            }
            other => other.map(|(id, _)| *id),
        };
        self.last_id += 1;
        self.open.insert(self.last_id, Open { intent, reply: Some(reply) });
        let slot = self.slots.values_mut().find(|slot| replaced.is_some() && slot.intent == replaced);
        match slot {
            Some(slot) => (slot.intent, slot.doubtful, slot.outbid) = (Some(self.last_id), true, true),
            None => self.queue.push(self.last_id),
        }
        if let Some(id) = replaced {
            self.finish(id, Err(SendError::Replaced));
        }
    }

    /// Once through everything. What goes wrong on the way to the endpoint is tried again at the next block.
    async fn tend(&mut self) -> Result<(), ChainError> {
        self.searching = false;
        if self.slots.is_empty() && self.queue.is_empty() && self.orders.is_empty() {
            return Ok(());
        }
        let now = *self.heads.borrow_and_update();
        // The nonce first, the receipts second: if it is used up and no receipt is ours, somebody else used it.
        let next = self.account.next_nonce().await?;
        self.notice_others(next);
        self.find_receipts(next).await?;
        self.notice_thrown_out(next, now);
        // Only now is it known whether the same is under way already.
        for order in std::mem::take(&mut self.orders) {
            self.take(order);
        }
        self.give_up(now);
        self.send_again(next, now).await?;
        self.send_new(next, now).await?;
        self.fill_gaps(next, now).await?;
        self.forget(now).await;
        Ok(())
    }

    // ------------------------------------------------------------------------------------------------ what has happened

    fn notice_others(&mut self, next: u64) {
        let ours = self.slots.last_key_value().map_or(0, |(nonce, _)| nonce + 1);
        if self.known.is_some_and(|known| next > known.max(ours)) {
            self.accuse(next - 1);
        }
        self.known = self.known.max(Some(next));
    }

    pub(super) fn accuse(&mut self, nonce: u64) {
        if !std::mem::replace(&mut self.accused, true) {
            let address = self.account.address;
            warn!(
                "another program sends transactions with the key of {address} (nonce {nonce}): this node works around it, but a key should be used by one node only"
            );
        }
    }

    /// Of the nonces that are used: which of our transactions it was, or whether it was another's.
    async fn find_receipts(&mut self, next: u64) -> Result<(), ChainError> {
        let used: Vec<_> = self.slots.range(..next).filter(|(_, slot)| slot.mined.is_none()).map(|(n, _)| *n).collect();
        for nonce in used {
            match self.receipt(nonce).await? {
                Some((sent, receipt)) => self.note_mined(nonce, sent, receipt),
                None => self.look_again(nonce),
            }
        }
        Ok(())
    }

    async fn receipt(&self, nonce: u64) -> Result<Option<(Sent, TransactionReceipt)>, ChainError> {
        for sent in self.slots.get(&nonce).into_iter().flat_map(|slot| slot.sent.iter().rev()) {
            if let Some(receipt) = self.account.receipt(sent.hash).await? {
                return Ok(Some((*sent, receipt)));
            }
        }
        Ok(None)
    }

    fn note_mined(&mut self, nonce: u64, sent: Sent, receipt: TransactionReceipt) {
        crash_point!("wallet: receipt found");
        let Some(slot) = self.slots.get_mut(&nonce) else { return };
        slot.mined = receipt.block_number;
        let displaced = std::mem::replace(&mut slot.intent, sent.intent).filter(|id| Some(*id) != sent.intent);
        if let Some(id) = sent.intent {
            let done = if receipt.status() { Ok(receipt) } else { Err(SendError::RevertedOnChain(sent.hash)) };
            self.answer(id, done);
        }
        if let Some(id) = displaced {
            self.queue_again(id);
        }
    }

    fn look_again(&mut self, nonce: u64) {
        let Some(slot) = self.slots.get_mut(&nonce) else { return };
        slot.looks += 1;
        if slot.looks <= LOOKS && !slot.sent.is_empty() {
            self.searching = true;
            return;
        }
        let intent = self.slots.remove(&nonce).and_then(|slot| slot.intent);
        if let Some(id) = intent {
            self.accuse(nonce);
            self.queue_again(id);
        }
    }

    /// With another nonce, if somebody still waits for it; it is simulated again first.
    pub(super) fn queue_again(&mut self, id: i64) {
        let waits = |open: &Open| open.reply.as_ref().is_some_and(|reply| !reply.is_closed());
        match self.open.get(&id).is_some_and(waits) {
            true => self.queue.push(id),
            false => drop(self.open.remove(&id)),
        }
    }

    fn notice_thrown_out(&mut self, next: u64, now: ChainTime) {
        for (nonce, slot) in self.slots.range_mut(next..).filter(|(_, slot)| slot.mined.is_some()) {
            info!(nonce, "a reorganisation threw out a transaction; sending it again if it is still due");
            let sent = std::mem::take(&mut slot.sent);
            let intent = slot.intent.filter(|id| self.open.contains_key(id));
            *slot = Slot { intent, sent, since: now.block, doubtful: true, ..Slot::default() };
        }
    }

    /// What is not worth sending any more leaves its nonce to others.
    fn give_up(&mut self, now: ChainTime) {
        let late = |(id, open): (&i64, &Open)| (open.intent.deadline <= now.time).then_some(*id);
        let mut late: Vec<_> = self.open.iter().filter_map(late).collect();
        late.retain(|id| !self.slots.values().any(|slot| slot.mined.is_some() && slot.intent == Some(*id)));
        for id in late {
            let error = self.last_hash(id).map_or(SendError::TooLate, |hash| SendError::NotMined { hash });
            self.finish(id, Err(error));
        }
    }

    pub(super) fn last_hash(&self, id: i64) -> Option<B256> {
        let mut sent = self.slots.values().flat_map(|slot| &slot.sent);
        sent.rfind(|sent| sent.intent == Some(id)).map(|sent| sent.hash)
    }

    /// Deletes what is deep in the chain.
    async fn forget(&mut self, now: ChainTime) {
        let deep = |slot: &Slot| slot.mined.is_some_and(|block| block + DEPTH <= now.block);
        let deep: Vec<_> = self.slots.iter().filter(|(_, slot)| deep(slot)).map(|(nonce, _)| *nonce).collect();
        for nonce in deep {
            if let Some(id) = self.slots.remove(&nonce).and_then(|slot| slot.intent) {
                self.open.remove(&id);
            }
            if let Err(error) = self.journal.forget_sent(nonce).await {
                debug!(%error, "an old transaction stays in the journal");
            }
        }
    }

    /// Tells who waits. The intent stays, in case a reorganisation undoes it.
    fn answer(&mut self, id: i64, result: Result<TransactionReceipt, SendError>) {
        answer(self.open.get_mut(&id).and_then(|open| open.reply.take()), result);
    }

    /// There is nothing more to do for it: its nonce, if it has one, stands empty.
    pub(super) fn finish(&mut self, id: i64, result: Result<TransactionReceipt, SendError>) {
        self.answer(id, result);
        self.open.remove(&id);
        self.queue.retain(|queued| *queued != id);
        for slot in self.slots.values_mut().filter(|slot| slot.intent == Some(id)) {
            slot.intent = None;
        }
        self.slots.retain(|_, slot| slot.intent.is_some() || !slot.sent.is_empty() || slot.reserved > 0);
    }
}

/// Who waited may have gone away.
fn answer(reply: Option<Reply>, result: Result<TransactionReceipt, SendError>) {
    if let Some(reply) = reply {
        let _ = reply.send(result);
    }
}
